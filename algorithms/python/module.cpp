// The compiled part of the Python module: NumPy arrays are viewed as tensors, and plans are kept
// and executed without the interpreter's lock. What arguments mean is the business of the Python
// files beside this one.

#include <pybind11/stl.h>

#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <variant>

#include "arrays.h"
#include "core/parallel.h"
#include "diagnose.h"
#include "forks.h"
#include "integers.h"
#include "plans.h"
#include "shared_plan.h"
#include "unlocked.h"

#ifdef __linux__
#include <sched.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

namespace fullconv::python {
namespace {

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

[[noreturn, gnu::cold, gnu::noinline]] void throw_wrong_type(const char* argument,
                                                             const py::handle given,
                                                             const char* expected) {
  throw py::type_error(std::string(argument) + " is " + std::string(py::repr(given)) +
                       ": expected " + expected);
}

[[noreturn, gnu::cold, gnu::noinline]] void throw_overflow(const char* argument,
                                                           const py::handle given) {
  const std::string text =
      std::string(argument) + " is " + std::string(py::repr(given)) + ": it overflows 64 bits";
  PyErr_SetString(PyExc_OverflowError, text.c_str());
  throw py::error_already_set();
}

/// The number of an argument that may also be None.
std::optional<py::ssize_t> optional_count(const char* argument, const py::handle given) {
  if (given.is_none()) return {};
  if (!PyIndex_Check(given.ptr())) throw_wrong_type(argument, given, "an int or None");
  const py::ssize_t count = PyNumber_AsSsize_t(given.ptr(), PyExc_OverflowError);
  if (count == -1 && PyErr_Occurred() != nullptr) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError) == 0) throw py::error_already_set();
    PyErr_Clear();
    throw_overflow(argument, given);
  }
  return count;
}

/// At most so many, if a number was asked for; whether it makes sense is for the plan to say.
std::optional<int> thread_limit(const py::handle threads) {
  const std::optional<py::ssize_t> count = optional_count("threads", threads);
  if (!count) return {};
  constexpr py::ssize_t kMost = std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp<py::ssize_t>(*count, -kMost, kMost));
}

std::optional<std::size_t> byte_limit(const py::handle bytes) {
  const std::optional<py::ssize_t> count = optional_count("workspace_limit", bytes);
  if (!count) return {};
  if (*count < 0) {
    throw std::invalid_argument("workspace_limit is " + std::to_string(*count) +
                                ": expected bytes, at least 0");
  }
  return static_cast<std::size_t>(*count);
}

[[noreturn, gnu::cold, gnu::noinline]] void throw_unknown_algorithm(const py::handle given) {
  std::string known;
  for (const Algorithm* algorithm : algorithms()) {
    known += (known.empty() ? "" : ", ") + std::string(algorithm->name);
  }
  throw std::invalid_argument("unknown algorithm " + std::string(py::repr(given)) +
                              ": expected one of " + known);
}

const Algorithm& algorithm_named(const py::handle given) {
  if (!py::isinstance<py::str>(given)) throw_wrong_type("algorithm", given, "a str");
  py::ssize_t size = 0;
  if (const char* name = PyUnicode_AsUTF8AndSize(given.ptr(), &size)) {
    const std::string_view view(name, static_cast<std::size_t>(size));
    if (const Algorithm* algorithm = find_algorithm(view)) return *algorithm;
  } else {
    PyErr_Clear();  // half of a surrogate pair has no UTF-8
  }
  throw_unknown_algorithm(given);
}

/// Throws where one of those is none, whatever the problem: for callers that compute nothing, or by
/// themselves.
void check_options(const py::handle algorithm, const py::handle threads) {
  algorithm_named(algorithm);
  if (const std::optional<int> limit = thread_limit(threads); limit && *limit < 1) {
    throw std::invalid_argument("threads is " + std::to_string(*limit) + ": it must be at least 1");
  }
}

int thread_count(const std::optional<int>& asked, const Algorithm& algorithm,
                 const Problem& problem) {
  if (asked) return *asked;
  // Where nothing forks, how many threads there might be need not be found out.
  if (!algorithm.threaded || !is_worth_forking(problem)) return 1;
  return allowed_threads();
}

/// What a layer is beside its shapes: padding (top, left, bottom, right), then for rows and columns
/// stride, dilation and output padding, then groups.
using Layer = std::tuple<std::array<index_t, 4>, std::array<index_t, 2>, std::array<index_t, 2>,
                         std::array<index_t, 2>, index_t>;

