#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fullconv/algorithm.h"

namespace fullconv::bench {

/// A plan over a library that takes dense tensors by their first element. Views with gaps are
/// staged, in room that the first of them makes; dense ones, as all that are timed, are passed on.
template <class T>
class DensePlan : public Plan<T> {
 public:
  bool takes_any_strides() const final { return true; }

 protected:
  using Plan<T>::Plan;

  static std::size_t count(const Extents& extents) {
    return static_cast<std::size_t>(element_count(extents));
  }

  /// Overwrites y with x ∗ k, all of them row-major without gaps.
  virtual void run_dense(const T* x, const T* k, T* y) = 0;

  /// What the library makes of constant weights, or null where it has nothing of that kind.
  virtual std::unique_ptr<PreparedKernel<T>> prepare_dense(const T*) { return nullptr; }
  virtual void run_dense_prepared(const T*, const PreparedKernel<T>&, T*) {}

 private:
  /// Weights in room of their own, for libraries that take them anew in each call.
  struct Weights final : PreparedKernel<T> {
    std::vector<T> elements;
    std::size_t bytes() const override { return elements.size() * sizeof(T); }
  };

  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) final {
    const T* dense_x = staged(x, staged_x_);
    const T* dense_k = staged(k, staged_k_);
    write(y, [&](T* dense_y) { run_dense(dense_x, dense_k, dense_y); });
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) final {
    const T* dense_k = staged(k, staged_k_);
    if (auto prepared = prepare_dense(dense_k)) return prepared;
    auto weights = std::make_unique<Weights>();
    weights->elements.assign(dense_k, dense_k + count(k.extents));
    return weights;
  }

  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) final {
    const T* dense_x = staged(x, staged_x_);
    const auto* weights = dynamic_cast<const Weights*>(&k);
    write(y, [&](T* dense_y) {
      weights ? run_dense(dense_x, weights->elements.data(), dense_y)
              : run_dense_prepared(dense_x, k, dense_y);
    });
  }

  /// Calls run(y), or with a dense one of which y becomes a copy.
  template <class Run>
  void write(const TensorView<T>& y, const Run& run) {
    if (is_dense(y)) return run(y.data);
    staged_y_.resize(count(y.extents));
    run(staged_y_.data());
    copy_elements(TensorView<const T>(staged_y_.data(), y.extents), y);
  }

  template <class U>
  static bool is_dense(const TensorView<U>& view) {
    const Extents dense = dense_strides(view.extents);
    for (std::size_t axis = 0; axis < dense.size(); ++axis) {
      if (view.extents[axis] > 1 && view.strides[axis] != dense[axis]) return false;
    }
    return true;
  }

  static const T* staged(const TensorView<const T>& operand, std::vector<T>& room) {
    if (is_dense(operand)) return operand.data;
    room.resize(count(operand.extents));
    copy_elements(operand, TensorView<T>(room.data(), operand.extents));
    return room.data();
  }

  std::vector<T> staged_x_, staged_k_, staged_y_;
};

/// Throws InsufficientMemory where `elements` × sizeof(T) bytes are more than the machine has left.
template <class T>
void require_memory(double elements) {
  const double bytes = elements * sizeof(T);
  if (bytes > static_cast<double>(available_memory())) {
    throw InsufficientMemory("the library needs " +
                             std::to_string(static_cast<std::int64_t>(bytes)) +
                             " bytes, more than are available");
  }
}

/// Output padding that dilation alone allows: some libraries take none of that, or give wrong
/// outputs.
inline bool has_wide_output_padding(const Problem& problem) {
  return problem.output_padding.y >= problem.stride.y ||
         problem.output_padding.x >= problem.stride.x;
}

}  // namespace fullconv::bench
