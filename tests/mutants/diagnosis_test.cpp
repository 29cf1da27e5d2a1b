// Whether results are diagnosed right, and mistakes called by their names.

#include "mutants/diagnosis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <limits>
#include <map>
#include <span>

#include "mutants/mutants.h"
#include "support/conformance.h"

namespace fullconv::testing {
namespace {

/// The names of what a diagnosis explains a result by, one after the other.
std::string names(const Diagnosis& diagnosis) {
  std::string text;
  for (const auto& [mistake, outputs] : diagnosis.explanations) {
    text += (text.empty() ? "" : " + ") + mistake.name;
  }
  return text;
}

template <class T>
Operands<double> in_double(const Operands<T>& operands) {
  return {operands.problem,
          {operands.x.begin(), operands.x.end()},
          {operands.k.begin(), operands.k.end()}};
}

/// What an algorithm makes of operands where the output held a number before; none if it declines.
template <class T>
std::vector<double> result_of(const Algorithm& algorithm, const Operands<T>& operands,
                              T before = 0) {
  auto planned = algorithm.plan<T>(operands.problem);
  if (std::holds_alternative<Declined>(planned)) return {};
  // Copies, with room around them: some mutants write there.
  const Tensor<T> x(operands.x_view()), k(operands.k_view());
  Tensor<T> y(operands.problem.y_extents());
  y.fill(before);
  std::get<std::unique_ptr<Plan<T>>>(planned)->execute(x.view(), k.view(), y.view());
  std::vector<double> values;
  for_each_index(y.extents(), [&](auto... at) { values.push_back(y(at...)); });
  return values;
}

bool is_layer(const Problem& problem) { return !problem.is_dense() || !problem.is_whole(); }

TEST(Diagnosis, IsRightOfAllThatIs) {
  std::size_t count = 0;
  const auto diagnose_all = [&]<class T>(T, const Case& c) {
    const auto operands = make_operands<T>(c);
    for (const Algorithm* algorithm : algorithms()) {
      // Its row says that it does otherwise.
      if (c.family == Family::non_finite && algorithm->non_finite != NonFinite::as_defined)
        continue;
      auto values = result_of(*algorithm, operands);
      if (values.empty()) continue;
      const Diagnosis diagnosis =
          diagnose(in_double(operands),
                   {c.problem.y_extents(), std::move(values), floating_type(sizeof(T))});
      EXPECT_TRUE(diagnosis.right) << algorithm->name << " " << to_string(c) << " in " << sizeof(T)
                                   << " bytes: " << diagnosis.error_in_bounds << " "
                                   << diagnosis.bound << ", " << names(diagnosis);
      EXPECT_LE(diagnosis.error_in_bounds, 1);
      EXPECT_TRUE(diagnosis.explanations.empty());
      ++count;
    }
  };
  const auto& cases = conformance_cases();
  for (std::size_t i = 0; i < cases.size(); i += 3) {
    diagnose_all(float{}, cases[i]);
    diagnose_all(double{}, cases[i]);
  }
  std::cout << count << " right results\n";
  EXPECT_GT(count, 1000U);
}

/// Cases of which each mutant is visible in at least one.
std::vector<Case> cases_of(const Algorithm& mutant) {
  std::vector<Case> cases;
  for (const Case& c : conformance_cases()) {
    if (c.problem.multiply_adds() > 3'000'000) continue;
    if (c.family == Family::box) continue;  // symmetric kernels hide what is wrong
    if (is_layer(c.problem) == (mutant.layers == Layers::native)) cases.push_back(c);
  }
  return cases;
}

/// Of mutants that are like others wherever they are wrong: those.
const std::map<std::string_view, std::string> kLike{
    {"odd_channel_ignored", "last_channel_ignored"},
    {"panel_of_one_column_stale", "last_column_stale"},
    {"stride_of_1x1_ignored", "stride_ignored"}};

TEST(Diagnosis, CallsMutantsByTheirNames) {
  for (const Algorithm* mutant : mutants()) {
    SCOPED_TRACE(mutant->name);
    const auto is_among = [&](std::span<const Algorithm> some) {
      return std::ranges::find(some, mutant->name, &Algorithm::name) != some.end();
    };
    if (is_among(number_mutants())) continue;  // which random operands do not show
    const bool hidden = is_among(hidden_mutants());
    std::map<std::string, int> found;
    int wrong = 0;
    for (const Case& c : cases_of(*mutant)) {
      const auto operands = make_operands<double>(c);
      const double before = hidden ? 0 : 12345;
      const Diagnosis diagnosis =
          diagnose(operands,
                   {c.problem.y_extents(), result_of(*mutant, operands, before), floating_type(8)});
      if (diagnosis.right) continue;
      ++wrong;
      ++found[names(diagnosis)];
      // One that accounts for all.
      const bool explained = diagnosis.explanations.size() == 1 &&
                             diagnosis.explanations.front().outputs == diagnosis.wrong;
      EXPECT_TRUE(explained) << to_string(c) << ": " << names(diagnosis) << "\n"
                             << picture(diagnosis);
      if (wrong == 12) break;
    }
    std::cout << mutant->name << ":";
    for (const auto& [name, count] : found) std::cout << " " << name << " " << count << "x";
    std::cout << std::endl;
    EXPECT_EQ(wrong == 0, hidden);
    if (hidden) continue;
    const auto like = kLike.find(mutant->name);
    EXPECT_TRUE(found.contains(like == kLike.end() ? std::string(mutant->name) : like->second));
  }
}

/// What one algorithm of ours gives for a problem.
std::vector<double> right_result(const Operands<double>& operands) {
  return result_of(*algorithms().front(), operands);
}

TEST(Diagnosis, SaysNothingOfWhatIsLikeMistakesByChance) {
  const auto operands = make_operands<double>(parse_case("12x9_k3x4"));
  auto values = right_result(operands);
  // Of signs alone, half a step away from most numbers.
  for (double& value : values) value = value > 0 ? 1 : 0;
  const Diagnosis diagnosis =
      diagnose(operands, {operands.problem.y_extents(), values, integer_type(1, false)});
  EXPECT_FALSE(diagnosis.right);
  EXPECT_EQ(names(diagnosis), "");
}

TEST(Diagnosis, ExplainsNoNumbersByInfiniteOnes) {
  auto operands = make_operands<double>(parse_case("12x9_k3x4"));
  const auto numbers = right_result(operands);
  for (auto* factors : {&operands.x, &operands.k}) {
    for (double& value : *factors) value *= 1e200;
  }
  const Extents extents = operands.problem.y_extents();
  EXPECT_TRUE(diagnose(operands, {extents, right_result(operands), floating_type(8)}).right);
  const Diagnosis diagnosis = diagnose(operands, {extents, numbers, floating_type(8)});
  EXPECT_FALSE(diagnosis.right);
  EXPECT_EQ(names(diagnosis), "");
}

}  // namespace
}  // namespace fullconv::testing
