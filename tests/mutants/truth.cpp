#include "mutants/truth.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/accuracy.h"
#include "support/oracle.h"

namespace fullconv::testing {
namespace {

constexpr double kDoubleUnit = 0x1p-53;

bool is_finite(double value) { return std::isfinite(value); }

/// What is not finite as zero, so that bounds are.
Operands<double> with_zeros(Operands<double> operands) {
  for (auto* values : {&operands.x, &operands.k}) {
    for (double& value : *values) value = std::isfinite(value) ? value : 0;
  }
  return operands;
}

Operands<double> absolute(Operands<double> operands) {
  for (auto* values : {&operands.x, &operands.k}) {
    for (double& value : *values) value = std::abs(value);
  }
  return operands;
}

bool all_whole(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double value) { return value == std::rint(value); });
}

/// By the library's own sums, where the oracle takes too long.
std::vector<double> sums(const Operands<double>& operands) {
  const Problem& problem = operands.problem;
  auto planned =
      find_algorithm("auto")->plan<double>(problem, {.accuracy = ErrorModel::componentwise});
  std::vector<double> y(static_cast<std::size_t>(element_count(problem.y_extents())));
  std::get<std::unique_ptr<Plan<double>>>(planned)->execute(operands.x_view(), operands.k_view(),
                                                            {y.data(), problem.y_extents()});
  return y;
}

}  // namespace

ResultType floating_type(std::size_t bytes) {
  if (bytes == 2) return {0x1p-11, 0x1p-24, -65504, 65504, 0};
  if (bytes == 4) {
    constexpr double kLargest = std::numeric_limits<float>::max();
    return {0x1p-24, 0x1p-149, -kLargest, kLargest, 0};
  }
  constexpr double kLargest = std::numeric_limits<double>::max();
  return {kDoubleUnit, std::numeric_limits<double>::denorm_min(), -kLargest, kLargest, 0};
}

ResultType integer_type(std::size_t bytes, bool is_signed) {
  const double largest = std::ldexp(1, static_cast<int>(8 * bytes) - (is_signed ? 1 : 0)) - 1;
  return {0, 0, is_signed ? -largest - 1 : 0, largest, 0.5};
}

Output output_at(const Extents& extents, std::size_t place) {
  const auto& [N, C, I, J] = extents;
  auto rest = static_cast<index_t>(place);
  const index_t j = rest % J;
  rest /= J;
  const index_t i = rest % I;
  rest /= I;
  return {rest / C, rest % C, i, j};
}

Truth::Truth(const Operands<double>& operands, const ResultType& type)
    : problem_(operands.problem), type_(type) {
  const Problem& p = problem_;
  products_ = static_cast<double>(p.K / p.groups * std::min(p.H, p.h) * std::min(p.W, p.w));
  plane_size_ = static_cast<std::size_t>(p.output_rows() * p.output_columns());
  if (all_whole(operands.x) && all_whole(operands.k)) type_.half_step = 0;
  finite_operands_ =
      std::ranges::all_of(operands.x, is_finite) && std::ranges::all_of(operands.k, is_finite);
  if (p.multiply_adds() > kWholeOracleLimit) {
    compute(operands);
  } else {
    take_oracle(finite_operands_ ? operands : with_zeros(operands));
    if (!finite_operands_) {
      values_.clear();
      const Oracle<double> oracle(p, operands.x_view(), operands.k_view());
      oracle.for_each([&](const auto& r) { values_.push_back(static_cast<double>(r.value)); });
    }
  }
}

double Truth::sum_unit(double unit) const {
  // Two more for operands that are rounded to the result's type.
  return (products_ + 2) * std::max({unit, type_.unit, kDoubleUnit});
}

double Truth::absolute() const { return products_ * type_.least + type_.half_step; }

