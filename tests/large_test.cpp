// Problems whose whole oracle would take too long: checked by samples and by the sum of y.

#include <sstream>

#include "contender.h"
#include "support/trial.h"

namespace fullconv::testing {
namespace {

class Large : public EachSubject {};
FULLCONV_FOR_EACH_SUBJECT(Large);

TEST_P(Large, IsRightWhereSampled) {
  run([]<class T>(const Contender<T>& contender) {
    const Problem problem = parse_problem("1000x1010_k32x33");
    ASSERT_GT(problem.multiply_adds(), kWholeOracleLimit);
    // What a slow machine does in some seconds, without optimisation in some more.
    constexpr double affordable = 3e9;
    if (const double operations = contender.algorithm.operations(problem);
        operations > affordable) {
      std::ostringstream reason;
      reason << "takes " << operations << " operations, more than the " << affordable
             << " that this test affords";
      GTEST_SKIP() << reason.str();
    }
    const Trial<T> trial({problem});
    ASSERT_TRUE(trial.oracle.sampled());
    const auto y = contender.convolve(problem, trial.x(), trial.k());
    if (!y) GTEST_SKIP() << "declined";
    contender.expect_right(trial.oracle, y->view());
  });
}

}  // namespace
}  // namespace fullconv::testing
