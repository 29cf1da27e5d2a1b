// Transforms along the rows of strips, one vector wide: every butterfly takes whole vectors, since
// those run across the axis that is transformed. Passes of radix 8, 4, 5 and 3 neither start nor
// end with a permutation. Van Loan, Computational Frameworks for the Fast Fourier Transform, 1992.

#if defined(FULLCONV_BUTTERFLIES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_BUTTERFLIES_INL_H
#undef FULLCONV_BUTTERFLIES_INL_H
#else
#define FULLCONV_BUTTERFLIES_INL_H
#endif

#include <numbers>
#include <type_traits>

#include "core/simd-inl.h"
#include "fft/transform_axis.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// A row of a strip: real parts, then imaginary parts.
template <class T>
constexpr index_t kRow = 2 * kLanes<T>;

/// Backward is forward with real and imaginary parts swapped in input and output, since DFT(i·z̄) =
/// i·conj(IDFT(z)). Its twiddles are applied before the butterflies and not after them, so that it
/// undoes the forward passes one by one.
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

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
