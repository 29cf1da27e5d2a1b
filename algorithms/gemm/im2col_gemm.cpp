// Lowering: column f of a matrix L holds the K·h·w samples that output f sums over, zeros where
// there is no image, so that y[n] = A·L with A[C, K·h·w] the weights; OpenBLAS does the product,
// one for all channels. L is built and used in panels, since whole it has h·w times the bytes of
// the image. 2·(H+h−1)·(W+w−1)·h·w·N·K·C flops; each sample is written and read h·w times in cache.
// Chellapilla, Puri and Simard, High Performance Convolutional Neural Networks, IWFHR 2006.

#include "core/buffer.h"
#include "core/parallel.h"
#include "core/plane.h"
#include "core/registry.h"
#include "gemm/blas.h"

namespace fullconv {
namespace {

// A panel that stays in the second-level cache: 256 samples deep, 512 KiB.
constexpr index_t kPanelDepth = 288;
constexpr index_t kPanelBytes = index_t{512} << 10;

constexpr index_t ceil_divide(index_t a, index_t b) { return (a + b - 1) / b; }

template <class T>
class Im2colGemmPlan final : public Plan<T> {
 public:
  Im2colGemmPlan(const Problem& problem, const PlanOptions& options)
      : Plan<T>(problem),
        depth_(problem.K * problem.h * problem.w),
        outputs_(problem.output_rows() * problem.output_columns()),
        panel_depth_(std::min(depth_, kPanelDepth)),
        panel_columns_(std::min(outputs_, kPanelBytes / kScalarBytes / panel_depth_)),
        panels_(ceil_divide(outputs_, panel_columns_)),
        threads_(useful_threads(problem, options, problem.N * panels_)),
        weights_(problem.C * depth_),
        lowered_(threads_ * panel_depth_ * panel_columns_),
        products_(threads_ * problem.C * panel_columns_) {
    blas::use_one_thread();
  }

  std::size_t workspace_bytes() const override {
    return weights_.bytes() + lowered_.bytes() + products_.bytes();
  }
  int threads() const override { return threads_; }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    gather_weights(k);
    parallel_for(threads_, this->problem().N * panels_, [&](index_t part, int thread) {
      compute_panel(part / panels_, part % panels_ * panel_columns_, thread, x, y);
    });
  }

 private:
  static constexpr index_t kScalarBytes = sizeof(T);

  /// A[c, (o,p,q)] = k[o,c,p,q]
  void gather_weights(const TensorView<const T>& k) {
    const Problem& problem = this->problem();
    T* to = weights_.data();
    for (index_t c = 0; c < problem.C; ++c)
      for (index_t o = 0; o < problem.K; ++o)
        for (index_t p = 0; p < problem.h; ++p) to = std::copy_n(&k(o, c, p, 0), problem.w, to);
  }

  /// Outputs [first, first + panel_columns_) of image n, counted row by row.
  void compute_panel(index_t n, index_t first, int thread, const TensorView<const T>& x,
                     const TensorView<T>& y) const {
    const Problem& problem = this->problem();
    const index_t count = std::min(panel_columns_, outputs_ - first);
    T* lowered = lowered_.data() + thread * panel_depth_ * panel_columns_;
    // Where outputs lie one behind the other the product goes straight to them.
    const bool dense = y.strides[2] == problem.output_columns();
    T* products =
        dense ? &y(n, 0, 0, 0) + first : products_.data() + thread * problem.C * panel_columns_;
    const index_t products_stride = dense ? y.strides[1] : panel_columns_;

    for (index_t depth = 0; depth < depth_; depth += panel_depth_) {
      const index_t slice = std::min(panel_depth_, depth_ - depth);
      for (index_t row = 0; row < slice; ++row) {
        lower_row(n, depth + row, first, count, x, lowered + row * panel_columns_);
      }
      blas::gemm(problem.C, count, slice, weights_.data() + depth, depth_, lowered, panel_columns_,
                 depth == 0 ? T{0} : T{1}, products, products_stride);
    }
    if (!dense) {
      for (index_t c = 0; c < problem.C; ++c)
        scatter(products + c * products_stride, plane(y, n, c), first, count);
    }
  }

  /// Row (o,p,q) of the lowered matrix: the sample that this tap takes for each output.
  void lower_row(index_t n, index_t depth, index_t first, index_t count,
                 const TensorView<const T>& x, T* to) const {
    const auto& [N, K, C, H, W, h, w] = this->problem();
    const Plane<const T> image = plane(x, n, depth / (h * w));
    const index_t p = depth / w % h;
    const index_t q = depth % w;
    for_each_row(first, count, [&](index_t i, index_t begin, index_t end) {
      T* const row_end = to + (end - begin);
      if (i < p || i - p >= H) {
        to = std::fill_n(to, end - begin, T{0});
        return;
      }
      const index_t inside_begin = std::clamp(q, begin, end);
      const index_t inside_end = std::clamp(q + W, begin, end);
      to = std::fill_n(to, inside_begin - begin, T{0});
      if (inside_begin < inside_end) {
        to = std::copy(image.row(i - p) + inside_begin - q, image.row(i - p) + inside_end - q, to);
      }
      to = std::fill_n(to, row_end - to, T{0});
    });
  }

  void scatter(const T* products, const Plane<T>& y, index_t first, index_t count) const {
    for_each_row(first, count, [&](index_t i, index_t begin, index_t end) {
      std::copy_n(products, end - begin, y.row(i) + begin);
      products += end - begin;
    });
  }

  /// Cuts `count` outputs from `first` on into rows: visit(i, begin column, end column).
  template <class Visit>
  void for_each_row(index_t first, index_t count, const Visit& visit) const {
    const index_t columns = this->problem().output_columns();
    for (index_t i = first / columns, begin = first % columns; count > 0; ++i, begin = 0) {
      const index_t end = std::min(columns, begin + count);
      visit(i, begin, end);
      count -= end - begin;
    }
  }

  index_t depth_, outputs_;
  index_t panel_depth_, panel_columns_, panels_;
  int threads_;
  Buffer<T> weights_;
  Buffer<T> lowered_;
  Buffer<T> products_;
};

template <class T>
Planned<T> plan_im2col_gemm(const Problem& problem, const PlanOptions& options) {
  return std::make_unique<Im2colGemmPlan<T>>(problem, options);
}

}  // namespace

constinit const Algorithm builtin::im2col_gemm{
    .name = "im2col_gemm",
    .summary =
        "taps lowered to the columns of a matrix, panel by panel, times the weights by OpenBLAS",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::multiplies_padding,
    .threaded = true,
    .operations = padded_operations,
    .plan_f32 = plan_im2col_gemm<float>,
    .plan_f64 = plan_im2col_gemm<double>,
};

}  // namespace fullconv
