// Who checks the checkers: the oracle, the operands, the bounds and the guarded tensors.

#include "support/oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "support/accuracy.h"
#include "support/operands.h"
#include "support/tensor.h"

namespace fullconv::testing {
namespace {

template <class T>
class OracleOf : public ::testing::Test {};
using Scalars = ::testing::Types<float, double>;
TYPED_TEST_SUITE(OracleOf, Scalars);

TYPED_TEST(OracleOf, TwoByTwoIsAsByHand) {
  using T = TypeParam;
  const T x[] = {1, 2, 3, 4};
  const T k[] = {5, -6, 7, 8};
  //  1 2 ∗ 5 −6      5   10−6        −12        5   4 −12
  //  3 4   7  8  =  15+7 20−18+14+8 −24+16  =  22  24  −8
  //                 21   28+24       32        21  52  32
  const double values[] = {5, 4, -12, 22, 24, -8, 21, 52, 32};
  const double magnitudes[] = {5, 16, 12, 22, 60, 40, 21, 52, 32};
  const index_t products[] = {1, 2, 1, 2, 4, 2, 1, 2, 1};
  const Oracle<T> oracle({.H = 2, .W = 2, .h = 2, .w = 2}, {x, 2, 2}, {k, 2, 2});
  EXPECT_FALSE(oracle.sampled());
  std::size_t at = 0;
  oracle.for_each([&](const Reference<T>& r) {
    EXPECT_EQ(r.i, static_cast<index_t>(at / 3));
    EXPECT_EQ(r.j, static_cast<index_t>(at % 3));
    EXPECT_EQ(r.value, values[at]);
    EXPECT_EQ(r.magnitude, magnitudes[at]);
    EXPECT_EQ(r.products, products[at]);
    ++at;
  });
  EXPECT_EQ(at, 9U);
  EXPECT_EQ(oracle.plane(0, 0).total, 10 * 14);
  EXPECT_EQ(oracle.plane(0, 0).magnitude, 10 * 26);
  EXPECT_DOUBLE_EQ(static_cast<double>(oracle.plane(0, 0).operand_norms), std::sqrt(30.0 * 174));
  EXPECT_DOUBLE_EQ(static_cast<double>(oracle.plane(0, 0).output_norm), std::sqrt(5478.0));
}

/// The definition once more, straight from its formula, with integers.
TYPED_TEST(OracleOf, LayersIsTheFormula) {
  using T = TypeParam;
  for (const char* text : {"n2_i3_o4_5x4_k3x2_ints", "n2_i1_o3_2x3_k4x5_ints", "7x9_k2x3_ints"}) {
    const Case c = parse_case(text);
    const index_t N = c.problem.N, C = c.problem.C, H = c.problem.H, W = c.problem.W,
                  h = c.problem.h, w = c.problem.w;
    const auto operands = make_operands<T>(c);
    const auto x = operands.x_view();
    const auto k = operands.k_view();
    index_t compared = 0;
    Oracle<T>(c.problem, x, k).for_each([&](const Reference<T>& r) {
      double sum = 0;
      index_t products = 0;
      for (index_t o = 0; o < c.problem.K; ++o)
        for (index_t p = 0; p < c.problem.h; ++p)
          for (index_t q = 0; q < c.problem.w; ++q) {
            const index_t row = r.i - p;
            const index_t column = r.j - q;
            if (row < 0 || column < 0 || row >= c.problem.H || column >= c.problem.W) continue;
            sum += x(r.n, o, row, column) * k(o, r.c, p, q);
            ++products;
          }
      EXPECT_EQ(r.value, sum) << text;
      EXPECT_EQ(r.products, products) << text;
      ++compared;
    });
    EXPECT_EQ(compared, N * C * (H + h - 1) * (W + w - 1));
  }
}

TYPED_TEST(OracleOf, SamplesIsTheWholeOne) {
  using T = TypeParam;
  for (const char* text : {"70x90_k9x5", "n2_i3_o4_17x13_k3x5", "5x3_k7x9", "1x300_k1x7"}) {
    const Problem problem = parse_problem(text);
    const auto operands = make_operands<T>({problem, Family::ints});
    const Oracle<T> whole(problem, operands.x_view(), operands.k_view());
    const Oracle<T> sampled(problem, operands.x_view(), operands.k_view(), 0);
    EXPECT_FALSE(whole.sampled());
    ASSERT_TRUE(sampled.sampled());

    using Place = std::tuple<index_t, index_t, index_t, index_t>;
    std::map<Place, Reference<T>> known;
    whole.for_each([&](const Reference<T>& r) { known.emplace(Place{r.n, r.c, r.i, r.j}, r); });
    std::set<Place> seen;
    int samples = 0;
    sampled.for_each([&](const Reference<T>& r) {
      const auto& expected = known.at({r.n, r.c, r.i, r.j});
      EXPECT_EQ(r.value, expected.value);
      EXPECT_EQ(r.magnitude, expected.magnitude);
      EXPECT_EQ(r.products, expected.products);
      seen.insert({r.n, r.c, r.i, r.j});
      ++samples;
    });
    EXPECT_GE(samples, 4096) << text;
    for (index_t n = 0; n < problem.N; ++n)
      for (index_t c = 0; c < problem.C; ++c) {
        for (const index_t i : {index_t{0}, problem.output_rows() - 1})
          for (const index_t j : {index_t{0}, problem.output_columns() - 1})
            EXPECT_TRUE(seen.contains({n, c, i, j})) << text << " without corner " << i << "," << j;
        EXPECT_EQ(whole.plane(n, c).total, sampled.plane(n, c).total);
        // Estimated from 4096 outputs: a fourth root of nothing would be further off.
        EXPECT_NEAR(
            static_cast<double>(sampled.plane(n, c).output_norm / whole.plane(n, c).output_norm), 1,
            0.5);
      }
  }
}

/// A sampled comparison sees one wrong value anywhere, by the sum of y, if it is wrong enough.
TYPED_TEST(OracleOf, SamplesChecksTheSum) {
  using T = TypeParam;
  const Problem problem = parse_problem("700x900_k3x3");
  const auto operands = make_operands<T>({problem, Family::ints});
  const Oracle<T> whole(problem, operands.x_view(), operands.k_view());
  const Oracle<T> sampled(problem, operands.x_view(), operands.k_view(), 0);
  Tensor<T> y(problem.y_extents());
  whole.for_each([&](const Reference<T>& r) { y(r.n, r.c, r.i, r.j) = static_cast<T>(r.value); });
  std::set<std::pair<index_t, index_t>> seen;
  sampled.for_each([&](const Reference<T>& r) { seen.emplace(r.i, r.j); });
  index_t unseen = 1;
  while (seen.contains({300, unseen})) ++unseen;

  const auto accuracy = [&] {
    return measure_accuracy(sampled, ErrorModel::componentwise, std::as_const(y).view());
  };
  EXPECT_TRUE(accuracy().sampled);
  EXPECT_TRUE(accuracy().within_bound()) << accuracy().worst;
  y(0, 0, 300, unseen) += T{0x1p40F};
  EXPECT_FALSE(accuracy().within_bound());
  EXPECT_NE(accuracy().worst.find("sum"), std::string::npos) << accuracy().worst;
}

TYPED_TEST(OracleOf, BoundsAreTheFormulas) {
  using T = TypeParam;
  constexpr double u = std::is_same_v<T, float> ? 0x1p-24 : 0x1p-53;
  const Problem problem = parse_problem("n1_i2_o1_20x30_k4x5");
  const auto operands = make_operands<T>({problem});
  const Oracle<T> oracle(problem, operands.x_view(), operands.k_view());
  const double log_points = std::log2(23.0 * 34.0);
  oracle.for_each([&](const Reference<T>& r) {
    const auto& plane = oracle.plane(r.n, r.c);
    const Wide<T> componentwise = static_cast<Wide<T>>(r.products) * u * r.magnitude;
    const Wide<T> normwise = 16 * u * log_points * (plane.operand_norms + plane.output_norm) +
                             2 * u * plane.operand_norms;
    // The oracle's own error adds less than a hundredth.
    const Wide<T> is_componentwise = error_bound(ErrorModel::componentwise, oracle, r);
    EXPECT_GE(is_componentwise, componentwise);
    EXPECT_LE(is_componentwise, 1.01 * componentwise);
    const Wide<T> is_normwise = error_bound(ErrorModel::normwise, oracle, r);
    EXPECT_GE(is_normwise, normwise * (1 - 1e-12));
    EXPECT_LE(is_normwise, 1.01 * normwise);
  });
}

/// Just outside a bound is outside, NaN is, and an output beside it does not hide that.
TYPED_TEST(OracleOf, AccuracySeesOneWrongOutput) {
  using T = TypeParam;
  const Problem problem = parse_problem("9x8_k3x2");
  const auto operands = make_operands<T>({problem});
  const Oracle<T> oracle(problem, operands.x_view(), operands.k_view());
  for (const ErrorModel model : {ErrorModel::componentwise, ErrorModel::normwise}) {
    Tensor<T> y(problem.y_extents());
    Wide<T> bound = 0;
    oracle.for_each([&](const Reference<T>& r) {
      y(r.n, r.c, r.i, r.j) = static_cast<T>(r.value);
      if (r.i == 4 && r.j == 5) bound = error_bound(model, oracle, r);
    });
    const auto within = [&] {
      return measure_accuracy(oracle, model, std::as_const(y).view()).within_bound();
    };
    EXPECT_TRUE(within());
    const T right = y(0, 0, 4, 5);
    y(0, 0, 4, 5) = static_cast<T>(right + 1.6 * bound);
    EXPECT_FALSE(within());
    y(0, 0, 4, 5) = static_cast<T>(right - 1.6 * bound);
    EXPECT_FALSE(within());
    y(0, 0, 4, 5) = std::numeric_limits<T>::quiet_NaN();
    EXPECT_FALSE(within());
    y(0, 0, 4, 5) = std::numeric_limits<T>::infinity();
    EXPECT_FALSE(within());
    Tensor<T> other(std::as_const(y).view());
    other(0, 0, 4, 5) = right;
    EXPECT_GT(distance_in_bounds(oracle, model, std::as_const(y).view(), model,
                                 std::as_const(other).view()),
              1);
  }
}

template <class T>
class OperandsOf : public ::testing::Test {};
TYPED_TEST_SUITE(OperandsOf, Scalars);

TYPED_TEST(OperandsOf, OneSeedAreAlwaysTheSame) {
  using T = TypeParam;
  const Case c = parse_case("n2_i3_o4_17x13_k3x5");
  EXPECT_EQ(make_operands<T>(c, 7).x, make_operands<T>(c, 7).x);
  EXPECT_EQ(make_operands<T>(c, 7).k, make_operands<T>(c, 7).k);
  EXPECT_NE(make_operands<T>(c, 7).x, make_operands<T>(c, 8).x);
  EXPECT_NE(make_operands<T>(c, 7).k, make_operands<T>(c, 8).k);
  // Anchored, since benchmark results of different machines are compared.
  EXPECT_EQ(make_operands<T>(parse_case("2x2_k2x2_ints"), 1).x.size(), 4U);
}

TYPED_TEST(OperandsOf, IntegersHaveExactSums) {
  using T = TypeParam;
  for (const char* text :
       {"8x8_k5x5_ints", "1x1_k1x1_ints", "100x100_k63x63_ints", "n2_i17_o3_9x9_k5x5_ints"}) {
    const Case c = parse_case(text);
    const auto operands = make_operands<T>(c);
    for (const auto* values : {&operands.x, &operands.k}) {
      for (const T value : *values) EXPECT_EQ(value, std::round(value)) << text;
    }
    Oracle<T>(c.problem, operands.x_view(), operands.k_view()).for_each([&](const Reference<T>& r) {
      EXPECT_LT(r.magnitude, 0x1p24) << text;
    });
  }
}

/// Whether reversing rows, columns or both, or transposing, gives the same plane.
template <class T>
bool has_symmetry(const TensorView<const T>& tensor) {
  const index_t I = tensor.extents[2];
  const index_t J = tensor.extents[3];
  bool rows = true, columns = true, both = true, transposed = I == J;
  for (index_t i = 0; i < I; ++i)
    for (index_t j = 0; j < J; ++j) {
      const T value = tensor(0, 0, i, j);
      rows = rows && value == tensor(0, 0, I - 1 - i, j);
      columns = columns && value == tensor(0, 0, i, J - 1 - j);
      both = both && value == tensor(0, 0, I - 1 - i, J - 1 - j);
      transposed = transposed && value == tensor(0, 0, j, i);
    }
  return rows || columns || both || transposed;
}

TYPED_TEST(OperandsOf, AllFamiliesAreAsDescribed) {
  using T = TypeParam;
  for (const Family family :
       {Family::random, Family::ints, Family::gauss, Family::box, Family::rank2}) {
    const Case c{parse_problem("16x16_k6x6"), family};
    SCOPED_TRACE(to_string(c));
    const auto operands = make_operands<T>(c);
    EXPECT_FALSE(has_symmetry(operands.x_view()));
    EXPECT_EQ(has_symmetry(operands.k_view()), family == Family::box);
    if (family != Family::ints) {
      for (const T value : operands.x) EXPECT_LE(std::abs(value), 1);
    }
  }
}

/// The rank of a plane, by elimination in double.
int rank_of(std::vector<std::vector<double>> rows) {
  int rank = 0;
  const std::size_t columns = rows.front().size();
  for (std::size_t column = 0; column < columns; ++column) {
    const auto pivot =
        std::max_element(rows.begin() + rank, rows.end(), [column](const auto& a, const auto& b) {
          return std::abs(a[column]) < std::abs(b[column]);
        });
    if (pivot == rows.end() || std::abs((*pivot)[column]) < 1e-6) continue;
    std::swap(*pivot, rows[static_cast<std::size_t>(rank)]);
    const auto& top = rows[static_cast<std::size_t>(rank++)];
    for (auto row = rows.begin() + rank; row != rows.end(); ++row) {
      const double factor = (*row)[column] / top[column];
      for (std::size_t q = 0; q < columns; ++q) (*row)[q] -= factor * top[q];
    }
  }
  return rank;
}

TEST(Operands, HaveTheRankOfTheirFamily) {
  for (const auto& [text, rank] : {std::pair{"16x16_k6x7", 6},
                                   {"16x16_k6x7_gauss", 1},
                                   {"16x16_k6x7_box", 1},
                                   {"16x16_k6x7_rank2", 2}}) {
    const auto operands = make_operands<double>(parse_case(text));
    std::vector<std::vector<double>> rows;
    for (auto row = operands.k.begin(); row != operands.k.end(); row += 7) {
      rows.emplace_back(row, row + 7);
    }
    EXPECT_EQ(rank_of(rows), rank) << text;
  }
}

TYPED_TEST(OperandsOf, GuardedTensorsMissWhatIsOverwritten) {
  using T = TypeParam;
  const Extents extents{2, 3, 4, 5};
  for (const Layout& layout :
       {Layout{}, kGapped, Layout{.order = {0, 2, 3, 1}, .step = {1, 1, -2, 1}, .offset = 1}}) {
    Tensor<T> tensor(extents, layout);
    tensor.fill(3);
    EXPECT_TRUE(tensor.guards_intact());
    T* const lowest = [&] {
      T* first = &tensor(0, 0, 0, 0);
      for_each_index(extents, [&](auto... at) { first = std::min(first, &tensor(at...)); });
      return first;
    }();
    EXPECT_TRUE(std::isnan(lowest[-1]));
    lowest[-1] = 0;
    EXPECT_FALSE(tensor.guards_intact());
  }
  Tensor<T> gapped(extents, kGapped);
  (&gapped(1, 2, 3, 4))[1] = std::numeric_limits<T>::quiet_NaN();  // another NaN
  EXPECT_FALSE(gapped.guards_intact());
}

}  // namespace
}  // namespace fullconv::testing
