#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <string_view>

#include "fullconv/problem.h"

namespace fullconv {

/// What the bound on the error of one output y[n,c,i,j] is made of. The norms are sums of
/// ‖x[n,o]‖₂·‖k[o,c]‖₂ over the channels o. All have the range of products of doubles.
struct ErrorTerms {
  const Problem& problem;
  long double u;              ///< the unit roundoff, 2⁻²⁴ or 2⁻⁵³
  long double products;       ///< n, how many taps exist
  long double magnitude;      ///< Σ|x||k| over these
  long double local_norms;    ///< of the samples of x that the output depends on
  long double tile_norms;     ///< of the 6×6 samples of x[n,o] that have the largest norm
  long double operand_norms;  ///< of whole planes
  long double output_norm;    ///< ‖y[n,c]‖₂
  /// What every bound has besides: n times the smallest subnormal, and the error of the reference
  /// that the output is compared with.
  long double underflow;
};

/// What the rounding error of an algorithm is bounded by. An algorithm's row holds one: one of
/// those below, or one of its own. Tests, benchmark, command line and scripts take all that they
/// know of it from there.
struct ErrorModel {
  std::string_view name;
  /// Results are the definition's where operands are whole numbers and Σ|x||k| is below 1/u.
  bool exact_on_integers = false;
  /// The bound is made of products, magnitude and local_norms only, and so grows no faster than
  /// these where outputs are summed.
  bool local = false;
  /// A bound on |error|, from theory; it takes nothing from what the algorithm gave.
  long double (*bound)(const ErrorTerms&) = nullptr;

  static const ErrorModel componentwise, normwise, low_rank, winograd;

