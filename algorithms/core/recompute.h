#pragma once

// Outputs that an algorithm can't be trusted with, for what operands hold: given as the definition
// has them, by sums of products.

#include <algorithm>
#include <cmath>

#include "core/definition.h"
#include "core/operand_range.h"
#include "core/plane.h"
#include "core/staged_plan.h"
#include "fullconv/algorithm.h"

namespace fullconv {

namespace internal {

template <class T>
WindowSums<T> window_sums_of(const Algorithm& algorithm) {
  if constexpr (std::is_same_v<T, float>) {
    return algorithm.window_sums_f32;
  } else {
    return algorithm.window_sums_f64;
  }
}

/// y(i + down, j + right) += factor·other(i, j) within a window.
template <class T>
void add_scaled_plane(T factor, const StridedPlane<const T>& other, index_t down, index_t right,
                      const Window& wanted, const StridedPlane<T>& y) {
  const Range rows = intersection({down, down + other.rows}, wanted.rows);
  const Range columns = intersection({right, right + other.columns}, wanted.columns);
  if (columns.empty()) return;
  for (index_t i = rows.begin; i < rows.end; ++i) {
    add_scaled_row(factor, &other(i - down, columns.begin - right), other.column_stride,
                   &y(i, columns.begin), y.column_stride, columns.size());
  }
}

/// Calls visit(i, j) for what is not finite in these rows; stops and returns false where that is
/// more than `most`.
template <class T, class Visit>
bool for_each_non_finite(const StridedPlane<const T>& plane, Range rows, index_t most,
                         const Visit& visit) {
  for (index_t i = rows.begin; i < rows.end; ++i) {
    if (plane.column_stride == 1 && std::isfinite(largest_magnitude(plane.row(i), plane.columns))) {
      continue;
    }
    for (index_t j = 0; j < plane.columns; ++j) {
      if (std::isfinite(plane(i, j))) continue;
      if (most-- == 0) return false;
      visit(i, j);
    }
  }
  return true;
}

}  // namespace internal

/// The window `wanted` of y[n,c], in the coordinates of the full output: by the first algorithm
/// that offers sums of a window, where the problem and the rows are dense; else by definition.
template <class T>
void recompute(const Problem& problem, const TensorView<const T>& x, const TensorView<const T>& k,
               index_t n, index_t c, const Window& wanted, const TensorView<T>& y) {
  WindowSums<T> sums = nullptr;
  if (problem.is_dense() && rows_are_dense(x) && rows_are_dense(k) && rows_are_dense(y)) {
    for (const Algorithm* algorithm : algorithms()) {
      if (sums == nullptr) sums = internal::window_sums_of<T>(*algorithm);
    }
  }
  if (sums == nullptr) return convolve_by_tap(problem, x, k, n, c, wanted, y);
  const Plane<T> to = in_full_output(plane(y, n, c), problem.window());
  for (index_t o = 0; o < problem.K; ++o) sums(plane(x, n, o), plane(k, o, c), to, wanted, o > 0);
}

/// The plane y[n,c].
template <class T>
void recompute(const Problem& problem, const TensorView<const T>& x, const TensorView<const T>& k,
               index_t n, index_t c, const TensorView<T>& y) {
  recompute(problem, x, k, n, c, problem.window(), y);
}

/// Completes the window `wanted` of y[n,c] of a dense problem, which was computed with 0 in place
/// of what is not finite: adds the products that have such a factor. Recomputes it where these are
/// so many that this takes less time, and where operands are not in range.
template <class T>
void complete(const Problem& problem, const TensorView<const T>& x, const TensorView<const T>& k,
              index_t n, index_t c, const OperandState& image_state,
              const OperandState& kernel_state, const Window& wanted, const TensorView<T>& y) {
  if (image_state.is_plain() && kernel_state.is_plain()) return;
  // A product costs some eight times as much as in the direct form.
  constexpr index_t kFew = 8;
  const StridedPlane<T> to = in_full_output(StridedPlane<T>(y, n, c), problem.window());
  const Range taps{0, problem.h};
  const Range samples =
      intersection({wanted.rows.begin - problem.h + 1, wanted.rows.end}, {0, problem.H});
  bool few = image_state.all_in_range && kernel_state.all_in_range;
  for (index_t o = 0; o < problem.K && few; ++o) {
    const StridedPlane<const T> image(x, n, o), kernel(k, o, c);
    if (!kernel_state.all_finite) {
      few = internal::for_each_non_finite(
          kernel, taps, problem.h * problem.w / kFew, [&](index_t p, index_t q) {
            internal::add_scaled_plane(kernel(p, q), image, p, q, wanted, to);
          });
    }
    if (few && !image_state.all_finite && !samples.empty()) {
      few = internal::for_each_non_finite(
          image, samples, samples.size() * problem.W / kFew, [&](index_t r, index_t s) {
            internal::add_scaled_plane(image(r, s), kernel, r, s, wanted, to);
          });
    }
  }
  if (!few) recompute(problem, x, k, n, c, wanted, y);
}

}  // namespace fullconv
