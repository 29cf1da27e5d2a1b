// A check that nothing can fail checks nothing: the conformance check must reject every mutant.

#include "mutants/mutants.h"

#include <gtest/gtest.h>

#include <iostream>
#include <set>

#include "support/conformance.h"

namespace fullconv::testing {
namespace {

/// The first case on which the conformance check rejects the algorithm, and for what; empty if
/// none.
template <class T>
std::string rejection(const Algorithm& algorithm) {
  for (const Case& c : conformance_cases()) {
    const ConformanceResult found = check_conformance<T>(algorithm, c);
    if (!found.violations.empty()) return to_string(c) + ", " + found.violations.front();
  }
  return {};
}

TEST(Mutants, SurviveOnlyUnmutated) {
  EXPECT_EQ(rejection<float>(unmutated()), "");
  EXPECT_EQ(rejection<double>(unmutated()), "");
}

TEST(Mutants, AreAllKilled) {
  std::size_t killed = 0;
  std::set<std::string_view> names;
  for (const Algorithm& mutant : mutants()) {
    EXPECT_TRUE(names.insert(mutant.name).second) << mutant.name << " is there twice";
    const std::string in_double = rejection<double>(mutant);
    const std::string in_float = mutant.plan_f32 ? rejection<float>(mutant) : in_double;
    const bool dead = !in_float.empty() && !in_double.empty();
    EXPECT_TRUE(dead) << mutant.name << " survived in " << (in_float.empty() ? "float" : "double");
    if (!dead) continue;
    ++killed;
    std::cout << mutant.name << ": " << in_float << '\n';
  }
  std::cout << "killed " << killed << " of " << mutants().size() << '\n';
  EXPECT_GE(killed, 20U);
}

}  // namespace
}  // namespace fullconv::testing
