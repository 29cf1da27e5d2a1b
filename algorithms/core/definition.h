#pragma once

#include "core/plane.h"
#include "fullconv/problem.h"

namespace fullconv {

/// Rows and columns of the full convolution that y holds.
struct OutputWindow {
  Range rows, columns;
  explicit OutputWindow(const Problem& problem)
      : rows{0, problem.output_rows()}, columns{0, problem.output_columns()} {}
};

/// The plane [n,c] of y as the definition has it, tap by tap: for operands that are not finite.
template <class T>
void convolve_by_tap(const Problem& problem, const TensorView<const T>& x,
                     const TensorView<const T>& k, index_t n, index_t c, const TensorView<T>& y) {
  const OutputWindow window(problem);
  const Plane<T> to = plane(y, n, c);
  fill_zero(to);
  for (index_t o = 0; o < problem.K; ++o) {
    const Plane<const T> image = plane(x, n, o), kernel = plane(k, o, c);
    for (index_t p = 0; p < problem.h; ++p) {
      for (index_t q = 0; q < problem.w; ++q) {
        // The image's rows and columns that this tap brings into the window.
        const Range rows =
            intersection({0, problem.H}, {window.rows.begin - p, window.rows.end - p});
        const Range columns =
            intersection({0, problem.W}, {window.columns.begin - q, window.columns.end - q});
        if (columns.empty()) continue;
        for (index_t r = rows.begin; r < rows.end; ++r) {
          add_scaled_row(
              kernel(p, q), image.row(r) + columns.begin,
              to.row(r + p - window.rows.begin) + columns.begin + q - window.columns.begin,
              columns.size());
        }
      }
    }
  }
}

}  // namespace fullconv