  friend constexpr bool operator==(const ErrorModel& a, const ErrorModel& b) {
    return a.name == b.name;
  }
};

/// n·u·Σ|x||k| for sums of n products (Jeannerod and Rump, SIAM J. Matrix Anal. Appl. 34(2), 2013).
inline long double bound_of_sums(const ErrorTerms& t) {
  return t.products * t.u * t.magnitude + t.underflow;
}
inline constexpr ErrorModel ErrorModel::componentwise{
    .name = "componentwise", .exact_on_integers = true, .local = true, .bound = bound_of_sums};

/// u·(16·log₂P + K)·Σ_o‖x_o‖₂‖k_o‖₂ + 16·u·log₂P·‖y‖₂ with P the points of x ∗ k, at most those of
/// the transform. From ‖F̂a − Fa‖₂ ≤ η·log₂P·‖Fa‖₂ with η ≤ 6.7u (Higham, Accuracy and Stability,
/// 2nd ed., th. 24.2), for two forward transforms and one inverse; √5·u for a complex product is
/// less than the rest up to 16; K·u for sums over channels.
inline long double bound_of_transforms(const ErrorTerms& t) {
  const Problem& p = t.problem;
  const auto points = static_cast<long double>((p.H + p.h - 1) * (p.W + p.w - 1));
  const long double stages = 16 * std::max(1.0L, std::log2(points));
  return t.u * (stages + static_cast<long double>(p.K)) * t.operand_norms +
         t.u * stages * t.output_norm + t.underflow;
}
inline constexpr ErrorModel ErrorModel::normwise{.name = "normwise", .bound = bound_of_transforms};

/// For kernels k ≈ Σ_s u_s·v_sᵀ of rank r ≤ 4, x[i,j] being the samples that y[i,j] depends on, no
/// more than H rows and W columns of k: u·(3·(h + r·K·w) + 20)·Σ_o‖x_o[i,j]‖₂‖k_o‖₂. By the
/// Cauchy–Schwarz inequality from (h + r·K·w)·u·Σ_s|x|∗|u_s||v_sᵀ| for two passes of sums, with
/// Σ_s‖u_s‖₂‖v_s‖₂ ≤ 3·‖k‖₂, and 20·u·‖k‖₂ for what is left of k: 8 allowed, 12 for having found
/// that out in double precision. Each term underflows by itself. Componentwise where that is more,
/// as for all other kernels.
inline long double bound_of_low_rank(const ErrorTerms& t) {
  constexpr long double rank = 4, growth = 3, truncation = 20;
  const Problem& p = t.problem;
  const long double sums = static_cast<long double>(std::min(p.h, p.H)) +
                           rank * static_cast<long double>(p.K * std::min(p.w, p.W));
  return std::max(bound_of_sums(t),
                  t.u * (growth * sums + truncation) * t.local_norms + rank * t.underflow);
}
inline constexpr ErrorModel ErrorModel::low_rank{
    .name = "low_rank", .local = true, .bound = bound_of_low_rank};

/// How much Winograd's transforms along one axis multiply rounding errors, for so many taps: bounds
/// Σ_i|a_i|·‖g_i‖₂‖b_i‖₂ over the rows of A, G and Bᵀ of F(1,1), F(5,2), F(4,3), F(3,4) and F(2,5).
/// Smaller tiles have less. A crop may leave so few of a larger number of taps.
constexpr long double winograd_growth(std::int64_t taps) {
  constexpr long double growth[] = {0, 1, 8.92L, 9.67L, 10.48L, 11.58L};
  return growth[std::min<std::int64_t>(taps, std::size(growth) - 1)];
}

/// The same for both axes of a layer's dense problems, whose taps are a stride apart, or closer
/// where stride and dilation have common factors.
inline long double winograd_growth(const Problem& p) {
  const auto along = [](std::int64_t taps, std::int64_t stride, std::int64_t dilation) {
    return winograd_growth((taps - 1) / (stride / std::gcd(stride, dilation)) + 1);
  };
  return along(p.h, p.stride.y, p.dilation.y) * along(p.w, p.stride.x, p.dilation.x);
}

/// growth·u·(K + 36)·Σ_o‖x_o‖₂‖k_o‖₂, x_o being the at most 6×6 samples of a tile. By the
/// Cauchy–Schwarz inequality from (K + 36)·u·|Aᵀ|(|G||k||Gᵀ| ⊙ |Bᵀ||x||B|)|A| for the sums over
/// channels between transforms of at most 6 terms each along both axes, rounded coefficients
/// included. What underflows is multiplied by no more than what is rounded.
inline long double bound_of_winograd(const ErrorTerms& t) {
  constexpr long double transforms = 36;
  const long double growth = winograd_growth(t.problem);
  const long double sums = static_cast<long double>(t.problem.K) + transforms;
  return growth * (t.u * sums * t.tile_norms + t.underflow);
}
inline constexpr ErrorModel ErrorModel::winograd{.name = "winograd", .bound = bound_of_winograd};

/// What is known of errors before there are operands: each of y[n,c] is at most so many times
/// Σ_o‖x[n,o]‖₂‖k[o,c]‖₂ + ‖y[n,c]‖₂, but for underflow. No local norm, and by the Cauchy–Schwarz
/// inequality no Σ|x||k|, is larger than that of whole planes. `u` is the unit roundoff.
inline long double relative_bound(const ErrorModel& model, const Problem& problem, long double u) {
  const auto bound = [&](long double operand_norms, long double output_norm) {
    return model.bound({.problem = problem,
                        .u = u,
                        .products = static_cast<long double>(problem.K / problem.groups) *
                                    static_cast<long double>(std::min(problem.H, problem.h)) *
                                    static_cast<long double>(std::min(problem.W, problem.w)),
                        .magnitude = operand_norms,
                        .local_norms = operand_norms,
                        .tile_norms = operand_norms,
                        .operand_norms = operand_norms,
                        .output_norm = output_norm,
                        .underflow = 0});
  };
  return std::max(bound(1, 0), bound(0, 1));
}

}  // namespace fullconv
