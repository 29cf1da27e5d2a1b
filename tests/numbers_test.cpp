// Numbers as people have them: subnormal operands, whole numbers, columns; tolerances, and bits
// that do not depend on threads.

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "contender.h"
#include "support/trial.h"

namespace fullconv::testing {
namespace {

class Numbers : public EachSubject {};
FULLCONV_FOR_EACH_SUBJECT(Numbers);

/// Whole multiples of the smallest subnormal number are exact in a sum of products, also where
/// operands are scaled on the way: for a plane, a layer, weights or samples, and where only some
/// are subnormal.
TEST_P(Numbers, SubnormalOperandsAreExact) {
  run([]<class T>(const Contender<T>& contender) {
    if (!contender.algorithm.error_model.exact_on_integers) {
      GTEST_SKIP() << "its error model promises nothing of small values beside large ones";
    }
    constexpr T unit = std::numeric_limits<T>::denorm_min();
    for (const char* text : {"64x65_k9x9", "n2_i4_o5_40x30_k5x3", "n1_i8_o8_40x41_k3x3_p1x1x1x1",
                             "n1_i64_o64_10x11_k1x1", "n1_i64_o64_40x41_k3x3_p1x1x1x1_g64"}) {
      const Problem problem = parse_problem(text);
      if (!contender.plan(problem)) continue;
      SCOPED_TRACE(text);
      for (const bool of_images : {false, true})
        for (const bool all : {true, false}) {
          auto operands = make_operands<T>({problem, Family::ints});
          std::mt19937 engine(7);
          for (T& value : of_images ? operands.x : operands.k) {
            if (all || engine() % 20 == 0) value *= unit;
          }
          const Oracle<T> oracle(problem, operands.x_view(), operands.k_view());
          const auto y = contender.convolve(problem, operands.x_view(), operands.k_view());
          if (!all) {
            contender.expect_right(oracle, y->view());
            continue;
          }
          oracle.for_each([&](const Reference<T>& r) {
            EXPECT_EQ((*y)(r.n, r.c, r.i, r.j), static_cast<T>(r.value));
          });
        }
    }
  });
}

/// Outputs of a usual magnitude are not sums of subnormal products, and what is large in x does not
/// overflow where kernels are scaled.
TEST_P(Numbers, GaussiansWithSubnormalMarginsAreRight) {
  run([]<class T>(const Contender<T>& contender) {
    for (const int exponent : {0, std::numeric_limits<T>::max_exponent - 6}) {
      const Problem problem = parse_problem("64x65_k21x21");
      if (!contender.plan(problem)) continue;
      auto operands = make_operands<T>({problem});
      for (T& value : operands.x) value = std::ldexp(value, exponent);
      const T width = std::sqrt(-200 / std::log(std::numeric_limits<T>::min()));
      for (index_t i = 0; i < 21; ++i)
        for (index_t j = 0; j < 21; ++j) {
          const auto square = static_cast<T>((i - 10) * (i - 10) + (j - 10) * (j - 10));
          operands.k[static_cast<std::size_t>(i * 21 + j)] =
              std::exp(-square / (width * width)) / 64;
        }
      ASSERT_LT(operands.k.front(), std::numeric_limits<T>::min());
      const Oracle<T> oracle(problem, operands.x_view(), operands.k_view());
      const auto y = contender.convolve(problem, operands.x_view(), operands.k_view());
      contender.expect_right(oracle, y->view());
    }
  });
}

/// A column is a row: the same bits, whatever lies between its elements.
TEST_P(Numbers, ColumnsAreRows) {
  run([]<class T>(const Contender<T>& contender) {
    const std::pair<const char*, const char*> pairs[] = {
        {"3000x1_k20x1", "1x3000_k1x20"},
        {"3000x1_k1x1", "1x3000_k1x1"},
        {"n2_i3_o2_200x1_k5x1_p2x0x1x0_s2x1_op1x0", "n2_i3_o2_1x200_k1x5_p0x2x0x1_s1x2_op0x1"}};
    for (const auto& [column, row] : pairs) {
      SCOPED_TRACE(column);
      const Problem problem = parse_problem(column);
      if (!contender.plan(problem)) continue;
      const Trial<T> trial({problem});
      const auto y = contender.convolve(problem, trial.x(), trial.k());
      const Problem across = parse_problem(row);
      const auto rows = contender.convolve(across, {trial.operands.x.data(), across.x_extents()},
                                           {trial.operands.k.data(), across.k_extents()});
      for_each_index(y->extents(), [&](index_t n, index_t c, index_t i, index_t j) {
        EXPECT_EQ((*y)(n, c, i, j), (*rows)(n, c, j, i));
      });

      // A column of a wider image.
      const Extents dense = problem.x_extents();
      std::vector<T> wide(trial.operands.x.size() * 3);
      for (std::size_t i = 0; i < trial.operands.x.size(); ++i) wide[3 * i] = trial.operands.x[i];
      const Extents strides{dense[1] * dense[2] * 3, dense[2] * 3, 3, 1};
      const auto of_wide = contender.convolve(problem, {wide.data(), dense, strides}, trial.k());
      contender.expect_right(trial.oracle, of_wide->view());
    }
  });
}

/// Whatever is asked for: threads, measuring.
TEST_P(Numbers, ReproduciblePlansGiveTheSameBits) {
  run([]<class T>(const Contender<T>& contender) {
    for (const char* text : {"200x300_k7x5", "130x140_k47x45", "n2_i8_o9_40x30_k3x3"}) {
      const Problem problem = parse_problem(text);
      if (!contender.plan(problem)) continue;
      SCOPED_TRACE(text);
      const Trial<T> trial({problem});
      const auto result = [&](const PlanOptions& options) {
        auto planned = contender.algorithm.template plan<T>(problem, options);
        Tensor<T> y(problem.y_extents());
        std::get<0>(planned)->execute(trial.x(), trial.k(), y.view());
        return y;
      };
      const Tensor<T> serial = result({.reproducible = true});
      const auto effort = contender.algorithm.name == "auto" ? Effort::measure : Effort::estimate;
      const Tensor<T> shared =
          result({.threads = contender.threads, .effort = effort, .reproducible = true});
      EXPECT_TRUE(same_bits(serial.view(), shared.view()));
    }
  });
}

/// For any number of threads where its row says so, and wherever operands lie in memory.
TEST_P(Numbers, BitsGoNeitherByMemoryNorByThreads) {
  run([]<class T>(const Contender<T>& contender) {
    const Algorithm& algorithm = contender.algorithm;
    if (!algorithm.same_bits) std::cout << "its row promises nothing of numbers of threads\n";
    for (const char* text :
         {"70x91_k7x5", "130x140_k47x45", "n2_i8_o9_40x30_k3x3", "n2_i8_o8_30x31_k5x5_p2x2x2x2_g8",
          "n2_i32_o33_15x16_k1x1", "n1_i64_o40_14x14_k3x3_p1x1x1x1", "n3_i17_o64_29x7_k3x3",
          "n1_i6_o5_30x31_k4x4_p1x1x1x1_s2x2"}) {
      const Problem problem = parse_problem(text);
      if (!contender.plan(problem)) continue;
      SCOPED_TRACE(text);
      const Trial<T> trial({problem});
      const auto result = [&](int threads, index_t offset) {
        const Layout layout{.offset = offset};
        const Tensor<T> x(trial.x(), layout), k(trial.k(), layout);
        Tensor<T> y(problem.y_extents(), layout);
        const auto planned = algorithm.plan<T>(problem, {.threads = threads});
        std::get<0>(planned)->execute(x.view(), k.view(), y.view());
        return y;
      };
      const Tensor<T> usual = result(contender.threads, 0);
      const auto expect_same = [&](const Tensor<T>& other) {
        EXPECT_TRUE(same_bits(usual.view(), other.view()));
      };
      for (const index_t offset : {1, 3, 8}) expect_same(result(contender.threads, offset));
      if (!algorithm.same_bits || !algorithm.threaded) continue;
      for (const int threads : {1, 2, 3, 5}) expect_same(result(threads, 0));
    }
  });
}

template <class T>
class OfAuto : public ::testing::Test {
 protected:
  static Tensor<T> convolve(const Problem& problem, const std::vector<T>& x,
                            const std::vector<T>& k) {
    Tensor<T> y(problem.y_extents());
    std::get<0>(find_algorithm("auto")->plan<T>(problem))
        ->execute({x.data(), problem.x_extents()}, {k.data(), problem.k_extents()}, y.view());
    return y;
  }

