// A plan uses no more threads than it says, whatever the libraries beneath it would like.

#include <algorithm>
#include <filesystem>
#include <iterator>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "contender.h"
#include "support/operands.h"

namespace fullconv::testing {
namespace {

const std::filesystem::path kThreadsOfThisProcess = "/proc/self/task";

index_t count_threads() {
  return std::distance(std::filesystem::directory_iterator(kThreadsOfThisProcess),
                       std::filesystem::directory_iterator());
}

class ThreadCount : public EachSubject {
 protected:
  void SetUp() override {
    if (!exists(kThreadsOfThisProcess)) GTEST_SKIP() << "there is no " << kThreadsOfThisProcess;
  }
};
FULLCONV_FOR_EACH_SUBJECT(ThreadCount);

/// Runtimes keep the threads that they have started, so that they can be counted afterwards.
TEST_P(ThreadCount, IsAtMostWhatThePlanSays) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem :
         contender.taken(parse_problems({"512x512_k3x3", "300x300_k31x31", "343x343_k1x1",
                                         "n1_i64_o64_56x56_k3x3", "n8_i16_o6_10x10_k5x5"}))) {
      const index_t before = count_threads();
      const auto plan = contender.plan(problem);
      const auto operands = make_operands<T>({problem});
      Tensor<T> y(problem.y_extents());
      plan->execute(operands.x_view(), operands.k_view(), y.view());
      EXPECT_LE(plan->threads(), contender.threads) << to_string(problem);
      EXPECT_LE(count_threads(), std::max<index_t>(before, plan->threads())) << to_string(problem);
    }
  });
}

/// OpenBLAS 0.3.21 tells OpenMP what it is told, so that loops of the caller's would be serial.
TEST_P(ThreadCount, OfTheCallersOwnParallelRegionsIsLeftAlone) {
#ifdef _OPENMP
  run([]<class T>(const Contender<T>& contender) {
    const Problem problem = parse_problem("n1_i64_o64_28x28_k3x3");
    const int before = omp_get_max_threads();
    constexpr int kOfTheCaller = 3;
    omp_set_num_threads(kOfTheCaller);
    if (const auto plan = contender.plan(problem)) {
      EXPECT_EQ(omp_get_max_threads(), kOfTheCaller) << "after planning";
      const auto operands = make_operands<T>({problem});
      Tensor<T> y(problem.y_extents());
      plan->execute(operands.x_view(), operands.k_view(), y.view());
      EXPECT_EQ(omp_get_max_threads(), kOfTheCaller) << "after executing";
    }
    omp_set_num_threads(before);
  });
#else
  GTEST_SKIP() << "this build has no OpenMP";
#endif
}

}  // namespace
}  // namespace fullconv::testing
