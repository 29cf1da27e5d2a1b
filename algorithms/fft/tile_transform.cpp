// Two-dimensional transforms for convolutions of tiles. Every butterfly takes whole vectors, since
// those run across the axis that is transformed: a strip, one vector wide, of the tile's columns is
// gathered, transformed along the rows' index in the first-level cache, and put down transposed, so
// that the other axis is done in the same way. Passes of radix 8, 4, 5 and 3 neither start nor end
// with a permutation. About 4.4·P·Q·log₂(PQ) flops, and each point to the second-level cache and
// back once for each axis. Van Loan, Computational Frameworks for the Fast Fourier Transform, 1992.

#include "fft/tile_transform.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <utility>

#include "core/buffer.h"
#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fft/tile_transform.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>

#include "core/simd-inl.h"

#ifndef FULLCONV_TILE_TRANSFORM_ONCE
#define FULLCONV_TILE_TRANSFORM_ONCE
namespace fullconv {

namespace internal {

/// What is compiled for each instruction set.
template <class T>
struct TileKernels {
  using Axis = TransformAxis<T>;

  index_t lanes;
  index_t strips_at_once;  // of a cache line's columns
  T(*transform_down)
  (const Axis& rows, const Axis& columns, const Residues<T>& residues, T scale, IntoRange range,
   const TileWindow<const T>& re, const TileWindow<const T>& im, T* scratch, T* spectrum);
  void (*transform_across)(const Axis& columns, index_t strips, T* spectrum);
  void (*convolve_across)(const Axis& columns, index_t strips, const T* kernel, T* spectrum);
  void (*sum_products)(const Axis& rows, const Axis& columns, index_t strips, const T* tiles,
                       const T* kernels, index_t count, T* sum);
  // Of the columns `own`, whole strips.
  void (*publish_down)(const Axis& rows, const Axis& columns, const TileWindow<T>& re,
                       const TileWindow<T>& im, Range own, T* scratch, T* half);
  void (*combine_down)(const Axis& rows, const Axis& columns, const Residues<T>& residues,
                       const T* halves, index_t apart, int exponent, const TileWindow<T>& re,
                       const TileWindow<T>& im, Range own, T* scratch);
};

}  // namespace internal

namespace {

/// Those of `within` that a plane has so many of from `offset` on.
inline Range overlap(Range within, index_t offset, index_t count) {
  return intersection(within, {-offset, count - offset});
}

}  // namespace
}  // namespace fullconv
#endif

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// A row of a strip: real parts, then imaginary parts.
template <class T>
constexpr index_t kRow = 2 * kLanes<T>;

/// Forward, or backward: that is forward with real and imaginary parts swapped, in and out, since
/// then DFT(i·z̄) = i·conj(IDFT(z)); and with twiddles before and not behind the butterflies, to
/// undo the passes one by one.
enum class Direction { forward, backward };

/// A vector of complex numbers.
template <class T>
struct Complex {
  Vector<T> re, im;
};

template <class T>
HWY_INLINE Complex<T> operator+(const Complex<T>& a, const Complex<T>& b) {
  return {hn::Add(a.re, b.re), hn::Add(a.im, b.im)};
}
template <class T>
HWY_INLINE Complex<T> operator-(const Complex<T>& a, const Complex<T>& b) {
  return {hn::Sub(a.re, b.re), hn::Sub(a.im, b.im)};
}
template <class T>
HWY_INLINE Complex<T> operator*(const Complex<T>& a, const Complex<T>& b) {
  return {hn::NegMulAdd(a.im, b.im, hn::Mul(a.re, b.re)),
          hn::MulAdd(a.re, b.im, hn::Mul(a.im, b.re))};
}
/// a + factor·b.
template <class T>
HWY_INLINE Complex<T> multiply_add(const Complex<T>& a, Vector<T> factor, const Complex<T>& b) {
  return {hn::MulAdd(factor, b.re, a.re), hn::MulAdd(factor, b.im, a.im)};
}
/// a − factor·b.
template <class T>
HWY_INLINE Complex<T> multiply_subtract(const Complex<T>& a, Vector<T> factor,
                                        const Complex<T>& b) {
  return {hn::NegMulAdd(factor, b.re, a.re), hn::NegMulAdd(factor, b.im, a.im)};
}
/// −i·a.
template <class T>
HWY_INLINE Complex<T> times_minus_i(const Complex<T>& a) {
  return {a.im, hn::Neg(a.re)};
}
/// sums + a·b.
template <class T>
HWY_INLINE Complex<T> multiply_add(const Complex<T>& sums, const Complex<T>& a,
                                   const Complex<T>& b) {
  return {hn::NegMulAdd(a.im, b.im, hn::MulAdd(a.re, b.re, sums.re)),
          hn::MulAdd(a.im, b.re, hn::MulAdd(a.re, b.im, sums.im))};
}
/// a − i·b and a + i·b.
template <class T>
HWY_INLINE void turn(const Complex<T>& a, const Complex<T>& b, Complex<T>& minus,
                     Complex<T>& plus) {
  minus = {hn::Add(a.re, b.im), hn::Sub(a.im, b.re)};
  plus = {hn::Sub(a.re, b.im), hn::Add(a.im, b.re)};
}
/// a − i·factor·b and a + i·factor·b.
template <class T>
HWY_INLINE void turn(const Complex<T>& a, Vector<T> factor, const Complex<T>& b, Complex<T>& minus,
                     Complex<T>& plus) {
  minus = {hn::MulAdd(factor, b.im, a.re), hn::NegMulAdd(factor, b.re, a.im)};
  plus = {hn::NegMulAdd(factor, b.im, a.re), hn::MulAdd(factor, b.re, a.im)};
}

