// What the measuring rests on: balanced orders, the interval that ends a cell, handicaps that are
// what they say, floors that touch what they must.

#include "bench/blocks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <iostream>
#include <map>
#include <memory>
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

/// A contender whose times are made up, so that a cell of any length takes no time.
class MadeUpCell final : public Cell {
 public:
  /// Takes about `seconds`, by a factor of e^±noise, other in each repetition.
  MadeUpCell(SharedState& shared, const Entrant& entrant, double seconds, double noise,
             unsigned seed)
      : Cell(shared,
             {.entrant = &entrant,
              .problem = testing::parse_case("8x8_k3x3"),
              .threads = 1,
              .phase = Phase::execute,
              .mode = {},
              .limit = 1},
             "f32"),
        seconds_(seconds),
        noise_(0, noise),
        random_(seed) {}

  void renew() override {}

 protected:
  std::string verify() override { return {}; }
  void measure(benchmark::State& state) override {
    for (auto _ : state) state.SetIterationTime(seconds_ * std::exp(noise_(random_)));
  }
  double time_calls(index_t calls) override { return seconds_ * static_cast<double>(calls); }

 private:
  double seconds_;
  std::normal_distribution<double> noise_;
  std::mt19937_64 random_;
};

/// Contenders of names "0", "1", … that take so long, and what run_in_blocks() makes of them.
class Blocks : public ::testing::Test {
 protected:
  void enter(double seconds, double noise, Kind kind = Kind::ours) {
    static constexpr Algorithm kNone{.name = "made up",
                                     .summary = "",
                                     .error_model = ErrorModel::componentwise,
                                     .non_finite = NonFinite::as_defined};
    const auto number = static_cast<unsigned>(cells_.size());
    entrants_.push_back(
        {std::to_string(number), {.algorithm = &kNone, .kind = kind, .remote = true}});
    cells_.push_back(std::make_unique<MadeUpCell>(shared_, entrants_.back(), seconds, noise,
                                                  1000 * seed_ + number));
  }

  /// Logarithms of the times in each block, by contender.
  std::vector<std::vector<double>> run(double half_width, double confidence) {
    const auto runs = run_in_blocks(cells_, {.cell_time = 60,
                                             .half_width = half_width,
                                             .confidence = confidence,
                                             .repetition = 0.005,
                                             .seed = seed_});
    std::vector<std::vector<double>> times(cells_.size());
    for (const auto& run : runs) {
      const std::string name = run.run_name.function_name;
      const std::size_t begin = name.find('/') + 1;
      times[std::stoul(name.substr(begin, name.find('/', begin) - begin))].push_back(
          std::log(run.real_accumulated_time));
    }
    return times;
  }

  void start_anew(unsigned seed) {
    cells_.clear();
    entrants_.clear();
    seed_ = seed;
  }

 private:
  SharedState shared_;
  unsigned seed_ = 1;
  std::deque<Entrant> entrants_;
  std::vector<std::unique_ptr<Cell>> cells_;
};

TEST_F(Blocks, GoWhereTheDecisionIs) {
  enter(1, 0.03);
  enter(1.03, 0.03);
  enter(1.1, 0.03, Kind::peer);
  enter(2, 0.2);  // far off, though not known to within 1 % for each 10 % that it is
  enter(40, 0.03, Kind::peer);
  enter(0.01, 1, Kind::floor);
  const auto times = run(0.01, 0.95);
  for (const std::size_t near : {0, 1}) EXPECT_GT(times[near].size(), 40U) << near;
  EXPECT_GT(times[2].size(), 16U);
  for (const std::size_t far : {3, 4, 5}) EXPECT_EQ(times[far].size(), 8U) << far;
}

TEST_F(Blocks, AreNotSavedOnWhoMayBeNear) {
  enter(1, 0.3);
  enter(1.4, 0.3);  // eight blocks do not tell it from 1.2
  EXPECT_GT(run(0.05, 0.99)[1].size(), 20U);
}

/// When to stop is decided from the times. That must not make intervals miss more often.
TEST_F(Blocks, DoNotMakeUpDifferences) {
  constexpr int kRuns = 300;
  int missed = 0;
  for (unsigned seed = 1; seed <= kRuns; ++seed) {
    start_anew(seed);
    enter(1, 0.3);
    enter(1, 0.3);
    const auto times = run(0.25, 0.95);
    const std::size_t blocks = std::min(times[0].size(), times[1].size());
    std::vector<double> differences;
    for (std::size_t i = 0; i < blocks; ++i) differences.push_back(times[1][i] - times[0][i]);
    const double mean =
        std::accumulate(differences.begin(), differences.end(), 0.0) / static_cast<double>(blocks);
    missed += std::abs(mean) > half_width(differences, 0.95) ? 1 : 0;
  }
  // 15 are expected of 300; more than 30 come once in ten thousand times.
  EXPECT_LE(missed, 30);
  std::cout << missed << " of " << kRuns << " intervals at 95 % miss\n";
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
  for (const auto group : {ours(), variants(), peers(), floors()}) {
    for (const Contender& contender : group) {
      EXPECT_TRUE(names.insert(contender.algorithm->name).second) << contender.algorithm->name;
    }
  }
}

TEST(Contenders, OfWhichPeersSayWhatTheyAre) {
  for (const Contender& peer : peers()) {
    EXPECT_TRUE(peer.kind == Kind::peer || peer.kind == Kind::binding) << peer.algorithm->name;
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
