#include "result_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "memory.h"

namespace fullconv::cli {
namespace {

using testing::Accuracy;
using testing::Operands;
using testing::Oracle;
using testing::Reference;
using testing::Wide;

template <class T>
Oracle<T> make_oracle(const Operands<T>& operands) {
  return {operands.problem, operands.x_view(), operands.k_view()};
}

template <class T>
bool all_finite(const std::vector<T>& values) {
  return std::ranges::all_of(values, [](T value) { return std::isfinite(value); });
}

template <class T>
Operands<T> with_zeros_for_non_finite(Operands<T> operands) {
  for (auto* values : {&operands.x, &operands.k}) {
    std::ranges::replace_if(
        *values, [](T value) { return !std::isfinite(value); }, T{0});
  }
  return operands;
}

template <class T>
std::string describe(const Reference<T>& at, T is, Wide<T> expected) {
  return fmt::format("y[{},{},{},{}] is {} instead of {}", at.n, at.c, at.i, at.j, is,
                     static_cast<double>(expected));
}

}  // namespace

template <class T>
ResultCheck<T>::ResultCheck(const Operands<T>& operands)
    : oracle_(make_oracle(operands)),
      finite_operands_(all_finite(operands.x) && all_finite(operands.k)) {
  oracle_.for_each([&](const auto&) { ++outputs_; });
  if (finite_operands_ && !may_overflow()) return;

  require_memory(static_cast<double>(outputs_) * (2 * sizeof(Wide<T>) + sizeof(double)) +
                     static_cast<double>(operands.x.size() + operands.k.size()) * sizeof(T),
                 "a second oracle, for operands that are not finite,");
  definition_.reserve(outputs_);
  oracle_.for_each([&](const Reference<T>& r) { definition_.push_back(r.value); });
  if (!finite_operands_) oracle_ = make_oracle(with_zeros_for_non_finite(operands));
}

/// Σ|x|·Σ|k| is the most that any sum, and any point of a transform, can come to.
template <class T>
bool ResultCheck<T>::may_overflow(index_t n, index_t c) const {
  return !(oracle_.plane(n, c).magnitude <= std::numeric_limits<T>::max());
}

template <class T>
bool ResultCheck<T>::may_overflow() const {
  for (index_t n = 0; n < oracle_.problem().N; ++n)
    for (index_t c = 0; c < oracle_.problem().C; ++c)
      if (may_overflow(n, c)) return true;
  return false;
}

template <class T>
Finding ResultCheck<T>::check(const Algorithm& algorithm, const TensorView<const T>& y) const {
  if (!bounds_apply()) return check_non_finite(algorithm, y);
  const Accuracy accuracy = testing::measure_accuracy<T>(oracle_, algorithm.error_model, y);
  return {accuracy.within_bound() ? Outcome::ok : Outcome::wrong, outputs_,
          accuracy.error_in_bounds, accuracy.relative_l2, accuracy.worst};
}

template <class T>
Finding ResultCheck<T>::check_non_finite(const Algorithm& algorithm,
                                         const TensorView<const T>& y) const {
  Finding finding;
  std::size_t lost = 0;
  Wide<T> error_square = 0;
  Wide<T> value_square = 0;
  const auto wrong = [&](const std::string& what) {
    if (finding.outcome != Outcome::wrong) finding.remark = what;
    finding.outcome = Outcome::wrong;
  };

  std::size_t at = 0;
  oracle_.for_each([&](const Reference<T>& r) {
    const T is = y(r.n, r.c, r.i, r.j);
    const Wide<T> defined = definition_[at++];
    if (std::isfinite(is) && std::isfinite(defined)) {
      ++finding.compared;
      const Wide<T> error = is - defined;
      error_square += error * error;
      value_square += defined * defined;
      const double ratio =
          error == 0 ? 0
                     : static_cast<double>(std::abs(error) /
                                           testing::error_bound(algorithm.error_model, oracle_, r));
      finding.error_in_bounds = std::max(finding.error_in_bounds, ratio);
      if (ratio > 1) wrong(describe(r, is, defined));
      return;
    }
    const bool same = std::isnan(defined) ? std::isnan(is) : is == static_cast<T>(defined);
    if (same) return;
    const bool announced = algorithm.non_finite != NonFinite::as_defined && !finite_operands_;
    if (std::isfinite(is) || !(announced || may_overflow(r.n, r.c))) {
      wrong(describe(r, is, defined));
    } else {
      ++lost;
    }
  });

  finding.relative_l2 =
      error_square == 0 ? 0 : static_cast<double>(std::sqrt(error_square / value_square));
  if (finding.outcome == Outcome::ok && lost > 0) {
    finding.outcome = Outcome::not_applicable;
    finding.remark =
        fmt::format("{}, {} of {} outputs lost",
                    finite_operands_ ? "overflow" : "non-finite operands", lost, outputs_);
  }
  return finding;
}

template class ResultCheck<float>;
template class ResultCheck<double>;

}  // namespace fullconv::cli
