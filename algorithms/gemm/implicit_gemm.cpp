// Implicit lowering: the matrix that im2col_gemm writes down is never there. Lay the rows of an
// image one behind the other, with as many zeros between them as taps reach beyond their ends: then
// the samples that a tap (p,q) takes for all outputs are the same row of numbers, begun p rows and
// q columns earlier. So the rows of the lowered matrix are shifted views of the image, and y[n] =
// A·B with A[C, K·h·w] the weights and B those views. The image is copied once, block by block into
// the second-level cache; for 1×1 kernels not even that. 2·(H+h−1)·(W+w−1)·h·w·N·K·C flops. Where
// the image has few pixels, the other way around: Z = Xᵀ·k, the weights as they are as a matrix of
// K rows, has for each pixel what it adds to y. 2·H·W·h·w·N·K·C flops. Chetlur et al., cuDNN:
// Efficient Primitives for Deep Learning, arXiv:1410.0759, 2014.

#include <algorithm>
#include <atomic>
#include <bit>

#include "core/buffer.h"
#include "core/definition.h"
#include "core/forecast.h"
#include "core/parallel.h"
#include "core/phases.h"
#include "core/plane.h"
#include "core/registry.h"
#include "gemm/product.h"

namespace fullconv {
namespace {

/// How the work is cut.
struct Blocking {
  // The image, as one long row.
  index_t pitch;   // from one of its rows to the next
  index_t margin;  // zeros before the first
  // Blocks of y: some rows of some channels.
  index_t row_blocks, block_rows;
  index_t channel_blocks, block_channels;
  index_t depth;  // channels of x that are summed over at a time
  // Elements.
  index_t image_stride;  // from one channel of the copied image to the next
  index_t sums_stride;   // of y's
  index_t weights_pitch, weights_tile, weights_block;
};

template <class T>
Blocking choose_blocking(const Problem& problem, int threads) {
  const OutputWindow window(problem);
  const index_t lanes = vector_lanes<T>();
  const index_t taps = problem.h * problem.w;
  Blocking b{};
  const index_t left = std::max<index_t>(0, problem.w - 1 - window.columns.begin);
  const index_t right = std::max<index_t>(0, window.columns.end - problem.W);
  b.pitch = std::max(window.columns.size(), problem.W + std::max(left, right));
  b.margin = left;

  // What a strip of tiles takes of the image, and of the weights for one tile, is in the
  // first-level cache together.
  constexpr index_t kStripBytes = 20 * 1024;
  const index_t strip = most_tile_vectors(problem.C) + 1 + (problem.w - 1) / lanes;
  const index_t of_a_channel = problem.h * strip * lanes * static_cast<index_t>(sizeof(T));
  const index_t deepest = std::clamp<index_t>(kStripBytes / of_a_channel, 4, problem.K);
  b.depth = ceil_divide(problem.K, ceil_divide(problem.K, deepest));

  // And a block of y and of the image in the second-level one.
  constexpr index_t kBlockBytes = 512 * 1024;
  const index_t of_a_row = (problem.C + b.depth) * b.pitch * static_cast<index_t>(sizeof(T));
  b.block_rows = std::clamp<index_t>(kBlockBytes / of_a_row, 1, window.rows.size());
  b.row_blocks = ceil_divide(window.rows.size(), b.block_rows);
  b.channel_blocks = 1;
  if (problem.N * b.row_blocks % threads != 0) {
    constexpr index_t kFewest = 8;  // vectors of a block
    const index_t more = ceil_divide(b.row_blocks, threads) * threads;
    const index_t fewer_rows = ceil_divide(window.rows.size(), more);
    if (fewer_rows * b.pitch >= kFewest * lanes || problem.C < 2 * threads) {
      b.row_blocks = std::min(more, window.rows.size());
    } else {
      b.channel_blocks = threads;
    }
  }
  b.block_rows = ceil_divide(window.rows.size(), b.row_blocks);
  b.row_blocks = ceil_divide(window.rows.size(), b.block_rows);
  b.block_channels = ceil_divide(problem.C, b.channel_blocks);
  b.channel_blocks = ceil_divide(problem.C, b.block_channels);

  b.sums_stride = apart(b.block_rows * b.pitch, lanes);
  b.image_stride = apart(
      b.margin + window.columns.begin + (b.block_rows + problem.h - 1) * b.pitch + lanes, lanes);
  const index_t tiles = tiles_of(b.block_channels);
  // The last block has fewer channels, and perhaps fewer tiles, which then have more rows.
  const index_t last = problem.C - (b.channel_blocks - 1) * b.block_channels;
  const index_t rows =
      std::max(ceil_divide(b.block_channels, tiles), ceil_divide(last, tiles_of(last)));
  b.weights_pitch = rows >= lanes ? ceil_divide(rows, lanes) * lanes
                                  : static_cast<index_t>(std::bit_ceil(static_cast<size_t>(rows)));
  b.weights_tile = apart(problem.K * taps * b.weights_pitch + lanes, lanes);
  b.weights_block = tiles * b.weights_tile;
  return b;
}

template <class T>
class ImplicitGemmPlan final : public Plan<T> {
 public:
  ImplicitGemmPlan(const Problem& problem, const PlanOptions& options)
      : Plan<T>(problem),
        window_(problem),
        threads_(useful_threads(problem, options, options.threads)),
        blocking_(choose_blocking<T>(problem, threads_)),
        image_share_(share_of_thread(blocking_.depth * blocking_.image_stride, sizeof(T))),
        sums_share_(share_of_thread(blocking_.block_channels * blocking_.sums_stride, sizeof(T))),
        weights_(blocking_.channel_blocks * blocking_.weights_block),
        images_(threads_ * image_share_),
        sums_(threads_ * sums_share_),
        tap_offsets_(problem.h * problem.w) {
    for (index_t p = 0; p < problem.h; ++p) {
      for (index_t q = 0; q < problem.w; ++q) {
        tap_offsets_[p * problem.w + q] =
            blocking_.margin + (problem.h - 1 - p) * blocking_.pitch + window_.columns.begin - q;
      }
    }
  }

