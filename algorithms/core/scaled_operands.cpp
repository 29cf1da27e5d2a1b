#include "core/scaled_operands.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "core/layer_plan.h"
#include "core/operand_range.h"
#include "core/staged_plan.h"
#include "fullconv/error_model.h"

namespace fullconv {
namespace {

/// Whether weights have so few products each that a look at all of them would be noticed.
bool has_few_products_of_a_weight(const Problem& problem) {
  constexpr index_t kFew = 64;
  return problem.N * problem.H * problem.W < kFew;
}

/// Runs a plan that is right on any operands but slow where they or products are subnormal. There
/// they go in times powers of two that let no sum overflow, and y comes out divided by them: exact,
/// but for what is subnormal in y, rounded once more.
template <class T>
class ScaledOperandsPlan final : public Plan<T> {
 public:
  /// `bytes`: of both operands, or of kernels alone.
  ScaledOperandsPlan(std::unique_ptr<Plan<T>> inner, std::size_t bytes)
      : Plan<T>(inner->problem()),
        inner_(std::move(inner)),
        // Not touched, and so not backed by memory, before it is needed.
        elements_(bytes / sizeof(T)),
        scaled_(std::make_unique_for_overwrite<T[]>(elements_)) {}

  std::size_t workspace_bytes() const override {
    return inner_->workspace_bytes() + elements_ * sizeof(T);
  }
  int threads() const override { return inner_->threads(); }
  std::string algorithm() const override { return inner_->algorithm(); }
  std::string implementation() const override { return inner_->implementation(); }
  bool takes_any_strides() const override { return inner_->takes_any_strides(); }
  bool takes_any_kernel_strides() const override { return inner_->takes_any_kernel_strides(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const Exponents exponents = useful_exponents(x, k);
    if (exponents.images <= 0 && exponents.kernels <= 0) return inner_->execute(x, k, y);
    const TensorView<T> kernels(scaled_.get(), k.extents);
    scale(k, exponents.kernels, kernels);
    if (exponents.images > 0) {
      const TensorView<T> images(scaled_.get() + element_count(k.extents), x.extents);
      scale(x, exponents.images, images);
      inner_->execute(images, kernels, y);
    } else {
      inner_->execute(x, kernels, y);
    }
    scale(-exponents.images - exponents.kernels, y);
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
  /// Of the powers of two.
  struct Exponents {
    int images = 0, kernels = 0;
  };

  static bool is_subnormal(T magnitude) {
    return magnitude > 0 && magnitude < std::numeric_limits<T>::min();
  }

  /// Of all weights, or of some where each has few products.
  static T smallest_weight(const TensorView<const T>& k, bool of_some) {
    OperandScan<T> scan;
    const index_t count = element_count(k.extents);
    constexpr index_t kSome = 128;
    if (of_some && k.strides == dense_strides(k.extents)) {
      // An odd step meets all taps of small kernels.
      for (index_t i = 0; i < count; i += count / kSome | 1) scan.include(k.data + i, 1);
    } else {
      scan.include(k);
    }
    return scan.smallest();
  }

  /// None where nothing is expected to be subnormal.
  Exponents useful_exponents(const TensorView<const T>& x, const TensorView<const T>& k) const {
    const T weight = smallest_weight(k, has_few_products_of_a_weight(this->problem()));
    if (std::isnan(weight)) return {};  // all are 0
    const SampledRange<T> samples(StridedPlane<const T>(x, 0, 0), this->problem().K, x.strides[1]);
    const int image_exponent = samples.largest == 0 ? 0 : std::ilogb(samples.largest);
    // Most samples are less than the largest.
    constexpr int kLeast = std::numeric_limits<T>::min_exponent + 8;
    if (!is_subnormal(samples.smallest) && !is_subnormal(weight) &&
        std::ilogb(weight) + image_exponent >= kLeast)
      return {};
    OperandScan<T> kernels;
    kernels.include(k);
    OperandScan<T> images;
    images.include(x);
    if (images.largest() == 0) return {};
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
    const int image = std::ilogb(images.largest()), kernel = std::ilogb(kernels.largest());
    const int most = kTop - (image + kernel + 2 + std::ilogb(products) + 1);
    Exponents exponents;
    if (is_subnormal(images.smallest()) && elements_ > kernel_elements()) {
      const int wanted = std::numeric_limits<T>::min_exponent - std::ilogb(images.smallest());
      exponents.images = std::clamp(std::min(most, kTop - image - 1), 0, wanted);
    }
    exponents.kernels = std::max(std::min(most - exponents.images, kTop - kernel - 1), 0);
    return exponents;
  }

  static void scale(const TensorView<const T>& from, int exponent, const TensorView<T>& to) {
    copy_elements(from, to);
    scale(exponent, to);
  }

  static void scale(int exponent, const TensorView<T>& tensor) {
    // As one row where it is one: short ones would be slow.
    if (tensor.strides == dense_strides(tensor.extents)) {
      return fullconv::scale(exponent, tensor.data, element_count(tensor.extents));
    }
    for (index_t n = 0; n < tensor.extents[0]; ++n)
      for (index_t c = 0; c < tensor.extents[1]; ++c)
        for (index_t i = 0; i < tensor.extents[2]; ++i) {
          T* const row = &tensor(n, c, i, 0);
          if (tensor.strides[3] == 1) {
            fullconv::scale(exponent, row, tensor.extents[3]);
          } else {
            fullconv::scale(exponent, row, tensor.extents[3], tensor.strides[3]);
          }
        }
  }

  std::size_t kernel_elements() const {
    return static_cast<std::size_t>(element_count(this->problem().k_extents()));
  }

  std::unique_ptr<Plan<T>> inner_;
  std::size_t elements_;
  std::unique_ptr<T[]> scaled_;
};

}  // namespace

std::size_t scaled_operands_bytes(const Algorithm& algorithm, const Problem& problem,
                                  const PlanOptions& options, std::size_t scalar_size,
                                  std::size_t plan_bytes) {
  // A look takes 40 ns, more at many weights. Loops by single numbers and Winograd's transforms
  // take longer than that for fewer products, and where these are subnormal most of all.
  constexpr std::int64_t kWorthLooking = 1 << 17, kOfFew = 1 << 18, kOfSlow = 1 << 14;
  const bool is_slow = !algorithm.vectorized || algorithm.error_model == ErrorModel::winograd;
  const std::int64_t fewest = has_few_products_of_a_weight(problem) ? kOfFew
                              : is_slow                             ? kOfSlow
                                                                    : kWorthLooking;
  // What delegates has it done by others, but for a layer's parts, which may be too small for that.
  const bool is_looked_at = algorithm.delegates == Delegates::never
                                ? algorithm.error_model != ErrorModel::normwise
                                : !problem.is_dense() || !takes_as_it_is(algorithm, problem);
  if (!is_looked_at || problem.multiply_adds() < fewest) {
    return 0;
  }
  const auto bytes_of = [&](const Extents& extents) {
    return scalar_size * static_cast<std::size_t>(element_count(extents));
  };
  const auto fits = [&](std::size_t bytes) {
    return !options.workspace_limit || bytes + plan_bytes <= *options.workspace_limit;
  };
  const std::size_t kernels = bytes_of(problem.k_extents());
  const std::size_t images = bytes_of(problem.x_extents());
  constexpr std::size_t kMost = std::size_t{1} << 28;  // of memory that may not be there
  if (kernels > kMost || !fits(kernels)) return 0;
  return images <= kMost && fits(kernels + images) ? kernels + images : kernels;
}

template <class T>
Planned<T> with_scaled_operands(const Algorithm& algorithm, Planned<T> planned,
                                const PlanOptions& options) {
  auto* plan = std::get_if<std::unique_ptr<Plan<T>>>(&planned);
  if (plan == nullptr) return planned;
  const std::size_t bytes = scaled_operands_bytes(algorithm, (*plan)->problem(), options, sizeof(T),
                                                  (*plan)->workspace_bytes());
  if (bytes == 0) return planned;
  return std::make_unique<ScaledOperandsPlan<T>>(std::move(*plan), bytes);
}

template Planned<float> with_scaled_operands(const Algorithm&, Planned<float>, const PlanOptions&);
template Planned<double> with_scaled_operands(const Algorithm&, Planned<double>,
                                              const PlanOptions&);

}  // namespace fullconv
