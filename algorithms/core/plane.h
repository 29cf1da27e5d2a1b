#pragma once

#include <algorithm>
#include <type_traits>

#include "fullconv/problem.h"

namespace fullconv {

constexpr index_t ceil_divide(index_t a, index_t b) { return (a + b - 1) / b; }

/// One plane of a tensor whose rows are dense.
template <class T>
struct Plane {
  T* data;
  index_t rows;
  index_t columns;
  index_t row_stride;

  T* row(index_t i) const { return data + i * row_stride; }
  T& operator()(index_t i, index_t j) const { return row(i)[j]; }

  operator Plane<const T>() const  // NOLINT(google-explicit-constructor)
      requires(!std::is_const_v<T>) {
    return {data, rows, columns, row_stride};
  }
};

/// The plane [a, b] of `tensor`, whose innermost stride is 1.
template <class T>
Plane<T> plane(const TensorView<T>& tensor, index_t a, index_t b) {
  return {tensor.data + a * tensor.strides[0] + b * tensor.strides[1], tensor.extents[2],
          tensor.extents[3], tensor.strides[2]};
}

template <class T>
void fill_zero(const Plane<T>& y) {
  for (index_t i = 0; i < y.rows; ++i) std::fill_n(y.row(i), y.columns, T{0});
}

/// In the coordinates of `y`.
template <class T>
void fill_zero(const Plane<T>& y, const Window& window) {
  for (index_t i = window.rows.begin; i < window.rows.end; ++i) {
    std::fill_n(y.row(i) + window.columns.begin, window.columns.size(), T{0});
  }
}

/// `y`, which holds a window of the full output, in the full output's coordinates.
template <class T>
Plane<T> in_full_output(const Plane<T>& y, const Window& window) {
  return {y.data - window.rows.begin * y.row_stride - window.columns.begin, y.rows, y.columns,
          y.row_stride};
}

/// y[j] += a·x[j] for `count` elements: the inner loop of the direct forms. The ranges must not
/// overlap.
template <class T>
inline void add_scaled_row(T a, const T* __restrict x, T* __restrict y, index_t count) {
  for (index_t j = 0; j < count; ++j) y[j] += a * x[j];
}

}  // namespace fullconv