template <Direction kDirection, class T>
HWY_INLINE Complex<T> load(const T* row) {
  const Tag<T> d;
  const auto first = hn::Load(d, row);
  const auto second = hn::Load(d, row + kLanes<T>);
  if constexpr (kDirection == Direction::forward) return {first, second};
  return {second, first};
}

template <Direction kDirection, class T>
HWY_INLINE void store(const Complex<T>& a, T* row) {
  const Tag<T> d;
  constexpr bool kForward = kDirection == Direction::forward;
  hn::Store(kForward ? a.re : a.im, d, row);
  hn::Store(kForward ? a.im : a.re, d, row + kLanes<T>);
}

// Transforms of a few points, in place, in the order of frequencies.

template <class T>
HWY_INLINE void dft(Complex<T> (&a)[3]) {
  const Tag<T> d;
  const auto half = hn::Set(d, T{0.5});
  const auto sine = hn::Set(d, static_cast<T>(std::numbers::sqrt3 / 2));
  const Complex<T> sum = a[1] + a[2];
  const Complex<T> difference = a[1] - a[2];
  const Complex<T> middle = multiply_subtract(a[0], half, sum);
  a[0] = a[0] + sum;
  turn(middle, sine, difference, a[1], a[2]);
}

template <class T>
HWY_INLINE void dft(Complex<T> (&a)[4]) {
  const Complex<T> even_sum = a[0] + a[2];
  const Complex<T> even_difference = a[0] - a[2];
  const Complex<T> odd_sum = a[1] + a[3];
  const Complex<T> odd_difference = a[1] - a[3];
  a[0] = even_sum + odd_sum;
  a[2] = even_sum - odd_sum;
  turn(even_difference, odd_difference, a[1], a[3]);
}

template <class T>
HWY_INLINE void dft(Complex<T> (&a)[5]) {
  const Tag<T> d;
  constexpr double kCosine = 0.30901699437494742410;    // of 2π/5
  constexpr double kCosine2 = -0.80901699437494742410;  // of 4π/5
  constexpr double kSine = 0.95105651629515357212;
  constexpr double kSine2 = 0.58778525229247312917;
  const auto cosine = hn::Set(d, static_cast<T>(kCosine));
  const auto cosine2 = hn::Set(d, static_cast<T>(kCosine2));
  const auto sine = hn::Set(d, static_cast<T>(kSine));
  const auto ratio = hn::Set(d, static_cast<T>(kSine2 / kSine));
  const Complex<T> sum1 = a[1] + a[4];
  const Complex<T> sum2 = a[2] + a[3];
  const Complex<T> difference1 = a[1] - a[4];
  const Complex<T> difference2 = a[2] - a[3];
  const Complex<T> middle1 = multiply_add(multiply_add(a[0], cosine, sum1), cosine2, sum2);
  const Complex<T> middle2 = multiply_add(multiply_add(a[0], cosine2, sum1), cosine, sum2);
  const Complex<T> side1 = multiply_add(difference1, ratio, difference2);
  // −(sine2·difference1 − sine·difference2) / sine.
  const Complex<T> side2 = multiply_subtract(difference2, ratio, difference1);
  a[0] = a[0] + sum1 + sum2;
  turn(middle1, sine, side1, a[1], a[4]);
  turn(middle2, sine, side2, a[3], a[2]);
}

template <class T>
HWY_INLINE void dft(Complex<T> (&a)[8]) {
  const auto root = hn::Set(Tag<T>(), static_cast<T>(std::numbers::sqrt2 / 2));
  Complex<T> even[4] = {a[0] + a[4], a[1] + a[5], a[2] + a[6], a[3] + a[7]};
  const Complex<T> odd[4] = {a[0] - a[4], a[1] - a[5], a[2] - a[6], a[3] - a[7]};
  dft(even);
  // odd[1] and odd[3] by their twiddles times √2; the last additions make up for that.
  const Complex<T> odd1{hn::Add(odd[1].re, odd[1].im), hn::Sub(odd[1].im, odd[1].re)};
  const Complex<T> minus_odd3{hn::Sub(odd[3].re, odd[3].im), hn::Add(odd[3].re, odd[3].im)};
  Complex<T> sum, difference;
  turn(odd[0], odd[2], sum, difference);
  const Complex<T> odd_sum = odd1 - minus_odd3;
  const Complex<T> odd_difference = odd1 + minus_odd3;
  a[0] = even[0];
  a[2] = even[1];
  a[4] = even[2];
  a[6] = even[3];
  a[1] = multiply_add(sum, root, odd_sum);
  a[5] = multiply_subtract(sum, root, odd_sum);
  turn(difference, root, odd_difference, a[3], a[7]);
}

template <class T>
HWY_INLINE Complex<T> broadcast(const T* number) {
  const Tag<T> d;
  return {hn::Set(d, number[0]), hn::Set(d, number[1])};
}

/// a[i] times the i-th twiddle; i counts from zero, a's and the frequencies from one.
template <class T, int kRadix, int... i>
HWY_INLINE void multiply_by_twiddles(const T* twiddles, Indices<i...>, Complex<T> (&a)[kRadix]) {
  ((a[i + 1] = a[i + 1] * broadcast(twiddles + 2 * i)), ...);
}

/// a[i] times the i-th of weights that are `step` apart.
template <class T, int kRadix, int... i>
HWY_INLINE void multiply_by_weights(const T* weights, index_t step, Indices<i...>,
                                    Complex<T> (&a)[kRadix]) {
  ((a[i] = a[i] * broadcast(weights + i * step)), ...);
}

