#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "core/operand_range.h"
#include "core/prepared_kernel.h"
#include "fullconv/algorithm.h"

namespace fullconv {

/// What is known of operands that are whole numbers.
enum class WholeNumbers {
  none,   ///< they are not, or their sums need not be numbers that a scalar holds
  round,  ///< the error bound is below ½: the nearest whole number is right
  sum     ///< only sums of products are sure to be right
};

namespace internal {

/// Of a plane of whole numbers.
struct PlaneSums {
  double absolute = 0, square = 0, largest = 0;
  bool whole = true;

  template <class T>
  explicit PlaneSums(const StridedPlane<const T>& plane) {
    constexpr index_t kLanes = 8;  // each with sums of its own, so that compilers make vectors
    double absolutes[kLanes] = {}, squares[kLanes] = {}, most[kLanes] = {}, rests[kLanes] = {};
    const auto take = [&](T element, index_t lane) {
      const auto value = static_cast<double>(element);
      absolutes[lane] += std::abs(value);
      squares[lane] += value * value;
      most[lane] = std::max(most[lane], std::abs(value));
      rests[lane] += std::abs(value - std::trunc(value));
    };
    for (index_t i = 0; i < plane.rows && whole; ++i) {
      const T* row = plane.row(i);
      index_t j = 0;
      if (plane.column_stride == 1) {
        for (; j + kLanes <= plane.columns; j += kLanes) {
          for (index_t lane = 0; lane < kLanes; ++lane) take(row[j + lane], lane);
        }
      }
      for (; j < plane.columns; ++j) take(row[j * plane.column_stride], 0);
      for (const double rest : rests) whole = whole && rest == 0;  // which NaN and Inf fail
    }
    for (index_t lane = 0; lane < kLanes; ++lane) {
      absolute += absolutes[lane];
      square += squares[lane];
      largest = std::max(largest, most[lane]);
    }
  }
};

template <class T>
bool samples_are_whole(const StridedPlane<const T>& first, index_t planes, index_t apart) {
  bool whole = true;
  for_each_sample(first, planes, apart,
                  [&](const T& sample) { whole = whole && sample == std::trunc(sample); });
  return whole;
}

}  // namespace internal

/// A few samples tell most operands that are not whole numbers. The bounds are those of the error
/// models, with ‖y‖₂ ≤ Σ_o‖x_o‖₂‖k_o‖₁ (Young's inequality).
template <class T>
WholeNumbers whole_numbers(const Problem& problem, const ErrorModel& model,
                           const TensorView<const T>& x, const TensorView<const T>& k) {
  const index_t K = problem.K;
  if (!internal::samples_are_whole(StridedPlane<const T>(k, 0, 0), K, k.strides[0]) ||
      !internal::samples_are_whole(StridedPlane<const T>(x, 0, 0), K, x.strides[1])) {
    return WholeNumbers::none;
  }
  // Σ_o‖k_o‖₁ and Σ_o‖k_o‖₂, of the output channel with most.
  double kernels_1 = 0, kernels_2 = 0, largest_tap = 0;
  for (index_t c = 0; c < k.extents[1]; ++c) {
    double sum_1 = 0, sum_2 = 0;
    for (index_t o = 0; o < K; ++o) {
      const internal::PlaneSums kernel(StridedPlane<const T>(k, o, c));
      if (!kernel.whole) return WholeNumbers::none;
      sum_1 += kernel.absolute;
      sum_2 += std::sqrt(kernel.square);
      largest_tap = std::max(largest_tap, kernel.largest);
    }
    kernels_1 = std::max(kernels_1, sum_1);
    kernels_2 = std::max(kernels_2, sum_2);
  }
  double image_2 = 0, largest = 0;
  for (index_t n = 0; n < problem.N; ++n)
    for (index_t o = 0; o < K; ++o) {
      const internal::PlaneSums image(StridedPlane<const T>(x, n, o));
      if (!image.whole) return WholeNumbers::none;
      image_2 = std::max(image_2, std::sqrt(image.square));
      largest = std::max(largest, image.largest);
    }
  const double products = static_cast<double>(K) *
                          static_cast<double>(std::min(problem.H, problem.h)) *
                          static_cast<double>(std::min(problem.W, problem.w));
  const double magnitude = std::min(largest * kernels_1, largest * largest_tap * products);
  if (magnitude > std::ldexp(1.0, std::numeric_limits<T>::digits)) return WholeNumbers::none;
  const long double bound = model.bound({.problem = problem,
                                         .u = std::numeric_limits<T>::epsilon() / 2,
                                         .products = products,
                                         .magnitude = magnitude,
                                         .local_norms = image_2 * kernels_2,
                                         .tile_norms = 6 * largest * kernels_2,
                                         .operand_norms = image_2 * kernels_2,
                                         .output_norm = image_2 * kernels_1,
                                         .underflow = 0});
  return bound < 0.5L ? WholeNumbers::round : WholeNumbers::sum;
}

/// Runs a plan, and `definition`, one of sums of products for a single output plane, where the
/// first does not give what is promised: on operands that are not finite, if it does not do with
/// them what the definition does; and on whole numbers, if errors could make others of them.
template <class T>
class CompletedPlan final : public Plan<T> {
 public:
  CompletedPlan(const Algorithm& algorithm, const PlanOptions& options,
                std::unique_ptr<Plan<T>> chosen, std::unique_ptr<Plan<T>> definition)
      : Plan<T>(chosen->problem()),
        algorithm_(algorithm),
        keeps_whole_numbers_(keeps_whole_numbers(algorithm, options)),
        chosen_(std::move(chosen)),
        definition_(std::move(definition)) {}