/// Throws where shapes and layer do not go together.
Problem problem_of(const Extents& x, const Extents& k, const Layer& layer) {
  const auto& [padding, stride, dilation, output_padding, groups] = layer;
  if (x[1] != k[0]) {
    throw std::invalid_argument("x has " + std::to_string(x[1]) + " channels and k takes " +
                                std::to_string(k[0]));
  }
  const Problem problem{.N = x[0],
                        .K = x[1],
                        .C = k[1] * groups,
                        .H = x[2],
                        .W = x[3],
                        .h = k[2],
                        .w = k[3],
                        .padding = {padding[0], padding[1], padding[2], padding[3]},
                        .stride = {stride[0], stride[1]},
                        .dilation = {dilation[0], dilation[1]},
                        .groups = groups,
                        .output_padding = {output_padding[0], output_padding[1]}};
  validate(problem);
  return problem;
}

/// Overwrites y, whose elements are of type T as those of x and k.
template <class T>
void convolve(const Problem& problem, const py::array& x, const py::array& k, py::array& y,
              const Algorithm& algorithm, const std::optional<int>& threads,
              const std::optional<std::size_t>& workspace_limit = {}) {
  const auto x_view = const_view<T>(x), k_view = const_view<T>(k);
  const auto y_view = mutable_view<T>(y);
  const bool dense = rows_are_dense(x_view) && rows_are_dense(k_view) && rows_are_dense(y_view);
  // Layers are bounded as PyTorch's are: its own tests hold them to 10 units of roundoff, which
  // Winograd's tiles miss. plan() has the faster ones.
  const bool layer = problem.K > 1 || problem.C > 1;
  const Request request{problem,
                        &algorithm,
                        {.threads = thread_count(threads, algorithm, problem),
                         .any_strides = !dense,
                         .accuracy = layer ? ErrorModel::componentwise : ErrorModel::normwise,
                         .workspace_limit = workspace_limit}};
  LentPlan<T> plan(request);
  unlocked(problem, [&] { plan.execute(x_view, k_view, y_view); });
}

/// What nearly every call is: the convolution of two planes of one type, float or double. None for
/// all else.
py::object convolve_planes(const py::handle in1, const py::handle in2, const std::string_view mode,
                           const py::handle name, const py::handle threads) {
  if (!is_plain_array(in1) || !is_plain_array(in2)) return py::none();
  const auto x = py::reinterpret_borrow<py::array>(in1), k = py::reinterpret_borrow<py::array>(in2);
  const Scalar scalar = scalar_of(x);
  if (scalar == Scalar::other || scalar != scalar_of(k)) return py::none();
  if (x.ndim() != 2 || k.ndim() != 2 || x.size() == 0 || k.size() == 0) return py::none();
  if (!is_addressable(x) || !is_addressable(k)) return py::none();

  Problem problem{.H = x.shape(0), .W = x.shape(1), .h = k.shape(0), .w = k.shape(1)};
  const index_t rows = problem.h - 1, columns = problem.w - 1;
  if (mode == "same") {
    problem.padding = {rows / 2, columns / 2, rows - rows / 2, columns - columns / 2};
  } else if (mode == "valid" && rows < problem.H && columns < problem.W) {
    problem.padding = {rows, columns, rows, columns};
  } else if (mode != "full") {
    return py::none();
  }
  const Algorithm& algorithm = algorithm_named(name);
  const std::optional<int> limit = thread_limit(threads);
  py::array y = new_array(x.dtype(), problem.y_extents(), 2);
  if (scalar == Scalar::f32) {
    convolve<float>(problem, x, k, y, algorithm, limit);
  } else {
    convolve<double>(problem, x, k, y, algorithm, limit);
  }
  return y;
}

template <class I>
void convolve_integers(const Problem& problem, const py::array& x, const py::array& k, py::array& y,
                       const Algorithm& algorithm, const std::optional<int>& threads) {
  const auto x_view = const_view<I>(x), k_view = const_view<I>(k);
  const auto y_view = mutable_view<I>(y);
  const int count = thread_count(threads, algorithm, problem);
  unlocked(problem, [&] {
    IntegerConvolution<I>(problem, algorithm, count, x_view, k_view).execute(y_view);
  });
}

/// Overwrites y. All have 4 axes and elements of one type: float, double or an integer, whose plans
/// take little workspace whatever the limit.
void convolve_tensors(const py::array& x, const py::array& k, py::array& y, const Layer& layer,
                      const py::handle name, const py::handle threads_or_none,
                      const py::handle workspace_limit) {
  const Algorithm& algorithm = algorithm_named(name);
  const std::optional<int> threads = thread_limit(threads_or_none);
  const Problem problem = problem_of(extents(x), extents(k), layer);
  const Scalar scalar = scalar_of(x);
  const auto limit = byte_limit(workspace_limit);
  if (scalar == Scalar::f32) return convolve<float>(problem, x, k, y, algorithm, threads, limit);
  if (scalar == Scalar::f64) return convolve<double>(problem, x, k, y, algorithm, threads, limit);

  const auto convolve_as = [&]<class I>(I) {
    convolve_integers<I>(problem, x, k, y, algorithm, threads);
  };
  const bool is_signed = x.dtype().kind() == 'i';
  switch (x.itemsize()) {
    case 1:
      return is_signed ? convolve_as(std::int8_t{}) : convolve_as(std::uint8_t{});
    case 2:
      return is_signed ? convolve_as(std::int16_t{}) : convolve_as(std::uint16_t{});
    case 4:
      return is_signed ? convolve_as(std::int32_t{}) : convolve_as(std::uint32_t{});
    default:
      return is_signed ? convolve_as(std::int64_t{}) : convolve_as(std::uint64_t{});
  }
}