/// By what a butterfly's points are multiplied beside the roots in it.
enum class Factors { none, twiddles, weights, both };

/// The butterflies of one point of each of `blocks` blocks, which all have the same factors.
template <Direction kDirection, int kRadix, Factors kFactors, class T, int... i>
HWY_INLINE void butterflies(index_t blocks, index_t block_step, index_t step,
                            [[maybe_unused]] const T* weights, [[maybe_unused]] const T* twiddles,
                            Indices<i...> points, T* at) {
  constexpr bool kForward = kDirection == Direction::forward;
  constexpr bool kWeighted = kFactors == Factors::weights || kFactors == Factors::both;
  constexpr bool kTwiddled = kFactors == Factors::twiddles || kFactors == Factors::both;
  constexpr IndicesTo<kRadix - 1> others;
  const index_t weight_step = step / kLanes<T>;
  for (index_t block = 0; block < blocks; ++block, at += block_step) {
    Complex<T> a[kRadix] = {load<kDirection>(at + i * step)...};
    if constexpr (kWeighted && kForward) multiply_by_weights(weights, weight_step, points, a);
    if constexpr (kTwiddled && !kForward) multiply_by_twiddles(twiddles, others, a);
    dft(a);
    if constexpr (kTwiddled && kForward) multiply_by_twiddles(twiddles, others, a);
    if constexpr (kWeighted && !kForward) multiply_by_weights(weights, weight_step, points, a);
    (store<kDirection>(a[i], at + i * step), ...);
  }
}

template <class T>
using Pass = typename TransformAxis<T>::Pass;

template <Direction kDirection, int kRadix, bool kWeighted, class T>
HWY_NOINLINE void run_radix(const TransformAxis<T>& axis, const Pass<T>& pass, T* strip) {
  const index_t points = pass.length / kRadix;
  const index_t blocks = kWeighted ? 1 : axis.length / pass.length;
  const index_t block_step = pass.length * kRow<T>;
  const index_t step = points * kRow<T>;
  const T* twiddles = axis.twiddles.data() + pass.first_twiddle;
  const auto weights = [&axis](index_t j)
                           HWY_ATTR { return kWeighted ? axis.weights.data() + 2 * j : nullptr; };
  constexpr IndicesTo<kRadix> i;
  constexpr Factors kFirst = kWeighted ? Factors::weights : Factors::none;
  constexpr Factors kOthers = kWeighted ? Factors::both : Factors::twiddles;
  butterflies<kDirection, kRadix, kFirst>(blocks, block_step, step, weights(0), twiddles, i, strip);
  for (index_t j = 1; j < points; ++j, twiddles += 2 * (kRadix - 1)) {
    butterflies<kDirection, kRadix, kOthers>(blocks, block_step, step, weights(j), twiddles, i,
                                             strip + j * kRow<T>);
  }
}

template <Direction kDirection, class T>
HWY_INLINE void run_pass(const TransformAxis<T>& axis, const Pass<T>& pass, T* strip) {
  // Only the outermost pass, of one block.
  const bool weighted = pass.length == axis.length && !axis.weights.empty();
  const auto run = [&]<int kRadix>(std::integral_constant<int, kRadix>) HWY_ATTR {
    return weighted ? run_radix<kDirection, kRadix, true>(axis, pass, strip)
                    : run_radix<kDirection, kRadix, false>(axis, pass, strip);
  };
  switch (pass.radix) {
    case 3:
      return run(std::integral_constant<int, 3>{});
    case 4:
      return run(std::integral_constant<int, 4>{});
    case 5:
      return run(std::integral_constant<int, 5>{});
    default:
      return run(std::integral_constant<int, 8>{});
  }
}

template <class T>
void transform_but_last(const TransformAxis<T>& axis, T* strip) {
  for (auto pass = axis.passes.begin(); pass != axis.passes.end() - 1; ++pass) {
    run_pass<Direction::forward>(axis, *pass, strip);
  }
}

/// Backward, the last pass is the first.
template <class T>
void transform_back_but_last(const TransformAxis<T>& axis, T* strip) {
  for (auto pass = axis.passes.end() - 1; pass-- != axis.passes.begin();) {
    run_pass<Direction::backward>(axis, *pass, strip);
  }
}

/// The last pass forward, the product with the kernel's spectrum and the first pass backward, while
/// the points are in registers.
template <int kRadix, class T, int... i>
HWY_INLINE void multiply_between(index_t length, const T* kernel, Indices<i...>, T* strip) {
  constexpr index_t kBlock = kRadix * kRow<T>;
  for (index_t at = 0; at < length * kRow<T>; at += kBlock) {
    Complex<T> a[kRadix] = {load<Direction::forward>(strip + at + i * kRow<T>)...};
    dft(a);
    ((a[i] = a[i] * load<Direction::forward>(kernel + at + i * kRow<T>)), ...);
    Complex<T> swapped[kRadix] = {Complex<T>{a[i].im, a[i].re}...};
    dft(swapped);
    (store<Direction::backward>(swapped[i], strip + at + i * kRow<T>), ...);
  }
}

/// strip = IDFT(DFT(strip) ⊙ kernel).
template <class T>
void convolve(const TransformAxis<T>& axis, const T* kernel, T* strip) {
  transform_but_last(axis, strip);
  if (axis.passes.back().radix == 8) {
    multiply_between<8>(axis.length, kernel, IndicesTo<8>{}, strip);
  } else {
    multiply_between<4>(axis.length, kernel, IndicesTo<4>{}, strip);
  }
  transform_back_but_last(axis, strip);
}

