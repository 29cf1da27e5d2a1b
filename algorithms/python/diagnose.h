#pragma once

#include <pybind11/pybind11.h>

namespace fullconv::python {

/// Adds diagnose(x, k, y, kind, itemsize): whether y is the full convolution of two planes, to the
/// precision of elements of that kind, as NumPy names it ('i', 'u', 'b' or 'f'), and size; and if
/// not, the known mistakes that it is explained by. x, k and y are dense and hold float64.
void define_diagnose(pybind11::module_& m);

}  // namespace fullconv::python