py::list describe_algorithms() {
  py::list result;
  for (const Algorithm* algorithm : algorithms()) {
    py::list scalars;
    if (algorithm->plan_f32) scalars.append("float32");
    if (algorithm->plan_f64) scalars.append("float64");
    py::dict row;
    row["name"] = std::string(algorithm->name);
    row["summary"] = std::string(algorithm->summary);
    row["scalars"] = py::tuple(scalars);
    row["error_model"] = std::string(algorithm->error_model.name);
    row["threaded"] = algorithm->threaded;
    result.append(row);
  }
  return result;
}

std::unique_ptr<SharedPlan> plan(const Extents& x, const Extents& k, bool is_double,
                                 const Layer& layer, bool is_plane, const py::handle name,
                                 const py::handle threads, bool measure,
                                 const std::string_view accuracy,
                                 const std::optional<double> tolerance, bool reproducible,
                                 const py::handle workspace_limit) {
  const Problem problem = problem_of(x, k, layer);
  const Algorithm& algorithm = algorithm_named(name);
  const Request request{
      problem,
      &algorithm,
      {.threads = thread_count(thread_limit(threads), algorithm, problem),
       .effort = measure ? Effort::measure : Effort::estimate,
       .accuracy = accuracy == "componentwise" ? ErrorModel::componentwise : ErrorModel::normwise,
       .tolerance = tolerance,
       .reproducible = reproducible,
       .workspace_limit = byte_limit(workspace_limit)}};
  return std::make_unique<SharedPlan>(request, is_double, is_plane ? 2 : 4);
}

/// What is left where arguments are missing, or too many: pybind11 would answer in C++ types.
py::array refuse_call(const SharedPlan&, const py::args& given, const py::kwargs& named) {
  std::string what = std::to_string(given.size()) + " by position";
  for (const auto& [name, value] : named) what += ", " + std::string(py::str(name));
  throw py::type_error("a plan is called as plan(x, k, out=None): got " + what);
}

void define(py::module_& m) {
  prepare_for_forks();
  m.attr("__version__") = FULLCONV_VERSION;
  m.def("convolve_planes", convolve_planes);
  m.def("convolve_tensors", convolve_tensors);
  m.def("plan", plan);
  m.def("algorithms", describe_algorithms);
  m.def("allowed_threads", allowed_threads);
  m.def("check_options", check_options);
  define_diagnose(m);

  py::class_<SharedPlan> type(m, "Plan",
                              R"(A full convolution made ready to run; `fullconv.plan` makes it.

Attributes
----------
problem : str
    Its name, '8x8_k5x5' or 'n8_i64_o32_56x56_k3x3'.
dtype : numpy.dtype
    Of operands and result.
output_shape : tuple of int
    Of the result.
algorithm : str
    Who computes it: what 'auto' chose; several names where a layer has parts.
threads : int
    How many it uses.
workspace_bytes : int
    What it holds beside the operands.

Examples
--------
>>> import fullconv
>>> plan = fullconv.plan((8, 8), (5, 5))
>>> plan.output_shape, plan.threads
((12, 12), 1)
)");
  type.attr("__module__") = "fullconv";
  type.def_property_readonly("problem",
                             [](const SharedPlan& self) { return to_string(self.problem()); })
      .def_property_readonly("dtype", &SharedPlan::dtype)
      .def_property_readonly("output_shape", &SharedPlan::output_shape)
      .def_property_readonly("algorithm", &SharedPlan::algorithm)
      .def_property_readonly("threads", &SharedPlan::threads)
      .def_property_readonly("workspace_bytes", &SharedPlan::workspace_bytes)
      .def("__call__", &SharedPlan::execute, py::arg("x"), py::arg("k"),
           py::arg("out") = py::none())
      .def("__call__", refuse_call);
}

}  // namespace
}  // namespace fullconv::python

#if PYBIND11_VERSION_HEX >= 0x020D0000
PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
#else
PYBIND11_MODULE(_core, m) {
#endif
  fullconv::python::define(m);
}
