// The compiled part of the Python module: NumPy arrays are viewed as tensors, and plans are kept
// and executed without the interpreter's lock. What arguments mean is the business of the Python
// files beside this one.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <string>

#include "integers.h"
#include "plans.h"

#ifdef __linux__
#include <sched.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

namespace py = pybind11;

namespace fullconv::python {
namespace {

/// Below this a call takes less than the 2 µs that other Python threads would gain by.
constexpr std::int64_t kWorthReleasing = 20'000;

/// Below this no algorithm forks, and how many threads there might be need not be found out.
constexpr std::int64_t kWorthForking = 100'000;

/// Runs `body` without the interpreter's lock, where the work is worth giving it up.
template <class Body>
void unlocked(const Problem& problem, const Body& body) {
  if (problem.multiply_adds() < kWorthReleasing) return body();
  const py::gil_scoped_release released;
  body();
}

/// As many as OpenMP would take, which is where OMP_NUM_THREADS and threadpoolctl set limits, and
/// no more than processors that this thread may run on.
int allowed_threads() {
  int threads = 1;
#ifdef _OPENMP
  threads = omp_get_max_threads();
#ifdef __linux__
  cpu_set_t processors;
  if (sched_getaffinity(0, sizeof processors, &processors) == 0) {
    threads = std::min(threads, CPU_COUNT(&processors));
  }
#endif
#endif
  return std::max(threads, 1);
}

const Algorithm& algorithm_named(const std::string_view name) {
  if (const Algorithm* algorithm = find_algorithm(name)) return *algorithm;
  std::string known;
  for (const Algorithm* algorithm : algorithms()) {
    known += (known.empty() ? "" : ", ") + std::string(algorithm->name);
  }
  throw std::invalid_argument("unknown algorithm '" + std::string(name) + "': expected one of " +
                              known);
}

int thread_count(const std::optional<int>& asked, const Algorithm& algorithm,
                 const Problem& problem) {
  if (asked) return *asked;
  if (!algorithm.threaded || problem.multiply_adds() < kWorthForking) return 1;
  return allowed_threads();
}

/// Those of an array of 2 or 4 axes.
Extents extents(const py::array& array) {
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

template <class T>
TensorView<T> mutable_view(py::array& array) {
  return view(array, static_cast<T*>(array.mutable_data()));
}

template <class T>
bool rows_are_dense(const TensorView<T>& tensor) {
  return tensor.strides[3] == 1 || tensor.extents[3] == 1;
}

/// Whether the elements lie where a pointer to their type can reach them.
bool is_addressable(const py::array& array) {
  if ((array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) == 0) return false;
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
    if (array.strides(axis) % array.itemsize() != 0) return false;
  }
  return true;
}

bool is_empty(const py::array& array) { return array.size() == 0; }

/// The number of the type where arrays hold it in the machine's byte order.
int type_number(const py::array& array) {
  const py::dtype type = array.dtype();
  const char order = type.byteorder();
  return order == '=' || order == '|' ? type.num() : -1;
}

constexpr int kFloat = py::detail::npy_api::NPY_FLOAT_;
constexpr int kDouble = py::detail::npy_api::NPY_DOUBLE_;

Problem problem_of(const Extents& x, const Extents& k) {
  return {.N = x[0], .K = x[1], .C = k[1], .H = x[2], .W = x[3], .h = k[2], .w = k[3]};
}

template <class T>
py::array new_array(const Extents& extents, int axes) {
  return py::array(py::dtype::of<T>(),
                   py::array::ShapeContainer(extents.end() - axes, extents.end()));
}

/// x ∗ k as a new array of as many axes.
template <class T>
py::array convolve(const py::array& x, const py::array& k, const Algorithm& algorithm,
                   const std::optional<int>& threads) {
  const auto x_view = const_view<T>(x), k_view = const_view<T>(k);
  const Problem problem = problem_of(x_view.extents, k_view.extents);
  const Request request{problem,
                        &algorithm,
                        {.threads = thread_count(threads, algorithm, problem),
                         .any_strides = !rows_are_dense(x_view) || !rows_are_dense(k_view)}};
  validate(problem);
  py::array y = new_array<T>(problem.y_extents(), static_cast<int>(x.ndim()));
  const auto y_view = mutable_view<T>(y);
  LentPlan<T> plan(request);
  unlocked(problem, [&] { plan.execute(x_view, k_view, y_view); });
  return y;
}

/// What nearly every call is: the full convolution of two planes of one type, float or double. None
/// for all else.
py::object convolve_planes(const py::handle in1, const py::handle in2, const std::string_view name,
                           const std::optional<int>& threads) {
  // Only arrays themselves: a subclass may have a mind of its own.
  const auto& numpy = py::detail::npy_api::get();
  const auto is_array = [&](const py::handle object) {
    return reinterpret_cast<PyObject*>(Py_TYPE(object.ptr())) ==
           reinterpret_cast<PyObject*>(numpy.PyArray_Type_);
  };
  if (!is_array(in1) || !is_array(in2)) return py::none();
  const auto x = py::reinterpret_borrow<py::array>(in1), k = py::reinterpret_borrow<py::array>(in2);
  const int type = type_number(x);
  if ((type != kFloat && type != kDouble) || type != type_number(k)) return py::none();
  if (x.ndim() != 2 || k.ndim() != 2 || is_empty(x) || is_empty(k)) return py::none();
  if (!is_addressable(x) || !is_addressable(k)) return py::none();

  const Algorithm& algorithm = algorithm_named(name);
  return type == kFloat ? convolve<float>(x, k, algorithm, threads)
                        : convolve<double>(x, k, algorithm, threads);
}

/// x and k of one type, float or double, with 4 axes each.
py::array convolve_tensors(const py::array& x, const py::array& k, const std::string_view name,
                           const std::optional<int>& threads) {
  const Algorithm& algorithm = algorithm_named(name);
  return type_number(x) == kFloat ? convolve<float>(x, k, algorithm, threads)
                                  : convolve<double>(x, k, algorithm, threads);
}

template <class I>
py::array convolve_integers(const py::array& x, const py::array& k, const Algorithm& algorithm,
                            const std::optional<int>& threads) {
  const auto x_view = const_view<I>(x), k_view = const_view<I>(k);
  const Problem problem = problem_of(x_view.extents, k_view.extents);
  validate(problem);
  py::array y = new_array<I>(problem.y_extents(), static_cast<int>(x.ndim()));
  const auto y_view = mutable_view<I>(y);
  const int count = thread_count(threads, algorithm, problem);
  unlocked(problem, [&] {
    IntegerConvolution<I>(problem, algorithm, count, x_view, k_view).execute(y_view);
  });
  return y;
}

/// x and k of one integer type, with 4 axes each.
py::array convolve_integer_tensors(const py::array& x, const py::array& k,
                                   const std::string_view name, const std::optional<int>& threads) {
  const Algorithm& algorithm = algorithm_named(name);
  const auto convolved = [&]<class I>(I) { return convolve_integers<I>(x, k, algorithm, threads); };
  const bool is_signed = x.dtype().kind() == 'i';
  switch (x.itemsize()) {
    case 1:
      return is_signed ? convolved(std::int8_t{}) : convolved(std::uint8_t{});
    case 2:
      return is_signed ? convolved(std::int16_t{}) : convolved(std::uint16_t{});
    case 4:
      return is_signed ? convolved(std::int32_t{}) : convolved(std::uint32_t{});
    default:
      return is_signed ? convolved(std::int64_t{}) : convolved(std::uint64_t{});
  }
}

py::list describe_algorithms() {
  const auto name = [](ErrorModel model) {
    switch (model) {
      case ErrorModel::componentwise:
        return "componentwise";
      case ErrorModel::normwise:
        return "normwise";
      case ErrorModel::low_rank:
        return "low_rank";
    }
    return "";
  };
  py::list result;
  for (const Algorithm* algorithm : algorithms()) {
    py::list scalars;
    if (algorithm->plan_f32) scalars.append("float32");
    if (algorithm->plan_f64) scalars.append("float64");
    py::dict row;
    row["name"] = std::string(algorithm->name);
    row["summary"] = std::string(algorithm->summary);
    row["scalars"] = py::tuple(scalars);
    row["error_model"] = name(algorithm->error_model);
    row["threaded"] = algorithm->threaded;
    result.append(row);
  }
  return result;
}

}  // namespace

void define(py::module_& m) {
  m.def("convolve_planes", convolve_planes);
  m.def("convolve_tensors", convolve_tensors);
  m.def("convolve_integers", convolve_integer_tensors);
  m.def("algorithms", describe_algorithms);
  m.def("allowed_threads", allowed_threads);
}

}  // namespace fullconv::python

#if PYBIND11_VERSION_HEX >= 0x020D0000
PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
#else
PYBIND11_MODULE(_core, m) {
#endif
  fullconv::python::define(m);
}
