// Winograd's matrices: that they convolve, and that they multiply rounding errors by no more than
// the error model says.

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "fullconv/error_model.h"
#include "fullconv/fullconv.h"
#include "winograd/cook_toom.h"
#include "winograd/tiling.h"

namespace fullconv::testing {
namespace {

using namespace winograd;  // NOLINT(google-build-using-namespace)

using Row = std::vector<double>;

/// A, G and Bᵀ by point: row i is what point i contributes to outputs, and takes of taps and
/// samples.
struct Matrices {
  std::vector<Row> a, g, b;

  explicit Matrices(TileAxis axis) {
    const int outputs = axis.outputs, taps = axis.taps;
    const CookToom<double> m = cook_toom<double>(axis);
    const int n = axis.points(), z = n % 2 == 0 ? 1 : 0, pairs = (n - 1 - z) / 2;
    const auto add_point = [&](Row outputs_row, Row taps_row, Row samples) {
      a.push_back(std::move(outputs_row));
      g.push_back(std::move(taps_row));
      b.push_back(std::move(samples));
    };
    const auto at = [](std::vector<double>& row, int i) -> double& {
      return row.at(static_cast<std::size_t>(i));
    };
    const auto size = [](int count) { return static_cast<std::size_t>(count); };
    const auto powers = [&](double p) {
      Row row(size(taps), 1);
      for (int k = 1; k < taps; ++k) at(row, k) = at(row, k - 1) * p;
      return row;
    };
    if (z == 1) {
      Row outputs_row(size(outputs)), samples(size(n));
      outputs_row[0] = m.zero_weight;
      for (int k = 0; k <= pairs; ++k) at(samples, 2 * k) = m.all[k];
      add_point(outputs_row, powers(0), samples);
    }
    for (int i = 0; i < pairs; ++i)
      for (const int sign : {1, -1}) {
        const double p = sign * m.point[i];
        Row outputs_row(size(outputs)), samples(size(n));
        for (int r = 0; r < outputs; ++r) {
          at(outputs_row, r) = m.weights[r][i] * (sign == 1 || (r + z) % 2 == 1 ? 1 : -1);
        }
        for (int k = 0; k < pairs; ++k) {
          at(samples, z + 1 + 2 * k) += m.others[i][k];
          at(samples, z + 2 * k) += p * m.others[i][k];
        }
        add_point(outputs_row, powers(p), samples);
      }
    Row outputs_row(size(outputs)), samples(size(n));
    outputs_row.back() = 1;
    for (int k = 0; k <= pairs; ++k) at(samples, z + 2 * k) = m.all[k];
    Row last(size(taps));
    last.back() = 1;
    add_point(outputs_row, last, samples);
  }
};

double norm(const Row& row) {
  double square = 0;
  for (const double value : row) square += value * value;
  return std::sqrt(square);
}

std::vector<TileAxis> all_axes() {
  std::vector<TileAxis> axes;
  for (int taps = 1; taps <= kMostTaps; ++taps) {
    const auto [fewest, most] = tile_sizes(taps);
    for (int outputs = fewest; outputs <= most; ++outputs) axes.push_back({outputs, taps});
    if (has_shorter({most, taps})) axes.push_back(shorter({most, taps}));
  }
  return axes;
}

class CookToomMatrices : public ::testing::TestWithParam<TileAxis> {
 protected:
  const Matrices m{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Winograd, CookToomMatrices, ::testing::ValuesIn(all_axes()),
                         [](const auto& of) {
                           return std::to_string(of.param.outputs) + "Outputs" +
                                  std::to_string(of.param.taps) + "Taps" +
                                  (of.param.without_zero ? "WithoutZero" : "");
                         });

/// Output r takes tap t of sample r + t, and nothing else.
TEST_P(CookToomMatrices, Correlate) {
  for (std::size_t r = 0; r < m.a[0].size(); ++r)
    for (std::size_t t = 0; t < m.g[0].size(); ++t)
      for (std::size_t s = 0; s < m.b[0].size(); ++s) {
        double product = 0;
        for (std::size_t i = 0; i < m.a.size(); ++i) product += m.a[i][r] * m.g[i][t] * m.b[i][s];
        EXPECT_NEAR(product, s == r + t ? 1 : 0, 1e-14) << r << ' ' << t << ' ' << s;
      }
}

TEST_P(CookToomMatrices, MultiplyErrorsNoMoreThanTheModelSays) {
  for (std::size_t r = 0; r < m.a[0].size(); ++r) {
    double growth = 0;
    for (std::size_t i = 0; i < m.a.size(); ++i) {
      growth += std::abs(m.a[i][r]) * norm(m.g[i]) * norm(m.b[i]);
    }
    EXPECT_LE(growth, static_cast<double>(winograd_growth(GetParam().taps)) * (1 + 1e-15)) << r;
  }
}

/// 3×3 taps are 2×2 for each of four residues, by F(5,2): three of them lack a point in each row,
/// column or both, so that (6 + 5)² products give 10×10 outputs.
TEST(WinogradResidues, ShareTransformsOfSamples) {
  const Algorithm* winograd = find_algorithm("winograd");
  ASSERT_NE(winograd, nullptr);
  const Problem layer = parse_problem("n1_i7_o5_20x20_k3x3_p1x1x1x1_s2x2_op1x1");
  ASSERT_EQ(layer.output_rows(), 40);
  // With a zero in front of the kernel these are numbers 1 to 20 of each residue.
  EXPECT_EQ(operations_of(*winograd, layer), 2.0 * 7 * 5 * (4 * 4) * (6 + 5) * (6 + 5));
}

/// 14 outputs of 3 taps are 4 + 4 + 3 + 3 by 6 + 6 + 5 + 5 products, whose kernels are transformed
/// to the same.
TEST(WinogradTiles, HaveAnOutputLessWhereOutputsAreFewer) {
  const Algorithm* winograd = find_algorithm("winograd");
  ASSERT_NE(winograd, nullptr);
  const Problem layer = parse_problem("n3_i7_o5_14x14_k3x3_p1x1x1x1");
  EXPECT_EQ(operations_of(*winograd, layer), 2.0 * 3 * 7 * 5 * 22 * 22);
}

TEST(WinogradTiles, CoverOutputsOnce) {
  for (const TileAxis& axis : all_axes()) {
    if (axis.without_zero) continue;
    for (index_t outputs = 1; outputs < 60; ++outputs) {
      const Tiling tiling(axis, outputs);
      index_t next = 0;
      for (index_t tile = 0; tile < tiling.count(); ++tile) {
        EXPECT_EQ(tiling.first(tile), next);
        next += tiling.outputs(tile);
      }
      EXPECT_GE(next, outputs);
      EXPECT_LT(tiling.first(tiling.count() - 1), outputs);
    }
  }
}

TEST(WinogradTiles, AreNeighboursWhereTheyHaveAPoint) {
  const TilePlaces places{
      .whole_rows = 3, .shorter_rows = 2, .whole_columns = 4, .shorter_columns = 1};
  std::set<index_t> taken;
  for (const bool whole_row : {true, false})
    for (const bool whole_column : {true, false})
      for (index_t row = 0; row < (whole_row ? 3 : 2); ++row)
        for (index_t column = 0; column < (whole_column ? 4 : 1); ++column) {
          const index_t place = places.first(whole_row, whole_column, row) + column;
          EXPECT_TRUE(taken.insert(place).second) << place;
          EXPECT_EQ(places.having(true, false).contains(place), whole_row);
          EXPECT_EQ(places.having(false, true).contains(place), whole_column);
          EXPECT_EQ(places.having(true, true).contains(place), whole_row && whole_column);
        }
  EXPECT_EQ(places.having(false, false).size(), index_t(taken.size()));
  EXPECT_EQ(*taken.rbegin(), 5 * 5 - 1);
}

}  // namespace
}  // namespace fullconv::testing
