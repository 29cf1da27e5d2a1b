// What low_rank promises beyond what every algorithm does: which kernels take two passes a term,
// and that they are right. The shortcut tells whether it was taken.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "direct/cross_approximation.h"
#include "fullconv/fullconv.h"
#include "support/accuracy.h"
#include "support/tensor.h"
#include "support/trial.h"

namespace fullconv::testing {
namespace {

const Algorithm& low_rank() { return *find_algorithm("low_rank"); }

/// One for which any number of terms pays.
template <class T>
std::unique_ptr<Shortcut<T>> plan_shortcut(const Problem& problem, const PlanOptions& options) {
  constexpr double kForever = 1e9;
  if constexpr (std::is_same_v<T, float>) {
    return low_rank().shortcut_f32(problem, options, kForever);
  } else {
    return low_rank().shortcut_f64(problem, options, kForever);
  }
}

/// The rank that is seen, or none.
template <class T>
std::optional<int> rank_of(const std::vector<T>& k, index_t h, index_t w, int most = kMostRank) {
  std::vector<double> residual(k.size());
  std::vector<T> terms(static_cast<std::size_t>(most * (h + w)));
  return cross_approximate<T>({k.data(), h, w, w}, most, residual.data(), {terms.data(), h, w});
}

template <class T>
std::optional<int> rank_of_case(const std::string& text, int most = kMostRank) {
  const auto operands = make_operands<T>(parse_case(text));
  return rank_of<T>(operands.k, operands.problem.h, operands.problem.w, most);
}

template <class T>
class LowRank : public ::testing::Test {
 protected:
  /// Whether the shortcut is taken. Then y is what it should be, and otherwise as it was.
  bool takes(const Trial<T>& trial, int threads = 1) {
    const Problem& problem = trial.operands.problem;
    constexpr T kBefore = 7;
    std::vector<T> y(static_cast<std::size_t>(element_count(problem.y_extents())), kBefore);
    const TensorView<T> view{y.data(), problem.y_extents()};
    const auto shortcut = plan_shortcut<T>(problem, {.threads = threads});
    if (!shortcut->try_execute(trial.x(), trial.k(), view)) {
      EXPECT_EQ(y, std::vector<T>(y.size(), kBefore));
      return false;
    }
    const Accuracy accuracy =
        measure_accuracy<T>(trial.oracle, ErrorModel::low_rank, {y.data(), problem.y_extents()});
    EXPECT_TRUE(accuracy.within_bound()) << accuracy.worst;
    return true;
  }
  bool takes(const std::string& text, int threads = 1) {
    SCOPED_TRACE(text);
    return takes(Trial<T>(parse_case(text)), threads);
  }
};
using Scalars = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LowRank, Scalars);

TYPED_TEST(LowRank, SeesRanks) {
  using T = TypeParam;
  EXPECT_EQ(rank_of_case<T>("9x9_k9x7_gauss"), 1);
  EXPECT_EQ(rank_of_case<T>("9x9_k31x31_gauss"), 1);
  EXPECT_EQ(rank_of_case<T>("9x9_k5x8_box"), 1);
  EXPECT_EQ(rank_of_case<T>("9x9_k9x7_rank2"), 2);
  EXPECT_EQ(rank_of_case<T>("9x9_k40x50_rank2"), 2);
  EXPECT_EQ(rank_of_case<T>("9x9_k9x7_rank2", 1), std::nullopt);
  EXPECT_EQ(rank_of_case<T>("9x9_k1x7"), 1);
  EXPECT_EQ(rank_of_case<T>("9x9_k7x1"), 1);
  EXPECT_EQ(rank_of_case<T>("9x9_k3x3"), 3);
  EXPECT_EQ(rank_of_case<T>("9x9_k7x7"), std::nullopt);
  EXPECT_EQ(rank_of<T>({1, 2, 1, 0, 0, 0, -1, -2, -1}, 3, 3), 1) << "Sobel";
  EXPECT_EQ(rank_of<T>({0, 1, 0, 1, -4, 1, 0, 1, 0}, 3, 3), 2) << "Laplace";
}

TYPED_TEST(LowRank, ExpandsKernelsThatSamplesDoNotTell) {
  // Zero but for one element, and then for the diagonal, most of which samples miss.
  using T = TypeParam;
  constexpr index_t kSize = 23;
  std::vector<T> k(kSize * kSize, 0);
  k[5 * kSize + 2] = 3;
  EXPECT_EQ(rank_of<T>(k, kSize, kSize), 1);
  for (std::size_t i = 0; i < kSize; ++i) k[i * kSize + i] = 1;
  EXPECT_EQ(rank_of<T>(k, kSize, kSize), std::nullopt);
}

TYPED_TEST(LowRank, TakesKernelsOfLowRank) {
  for (const int threads : {1, 2}) {
    for (const char* text :
         {"40x50_k9x7_gauss", "33x65_k31x31_gauss", "64x64_k15x15_box", "70x31_k8x21_rank2",
          "n2_i3_o2_20x40_k5x6_gauss", "n2_i2_o3_40x20_k9x6_rank2", "300x200_k25x25_rank2"}) {
      EXPECT_TRUE(this->takes(text, threads)) << text;
    }
  }
}

/// Widths around those of vectors and strips, kernels larger than the image.
TYPED_TEST(LowRank, IsRightAtAnySize) {
  for (const char* kernel : {"2x2", "2x3", "2x6", "9x5", "5x40", "25x3"}) {
    for (const index_t W : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 47, 64, 65, 70, 129}) {
      for (const index_t H : {1, 3, 8, 21}) {
        for (const char* family : {"_gauss", "_rank2"}) {
          const std::string text =
              std::to_string(H) + 'x' + std::to_string(W) + "_k" + kernel + family;
          EXPECT_TRUE(this->takes(text)) << text;
        }
      }
    }
  }
}

