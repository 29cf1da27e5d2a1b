// All pairs of algorithms agree.

#include <utility>

#include "contender.h"
#include "support/operands.h"

namespace fullconv::testing {
namespace {

template <class T>
class Agreement : public ::testing::Test {};
using Scalars = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Agreement, Scalars);

TYPED_TEST(Agreement, OfAllPairs) {
  using T = TypeParam;
  for (const char* text :
       {"8x8_k5x5", "5x3_k7x9", "64x65_k9x7", "31x37_k11x13_gauss", "40x40_k8x8_box",
        "33x70_k7x6_rank2", "100x300_k31x17", "n2_i3_o4_17x13_k3x5", "n3_i17_o5_20x23_k3x3",
        "1x700_k1x65", "90x2_k65x1"}) {
    const Case c = parse_case(text);
    const auto operands = make_operands<T>(c);
    const Oracle<T> oracle(c.problem, operands.x_view(), operands.k_view());
    std::vector<std::pair<const Algorithm*, Tensor<T>>> results;
    for (const Algorithm* algorithm : algorithms()) {
      auto y =
          Contender<T>{*algorithm, 1}.convolve(c.problem, operands.x_view(), operands.k_view());
      if (y) results.emplace_back(algorithm, std::move(*y));
    }
    for (const auto& [a, ya] : results) {
      for (const auto& [b, yb] : results) {
        EXPECT_LE(distance_in_bounds(oracle, a->error_model, ya.view(), b->error_model, yb.view()),
                  1)
            << a->name << " and " << b->name << " on " << text;
      }
    }
  }
}

}  // namespace
}  // namespace fullconv::testing
