// Strips transposed, by squares of as many rows as a vector has lanes, together with the pass of a
// transform that is next to it.

#if defined(FULLCONV_TRANSPOSITION_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_TRANSPOSITION_INL_H
#undef FULLCONV_TRANSPOSITION_INL_H
#else
#define FULLCONV_TRANSPOSITION_INL_H
#endif

#include <algorithm>

#include "core/transpose-inl.h"
#include "fft/butterflies-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// The real or the imaginary parts of a square of a strip, transposed, to another strip.
template <class T, int... row>
HWY_INLINE void transpose_part(const T* from, Indices<row...>, T* to) {
  constexpr Tag<T> d;
  Square<T> square = {hn::Load(d, from + row * kRow<T>)...};
  transpose_square<T>(square);
  (hn::Store(square[row], d, to + row * kRow<T>), ...);
}

/// As many rows of a strip as it has lanes.
template <class T>
constexpr index_t kSquare = kLanes<T>* kRow<T>;

template <class T>
HWY_INLINE void transpose_strip_square(const T* from, T* to) {
  transpose_part(from, SquareIndices<T>(), to);
  transpose_part(from + kLanes<T>, SquareIndices<T>(), to + kLanes<T>);
}

// The pass without twiddles is the one next to a transposition. Both go over the strip together: a
// square's shuffles keep one port busy while another does the next one's additions, 2 to 5 % faster
// than one after the other.

/// Rows that are whole squares and whole butterflies.
template <class T, int kRadix>
constexpr index_t kTogether = std::max<index_t>(kLanes<T>, kRadix);

/// The last pass, and its results transposed to squares that are `across` apart.
template <int kRadix, class T>
HWY_INLINE void last_pass_transposed(index_t length, index_t across, T* strip, T* to) {
  constexpr index_t kRows = kTogether<T, kRadix>;
  for (index_t row = 0; row < length; row += kRows, strip += kRows * kRow<T>) {
    butterflies<Direction::forward, kRadix, Factors::none, T>(
        kRows / kRadix, kRadix * kRow<T>, kRow<T>, nullptr, nullptr, IndicesTo<kRadix>{}, strip);
    for (index_t at = 0; at < kRows * kRow<T>; at += kSquare<T>, to += across) {
      transpose_strip_square(strip + at, to);
    }
  }
}

/// The same backwards.
template <int kRadix, class T>
HWY_INLINE void transposed_first_pass(index_t length, index_t across, const T* from, T* strip) {
  constexpr index_t kRows = kTogether<T, kRadix>;
  for (index_t row = 0; row < length; row += kRows, strip += kRows * kRow<T>) {
    for (index_t at = 0; at < kRows * kRow<T>; at += kSquare<T>, from += across) {
      transpose_strip_square(from, strip + at);
    }
    butterflies<Direction::backward, kRadix, Factors::none, T>(
        kRows / kRadix, kRadix * kRow<T>, kRow<T>, nullptr, nullptr, IndicesTo<kRadix>{}, strip);
  }
}

/// DFT of a strip, transposed. The strip is used up.
template <class T>
void transform_transposed(const TransformAxis<T>& axis, index_t across, T* strip, T* to) {
  transform_but_last(axis, strip);
  if (axis.passes.back().radix == 8) {
    last_pass_transposed<8>(axis.length, across, strip, to);
  } else {
    last_pass_transposed<4>(axis.length, across, strip, to);
  }
}

/// strip = IDFT of what is transposed.
template <class T>
void transform_back_transposed(const TransformAxis<T>& axis, index_t across, const T* from,
                               T* strip) {
  if (axis.passes.back().radix == 8) {
    transposed_first_pass<8>(axis.length, across, from, strip);
  } else {
    transposed_first_pass<4>(axis.length, across, from, strip);
  }
  transform_back_but_last(axis, strip);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