  /// Whether plans of an algorithm need this.
  static bool is_needed(const Algorithm& algorithm, const PlanOptions& options) {
    return algorithm.non_finite != NonFinite::as_defined ||
           !keeps_whole_numbers(algorithm, options);
  }

  std::size_t workspace_bytes() const override {
    return chosen_->workspace_bytes() + definition_->workspace_bytes();
  }
  int threads() const override { return std::max(chosen_->threads(), definition_->threads()); }
  std::string algorithm() const override { return chosen_->algorithm(); }
  std::string implementation() const override { return chosen_->implementation(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    complete(x, k, y, [&] { chosen_->execute(x, k, y); });
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    return std::make_unique<Prepared>(k, this->prepare_by(*chosen_, k));
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    const auto& prepared = static_cast<const Prepared&>(k);
    complete(x, prepared.view(), y,
             [&] { this->execute_prepared_by(*chosen_, x, prepared.of_chosen(), y); });
  }

 private:
  /// A kernel as it is, and as the chosen plan prepares it.
  class Prepared final : public KernelCopy<T> {
   public:
    Prepared(const TensorView<const T>& k, std::unique_ptr<PreparedKernel<T>> of_chosen)
        : KernelCopy<T>(k), of_chosen_(std::move(of_chosen)) {}
    std::size_t bytes() const override { return KernelCopy<T>::bytes() + of_chosen_->bytes(); }
    const PreparedKernel<T>& of_chosen() const { return *of_chosen_; }

   private:
    std::unique_ptr<PreparedKernel<T>> of_chosen_;
  };

  template <class Run>
  void complete(const TensorView<const T>& x, const TensorView<const T>& k, const TensorView<T>& y,
                const Run& run_chosen) {
    const WholeNumbers whole = keeps_whole_numbers_
                                   ? WholeNumbers::none
                                   : whole_numbers(this->problem(), algorithm_.error_model, x, k);
    if (whole == WholeNumbers::sum) {
      sum_products(x, k, y, [](index_t, index_t) { return true; });
      return;
    }
    run_chosen();
    if (whole == WholeNumbers::round) round(y);
    if (algorithm_.non_finite == NonFinite::as_defined || (is_finite(x) && is_finite(k))) return;
    sum_products(x, k, y, [&](index_t n, index_t c) {
      for (index_t o = 0; o < this->problem().K; ++o) {
        if (!is_finite(part(x, n, o)) || !is_finite(part(k, o, c))) return true;
      }
      return false;
    });
  }

  /// Or need not: whoever states a tolerance is content with that.
  static bool keeps_whole_numbers(const Algorithm& algorithm, const PlanOptions& options) {
    return algorithm.error_model.exact_on_integers || options.tolerance.has_value();
  }

  static bool is_finite(const TensorView<const T>& operand) {
    OperandScan<T> scan;
    scan.include(operand);
    return scan.all_finite();
  }

  /// One plane of a tensor.
  template <class U>
  static TensorView<U> part(const TensorView<U>& tensor, index_t a, index_t b) {
    return {&tensor(a, b, 0, 0), {1, 1, tensor.extents[2], tensor.extents[3]}, tensor.strides};
  }

  static void round(const TensorView<T>& y) {
    for (index_t n = 0; n < y.extents[0]; ++n)
      for (index_t c = 0; c < y.extents[1]; ++c)
        for (index_t i = 0; i < y.extents[2]; ++i) {
          T* row = &y(n, c, i, 0);
          for (index_t j = 0; j < y.extents[3]; ++j) row[j] = std::nearbyint(row[j]);
        }
  }

  /// Of the planes of y for which is_wanted(n, c).
  template <class IsWanted>
  void sum_products(const TensorView<const T>& x, const TensorView<const T>& k,
                    const TensorView<T>& y, const IsWanted& is_wanted) {
    const Problem& problem = this->problem();
    for (index_t n = 0; n < problem.N; ++n)
      for (index_t c = 0; c < problem.C; ++c) {
        if (!is_wanted(n, c)) continue;
        definition_->execute({&x(n, 0, 0, 0), {1, problem.K, problem.H, problem.W}, x.strides},
                             {&k(0, c, 0, 0), {problem.K, 1, problem.h, problem.w}, k.strides},
                             part(y, n, c));
      }
  }

  const Algorithm& algorithm_;
  bool keeps_whole_numbers_;
  std::unique_ptr<Plan<T>> chosen_, definition_;
};

}  // namespace fullconv
