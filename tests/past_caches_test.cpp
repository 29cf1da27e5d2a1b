// Outputs of more bytes than caches keep, by algorithms that write them past the caches.

#include "core/past_caches.h"

#include "contender.h"
#include "support/trial.h"

namespace fullconv::testing {
namespace {

template <class T>
void expect_right(const char* name, const char* text) {
  const Problem problem = parse_problem(text);
  ASSERT_TRUE(leaves_caches<T>(problem));
  const Contender<T> contender{*find_algorithm(name), 1};
  const Trial<T> trial({problem});
  const auto y = contender.convolve(problem, trial.x(), trial.k());
  ASSERT_TRUE(y);
  contender.expect_right(trial.oracle, y->view());
}

TEST(PastCaches, DepthwiseIsRight) {
  // Rows as they lie, and channels as lanes.
  for (const char* layer : {"n2_i64_o64_128x128_k3x3_p1x1x1x1_s2x2_g64_op1x1",
                            "n4_i64_o64_128x128_k3x3_p1x1x1x1_g64"}) {
    expect_right<float>("depthwise", layer);
    expect_right<double>("depthwise", layer);
  }
}

TEST(PastCaches, PointwiseGemmIsRight) {
  // Weights across, whose sums are written past the caches, and pixels across.
  for (const char* layer : {"n4_i48_o32_160x160_k1x1", "n2_i20_o40_201x301_k1x1"}) {
    expect_right<float>("pointwise_gemm", layer);
    expect_right<double>("pointwise_gemm", layer);
  }
}

}  // namespace
}  // namespace fullconv::testing