  static void expect_whole(const Problem& problem, const std::vector<T>& x,
                           const std::vector<T>& k) {
    const Tensor<T> y = convolve(problem, x, k);
    const Oracle<T> oracle(problem, {x.data(), problem.x_extents()},
                           {k.data(), problem.k_extents()});
    std::size_t wrong = 0;
    oracle.for_each([&](const Reference<T>& r) {
      wrong += y(r.n, r.c, r.i, r.j) == static_cast<T>(r.value) ? 0 : 1;
    });
    EXPECT_EQ(wrong, 0u) << to_string(problem);
  }
};
using Scalars = ::testing::Types<float, double>;
TYPED_TEST_SUITE(OfAuto, Scalars);

/// Counts of set pixels under a disk; sums of a photograph's bytes; small layers; and kernels of
/// low rank, with terms that are whole and with ones that are not.
TYPED_TEST(OfAuto, WholeNumbersGiveWholeNumbers) {
  using T = TypeParam;
  std::mt19937 engine(3);
  const Problem disk = parse_problem("150x160_k51x51");
  std::vector<T> pixels(150 * 160), k(51 * 51);
  for (T& pixel : pixels) pixel = engine() % 20 != 0 ? 1 : 0;
  for (index_t i = 0; i < 51; ++i)
    for (index_t j = 0; j < 51; ++j) {
      const bool inside = (i - 25) * (i - 25) + (j - 25) * (j - 25) <= 25 * 25;
      k[static_cast<std::size_t>(i * 51 + j)] = inside ? 1 : 0;
    }
  this->expect_whole(disk, pixels, k);
  for (T& pixel : pixels) pixel = static_cast<T>(engine() % 256);
  this->expect_whole(disk, pixels, k);
  std::ranges::fill(k, T{3});
  this->expect_whole(disk, pixels, k);
  for (index_t i = 0; i < 51; ++i)
    for (index_t j = 0; j < 51; ++j) {
      k[static_cast<std::size_t>(i * 51 + j)] = static_cast<T>((i % 3 + 2) * (j % 2 + 1) + i % 5);
    }
  this->expect_whole(disk, pixels, k);
  for (const char* text :
       {"96x96_k47x47_ints", "n1_i64_o64_14x14_k3x3_p1x1x1x1_ints", "n2_i3_o4_60x60_k11x11_ints"}) {
    const auto operands = make_operands<T>(parse_case(text));
    this->expect_whole(operands.problem, operands.x, operands.k);
  }
}

/// Within the tolerance there is what bounds its errors by it, and what has no such algorithm is
/// declined.
TYPED_TEST(OfAuto, TolerancesExcludeWhatDoesNotKeepThem) {
  using T = TypeParam;
  constexpr long double u = std::numeric_limits<T>::epsilon() / 2;
  const Problem problem = parse_problem("300x300_k31x31");
  std::size_t taken_most = 0;
  for (const double tolerance : {1e-18, 200 * double{u}, 400 * double{u}, 2000 * double{u}, 1.0}) {
    std::size_t taken = 0;
    for (const auto& [algorithm, forecast, excluded] :
         candidates<T>(problem, {.tolerance = tolerance})) {
      const long double bound = relative_bound(algorithm->error_model, problem, u);
      if (excluded.empty()) {
        EXPECT_LE(bound, tolerance) << algorithm->name;
        ++taken;
      } else if (bound > tolerance) {
        EXPECT_NE(excluded.find("tolerance"), std::string::npos) << excluded;
      }
    }
    EXPECT_GE(taken, taken_most);
    taken_most = taken;
    const auto planned =
        find_algorithm("auto")->template plan<T>(problem, {.tolerance = tolerance});
    EXPECT_EQ(std::holds_alternative<Declined>(planned), taken == 0) << tolerance;
  }
  EXPECT_GT(taken_most, 0u);
}

}  // namespace
}  // namespace fullconv::testing
