// What the measuring rests on: balanced orders, the interval that ends a cell, handicaps that are
// what they say, floors that touch what they must.

#include "bench/blocks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include "bench/contender.h"
#include "bench/handicap.h"
#include "bench/interval.h"
#include "support/tensor.h"

namespace fullconv::bench {
namespace {

TEST(BalancedOrders, PutEachInEachPlaceAndBehindEachOtherEquallyOften) {
  std::mt19937_64 random(1);
  for (std::size_t n = 1; n <= 13; ++n) {
    const auto orders = balanced_orders(n, random);
    const std::size_t squares = n % 2 == 0 ? 1 : 2;
    ASSERT_EQ(orders.size(), squares * n);
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> places, neighbours;
    for (const auto& order : orders) {
      ASSERT_EQ(std::set(order.begin(), order.end()).size(), n);
      for (std::size_t place = 0; place < n; ++place) {
        ++places[{order[place], place}];
        if (place > 0) ++neighbours[{order[place - 1], order[place]}];
      }
    }
    ASSERT_EQ(places.size(), n * n);
    for (const auto& [key, count] : places) EXPECT_EQ(count, squares) << n;
    ASSERT_EQ(neighbours.size(), n * (n - 1));
    for (const auto& [key, count] : neighbours) EXPECT_EQ(count, squares) << n;
  }
}

TEST(BalancedOrders, AreOthersEachTime) {
  std::mt19937_64 random(1);
  EXPECT_NE(balanced_orders(8, random), balanced_orders(8, random));
}

// What log_mean of scripts/fullconv_scripts/comparison.py gives for these.
TEST(HalfWidth, IsThatOfTheReports) {
  const auto expect = [](const std::vector<double>& values, double at_95, double at_9999) {
    EXPECT_NEAR(half_width(values, 0.95), at_95, 1e-8 * at_95);
    EXPECT_NEAR(half_width(values, 0.9999), at_9999, 1e-8 * at_9999);
  };
  expect({0.1, 0.3, 0.2}, 0.24841377118437521, 5.773069670274137);
  std::vector<double> scattered, drifting;
  for (int i = 0; i < 23; ++i) scattered.push_back(0.01 * ((i * 7) % 11) - 0.03);
  for (int i = 0; i < 40; ++i) drifting.push_back(0.001 * i);
  expect(scattered, 0.018981226283688795, 0.04596789989095976);
  expect(drifting, 0.04711428491121908, 0.10566796758298377);
}

TEST(HalfWidth, KnowsNothingFromTwoValuesAndAllFromEqualOnes) {
  EXPECT_TRUE(std::isinf(half_width(std::vector{0.1, 0.2}, 0.95)));
  EXPECT_LT(half_width(std::vector{0.1, 0.1, 0.1}, 0.95), 1e-12);
}

class CountingPlan final : public Plan<float> {
 public:
  explicit CountingPlan(int& calls) : Plan(Problem{}), calls_(calls) {}

 protected:
  void run(const TensorView<const float>&, const TensorView<const float>&,
           const TensorView<float>&) override {
    ++calls_;
  }

 private:
  int& calls_;
};

TEST(HandicappedPlan, DoesSoManyPerCentMoreWork) {
  float x = 1, k = 1, y = 0;
  for (const int percent : {0, 2, 5, 10, 33, 250}) {
    int calls = 0;
    HandicappedPlan<float> plan(std::make_unique<CountingPlan>(calls), percent);
    for (int call = 0; call < 100; ++call) plan.execute({&x, 1, 1}, {&k, 1, 1}, {&y, 1, 1});
    EXPECT_EQ(calls, 100 + percent);
  }
}

TEST(Contenders, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const auto group : {ours(), peers(), floors()}) {
    for (const Contender& contender : group) {
      EXPECT_TRUE(names.insert(contender.algorithm->name).second) << contender.algorithm->name;
    }
  }
}

TEST(Contenders, OfWhichPeersSayWhatTheyAre) {
  for (const Contender& peer : peers()) {
    EXPECT_EQ(peer.kind, Kind::peer);
    ASSERT_NE(peer.version, nullptr) << peer.algorithm->name;
    EXPECT_FALSE(peer.version().empty()) << peer.algorithm->name;
  }
}

template <class T>
std::unique_ptr<Plan<T>> floor_plan(std::string_view name, const Problem& problem) {
  for (const Contender& contender : floors()) {
    if (contender.algorithm->name != name) continue;
    return std::get<std::unique_ptr<Plan<T>>>(contender.algorithm->plan<T>(problem));
  }
  return nullptr;
}

TEST(Floors, CopyEveryOperandAndWriteEveryOutput) {
  // y larger than x and k together, about as large, and smaller.
  for (const char* text : {"3x4_k5x6", "8x8_k2x2", "n2_i5_o1_4x4_k2x3"}) {
    const Problem problem = parse_problem(text);
    testing::Tensor<float> x(problem.x_extents()), k(problem.k_extents()), y(problem.y_extents());
    x.fill(1);
    k.fill(2);
    y.fill(NAN);
    floor_plan<float>("copy_operands", problem)->execute(x.view(), k.view(), y.view());
    testing::for_each_index(
        y.extents(), [&](auto... at) { EXPECT_TRUE(y(at...) == 1 || y(at...) == 2) << text; });
  }
}

TEST(Floors, OfAnEmptyCallTouchNothing) {
  const Problem problem = parse_problem("3x4_k5x6");
  testing::Tensor<double> x(problem.x_extents()), k(problem.k_extents()), y(problem.y_extents());
  y.fill(7);
  floor_plan<double>("empty_call", problem)->execute(x.view(), k.view(), y.view());
  testing::for_each_index(y.extents(), [&](auto... at) { EXPECT_EQ(y(at...), 7); });
}

}  // namespace
}  // namespace fullconv::bench