  std::size_t workspace_bytes() const override {
    return weights_.bytes() + images_.bytes() + sums_.bytes() + tap_offsets_.bytes();
  }
  int threads() const override { return threads_; }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const Problem& problem = this->problem();
    const index_t channel_blocks = blocking_.channel_blocks;
    if (!pack_weights(k)) {
      parallel_for(threads_, problem.N * problem.C, [&](index_t part, int) {
        convolve_by_tap(problem, x, k, part / problem.C, part % problem.C, y);
      });
      return;
    }
    const index_t blocks = blocking_.row_blocks * channel_blocks;
    parallel_for(threads_, problem.N * blocks, [&](index_t part, int thread) {
      const index_t block = part % blocks;
      compute_block(part / blocks, block / channel_blocks, block % channel_blocks, thread, x, y);
    });
  }

 private:
  Range channels_of(index_t block) const {
    const index_t first = block * blocking_.block_channels;
    return {first, std::min(first + blocking_.block_channels, this->problem().C)};
  }

  /// A, tile by tile: for each channel of x and tap a column of the tile. False where weights are
  /// not all finite.
  bool pack_weights(const TensorView<const T>& k) {
    const index_t tiles = tiles_of(blocking_.block_channels);
    std::atomic<bool> finite = true;
    parallel_for(threads_, blocking_.channel_blocks * tiles, [&](index_t part, int) {
      const PhaseTimer timing(Phase::copies);
      const Range block = channels_of(part / tiles);
      const Range rows = rows_of_tile(block.size(), tiles_of(block.size()), part % tiles);
      if (part % tiles >= tiles_of(block.size())) return;
      T* to = weights_.data() + part / tiles * blocking_.weights_block +
              part % tiles * blocking_.weights_tile;
      if (!pack_tile(k, {block.begin + rows.begin, block.begin + rows.end}, to)) finite = false;
    });
    return finite;
  }

  bool pack_tile(const TensorView<const T>& k, Range channels, T* to) const {
    const Problem& problem = this->problem();
    bool finite = true;
    for (index_t o = 0; o < problem.K; ++o) {
      if (k.strides[2] == problem.w) {
        pack_taps(&k(o, channels.begin, 0, 0), k.strides[1], channels.size(), problem.h * problem.w,
                  to, finite);
        continue;
      }
      for (index_t p = 0; p < problem.h; ++p) {
        pack_taps(&k(o, channels.begin, p, 0), k.strides[1], channels.size(), problem.w, to,
                  finite);
      }
    }
    return finite;
  }

