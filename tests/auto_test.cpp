// What `auto` promises beyond what every algorithm does: a choice within its limits, and the
// definition's answer where transforms have none.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "support/accuracy.h"
#include "support/operands.h"
#include "support/tensor.h"

namespace fullconv::testing {
namespace {

constexpr const char* kForTransforms = "96x96_k47x47";

const Algorithm& chooser() { return *find_algorithm("auto"); }

template <class T>
std::unique_ptr<Plan<T>> plan_auto(const Problem& problem, const PlanOptions& options = {}) {
  return std::get<0>(chooser().plan<T>(problem, options));
}

template <class T>
class Auto : public ::testing::Test {};
using Scalars = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Auto, Scalars);

/// The tests below need a choice that is not the definition itself.
bool transforms_are_chosen(const Problem& problem) {
  return candidates<float>(problem).front().algorithm->error_model == ErrorModel::normwise;
}

TYPED_TEST(Auto, RanksCandidatesByForecast) {
  const auto ranked = candidates<TypeParam>(parse_problem("64x64_k5x5"));
  ASSERT_FALSE(ranked.empty());
  EXPECT_TRUE(ranked.front().excluded.empty());
  EXPECT_TRUE(std::ranges::is_sorted(ranked, {}, [](const Candidate& candidate) {
    return std::pair(!candidate.excluded.empty(), candidate.forecast.seconds());
  }));
}

TYPED_TEST(Auto, SaysWhatItChooses) {
  const Problem problem = parse_problem("20x30_k5x3");
  EXPECT_EQ(chosen<TypeParam>(problem), candidates<TypeParam>(problem).front().algorithm);
  const PlanOptions measuring{.effort = Effort::measure};
  const Algorithm* measured = chosen<TypeParam>(problem, measuring);
  ASSERT_NE(measured, nullptr);
  EXPECT_NE(measured->forecast, nullptr) << measured->name;
  EXPECT_EQ(chosen<TypeParam>(problem, measuring), measured);
  EXPECT_THROW(chosen<TypeParam>(Problem{.H = 0}), std::invalid_argument);
}

/// The algorithm that a plan says it runs.
template <class T>
std::string algorithm_of(std::string_view name, const char* problem) {
  auto planned = find_algorithm(name)->plan<T>(parse_problem(problem));
  return std::get<std::unique_ptr<Plan<T>>>(planned)->algorithm();
}

TYPED_TEST(Auto, SaysWhoComputes) {
  using T = TypeParam;
  for (const char* problem : {"8x8_k5x5", "512x512_k63x63", "90x1_k7x1", "n1_i64_o64_28x28_k3x3",
                              "n1_i96_o3_28x28_k4x4_s4x4"}) {
    EXPECT_EQ(algorithm_of<T>("auto", problem), chosen<T>(parse_problem(problem))->name) << problem;
    EXPECT_EQ(algorithm_of<T>("zero_pad", problem), "zero_pad") << problem;
  }
  // Its parts have 2×2, 2×1, 1×2 and 1×1 taps.
  const std::string parts = algorithm_of<T>("auto", "n1_i64_o64_28x28_k3x3_p1x1x1x1_s2x2");
  for (std::size_t begin = 0, end = 0; end != std::string::npos; begin = end + 2) {
    end = parts.find(", ", begin);
    const std::string name = parts.substr(begin, end - begin);
    EXPECT_NE(find_algorithm(name), nullptr) << parts;
    EXPECT_NE(name, "auto") << parts;
  }
  EXPECT_EQ(algorithm_of<T>("fft", "n1_i4_o4_8x8_k3x3_p1x1x1x1_s2x2"), "fft");
}

/// Spectra of so many channels would take more bytes than 63 bits can count.
TYPED_TEST(Auto, LeavesOutTransformsOfCountlessChannels) {
  const Problem problem{.K = index_t{1} << 52};
  const auto ranked = candidates<TypeParam>(problem);
  const auto tiles =
      std::ranges::find(ranked, find_algorithm("fft_overlap_save"), &Candidate::algorithm);
  ASSERT_NE(tiles, ranked.end());
  EXPECT_FALSE(tiles->excluded.empty());
}

/// `same` and `valid` outputs take less than `full` ones of direct forms, whose products they have
/// a part of. Measured, p62 takes 0.37 of the whole.
TYPED_TEST(Auto, ForecastsCroppedOutputsByWhatIsWanted) {
  const auto* direct = find_algorithm("direct_simd");
  const auto seconds = [&](const char* text) {
    const auto ranked = candidates<TypeParam>(parse_problem(text));
    return std::ranges::find(ranked, direct, &Candidate::algorithm)->forecast.seconds();
  };
  for (const auto& [whole, cropped, most] :
       {std::tuple{"128x128_k63x63", "128x128_k63x63_p62x62x62x62", 0.6},
        std::tuple{"300x200_k31x15", "300x200_k31x15_p30x14x30x14", 0.95},
        std::tuple{"300x200_k5x3", "300x200_k5x3_p150x0x0x0", 0.7}}) {
    EXPECT_LT(seconds(cropped), most * seconds(whole)) << cropped;
    EXPECT_GT(seconds(cropped), 0.1 * seconds(whole)) << cropped;
  }
}

TYPED_TEST(Auto, ForecastsTheWorkspace) {
  for (const char* text :
       {"8x8_k5x5", "500x300_k31x17", "n2_i3_o4_30x20_k5x5", "64x64_k64x64", "1x1_k1x1",
        "n1_i64_o48_28x28_k3x3", "n3_i8_o7_1x1_k5x5", "n2_i32_o20_9x7_k1x1", "300x1_k20x1",
        "64x50_k9x9_p8x8x8x8", "40x30_k5x5_p4x4x4x4_s3x1", "n2_i6_o8_14x14_k3x3_p1x1x1x1",
        "n1_i64_o64_56x56_k3x3_s2x2", "n2_i8_o8_13x9_k4x3_p1x1x1x1_s2x3", "n1_i4_o6_10x9_k3x3_d2x2",
        "n1_i8_o8_12x12_k3x3_s2x2_d3x1", "n2_i16_o16_28x28_k3x3_p1x1x1x1_s2x2_g16",
        "n1_i32_o16_20x20_k3x3_s1x2_g8", "n2_i5_o7_9x8_k2x2_p1x0x0x1_s2x2"}) {
    const Problem problem = parse_problem(text);
    for (const int threads : {1, 2}) {
      for (const auto& [algorithm, forecast, excluded] :
           candidates<TypeParam>(problem, {.threads = threads})) {
        if (!excluded.empty()) continue;
        const auto planned = algorithm->template plan<TypeParam>(
            problem, {.threads = algorithm->threaded ? threads : 1});
        const auto workspace = static_cast<double>(std::get<0>(planned)->workspace_bytes());
        EXPECT_EQ(workspace, static_cast<double>(forecast.workspace_bytes))
            << algorithm->name << " on " << text;
      }
    }
  }
}

TYPED_TEST(Auto, UsesNoTransformWhereErrorsAreToBeComponentwise) {
  const Problem problem = parse_problem("64x64_k63x63");
  const PlanOptions options{.accuracy = ErrorModel::componentwise};
  for (const auto& [algorithm, forecast, excluded] : candidates<TypeParam>(problem, options)) {
    if (excluded == "declines the problem") continue;
    EXPECT_EQ(excluded.empty(), algorithm->error_model == ErrorModel::componentwise);
  }
  const auto operands = make_operands<TypeParam>({problem});
  Tensor<TypeParam> y(problem.y_extents());
  plan_auto<TypeParam>(problem, options)->execute(operands.x_view(), operands.k_view(), y.view());
  const Oracle<TypeParam> oracle(problem, operands.x_view(), operands.k_view());
  const Accuracy accuracy =
      measure_accuracy<TypeParam>(oracle, ErrorModel::componentwise, std::as_const(y).view());
  EXPECT_TRUE(accuracy.within_bound()) << accuracy.worst;
}

TYPED_TEST(Auto, StaysWithinItsWorkspace) {
  const Problem problem = parse_problem(kForTransforms);
  EXPECT_EQ(plan_auto<TypeParam>(problem, {.workspace_limit = 0})->workspace_bytes(), 0u);
  const auto unlimited = candidates<TypeParam>(problem);
  for (const auto& [algorithm, forecast, excluded] :
       candidates<TypeParam>(problem, {.workspace_limit = 0})) {
    const auto without_limit = std::ranges::find(unlimited, algorithm, &Candidate::algorithm);
    ASSERT_NE(without_limit, unlimited.end());
    if (!without_limit->excluded.empty()) continue;  // for another reason
    EXPECT_EQ(excluded.empty(), forecast.workspace_bytes == 0) << algorithm->name;
  }
}

/// Each of a layer's dense problems has a plan of its own, and their outputs are staged.
TYPED_TEST(Auto, StaysWithinItsWorkspaceForLayers) {
  const auto* automatic = find_algorithm("auto");
  int plans = 0, declined = 0;
  for (const char* text : {"n1_i64_o64_56x56_k3x3_s2x2", "n2_i16_o16_28x28_k3x3_p1x1x1x1_s2x2_g16",
                           "n1_i4_o6_100x90_k31x31_d2x2", "n1_i8_o8_40x40_k9x9_p4x4x4x4_s3x2"}) {
    const Problem problem = parse_problem(text);
    for (const std::size_t limit : {0u, 100u << 10, 1u << 20, 4u << 20}) {
      for (const int threads : {1, 2}) {
        auto planned =
            automatic->plan<TypeParam>(problem, {.threads = threads, .workspace_limit = limit});
        if (auto* plan = std::get_if<0>(&planned)) {
          EXPECT_LE((*plan)->workspace_bytes(), limit) << text;
          ++plans;
        } else {
          EXPECT_EQ(std::get<Declined>(planned).reason,
                    "no algorithm takes this problem within the limits given");
          ++declined;
        }
      }
    }
  }
  EXPECT_GT(plans, 0);
  EXPECT_GT(declined, 0);
}

TYPED_TEST(Auto, ChoosesByTimeToo) {
  const Problem problem = parse_problem("64x64_k9x9");
  const auto operands = make_operands<TypeParam>({problem});
  Tensor<TypeParam> y(problem.y_extents());
  plan_auto<TypeParam>(problem, {.effort = Effort::measure})
      ->execute(operands.x_view(), operands.k_view(), y.view());
  const Oracle<TypeParam> oracle(problem, operands.x_view(), operands.k_view());
  const Accuracy accuracy =
      measure_accuracy<TypeParam>(oracle, ErrorModel::normwise, std::as_const(y).view());
  EXPECT_TRUE(accuracy.within_bound()) << accuracy.worst;
}

/// Trying candidates takes a tenth of a second and more. FFTW, which remembers by itself, is left
/// out.
TYPED_TEST(Auto, RemembersWhatItMeasured) {
  using Clock = std::chrono::steady_clock;
  const Problem problem = parse_problem("n1_i32_o32_28x28_k5x5");  // close
  if (find_algorithm("im2col_gemm") == nullptr) GTEST_SKIP() << "there is nothing to choose from";
  const auto planning_time = [&] {
    const auto start = Clock::now();
    plan_auto<TypeParam>(problem,
                         {.effort = Effort::measure, .accuracy = ErrorModel::componentwise});
    return Clock::now() - start;
  };
  const auto first = planning_time();
  EXPECT_LT(planning_time(), first / 2);
  chooser().forget();
  EXPECT_GT(planning_time(), first / 2);
}

/// Spectra of the whole would need more than the operands and 64 MiB; the direct form, hours.
TYPED_TEST(Auto, TransformsImageSizeKernelsWithinItsWorkspace) {
  if (find_algorithm("fft") == nullptr) GTEST_SKIP() << "this build has no FFTW";
  for (const char* text : {"4096x4096_k4096x4096", "3000x3000_k1500x1500", "575x1743_k413x1625"}) {
    const auto best = candidates<TypeParam>(parse_problem(text), {}).front();
    EXPECT_NE(best.algorithm->error_model, ErrorModel::componentwise) << text;
    EXPECT_LT(best.forecast.seconds(), 30) << text;
  }
}

/// Exponents at which a transform would overflow, or lose what the definition keeps, were operands
/// not brought into range.
TYPED_TEST(Auto, IsRightWhereTransformsAreNot) {
  using T = TypeParam;
  const Problem problem = parse_problem(kForTransforms);
  if (!transforms_are_chosen(problem)) GTEST_SKIP() << "this build has no transforms";
  constexpr int top = std::numeric_limits<T>::max_exponent;
  constexpr int bottom = std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;
  struct Exponents {
    int x, k;
  };
  for (const auto& [x_exponent, k_exponent] :
       {Exponents{top - 10, -20}, Exponents{-20, top - 10}, Exponents{top / 2, top / 2 - 16},
        Exponents{40, bottom + 10}, Exponents{bottom + 10, 40}}) {
    SCOPED_TRACE(std::to_string(x_exponent) + " and " + std::to_string(k_exponent));
    auto operands = make_operands<T>({problem});
    for (T& value : operands.x) value = std::ldexp(value, x_exponent);
    for (T& value : operands.k) value = std::ldexp(value, k_exponent);
    Tensor<T> y(problem.y_extents());
    plan_auto<T>(problem)->execute(operands.x_view(), operands.k_view(), y.view());
    const Oracle<T> oracle(problem, operands.x_view(), operands.k_view());
    const Accuracy accuracy =
        measure_accuracy<T>(oracle, ErrorModel::normwise, std::as_const(y).view());
    EXPECT_TRUE(accuracy.within_bound()) << accuracy.worst;
  }
}

#ifndef NDEBUG
TEST(SharedPlan, IsCaughtInDebugBuilds) {
  const Problem problem = parse_problem("512x512_k31x31");
  const auto operands = make_operands<float>({problem});
  const auto plan = plan_auto<float>(problem, {.accuracy = ErrorModel::componentwise});
  std::atomic<int> caught = 0;
  const auto use = [&] {
    Tensor<float> y(problem.y_extents());
    for (int i = 0; i < 3; ++i) {
      try {
        plan->execute(operands.x_view(), operands.k_view(), y.view());
      } catch (const std::logic_error&) {
        ++caught;
      }
    }
  };
  std::thread other(use);
  use();
  other.join();
  EXPECT_GT(caught, 0);
}
#endif

}  // namespace
}  // namespace fullconv::testing
