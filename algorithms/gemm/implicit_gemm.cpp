// Implicit lowering: the matrix that im2col_gemm writes down is never there. Lay the rows of an
// image one behind the other, with as many zeros between them as taps reach beyond their ends: then
// the samples that a tap takes for all outputs are the same row of numbers, begun at another place.
// So the rows of the lowered matrix are shifted views of the image, and y[n] = A·B with A[C, K·h·w]
// the weights and B those views. The image is copied once, block by block into the second-level
// cache. With a stride of s, the outputs of each of s×s residues are such a product of the taps
// that have that residue; all take the same views, and are put beside each other in the end. Single
// pixels are the rows of another product, by the weights as they are.
// 2·(H+h−1)·(W+w−1)·h·w·N·K·C flops.
// Chetlur et al., cuDNN: Efficient Primitives for Deep Learning, arXiv:1410.0759, 2014.

#include <algorithm>
#include <atomic>
#include <bit>

#include "core/buffer.h"
#include "core/forecast.h"
#include "core/interleave.h"
#include "core/parallel.h"
#include "core/plane.h"
#include "core/prepared_kernel.h"
#include "core/recompute.h"
#include "core/registry.h"
#include "core/simd_target.h"
#include "core/steps.h"
#include "gemm/product.h"

namespace fullconv {
namespace {

/// One axis of a layer with stride s and dilation d. Output s·u + a, of the full output and with
/// 0 ≤ a < s, takes tap p of sample u − v where p·d = s·v + a: all outputs of a residue a are a
/// convolution with stride 1, and u is their number.
struct Axis {
  index_t samples, taps, stride, dilation;
  Range outputs;  // of the full output
  Range numbers;  // u

  Axis(index_t sample_count, index_t tap_count, index_t layer_stride, index_t layer_dilation,
       Range window)
      : samples(sample_count),
        taps(tap_count),
        stride(layer_stride),
        dilation(layer_dilation),
        outputs(window),
        numbers{window.begin / stride, (window.end - 1) / stride + 1} {}

  index_t residue(index_t tap) const { return tap * dilation % stride; }
  index_t shift(index_t tap) const { return tap * dilation / stride; }
  index_t most_shift() const { return shift(taps - 1); }
  /// Zeros that are needed before the samples and behind them.
  index_t zeros_before() const { return std::max<index_t>(0, most_shift() - numbers.begin); }
  index_t zeros_behind() const { return std::max<index_t>(0, numbers.end - samples); }
  /// Numbers of those outputs of a residue that exist.
  Range numbers_of(index_t a) const {
    const auto first_from = [&](index_t output) {
      return output <= a ? 0 : ceil_divide(output - a, stride);
    };
    return {first_from(outputs.begin), first_from(outputs.end)};
  }
};

struct Layer {
  Axis rows, columns;
  index_t K, C;  // of a group

  explicit Layer(const Problem& problem)
      : rows(problem.H, problem.h, problem.stride.y, problem.dilation.y, problem.window().rows),
        columns(problem.W, problem.w, problem.stride.x, problem.dilation.x,
                problem.window().columns),
        K(problem.K / problem.groups),
        C(problem.C / problem.groups) {}