  /// A few taps of some channels.
  void pack_taps(const T* from, index_t stride, index_t channels, index_t taps, T*& to,
                 bool& finite) const {
    for (index_t c = 0; c < channels; ++c) finite &= all_finite(from + c * stride, taps);
    transpose(from, stride, channels, taps, to, blocking_.weights_pitch);
    to += taps * blocking_.weights_pitch;
  }

  void compute_block(index_t n, index_t row_block, index_t channel_block, int thread,
                     const TensorView<const T>& x, const TensorView<T>& y) const {
    const Problem& problem = this->problem();
    const Blocking& b = blocking_;
    const index_t first_row = row_block * b.block_rows;
    const index_t rows = std::min(b.block_rows, window_.rows.size() - first_row);
    const Range channels = channels_of(channel_block);
    // Where outputs lie as in the image the products go straight to them.
    const bool in_place = y.strides[2] == b.pitch && b.pitch == window_.columns.size();
    T* sums = in_place ? &y(n, channels.begin, first_row, 0) : sums_.data() + thread * sums_share_;
    const index_t sums_stride = in_place ? y.strides[1] : b.sums_stride;
    T* image = images_.data() + thread * image_share_;
    const index_t taps = problem.h * problem.w;
    for (index_t o = 0; o < problem.K; o += b.depth) {
      const index_t depth = std::min(b.depth, problem.K - o);
      {
        const PhaseTimer timing(Phase::padding);
        for (index_t d = 0; d < depth; ++d) {
          copy_rows(plane(x, n, o + d), window_.rows.begin + first_row - (problem.h - 1),
                    rows + problem.h - 1, image + d * b.image_stride + b.margin);
        }
      }
      const PhaseTimer timing(Phase::gemm);
      const T* weights = weights_.data() + channel_block * b.weights_block;
      multiply<T>({.rows = channels.size(),
                   .columns = (rows - 1) * b.pitch + window_.columns.size(),
                   .depth = depth,
                   .taps = taps,
                   .a = weights + o * taps * b.weights_pitch,
                   .a_tile = b.weights_tile,
                   .a_depth = taps * b.weights_pitch,
                   .a_tap = b.weights_pitch,
                   .b = image,
                   .b_depth = b.image_stride,
                   .tap_offsets = tap_offsets_.data(),
                   .b_columns = b.sums_stride,
                   .c = sums,
                   .c_row = sums_stride,
                   .add = o > 0});
    }
    if (!in_place) {
      const PhaseTimer timing(Phase::copies);
      for (index_t c = 0; c < channels.size(); ++c)
        for (index_t i = 0; i < rows; ++i) {
          std::copy_n(sums + c * sums_stride + i * b.pitch, window_.columns.size(),
                      &y(n, channels.begin + c, first_row + i, 0));
        }
    }
  }

  /// The image's rows from `first` on; those that it does not have are zero.
  void copy_rows(const Plane<const T>& x, index_t first, index_t rows, T* to) const {
    for (index_t i = first; i < first + rows; ++i, to += blocking_.pitch) {
      if (i < 0 || i >= x.rows) {
        std::fill_n(to, x.columns, T{0});
      } else {
        std::copy_n(x.row(i), x.columns, to);
      }
    }
  }

