// Lowering: convolution becomes a matrix product once the samples that each output sums over are
// laid out as columns of a matrix. Row (o,q) of that matrix is channel o shifted right by tap
// column q, zeros where there is no image, its rows one behind the other; tap row p reads the same
// matrix p image rows further up. So y[n] = Σ_p A_p·L(shifted by p), with A_p[C, K·w] the weights
// of tap row p, and OpenBLAS does the products: for all channels at once, panel by panel.
// 2·(H+h−1)·(W+w−1)·h·w·N·K·C flops; each sample is written about 2·w times, to cache.
// Chellapilla, Puri and Simard, High Performance Convolutional Neural Networks, IWFHR 2006; sharing
// rows between taps: Cho and Brand, MEC: Memory-efficient Convolution, ICML 2017.

#include "costs/im2col_gemm.h"

#include <cmath>

#include "core/buffer.h"
#include "core/forecast.h"
#include "core/operand_range.h"
#include "core/parallel.h"
#include "core/plane.h"
#include "core/recompute.h"
#include "core/registry.h"
#include "core/staging.h"
#include "core/steps.h"
#include "gemm/blas.h"

namespace fullconv {
namespace {

/// The outputs that are computed together, and how much is lowered for them at a time.
struct Panel {
  index_t rows;     ///< output rows
  index_t columns;  ///< output columns
  index_t pitch;    ///< columns of the lowered matrix for each image row
  index_t taps;     ///< tap rows p that share one lowering
  index_t depth;    ///< rows (o,q) of the lowered matrix

  /// Image rows that `taps` tap rows reach from `rows` output rows.
  index_t lowered_rows() const { return rows + taps - 1; }
  index_t lowered_columns() const { return lowered_rows() * pitch; }

  /// Elements that each thread has room for.
  index_t lowered_share(index_t scalar_bytes) const {
    return share_of_thread(depth * lowered_columns(), scalar_bytes);
  }
  index_t products_share(const Problem& problem, index_t scalar_bytes) const {
    return share_of_thread(problem.C * rows * pitch, scalar_bytes);
  }
};

// A lowered panel stays in the second-level cache. Measured where that has 2 MiB, nominal GFLOP/s:
//   panel                   128 KiB  512 KiB  2 MiB
//   1024x1024_k15x15             38       42     42
//   n1_i64_o64_56x56_k3x3       108      135    132
//   n4_i64_o3_112x112_k7x7       57       62     18
constexpr index_t kPanelBytes = index_t{512} << 10;

/// What a product needs at least for OpenBLAS to run at its rate.
constexpr index_t kProductColumns = 2048;

/// OpenBLAS multiplies thin matrices without packing them; rows of the right one that start on
/// cache lines then double its speed (one row by 225x512: 80 GFLOP/s, by 225x582: 39).
constexpr index_t kThin = 8;
constexpr index_t kCacheLineBytes = 64;

/// Rows and tap rows of a panel. The image rows above a panel are lowered again by its neighbour:
/// twice the work where the two are alike, and more where the rows are fewer.
constexpr index_t kMostRows = 128;

/// OpenBLAS sums longer products piece by piece anyway.
constexpr index_t kMostDepth = 1024;

Panel choose_panel(const Problem& problem, index_t scalar_bytes, int threads) {
  Panel panel{};
  // Wide enough for long products, yet the taller the kernel the narrower, to stay in the cache.
  panel.columns =
      std::min(problem.output_columns(), std::clamp<index_t>(4096 / problem.h, 64, 512));
  panel.pitch = panel.columns;
  if (problem.C < kThin) {
    const index_t line = kCacheLineBytes / scalar_bytes;
    const index_t padded = ceil_divide(panel.columns, line) * line;
    if (padded < 2 * panel.columns) panel.pitch = padded;
  }
  panel.taps = std::min(problem.h, kMostRows);
  const index_t long_products = ceil_divide(kProductColumns, panel.columns);
  const index_t rows = std::min(std::max(panel.taps - 1, long_products), 4 * kMostRows);
  // As many panels as there are threads or a multiple of that, all of about one size.
  const index_t panels = ceil_divide(ceil_divide(problem.output_rows(), rows), threads) * threads;
  panel.rows = ceil_divide(problem.output_rows(), panels);
  const index_t fits = kPanelBytes / scalar_bytes / panel.lowered_columns();
  panel.depth = std::clamp<index_t>(fits, 1, std::min(problem.K * problem.w, kMostDepth));
  return panel;
}

template <class T>
class Im2colGemmPlan final : public Plan<T> {
 public:
  Im2colGemmPlan(const Problem& problem, const PlanOptions& options)
      : Plan<T>(problem),
        depth_(problem.K * problem.w),
        panel_(choose_panel(problem, sizeof(T), useful_threads(problem, options, options.threads))),
        panels_down_(ceil_divide(problem.output_rows(), panel_.rows)),
        panels_across_(ceil_divide(problem.output_columns(), panel_.columns)),
        threads_(useful_threads(problem, options, problem.N * panels_down_ * panels_across_)),
        lowered_share_(panel_.lowered_share(sizeof(T))),
        products_share_(panel_.products_share(problem, sizeof(T))),
        weights_(problem.h * problem.C * depth_),
        lowered_(threads_ * lowered_share_),
        products_(threads_ * products_share_) {
    blas::use_one_thread();
  }

