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

#include "costs/implicit_gemm.h"

#include <algorithm>
#include <atomic>

#include "core/buffer.h"
#include "core/interleave.h"
#include "core/parallel.h"
#include "core/plane.h"
#include "core/prepared_kernel.h"
#include "core/recompute.h"
#include "core/registry.h"
#include "core/simd_target.h"
#include "core/staging.h"
#include "core/steps.h"
#include "gemm/implicit_blocking.h"
#include "gemm/product.h"

namespace fullconv {
namespace {

using namespace implicit;  // NOLINT(google-build-using-namespace): names of this algorithm's own

template <class T>
class ImplicitGemmPlan final : public Plan<T> {
 public:
  ImplicitGemmPlan(const Problem& problem, const PlanOptions& options)
      : Plan<T>(problem),
        layer_(problem),
        threads_(useful_threads(problem, options, options.threads)),
        blocking_(choose_blocking<T>(problem, threads_)),
        room_(Room::of<T>(problem, layer_, blocking_, threads_)),
        weights_(room_.weights),
        images_(room_.images),
        sums_(room_.sums),
        taps_(room_.taps),
        first_taps_(room_.first_taps) {
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

  std::size_t workspace_bytes() const override { return room_.bytes(sizeof(T)); }
  int threads() const override { return threads_; }
  std::string implementation() const override { return simd_target(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    if (is_one_pixel(y)) return multiply_pixels(x, has_dense_channels(k) ? k : gathered(k), y);
    const bool finite = pack_weights(k, weights_.data());
    compute(x, k, finite ? weights_.data() : nullptr, y);
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    auto prepared = std::make_unique<PackedKernel>(k, room_.weights);
    prepared->finite = pack_weights(k, prepared->weights.data());
    return prepared;
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    const auto& prepared = static_cast<const PackedKernel&>(k);
    if (is_one_pixel(y)) return multiply_pixels(x, prepared.view(), y);
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
      for_each_block(threads_, std::array{problem.N, problem.C},
                     [&](index_t n, index_t c, int) { recompute(problem, x, k, n, c, y); });
      return;
    }
    for_each_block(
        threads_,
        std::array{problem.N, problem.groups, blocking_.row_blocks, blocking_.channel_blocks},
        [&](index_t n, index_t group, index_t row_block, index_t channel_block, int thread) {
          compute_block(
              {.n = n, .group = group, .row_block = row_block, .channel_block = channel_block},
              thread, x, weights, y);
        });
  }

  template <class Element>
  static bool has_dense_channels(const TensorView<Element>& view) {
    const auto [first, channels, rows, columns] = view.extents;
    return view.strides[1] == rows * columns && view.strides[2] == columns && view.strides[3] == 1;
  }

  /// Whether images are single pixels, and y is what the weights are multiplied by them.
  bool is_one_pixel(const TensorView<T>& y) const {
    return has_one_pixel(this->problem()) && has_dense_channels(y);
  }

  /// Weights whose taps are not neighbours, as a layer's dense problems have them.
  TensorView<const T> gathered(const TensorView<const T>& k) {
    const TensorView<T> dense(weights_.data(), k.extents);
    copy_elements(k, dense);
    return dense;
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

  /// Channels of y, within a group.
  Range channels_of(index_t block) const {
    const index_t first = block * blocking_.block_channels;
    return {first, std::min(first + blocking_.block_channels, layer_.C)};
  }

  /// A, tile by tile, of each as much depth as is summed over at a time. False where weights are
  /// not all finite.
  bool pack_weights(const TensorView<const T>& k, T* weights) {
    const index_t most_tiles = tiles_of(blocking_.block_channels);
    std::atomic<bool> finite = true;
    for_each_block(
        threads_, std::array{this->problem().groups, blocking_.channel_blocks, most_tiles},
        [&](index_t group, index_t block, index_t t, int) {
          const StepTimer timing(Step::copies);
          const Range channels = channels_of(block);
          const index_t tiles = tiles_of(channels.size());
          if (t >= tiles) return;
          const Range rows = rows_of_tile(channels.size(), tiles, t);
          T* to = weights + (group * blocking_.channel_blocks + block) * blocking_.weights_block +
                  t * blocking_.weights_tile;
          if (!pack_tile(k, group * layer_.K,
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
    T* sums =
        in_place ? &y(block.n, first_channel, first, 0) : sums_.data() + thread * room_.sums_share;
    const index_t sums_stride = in_place ? y.strides[1] : b.sums_stride;
    T* image = images_.data() + thread * room_.image_share;
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
    const Range rows{numbers.begin - layer_.rows.most_shift(), numbers.end};
    T* to = image + blocking_.margin;
    for (index_t o = channels.begin; o < channels.end; ++o, to += blocking_.image_stride) {
      stage(plane(x, n, o), rows, {0, layer_.columns.samples}, to, blocking_.pitch);
    }
  }

  /// One channel's sums of all residues, to the rows of y that have them.
  void put_rows(const T* sums, Range numbers, const Plane<T>& y) const {
    const LayerAxis& rows = layer_.rows;
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
    const LayerAxis& columns = layer_.columns;
    const index_t stride = columns.stride, outputs = columns.outputs.size();
    // The sums of every stride-th output from j on, or null where they are zero.
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
  Room room_;
  Buffer<T> weights_, images_, sums_;
  Buffer<Tap> taps_;            // by residue
  Buffer<index_t> first_taps_;  // of each residue
};

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
    .same_bits = true,
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
