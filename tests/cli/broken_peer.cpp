// Peers for testing the benchmark: one that anchors its kernel one column off, as OpenCV's filter2D
// does where its anchor is left in the middle, and one that is right.

#include <algorithm>
#include <array>
#include <memory>

#include "contender.h"

namespace fullconv::bench {
namespace {

template <class T, index_t kShift>
class Shifted final : public Plan<T> {
 public:
  explicit Shifted(const Problem& problem) : Plan<T>(problem) {}

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const auto [H, W] = std::array{x.extents[2], x.extents[3]};
    for (index_t i = 0; i < y.extents[2]; ++i) {
      for (index_t j = 0; j < y.extents[3]; ++j) {
        T sum = 0;
        for (index_t p = 0; p < k.extents[2]; ++p) {
          for (index_t q = 0; q < k.extents[3]; ++q) {
            const index_t row = i - p;
            const index_t column = j - q + kShift;
            if (row < 0 || row >= H || column < 0 || column >= W) continue;
            sum += x(0, 0, row, column) * k(0, 0, p, q);
          }
        }
        y(0, 0, i, j) = sum;
      }
    }
  }
};

template <class T, index_t kShift>
Planned<T> plan_shifted(const Problem& problem, const PlanOptions&) {
  if (problem.N * problem.K * problem.C > 1) return Declined{"planes only"};
  return std::make_unique<Shifted<T, kShift>>(problem);
}

template <index_t kShift>
constexpr Algorithm shifted(std::string_view name) {
  return {.name = name,
          .summary = "a double loop",
          .error_model = ErrorModel::componentwise,
          .non_finite = NonFinite::as_defined,
          .plan_f32 = plan_shifted<float, kShift>,
          .plan_f64 = plan_shifted<double, kShift>};
}

constexpr Algorithm kWrongAnchor = shifted<1>("wrong_anchor");
constexpr Algorithm kRightAnchor = shifted<0>("right_anchor");

std::string version() { return "Test 1.0"; }

constexpr std::array kPeers{
    Contender{.algorithm = &kWrongAnchor, .kind = Kind::peer, .version = version},
    Contender{.algorithm = &kRightAnchor, .kind = Kind::peer, .version = version}};

}  // namespace

// Takes precedence over the one of the library of peers.
std::span<const Contender> peers() { return kPeers; }

}  // namespace fullconv::bench
