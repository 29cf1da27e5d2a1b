#include "core/scaled_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "core/operand_range.h"
#include "core/staged_plan.h"
#include "fullconv/error_model.h"

namespace fullconv {
namespace {

/// Runs a plan that is right on any operands but slow where products are subnormal. There the
/// kernels go in times the largest power of two that lets no sum overflow, and y comes out divided
/// by it: exact, but for what is subnormal in y, rounded once more.
template <class T>
class ScaledKernelsPlan final : public Plan<T> {
 public:
  explicit ScaledKernelsPlan(std::unique_ptr<Plan<T>> inner)
      : Plan<T>(inner->problem()),
        inner_(std::move(inner)),
        // Not touched, and so not backed by memory, before it is needed.
        scaled_(std::make_unique_for_overwrite<T[]>(kernel_elements())) {}

  std::size_t workspace_bytes() const override {
    return inner_->workspace_bytes() + kernel_elements() * sizeof(T);
  }
  int threads() const override { return inner_->threads(); }
  std::string algorithm() const override { return inner_->algorithm(); }
  std::string implementation() const override { return inner_->implementation(); }
  bool takes_any_strides() const override { return inner_->takes_any_strides(); }
  bool takes_any_kernel_strides() const override { return inner_->takes_any_kernel_strides(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const int exponent = useful_exponent(x, k);
    if (exponent <= 0) return inner_->execute(x, k, y);
    const TensorView<T> scaled(scaled_.get(), k.extents);
    copy_elements(k, scaled);
    for_each_factor<T>(exponent, [&](T factor) {
      for (std::size_t i = 0; i < kernel_elements(); ++i) scaled.data[i] *= factor;
    });
    inner_->execute(x, scaled, y);
    for_each_factor<T>(-exponent, [&](T factor) { multiply(y, factor); });
  }

  // A kernel that is prepared is not looked at again.
  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    return this->prepare_by(*inner_, k);
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    this->execute_prepared_by(*inner_, x, k, y);
  }

 private:
  /// None where no product is expected to be subnormal.
  int useful_exponent(const TensorView<const T>& x, const TensorView<const T>& k) const {
    OperandScan<T> kernels;
    kernels.include(k);
    if (kernels.largest() == 0) return 0;
    const T sample =
        largest_sample(StridedPlane<const T>(x, 0, 0), this->problem().K, x.strides[1]);
    const int image_exponent = sample == 0 ? 0 : std::ilogb(sample);
    if (std::ilogb(kernels.smallest()) + image_exponent >= std::numeric_limits<T>::min_exponent)
      return 0;
    OperandScan<T> images;
    images.include(x);
    if (images.largest() == 0) return 0;
    // Winograd's transforms make values larger on the way, by no more than the fourth power of what
    // they multiply errors by along an axis.
    constexpr long double kGrowth = winograd_growth(std::numeric_limits<std::int64_t>::max());
    constexpr int kGrowthExponent = 16;
    static_assert(kGrowth * kGrowth * kGrowth * kGrowth < 1 << kGrowthExponent);
    constexpr int kTop = std::numeric_limits<T>::max_exponent - kGrowthExponent;
    const Problem& problem = this->problem();
    const auto products = static_cast<double>(problem.K / problem.groups) *
                          static_cast<double>(std::min(problem.H, problem.h)) *
                          static_cast<double>(std::min(problem.W, problem.w));
    const int largest_sum =
        std::ilogb(images.largest()) + std::ilogb(kernels.largest()) + 2 + std::ilogb(products) + 1;
    return kTop - std::max(largest_sum, std::ilogb(kernels.largest()) + 1);
  }

  static void multiply(const TensorView<T>& y, T factor) {
    for (index_t n = 0; n < y.extents[0]; ++n)
      for (index_t c = 0; c < y.extents[1]; ++c)
        for (index_t i = 0; i < y.extents[2]; ++i) {
          T* row = &y(n, c, i, 0);
          if (y.strides[3] == 1) {
            for (index_t j = 0; j < y.extents[3]; ++j) row[j] *= factor;
          } else {
            for (index_t j = 0; j < y.extents[3]; ++j) row[j * y.strides[3]] *= factor;
          }
        }
  }

  std::size_t kernel_elements() const {
    return static_cast<std::size_t>(element_count(this->problem().k_extents()));
  }

  std::unique_ptr<Plan<T>> inner_;
  std::unique_ptr<T[]> scaled_;
};

}  // namespace

std::size_t scaled_kernels_bytes(const Algorithm& algorithm, const Problem& problem,
                                 const PlanOptions& options, std::size_t scalar_size,
                                 std::size_t plan_bytes) {
  constexpr std::int64_t kWorthLooking = 1 << 18;
  constexpr index_t kProductsOfAWeight = 64;
  if (algorithm.error_model == ErrorModel::normwise || algorithm.delegates != Delegates::never ||
      problem.multiply_adds() < kWorthLooking ||
      problem.N * problem.H * problem.W < kProductsOfAWeight) {
    return 0;
  }
  const std::size_t bytes =
      scalar_size * static_cast<std::size_t>(element_count(problem.k_extents()));
  return options.workspace_limit && bytes + plan_bytes > *options.workspace_limit ? 0 : bytes;
}

template <class T>
Planned<T> with_scaled_kernels(const Algorithm& algorithm, Planned<T> planned,
                               const PlanOptions& options) {
  auto* plan = std::get_if<std::unique_ptr<Plan<T>>>(&planned);
  if (plan == nullptr || scaled_kernels_bytes(algorithm, (*plan)->problem(), options, sizeof(T),
                                              (*plan)->workspace_bytes()) == 0) {
    return planned;
  }
  return std::make_unique<ScaledKernelsPlan<T>>(std::move(*plan));
}

template Planned<float> with_scaled_kernels(const Algorithm&, Planned<float>, const PlanOptions&);
template Planned<double> with_scaled_kernels(const Algorithm&, Planned<double>, const PlanOptions&);

}  // namespace fullconv
