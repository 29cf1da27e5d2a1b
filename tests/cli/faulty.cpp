// A registry for testing the command line: one correct algorithm and many that are not.

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "fullconv/fullconv.h"

namespace fullconv {
namespace {

template <class T>
constexpr T kNaN = std::numeric_limits<T>::quiet_NaN();

template <class T>
T correct_output(const TensorView<const T>& x, const TensorView<const T>& k, index_t n, index_t c,
                 index_t i, index_t j) {
  const auto& [N, K, H, W] = x.extents;
  T sum = 0;
  for (index_t o = 0; o < K; ++o)
    for (index_t p = std::max(index_t{0}, i - H + 1); p < std::min(k.extents[2], i + 1); ++p)
      for (index_t q = std::max(index_t{0}, j - W + 1); q < std::min(k.extents[3], j + 1); ++q)
        sum += x(n, o, i - p, j - q) * k(o, c, p, q);
  return sum;
}

template <class T, class Change>
void change_each(const TensorView<T>& y, const Change& change) {
  const auto& [N, C, I, J] = y.extents;
  for (index_t at = 0; at < N * C * I * J; ++at) y.data[at] = change(y.data[at]);
}

/// What becomes of the right output.
struct Keep {
  template <class T>
  static void apply(const TensorView<T>&) {}
};
struct Forget {
  template <class T>
  static void apply(const TensorView<T>& y) {
    change_each(y, [](T) { return kNaN<T>; });
  }
};
struct DropNaN {
  template <class T>
  static void apply(const TensorView<T>& y) {
    change_each(y, [](T value) { return std::isnan(value) ? T{7} : value; });
  }
};
struct SpreadNaN {
  template <class T>
  static void apply(const TensorView<T>& y) {
    T sum = 0;
    change_each(y, [&](T value) { return sum += value, value; });
    if (!std::isfinite(sum)) Forget::apply(y);
  }
};
struct WrongLast {
  template <class T>
  static void apply(const TensorView<T>& y) {
    const auto& [N, C, I, J] = y.extents;
    y(N - 1, C - 1, I - 1, J - 1) += T{1000};
  }
};

template <class T, class Change>
class LiarPlan final : public Plan<T> {
 public:
  explicit LiarPlan(const Problem& problem) : Plan<T>(problem) {}

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const auto& [N, C, I, J] = y.extents;
    for (index_t n = 0; n < N; ++n)
      for (index_t c = 0; c < C; ++c)
        for (index_t i = 0; i < I; ++i)
          for (index_t j = 0; j < J; ++j) y(n, c, i, j) = correct_output(x, k, n, c, i, j);
    Change::apply(y);
  }
};

template <class T>
class IdlePlan final : public Plan<T> {
 public:
  explicit IdlePlan(const Problem& problem) : Plan<T>(problem) {}

 protected:
  void run(const TensorView<const T>&, const TensorView<const T>&, const TensorView<T>&) override {}
};

template <class T>
Planned<T> plan_nothing(const Problem& problem, const PlanOptions&) {
  return std::make_unique<IdlePlan<T>>(problem);
}

template <class T, class Change>
Planned<T> plan_faulty(const Problem& problem, const PlanOptions&) {
  return std::make_unique<LiarPlan<T, Change>>(problem);
}

template <class T>
Planned<T> plan_refusal(const Problem&, const PlanOptions&) {
  return Declined{"kernel is not to my taste"};
}

template <class T>
Planned<T> plan_too_large(const Problem&, const PlanOptions&) {
  throw InsufficientMemory("a workspace of 12345 MiB does not fit");
}

template <class T>
Planned<T> plan_that_throws(const Problem&, const PlanOptions&) {
  throw std::runtime_error("two\nlines");
}

template <class Change>
constexpr Algorithm faulty(std::string_view name, NonFinite non_finite = NonFinite::as_defined) {
  return {.name = name,
          .summary = "for tests",
          .error_model = ErrorModel::componentwise,
          .non_finite = non_finite,
          .plan_f32 = plan_faulty<float, Change>,
          .plan_f64 = plan_faulty<double, Change>};
}

constexpr Algorithm planned_by(std::string_view name, Planner<float> f32, Planner<double> f64) {
  return {.name = name,
          .summary = "for tests",
          .error_model = ErrorModel::componentwise,
          .non_finite = NonFinite::as_defined,
          .plan_f32 = f32,
          .plan_f64 = f64};
}

constinit const Algorithm correct = faulty<Keep>("correct");
constinit const Algorithm forgets = faulty<Forget>("forgets");
constinit const Algorithm wrong_last = faulty<WrongLast>("wrong_last");
constinit const Algorithm drops_nan = faulty<DropNaN>("drops_nan", NonFinite::spreads);
constinit const Algorithm spreads_nan = faulty<SpreadNaN>("spreads_nan", NonFinite::spreads);
constinit const Algorithm spreads_undeclared = faulty<SpreadNaN>("spreads_undeclared");
constinit const Algorithm idle = planned_by("idle", plan_nothing<float>, plan_nothing<double>);
constinit const Algorithm declines =
    planned_by("declines", plan_refusal<float>, plan_refusal<double>);
constinit const Algorithm too_large =
    planned_by("too_large", plan_too_large<float>, plan_too_large<double>);
constinit const Algorithm throws =
    planned_by("throws", plan_that_throws<float>, plan_that_throws<double>);
constinit const Algorithm only_f64 = planned_by("only_f64", nullptr, plan_faulty<double, Keep>);

constexpr const Algorithm* kFaulty[] = {
    &correct,  &idle,      &forgets, &wrong_last, &drops_nan, &spreads_nan, &spreads_undeclared,
    &declines, &too_large, &throws,  &only_f64};

}  // namespace

std::span<const Algorithm* const> algorithms() { return kFaulty; }

const Algorithm* find_algorithm(std::string_view name) {
  const auto* found = std::ranges::find(kFaulty, name, &Algorithm::name);
  return found == std::end(kFaulty) ? nullptr : *found;
}

}  // namespace fullconv