TYPED_TEST(LowRank, LeavesOtherKernels) {
  using T = TypeParam;
  EXPECT_FALSE(this->takes("30x30_k9x9"));
  EXPECT_FALSE(this->takes("n1_i2_o2_20x20_k5x5"));
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  for (const T disturbance : {T(1e-3), kInfinity, std::numeric_limits<T>::quiet_NaN()}) {
    // One of a layer's, too.
    for (const char* text : {"30x30_k9x9_gauss", "n1_i2_o2_20x20_k9x9_gauss"}) {
      auto operands = make_operands<T>(parse_case(text));
      for (std::size_t i = 0; i < 9; ++i) operands.k[i * 9 + i] += disturbance * static_cast<T>(i);
      EXPECT_EQ(rank_of<T>({operands.k.begin(), operands.k.begin() + 81}, 9, 9), std::nullopt);
      const auto shortcut = plan_shortcut<T>(operands.problem, {});
      Tensor<T> y(operands.problem.y_extents());
      EXPECT_FALSE(shortcut->try_execute(operands.x_view(), operands.k_view(), y.view()));
    }
  }
}

/// Squares of such elements overflow, or vanish.
TYPED_TEST(LowRank, LeavesKernelsFarFromOne) {
  using T = TypeParam;
  constexpr int top = std::numeric_limits<T>::max_exponent;
  constexpr int bottom = std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;
  for (const int exponent : {top - 1, bottom + 3}) {
    const T value = std::ldexp(T{1}, exponent);
    EXPECT_EQ(rank_of<T>(std::vector<T>(25, value), 5, 5), std::nullopt) << exponent;
  }
}

TYPED_TEST(LowRank, GivesZerosForZeroKernels) {
  using T = TypeParam;
  auto operands = make_operands<T>(parse_case("30x30_k9x9"));
  std::ranges::fill(operands.k, T{0});
  Tensor<T> y(operands.problem.y_extents());
  ASSERT_TRUE(plan_shortcut<T>(operands.problem, {})
                  ->try_execute(operands.x_view(), operands.k_view(), y.view()));
  for (index_t i = 0; i < operands.problem.output_rows(); ++i) {
    for (index_t j = 0; j < operands.problem.output_columns(); ++j) {
      ASSERT_EQ(y.view()(0, 0, i, j), 0) << i << ", " << j;
    }
  }
}

