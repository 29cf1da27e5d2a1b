#pragma once

#include "core/plane.h"

namespace fullconv {

/// Rows of a plane between two passes, each with zeros on both sides, so that the second pass needs
/// no special case for edges.
template <class T>
struct FramedRows {
  /// Elements of a cache line, and of the longest vector. Margins are a multiple of it.
  static constexpr index_t kLine = 64 / sizeof(T);
  /// Rows that the first pass writes at once, even if fewer are needed.
  static constexpr index_t kRowsAtOnce = 8;

  index_t columns, margin, row_stride;

  /// For rows of this width that will be convolved with a row of w elements.
  FramedRows(index_t width, index_t w)
      : columns(width),
        margin(ceil_divide(w - 1, kLine) * kLine),
        // An odd number of lines, since rows at powers of two would share few sets of a cache.
        row_stride(((2 * margin + ceil_divide(columns, kLine) * kLine + kLine) / kLine | 1) *
                   kLine) {}

  /// Elements that so many rows take. They are zero where no pass has written.
  index_t elements(index_t rows) const {
    return ceil_divide(rows, kRowsAtOnce) * kRowsAtOnce * row_stride;
  }
  /// The plane of rows that are kept there.
  Plane<T> plane(T* elements, index_t rows) const {
    return {elements + margin, rows, columns, row_stride};
  }
};

/// The two passes of an instruction set.
template <class T>
struct Passes {
  /// y = rows `wanted` of x ∗ column, with a column of h elements and y a plane of FramedRows.
  void (*convolve_columns)(const Plane<const T>& x, const T* column, index_t h, Range wanted,
                           const Plane<T>& y);

  /// y = x ∗ row, or += where `add`, with a row of w elements and x a plane of FramedRows made for
  /// that; of x from column j on, y is from its column j on.
  void (*convolve_rows)(const Plane<const T>& x, const T* row, index_t w, const Plane<T>& y,
                        bool add);

  /// The time in seconds of both, from rows of W to so many rows and columns of y: to be forecast,
  /// not to be relied upon.
  double (*seconds)(index_t rows, index_t W, index_t columns, index_t h, index_t w);
};

template <class T>
const Passes<T>& separable_passes();

}  // namespace fullconv
