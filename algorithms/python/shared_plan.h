#pragma once

#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "arrays.h"
#include "forks.h"
#include "plans.h"
#include "unlocked.h"

namespace fullconv::python {

/// A plan of the library with the lock that lets several threads share it, one after the other.
class SharedPlan {
 public:
  SharedPlan(const Request& request, bool is_double, std::size_t axes)
      : request_(request), axes_(axes) {
    const py::gil_scoped_release released;
    if (is_double) {
      plan_.emplace<Plans<double>>().dense = make_plan<double>(request);
    } else {
      plan_.emplace<Plans<float>>().dense = make_plan<float>(request);
    }
    request_.options.any_strides = true;
  }

  const Problem& problem() const { return request_.problem; }
  std::size_t workspace_bytes() const {
    return strided_bytes_ +
           std::visit([](const auto& plan) { return plan.dense->workspace_bytes(); }, plan_);
  }
  std::string algorithm() const {
    return std::visit([](const auto& plan) { return plan.dense->algorithm(); }, plan_);
  }
  int threads() const {
    return std::visit([](const auto& plan) { return plan.dense->threads(); }, plan_);
  }
  py::dtype dtype() const {
    return plan_.index() == 0 ? py::dtype::of<float>() : py::dtype::of<double>();
  }
  py::tuple output_shape() const {
    const Extents y = problem().y_extents();
    py::tuple shape(axes_);
    for (std::size_t axis = 0; axis < axes_; ++axis) shape[axis] = y[4 - axes_ + axis];
    return shape;
  }

  py::array execute(const py::handle x, const py::handle k, const py::handle out) {
    const py::array x_array = operand(x, "x"), k_array = operand(k, "k");
    py::array y = out.is_none()
                      ? new_array(dtype(), problem().y_extents(), static_cast<py::ssize_t>(axes_))
                      : operand(out, "out");
    if (!y.writeable()) throw std::invalid_argument("out is read-only");
    try {
      run(x_array, k_array, y);
    } catch (const std::invalid_argument&) {
      refuse(x_array, k_array, y);
    }
    return y;
  }

 private:
  void run(const py::array& x, const py::array& k, py::array& y) {
    std::visit(
        [&]<class T>(Plans<T>& plans) {
          const auto x_view = const_view<T>(x), k_view = const_view<T>(k);
          const auto y_view = mutable_view<T>(y);
          const auto execute = [&] {
            plan_for(x_view, k_view, y_view, plans).execute(x_view, k_view, y_view);
          };
          if (problem().multiply_adds() < kWorthReleasing) {
            // Whoever has the plan and no interpreter's lock needs a moment only.
            const std::unique_lock lock(mutex_, std::try_to_lock);
            if (lock.owns_lock()) return execute();
          }
          const py::gil_scoped_release released;
          const std::lock_guard lock(mutex_);
          execute();
        },
        plan_);
  }

  template <class T>
  struct Plans {
    std::unique_ptr<Plan<T>> dense, strided;
  };

  /// Room for copies of operands whose rows are not dense is booked once there are such.
  template <class T>
  Plan<T>& plan_for(const TensorView<const T>& x, const TensorView<const T>& k,
                    const TensorView<T>& y, Plans<T>& plans) {
    if (rows_are_dense(x) && rows_are_dense(k) && rows_are_dense(y)) return *plans.dense;
    if (!plans.strided) {
      plans.strided = make_plan<T>(request_);
      strided_bytes_ = plans.strided->workspace_bytes();
    }
    return *plans.strided;
  }

  /// Says what execute() has found wrong, by the names and shapes that arguments have here.
  [[noreturn]] void refuse(const py::array& x, const py::array& k, const py::array& out) const {
    require_shape(x, "x", problem().x_extents());
    require_shape(k, "k", problem().k_extents());
    require_shape(out, "out", problem().y_extents());
    // It looks at the bytes from the first to the last, so that views that take turns are refused,
    // too.
    const py::object may_share = py::module_::import("numpy").attr("may_share_memory");
    for (const auto& [name, operand] : {std::pair("x", &x), std::pair("k", &k)}) {
      if (py::cast<bool>(may_share(out, *operand))) {
        throw std::invalid_argument(std::string("out may share memory with ") + name);
      }
    }
    throw std::invalid_argument("out has the strides " +
                                std::string(py::repr(out.attr("strides"))) +
                                ": its elements may share memory");
  }

  static void require_shape(const py::array& array, const char* name, const Extents& expected) {
    if (std::equal(expected.end() - array.ndim(), expected.end(), array.shape())) return;
    const Extents given = extents(array);
    const auto text = [&](const Extents& sizes) {
      return std::string(py::repr(
          py::tuple(py::cast(std::vector<index_t>(sizes.end() - array.ndim(), sizes.end())))));
    };
    throw std::invalid_argument(std::string(name) + " is " + text(given) + ": the plan is for " +
                                text(expected));
  }

  /// Refuses what would have to be copied, which is for the caller to do, and once.
  py::array operand(const py::handle object, const char* name) const {
    if (!py::isinstance<py::array>(object)) {
      throw py::type_error(std::string(name) + " is of type " + Py_TYPE(object.ptr())->tp_name +
                           ": expected numpy.ndarray");
    }
    auto array = py::reinterpret_borrow<py::array>(object);
    if (scalar_of(array) != (plan_.index() == 0 ? Scalar::f32 : Scalar::f64)) {
      throw py::type_error(std::string(name) + " holds " + std::string(py::str(array.dtype())) +
                           ": the plan is for " + std::string(py::str(dtype())));
    }
    if (array.ndim() != static_cast<py::ssize_t>(axes_)) {
      throw std::invalid_argument(std::string(name) + " has " + std::to_string(array.ndim()) +
                                  " axes: the plan is for " + std::to_string(axes_));
    }
    if (!is_addressable(array)) {
      throw std::invalid_argument(std::string(name) + " is not aligned to its elements: copy it");
    }
    return array;
  }

  Request request_;  // for any strides
  std::size_t axes_;
  std::variant<Plans<float>, Plans<double>> plan_;
  std::atomic<std::size_t> strided_bytes_ = 0;
  ForkSafeMutex mutex_;
};

}  // namespace fullconv::python
