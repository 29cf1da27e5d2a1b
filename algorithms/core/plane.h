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

/// One plane of a tensor of any strides.
template <class T>
struct StridedPlane {
  T* data;
  index_t rows, columns, row_stride, column_stride;

  StridedPlane(T* first, index_t row_count, index_t column_count, index_t row_step,
               index_t column_step)
      : data(first),
        rows(row_count),
        columns(column_count),
        row_stride(row_step),
        column_stride(column_step) {}
  StridedPlane(const TensorView<T>& tensor, index_t a, index_t b)
      : StridedPlane(&tensor(a, b, 0, 0), tensor.extents[2], tensor.extents[3], tensor.strides[2],
                     tensor.strides[3]) {}
  StridedPlane(const Plane<T>& plane)  // NOLINT(google-explicit-constructor)
      : StridedPlane(plane.data, plane.rows, plane.columns, plane.row_stride, 1) {}

  StridedPlane rows_from(index_t begin, index_t count) const {
    return {data + begin * row_stride, count, columns, row_stride, column_stride};
  }
  StridedPlane transposed() const { return {data, columns, rows, column_stride, row_stride}; }

  T* row(index_t i) const { return data + i * row_stride; }
  T& operator()(index_t i, index_t j) const { return row(i)[j * column_stride]; }
};

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

template <class T>
StridedPlane<T> in_full_output(const StridedPlane<T>& y, const Window& window) {
  return {y.data - window.rows.begin * y.row_stride - window.columns.begin * y.column_stride,
          y.rows, y.columns, y.row_stride, y.column_stride};
}

/// y[j] += a·x[j] for `count` elements: the inner loop of the direct forms. The ranges must not
/// overlap.
template <class T>
inline void add_scaled_row(T a, const T* __restrict x, T* __restrict y, index_t count) {
  for (index_t j = 0; j < count; ++j) y[j] += a * x[j];
}

/// The same of rows whose elements lie so far apart.
template <class T>
void add_scaled_row(T a, const T* x, index_t x_step, T* y, index_t y_step, index_t count) {
  if (x_step == 1 && y_step == 1) return add_scaled_row(a, x, y, count);
  for (index_t j = 0; j < count; ++j) y[j * y_step] += a * x[j * x_step];
}

}  // namespace fullconv
