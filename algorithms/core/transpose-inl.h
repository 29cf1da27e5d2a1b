// Transposed matrices, a square of vectors at a time: first within blocks of 128 bits, and then the
// blocks themselves. Neither needs a permutation of single lanes across a vector, which takes twice
// as long: with those a square of 16 took 11.5 ns on an EPYC (Zen 5) instead of 4.7.

#if defined(FULLCONV_TRANSPOSE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_TRANSPOSE_INL_H
#undef FULLCONV_TRANSPOSE_INL_H
#else
#define FULLCONV_TRANSPOSE_INL_H
#endif

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstdint>

#include "core/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// As many vectors as each has lanes.
template <class T>
using Square = Vector<T>[kLanes<T>];

template <class T>
using SquareIndices = IndicesTo<static_cast<int>(kLanes<T>)>;

#if HWY_TARGET == HWY_SCALAR
/// One lane.
template <class T>
HWY_INLINE void transpose_square(Square<T>&) {}
#else
/// Lanes of a block, and blocks of a vector.
template <class T>
constexpr int kBlockLanes = static_cast<int>(16 / sizeof(T));
template <class T>
constexpr int kBlocks = static_cast<int>(kLanes<T>) / kBlockLanes<T>;

/// As many rows as a block has lanes, transposed within each block.
HWY_INLINE void transpose_within_blocks(Vector<float>* rows) {
  constexpr Tag<float> d;
  constexpr hn::Repartition<double, Tag<float>> pairs;
  const auto lower = [&](Vector<float> a, Vector<float> b) HWY_ATTR {
    return hn::BitCast(d, hn::InterleaveLower(pairs, hn::BitCast(pairs, a), hn::BitCast(pairs, b)));
  };
  const auto upper = [&](Vector<float> a, Vector<float> b) HWY_ATTR {
    return hn::BitCast(d, hn::InterleaveUpper(pairs, hn::BitCast(pairs, a), hn::BitCast(pairs, b)));
  };
  const Vector<float> left_01 = hn::InterleaveLower(d, rows[0], rows[1]);
  const Vector<float> right_01 = hn::InterleaveUpper(d, rows[0], rows[1]);
  const Vector<float> left_23 = hn::InterleaveLower(d, rows[2], rows[3]);
  const Vector<float> right_23 = hn::InterleaveUpper(d, rows[2], rows[3]);
  rows[0] = lower(left_01, left_23);
  rows[1] = upper(left_01, left_23);
  rows[2] = lower(right_01, right_23);
  rows[3] = upper(right_01, right_23);
}
HWY_INLINE void transpose_within_blocks(Vector<double>* rows) {
  constexpr Tag<double> d;
  const Vector<double> left = hn::InterleaveLower(d, rows[0], rows[1]);
  rows[1] = hn::InterleaveUpper(d, rows[0], rows[1]);
  rows[0] = left;
}

/// Block b of vector g, of those that are a block's lanes apart, becomes block g of vector b.
template <class T>
HWY_INLINE void transpose_blocks(Vector<T>* rows) {
  constexpr Tag<T> d;
  constexpr int kStep = kBlockLanes<T>;
  if constexpr (kBlocks<T> == 2) {
    const Vector<T> lower = hn::ConcatLowerLower(d, rows[kStep], rows[0]);
    rows[kStep] = hn::ConcatUpperUpper(d, rows[kStep], rows[0]);
    rows[0] = lower;
  } else if constexpr (kBlocks<T> == 4) {
    const auto even = [](Vector<T> a, Vector<T> b)
                          HWY_ATTR { return hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a); };
    const auto odd = [](Vector<T> a, Vector<T> b)
                         HWY_ATTR { return hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a)); };
    const Vector<T> even_01 = even(rows[0], rows[kStep]);
    const Vector<T> odd_01 = odd(rows[0], rows[kStep]);
    const Vector<T> even_23 = even(rows[2 * kStep], rows[3 * kStep]);
    const Vector<T> odd_23 = odd(rows[2 * kStep], rows[3 * kStep]);
    rows[0] = hn::ConcatLowerLower(d, even_23, even_01);
    rows[kStep] = hn::ConcatLowerLower(d, odd_23, odd_01);
    rows[2 * kStep] = hn::ConcatUpperUpper(d, even_23, even_01);
    rows[3 * kStep] = hn::ConcatUpperUpper(d, odd_23, odd_01);
  } else {
    static_assert(kBlocks<T> == 1);
  }
}

template <class T, int... group, int... lane>
HWY_INLINE void transpose_square(Square<T>& rows, Indices<group...>, Indices<lane...>) {
  (transpose_within_blocks(rows + group * kBlockLanes<T>), ...);
  (transpose_blocks<T>(rows + lane), ...);
}

