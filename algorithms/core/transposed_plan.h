#pragma once

#include <memory>
#include <utility>

#include "core/staged_plan.h"
#include "fullconv/algorithm.h"

namespace fullconv {

/// A problem of columns, which has a transpose of rows: the same memory, in the way that algorithms
/// are fast in. 1000000x1_k200x1 took 6 times as long as 1x1000000_k1x200, 1000000x1_k1x1 8 times.
inline bool is_column(const Problem& problem) {
  return problem.W == 1 && problem.w == 1 && problem.H > 1;
}

inline Problem transposed(Problem problem) {
  const auto swap = [](PerAxis& pair) { std::swap(pair.x, pair.y); };
  std::swap(problem.H, problem.W);
  std::swap(problem.h, problem.w);
  std::swap(problem.padding.top, problem.padding.left);
  std::swap(problem.padding.bottom, problem.padding.right);
  swap(problem.stride);
  swap(problem.dilation);
  swap(problem.output_padding);
  return problem;
}

/// The transpose of a tensor.
template <class T>
TensorView<T> transposed(TensorView<T> view) {
  std::swap(view.extents[2], view.extents[3]);
  std::swap(view.strides[2], view.strides[3]);
  // A single row may be said to lie where dense ones do.
  if (view.extents[2] == 1) view.strides[2] = view.extents[3] * view.strides[3];
  return view;
}

/// Runs a plan of the transposed problem.
template <class T>
class TransposedPlan final : public Plan<T> {
 public:
  TransposedPlan(const Problem& problem, std::unique_ptr<Plan<T>> rows)
      : Plan<T>(problem), rows_(std::move(rows)) {}

  std::size_t workspace_bytes() const override { return rows_->workspace_bytes(); }
  int threads() const override { return rows_->threads(); }
  std::string algorithm() const override { return rows_->algorithm(); }
  std::string implementation() const override { return rows_->implementation(); }
  bool takes_any_strides() const override { return true; }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    rows_->execute(transposed(x), transposed(k), transposed(y));
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    return this->prepare_by(*rows_, transposed(k));
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    this->execute_prepared_by(*rows_, transposed(x), k, transposed(y));
  }

 private:
  std::unique_ptr<Plan<T>> rows_;
};

/// Plans a problem of columns as its transpose. Columns of single elements are dense rows as they
/// stand, whatever lies between the elements: room for copies is booked where an algorithm needs
/// them next to each other.
template <class T>
Planned<T> plan_transposed(const Algorithm& algorithm, const Problem& problem,
                           PlanOptions options) {
  options.any_strides = true;
  Planned<T> planned = algorithm.plan<T>(transposed(problem), options);
  auto* rows = std::get_if<std::unique_ptr<Plan<T>>>(&planned);
  if (rows == nullptr) return planned;
  return std::make_unique<TransposedPlan<T>>(problem, std::move(*rows));
}

}  // namespace fullconv