  std::size_t workspace_bytes() const override {
    return weights_.bytes() + lowered_.bytes() + products_.bytes();
  }
  int threads() const override { return threads_; }
  std::string implementation() const override { return blas::describe(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const Problem& problem = this->problem();
    const blas::OneThread in_this_scope;
    // Weights that are not finite must not meet the zeros around an image.
    if (!gather_weights(k)) {
      for_each_block(threads_, std::array{problem.N, problem.C},
                     [&](index_t n, index_t c, int) { recompute(problem, x, k, n, c, y); });
      return;
    }
    for_each_block(threads_, std::array{problem.N, panels_down_, panels_across_},
                   [&](index_t n, index_t down, index_t across, int thread) {
                     compute_panel(n, down * panel_.rows, across * panel_.columns, thread, x, y);
                   });
  }

 private:
  /// A_p[c, (o,q)] = k[o,c,p,q]. False where weights are not all finite.
  bool gather_weights(const TensorView<const T>& k) {
    const StepTimer timing(Step::copies);
    const Problem& problem = this->problem();
    bool finite = true;
    for (index_t c = 0; c < problem.C; ++c) {
      const auto row = [&](index_t p) { return &weights_[(p * problem.C + c) * depth_]; };
      for (index_t o = 0; o < problem.K; ++o)
        for (index_t p = 0; p < problem.h; ++p) {
          std::copy_n(&k(o, c, p, 0), problem.w, row(p) + o * problem.w);
        }
      // Now, as long as a cache has them.
      for (index_t p = 0; p < problem.h; ++p) {
        finite = finite && std::isfinite(largest_magnitude(row(p), depth_));
      }
    }
    return finite;
  }

  /// The outputs of image n from (row, column) on.
  void compute_panel(index_t n, index_t row, index_t column, int thread,
                     const TensorView<const T>& x, const TensorView<T>& y) const {
    const Problem& problem = this->problem();
    const index_t rows = std::min(panel_.rows, problem.output_rows() - row);
    // Where the panel begins in the full output.
    const index_t down = row + problem.padding.top, right = column + problem.padding.left;
    T* lowered = lowered_.data() + thread * lowered_share_;
    // Where outputs lie as in the panel, with nothing beside it, the products go straight to them.
    const bool in_place =
        panels_across_ == 1 && panel_.pitch == panel_.columns && y.strides[2] == panel_.pitch &&
        y.strides[1] >= panel_.rows * panel_.pitch && blas::takes_size(y.strides[1]);
    T* products = in_place ? &y(n, 0, row, 0) : products_.data() + thread * products_share_;
    const index_t products_stride = in_place ? y.strides[1] : panel_.rows * panel_.pitch;

    bool first = true;
    for (index_t depth = 0; depth < depth_; depth += panel_.depth) {
      const index_t slice = std::min(panel_.depth, depth_ - depth);
      for (index_t p_begin = 0; p_begin < problem.h; p_begin += panel_.taps) {
        const index_t p_end = std::min(p_begin + panel_.taps, problem.h);
        const index_t top = down - (p_end - 1);  // the first image row that is reached
        StepTimer timing(Step::lowering);
        for (index_t d = 0; d < slice; ++d) {
          const index_t o = (depth + d) / problem.w;
          const index_t q = (depth + d) % problem.w;
          stage(plane(x, n, o), {top, down + rows - p_begin}, {right - q, right - q + panel_.pitch},
                lowered + d * panel_.lowered_columns(), panel_.pitch);
        }
        timing.enter(Step::gemm);
        for (index_t p = p_begin; p < p_end; ++p) {
          blas::gemm(problem.C, rows * panel_.pitch, slice,
                     weights_.data() + p * problem.C * depth_ + depth, depth_,
                     lowered + (down - p - top) * panel_.pitch, panel_.lowered_columns(),
                     first ? T{0} : T{1}, products, products_stride);
          first = false;
        }
      }
    }
    if (!in_place) {
      const StepTimer timing(Step::copies);
      const index_t columns = std::min(panel_.columns, problem.output_columns() - column);
      for (index_t c = 0; c < problem.C; ++c)
        for (index_t i = 0; i < rows; ++i)
          std::copy_n(products + c * products_stride + i * panel_.pitch, columns,
                      &y(n, c, row + i, column));
    }
  }

  index_t depth_;
  Panel panel_;
  index_t panels_down_, panels_across_;
  int threads_;
  index_t lowered_share_, products_share_;
  Buffer<T> weights_;
  Buffer<T> lowered_;
  Buffer<T> products_;
};

std::vector<Boundary> boundaries_of_im2col_gemm(const Problem& problem, const PlanOptions& options,
                                                std::size_t scalar_size) {
  const Panel panel = choose_panel(problem, static_cast<index_t>(scalar_size),
                                   useful_threads(problem, options, options.threads));
  return {{Boundary::output_columns, panel.columns},
          {Boundary::output_columns, panel.pitch},
          {Boundary::output_rows, panel.rows},
          {Boundary::kernel_rows, panel.taps},
          {Boundary::kernel_rows, kMostRows},
          {Boundary::x_channels, ceil_divide(panel.depth, problem.w)},
          {Boundary::x_channels, ceil_divide(kMostDepth, problem.w)},
          {Boundary::kernel_columns, ceil_divide(panel.depth, problem.K)},
          {Boundary::y_channels, kThin}};
}

std::optional<Forecast> forecast_im2col_gemm(const Problem& problem, const PlanOptions& options,
                                             std::size_t scalar_size) {
  if (!blas::takes_size(problem.K * problem.w) || !blas::takes_size(problem.C)) return std::nullopt;
  const int threads = useful_threads(problem, options, options.threads);
  const auto scalar_bytes = static_cast<index_t>(scalar_size);
  const Panel panel = choose_panel(problem, scalar_bytes, threads);
  const auto weights =
      static_cast<double>(problem.C) * static_cast<double>(problem.K * problem.w * problem.h);
  const double room =
      weights + threads * static_cast<double>(panel.lowered_share(scalar_bytes) +
                                              panel.products_share(problem, scalar_bytes));
  return Forecast{
      .terms = divided_among_threads(im2col_gemm_terms(problem, scalar_size), threads),
      .workspace_bytes = static_cast<std::size_t>(static_cast<double>(scalar_size) * room)};
}

template <class T>
Planned<T> plan_im2col_gemm(const Problem& problem, const PlanOptions& options) {
  if (!blas::takes_size(problem.K * problem.w) || !blas::takes_size(problem.C)) {
    return Declined{"has more rows or columns of weights than OpenBLAS can count"};
  }
  return std::make_unique<Im2colGemmPlan<T>>(problem, options);
}

}  // namespace

constinit const Algorithm builtin::im2col_gemm{
    .name = "im2col_gemm",
    .summary = "shifted images as rows of a matrix, panel by panel, times the weights by OpenBLAS",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .crops = true,
    .operations = padded_operations,
    // Some of OpenBLAS's kernels for small matrices copy four columns of the left one.
    .scratch_bytes = 4 * kMostDepth * sizeof(double) + 1024,
    .forecast = forecast_im2col_gemm,
    .boundaries = boundaries_of_im2col_gemm,
    .plan_f32 = plan_im2col_gemm<float>,
    .plan_f64 = plan_im2col_gemm<double>,
};

}  // namespace fullconv