#if HWY_TARGET != HWY_SCALAR
/// One of the steps that transpose a square of vectors: lane and row numbers, seen as one number of
/// the element, are rotated by one bit.
template <class T, int kCount, int... i>
HWY_INLINE void rotate_bit(Indices<i...>, Vector<T> (&rows)[kCount]) {
  const Tag<T> d;
  const Vector<T> rotated[kCount] = {hn::ConcatEven(d, rows[2 * i + 1], rows[2 * i])...,
                                     hn::ConcatOdd(d, rows[2 * i + 1], rows[2 * i])...};
  ((rows[i] = rotated[i]), ...);
  ((rows[kCount / 2 + i] = rotated[kCount / 2 + i]), ...);
}
#endif

/// The real or the imaginary parts of a square of a strip, transposed, to another strip.
template <class T, int... row>
HWY_INLINE void transpose_part(const T* from, Indices<row...>, T* to) {
  const Tag<T> d;
  constexpr int kCount = sizeof...(row);
  Vector<T> rows[kCount] = {hn::Load(d, from + row * kRow<T>)...};
#if HWY_TARGET != HWY_SCALAR  // one lane is its own transpose
  constexpr IndicesTo<kCount / 2> half;
  if constexpr (kCount >= 2) rotate_bit<T>(half, rows);
  if constexpr (kCount >= 4) rotate_bit<T>(half, rows);
  if constexpr (kCount >= 8) rotate_bit<T>(half, rows);
  if constexpr (kCount >= 16) rotate_bit<T>(half, rows);
#endif
  static_assert(kCount <= 16);
  (hn::Store(rows[row], d, to + row * kRow<T>), ...);
}

/// As many rows of a strip as it has lanes.
template <class T>
constexpr index_t kSquare = kLanes<T>* kRow<T>;

template <class T>
HWY_INLINE void transpose_square(const T* from, T* to) {
  constexpr IndicesTo<static_cast<int>(kLanes<T>)> row;
  transpose_part(from, row, to);
  transpose_part(from + kLanes<T>, row, to + kLanes<T>);
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
      transpose_square(strip + at, to);
    }
  }
}

/// The same backwards.
template <int kRadix, class T>
HWY_INLINE void transposed_first_pass(index_t length, index_t across, const T* from, T* strip) {
  constexpr index_t kRows = kTogether<T, kRadix>;
  for (index_t row = 0; row < length; row += kRows, strip += kRows * kRow<T>) {
    for (index_t at = 0; at < kRows * kRow<T>; at += kSquare<T>, from += across) {
      transpose_square(from, strip + at);
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

/// Strips that are gathered at once: those of a cache line, since rows that lie at powers of two
/// share few sets of a cache, and have lost the line when its second half is asked for.
template <class T>
constexpr int kStripsAtOnce = std::max<int>(1, 64 / sizeof(T) / kLanes<T>);

template <class T>
constexpr index_t kWidth = kStripsAtOnce<T>* kLanes<T>;

/// Rows on their way into a strip at once, so that their sums of magnitudes don't wait for each
/// other.
constexpr int kRowsAtOnce = 4;

// Rows are too far apart for the processor to see where these go, so what comes next but one is
// asked for: 1.1 to 1.3 times as fast where x and y come from memory, 0.99 where from a cache. What
// comes next is too near, 1.0 to 1.1.

/// sum += |row|, of the row's vectors to strips that lie `strip` elements apart.
template <class T, class Load, int... v>
HWY_INLINE void gather_row(const T* from, Indices<v...>, Load load, index_t strip, T* part,
                           Vector<T>& sum) {
  const Tag<T> d;
  const Vector<T> row[sizeof...(v)] = {load(from + v * kLanes<T>)...};
  (hn::Store(row[v], d, part + v * strip), ...);
  ((sum = hn::Add(sum, hn::Abs(row[v]))), ...);
  hwy::Prefetch(from + 2 * sizeof...(v) * kLanes<T>);
}

/// So many rows to kStrips strips; returns Σ|row|.
template <int kStrips, class T, class Load>
T gather_rows(const T* from, index_t stride, index_t count, Load load, index_t strip, T* part) {
  const Tag<T> d;
  Vector<T> sums[kRowsAtOnce] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  const auto gather_some = [&]<int... i>(Indices<i...>) HWY_ATTR {
    (gather_row<T>(from + i * stride, IndicesTo<kStrips>{}, load, strip, part + i * kRow<T>,
                   sums[i]),
     ...);
    from += sizeof...(i) * stride;
    part += sizeof...(i) * kRow<T>;
  };
  for (; count >= kRowsAtOnce; count -= kRowsAtOnce) gather_some(IndicesTo<kRowsAtOnce>{});
  for (; count > 0; --count) gather_some(IndicesTo<1>{});
  return hn::GetLane(
      hn::SumOfLanes(d, hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]))));
}

