// Every algorithm on every shape that breaks things.

#include "support/conformance.h"

#include <map>

#include "contender.h"

namespace fullconv::testing {
namespace {

class Conformance : public EachSubject {};
FULLCONV_FOR_EACH_SUBJECT(Conformance);

TEST_P(Conformance, HoldsOnEveryShape) {
  run([]<class T>(const Contender<T>& contender) {
    std::map<std::string, int> declined;
    int checked = 0;
    for (const Case& c : conformance_cases()) {
      const ConformanceResult found =
          check_conformance<T>(contender.algorithm, c, {.threads = contender.threads});
      if (!found.declined.empty()) {
        ++declined[found.declined];
        continue;
      }
      ++checked;
      for (const auto& violation : found.violations) {
        ADD_FAILURE() << to_string(c) << ", " << violation;
      }
    }
    std::cout << checked << " cases checked\n";
    for (const auto& [reason, count] : declined) {
      std::cout << count << " cases declined: " << reason << '\n';
    }
    EXPECT_GT(checked, 0) << "it declined every case: nothing is known of it";
  });
}

/// Who can, goes by blocks: ones that are lower than the kernel, and a last one that is lower
/// still.
TEST_P(Conformance, HoldsWithLittleWorkspace) {
  run([]<class T>(const Contender<T>& contender) {
    for (const char* text : {"64x40_k5x9", "50x30_k29x11", "61x8_k61x8", "n3_i2_o2_40x21_k12x5",
                             "n1_i2_o3_40x21_k12x5", "97x10_k30x3_ints", "150x40_k11x9"}) {
      const Case c = parse_case(text);
      const auto usual = contender.plan(c.problem);
      if (!usual) continue;
      for (const double fraction : {0.8, 0.6}) {
        const auto limit = static_cast<double>(usual->workspace_bytes()) * fraction;
        const ConformanceResult found = check_conformance<T>(
            contender.algorithm, c,
            {.threads = contender.threads, .workspace_limit = static_cast<std::size_t>(limit)});
        for (const auto& violation : found.violations) ADD_FAILURE() << text << ", " << violation;
      }
    }
  });
}

TEST_P(Conformance, UsesTheThreadsWhereThatPays) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem :
         contender.taken(parse_problems({"n2_i8_o8_128x128_k5x5", "n2_i8_o8_128x128_k3x3",
                                         "n2_i8_o8_128x128_k5x5_g8", "n2_i32_o32_128x128_k1x1"}))) {
      EXPECT_EQ(contender.plan(problem)->threads(), contender.threads) << to_string(problem);
    }
  });
}

}  // namespace
}  // namespace fullconv::testing
