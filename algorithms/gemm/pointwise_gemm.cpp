// Layers of 1×1 kernels, a matrix product of the operands as they lie in memory: y[n]ᵀ = x[n]ᵀ·k
// with x[n] of K × pixels and k of K × C. Channels of y are the columns, so that low planes leave
// no lanes empty and the weights need not be transposed: some of them are copied into a near cache,
// and the sums are transposed when they are complete. 2·H·W·N·K·C flops. Goto and van de Geijn,
// Anatomy of High-Performance Matrix Multiplication, ACM TOMS 34(3), 2008.

#include <algorithm>

#include "core/buffer.h"
#include "core/forecast.h"
#include "core/parallel.h"
#include "core/plane.h"
#include "core/registry.h"
#include "core/simd_target.h"
#include "core/steps.h"
#include "gemm/product.h"

namespace fullconv {
namespace {

/// How the work is cut.
struct Blocking {
  index_t strip;                           // columns of a tile of products
  index_t block_channels, channel_blocks;  // of y; whole strips
  index_t block_pixels, pixel_blocks;      // of all images
  index_t depth;                           // channels of x that are summed over at a time
};

template <class T>
Blocking choose_blocking(const Problem& p, int threads) {
  const index_t lanes = vector_lanes<T>();
  const index_t pixels = p.H * p.W;
  Blocking b{};
  const index_t vectors_C = ceil_divide(p.C, lanes);
  b.strip = std::min(most_tile_vectors(pixels), vectors_C) * lanes;
  const index_t strips = ceil_divide(vectors_C * lanes, b.strip);
  // The weights of a strip are in the first-level cache, those of a block, the sums and what the
  // block meets of x in the second-level one.
  constexpr index_t kStripBytes = 32 * 1024, kMostChannels = 128, kMostPixels = 224;
  const index_t deepest =
      std::max<index_t>(kStripBytes / (b.strip * static_cast<index_t>(sizeof(T))), 1);
  b.depth = ceil_divide(p.K, ceil_divide(p.K, deepest));
  const index_t most_strips = std::max<index_t>(kMostChannels / b.strip, 1);
  index_t channel_blocks = ceil_divide(strips, most_strips);
  // Whole images, or parts of one.
  b.block_pixels = pixels <= kMostPixels ? std::min(kMostPixels / pixels, p.N) * pixels
                                         : ceil_divide(pixels, ceil_divide(pixels, kMostPixels));
  b.pixel_blocks = ceil_divide(p.N * pixels, b.block_pixels);
  if (b.pixel_blocks * channel_blocks % threads != 0) {
    channel_blocks = std::min(ceil_divide(channel_blocks, threads) * threads, strips);
  }
  b.block_channels = ceil_divide(strips, channel_blocks) * b.strip;
  b.channel_blocks = ceil_divide(p.C, b.block_channels);
  return b;
}

/// Elements of a thread's room.
template <class T>
struct Room {
  index_t weights, sums;

  explicit Room(const Blocking& b)
      : weights(share_of_thread(b.depth * b.block_channels, sizeof(T))),
        sums(share_of_thread(b.block_pixels * b.block_channels, sizeof(T))) {}
};

template <class T>
class PointwiseGemmPlan final : public Plan<T> {
 public:
  PointwiseGemmPlan(const Problem& problem, int threads)
      : Plan<T>(problem),
        threads_(threads),
        blocking_(choose_blocking<T>(problem, threads)),
        room_(blocking_),
        weights_(threads * room_.weights),
        sums_(threads * room_.sums) {}

