#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>

#include "fullconv/view.h"

namespace fullconv::python {

namespace py = pybind11;

/// The extents of an array of 2 or 4 axes, as four.
inline Extents extents(const py::array& array) {
  Extents result{1, 1, 1, 1};
  std::copy(array.shape(), array.shape() + array.ndim(), result.end() - array.ndim());
  return result;
}

/// The view of an array of 2 or 4 axes, which holds elements of this type.
template <class T>
TensorView<T> view(const py::array& array, T* data) {
  // The axes that a plane does not have are as those of a dense tensor.
  TensorView<T> result(data, extents(array));
  const py::ssize_t axes = array.ndim();
  for (py::ssize_t axis = 0; axis < axes; ++axis) {
    result.strides[static_cast<std::size_t>(4 - axes + axis)] =
        array.strides(axis) / static_cast<py::ssize_t>(sizeof(T));
  }
  return result;
}

template <class T>
TensorView<const T> const_view(const py::array& array) {
  return view(array, static_cast<const T*>(array.data()));
}

/// Throws where the array is read-only.
template <class T>
TensorView<T> mutable_view(py::array& array) {
  return view(array, static_cast<T*>(array.mutable_data()));
}

template <class T>
bool rows_are_dense(const TensorView<T>& tensor) {
  return tensor.strides[3] == 1 || tensor.extents[3] == 1;
}

/// Whether the elements lie where a pointer to their type can reach them.
inline bool is_addressable(const py::array& array) {
  if ((array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) == 0) return false;
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
    if (array.strides(axis) % array.itemsize() != 0) return false;
  }
  return true;
}

/// Whether it is an array of NumPy's own class: a subclass may behave differently.
inline bool is_plain_array(const py::handle object) {
  return reinterpret_cast<PyObject*>(Py_TYPE(object.ptr())) ==
         reinterpret_cast<PyObject*>(py::detail::npy_api::get().PyArray_Type_);
}

enum class Scalar { f32, f64, other };

/// What the elements are, in the machine's byte order.
inline Scalar scalar_of(const py::array& array) {
  const py::dtype type = array.dtype();
  const char order = type.byteorder();
  if (order != '=' && order != '|') return Scalar::other;
  switch (type.num()) {
    case py::detail::npy_api::NPY_FLOAT_:
      return Scalar::f32;
    case py::detail::npy_api::NPY_DOUBLE_:
      return Scalar::f64;
    default:
      return Scalar::other;
  }
}

/// A new array, dense, with the last so many axes of `extents`.
inline py::array new_array(const py::dtype& type, const Extents& extents, py::ssize_t axes) {
  return py::array(type, py::array::ShapeContainer(extents.end() - axes, extents.end()));
}

}  // namespace fullconv::python
