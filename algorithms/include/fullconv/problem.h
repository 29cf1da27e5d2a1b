#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fullconv/view.h"

namespace fullconv {

/// The shapes of one full convolution, and nothing else.
///
///     y[n,c,i,j] = Σ_o Σ_p Σ_q  x[n,o,i−p,j−q] · k[o,c,p,q]   where x[n,o,i−p,j−q] exists
///
/// with x[N,K,H,W], k[K,C,h,w] and y[N,C,H+h−1,W+w−1]. This is the gradient of a stride-1, unpadded
/// convolution layer with respect to its input: x is the gradient at the layer's output, k the
/// layer's forward weights (OIHW), unchanged. A single plane is N = K = C = 1.
struct Problem {
  index_t N = 1;  ///< batch
  index_t K = 1;  ///< channels of x
  index_t C = 1;  ///< channels of y
  index_t H = 1;  ///< image rows
  index_t W = 1;  ///< image columns
  index_t h = 1;  ///< kernel rows
  index_t w = 1;  ///< kernel columns

  constexpr index_t output_rows() const { return H + h - 1; }
  constexpr index_t output_columns() const { return W + w - 1; }

  constexpr Extents x_extents() const { return {N, K, H, W}; }
  constexpr Extents k_extents() const { return {K, C, h, w}; }
  constexpr Extents y_extents() const { return {N, C, output_rows(), output_columns()}; }

  /// The products that exist, H·W·h·w·N·K·C: the nominal work of every algorithm alike.
  constexpr std::int64_t multiply_adds() const { return H * W * h * w * N * K * C; }

  bool operator==(const Problem&) const = default;
};

/// Throws std::invalid_argument, in one line that names the offender, unless every size is at least
/// 1 and the bytes of each tensor (as double) and the multiply-adds fit a signed 64-bit integer.
void validate(const Problem& problem);

/// The canonical name: `8x8_k5x5`, or `n8_i64_o32_56x56_k3x3` when N, K or C is not 1.
std::string to_string(const Problem& problem);

/// The problem that `text` names. Throws std::invalid_argument, in one line that names the
/// offender, if it names none or if validate() refuses it.
Problem parse_problem(std::string_view text);

}  // namespace fullconv