  std::size_t workspace_bytes() const override { return weights_.bytes() + sums_.bytes(); }
  int threads() const override { return threads_; }
  std::string implementation() const override { return simd_target(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const index_t blocks = blocking_.channel_blocks;
    parallel_for(threads_, blocking_.pixel_blocks * blocks, [&](index_t part, int thread) {
      compute_block(part / blocks, part % blocks, thread, x, k, y);
    });
  }

 private:
  void compute_block(index_t pixel_block, index_t channel_block, int thread,
                     const TensorView<const T>& x, const TensorView<const T>& k,
                     const TensorView<T>& y) const {
    const Problem& p = this->problem();
    const Blocking& b = blocking_;
    const index_t first = channel_block * b.block_channels;
    const Range channels{first, std::min(first + b.block_channels, p.C)};
    const index_t begin = pixel_block * b.block_pixels;
    const Range pixels{begin, std::min(begin + b.block_pixels, p.N * p.H * p.W)};
    T* weights = weights_.data() + thread * room_.weights;
    T* sums = sums_.data() + thread * room_.sums;
    StepTimer timing(Step::copies);
    for (index_t o = 0; o < p.K; o += b.depth) {
      const index_t depth = std::min(b.depth, p.K - o);
      timing.enter(Step::copies);
      copy_weights(k, o, depth, channels, weights);
      timing.enter(Step::gemm);
      for_each_run(pixels, x.strides[2], [&](index_t n, index_t row, index_t column, Range run) {
        for (index_t c = 0; c < channels.size(); c += b.strip) {
          multiply<T>({.rows = run.size(),
                       .columns = columns_of(channels.size() - c),
                       .depth = depth,
                       .a = &x(n, o, row, column),
                       .a_depth = x.strides[1],
                       .b = weights + c * b.depth,
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
                  y.strides[1]);
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
    const Blocking& b = blocking_;
    for (index_t c = 0; c < channels.size(); c += b.strip) {
      pack<T>({.rows = std::min(b.strip, channels.size() - c),
               .depth = depth,
               .taps = 1,
               .available = this->problem().K - o,
               .from = &k(o, channels.begin + c, 0, 0),
               .row_stride = k.strides[1],
               .depth_stride = k.strides[0],
               .to = to + c * b.depth,
               .pitch = b.strip,
               .tap_stride = 0});
    }
  }

  /// Calls visit(image, row, column, pixels) for runs of pixels that lie one behind the other.
  template <class Visit>
  void for_each_run(Range pixels, index_t row_stride, const Visit& visit) const {
    const Problem& p = this->problem();
    const index_t at_once = row_stride == p.W || p.H == 1 ? p.H * p.W : p.W;
    for (index_t begin = pixels.begin; begin < pixels.end;) {
      const index_t end = std::min((begin / at_once + 1) * at_once, pixels.end);
      visit(begin / (p.H * p.W), begin / p.W % p.H, begin % p.W, Range{begin, end});
      begin = end;
    }
  }

  int threads_;
  Blocking blocking_;
  Room<T> room_;
  Buffer<T> weights_, sums_;
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
  const auto of = [](index_t count) { return static_cast<double>(count); };
  const index_t lanes = vector_lanes<T>();
  const double pixels = of(p.N * p.H * p.W), K = of(p.K);
  const double vectors_C = of(ceil_divide(p.C, lanes)), vectors = of(b.strip / lanes);
  const double rows = of(p.H * p.W) / of(tiles_of(p.H * p.W));
  // A step loads a vector for each of B's and an element for each row, two in a cycle; fewer sums
  // than hide the latency of an FMA wait for it.
  constexpr double kHidden = 8;
  const double waits =
      std::max({1.0, kHidden / (rows * vectors), (rows + vectors) / (rows * vectors)});
  constexpr double kFma = 0.128e-9, kWeight = 1.8e-9, kSum = 1.3e-9, kCall = 0.3e-6;  // vectors
  const Room<T> room(b);
  return {.terms = divided_among_threads({{"products", pixels * K * vectors_C * waits * kFma},
                                          {"copies", of(b.pixel_blocks) * K * vectors_C * kWeight +
                                                         pixels * vectors_C * kSum + kCall}},
                                         threads),
          .workspace_bytes =
              static_cast<std::size_t>(threads * sizeof(T) * (of(room.weights) + of(room.sums)))};
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
  all.insert(all.end(), {{Boundary::x_channels, b.depth},
                         {Boundary::y_channels, b.strip},
                         {Boundary::y_channels, b.block_channels},
                         {Boundary::y_channels, vector_lanes<T>()},
                         {Boundary::image_rows, ceil_divide(b.block_pixels, problem.W)},
                         {Boundary::batch, ceil_divide(b.block_pixels, problem.H * problem.W)}});
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
    .vectorized = true,
    .forecast = forecast_pointwise_gemm,
    .boundaries = boundaries_of_pointwise_gemm,
    .plan_f32 = plan_pointwise_gemm<float>,
    .plan_f64 = plan_pointwise_gemm<double>,
};

}  // namespace fullconv
