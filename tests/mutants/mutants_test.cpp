// A check that nothing can fail checks nothing: the conformance check must reject every mutant.

#include "mutants/mutants.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "support/conformance.h"

namespace fullconv::testing {
namespace {

bool is_layer(const Problem& problem) { return !problem.is_dense() || !problem.is_whole(); }

struct Rejection {
  Case on;
  std::string what;
};

void PrintTo(const Rejection& rejection, std::ostream* out) {
  *out << to_string(rejection.on) << ", " << rejection.what;
}

/// Of each that the conformance check rejects in this scalar, by name: the first case on which it
/// does, and for what. One that takes layers as they are is tried on those only.
template <class T>
std::map<std::string_view, Rejection> rejections(std::span<const Algorithm* const> algorithms) {
  std::map<std::string_view, Rejection> rejected;
  std::vector<const Algorithm*> left(algorithms.begin(), algorithms.end());
  for (const Case& c : conformance_cases()) {
    std::optional<Examination<T>> examination;
    std::erase_if(left, [&](const Algorithm* algorithm) {
      if (algorithm->layers == Layers::native && !is_layer(c.problem)) return false;
      if (!examination) examination.emplace(c);
      const ConformanceResult found = examination->check_conformance(*algorithm);
      if (found.violations.empty()) return false;
      rejected[algorithm->name] = {c, found.violations.front()};
      return true;
    });
  }
  return rejected;
}

TEST(Mutants, SurviveOnlyUnmutated) {
  const Algorithm* const right[] = {&unmutated(), &unmutated_layer().algorithm};
  for (const auto& rejected : {rejections<float>(right), rejections<double>(right)}) {
    for (const auto& [name, rejection] : rejected) {
      ADD_FAILURE() << name << ": " << ::testing::PrintToString(rejection);
    }
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
  for (const auto& [name, rejection] : in_double) {
    std::cout << name << ": " << ::testing::PrintToString(rejection) << '\n';
  }
  std::cout << "killed " << in_double.size() << " of " << all.size() << '\n';
  EXPECT_GE(in_double.size(), 95U);
}

/// Whoever is rejected with usual operands is so at both ends of the range, where norms overflow or
/// underflow, and bounds with them, unless they are computed for that.
template <class T>
void expect_killed_at_both_ends() {
  std::size_t killed = 0;
  const std::vector<const Algorithm*> all = mutants();
  for (const auto& [name, rejection] : rejections<T>(all)) {
    if (rejection.on.family != Family::random) continue;
    for (const Family end : {Family::huge, Family::tiny}) {
      const Case at_end{rejection.on.problem, end};
      const auto mutant = std::ranges::find(all, name, &Algorithm::name);
      EXPECT_FALSE(Examination<T>(at_end).check_conformance(**mutant).violations.empty())
          << name << " survived " << to_string(at_end);
      ++killed;
    }
  }
  EXPECT_GE(killed, 100U);
}

TEST(Mutants, AreKilledAtBothEndsOfTheRange) {
  expect_killed_at_both_ends<float>();
  expect_killed_at_both_ends<double>();
}

}  // namespace
}  // namespace fullconv::testing
