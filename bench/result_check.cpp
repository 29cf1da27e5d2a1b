#include "result_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "memory.h"

namespace fullconv::cli {
namespace {

using testing::Accuracy;
using testing::Operands;

/// Twice what the oracle takes, for operands that are not finite.
template <class T>
testing::Expectation<T> make_expectation(const Operands<T>& operands) {
  const auto is_finite = [](T value) { return std::isfinite(value); };
  if (!std::ranges::all_of(operands.x, is_finite) || !std::ranges::all_of(operands.k, is_finite)) {
    const auto outputs = static_cast<double>(element_count(operands.problem.y_extents()));
    require_memory(outputs * (2 * sizeof(testing::Wide<T>) + sizeof(double)) +
                       static_cast<double>(operands.x.size() + operands.k.size()) * sizeof(T),
                   "a second oracle, for operands that are not finite,");
  }
  return {operands.problem, operands.x_view(), operands.k_view()};
}

}  // namespace

template <class T>
ResultCheck<T>::ResultCheck(const Operands<T>& operands)
    : expectation_(make_expectation(operands)) {
  expectation_.oracle().for_each([&](const auto&) { ++outputs_; });
}

template <class T>
Finding ResultCheck<T>::check(const Algorithm& algorithm, const TensorView<const T>& y) const {
  const Accuracy accuracy = expectation_.measure(algorithm, y);
  Finding finding{accuracy.within_bound() ? Outcome::ok : Outcome::wrong,
                  accuracy.compared,
                  accuracy.error_in_bounds,
                  accuracy.relative_l2,
                  accuracy.largest_bound,
                  accuracy.below_bound,
                  accuracy.worst};
  if (finding.outcome == Outcome::ok && accuracy.lost > 0) {
    finding.outcome = Outcome::not_applicable;
    finding.remark =
        fmt::format("{}, {} of {} outputs lost",
                    expectation_.has_finite_operands() ? "overflow" : "non-finite operands",
                    accuracy.lost, outputs_);
  }
  return finding;
}

template class ResultCheck<float>;
template class ResultCheck<double>;

}  // namespace fullconv::cli