/// The window's columns from `column` on as the real or imaginary parts of strips. Returns the sum
/// of their magnitudes: beside loading and storing them it takes no time.
template <class T>
T gather(const TileWindow<const T>& window, index_t length, index_t column, T* part) {
  constexpr int kStrips = kStripsAtOnce<T>;
  const index_t strip = length * kRow<T>;
  const index_t left = window.left + column;
  const Range rows = overlap({0, length}, window.top, window.plane.rows);
  const auto clear = [](index_t begin, index_t end, T* to) HWY_ATTR {
    const Tag<T> d;
    for (index_t i = begin; i < end; ++i) hn::Store(hn::Zero(d), d, to + i * kRow<T>);
  };
  const auto clear_others = [&](Range filled, T* to) {
    clear(0, filled.begin, to);
    clear(filled.end, length, to);
  };
  if (rows.empty()) {
    for (int v = 0; v < kStrips; ++v) clear(0, length, part + v * strip);
    return 0;
  }
  const T* from = window.plane.row(window.top + rows.begin) + left;
  T* to = part + rows.begin * kRow<T>;
  const index_t stride = window.plane.row_stride;
  const Tag<T> d;
  if (left >= 0 && left + kStrips * kLanes<T> <= window.plane.columns) {
    for (int v = 0; v < kStrips; ++v) clear_others(rows, part + v * strip);
    const auto load = [d](const T* row) HWY_ATTR { return hn::LoadU(d, row); };
    return gather_rows<kStrips>(from, stride, rows.size(), load, strip, to);
  }
  T magnitudes = 0;
  for (int v = 0; v < kStrips; ++v) {
    const Range lanes = overlap({0, kLanes<T>}, left + v * kLanes<T>, window.plane.columns);
    if (lanes.empty()) {
      clear(0, length, part + v * strip);
      continue;
    }
    clear_others(rows, part + v * strip);
    const auto mask = lanes_of<T>(lanes.begin, lanes.end);
    const auto load = [&](const T* row)
                          HWY_ATTR { return load_lanes<T>(row, lanes.begin, lanes.end, mask); };
    magnitudes +=
        gather_rows<1>(from + v * kLanes<T>, stride, rows.size(), load, strip, to + v * strip);
  }
  return magnitudes;
}

/// The real or imaginary part of a strip to the window's columns from `column` on.
template <class T>
void scatter(const T* part, index_t length, index_t column, const TileWindow<T>& window) {
  const Tag<T> d;
  const Range lanes = overlap({0, kLanes<T>}, window.left + column, window.plane.columns);
  const Range rows = overlap({0, length}, window.top, window.plane.rows);
  if (lanes.empty() || rows.empty()) return;
  T* to = window.plane.row(window.top + rows.begin) + window.left + column;
  if (lanes.begin == 0 && lanes.end == kLanes<T>) {
    for (index_t i = rows.begin; i < rows.end; ++i, to += window.plane.row_stride) {
      hn::StoreU(hn::Load(d, part + i * kRow<T>), d, to);
      hwy::Prefetch(to + 2 * kLanes<T>);
    }
  } else {
    for (index_t i = rows.begin; i < rows.end; ++i, to += window.plane.row_stride) {
      copy_few(part + i * kRow<T> + lanes.begin, lanes.end - lanes.begin, to + lanes.begin);
    }
  }
}

/// sums += a·b, of so many rows of strips.
template <class T>
void add_multiple(const Complex<T>& a, const T* b, index_t rows, T* sums) {
  constexpr Direction kForward = Direction::forward;
  for (index_t at = 0; at < rows * kRow<T>; at += kRow<T>) {
    store<kForward>(multiply_add(load<kForward>(sums + at), a, load<kForward>(b + at)), sums + at);
  }
}

/// The m-th part of a window whose rows are parts of so many rows.
template <class T>
TileWindow<T> part_of(const TileWindow<T>& window, index_t length, int m) {
  return {window.plane, window.top + m * length, window.left};
}

template <class T>
bool has_rows(const TileWindow<T>& window, index_t length) {
  return !overlap({0, length}, window.top, window.plane.rows).empty();
}

