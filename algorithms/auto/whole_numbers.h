#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/operand_range.h"
#include "core/prepared_kernel.h"
#include "core/staged_plan.h"
#include "fullconv/algorithm.h"

namespace fullconv {

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

}  // namespace internal

/// What bounds are made of for operands that are whole numbers, with ‖y‖₂ ≤ Σ_o‖x_o‖₂‖k_o‖₁
/// (Young's inequality). None where they are not, or their sums need not be numbers that a scalar
/// holds: a few samples tell most of those.
template <class T>
std::optional<ErrorTerms> terms_of_whole_numbers(const Problem& problem,
                                                 const TensorView<const T>& x,
                                                 const TensorView<const T>& k) {
  const index_t K = problem.K;
  if (!samples_are_whole(StridedPlane<const T>(k, 0, 0), K, k.strides[0]) ||
      !samples_are_whole(StridedPlane<const T>(x, 0, 0), K, x.strides[1])) {
    return {};
  }
  // Σ_o‖k_o‖₁ and Σ_o‖k_o‖₂, of the output channel with most.
  double kernels_1 = 0, kernels_2 = 0, largest_tap = 0;
  for (index_t c = 0; c < k.extents[1]; ++c) {
    double sum_1 = 0, sum_2 = 0;
    for (index_t o = 0; o < K; ++o) {
      const internal::PlaneSums kernel(StridedPlane<const T>(k, o, c));
      if (!kernel.whole) return {};
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
      if (!image.whole) return {};
      image_2 = std::max(image_2, std::sqrt(image.square));
      largest = std::max(largest, image.largest);
    }
  const double products = static_cast<double>(K) *
                          static_cast<double>(std::min(problem.H, problem.h)) *
                          static_cast<double>(std::min(problem.W, problem.w));
  const double magnitude = std::min(largest * kernels_1, largest * largest_tap * products);
  if (magnitude > std::ldexp(1.0, std::numeric_limits<T>::digits)) return {};
  return ErrorTerms{.problem = problem,
                    .u = std::numeric_limits<T>::epsilon() / 2,
                    .products = products,
                    .magnitude = magnitude,
                    .local_norms = image_2 * kernels_2,
                    .tile_norms = 6 * largest * kernels_2,
                    .operand_norms = image_2 * kernels_2,
                    .output_norm = image_2 * kernels_1,
                    .underflow = 0};
}

/// Whether the nearest whole number is right.
inline bool may_be_rounded(const ErrorModel& model, const ErrorTerms& terms) {
  return model.bound(terms) < 0.5L;
}

/// A plan for one output plane of floats, in double.
class PlanInDouble {
 public:
  PlanInDouble(const Algorithm& algorithm, std::unique_ptr<Plan<double>> plan)
      : algorithm_(algorithm),
        plan_(std::move(plan)),
        // Not touched, and so not backed by memory, before they are needed.
        room_(std::make_unique_for_overwrite<double[]>(elements(plan_->problem()))) {}

  /// Beside what the plan takes.
  static std::size_t room_bytes(const Problem& problem) {
    return elements(problem) * sizeof(double);
  }
  std::size_t workspace_bytes() const {
    return plan_->workspace_bytes() + room_bytes(plan_->problem());
  }
  int threads() const { return plan_->threads(); }

  bool may_be_rounded(ErrorTerms terms) const {
    terms.u = std::numeric_limits<double>::epsilon() / 2;
    return fullconv::may_be_rounded(algorithm_.error_model, terms);
  }

  /// Overwrites y with the whole numbers nearest to x ∗ k.
  void execute_rounding(const TensorView<const float>& x, const TensorView<const float>& k,
                        const TensorView<float>& y) {
    const TensorView<double> wide_x(room_.get(), x.extents);
    const TensorView<double> wide_k(wide_x.data + element_count(x.extents), k.extents);
    const TensorView<double> wide_y(wide_k.data + element_count(k.extents), y.extents);
    const auto widen = [](float from, double& to) { to = from; };
    for_each_element(x, wide_x, widen);
    for_each_element(k, wide_k, widen);
    plan_->execute({wide_x.data, x.extents}, {wide_k.data, k.extents}, wide_y);
    for_each_element(wide_y, y,
                     [](double from, float& to) { to = static_cast<float>(std::nearbyint(from)); });
  }

 private:
  static std::size_t elements(const Problem& problem) {
    return static_cast<std::size_t>(element_count(problem.x_extents()) +
                                    element_count(problem.k_extents()) +
                                    element_count(problem.y_extents()));
  }

  const Algorithm& algorithm_;
  std::unique_ptr<Plan<double>> plan_;
  std::unique_ptr<double[]> room_;
};

/// Runs a plan, and rounds what it gives for whole numbers. Where its errors could make others of
/// them, a plan `in_double` takes its place, if there is one, or `sums`, one of sums of products;
/// both are for single output planes.
template <class T>
class WholeNumbersPlan final : public Plan<T> {
 public:
  WholeNumbersPlan(const Algorithm& algorithm, std::unique_ptr<Plan<T>> chosen,
                   std::unique_ptr<Plan<T>> sums, std::unique_ptr<PlanInDouble> in_double)
      : Plan<T>(chosen->problem()),
        algorithm_(algorithm),
        chosen_(std::move(chosen)),
        sums_(std::move(sums)),
        in_double_(std::move(in_double)) {}

  /// Whether plans of an algorithm need this. Whoever states a tolerance is content with that.
  static bool is_needed(const Algorithm& algorithm, const PlanOptions& options) {
    return !algorithm.error_model.exact_on_integers && !options.tolerance.has_value();
  }

  std::size_t workspace_bytes() const override {
    return chosen_->workspace_bytes() + sums_->workspace_bytes() +
           (in_double_ ? in_double_->workspace_bytes() : 0);
  }
  int threads() const override {
    return std::max({chosen_->threads(), sums_->threads(), in_double_ ? in_double_->threads() : 1});
  }
  std::string algorithm() const override { return chosen_->algorithm(); }
  std::string implementation() const override { return chosen_->implementation(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    run_or_replace(x, k, y, [&] { chosen_->execute(x, k, y); });
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    return std::make_unique<Prepared>(k, this->prepare_by(*chosen_, k));
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    const auto& prepared = static_cast<const Prepared&>(k);
    run_or_replace(x, prepared.view(), y,
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
  void run_or_replace(const TensorView<const T>& x, const TensorView<const T>& k,
                      const TensorView<T>& y, const Run& run_chosen) {
    const std::optional<ErrorTerms> whole = terms_of_whole_numbers(this->problem(), x, k);
    if (!whole) return run_chosen();
    if (may_be_rounded(algorithm_.error_model, *whole)) {
      run_chosen();
      return round(y);
    }
    if constexpr (std::is_same_v<T, float>) {
      if (in_double_ && in_double_->may_be_rounded(*whole)) {
        return for_each_plane(x, k, y,
                              [&](auto... plane) { in_double_->execute_rounding(plane...); });
      }
    }
    for_each_plane(x, k, y, [&](auto... plane) { sums_->execute(plane...); });
  }

  static void round(const TensorView<T>& y) {
    for (index_t n = 0; n < y.extents[0]; ++n)
      for (index_t c = 0; c < y.extents[1]; ++c)
        for (index_t i = 0; i < y.extents[2]; ++i) {
          T* row = &y(n, c, i, 0);
          for (index_t j = 0; j < y.extents[3]; ++j) row[j] = std::nearbyint(row[j]);
        }
  }

  /// Calls convolve(x[n], k[:,c], y[n,c]) for each plane of y.
  template <class Convolve>
  void for_each_plane(const TensorView<const T>& x, const TensorView<const T>& k,
                      const TensorView<T>& y, const Convolve& convolve) {
    const Problem& problem = this->problem();
    for (index_t n = 0; n < problem.N; ++n)
      for (index_t c = 0; c < problem.C; ++c) {
        convolve(
            TensorView<const T>{&x(n, 0, 0, 0), {1, problem.K, problem.H, problem.W}, x.strides},
            TensorView<const T>{&k(0, c, 0, 0), {problem.K, 1, problem.h, problem.w}, k.strides},
            TensorView<T>{&y(n, c, 0, 0), {1, 1, y.extents[2], y.extents[3]}, y.strides});
      }
  }

  const Algorithm& algorithm_;
  std::unique_ptr<Plan<T>> chosen_, sums_;
  std::unique_ptr<PlanInDouble> in_double_;
};

}  // namespace fullconv
