#pragma once

#include <algorithm>

#include "core/plane.h"

namespace fullconv {

/// The wanted columns of a row of y += what a row of x gives by a row of k. Apart from the loops
/// over rows, whose variables would take the registers of this one, and aligned, since the same
/// code at another place took up to 1.1 times as long on 256x256_k5x5.
template <class T>
[[gnu::noinline, gnu::aligned(64)]] void add_clamped_row(const T* x, index_t x_columns, const T* k,
                                                         index_t k_columns, Range columns, T* y) {
  // All columns without the two bounds, which 257x300_k9x4 took 1.05 times as long with.
  if (columns.begin == 0 && columns.end == x_columns + k_columns - 1) {
    for (index_t q = 0; q < k_columns; ++q) add_scaled_row(k[q], x, y + q, x_columns);
    return;
  }
  for (index_t q = 0; q < k_columns; ++q) {
    const index_t begin = std::max(columns.begin, q);
    const index_t end = std::min(columns.end, q + x_columns);
    add_scaled_row(k[q], x + begin - q, y + begin, end - begin);
  }
}

/// y's window += that of x ∗ k: min and max say where each sum starts and ends, so that no inner
/// loop branches and nothing is padded. y(i, j) is the full output's.
template <class T>
void add_clamped(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                 const Window& window) {
  for (index_t i = window.rows.begin; i < window.rows.end; ++i) {
    const index_t first = std::max<index_t>(0, i - x.rows + 1);
    const index_t last = std::min(i, k.rows - 1);
    for (index_t p = first; p <= last; ++p) {
      add_clamped_row(x.row(i - p), x.columns, k.row(p), k.columns, window.columns, y.row(i));
    }
  }
}

}  // namespace fullconv
