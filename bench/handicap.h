#pragma once

#include <memory>
#include <utility>

#include "fullconv/algorithm.h"

namespace fullconv::bench {

/// A plan that really does so many per cent more work: of 100 calls, as many are done twice. What
/// the audit slows down to see whether that is found.
template <class T>
class HandicappedPlan final : public Plan<T> {
 public:
  HandicappedPlan(std::unique_ptr<Plan<T>> plan, int percent)
      : Plan<T>(plan->problem()), plan_(std::move(plan)), percent_(percent) {}

  std::size_t workspace_bytes() const override { return plan_->workspace_bytes(); }
  int threads() const override { return plan_->threads(); }
  std::string implementation() const override { return plan_->implementation(); }
  bool takes_any_strides() const override { return plan_->takes_any_strides(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    plan_->execute(x, k, y);
    repeat_if_due([&] { plan_->execute(x, k, y); });
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    return this->prepare_by(*plan_, k);
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    this->execute_prepared_by(*plan_, x, k, y);
    repeat_if_due([&] { this->execute_prepared_by(*plan_, x, k, y); });
  }

 private:
  template <class Execute>
  void repeat_if_due(const Execute& execute) {
    for (debt_ += percent_; debt_ >= 100; debt_ -= 100) execute();
  }

  std::unique_ptr<Plan<T>> plan_;
  int percent_;
  int debt_ = 0;
};

}  // namespace fullconv::bench
