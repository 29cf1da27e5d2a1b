// What every algorithm shares around its own run(): the checks of execute() and the quiet refusals
// of plan().

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <stdexcept>

#include "core/built_in.h"
#include "core/layer_plan.h"
#include "core/prepared_kernel.h"
#include "core/scaled_operands.h"
#include "core/staged_plan.h"
#include "core/transposed_plan.h"
#include "fullconv/algorithm.h"

namespace fullconv {
namespace {

std::string to_text(const Extents& extents) {
  std::string text;
  for (const index_t extent : extents) {
    text += text.empty() ? '[' : ',';
    text += std::to_string(extent);
  }
  return text + ']';
}

/// The first byte that a view touches, and the one past the last.
struct Span {
  const std::byte* begin;
  const std::byte* end;
};

template <class T>
Span touched_span(const TensorView<T>& view) {
  index_t lowest = 0;
  index_t highest = 0;
  for (std::size_t axis = 0; axis < view.extents.size(); ++axis) {
    const index_t reach = (view.extents[axis] - 1) * view.strides[axis];
    (reach < 0 ? lowest : highest) += reach;
  }
  const auto* data = reinterpret_cast<const std::byte*>(view.data);
  constexpr auto size = static_cast<index_t>(sizeof(T));
  return {data + lowest * size, data + (highest + 1) * size};
}

/// As ==, which calls memcmp.
[[gnu::always_inline]] inline bool same(const Extents& a, const Extents& b) {
  return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

/// The memory of a view that has the shape of `expected` and is dense; else an empty span.
template <class T>
[[gnu::always_inline]] inline Span dense_span(const TensorView<T>& view,
                                              const TensorView<T>& expected) {
  if (!same(view.extents, expected.extents) || !same(view.strides, expected.strides)) return {};
  const auto* data = reinterpret_cast<const std::byte*>(view.data);
  constexpr auto size = static_cast<index_t>(sizeof(T));
  return {data, data + expected.extents[0] * expected.strides[0] * size};
}

bool overlap(const Span& a, const Span& b) {
  constexpr std::less<> before;
  return before(a.begin, b.end) && before(b.begin, a.end);
}

[[noreturn, gnu::cold, gnu::noinline]] void refuse(const std::string& reason) {
  throw std::invalid_argument(reason);
}

/// Says why a view does not fit.
template <class T>
[[noreturn, gnu::cold, gnu::noinline]] void refuse(char name, const TensorView<T>& view,
                                                   const Extents& expected) {
  const std::string it{name};
  if (!same(view.extents, expected)) {
    refuse(it + " is " + to_text(view.extents) + ": the plan is for " + to_text(expected));
  }
  if (view.data == nullptr) refuse(it + " has no data");
  refuse(it + " has innermost stride " + std::to_string(view.strides[3]) +
         ": plan with any_strides to have it staged");
}

/// Whether elements may share memory. They do not if a step along each axis is longer than what the
/// axes with smaller steps reach.
template <class T>
bool may_share_memory(const TensorView<T>& view) {
  const auto step = [&](std::size_t axis) { return std::abs(view.strides[axis]); };
  const auto is_nested = [&](const std::array<std::size_t, 4>& innermost_first) {
    index_t reach = 0;
    for (const std::size_t axis : innermost_first) {
      if (view.extents[axis] <= 1) continue;
      if (step(axis) <= reach) return false;
      reach += (view.extents[axis] - 1) * step(axis);
    }
    return true;
  };
  std::array<std::size_t, 4> axes{3, 2, 1, 0};
  if (is_nested(axes)) return false;
  std::ranges::sort(axes, {}, step);
  return !is_nested(axes);
}

/// Marks a plan as running for as long as it lives.
class Running {
 public:
  explicit Running([[maybe_unused]] std::atomic<bool>& flag) : flag_(flag) {
#ifndef NDEBUG
    if (flag_.exchange(true)) throw std::logic_error("two threads execute one plan");
#endif
  }
  ~Running() {
#ifndef NDEBUG
    flag_ = false;
#endif
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  [[maybe_unused]] std::atomic<bool>& flag_;
};

}  // namespace

template <class T>
void Plan<T>::execute(const TensorView<const T>& x, const TensorView<const T>& k,
                      const TensorView<T>& y, Accumulate accumulate) {
  // What most callers have needs no multiplications: with them, an empty execute() took 11 ns.
  const Span written = dense_span(y, dense_y_);
  const Span image = dense_span(x, dense_x_), kernel = dense_span(k, dense_k_);
  if (!written.begin || !image.begin || !kernel.begin || overlap(written, image) ||
      overlap(written, kernel)) {
    check(x, k, y);
  }
  const Running running(running_);
  if (accumulate == Accumulate::no) {
    run(x, k, y);
  } else if (!run_adding(x, k, y)) {
    add(y, [&](const TensorView<T>& sums) { run(x, k, sums); });
  }
}

template <class T>
void Plan<T>::prepare(const TensorView<const T>& k) {
  check_operand('k', k, dense_k_.extents);
  const Running running(running_);
  prepared_.reset();  // before the next one asks for room
  prepared_ = run_prepare(k);
}

template <class T>
void Plan<T>::execute_prepared(const TensorView<const T>& x, const TensorView<T>& y,
                               Accumulate accumulate) {
  if (prepared_ == nullptr) throw std::logic_error("no kernel was prepared: call prepare(k) first");
  check_operand('x', x, dense_x_.extents);
  check_output(y);
  if (overlap(touched_span(y), touched_span(x))) refuse("y overlaps x");
  const Running running(running_);
  if (accumulate == Accumulate::no) {
    run_prepared(x, *prepared_, y);
  } else {
    add(y, [&](const TensorView<T>& sums) { run_prepared(x, *prepared_, sums); });
  }
}

template <class T>
template <class Run>
void Plan<T>::add(const TensorView<T>& y, const Run& run) {
  if (sums_ == nullptr) {
    const auto room = std::make_shared<Buffer<T>>(element_count(dense_y_.extents));
    sums_ = {room, room->data()};
  }
  const TensorView<T> sums(sums_.get(), dense_y_.extents);
  run(sums);
  for_each_element(sums, y, [](const T& sum, T& to) { to += sum; });
}

template <class T>
bool Plan<T>::run_adding(const TensorView<const T>&, const TensorView<const T>&,
                         const TensorView<T>&) {
  return false;
}

template <class T>
std::unique_ptr<PreparedKernel<T>> Plan<T>::run_prepare(const TensorView<const T>& k) {
  return std::make_unique<KernelCopy<T>>(k);
}

template <class T>
void Plan<T>::run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                           const TensorView<T>& y) {
  run(x, static_cast<const KernelCopy<T>&>(k).view(), y);
}

template <class T>
void Plan<T>::check(const TensorView<const T>& x, const TensorView<const T>& k,
                    const TensorView<T>& y) const {
  check_operand('x', x, dense_x_.extents);
  check_operand('k', k, dense_k_.extents);
  check_output(y);
  const Span written = touched_span(y);
  if (overlap(written, touched_span(x))) refuse("y overlaps x");
  if (overlap(written, touched_span(k))) refuse("y overlaps k");
}

template <class T>
void Plan<T>::check_operand(char name, const TensorView<const T>& operand,
                            const Extents& expected) const {
  const bool fits =
      same(operand.extents, expected) && operand.data != nullptr &&
      (rows_are_dense(operand) || (name == 'k' ? takes_any_kernel_strides() : takes_any_strides()));
  if (!fits) refuse(name, operand, expected);
}

template <class T>
void Plan<T>::check_output(const TensorView<T>& y) const {
  check_operand('y', y, dense_y_.extents);
  if (may_share_memory(y)) {
    refuse("y has the strides " + to_text(y.strides) + ": its elements could share memory");
  }
}

template <class T>
Planned<T> Algorithm::plan_alone(const Problem& problem, const PlanOptions& options) const {
  Planned<T> planned = planner_of<T>(*this)(problem, options);
  if (auto* plan = std::get_if<std::unique_ptr<Plan<T>>>(&planned)) {
    // `auto` returns plans that others have named.
    if ((*plan)->algorithm_.empty()) (*plan)->algorithm_ = name;
  }
  return planned;
}

template <class T>
Planned<T> Algorithm::plan(const Problem& problem, const PlanOptions& options) const {
  validate(problem);
  if (options.threads < 1) {
    throw std::invalid_argument("threads is " + std::to_string(options.threads) +
                                ": it must be at least 1");
  }
  if (options.reproducible && (options.threads > 1 || options.effort != Effort::estimate)) {
    PlanOptions serial = options;
    serial.threads = 1;
    serial.effort = Effort::estimate;
    return plan<T>(problem, serial);
  }
  if (planner_of<T>(*this) == nullptr) return Declined{"does not offer this scalar"};
  if (options.threads > 1 && !threaded) return Declined{"is serial: takes one thread only"};

  const bool built_in = is_built_in(*this);
  if (built_in && is_column(problem)) return plan_transposed<T>(*this, problem, options);

  const bool is_layer = !problem.is_dense() || !problem.is_whole();
  if (is_layer && layers == Layers::none) {
    return Declined{"takes no padding, stride, dilation or groups"};
  }
  Planned<T> planned = takes_as_it_is(*this, problem)
                           ? with_any_strides<T>(plan_alone<T>(problem, options), options)
                           : plan_adapted<T>(*this, problem, options);
  // `auto` does so itself, of what it plans part by part.
  if (!built_in || delegates == Delegates::always) return planned;
  return with_scaled_operands<T>(*this, std::move(planned), options);
}

template class Plan<float>;
template class Plan<double>;
template Planned<float> Algorithm::plan_alone(const Problem&, const PlanOptions&) const;
template Planned<double> Algorithm::plan_alone(const Problem&, const PlanOptions&) const;
template Planned<float> Algorithm::plan(const Problem&, const PlanOptions&) const;
template Planned<double> Algorithm::plan(const Problem&, const PlanOptions&) const;

}  // namespace fullconv
