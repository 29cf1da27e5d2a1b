#pragma once

#include <array>
#include <span>

namespace fullconv::winograd {

/// The matrices of F(m, r), which correlates n = m + r − 1 samples d with r taps g into m outputs
/// by n products: y = Aᵀ[(G·g) ⊙ (Bᵀ·d)]. By Toom and Cook: g is evaluated as a polynomial at n
/// points, the last of which is infinity; what interpolates there, transposed, is Bᵀ and A.
///
/// Points are 0, perhaps, pairs ±p, and infinity. With R(s) = Π_j (s − p_j²), R_i the same without
/// p_i, and z = 1 where 0 is a point, else 0, the rows of Bᵀ are the coefficients of R(t²) for 0,
/// t^z·(t ± p_i)·R_i(t²) for ±p_i, and t^z·R(t²) for infinity: the even and the odd ones of a pair
/// are the same but for their signs. G has the powers of points alone; what interpolation divides
/// by is in A. All of that is exact in double for the points below; A is rounded once.
/// Winograd, Arithmetic Complexity of Computations, SIAM 1980; Lavin and Gray, Fast Algorithms for
/// Convolutional Neural Networks, CVPR 2016; on points Barabasz et al., Error Analysis and
/// Improving the Accuracy of Winograd Convolution, ACM TOMS 46(4), 2020.
template <class T>
struct CookToom {
  static constexpr int kMostPairs = 2, kMostOutputs = 5;

  T point[kMostPairs];
  T square[kMostPairs];                 // p_i²
  T others[kMostPairs][kMostPairs];     // R_i, from the lowest coefficient; the last one is 1
  T all[kMostPairs + 1];                // R, likewise
  T zero_weight;                        // of 0 in A
  T weights[kMostOutputs][kMostPairs];  // of ±p_i in A's row for each output
};

/// For points ±`pairs`, infinity, and 0 where `zero`.
template <class T>
constexpr CookToom<T> cook_toom(bool zero, std::span<const double> pairs) {
  CookToom<T> result{};
  // s·polynomial − square·polynomial, in place.
  const auto multiply = [](std::array<double, 4>& polynomial, double square) {
    for (int k = 3; k >= 0; --k) {
      polynomial[k] = (k > 0 ? polynomial[k - 1] : 0) - square * polynomial[k];
    }
  };
  const int count = static_cast<int>(pairs.size());
  std::array<double, 4> all{1};
  for (const double p : pairs) multiply(all, p * p);
  for (int k = 0; k <= count; ++k) result.all[k] = static_cast<T>(all[k]);
  result.zero_weight = static_cast<T>(1 / all[0]);
  for (int i = 0; i < count; ++i) {
    const double p = pairs[i];
    std::array<double, 4> others{1};
    double divisor = zero ? 2 * p * p : 2 * p;  // t^z·(t + p)·R_i(t²) at p
    for (int j = 0; j < count; ++j) {
      if (j == i) continue;
      multiply(others, pairs[j] * pairs[j]);
      divisor *= p * p - pairs[j] * pairs[j];
    }
    result.point[i] = static_cast<T>(p);
    result.square[i] = static_cast<T>(p * p);
    for (int k = 0; k < count; ++k) result.others[i][k] = static_cast<T>(others[k]);
    double power = 1;
    for (int k = 0; k < CookToom<T>::kMostOutputs; ++k, power *= p) {
      result.weights[k][i] = static_cast<T>(power / divisor);
    }
  }
  return result;
}

/// F(m, r) for one axis of a tile: so many outputs of kernels of so many taps.
struct TileAxis {
  int outputs, taps;
  /// At the points of F(m + 1, r) but 0: kernels are transformed to the same for both.
  bool without_zero = false;

  /// Points that samples and taps are transformed to; as many samples.
  constexpr int points() const { return outputs + taps - 1; }
};
inline constexpr int kMostTaps = 5, kMostPoints = 6;

/// Outputs that a tile's axis has: as many as fit the most points, or fewer. F(1,1) is the
/// identity.
struct TileSizes {
  int fewest, most;

  constexpr int count() const { return most - fewest + 1; }
};
constexpr TileSizes tile_sizes(int taps) {
  if (taps == 1) return {1, 1};
  return {2, kMostPoints + 1 - taps};
}

/// Whether there are tiles of an output less at the same points but 0, which is the first one.
constexpr bool has_shorter(TileAxis axis) { return axis.points() == kMostPoints; }
constexpr TileAxis shorter(TileAxis axis) { return {axis.outputs - 1, axis.taps, true}; }

/// The points are ∞; ±1, ∞; 0, ±1, ∞; ±3/8, ±11/8, ∞; or 0, ±5/8, ±3/2, ∞. With the last ones,
/// errors of F(4,3) are a quarter to a half of those with the usual 0, ±1, ±2, ∞.
template <class T>
constexpr CookToom<T> cook_toom(TileAxis axis) {
  constexpr double kOne[] = {1}, kSmallAndLarge[] = {0.375, 1.375}, kBesideZero[] = {0.625, 1.5};
  const int points = axis.points();
  if (points == 1) return cook_toom<T>(false, {});
  if (points <= 4) return cook_toom<T>(points == 4, kOne);
  if (points == 5) return cook_toom<T>(false, axis.without_zero ? kBesideZero : kSmallAndLarge);
  return cook_toom<T>(true, kBesideZero);
}

}  // namespace fullconv::winograd
