#pragma once

#include "core/plane.h"
#include "fullconv/problem.h"

namespace fullconv {

/// The window `wanted` of y[n,c], in the coordinates of the full output, as the definition has it,
/// tap by tap.
template <class T>
void convolve_by_tap(const Problem& problem, const TensorView<const T>& x,
                     const TensorView<const T>& k, index_t n, index_t c, const Window& wanted,
                     const TensorView<T>& y) {
  const StridedPlane<T> to = in_full_output(StridedPlane<T>(y, n, c), problem.window());
  for (index_t i = wanted.rows.begin; i < wanted.rows.end; ++i)
    for (index_t j = wanted.columns.begin; j < wanted.columns.end; ++j) to(i, j) = 0;
  const index_t K = problem.K / problem.groups, C = problem.C / problem.groups;
  for (index_t o = c / C * K; o < (c / C + 1) * K; ++o) {
    const StridedPlane<const T> image(x, n, o), kernel(k, o, c % C);
    for (index_t p = 0; p < problem.h; ++p)
      for (index_t r = 0; r < problem.H; ++r) {
        const index_t i = r * problem.stride.y + p * problem.dilation.y;
        if (!wanted.rows.contains(i)) continue;
        for (index_t q = 0; q < problem.w; ++q)
          for (index_t s = 0; s < problem.W; ++s) {
            const index_t j = s * problem.stride.x + q * problem.dilation.x;
            if (wanted.columns.contains(j)) to(i, j) += kernel(p, q) * image(r, s);
          }
      }
  }
}

}  // namespace fullconv
