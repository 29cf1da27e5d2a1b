#pragma once

// Operands of any magnitude, for algorithms that can only be trusted with some: scanned, brought
// into range by exact powers of two, and rid of what is not finite.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/plane.h"

namespace fullconv {

/// Whether products of two such sums are far from overflow and from losing digits to underflow, so
/// that no intermediate value of a transform does either. A transform divides by its number of
/// points: 2⁻⁵⁰ and the unit roundoff are left for that.
template <class T>
bool is_in_range(T sum_of_magnitudes) {
  constexpr int kReach = std::numeric_limits<T>::max_exponent / 2 - 8;
  return sum_of_magnitudes == 0 || (sum_of_magnitudes > std::ldexp(T{1}, -kReach) &&
                                    sum_of_magnitudes < std::ldexp(T{1}, kReach));
}

/// The largest power of two, up or down, by which one multiplication scales.
template <class T>
inline constexpr int kMostExponent = std::numeric_limits<T>::max_exponent - 2;

/// The integer with as many bits.
template <class T>
using BitsOf = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;

/// 2^exponent times values that lie `step` apart, rounded once. No arithmetic meets a subnormal
/// number, which takes some processors a hundred times as long: such a magnitude is a whole number
/// of the smallest ones, and its bits are that number. 1024x1024_k63x63 with kernels times 1e-41
/// took 3.4 times as long as usual on a Xeon by products, and takes 1.6 times.
template <class T>
void scale(int exponent, T* values, index_t count, index_t step) {
  using Bits = BitsOf<T>;
  using Limits = std::numeric_limits<T>;
  constexpr int kSmallest = Limits::min_exponent - Limits::digits;  // of a power of two
  constexpr Bits kSign = Bits{1} << (8 * sizeof(T) - 1);
  // Added to less than itself it leaves a whole number in the lower bits.
  constexpr T kWhole = static_cast<T>(std::int64_t{1} << (Limits::digits - 1));
  constexpr Bits kWholeBits = std::bit_cast<Bits>(kWhole);
  // One factor could be subnormal itself or overflow.
  constexpr int kFactors = 4;
  struct Factors {
    T each[kFactors];
    explicit Factors(int of) {
      for (int i = 0; i < kFactors; ++i) {
        each[i] = std::ldexp(T{1}, (i + 1) * of / kFactors - i * of / kFactors);
      }
    }
    T times(T value) const { return value * each[0] * each[1] * each[2] * each[3]; }
  };
  const Factors all(exponent);
  if (exponent < 0) {
    const Factors to_whole(exponent - kSmallest);
    const T least =
        std::ldexp(T{1}, std::min(Limits::min_exponent - 1 - exponent, Limits::max_exponent - 1));
    for (index_t j = 0; j < count; ++j) {
      const T value = values[j * step];
      const Bits sign = std::bit_cast<Bits>(value) & kSign;
      const T magnitude = std::bit_cast<T>(std::bit_cast<Bits>(value) & ~kSign);
      const bool is_small = magnitude < least;
      const T whole = to_whole.times(is_small ? magnitude : T{0}) + kWhole;
      const T large = all.times(is_small ? T{0} : value);
      const Bits small = (std::bit_cast<Bits>(whole) - kWholeBits) | sign;
      values[j * step] = is_small ? std::bit_cast<T>(small) : large;
    }
    return;
  }
  constexpr Bits kNormal = std::bit_cast<Bits>(Limits::min());
  const Factors of_whole(exponent + kSmallest);
  for (index_t j = 0; j < count; ++j) {
    const Bits bits = std::bit_cast<Bits>(values[j * step]);
    const Bits magnitude = bits & ~kSign;
    const bool is_small = magnitude < kNormal;
    const T whole = std::bit_cast<T>((is_small ? magnitude : Bits{0}) | kWholeBits) - kWhole;
    const T large = all.times(std::bit_cast<T>(is_small ? Bits{0} : bits));
    const Bits small = std::bit_cast<Bits>(of_whole.times(whole)) | (bits & kSign);
    values[j * step] = is_small ? std::bit_cast<T>(small) : large;
  }
}

/// The same of values one behind the other, by vectors.
template <class T>
void scale(int exponent, T* values, index_t count) {
  scale(exponent, values, count, 1);
}

/// Values as they may be trusted with: each times 2^exponent, and 0 in place of those that are not
/// finite. Scaling is exact but for what underflows beside values 2^100 times as large.
template <class T>
void bring_into_range(int exponent, T* values, index_t count) {
  for (index_t j = 0; j < count; ++j) values[j] = std::isfinite(values[j]) ? values[j] : T{0};
  scale(exponent, values, count);
}

/// The largest magnitude: NaN where any is, else Inf where any is. By vectors, since as integers
/// magnitudes have the same order.
template <class T>
T largest_magnitude(const T* values, index_t count) {
  using Bits = BitsOf<T>;
  constexpr Bits kMagnitude = ~Bits{0} >> 1;
  Bits most = 0;
  for (index_t j = 0; j < count; ++j) {
    most = std::max(most, std::bit_cast<Bits>(values[j]) & kMagnitude);
  }
  return std::bit_cast<T>(most);
}

/// Of two such magnitudes: NaN where either is, else the larger.
template <class T>
T larger_magnitude(T a, T b) {
  return std::bit_cast<T>(std::max(std::bit_cast<BitsOf<T>>(a), std::bit_cast<BitsOf<T>>(b)));
}

/// What was found out about x[n] or k[:,c]: where all are in range, scaled by 2^exponent, their
/// sums may be trusted, but for products of those that are not finite.
struct OperandState {
  int exponent = 0;
  bool all_in_range = true, all_finite = true;