/// Returns the sum of the magnitudes that so many rows of strips have then.
template <class T>
T bring_into_range(IntoRange range, index_t rows, T* strips) {
  const Tag<T> d;
  const auto factor = hn::Set(d, std::ldexp(T{1}, range.exponent));
  auto sum = hn::Zero(d);
  for (index_t at = 0; at < rows * kRow<T>; at += kLanes<T>) {
    auto values = hn::Load(d, strips + at);
    if (!range.all_finite) values = hn::IfThenElseZero(hn::IsFinite(values), values);
    values = hn::Mul(values, factor);
    hn::Store(values, d, strips + at);
    sum = hn::Add(sum, hn::Abs(values));
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

/// Real and imaginary parts of strips; returns the sum of their magnitudes.
template <class T>
T gather_in_range(IntoRange range, const TileWindow<const T>& re, const TileWindow<const T>& im,
                  index_t length, index_t column, T* strips) {
  const T magnitudes =
      gather(re, length, column, strips) + gather(im, length, column, strips + kLanes<T>);
  if (range.is_neutral()) return magnitudes;
  return bring_into_range(range, kStripsAtOnce<T> * length, strips);
}

/// Points as strips: their residue, Σ ωᵐ·(re + i·im)[m] over the parts of so many rows. Returns the
/// sum of the magnitudes of re and im.
template <class T>
T gather_points(const Residues<T>& residues, IntoRange range, const TileWindow<const T>& re,
                const TileWindow<const T>& im, index_t length, index_t column, T* strips) {
  const index_t rows = kStripsAtOnce<T> * length;
  T magnitudes = gather_in_range(range, re, im, length, column, strips);
  T* part = strips + rows * kRow<T>;
  for (int m = 1; m < residues.own.count; ++m) {
    const TileWindow<const T> re_part = part_of(re, length, m);
    const TileWindow<const T> im_part = part_of(im, length, m);
    if (!has_rows(re_part, length) && !has_rows(im_part, length)) continue;
    magnitudes += gather_in_range(range, re_part, im_part, length, column, part);
    add_multiple(broadcast(residues.power(residues.own.index, m)), part, rows, strips);
  }
  return magnitudes;
}

/// Whether the window has nothing in these columns of a tile.
template <class T>
bool is_empty(const TileWindow<T>& window, Range columns) {
  return overlap(columns, window.left, window.plane.columns).empty() || window.plane.rows == 0;
}

template <class T>
void multiply(T scale, index_t length, T* strip) {
  const Tag<T> d;
  const auto scales = hn::Set(d, scale);
  for (index_t at = 0; at < length * kRow<T>; at += kLanes<T>) {
    hn::Store(hn::Mul(hn::Load(d, strip + at), scales), d, strip + at);
  }
}

/// Returns the sum of the magnitudes of what it transforms.
template <class T>
T transform_down(const TransformAxis<T>& rows, const TransformAxis<T>& columns,
                 const Residues<T>& residues, T scale, IntoRange range,
                 const TileWindow<const T>& re, const TileWindow<const T>& im, T* strips,
                 T* spectrum) {
  const index_t across = columns.length * kRow<T>;  // from one strip of the spectrum to the next
  const index_t squares = rows.length / kLanes<T>;
  T magnitudes = 0;
  const auto empty = [&](index_t begin, index_t end) {
    return is_empty(re, {begin, end}) && is_empty(im, {begin, end});
  };
  for (index_t first = 0; first < columns.length; first += kWidth<T>) {
    if (!empty(first, first + kWidth<T>)) {
      magnitudes += gather_points(residues, range, re, im, rows.length, first, strips);
    }
    T* strip = strips;
    for (index_t column = first; column < first + kWidth<T>; column += kLanes<T>) {
      T* to = spectrum + column * kRow<T>;
      if (empty(column, column + kLanes<T>)) {
        for (index_t s = 0; s < squares; ++s) std::fill_n(to + s * across, kSquare<T>, T{0});
      } else {
        if (scale != 1) multiply(scale, rows.length, strip);
        transform_transposed(rows, across, strip, to);
      }
      strip += rows.length * kRow<T>;
    }
  }
  return magnitudes;
}

template <class T>
void transform_across(const TransformAxis<T>& columns, index_t strips, T* spectrum) {
  const index_t size = columns.length * kRow<T>;
  for (index_t s = 0; s < strips; ++s) {
    for (const Pass<T>& pass : columns.passes) {
      run_pass<Direction::forward>(columns, pass, spectrum + s * size);
    }
  }
}

template <class T>
void convolve_across(const TransformAxis<T>& columns, index_t strips, const T* kernel,
                     T* spectrum) {
  const index_t size = columns.length * kRow<T>;
  for (index_t s = 0; s < strips; ++s) {
    convolve(columns, kernel + s * size, spectrum + s * size);
  }
}

/// Rows of a strip at once, so that a sum need not wait for itself.
constexpr int kSums = 4;

template <class T, int... i>
HWY_INLINE void sum_rows(const T* tiles, const T* kernels, index_t count, index_t step,
                         Indices<i...>, T* sum) {
  const Tag<T> d;
  Complex<T> sums[sizeof...(i)] = {((void)i, Complex<T>{hn::Zero(d), hn::Zero(d)})...};
  for (index_t o = 0; o < count; ++o, tiles += step, kernels += step) {
    ((sums[i] = multiply_add(sums[i], load<Direction::forward>(tiles + i * kRow<T>),
                             load<Direction::forward>(kernels + i * kRow<T>))),
     ...);
  }
  (store<Direction::forward>(sums[i], sum + i * kRow<T>), ...);
}

template <class T>
void sum_products(const TransformAxis<T>& rows, const TransformAxis<T>& columns, index_t strips,
                  const T* tiles, const T* kernels, index_t count, T* sum) {
  const index_t spectrum = 2 * rows.length * columns.length;
  const index_t strip = columns.length * kRow<T>;
  for (index_t begin = 0; begin < strips * strip; begin += strip) {
    for (index_t at = begin; at < begin + strip; at += kSums * kRow<T>) {
      sum_rows(tiles + at, kernels + at, count, spectrum, IndicesTo<kSums>{}, sum + at);
    }
    run_pass<Direction::backward>(columns, columns.passes.back(), sum + begin);
    transform_back_but_last(columns, sum + begin);
  }
}

template <class T>
void publish_down(const TransformAxis<T>& rows, const TransformAxis<T>& columns,
                  const TileWindow<T>& re, const TileWindow<T>& im, Range own, T* strip, T* half) {
  const index_t across = columns.length * kRow<T>;
  for (index_t column = own.begin; column < own.end; column += kLanes<T>) {
    const Range lanes{column, column + kLanes<T>};
    if (is_empty(re, lanes) && is_empty(im, lanes)) continue;
    T* squares = half + column * kRow<T>;
    transform_back_transposed(rows, across, squares, strip);
    for (index_t at = 0; at < rows.length * kRow<T>; at += kSquare<T>, squares += across) {
      std::copy_n(strip + at, kSquare<T>, squares);
    }
  }
}

/// part = Σ ω⁻ᵐ·residue over all residues: of the own one a strip, of others what they have left in
/// squares.
template <class T>
void join_residues(const Residues<T>& residues, int m, const T* own, const T* squares,
                   index_t apart, index_t length, index_t across, T* part) {
  constexpr Direction kForward = Direction::forward;
  const auto term = [&](int residue, const T* row) HWY_ATTR {
    const Complex<T> power = broadcast(residues.power(residue, m));
    return load<kForward>(row) * Complex<T>{power.re, hn::Neg(power.im)};
  };
  for (index_t at = 0; at < length * kRow<T>; at += kSquare<T>, squares += across) {
    for (index_t row = 0; row < kSquare<T>; row += kRow<T>) {
      Complex<T> sum = term(residues.own.index, own + at + row);
      for (int other = 0; other < residues.own.count; ++other) {
        if (other == residues.own.index) continue;
        sum = sum + term(other, squares + other * apart + row);
      }
      store<kForward>(sum, part + at + row);
    }
  }
}

template <class T>
void combine_down(const TransformAxis<T>& rows, const TransformAxis<T>& columns,
                  const Residues<T>& residues, const T* halves, index_t apart, int exponent,
                  const TileWindow<T>& re, const TileWindow<T>& im, Range own, T* strip) {
  const index_t across = columns.length * kRow<T>;
  const auto [index, count] = residues.own;
  const T* half = halves + index * apart;
  for (index_t column = own.begin; column < own.end; column += kLanes<T>) {
    const Range lanes{column, column + kLanes<T>};
    if (is_empty(re, lanes) && is_empty(im, lanes)) continue;
    transform_back_transposed(rows, across, half + column * kRow<T>, strip);
    for (int m = 0; m < count; ++m) {
      const TileWindow<T> re_part = part_of(re, rows.length, m);
      const TileWindow<T> im_part = part_of(im, rows.length, m);
      T* part = strip;
      if (count > 1) {
        if (!has_rows(re_part, rows.length) && !has_rows(im_part, rows.length)) continue;
        part = strip + rows.length * kRow<T>;
        join_residues(residues, m, strip, halves + column * kRow<T>, apart, rows.length, across,
                      part);
      }
      for_each_factor<T>(exponent, [&](T factor) { multiply(factor, rows.length, part); });
      scatter(part, rows.length, column, re_part);
      scatter(part + kLanes<T>, rows.length, column, im_part);
    }
  }
}

template <class T>
constexpr internal::TileKernels<T> kKernels{
    kLanes<T>,          kStripsAtOnce<T>, transform_down<T>, transform_across<T>,
    convolve_across<T>, sum_products<T>,  publish_down<T>,   combine_down<T>};

const internal::TileKernels<float>* kernels_f32() { return &kKernels<float>; }
const internal::TileKernels<double>* kernels_f64() { return &kKernels<double>; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fullconv {
namespace {

HWY_EXPORT(kernels_f32);
HWY_EXPORT(kernels_f64);

template <class T>
const internal::TileKernels<T>& tile_kernels() {
  if constexpr (sizeof(T) == sizeof(float)) {
    return *HWY_DYNAMIC_DISPATCH(kernels_f32)();
  } else {
    return *HWY_DYNAMIC_DISPATCH(kernels_f64)();
  }
}

/// The largest power of two of which `length` is a multiple.
index_t even_part(index_t length) { return length & -length; }

/// The radix to begin with: what is odd goes first, so that the last pass, next to the product, is
/// of radix 8, or 4 for 16; and 4 until a power of 8 is left, but never a 2.
int first_radix(index_t length) {
  if (length % 5 == 0) return 5;
  if (length % 3 == 0) return 3;
  index_t rest = length;
  while (rest % 8 == 0) rest /= 8;
  return rest == 1 ? 8 : 4;
}

/// The angle of so many turns.
long double turns(index_t count, index_t parts) {
  return 2 * std::numbers::pi_v<long double> * static_cast<long double>(count) /
         static_cast<long double>(parts);
}

/// Of the ω of a residue: of all that have its power as their `count`-th, the index-th.
long double angle(Residue residue, Packing packing) {
  const index_t quarters = packing == Packing::right_angle ? 1 : 0;
  return turns(quarters + 4 * residue.index, 4 * residue.count);
}

/// Numbers e^(i·angle), and by what factor they grow on average, in their own direction, by being
/// rounded. That is not far below the unit roundoff, since some, as the square roots of 1/2, are
/// much more frequent than others, and would be an error that all outputs have in common.
template <class T>
class UnitNumbers {
 public:
  /// Returns the real and the imaginary part.
  std::array<T, 2> rounded(long double angle) {
    const long double re = std::cos(angle);
    const long double im = std::sin(angle);
    const std::array<T, 2> number{static_cast<T>(re), static_cast<T>(im)};
    sum_ += re * number[0] + im * number[1];
    ++count_;
    return number;
  }
  long double growth() const { return count_ == 0 ? 1 : sum_ / static_cast<long double>(count_); }

 private:
  long double sum_ = 0;
  index_t count_ = 0;
};

template <class T>
void append(const std::array<T, 2>& number, std::vector<T>& numbers) {
  numbers.insert(numbers.end(), number.begin(), number.end());
}

/// Of a butterfly's sums.
template <class T>
long double growth_of_dft(int radix) {
  UnitNumbers<T> roots;
  for (int j = 0; j < radix; ++j) {
    for (int f = 0; f < radix; ++f) roots.rounded(turns(j * f, radix));
  }
  return roots.growth();
}

}  // namespace

template <class T>
TransformAxis<T>::TransformAxis(index_t points, long double angle) : length(points) {
  for (index_t block = length; block > 1;) {
    const int radix = first_radix(block);
    passes.push_back({radix, block, static_cast<index_t>(twiddles.size())});
    UnitNumbers<T> factors;
    for (index_t j = 0; j < block / radix; ++j) {
      for (int f = 0; f < radix; ++f) {
        const auto factor = factors.rounded(-turns(j * f, block));
        if (j > 0 && f > 0) append(factor, twiddles);
      }
    }
    growth *= factors.growth() * growth_of_dft<T>(radix);
    block /= radix;
  }
  if (angle == 0) return;
  UnitNumbers<T> factors;
  for (index_t j = 0; j < length; ++j) {
    append(factors.rounded(angle * static_cast<long double>(j) / static_cast<long double>(length)),
           weights);
  }
  growth *= factors.growth();
}

template <class T>
index_t TransformAxis<T>::position(index_t frequency) const {
  index_t at = 0;
  for (const Pass& pass : passes) {
    at += frequency % pass.radix * (pass.length / pass.radix);
    frequency /= pass.radix;
  }
  return at;
}

template <class T>
Residues<T>::Residues(Residue residue, Packing packing) : own(residue) {
  UnitNumbers<T> factors;
  for (int index = 0; index < own.count; ++index) {
    for (int m = 0; m < own.count; ++m) {
      append(factors.rounded(m * angle({index, own.count}, packing)), powers);
    }
  }
  growth = factors.growth();
}

template <class T>
bool TileTransform<T>::takes(index_t side) {
  if (side <= 0 || side % 16 != 0) return false;
  index_t odd = side / even_part(side);
  for (const index_t factor : {3, 5}) {
    while (odd % factor == 0) odd /= factor;
  }
  return odd == 1;
}

template <class T>
TileTransform<T>::TileTransform(index_t rows, index_t columns, Packing packing, Residue residue)
    : rows_(rows, angle(residue, packing)),
      columns_(columns, 0),
      residues_(residue, packing),
      kernels_(tile_kernels<T>()) {}

template <class T>
T TileTransform<T>::scale() const {
  const index_t points = rows_.length * columns_.length * residues_.own.count;
  const long double growth = rows_.growth * columns_.growth * residues_.growth;
  return static_cast<T>(1 / (static_cast<long double>(points) * growth * growth * growth));
}

template <class T>
index_t TileTransform<T>::lanes() {
  return tile_kernels<T>().lanes;
}

template <class T>
index_t TileTransform<T>::scratch_size() const {
  const index_t strips = kernels_.strips_at_once * (residues_.own.count > 1 ? 2 : 1);
  return share_of_thread(strips * 2 * lanes() * rows_.length, sizeof(T));
}

template <class T>
Range TileTransform<T>::wanted_columns(const TileWindow<T>& re, const TileWindow<T>& im) const {
  Range all{columns_.length, 0};
  for (const TileWindow<T>& window : {re, im}) {
    const Range columns = overlap({0, columns_.length}, window.left, window.plane.columns);
    if (columns.empty()) continue;
    all = {std::min(all.begin, columns.begin), std::max(all.end, columns.end)};
  }
  return all.empty() ? Range{0, 0} : all;
}

template <class T>
Range TileTransform<T>::own_columns(Range wanted) const {
  const auto [index, count] = residues_.own;
  const auto bound = [&, count = count](index_t part) {
    // Whole lines of a cache; what the first and the last have at their outer sides is theirs.
    const index_t width = kernels_.strips_at_once * lanes();
    const index_t at = wanted.begin + part * wanted.size() / count;
    return at / width * width;
  };
  return {index == 0 ? 0 : bound(index), index == count - 1 ? columns_.length : bound(index + 1)};
}

template <class T>
index_t TileTransform<T>::position(index_t row_frequency, index_t column_frequency) const {
  const index_t row = rows_.position(row_frequency);
  const index_t column = columns_.position(column_frequency);
  return 2 * lanes() * (row / lanes() * columns_.length + column) + row % lanes();
}

template <class T>
T TileTransform<T>::forward(T scale, IntoRange range, const TileWindow<const T>& re,
                            const TileWindow<const T>& im, T* scratch, T* spectrum) const {
  const T magnitudes =
      kernels_.transform_down(rows_, columns_, residues_, scale, range, re, im, scratch, spectrum);
  kernels_.transform_across(columns_, strips(), spectrum);
  return magnitudes;
}

template <class T>
T TileTransform<T>::convolve(IntoRange range, const TileWindow<const T>& re,
                             const TileWindow<const T>& im, const T* kernel, T* scratch,
                             T* half) const {
  const T magnitudes =
      kernels_.transform_down(rows_, columns_, residues_, 1, range, re, im, scratch, half);
  if (is_in_range(magnitudes)) kernels_.convolve_across(columns_, strips(), kernel, half);
  return magnitudes;
}

template <class T>
void TileTransform<T>::sum_products(const T* tiles, const T* kernels, index_t count,
                                    T* half) const {
  kernels_.sum_products(rows_, columns_, strips(), tiles, kernels, count, half);
}

template <class T>
void TileTransform<T>::publish(const TileWindow<T>& re, const TileWindow<T>& im, T* scratch,
                               T* half) const {
  const Range own = own_columns(wanted_columns(re, im));
  for (const Range others : {Range{0, own.begin}, Range{own.end, columns_.length}}) {
    kernels_.publish_down(rows_, columns_, re, im, others, scratch, half);
  }
}

template <class T>
void TileTransform<T>::combine(const T* halves, index_t apart, int exponent,
                               const TileWindow<T>& re, const TileWindow<T>& im, T* scratch) const {
  const Range all{0, columns_.length};
  const Range own = residues_.own.count == 1 ? all : own_columns(wanted_columns(re, im));
  kernels_.combine_down(rows_, columns_, residues_, halves, apart, exponent, re, im, own, scratch);
}

template struct TransformAxis<float>;
template struct TransformAxis<double>;
template struct Residues<float>;
template struct Residues<double>;
template class TileTransform<float>;
template class TileTransform<double>;

}  // namespace fullconv
#endif