  index_t taps() const { return rows.taps * columns.taps; }
  index_t residues() const { return rows.stride * columns.stride; }
};

/// How the work is cut.
struct Blocking {
  // The image, as one long row.
  index_t pitch;   // from one of its rows to the next
  index_t margin;  // zeros before the first
  // Blocks of y: some rows, of every residue, of some channels of a group.
  index_t row_blocks, block_rows;
  index_t channel_blocks, block_channels;
  index_t depth;  // channels of x that are summed over at a time
  // Elements.
  index_t image_stride;  // from one channel of the copied image to the next
  index_t sums_stride;   // of y's, of one residue
  index_t weights_pitch, weights_tile, weights_block;
};

template <class T>
Blocking choose_blocking(const Problem& problem, int threads) {
  const Layer layer(problem);
  const auto& [rows, columns, K, C] = layer;
  const index_t lanes = vector_lanes<T>();
  Blocking b{};
  b.pitch = std::max(columns.numbers.size(),
                     columns.samples + std::max(columns.zeros_before(), columns.zeros_behind()));
  b.margin = columns.zeros_before();

  // What a strip of tiles takes of the image, and of the weights for one tile, is in the
  // first-level cache together.
  constexpr index_t kStripBytes = 20 * 1024;
  const index_t strip = most_tile_vectors(C) + 1 + columns.most_shift() / lanes;
  const index_t of_a_channel =
      std::min(rows.taps, rows.most_shift() + 1) * strip * lanes * static_cast<index_t>(sizeof(T));
  const index_t deepest = std::min(K, std::max<index_t>(kStripBytes / of_a_channel, 4));
  b.depth = ceil_divide(K, ceil_divide(K, deepest));

  // And a block of y and of the image in the second-level one.
  constexpr index_t kBlockBytes = 512 * 1024;
  const index_t of_a_row =
      (C * layer.residues() + b.depth) * b.pitch * static_cast<index_t>(sizeof(T));
  b.block_rows = std::clamp<index_t>(kBlockBytes / of_a_row, 1, rows.numbers.size());
  b.row_blocks = ceil_divide(rows.numbers.size(), b.block_rows);
  b.channel_blocks = 1;
  if (problem.N * problem.groups * b.row_blocks % threads != 0) {
    constexpr index_t kFewest = 8;  // vectors of a block
    const index_t more = ceil_divide(b.row_blocks, threads) * threads;
    const index_t fewer_rows = ceil_divide(rows.numbers.size(), more);
    if (fewer_rows * b.pitch >= kFewest * lanes || C < 2 * threads) {
      b.row_blocks = std::min(more, rows.numbers.size());
    } else {
      b.channel_blocks = threads;
    }
  }
  b.block_rows = ceil_divide(rows.numbers.size(), b.row_blocks);
  b.row_blocks = ceil_divide(rows.numbers.size(), b.block_rows);
  b.block_channels = ceil_divide(C, b.channel_blocks);
  b.channel_blocks = ceil_divide(C, b.block_channels);

  b.sums_stride = apart(b.block_rows * b.pitch, lanes);
  b.image_stride =
      apart(b.margin + columns.numbers.begin + (b.block_rows + rows.most_shift()) * b.pitch + lanes,
            lanes);
  const index_t tiles = tiles_of(b.block_channels);
  // The last block has fewer channels, and perhaps fewer tiles, which then have more rows.
  const index_t last = C - (b.channel_blocks - 1) * b.block_channels;
  const index_t tile_rows =
      std::max(ceil_divide(b.block_channels, tiles), ceil_divide(last, tiles_of(last)));
  b.weights_pitch = tile_rows >= lanes
                        ? ceil_divide(tile_rows, lanes) * lanes
                        : static_cast<index_t>(std::bit_ceil(static_cast<size_t>(tile_rows)));
  b.weights_tile = apart(K * layer.taps() * b.weights_pitch + lanes, lanes);
  b.weights_block = tiles * b.weights_tile;
  return b;
}

/// Whether images are single pixels that the weights are multiplied by as they are, if these and y
/// are dense.
bool has_one_pixel(const Problem& problem) {
  const Extents y = problem.y_extents();
  return problem.H == 1 && problem.W == 1 && problem.groups == 1 && problem.is_whole() &&
         y[2] == problem.h && y[3] == problem.w;
}

template <class T>
class ImplicitGemmPlan final : public Plan<T> {
 public:
  ImplicitGemmPlan(const Problem& problem, const PlanOptions& options)
      : Plan<T>(problem),
        layer_(problem),
        threads_(useful_threads(problem, options, options.threads)),
        blocking_(choose_blocking<T>(problem, threads_)),
        image_share_(share_of_thread(blocking_.depth * blocking_.image_stride, sizeof(T))),
        sums_share_(share_of_thread(
            layer_.residues() * blocking_.block_channels * blocking_.sums_stride, sizeof(T))),
        weights_(problem.groups * blocking_.channel_blocks * blocking_.weights_block),
        images_(threads_ * image_share_),
        sums_(threads_ * sums_share_),
        taps_(layer_.taps()),
        first_taps_(layer_.residues() + 1) {
    const auto& [rows, columns, K, C] = layer_;
    index_t count = 0;
    for (index_t residue = 0; residue < layer_.residues(); ++residue) {
      for (index_t p = 0; p < rows.taps; ++p)
        for (index_t q = 0; q < columns.taps; ++q) {
          if (rows.residue(p) * columns.stride + columns.residue(q) != residue) continue;
          taps_[count++] = {.factor = p * columns.taps + q,
                            .offset = blocking_.margin +
                                      (rows.most_shift() - rows.shift(p)) * blocking_.pitch +
                                      columns.numbers.begin - columns.shift(q)};
        }
      first_taps_[residue + 1] = count;
    }
  }

