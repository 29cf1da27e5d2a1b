#pragma once

#include <algorithm>

#include "core/plane.h"

namespace fullconv {

/// Copies the window of these rows and columns of a plane, zero where it hangs over, to rows that
/// lie `pitch` elements apart. staging-inl.h does so by vectors.
template <class T>
void stage(const Plane<const T>& x, Range rows, Range columns, T* to, index_t pitch) {
  const Range inside = intersection(columns, {0, x.columns});
  const index_t width = columns.size();
  const index_t before = inside.empty() ? width : inside.begin - columns.begin;
  const index_t after = inside.empty() ? 0 : columns.end - inside.end;
  for (index_t i = rows.begin; i < rows.end; ++i, to += pitch) {
    if (i < 0 || i >= x.rows || inside.empty()) {
      std::fill_n(to, width, T{0});
      continue;
    }
    if (before > 0) std::fill_n(to, before, T{0});
    std::copy_n(x.row(i) + inside.begin, inside.size(), to + before);
    if (after > 0) std::fill_n(to + width - after, after, T{0});
  }
}

}  // namespace fullconv
