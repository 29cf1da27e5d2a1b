// A check that nothing can fail checks nothing: the conformance check must reject every mutant.

#include "mutants/mutants.h"

#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "support/conformance.h"

namespace fullconv::testing {
namespace {

bool is_layer(const Problem& problem) { return !problem.is_dense() || !problem.is_whole(); }

/// Of each that the conformance check rejects in this scalar, by name: the first case on which it
/// does, and for what. One that takes layers as they are is tried on those only.
template <class T>
std::map<std::string_view, std::string> rejections(std::span<const Algorithm* const> algorithms) {
  std::map<std::string_view, std::string> rejected;
  std::vector<const Algorithm*> left(algorithms.begin(), algorithms.end());
  for (const Case& c : conformance_cases()) {
    std::optional<Examination<T>> examination;
    std::erase_if(left, [&](const Algorithm* algorithm) {
      if (algorithm->layers == Layers::native && !is_layer(c.problem)) return false;
      if (!examination) examination.emplace(c);
      const ConformanceResult found = examination->check_conformance(*algorithm);
      if (found.violations.empty()) return false;
      rejected[algorithm->name] = to_string(c) + ", " + found.violations.front();
      return true;
    });
  }
  return rejected;
}

TEST(Mutants, SurviveOnlyUnmutated) {
  const Algorithm* const right[] = {&unmutated(), &unmutated_layer()};
  for (const auto& rejected : {rejections<float>(right), rejections<double>(right)}) {
    for (const auto& [name, what] : rejected) ADD_FAILURE() << name << ": " << what;
  }
}

TEST(Mutants, AreAllKilled) {
  const std::vector<const Algorithm*> all = mutants();
  const auto in_float = rejections<float>(all), in_double = rejections<double>(all);
  std::set<std::string_view> names;
  for (const Algorithm* mutant : all) {
    EXPECT_TRUE(names.insert(mutant->name).second) << mutant->name << " is there twice";
    EXPECT_TRUE(in_double.contains(mutant->name)) << mutant->name << " survived in double";
    if (mutant->plan_f32 == nullptr) continue;
    EXPECT_TRUE(in_float.contains(mutant->name)) << mutant->name << " survived in float";
  }
  for (const auto& [name, what] : in_double) std::cout << name << ": " << what << '\n';
  std::cout << "killed " << in_double.size() << " of " << all.size() << '\n';
  EXPECT_GE(in_double.size(), 80U);
}

}  // namespace
}  // namespace fullconv::testing