void Truth::take_oracle(const Operands<double>& operands) {
  const Oracle<double> oracle(problem_, operands.x_view(), operands.k_view());
  const double unit = std::max(type_.unit, kDoubleUnit);
  const double in_units = unit / kDoubleUnit;
  oracle.for_each([&](const Reference<double>& r) {
    values_.push_back(static_cast<double>(r.value));
    magnitudes_.push_back(static_cast<double>(r.magnitude));
    const double also = 2 * unit * magnitudes_.back() + absolute();
    const auto bound = [&](const ErrorModel& model) {
      return static_cast<double>(error_bound(model, oracle, r)) * in_units + also;
    };
    componentwise_.push_back(bound(ErrorModel::componentwise));
    low_rank_.push_back(bound(ErrorModel::low_rank));
    winograd_.push_back(bound(ErrorModel::winograd));
    if (r.i == 0 && r.j == 0) normwise_.push_back(0);
    normwise_.back() = std::max(normwise_.back(), bound(ErrorModel::normwise));
  });
}

void Truth::compute(const Operands<double>& operands) {
  values_ = sums(operands);
  const Operands<double> finite = with_zeros(operands);
  magnitudes_ = sums(fullconv::testing::absolute(finite));
  // What the library's own sums err by, too.
  const double unit = (products_ + 2) * (std::max(type_.unit, kDoubleUnit) + kDoubleUnit);
  for (const double magnitude : magnitudes_)
    componentwise_.push_back(unit * magnitude + absolute());
  const Oracle<double> oracle(problem_, finite.x_view(), finite.k_view());
  for (index_t n = 0; n < problem_.N; ++n)
    for (index_t c = 0; c < problem_.C; ++c) {
      const Reference<double> any{n, c, 0, 0, 0, oracle.plane(n, c).magnitude, 1, 0};
      const double in_units = std::max(type_.unit, kDoubleUnit) / kDoubleUnit;
      normwise_.push_back(static_cast<double>(error_bound(ErrorModel::normwise, oracle, any)) *
                              in_units +
                          absolute());
    }
}

double Truth::widest(std::size_t output) const {
  double bound = std::max(componentwise_[output], normwise_[output / plane_size_]);
  if (!low_rank_.empty()) bound = std::max(bound, low_rank_[output]);
  if (!winograd_.empty()) bound = std::max(bound, winograd_[output]);
  return bound;
}

double Truth::error(std::size_t output, double value, double bound) const {
  const double truth = values_[output];
  if (value == truth || (std::isnan(value) && std::isnan(truth))) return 0;
  // What is too large for the type, or for a sum of it, is infinite or no number.
  if (!std::isfinite(value) && (!magnitudes_.empty() && magnitudes_[output] > type_.largest)) {
    return 0;
  }
  const double in_bounds = std::abs(value - truth) / bound;
  return std::isnan(in_bounds) ? std::numeric_limits<double>::infinity() : in_bounds;
}

double Truth::worst(const std::vector<double>& result, const std::vector<double>& bounds) const {
  double most = 0;
  for (std::size_t i = 0; i < result.size(); ++i) {
    most = std::max(most, error(i, result[i], bounds[i]));
  }
  return most;
}

/// The bound is on the norm of a plane's errors.
double Truth::worst_normwise(const std::vector<double>& result) const {
  double most = 0, square = 0;
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (i % plane_size_ == 0) square = 0;
    // Less what each output may be off by for itself.
    const double bound = normwise_[i / plane_size_];
    const double own = absolute() / bound;
    const double excess = std::max(0.0, error(i, result[i], bound) - own);
    square += excess * excess;
    most = std::max(most, square);
  }
  return std::sqrt(most);
}

Truth::Fit Truth::fit(const std::vector<double>& result) const {
  const double componentwise = worst(result, componentwise_);
  if (componentwise <= 1) return {"componentwise", componentwise};
  if (const double most = worst_normwise(result); most <= 1) return {"normwise", most};
  if (!low_rank_.empty()) {
    if (const double most = worst(result, low_rank_); most <= 1) return {"low_rank", most};
  }
  if (!winograd_.empty()) {
    if (const double most = worst(result, winograd_); most <= 1) return {"winograd", most};
  }
  return {"", componentwise};
}

}  // namespace fullconv::testing