template <class T>
HWY_INLINE void transpose_square(Square<T>& rows) {
  transpose_square<T>(rows, IndicesTo<kBlocks<T>>(), IndicesTo<kBlockLanes<T>>());
}
#endif

/// The first `columns` of `rows` rows, and zeros beyond.
template <class T, int... i>
HWY_INLINE void load_square(const T* from, index_t stride, index_t rows, index_t columns,
                            Indices<i...>, Square<T>& square) {
  const Mask<T> mask = lanes_of<T>(0, columns);
  const auto load = [&](index_t row) HWY_ATTR {
    return row < rows ? load_lanes(from + row * stride, 0, columns, mask) : hn::Zero(Tag<T>());
  };
  if (columns >= kLanes<T> && rows >= kLanes<T>) {
    ((square[i] = hn::LoadU(Tag<T>(), from + i * stride)), ...);
  } else {
    ((square[i] = load(i)), ...);
  }
}

/// to(j, i) = from(i, j), in rows of whole vectors.
template <class T, int... i>
HWY_INLINE void transpose_block(const T* from, index_t from_stride, index_t rows, index_t columns,
                                T* to, index_t to_stride, Indices<i...> indices) {
  Square<T> square;
  load_square(from, from_stride, rows, columns, indices, square);
  transpose_square<T>(square);
  ((i < columns ? hn::StoreU(square[i], Tag<T>(), to + i * to_stride) : void()), ...);
}

/// Calls visit(first, count) for squares of at most a vector's elements that cover `count`. The
/// last one begins earlier where there are elements to fill it.
template <class T, class Visit>
HWY_INLINE void for_each_square(index_t count, const Visit& visit) {
  for (index_t e = 0; e < count; e += kLanes<T>) {
    const index_t first = std::max<index_t>(0, std::min(e, count - kLanes<T>));
    visit(first, std::min(kLanes<T>, count - first));
  }
}

/// Whether vectors at `to`, and so many elements apart, are whole lines of the caches.
template <class T>
bool are_lines(const T* to, index_t stride) {
  constexpr index_t kLine = 64 / sizeof(T);
  return kVectorsAreLines && reinterpret_cast<std::uintptr_t>(to) % 64 == 0 && stride % kLine == 0;
}

template <class T, int... i>
HWY_INLINE void transpose_vectors(const T* from, index_t from_stride, index_t rows, index_t columns,
                                  T* to, index_t to_stride, bool past_caches, Indices<i...>) {
  constexpr Tag<T> d;
  for_each_square<T>(rows, [&](index_t first, index_t count) HWY_ATTR {
    Square<T> square;
    const T* source = from + first * from_stride;
    if (count == kLanes<T>) {
      ((square[i] = hn::LoadU(d, source + i * from_stride)), ...);
    } else {
      ((square[i] = i < count ? hn::LoadU(d, source + i * from_stride) : hn::Zero(d)), ...);
    }
    transpose_square<T>(square);
    if (count == kLanes<T> && columns == kLanes<T>) {
      T* const corner = to + first;
      if (past_caches && are_lines(corner, to_stride)) {
        (hn::Stream(square[i], d, corner + i * to_stride), ...);
      } else {
        (hn::StoreU(square[i], d, corner + i * to_stride), ...);
      }
      return;
    }
    HWY_ALIGN T staged[kLanes<T> * kLanes<T>];
    (hn::Store(square[i], d, staged + i * kLanes<T>), ...);
    for (index_t c = 0; c < columns; ++c) {
      const T* column = staged + c * kLanes<T>;
      if (count == kLanes<T>) {
        hn::StoreU(hn::Load(d, column), d, to + first + c * to_stride);
      } else {
        copy_few(column, count, to + first + c * to_stride);
      }
    }
  });
}

/// to(j, i) = from(i, j) for so many rows and columns, and nothing beyond. Rows of `from` can be
/// read in whole vectors. `past_caches`: whether whole lines of `to` are written to memory at once.
template <class T>
HWY_INLINE void transpose_matrix(const T* from, index_t from_stride, index_t rows, index_t columns,
                                 T* to, index_t to_stride, bool past_caches) {
  if (rows == 1) {  // images of one pixel
    for (index_t j = 0; j < columns; ++j) to[j * to_stride] = from[j];
    return;
  }
  for (index_t j = 0; j < columns; j += kLanes<T>) {
    transpose_vectors(from + j, from_stride, rows, std::min(kLanes<T>, columns - j),
                      to + j * to_stride, to_stride, past_caches, SquareIndices<T>());
  }
  if (past_caches) hwy::FlushStream();
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