  std::size_t workspace_bytes() const override {
    return weights_.bytes() + images_.bytes() + sums_.bytes() + taps_.bytes() + first_taps_.bytes();
  }
  int threads() const override { return threads_; }
  std::string implementation() const override { return simd_target(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    if (is_one_pixel(k, y)) return multiply_pixels(x, k, y);
    const bool finite = pack_weights(k, weights_.data());
    compute(x, k, finite ? weights_.data() : nullptr, y);
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    auto prepared = std::make_unique<PackedKernel>(
        k, this->problem().groups * blocking_.channel_blocks * blocking_.weights_block);
    prepared->finite = pack_weights(k, prepared->weights.data());
    return prepared;
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    const auto& prepared = static_cast<const PackedKernel&>(k);
    if (is_one_pixel(prepared.view(), y)) return multiply_pixels(x, prepared.view(), y);
    compute(x, prepared.view(), prepared.finite ? prepared.weights.data() : nullptr, y);
  }

 private:
  struct PackedKernel final : KernelCopy<T> {
    Buffer<T> weights;
    bool finite = false;

    PackedKernel(const TensorView<const T>& k, index_t elements)
        : KernelCopy<T>(k), weights(elements) {}
    std::size_t bytes() const override { return KernelCopy<T>::bytes() + weights.bytes(); }
  };

  /// `weights`: packed; null where they are not all finite.
  void compute(const TensorView<const T>& x, const TensorView<const T>& k, const T* weights,
               const TensorView<T>& y) {
    const Problem& problem = this->problem();
    if (weights == nullptr) {
      parallel_for(threads_, problem.N * problem.C, [&](index_t part, int) {
        recompute(problem, x, k, part / problem.C, part % problem.C, y);
      });
      return;
    }
    const index_t blocks = blocking_.row_blocks * blocking_.channel_blocks;
    parallel_for(threads_, problem.N * problem.groups * blocks, [&](index_t part, int thread) {
      const index_t block = part % blocks, group = part / blocks % problem.groups;
      compute_block({.n = part / (blocks * problem.groups),
                     .group = group,
                     .row_block = block / blocking_.channel_blocks,
                     .channel_block = block % blocking_.channel_blocks},
                    thread, x, weights, y);
    });
  }

  /// Whether images are single pixels, and y is what the weights are multiplied by them.
  bool is_one_pixel(const TensorView<const T>& k, const TensorView<T>& y) const {
    const Problem& problem = this->problem();
    const auto is_dense = [&](const Extents& strides) {
      return strides[1] == problem.h * problem.w && strides[2] == problem.w;
    };
    return has_one_pixel(problem) && is_dense(k.strides) && is_dense(y.strides);
  }

  /// Rows of x times the weights as they are: n1_i120_o16_1x1_k5x5 took ten times as long by
  /// shifted views, which multiply zeros.
  void multiply_pixels(const TensorView<const T>& x, const TensorView<const T>& k,
                       const TensorView<T>& y) const {
    const Problem& problem = this->problem();
    const index_t columns = problem.C * problem.h * problem.w, lanes = vector_lanes<T>();
    const index_t vectors = ceil_divide(columns, lanes);
    parallel_for(threads_, threads_, [&](index_t part, int) {
      const StepTimer timing(Step::gemm);
      const index_t begin = part * vectors / threads_ * lanes;
      const index_t count = std::min((part + 1) * vectors / threads_ * lanes, columns) - begin;
      if (count <= 0) return;
      multiply<T>({.rows = problem.N,
                   .columns = count,
                   .depth = problem.K,
                   .a = x.data,
                   .a_row = x.strides[0],
                   .a_depth = x.strides[1],
                   .b = k.data + begin,
                   .b_depth = k.strides[0],
                   .b_columns = count,
                   .c = y.data + begin,
                   .c_row = y.strides[0]});
    });
  }

  /// Of y, within a group.
  Range channels_of(index_t block) const {
    const index_t first = block * blocking_.block_channels;
    return {first, std::min(first + blocking_.block_channels, layer_.C)};
  }

  /// A, tile by tile, of each as much depth as is summed over at a time. False where weights are
  /// not all finite.
  bool pack_weights(const TensorView<const T>& k, T* weights) {
    const index_t most_tiles = tiles_of(blocking_.block_channels);
    std::atomic<bool> finite = true;
    parallel_for(threads_, this->problem().groups * blocking_.channel_blocks * most_tiles,
                 [&](index_t part, int) {
                   const StepTimer timing(Step::copies);
                   const index_t block = part / most_tiles, t = part % most_tiles;
                   const Range channels = channels_of(block % blocking_.channel_blocks);
                   const index_t tiles = tiles_of(channels.size());
                   if (t >= tiles) return;
                   const Range rows = rows_of_tile(channels.size(), tiles, t);
                   const index_t first_o = block / blocking_.channel_blocks * layer_.K;
                   T* to = weights + block * blocking_.weights_block + t * blocking_.weights_tile;
                   if (!pack_tile(k, first_o,
                                  {channels.begin + rows.begin, channels.begin + rows.end}, to)) {
                     finite = false;
                   }
                 });
    return finite;
  }

  bool pack_tile(const TensorView<const T>& k, index_t first_o, Range channels, T* to) const {
    const Problem& problem = this->problem();
    const index_t pitch = blocking_.weights_pitch;
    // All taps of a kernel at a time, or those of a row.
    const bool is_dense = k.strides[2] == problem.w;
    const index_t at_once = is_dense ? problem.h * problem.w : problem.w;
    bool finite = true;
    for (index_t o = 0; o < layer_.K; o += blocking_.depth) {
      const index_t depth = std::min(blocking_.depth, layer_.K - o);
      for (index_t p = 0; p < (is_dense ? 1 : problem.h); ++p) {
        finite &= pack<T>({.rows = channels.size(),
                           .depth = depth,
                           .taps = at_once,
                           .available = layer_.K - o,
                           .from = &k(first_o + o, channels.begin, p, 0),
                           .row_stride = k.strides[1],
                           .depth_stride = k.strides[0],
                           .to = to + p * at_once * depth * pitch,
                           .pitch = pitch,
                           .tap_stride = depth * pitch});
      }
      to += problem.h * problem.w * depth * pitch;
    }
    return finite;
  }

  struct Block {
    index_t n, group, row_block, channel_block;
  };

  void compute_block(const Block& block, int thread, const TensorView<const T>& x, const T* weights,
                     const TensorView<T>& y) const {
    const Blocking& b = blocking_;
    const auto& [rows, columns, K, C] = layer_;
    const index_t first = block.row_block * b.block_rows;
    const Range numbers{rows.numbers.begin + first,
                        std::min(rows.numbers.begin + first + b.block_rows, rows.numbers.end)};
    const Range channels = channels_of(block.channel_block);
    const index_t first_channel = block.group * C + channels.begin;
    // Where outputs lie as in the image the products go straight to them.
    const bool in_place =
        layer_.residues() == 1 && y.strides[2] == b.pitch && b.pitch == columns.numbers.size();
    T* sums = in_place ? &y(block.n, first_channel, first, 0) : sums_.data() + thread * sums_share_;
    const index_t sums_stride = in_place ? y.strides[1] : b.sums_stride;
    T* image = images_.data() + thread * image_share_;
    weights += (block.group * b.channel_blocks + block.channel_block) * b.weights_block;
    for (index_t o = 0; o < K; o += b.depth) {
      const index_t depth = std::min(b.depth, K - o);
      copy_image(x, block.n, {block.group * K + o, block.group * K + o + depth}, numbers, image);
      const StepTimer timing(Step::gemm);
      for (index_t residue = 0; residue < layer_.residues(); ++residue) {
        const std::span<const Tap> taps = taps_of(residue);
        const Range of_rows = intersection(numbers, rows.numbers_of(residue / columns.stride));
        const Range of_columns = columns.numbers_of(residue % columns.stride);
        if (taps.empty() || of_rows.empty() || of_columns.empty()) continue;
        const index_t begin =
            (of_rows.begin - numbers.begin) * b.pitch + of_columns.begin - columns.numbers.begin;
        multiply<T>({.rows = channels.size(),
                     .columns = (of_rows.size() - 1) * b.pitch + of_columns.size(),
                     .depth = depth,
                     .taps = taps,
                     .a = weights + o * layer_.taps() * b.weights_pitch,
                     .a_tile = b.weights_tile,
                     .a_depth = b.weights_pitch,
                     .a_tap = depth * b.weights_pitch,
                     .b = image + begin,
                     .b_depth = b.image_stride,
                     .b_columns = b.sums_stride - begin,
                     .c = sums + residue * b.block_channels * sums_stride + begin,
                     .c_row = sums_stride,
                     .add = o > 0});
      }
    }
    if (in_place) return;
    const StepTimer timing(Step::copies);
    for (index_t c = 0; c < channels.size(); ++c) {
      put_rows(sums + c * sums_stride, numbers, plane(y, block.n, first_channel + c));
    }
  }

  std::span<const Tap> taps_of(index_t residue) const {
    return {taps_.data() + first_taps_[residue], taps_.data() + first_taps_[residue + 1]};
  }

  /// The rows of some channels that outputs of such numbers reach; zeros where there are none.
  void copy_image(const TensorView<const T>& x, index_t n, Range channels, Range numbers,
                  T* image) const {
    const StepTimer timing(Step::padding);
    const index_t first = numbers.begin - layer_.rows.most_shift();
    for (index_t o = channels.begin; o < channels.end; ++o) {
      const Plane<const T> from = plane(x, n, o);
      T* to = image + (o - channels.begin) * blocking_.image_stride + blocking_.margin;
      for (index_t i = first; i < numbers.end; ++i, to += blocking_.pitch) {
        if (i < 0 || i >= from.rows) {
          std::fill_n(to, from.columns, T{0});
        } else {
          std::copy_n(from.row(i), from.columns, to);
        }
      }
    }
  }

  /// One channel's sums of all residues, to the rows of y that have them.
  void put_rows(const T* sums, Range numbers, const Plane<T>& y) const {
    const Axis& rows = layer_.rows;
    for (index_t a = 0; a < rows.stride; ++a) {
      const Range of_rows = intersection(numbers, rows.numbers_of(a));
      for (index_t u = of_rows.begin; u < of_rows.end; ++u) {
        put_row(sums + (u - numbers.begin) * blocking_.pitch, a,
                y.row(u * rows.stride + a - rows.outputs.begin));
      }
    }
  }

  /// `sums`: of the first residue, in a row; `a`: the residue of rows.
  void put_row(const T* sums, index_t a, T* y) const {
    const Axis& columns = layer_.columns;
    const index_t stride = columns.stride, outputs = columns.outputs.size();
    // Those of every stride-th output from j on, or null where they are zero.
    const auto from = [&](index_t j) -> const T* {
      const index_t output = columns.outputs.begin + j;
      const index_t residue = a * stride + output % stride;
      if (taps_of(residue).empty()) return nullptr;
      return sums + residue * blocking_.block_channels * blocking_.sums_stride + output / stride -
             columns.numbers.begin;
    };
    if (stride == 2) {
      interleave(from(0), from(1), outputs, y);
      return;
    }
    for (index_t j = 0; j < std::min(stride, outputs); ++j) {
      const T* of_residue = from(j);
      if (of_residue == nullptr) {
        for (index_t to = j; to < outputs; to += stride) y[to] = T{0};
      } else if (stride == 1) {
        std::copy_n(of_residue, outputs, y);
      } else {
        for (index_t to = j; to < outputs; to += stride) y[to] = *of_residue++;
      }
    }
  }

  Layer layer_;
  int threads_;
  Blocking blocking_;
  index_t image_share_, sums_share_;
  Buffer<T> weights_, images_, sums_;
  Buffer<Tap> taps_;            // by residue
  Buffer<index_t> first_taps_;  // of each residue
};

/// Why a problem is not taken, or null.
template <class T>
const char* objection(const Problem& problem, int threads) {
  // Longer rows fit no memory, and the sizes of their copies no integer.
  constexpr index_t kMostColumns = index_t{1} << 48;
  if (problem.full_columns() > kMostColumns) return "has rows longer than any memory";
  const Blocking blocking = choose_blocking<T>(problem, threads);
  constexpr double kMostImageBytes = 0x1p24, kMostSumsBytes = 0x1p28;
  if (sizeof(T) * static_cast<double>(blocking.image_stride) > kMostImageBytes) {
    return "has so wide an image and so tall a kernel that no cache holds the rows it meets";
  }
  const double sums = static_cast<double>(blocking.block_channels * blocking.sums_stride) *
                      static_cast<double>(Layer(problem).residues());
  if (sizeof(T) * sums > kMostSumsBytes)
    return "has so large a stride that sums of a row fill memory";
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
  if (const char* reason = objection<T>(problem, threads)) return Declined{reason};
  return std::make_unique<ImplicitGemmPlan<T>>(problem, options);
}

/// Of the weights, which are read once, and the rows that they are multiplied by.
template <class T>
double seconds_of_pixels(const Problem& problem) {
  const index_t weights = problem.K * problem.C * problem.h * problem.w;
  const double vectors = static_cast<double>(ceil_divide(weights, vector_lanes<T>()));
  constexpr double kFma = 0.14e-9, kLoad = 0.33e-9;
  constexpr FarByte kFar{0.02, 0x1p18, 16};
  return vectors * std::max(kLoad, static_cast<double>(problem.N) * kFma) +
         1e-9 * kFar.of(sizeof(T) * static_cast<double>(weights));
}

template <class T>
std::optional<Forecast> forecast(const Problem& problem, const PlanOptions& options) {
  const int threads = useful_threads(problem, options, options.threads);
  if (objection<T>(problem, threads) != nullptr) return std::nullopt;
  const Blocking b = choose_blocking<T>(problem, threads);
  const Layer layer(problem);
  const index_t lanes = vector_lanes<T>();
  const auto taps = static_cast<double>(layer.taps());
  const auto K = static_cast<double>(layer.K), C = static_cast<double>(layer.C);
  const double images = static_cast<double>(problem.N * problem.groups);
  const index_t rows = ceil_divide(b.block_channels, tiles_of(b.block_channels));
  const index_t vectors = ceil_divide(b.block_rows * b.pitch, lanes);
  // Fewer sums than hide the latency of an FMA wait for it; and a step loads a vector for each of
  // B's and an element for each row, two in a cycle. Views are shifted, so that a vector as long as
  // a line of the cache lies in two lines, and half as long in two every other time.
  const index_t wide = std::min(vectors, most_tile_vectors(rows));
  constexpr double kHidden = 8;
  constexpr double kLine = 64;
  const double lines = 1 + static_cast<double>(lanes) * sizeof(T) / kLine;  // of a vector's load
  const double loads = static_cast<double>(rows) + static_cast<double>(wide) * lines;
  const double waits = std::max(
      {1.0, kHidden / static_cast<double>(rows * wide), loads / static_cast<double>(rows * wide)});
  const auto row_blocks = static_cast<double>(b.row_blocks);
  const double fmas = images * row_blocks * static_cast<double>(vectors) * C * K * taps;
  const double image_rows = images * row_blocks * static_cast<double>(b.channel_blocks) *
                            static_cast<double>(b.block_rows + layer.rows.most_shift()) * K;
  const bool in_place = layer.residues() == 1 && b.pitch == layer.columns.numbers.size();
  const double output_rows = in_place ? 0
                                      : images * row_blocks * static_cast<double>(b.block_rows) *
                                            C * static_cast<double>(layer.residues());
  const double image_vectors = static_cast<double>(ceil_divide(b.pitch, lanes));
  const double scattered = layer.columns.stride > 1 ? static_cast<double>(b.pitch) : 0;
  constexpr double kInterleaved = 0.2e-9;  // an output, by pairs
  constexpr double kScattered = 0.35e-9;
  const double scattering = scattered * (layer.columns.stride == 2 ? kInterleaved : kScattered);
  const double weights = static_cast<double>(problem.groups) * K * C * taps;
  const double products = images * row_blocks * static_cast<double>(b.channel_blocks);
  const double room =
      static_cast<double>(problem.groups) *
          static_cast<double>(b.channel_blocks * b.weights_block) +
      static_cast<double>(layer.taps() + layer.residues()) * 16.0 / sizeof(T) +
      threads *
          static_cast<double>(
              share_of_thread(b.depth * b.image_stride, sizeof(T)) +
              share_of_thread(layer.residues() * b.block_channels * b.sums_stride, sizeof(T)));
  constexpr double kFma = 0.13e-9;
  constexpr double kRow = 5e-9, kVector = 0.7e-9;
  constexpr double kWeight = 0.08e-9;  // of four bytes
  constexpr double kCall = 0.2e-6, kProduct = 0.1e-6;
  const auto workspace_bytes = static_cast<std::size_t>(sizeof(T) * room);
  if (has_one_pixel(problem)) {
    return Forecast{.terms = divided_among_threads(
                        {{"products", seconds_of_pixels<T>(problem) + kCall}}, threads),
                    .workspace_bytes = workspace_bytes};
  }
  return Forecast{.terms = divided_among_threads(
                      {{"products", fmas * waits * kFma + products * kProduct},
                       {"copies", image_rows * (kRow + image_vectors * kVector) +
                                      output_rows * (kRow + image_vectors * kVector + scattering)},
                       {"packing", weights * kWeight * sizeof(T) / sizeof(float) + kCall}},
                      threads),
                  .workspace_bytes = workspace_bytes};
}

std::optional<Forecast> forecast_implicit_gemm(const Problem& problem, const PlanOptions& options,
                                               std::size_t scalar_size) {
  return scalar_size == sizeof(float) ? forecast<float>(problem, options)
                                      : forecast<double>(problem, options);
}

/// Two for each product, zeros around the image and between its rows included.
double operations(const Problem& problem) {
  const Layer layer(problem);
  return 2.0 * static_cast<double>(problem.N * problem.groups * layer.K * layer.C) *
         static_cast<double>(layer.taps() * layer.rows.numbers.size()) *
         static_cast<double>(layer.columns.numbers.size());
}

}  // namespace

constinit const Algorithm builtin::implicit_gemm{
    .name = "implicit_gemm",
    .summary = "shifted views of the image as rows of a matrix, times the weights",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .layers = Layers::native,
    .crops = true,
    .vectorized = true,
    .prepares = true,
    .operations = operations,
    .forecast = forecast_implicit_gemm,
    .boundaries = boundaries_of_implicit_gemm,
    .plan_f32 = plan_implicit_gemm<float>,
    .plan_f64 = plan_implicit_gemm<double>,
};

}  // namespace fullconv
