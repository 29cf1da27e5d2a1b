// Layers of 1×1 kernels, a matrix product of the operands as they lie in memory: y[n]ᵀ = x[n]ᵀ·k
// with x[n] of K × pixels and k of K × C. Channels of y are the columns, so that low planes leave
// no lanes empty and the weights need not be transposed: those of some channels of y are copied
// into a near cache, where all pixels find them, and the sums are transposed when they are
// complete. 2·H·W·N·K·C flops. Goto and van de Geijn, Anatomy of High-Performance Matrix
// Multiplication, ACM TOMS 34(3), 2008.

#include "costs/pointwise_gemm.h"

#include <algorithm>
#include <utility>

#include "core/buffer.h"
#include "core/forecast.h"
#include "core/parallel.h"
#include "core/past_caches.h"
#include "core/plane.h"
#include "core/registry.h"
#include "core/simd_target.h"
#include "core/steps.h"
#include "gemm/pointwise_blocking.h"
#include "gemm/product.h"

namespace fullconv {
namespace {

using namespace pointwise;  // NOLINT(google-build-using-namespace): names of this algorithm's own

template <class T>
class PointwiseGemmPlan final : public Plan<T> {
 public:
  PointwiseGemmPlan(const Problem& problem, int threads)
      : Plan<T>(problem),
        threads_(threads),
        blocking_(choose_blocking<T>(problem, threads)),
        room_(problem, blocking_),
        past_caches_(leaves_caches<T>(problem)),
        weights_(threads * room_.weights),
        sums_(threads * room_.sums),
        held_(threads) {}

