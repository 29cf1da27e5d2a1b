// Zero-padding: the image is copied into the middle of zeros, h−1 rows and w−1 columns on each
// side, and correlated with the flipped kernel. Every output then has all h·w taps and no border
// exists. 2·(H+h−1)·(W+w−1)·h·w flops; a workspace of (H+2h−2)·(W+2w−2) elements and the flipped
// kernel.

#include "core/buffer.h"
#include "core/lift.h"
#include "core/registry.h"
#include "core/staging.h"
#include "core/steps.h"

namespace fullconv {
namespace {

template <class T>
class ZeroPad {
 public:
  explicit ZeroPad(const Problem& problem)
      : window_(problem.window()),
        h_(problem.h),
        w_(problem.w),
        columns_(problem.W + 2 * (problem.w - 1)),
        padded_((problem.H + 2 * (problem.h - 1)) * columns_),
        flipped_(problem.h * problem.w) {}

  void load(const Plane<const T>& x) {
    const StepTimer timing(Step::padding);
    // The border is zero from the start, and nothing ever writes to it.
    stage(x, {0, x.rows}, {0, x.columns}, padded_row(h_ - 1) + w_ - 1, columns_);
  }

  void add(const Plane<const T>& k, const Plane<T>& y) {
    const StepTimer timing(Step::direct);
    for (index_t p = 0; p < h_; ++p)
      std::reverse_copy(k.row(p), k.row(p) + w_, flipped_row(h_ - 1 - p));
    for (index_t i = 0; i < y.rows; ++i) {
      for (index_t p = 0; p < h_; ++p)
        add_row(flipped_row(p), window_row(i + p), y.row(i), y.columns);
    }
  }

  std::size_t workspace_bytes() const { return padded_.bytes() + flipped_.bytes(); }

 private:
  /// Apart from the loops over rows, whose variables would take the registers of this one:
  /// 512x512_k7x7 took 1.1 times as long.
  [[gnu::noinline]] void add_row(const T* taps, const T* x, T* y, index_t count) const {
    for (index_t q = 0; q < w_; ++q) add_scaled_row(taps[q], x + q, y, count);
  }

  T* padded_row(index_t i) const { return padded_.data() + i * columns_; }
  /// The same from the first row and column that y's window needs.
  T* window_row(index_t i) const {
    return padded_row(window_.rows.begin + i) + window_.columns.begin;
  }
  T* flipped_row(index_t p) const { return flipped_.data() + p * w_; }

  Window window_;
  index_t h_, w_, columns_;
  Buffer<T> padded_;
  Buffer<T> flipped_;
};

}  // namespace

constinit const Algorithm builtin::zero_pad{
    .name = "zero_pad",
    .summary =
        "image padded with h-1 and w-1 zeros, then a valid correlation with the flipped kernel",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::multiplies_padding,
    .same_bits = true,
    .crops = true,
    .operations = padded_operations,
    .plan_f32 = plan_lifted<float, ZeroPad<float>>,
    .plan_f64 = plan_lifted<double, ZeroPad<double>>,
};

}  // namespace fullconv
