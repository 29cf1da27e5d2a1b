// The plans that the Python module keeps from call to call: the right one for each request, never
// one for two threads, and never too many.

#include "plans.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "support/trial.h"

namespace fullconv::python {
namespace {

using testing::Case;
using testing::Trial;

Request request_of(const Problem& problem) { return {problem, find_algorithm("auto"), {}}; }

TEST(Plans, AreFoundAgain) {
  PlanStore<float> store;
  const Request small = request_of({.H = 8, .W = 8, .h = 3, .w = 3});
  const Request large = request_of({.H = 9, .W = 8, .h = 3, .w = 3});
  Request threaded = small;
  threaded.options.threads = 2;
  EXPECT_EQ(store.take(small), nullptr);

  auto plan = make_plan<float>(small);
  const Plan<float>* const address = plan.get();
  store.give_back(small, std::move(plan));
  EXPECT_EQ(store.take(large), nullptr);
  EXPECT_EQ(store.take(threaded), nullptr);
  EXPECT_EQ(store.take(small).get(), address);
  EXPECT_EQ(store.take(small), nullptr) << "a plan was given to two";
}

TEST(Plans, GiveWayInOrderOfTheirLastUse) {
  PlanStore<float> store;
  const auto request = [](index_t rows) { return request_of({.H = rows, .W = 8, .h = 3, .w = 3}); };
  constexpr index_t kMany = 100;
  for (index_t rows = 1; rows <= kMany; ++rows) {
    store.give_back(request(rows), make_plan<float>(request(rows)));
  }
  EXPECT_NE(store.take(request(kMany)), nullptr);
  EXPECT_EQ(store.take(request(1)), nullptr);
}

TEST(Plans, AreNotKeptWhereTheyHoldMuch) {
  PlanStore<float> store;
  Request request = request_of({.H = 5000, .W = 5000, .h = 3, .w = 3});
  request.algorithm = find_algorithm("zero_pad");
  auto plan = make_plan<float>(request);
  ASSERT_GT(plan->workspace_bytes(), std::size_t{64} << 20);
  store.give_back(request, std::move(plan));
  EXPECT_EQ(store.take(request), nullptr);
}

/// Several threads lend themselves plans of `forks` threads each, for images of these sizes in
/// turn, whose results are exact.
void expect_right_from_many_threads(std::initializer_list<index_t> sizes, int forks, int turns) {
  std::vector<Trial<float>> trials;
  for (const index_t size : sizes) {
    trials.emplace_back(
        Case{.problem = {.H = size, .W = 9, .h = 3, .w = 4}, .family = testing::Family::ints});
  }
  const auto work = [&](std::size_t first) {
    for (int turn = 0; turn < turns; ++turn) {
      const Trial<float>& trial = trials[(first + static_cast<std::size_t>(turn)) % trials.size()];
      const Problem& problem = trial.operands.problem;
      std::vector<float> y(static_cast<std::size_t>(element_count(problem.y_extents())));
      Request request = request_of(problem);
      request.options = {.threads = forks, .accuracy = ErrorModel::componentwise};
      LentPlan<float>(request).execute(trial.x(), trial.k(), {y.data(), problem.y_extents()});
      trial.oracle.for_each([&](const auto& r) {
        const auto at = static_cast<std::size_t>(r.i * problem.output_columns() + r.j);
        EXPECT_EQ(y[at], static_cast<float>(r.value));
      });
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
}

TEST(Plans, ServeManyThreadsAtOnce) { expect_right_from_many_threads({5, 6, 7, 8}, 1, 200); }

TEST(Plans, OfSeveralThreadsRunSideBySide) {
  const Problem large{.H = 20'000, .W = 9, .h = 3, .w = 4};
  Request request = request_of(large);
  request.options = {.threads = 2, .accuracy = ErrorModel::componentwise};
  const int used = make_plan<float>(request)->threads();
  if (used < 2) GTEST_SKIP() << "this build's plans have one thread";
  expect_right_from_many_threads({large.H, large.H + 1}, 2, 10);
}

TEST(Plans, SayWhyThereIsNone) {
  Request request = request_of({.H = 8, .W = 8, .h = 3, .w = 3});
  request.algorithm = find_algorithm("zero_pad");
  request.options.threads = 2;
  try {
    make_plan<float>(request);
    FAIL() << "zero_pad took two threads";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::string(error.what()).find("zero_pad declined 8x8_k3x3: "), 0u) << error.what();
  }
}

}  // namespace
}  // namespace fullconv::python
