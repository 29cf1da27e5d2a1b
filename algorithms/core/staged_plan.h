#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "core/buffer.h"
#include "fullconv/algorithm.h"

namespace fullconv {

template <class T>
bool rows_are_dense(const TensorView<T>& view) {
  return view.strides[3] == 1 || view.extents[3] == 1;
}

/// Which operands may come with any strides.
struct AnyStrides {
  bool x, k, y;

  bool any() const { return x || k || y; }
};

/// The elements of those operands, which a StagedPlan has room for.
inline index_t staged_elements(const Problem& problem, const AnyStrides& any) {
  return (any.x ? element_count(problem.x_extents()) : 0) +
         (any.k ? element_count(problem.k_extents()) : 0) +
         (any.y ? element_count(problem.y_extents()) : 0);
}

/// Runs a plan that needs dense rows, copying those operands that do not fit. Those that are not
/// `any` must.
template <class T>
class StagedPlan final : public Plan<T> {
 public:
  StagedPlan(std::unique_ptr<Plan<T>> inner, AnyStrides any)
      : Plan<T>(inner->problem()),
        inner_(std::move(inner)),
        any_(any),
        x_(any.x ? element_count(this->problem().x_extents()) : 0),
        k_(any.k ? element_count(this->problem().k_extents()) : 0),
        y_(any.y ? element_count(this->problem().y_extents()) : 0) {}

  std::size_t workspace_bytes() const override {
    return inner_->workspace_bytes() + x_.bytes() + k_.bytes() + y_.bytes();
  }
  int threads() const override { return inner_->threads(); }
  std::string algorithm() const override { return inner_->algorithm(); }
  std::string implementation() const override { return inner_->implementation(); }
  bool takes_any_strides() const override { return true; }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const TensorView<const T> rows_of_x = any_.x ? staged(x, x_) : x;
    const TensorView<const T> rows_of_k = any_.k ? staged(k, k_) : k;
    write(y, [&](const TensorView<T>& to) { inner_->execute(rows_of_x, rows_of_k, to); });
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    return this->prepare_by(*inner_, any_.k ? staged(k, k_) : k);
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    const TensorView<const T> rows_of_x = any_.x ? staged(x, x_) : x;
    write(y,
          [&](const TensorView<T>& to) { this->execute_prepared_by(*inner_, rows_of_x, k, to); });
  }

 private:
  /// Calls run(y), or with a dense one of which y becomes a copy.
  template <class Run>
  void write(const TensorView<T>& y, const Run& run) {
    if (!any_.y || rows_are_dense(y)) return run(y);
    const TensorView<T> dense_y(y_.data(), y.extents);
    run(dense_y);
    copy_elements(dense_y, y);
  }

  static TensorView<const T> staged(const TensorView<const T>& operand, Buffer<T>& room) {
    if (rows_are_dense(operand)) return operand;
    const TensorView<T> dense(room.data(), operand.extents);
    copy_elements(operand, dense);
    return dense;
  }

  std::unique_ptr<Plan<T>> inner_;
  AnyStrides any_;
  Buffer<T> x_, k_, y_;
};

/// What was planned, made to take operands of any strides where the options ask for that.
template <class T>
Planned<T> with_any_strides(Planned<T> planned, const PlanOptions& options) {
  auto* plan = std::get_if<std::unique_ptr<Plan<T>>>(&planned);
  if (plan != nullptr && options.any_strides && !(*plan)->takes_any_strides()) {
    const AnyStrides copied{.x = true, .k = !(*plan)->takes_any_kernel_strides(), .y = true};
    return std::make_unique<StagedPlan<T>>(std::move(*plan), copied);
  }
  return planned;
}

}  // namespace fullconv
