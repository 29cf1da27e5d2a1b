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
    int judged = 0;
    for (const Case& c : conformance_cases()) {
      const Verdict verdict = judge<T>(contender.algorithm, c, {.threads = contender.threads});
      if (!verdict.declined.empty()) {
        ++declined[verdict.declined];
        continue;
      }
      ++judged;
      for (const auto& violation : verdict.violations) {
        ADD_FAILURE() << to_string(c) << ", " << violation;
      }
    }
    std::cout << judged << " cases judged\n";
    for (const auto& [reason, count] : declined) {
      std::cout << count << " cases declined: " << reason << '\n';
    }
    EXPECT_GT(judged, 0) << "it declined every case: nothing is known of it";
  });
}

TEST_P(Conformance, UsesTheThreadsWhereThatPays) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem :
         contender.taken(parse_problems({"n2_i8_o8_128x128_k5x5", "n2_i8_o8_128x128_k3x3"}))) {
      EXPECT_EQ(contender.plan(problem)->threads(), contender.threads) << to_string(problem);
    }
  });
}

}  // namespace
}  // namespace fullconv::testing
