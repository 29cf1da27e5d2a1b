#pragma once

#include "core/buffer.h"
#include "core/staged_plan.h"
#include "fullconv/algorithm.h"

namespace fullconv {

/// A kernel kept as it is, for plans that work on its values in run_prepared(), too. Those that
/// have more of it derive from this.
template <class T>
class KernelCopy : public PreparedKernel<T> {
 public:
  explicit KernelCopy(const TensorView<const T>& k) : room_(element_count(k.extents)) {
    view_ = {room_.data(), k.extents};
    copy_elements(k, TensorView<T>(room_.data(), k.extents));
  }

  std::size_t bytes() const override { return room_.bytes(); }
  const TensorView<const T>& view() const { return view_; }

 private:
  Buffer<T> room_;
  TensorView<const T> view_{};
};

}  // namespace fullconv