  std::size_t workspace_bytes() const override {
    return weights_.bytes() + sums_.bytes() + held_.bytes();
  }
  int threads() const override { return threads_; }
  std::string implementation() const override { return simd_target(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    std::ranges::fill(held_.elements(), kNone);
    for_each_block(threads_, std::array{blocking_.channel_blocks, blocking_.pixel_blocks},
                   [&](index_t channel_block, index_t pixel_block, int thread) {
                     compute_block(pixel_block, channel_block, thread, x, k, y);
                   });
  }

 private:
  void compute_block(index_t pixel_block, index_t channel_block, int thread,
                     const TensorView<const T>& x, const TensorView<const T>& k,
                     const TensorView<T>& y) const {
    const Problem& p = this->problem();
    const Blocking& b = blocking_;
    const index_t first = channel_block * b.block_channels;
    const Window window = p.window();
    const Range channels{first, std::min(first + b.block_channels, p.C)};
    const index_t begin = pixel_block * b.block_pixels;
    const Range pixels{begin, std::min(begin + b.block_pixels, p.N * pixels_of(p))};
    const bool copied = std::exchange(held_[thread], channel_block) == channel_block;
    T* weights = weights_.data() + thread * room_.weights;
    T* sums = sums_.data() + thread * room_.sums;
    StepTimer timing(Step::copies);
    for (index_t o = 0; o < p.K; o += b.depth) {
      const index_t depth = std::min(b.depth, p.K - o);
      T* of_depth = weights + (b.holds_weights() ? o * b.block_channels : 0);
      timing.enter(Step::copies);
      if (!copied) copy_weights(k, o, depth, channels, of_depth);
      timing.enter(Step::gemm);
      for_each_run(pixels, x.strides[2], [&](index_t n, index_t row, index_t column, Range run) {
        for (index_t c = 0; c < channels.size(); c += b.strip) {
          multiply<T>({.rows = run.size(),
                       .columns = columns_of(channels.size() - c),
                       .depth = depth,
                       .a = &x(n, o, window.rows.begin + row, window.columns.begin + column),
                       .a_depth = x.strides[1],
                       .b = of_depth + c * depth,
                       .b_depth = b.strip,
                       .b_columns = b.strip,
                       .c = sums + c * b.block_pixels + (run.begin - begin) * b.strip,
                       .c_row = b.strip,
                       .add = o > 0});
        }
      });
    }
    timing.enter(Step::copies);
    for_each_run(pixels, y.strides[2], [&](index_t n, index_t row, index_t column, Range run) {
      for (index_t c = 0; c < channels.size(); c += b.strip) {
        transpose(sums + c * b.block_pixels + (run.begin - begin) * b.strip, b.strip, run.size(),
                  std::min(b.strip, channels.size() - c), &y(n, channels.begin + c, row, column),
                  y.strides[1], past_caches_);
      }
    });
  }

  /// Whole vectors of a strip's channels.
  index_t columns_of(index_t channels) const {
    const index_t lanes = vector_lanes<T>();
    return std::min(blocking_.strip, ceil_divide(channels, lanes) * lanes);
  }

  /// Strip by strip, to depth × strip of each.
  void copy_weights(const TensorView<const T>& k, index_t o, index_t depth, Range channels,
                    T* to) const {
    const index_t strip = blocking_.strip;
    pack<T>({.rows = channels.size(),
             .depth = depth,
             .taps = 1,
             .available = this->problem().K - o,
             .from = &k(o, channels.begin, 0, 0),
             .row_stride = k.strides[1],
             .depth_stride = k.strides[0],
             .to = to,
             .pitch = strip,
             .tap_stride = 0,
             .tile_stride = depth * strip});
  }

  /// Calls visit(image, row, column, pixels) for runs of y's pixels that lie one behind the other.
  template <class Visit>
  void for_each_run(Range pixels, index_t row_stride, const Visit& visit) const {
    const Problem& p = this->problem();
    const index_t rows = p.output_rows(), columns = p.output_columns();
    const index_t at_once = row_stride == columns || rows == 1 ? rows * columns : columns;
    for (index_t begin = pixels.begin; begin < pixels.end;) {
      const index_t end = std::min((begin / at_once + 1) * at_once, pixels.end);
      visit(begin / (rows * columns), begin / columns % rows, begin % columns, Range{begin, end});
      begin = end;
    }
  }

  static constexpr index_t kNone = -1;

  int threads_;
  Blocking blocking_;
  Room<T> room_;
  bool past_caches_;
  Buffer<T> weights_, sums_;
  Buffer<index_t> held_;  // by thread: the block of channels whose weights it has
};

/// Why a problem is not taken, or null.
const char* objection(const Problem& p) {
  if (p.h != 1 || p.w != 1) return "kernel is not 1×1";
  return nullptr;
}

template <class T>
Planned<T> plan_pointwise_gemm(const Problem& problem, const PlanOptions& options) {
  if (const char* reason = objection(problem)) return Declined{reason};
  const int threads = useful_threads(problem, options, options.threads);
  return std::make_unique<PointwiseGemmPlan<T>>(problem, threads);
}

template <class T>
Forecast forecast(const Problem& p, const PlanOptions& options) {
  const int threads = useful_threads(p, options, options.threads);
  const Blocking b = choose_blocking<T>(p, threads);
  const Room<T> room(p, b);
  const double bytes = static_cast<double>(room.weights + room.sums) * sizeof(T) + sizeof(index_t);
  return {.terms = divided_among_threads(pointwise_gemm_terms<T>(p, b), threads),
          .workspace_bytes = static_cast<std::size_t>(threads * bytes)};
}

std::optional<Forecast> forecast_pointwise_gemm(const Problem& problem, const PlanOptions& options,
                                                std::size_t scalar_size) {
  if (objection(problem) != nullptr) return std::nullopt;
  return scalar_size == sizeof(float) ? forecast<float>(problem, options)
                                      : forecast<double>(problem, options);
}

template <class T>
std::vector<Boundary> boundaries(const Problem& problem, const PlanOptions& options) {
  std::vector<Boundary> all{{Boundary::kernel_rows, 1}, {Boundary::kernel_columns, 1}};
  if (objection(problem) != nullptr) return all;
  const Blocking b = choose_blocking<T>(problem, useful_threads(problem, options, options.threads));
  all.insert(all.end(),
             {{Boundary::x_channels, b.depth},
              {Boundary::y_channels, b.strip},
              {Boundary::y_channels, b.block_channels},
              {Boundary::y_channels, vector_lanes<T>()},
              {Boundary::output_rows, ceil_divide(b.block_pixels, problem.output_columns())},
              {Boundary::batch, ceil_divide(b.block_pixels, pixels_of(problem))}});
  return all;
}

std::vector<Boundary> boundaries_of_pointwise_gemm(const Problem& problem,
                                                   const PlanOptions& options,
                                                   std::size_t scalar_size) {
  return scalar_size == sizeof(float) ? boundaries<float>(problem, options)
                                      : boundaries<double>(problem, options);
}

}  // namespace

constinit const Algorithm builtin::pointwise_gemm{
    .name = "pointwise_gemm",
    .summary = "1×1 kernels as one product of the operands, channels of y as its columns",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .same_bits = true,
    .crops = true,
    .vectorized = true,
    .forecast = forecast_pointwise_gemm,
    .boundaries = boundaries_of_pointwise_gemm,
    .plan_f32 = plan_pointwise_gemm<float>,
    .plan_f64 = plan_pointwise_gemm<double>,
};

}  // namespace fullconv
