// Problems whose whole oracle would take too long: checked by samples and by the sum of y.

#include <sstream>

#include "contender.h"
#include "support/operands.h"

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
    const auto operands = make_operands<T>({problem});
    const auto y = contender.convolve(problem, operands.x_view(), operands.k_view());
    if (!y) GTEST_SKIP() << "declined";
    const Oracle<T> oracle(problem, operands.x_view(), operands.k_view());
    ASSERT_TRUE(oracle.sampled());
    const auto accuracy =
        measure_accuracy(oracle, contender.algorithm.error_model, std::as_const(*y).view());
    EXPECT_TRUE(accuracy.within_bound()) << accuracy.worst;
  });
}

}  // namespace
}  // namespace fullconv::testing