  OutputWindow window_;
  int threads_;
  Blocking blocking_;
  index_t image_share_, sums_share_;
  Buffer<T> weights_, images_, sums_;
  Buffer<index_t> tap_offsets_;
};

/// Why a problem is not taken, or null.
template <class T>
const char* objection(const Blocking& blocking) {
  constexpr index_t kMostImageBytes = index_t{16} << 20;
  if (blocking.image_stride > kMostImageBytes / static_cast<index_t>(sizeof(T))) {
    return "has so wide an image and so tall a kernel that no cache holds the rows it meets";
  }
  return nullptr;
}

template <class T>
std::vector<Boundary> boundaries(const Problem& problem, const PlanOptions& options) {
  const int threads = useful_threads(problem, options, options.threads);
  const Blocking b = choose_blocking<T>(problem, threads);
  const index_t lanes = vector_lanes<T>();
  const index_t tile = ceil_divide(b.block_channels, tiles_of(b.block_channels));
  return {{Boundary::output_rows, b.block_rows},
          {Boundary::output_columns, lanes},
          {Boundary::output_columns, most_tile_vectors(tile) * lanes},
          {Boundary::image_columns, b.pitch},
          {Boundary::x_channels, b.depth},
          {Boundary::y_channels, tile},
          {Boundary::y_channels, b.block_channels},
          {Boundary::y_channels, lanes},
          {Boundary::y_channels, 2 * threads}};
}

std::vector<Boundary> boundaries_of_implicit_gemm(const Problem& problem,
                                                  const PlanOptions& options,
                                                  std::size_t scalar_size) {
  return scalar_size == sizeof(float) ? boundaries<float>(problem, options)
                                      : boundaries<double>(problem, options);
}

template <class T>
Planned<T> plan_implicit_gemm(const Problem& problem, const PlanOptions& options) {
  const int threads = useful_threads(problem, options, options.threads);
  if (const char* reason = objection<T>(choose_blocking<T>(problem, threads))) {
    return Declined{reason};
  }
  return std::make_unique<ImplicitGemmPlan<T>>(problem, options);
}

template <class T>
std::optional<Forecast> forecast(const Problem& problem, const PlanOptions& options) {
  const int threads = useful_threads(problem, options, options.threads);
  const Blocking b = choose_blocking<T>(problem, threads);
  if (objection<T>(b) != nullptr) return std::nullopt;
  const OutputWindow window(problem);
  const index_t lanes = vector_lanes<T>();
  const auto taps = static_cast<double>(problem.h * problem.w);
  const auto N = static_cast<double>(problem.N), K = static_cast<double>(problem.K);
  const auto C = static_cast<double>(problem.C);
  const index_t rows = ceil_divide(b.block_channels, tiles_of(b.block_channels));
  const index_t vectors = ceil_divide(b.block_rows * b.pitch, lanes);
  // Fewer sums than hide the latency of an FMA wait for it.
  const index_t sums = rows * std::min(vectors, most_tile_vectors(rows));
  constexpr double kHidden = 8;
  const double waits = std::max(1.0, kHidden / static_cast<double>(sums));
  const double blocks = N * static_cast<double>(b.row_blocks);
  const double fmas = blocks * static_cast<double>(vectors) * C * K * taps;
  const double image_rows =
      blocks * static_cast<double>(b.channel_blocks * (b.block_rows + problem.h - 1)) * K;
  const double output_rows = blocks * static_cast<double>(b.block_rows) * C;
  const double image_vectors = static_cast<double>(ceil_divide(b.pitch, lanes));
  const double weights = K * C * taps;
  const double room =
      static_cast<double>(b.channel_blocks * b.weights_block + problem.h * problem.w * 2) +
      threads * static_cast<double>(share_of_thread(b.depth * b.image_stride, sizeof(T)) +
                                    share_of_thread(b.block_channels * b.sums_stride, sizeof(T)));
  constexpr double kFma = 0.155e-9;
  constexpr double kRow = 5e-9, kVector = 0.7e-9;
  constexpr double kWeight = 0.11e-9;  // of four bytes
  constexpr double kCall = 0.2e-6;
  return Forecast{.terms = divided_among_threads(
                      {{"products", fmas * waits * kFma},
                       {"copies", image_rows * (kRow + image_vectors * kVector) +
                                      output_rows * (kRow + image_vectors * kVector)},
                       {"packing", weights * kWeight * sizeof(T) / sizeof(float) + kCall}},
                      threads),
                  .workspace_bytes = static_cast<std::size_t>(sizeof(T) * room)};
}

std::optional<Forecast> forecast_implicit_gemm(const Problem& problem, const PlanOptions& options,
                                               std::size_t scalar_size) {
  return scalar_size == sizeof(float) ? forecast<float>(problem, options)
                                      : forecast<double>(problem, options);
}

}  // namespace

constinit const Algorithm builtin::implicit_gemm{
    .name = "implicit_gemm",
    .summary = "shifted views of the image as rows of a matrix, times the weights",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .operations = padded_operations,
    .forecast = forecast_implicit_gemm,
    .boundaries = boundaries_of_implicit_gemm,
    .plan_f32 = plan_implicit_gemm<float>,
    .plan_f64 = plan_implicit_gemm<double>,
};

}  // namespace fullconv