/// Two terms add up ∞ and −∞ where the definition has ∞.
TYPED_TEST(LowRank, GivesTheDefinitionsAnswerOnNonFiniteImages) {
  using T = TypeParam;
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  for (const char* text : {"30x70_k9x7_gauss", "30x70_k9x7_rank2", "n2_i2_o2_30x20_k5x6_rank2"}) {
    auto operands = make_operands<T>(parse_case(text));
    const Problem& problem = operands.problem;
    operands.x[5] = kInfinity;
    operands.x[16 * static_cast<std::size_t>(problem.W) + 3] = -kInfinity;
    operands.x[17 * static_cast<std::size_t>(problem.W) + 9] = std::numeric_limits<T>::quiet_NaN();
    Tensor<T> y(problem.y_extents()), expected(problem.y_extents());
    ASSERT_TRUE(
        plan_shortcut<T>(problem, {})->try_execute(operands.x_view(), operands.k_view(), y.view()));
    std::get<0>(find_algorithm("clamp_bounds")->plan<T>(problem))
        ->execute(operands.x_view(), operands.k_view(), expected.view());
    for (index_t n = 0; n < problem.N; ++n)
      for (index_t c = 0; c < problem.C; ++c)
        for (index_t i = 0; i < problem.output_rows(); ++i)
          for (index_t j = 0; j < problem.output_columns(); ++j) {
            const T is = y.view()(n, c, i, j), should = expected.view()(n, c, i, j);
            ASSERT_EQ(std::isnan(is), std::isnan(should)) << text << ' ' << i << ' ' << j;
            if (std::isinf(should) || std::isinf(is)) {
              ASSERT_EQ(is, should) << text << ' ' << i << ' ' << j;
            }
          }
  }
}

TYPED_TEST(LowRank, StaysWithinItsWorkspace) {
  using T = TypeParam;
  const Problem problem = parse_problem("64x64_k15x15");
  EXPECT_EQ(plan_shortcut<T>(problem, {.workspace_limit = 0}), nullptr);
  const std::size_t needed = plan_shortcut<T>(problem, {})->workspace_bytes();
  EXPECT_EQ(plan_shortcut<T>(problem, {.workspace_limit = needed - 1}), nullptr);
  EXPECT_NE(plan_shortcut<T>(problem, {.workspace_limit = needed}), nullptr);
}

TYPED_TEST(LowRank, LeavesSingleRowsAndColumns) {
  for (const char* text : {"200x300_k1x40", "300x200_k40x1", "9x9_k1x1"}) {
    EXPECT_EQ(plan_shortcut<TypeParam>(parse_problem(text), {}), nullptr) << text;
  }
}

/// Beside the workspace of what it has chosen it has the shortcut's.
TYPED_TEST(LowRank, IsWhatAutoTriesFirst) {
  using T = TypeParam;
  const auto beside_the_choice = [](const char* text, const PlanOptions& options) {
    const Problem problem = parse_problem(text);
    const auto plan = [&](const Algorithm& algorithm) {
      return std::get<0>(algorithm.plan<T>(problem, options))->workspace_bytes();
    };
    return plan(*find_algorithm("auto")) - plan(*candidates<T>(problem, options).front().algorithm);
  };
  EXPECT_GT(beside_the_choice("512x512_k9x9", {}), 0u);
  EXPECT_EQ(beside_the_choice("512x512_k9x9", {.accuracy = ErrorModel::componentwise}), 0u);
  EXPECT_EQ(beside_the_choice("512x512_k9x9", {.workspace_limit = 0}), 0u);
  EXPECT_EQ(beside_the_choice("8x8_k5x5", {}), 0u) << "where a look takes longer than all the rest";
}

}  // namespace
}  // namespace fullconv::testing
