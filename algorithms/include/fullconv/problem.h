#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "fullconv/view.h"

namespace fullconv {

/// One number for rows (y) and one for columns (x).
struct PerAxis {
  index_t y;
  index_t x;

  bool operator==(const PerAxis&) const = default;
};

/// Rows or columns of the full output that y leaves out, on each side.
struct Padding {
  index_t top = 0;
  index_t left = 0;
  index_t bottom = 0;
  index_t right = 0;

  bool operator==(const Padding&) const = default;
};

/// Rows or columns [begin, end).
struct Range {
  index_t begin;
  index_t end;

  constexpr bool contains(index_t i) const { return begin <= i && i < end; }
  constexpr bool empty() const { return end <= begin; }
  constexpr index_t size() const { return end - begin; }

  bool operator==(const Range&) const = default;
};

constexpr Range intersection(Range a, Range b) {
  return {std::max(a.begin, b.begin), std::min(a.end, b.end)};
}

/// The part of the full output that y holds: y[i,j] is the full output's [rows.begin + i,
/// columns.begin + j].
struct Window {
  Range rows;
  Range columns;

  bool operator==(const Window&) const = default;
};

/// The shapes of one full convolution, and nothing else.
///
///     y[n, c, i·s + p·d − top, j·s + q·d − left] += x[n,o,i,j] · k[o, c mod C/g, p, q]
///
/// where that row and column of y exist, with x[N,K,H,W], k[K,C/g,h,w], stride s and dilation d
/// (one for rows, one for columns), and c and o of one of g groups. Outputs that nothing reaches
/// are 0. This is the gradient of a convolution layer with respect to its input: x is the gradient
/// at the layer's output, k the layer's forward weights (OIHW), unchanged. A single plane is N = K
/// = C = 1; what is left at its default is neutral.
struct Problem {
  index_t N = 1;  ///< batch
  index_t K = 1;  ///< channels of x, of all groups
  index_t C = 1;  ///< channels of y, of all groups
  index_t H = 1;  ///< image rows
  index_t W = 1;  ///< image columns
  index_t h = 1;  ///< kernel rows
  index_t w = 1;  ///< kernel columns

  Padding padding = {};             ///< of the layer, hence a crop of y; at least 0
  PerAxis stride = {1, 1};          ///< outputs between neighbours of x; at least 1
  PerAxis dilation = {1, 1};        ///< outputs between neighbours of k; at least 1
  index_t groups = 1;               ///< divides K and C
  PerAxis output_padding = {0, 0};  ///< rows below and columns right that y has beside; less than
                                    ///< the larger of stride and dilation

  /// Rows and columns before anything is left out or added.
  constexpr index_t full_rows() const { return (H - 1) * stride.y + (h - 1) * dilation.y + 1; }
  constexpr index_t full_columns() const { return (W - 1) * stride.x + (w - 1) * dilation.x + 1; }

  constexpr index_t output_rows() const {
    return full_rows() - padding.top - padding.bottom + output_padding.y;
  }
  constexpr index_t output_columns() const {
    return full_columns() - padding.left - padding.right + output_padding.x;
  }

  /// Which of the full output y holds; with output padding it may reach beyond.
  constexpr Window window() const {
    return {{padding.top, padding.top + output_rows()},
            {padding.left, padding.left + output_columns()}};
  }

  /// Whether stride, dilation, groups and output padding are neutral, so that y[n,c] is (a window
  /// of) the sum of the full convolutions x[n,o] ∗ k[o,c].
  constexpr bool is_dense() const {
    return stride == PerAxis{1, 1} && dilation == PerAxis{1, 1} && groups == 1 &&
           output_padding == PerAxis{0, 0};
  }

  /// Whether y holds all of the full output.
  constexpr bool is_whole() const { return padding == Padding{}; }

  constexpr Extents x_extents() const { return {N, K, H, W}; }
  constexpr Extents k_extents() const { return {K, C / groups, h, w}; }
  constexpr Extents y_extents() const { return {N, C, output_rows(), output_columns()}; }

  /// The products that exist before anything is left out, H·W·h·w·N·K·C/g: the nominal work of
  /// every algorithm alike.
  constexpr std::int64_t multiply_adds() const { return H * W * h * w * N * K * (C / groups); }

  bool operator==(const Problem&) const = default;
};

/// Throws std::invalid_argument, in one line that names the offender, unless sizes, strides,
/// dilations and groups are at least 1, paddings at least 0, groups divide both channels, output
/// padding is less than stride or dilation, y has rows and columns, and the bytes of each tensor
/// (as double) and the multiply-adds fit a signed 64-bit integer.
void validate(const Problem& problem);

/// The canonical name: `8x8_k5x5`, or `n8_i64_o32_56x56_k3x3` when N, K or C is not 1; behind it
/// `_p<top>x<left>x<bottom>x<right>`, `_s<y>x<x>`, `_d<y>x<x>`, `_g<groups>`, `_op<y>x<x>`, those
/// that are not neutral.
std::string to_string(const Problem& problem);

/// The problem that `text` names. Throws std::invalid_argument, in one line that names the
/// offender, if it names none or if validate() refuses it.
Problem parse_problem(std::string_view text);

}  // namespace fullconv
