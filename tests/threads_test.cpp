// Plans are independent: several threads plan, execute and destroy at once.

#include <algorithm>
#include <latch>
#include <thread>

#include "contender.h"
#include "support/trial.h"

namespace fullconv::testing {
namespace {

constexpr int kRounds = 20;

/// One contender's work in a thread of its own: plans anew, executes, compares, kRounds times.
template <class T>
class Worker {
 public:
  Worker(const Contender<T>& contender, const Problem& problem, std::uint64_t seed)
      : contender_(contender), trial_({problem}, seed) {}

  void work() {
    const Problem& problem = trial_.oracle.problem();
    for (int round = 0; round < kRounds; ++round) {
      auto planned =
          contender_.algorithm.template plan<T>(problem, {.threads = contender_.threads});
      auto* plan = std::get_if<std::unique_ptr<Plan<T>>>(&planned);
      if (plan == nullptr) return;
      Tensor<T> y(problem.y_extents());
      (*plan)->execute(trial_.x(), trial_.k(), y.view());
      const TensorView<const T> result = y.view();
      const auto accuracy =
          measure_accuracy(trial_.oracle, contender_.algorithm.error_model, result);
      worst_ = std::max(worst_, accuracy.error_in_bounds);
      ++executed_;
    }
  }

  void expect_right() const {
    EXPECT_LE(worst_, 1) << contender_.algorithm.name;
    if (executed_ == 0) std::cout << contender_.algorithm.name << " declined\n";
  }

 private:
  Contender<T> contender_;
  Trial<T> trial_;
  double worst_ = 0;
  int executed_ = 0;
};

/// Runs all workers at once, each in a thread of its own.
template <class T>
void work_at_once(std::vector<Worker<T>>& workers) {
  std::latch start(static_cast<std::ptrdiff_t>(workers.size()));
  std::vector<std::jthread> threads;
  for (auto& worker : workers) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      worker.work();
    });
  }
  threads.clear();  // joins
  for (const auto& worker : workers) worker.expect_right();
}

class Threads : public EachSubject {};
FULLCONV_FOR_EACH_SUBJECT(Threads);

TEST_P(Threads, RunTwoPlansOfOneAlgorithm) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(
             parse_problems({"40x41_k9x8", "n2_i3_o4_33x29_k3x3", "n2_i16_o16_33x29_k1x1"}))) {
      std::vector<Worker<T>> workers;
      for (const std::uint64_t seed : {1, 2}) workers.emplace_back(contender, problem, seed);
      work_at_once(workers);
    }
  });
}

/// Planning and destroying alone, as fast as can be, which libraries with a global planner dislike.
TEST_P(Threads, PlanAtOnce) {
  run([]<class T>(const Contender<T>& contender) {
    constexpr std::ptrdiff_t crowd = 4;
    std::latch start(crowd);
    std::vector<std::jthread> threads;
    for (index_t number = 0; number < crowd; ++number) {
      threads.emplace_back([&, number] {
        start.arrive_and_wait();
        for (index_t size = 3; size < 150; ++size) {
          const Problem problem{.H = size + number, .W = 153 - size, .h = 3, .w = 3};
          contender.algorithm.template plan<T>(problem, {.threads = contender.threads});
        }
      });
    }
  });
}

template <class T>
class ThreadsOfAll : public ::testing::Test {};
using Scalars = ::testing::Types<float, double>;
TYPED_TEST_SUITE(ThreadsOfAll, Scalars);

TYPED_TEST(ThreadsOfAll, RunDifferentAlgorithmsAtOnce) {
  for (const Problem& problem : parse_problems({"40x41_k9x8", "n2_i3_o4_33x29_k3x3"})) {
    std::vector<Worker<TypeParam>> workers;
    std::uint64_t seed = 1;
    for (const Algorithm* algorithm : algorithms()) {
      const int threads = algorithm->threaded ? 2 : 1;
      workers.emplace_back(Contender<TypeParam>{*algorithm, threads}, problem, seed++);
    }
    work_at_once(workers);
  }
}

TYPED_TEST(ThreadsOfAll, AreDeclinedBySerialAlgorithms) {
  for (const Algorithm* algorithm : algorithms()) {
    if (algorithm->threaded) continue;
    const auto planned =
        algorithm->plan<TypeParam>({.H = 8, .W = 8, .h = 3, .w = 3}, {.threads = 2});
    const auto* declined = std::get_if<Declined>(&planned);
    ASSERT_NE(declined, nullptr) << algorithm->name << " is serial and took two threads";
    EXPECT_FALSE(declined->reason.empty()) << algorithm->name;
    EXPECT_EQ(declined->reason.find('\n'), std::string::npos) << algorithm->name;
  }
}

/// More than cores, and numbers that divide nothing.
TYPED_TEST(ThreadsOfAll, MayBeMany) {
  int executions = 0;
  for (const Algorithm* algorithm : algorithms()) {
    if (!algorithm->threaded) continue;
    for (const int threads : {3, 5, 8}) {
      const Contender<TypeParam> contender{*algorithm, threads};
      for (const Problem& problem : parse_problems(
               {"n1_i4_o1_3x3000_k14x5", "n1_i3_o2_5x2000_k10x5", "7x6_k300x280", "130x140_k2x3",
                "n1_i200_o1_20x20_k3x3", "n1_i40_o3_40x50_k5x5", "n2_i2_o3_33x29_k5x3"})) {
        SCOPED_TRACE(::testing::Message() << algorithm->name << ", " << threads << " threads");
        const auto plan = contender.plan(problem);
        if (!plan) continue;
        const Trial<TypeParam> trial({problem});
        Tensor<TypeParam> y(problem.y_extents());
        for (int execution = 0; execution < 2; ++execution, ++executions) {
          y.fill(std::numeric_limits<TypeParam>::quiet_NaN());
          plan->execute(trial.x(), trial.k(), y.view());
          contender.expect_right(trial.oracle, y.view());
        }
      }
    }
  }
  if (executions == 0) GTEST_SKIP() << "none of these takes several threads";
}

/// What other tests rely on: of these, one tile is all that there is to share.
TYPED_TEST(ThreadsOfAll, ShareATile) {
  const Algorithm* algorithm = find_algorithm("fft_overlap_save");
  if (algorithm == nullptr) GTEST_SKIP() << "fft_overlap_save is not among these";
  for (const Problem& problem : parse_problems({"7x6_k300x280", "n1_i200_o1_20x20_k3x3"})) {
    const auto plan = Contender<TypeParam>{*algorithm, 2}.plan(problem);
    EXPECT_EQ(plan->threads(), 2) << to_string(problem);
  }
}

/// Asking for many threads never gives more than that, nor more than there is work for.
TYPED_TEST(ThreadsOfAll, AreNoMoreThanAskedFor) {
  for (const Algorithm* algorithm : algorithms()) {
    if (!algorithm->threaded) continue;
    for (const int asked : {1, 2, 3, 64}) {
      const Contender<TypeParam> contender{*algorithm, asked};
      for (const Problem& problem :
           parse_problems({"1x1_k1x1", "1x1_k3x3", "8x8_k3x3", "n2_i3_o4_63x61_k3x3"})) {
        const auto plan = contender.plan(problem);
        if (!plan) continue;
        EXPECT_GE(plan->threads(), 1) << algorithm->name;
        EXPECT_LE(plan->threads(), asked) << algorithm->name;
      }
    }
  }
}

}  // namespace
}  // namespace fullconv::testing
