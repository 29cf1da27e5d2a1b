#pragma once

#include <array>
#include <span>

namespace fullconv {

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

/// The points that a tile of so many outputs is transformed to, along an axis.
constexpr int points_of(int outputs, int taps) { return outputs + taps - 1; }
inline constexpr int kMostPoints = 6;

/// For kernels of so many taps: F(2,3) at 0, ±1, ∞; F(3,3) at ±3/8, ±11/8, ∞; F(4,3) and F(2,5) at
/// 0, ±5/8, ±3/2, ∞. Of errors at the usual 0, ±1, ±2, ∞ the last ones have a quarter to a half.
template <class T>
constexpr CookToom<T> cook_toom(int outputs, int taps) {
  constexpr double kFour[] = {1}, kFive[] = {0.375, 1.375}, kSix[] = {0.625, 1.5};
  const int points = points_of(outputs, taps);
  if (points == 4) return cook_toom<T>(true, kFour);
  if (points == 5) return cook_toom<T>(false, kFive);
  return cook_toom<T>(true, kSix);
}

/// Tiles that there are for kernels of so many taps: as many outputs as fit the most points, or
/// fewer.
struct TileSizes {
  int fewest, most;
};
constexpr TileSizes tile_sizes(int taps) {
  if (taps == 3) return {2, 4};
  if (taps == 5) return {2, 2};
  return {1, 0};
}

}  // namespace fullconv