  bool is_plain() const { return all_in_range && all_finite; }
};

/// What a scan finds out about operands.
template <class T>
class OperandScan {
 public:
  void include(const T* values, index_t count) {
    // As integers, whose largest and smallest compilers find by vectors.
    const auto magnitude = [&](index_t j) { return std::bit_cast<Bits>(values[j]) & ~kSign; };
    Bits most = 0, least = smallest_;
    for (index_t j = 0; j < count; ++j) {
      most = std::max(most, magnitude(j));
      least = std::min(least, magnitude(j) - 1);  // 0 is none
    }
    smallest_ = least;
    if (most >= kInfinity) {
      all_finite_ = false;
      most = 0;
      for (index_t j = 0; j < count; ++j) {
        if (magnitude(j) < kInfinity) most = std::max(most, magnitude(j));
      }
    }
    largest_ = std::max(largest_, most);
  }

  void include(const StridedPlane<const T>& plane) {
    if (plane.column_stride != 1) {
      for (index_t i = 0; i < plane.rows; ++i)
        for (index_t j = 0; j < plane.columns; ++j) include(&plane(i, j), 1);
    } else if (plane.row_stride == plane.columns) {  // as one row: short ones would be slow
      include(plane.data, plane.rows * plane.columns);
    } else {
      for (index_t i = 0; i < plane.rows; ++i) include(plane.row(i), plane.columns);
    }
  }

  void include(const TensorView<const T>& tensor) {
    if (tensor.strides == dense_strides(tensor.extents)) {  // as one row, too
      include(tensor.data, element_count(tensor.extents));
      return;
    }
    for (index_t a = 0; a < tensor.extents[0]; ++a)
      for (index_t b = 0; b < tensor.extents[1]; ++b) include(StridedPlane<const T>(tensor, a, b));
  }

  T largest() const { return std::bit_cast<T>(largest_); }  ///< magnitude that is finite
  bool all_finite() const { return all_finite_; }
  /// The smallest magnitude that is not 0; NaN where there is none.
  T smallest() const { return std::bit_cast<T>(static_cast<Bits>(smallest_ + 1)); }

  /// The exponent for which 2^exponent times the largest is a number from 1 to 2, or as near as one
  /// multiplication comes.
  int exponent() const {
    const int wanted = largest_ == 0 ? 0 : -std::ilogb(largest());
    return std::clamp(wanted, -kMostExponent<T>, kMostExponent<T>);
  }

 private:
  using Bits = BitsOf<T>;
  static constexpr Bits kSign = Bits{1} << (8 * sizeof(T) - 1);
  static constexpr Bits kInfinity = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());

  Bits largest_ = 0;
  Bits smallest_ = std::bit_cast<Bits>(std::numeric_limits<T>::quiet_NaN()) - 1;  // less 1
  bool all_finite_ = true;
};

/// Calls visit(const T&) for a few samples of x[n] or k[:,c], whose `planes` lie `apart`.
template <class T, class Visit>
void for_each_sample(const StridedPlane<const T>& first, index_t planes, index_t apart,
                     const Visit& visit) {
  constexpr index_t kSamples = 16;
  for (index_t i = 0; i < kSamples; ++i) {
    // Once down the rows and the planes, and seven times along the columns.
    const auto spaced = [i](index_t size, index_t times) {
      return (2 * i + 1) * times % (2 * kSamples) * size / (2 * kSamples);
    };
    const T* sample = &first(spaced(first.rows, 1), spaced(first.columns, 7));
    visit(sample[spaced(planes, 1) * apart]);
  }
}

template <class T>
bool is_whole(T value) {
  return value == std::trunc(value);
}

/// Whether such samples are all whole numbers.
template <class T>
bool samples_are_whole(const StridedPlane<const T>& first, index_t planes, index_t apart) {
  bool whole = true;
  for_each_sample(first, planes, apart,
                  [&](const T& sample) { whole = whole && is_whole(sample); });
  return whole;
}

/// The largest magnitude of such samples that is finite, and the smallest that is not 0, or NaN: as
/// integers, since a scan of one value takes three times as long.
template <class T>
struct SampledRange {
  T largest, smallest;

  SampledRange(const StridedPlane<const T>& first, index_t planes, index_t apart) {
    using Bits = BitsOf<T>;
    constexpr Bits kInfinity = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
    Bits most = 0, least = std::bit_cast<Bits>(std::numeric_limits<T>::quiet_NaN()) - 1;
    for_each_sample(first, planes, apart, [&](const T& sample) {
      const Bits magnitude = std::bit_cast<Bits>(sample) & ~Bits{0} >> 1;
      most = std::max(most, magnitude < kInfinity ? magnitude : Bits{0});
      least = std::min(least, magnitude - 1);  // 0 is none
    });
    largest = std::bit_cast<T>(most);
    smallest = std::bit_cast<T>(static_cast<Bits>(least + 1));
  }
};

/// The exponent by those samples. It may be wrong: the caller has to check.
template <class T>
int likely_exponent(const StridedPlane<const T>& first, index_t planes, index_t apart) {
  // With so few values, looking at samples takes longer than transforming all of them a second
  // time.
  constexpr index_t kFew = 256;
  if (first.rows * first.columns * planes < kFew) return 0;
  OperandScan<T> scan;
  const T largest = SampledRange<T>(first, planes, apart).largest;
  scan.include(&largest, 1);
  return is_in_range(largest) ? 0 : scan.exponent();
}

}  // namespace fullconv
