// Implicit lowering: the matrix that im2col_gemm writes down is never there. Lay the rows of an
// image one behind the other, with as many zeros between them as taps reach beyond their ends: then
// the samples that a tap takes for all outputs are the same row of numbers, begun at another place.
// So the rows of the lowered matrix are shifted views of the image, copied once, block by block,
// into the second-level cache. With channels of y across, y[n]ᵀ = Bᵀ·A, B being those views and
// A[K·h·w, C] the weights: pixels are broadcast and weights are the vectors, so that no vector
// crosses a line of the cache and nothing is multiplied by the zeros around the image; the sums are
// transposed in the end. Few channels would leave lanes empty: then y[n] = Aᵀ·B. With a stride of
// s, the outputs of each of s×s residues are such a product of the taps that have that residue; all
// take the same views, and are put beside each other in the end. Single pixels are the rows of
// another product, by the weights as they are.
// 2·(H+h−1)·(W+w−1)·h·w·N·K·C flops. Chetlur et al., cuDNN: Efficient Primitives for Deep Learning,
// arXiv:1410.0759, 2014.

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
        pixel_sums_(room_.pixel_sums),
        taps_(room_.taps),
        shifts_(room_.taps),
        first_taps_(room_.first_taps) {
    const auto& [rows, columns, K, C] = layer_;
    index_t count = 0;
    for (index_t residue = 0; residue < layer_.residues(); ++residue) {
      for (index_t p = 0; p < rows.taps; ++p)
        for (index_t q = 0; q < columns.taps; ++q) {
          if (rows.residue(p) * columns.stride + columns.residue(q) != residue) continue;
          const index_t of_weights = (p * columns.taps + q) * blocking_.weights_tap;
          const index_t of_image = blocking_.margin +
                                   (rows.most_shift() - rows.shift(p)) * blocking_.pitch +
                                   columns.numbers.begin - columns.shift(q);
          shifts_[count] = {rows.shift(p), columns.shift(q)};
          taps_[count++] =
              blocking_.channels_across ? Tap{of_image, of_weights} : Tap{of_weights, of_image};
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
    if (!blocking_.packs_ahead) return compute(x, k, nullptr, y);
    if (!pack_weights(k, weights_.data())) return recompute_all(x, k, y);
    compute(x, k, weights_.data(), y);
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    auto prepared = std::make_unique<PackedKernel>(k, room_.all_weights);
    prepared->finite = pack_weights(k, prepared->weights.data());
    return prepared;
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    const auto& prepared = static_cast<const PackedKernel&>(k);
    if (is_one_pixel(y)) return multiply_pixels(x, prepared.view(), y);
    if (!prepared.finite) return recompute_all(x, prepared.view(), y);
    compute(x, prepared.view(), prepared.weights.data(), y);
  }

 private:
  struct PackedKernel final : KernelCopy<T> {
    Buffer<T> weights;
    bool finite = false;

    PackedKernel(const TensorView<const T>& k, index_t elements)
        : KernelCopy<T>(k), weights(elements) {}
    std::size_t bytes() const override { return KernelCopy<T>::bytes() + weights.bytes(); }
  };

  /// From an output's number to the sample's that a tap takes for it.
  struct Shift {
    index_t row, column;
  };

  /// For weights that are not all finite.
  void recompute_all(const TensorView<const T>& x, const TensorView<const T>& k,
                     const TensorView<T>& y) const {
    const Problem& problem = this->problem();
    for_each_block(threads_, std::array{problem.N, problem.C},
                   [&](index_t n, index_t c, int) { recompute(problem, x, k, n, c, y); });
  }

  /// `weights`: all of them, packed, or null where each block packs its own.
  void compute(const TensorView<const T>& x, const TensorView<const T>& k, const T* weights,
               const TensorView<T>& y) const {
    const Problem& problem = this->problem();
    for_each_block(threads_,
                   std::array{blocking_.image_blocks, problem.groups, blocking_.row_blocks,
                              blocking_.channel_blocks},
                   [&](index_t image_block, index_t group, index_t row_block, index_t channel_block,
                       int thread) {
                     compute_block({.image_block = image_block,
                                    .group = group,
                                    .row_block = row_block,
                                    .channel_block = channel_block},
                                   thread, x, k, weights, y);
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

  /// Weights, chunk by chunk. False where they are not all finite.
  bool pack_weights(const TensorView<const T>& k, T* weights) const {
    std::atomic<bool> finite = true;
    for_each_block(threads_,
                   std::array{this->problem().groups, blocking_.channel_blocks, blocking_.chunks},
                   [&](index_t group, index_t block, index_t chunk, int) {
                     T* to = weights + first_chunk(group, block) + chunk * blocking_.weights_chunk;
                     if (!pack_chunk(k, group, channels_of(block), chunk, to)) finite = false;
                   });
    return finite;
  }

  index_t first_chunk(index_t group, index_t channel_block) const {
    return (group * blocking_.channel_blocks + channel_block) * blocking_.chunks *
           blocking_.weights_chunk;
  }

  bool pack_chunk(const TensorView<const T>& k, index_t group, Range channels, index_t chunk,
                  T* to) const {
    const StepTimer timing(Step::copies);
    if (blocking_.channels_across) return pack_tiles(k, group, channels, chunk, to);
    const index_t tiles = tiles_of(channels.size());
    bool finite = true;
    for (index_t t = 0; t < tiles; ++t) {
      const Range rows = rows_of_tile(channels.size(), tiles, t);
      finite &= pack_tiles(k, group, {channels.begin + rows.begin, channels.begin + rows.end},
                           chunk, to + t * blocking_.weights_tile);
    }
    return finite;
  }

  /// Of channels that are one tile, or across whole ones.
  bool pack_tiles(const TensorView<const T>& k, index_t group, Range channels, index_t chunk,
                  T* to) const {
    const Problem& problem = this->problem();
    const Blocking& b = blocking_;
    const index_t o = chunk * b.depth;
    // All taps of a kernel at a time, or those of a row.
    const bool is_dense = k.strides[2] == problem.w;
    const index_t at_once = is_dense ? problem.h * problem.w : problem.w;
    bool finite = true;
    for (index_t p = 0; p < (is_dense ? 1 : problem.h); ++p) {
      finite &= pack<T>({.rows = channels.size(),
                         .depth = std::min(b.depth, layer_.K - o),
                         .taps = at_once,
                         .available = layer_.K - o,
                         .from = &k(group * layer_.K + o, channels.begin, p, 0),
                         .row_stride = k.strides[1],
                         .depth_stride = k.strides[0],
                         .to = to + p * at_once * b.weights_tap,
                         .pitch = b.weights_pitch,
                         .tap_stride = b.weights_tap,
                         .tile_stride = b.weights_tile});
    }
    return finite;
  }

  struct Block {
    index_t image_block, group, row_block, channel_block;
  };

  void compute_block(const Block& block, int thread, const TensorView<const T>& x,
                     const TensorView<const T>& k, const T* weights, const TensorView<T>& y) const {
    const Blocking& b = blocking_;
    const auto& [rows, columns, K, C] = layer_;
    const index_t first = block.row_block * b.block_rows;
    const Range numbers{rows.numbers.begin + first,
                        std::min(rows.numbers.begin + first + b.block_rows, rows.numbers.end)};
    const index_t first_image = block.image_block * b.block_images;
    const Range images{first_image, std::min(first_image + b.block_images, this->problem().N)};
    const Range channels = channels_of(block.channel_block);
    const index_t first_channel = block.group * C + channels.begin;
    // Where outputs lie as in the image the products go straight to them.
    const bool in_place = !b.channels_across && layer_.residues() == 1 && y.strides[2] == b.pitch &&
                          b.pitch == columns.numbers.size();
    const index_t share = thread * room_.sums_share;
    T* sums = in_place ? &y(images.begin, first_channel, first, 0) : sums_.data() + share;
    const index_t sums_stride = in_place ? y.strides[1] : b.sums_stride;
    const index_t sums_below = in_place ? y.strides[0] : b.outputs_below;
    T* pixel_sums = pixel_sums_.data() + share;
    T* image = images_.data() + thread * room_.image_share;
    T* own_weights = weights_.data() + thread * room_.weights_share;
    if (weights != nullptr) weights += first_chunk(block.group, block.channel_block);
    for (index_t chunk = 0; chunk < b.chunks; ++chunk) {
      const index_t o = chunk * b.depth;
      const index_t depth = std::min(b.depth, K - o);
      for (index_t n = images.begin; n < images.end; ++n) {
        copy_image(x, n, {block.group * K + o, block.group * K + o + depth}, numbers,
                   image + (n - images.begin) * b.image_below);
      }
      if (weights == nullptr && !pack_chunk(k, block.group, channels, chunk, own_weights)) {
        for (index_t n = images.begin; n < images.end; ++n) {
          for (index_t c = 0; c < channels.size(); ++c) {
            recompute(this->problem(), x, k, n, first_channel + c, y);
          }
        }
        return;
      }
      const T* of_chunk = weights != nullptr ? weights + chunk * b.weights_chunk : own_weights;
      const StepTimer timing(Step::gemm);
      for (index_t residue = 0; residue < layer_.residues(); ++residue) {
        const Range of_rows = intersection(numbers, rows.numbers_of(residue / columns.stride));
        const Range of_columns = columns.numbers_of(residue % columns.stride);
        if (taps_of(residue).empty() || of_rows.empty() || of_columns.empty()) continue;
        const index_t begin =
            (of_rows.begin - numbers.begin) * b.pitch + of_columns.begin - columns.numbers.begin;
        const Outputs outputs{residue,
                              images.size(),
                              of_rows,
                              of_columns,
                              columns_by_rows(columns, residue % columns.stride, of_rows.size()),
                              channels.size(),
                              begin};
        if (b.channels_across) {
          multiply_across(outputs, depth, image, of_chunk, pixel_sums, o > 0);
        } else {
          multiply_down(outputs, depth, image, of_chunk, sums, sums_stride, o > 0);
        }
      }
    }
    const StepTimer timing(Step::copies);
    for (index_t n = images.begin; n < images.end; ++n) {
      const T* of_pixels = pixel_sums + (n - images.begin) * b.outputs_below * b.tile_channels;
      if (b.channels_across && layer_.residues() == 1) {
        put_pixels(of_pixels, numbers, channels.size(), &y(n, first_channel, first, 0), y.strides);
        continue;
      }
      T* of_image = sums + (n - images.begin) * sums_below;
      if (b.channels_across) transpose_sums(of_pixels, numbers, channels, of_image, sums_stride);
      if (in_place) continue;
      for (index_t c = 0; c < channels.size(); ++c) {
        put_rows(of_image + c * sums_stride, numbers, plane(y, n, first_channel + c));
      }
    }
  }

  /// Those of a block that have one residue, and where they begin in the image as one long row.
  struct Outputs {
    index_t residue, images;
    Range rows, columns;  // their numbers
    Range inner_columns;  // that go row by row
    index_t channels, begin;
  };

  void multiply_down(const Outputs& outputs, index_t depth, const T* image, const T* weights,
                     T* sums, index_t sums_stride, bool add) const {
    const Blocking& b = blocking_;
    multiply<T>({.rows = outputs.channels,
                 .columns = (outputs.rows.size() - 1) * b.pitch + outputs.columns.size(),
                 .depth = depth,
                 .taps = taps_of(outputs.residue),
                 .a = weights,
                 .a_tile = b.weights_tile,
                 .a_depth = b.weights_pitch,
                 .a_tap = 1,
                 .b = image + outputs.begin,
                 .b_depth = b.image_stride,
                 .b_columns = b.sums_stride - outputs.begin,
                 .c = sums + outputs.residue * b.block_channels * sums_stride + outputs.begin,
                 .c_row = sums_stride,
                 .add = add});
  }

  /// To tiles of channels, of each as many rows as the image has pixels, unless all take the same
  /// taps and nothing is between them.
  void multiply_across(const Outputs& outputs, index_t depth, const T* image, const T* weights,
                       T* sums, bool add) const {
    const Blocking& b = blocking_;
    const index_t lanes = vector_lanes<T>(), strip = b.tile_channels;
    const bool is_dense = outputs.columns.size() == b.pitch && layer_.rows.most_shift() == 0;
    sums += outputs.residue * b.block_channels * b.sums_stride;
    for (index_t c = 0; c < outputs.channels; c += strip) {
      for (index_t n = 0; n < outputs.images; ++n) {
        MatrixProduct<T> product{
            .rows = outputs.rows.size() * b.pitch,
            .columns = std::min(strip, ceil_divide(outputs.channels - c, lanes) * lanes),
            .depth = depth,
            .taps = taps_of(outputs.residue),
            .a = image + n * b.image_below + outputs.begin,
            .a_depth = b.image_stride,
            .a_tap = 1,
            .b = weights + c / strip * b.weights_tile,
            .b_depth = strip,
            .b_columns = strip,
            .c = sums + c * b.sums_stride + (n * b.outputs_below + outputs.begin) * strip,
            .c_row = strip,
            .add = add};
        if (is_dense) {
          multiply(product);
        } else {
          multiply_met(outputs, product);
        }
      }
    }
  }

  /// By the taps that meet the image only: row by row the columns that take all taps of a row, and
  /// column by column those at the ends of rows. Zeros around the image are 10 % of 3×3 at 14×14
  /// pixels.
  void multiply_met(const Outputs& outputs, const MatrixProduct<T>& all) const {
    const auto& [rows, columns, K, C] = layer_;
    const index_t pitch = blocking_.pitch, strip = all.c_row;
    const TapGrid grid = grid_of(outputs.residue);
    if (!all.add) {
      const index_t outputs_and_gaps = (outputs.rows.size() - 1) * pitch + outputs.columns.size();
      std::fill_n(all.c, outputs_and_gaps * strip, T{0});
    }
    MatrixProduct<T> product = all;
    product.add = true;
    const auto set_first = [&](index_t u, index_t v) {
      const index_t first = (u - outputs.rows.begin) * pitch + v - outputs.columns.begin;
      product.a = all.a + first;
      product.c = all.c + first * strip;
    };

    const Range inner = outputs.inner_columns;
    if (!inner.empty()) {
      product.rows = inner.size();
      for (index_t u = outputs.rows.begin; u < outputs.rows.end; ++u) {
        const Range met =
            taps_met(grid.rows, rows.samples, u, [&](index_t p) { return grid.row_shift(p); });
        if (met.empty()) continue;
        product.taps = all.taps.subspan(met.begin * grid.columns, met.size() * grid.columns);
        set_first(u, inner.begin);
        multiply(product);
      }
    }
    product.a_row = pitch;
    product.c_row = pitch * strip;
    for (index_t v = outputs.columns.begin; v < outputs.columns.end; ++v) {
      if (inner.contains(v)) continue;
      const Range met = taps_met(grid.columns, columns.samples, v,
                                 [&](index_t q) { return grid.column_shift(q); });
      if (met.empty()) continue;
      for (index_t p = 0; p < grid.rows; ++p) {
        const index_t shift = grid.row_shift(p);
        const Range of_rows = intersection({shift, shift + rows.samples}, outputs.rows);
        if (of_rows.empty()) continue;
        product.rows = of_rows.size();
        product.taps = all.taps.subspan(p * grid.columns + met.begin, met.size());
        set_first(of_rows.begin, v);
        multiply(product);
      }
    }
  }

  /// Sums of channels across to rows of y, where these are all of one residue.
  void put_pixels(const T* from, Range numbers, index_t channels, T* y,
                  const Extents& y_strides) const {
    const Blocking& b = blocking_;
    const index_t outputs = layer_.columns.numbers.size();
    // Rows that lie one behind the other are one.
    const bool is_dense = outputs == b.pitch && outputs == y_strides[2];
    const index_t runs = is_dense ? 1 : numbers.size();
    for (index_t c = 0; c < channels; c += b.tile_channels) {
      for (index_t row = 0; row < runs; ++row) {
        transpose(from + c * b.sums_stride + row * b.pitch * b.tile_channels, b.tile_channels,
                  is_dense ? numbers.size() * outputs : outputs,
                  std::min(b.tile_channels, channels - c),
                  y + c * y_strides[1] + row * y_strides[2], y_strides[1], false);
      }
    }
  }

  /// Sums of channels across to those of channels down.
  void transpose_sums(const T* from, Range numbers, Range channels, T* sums,
                      index_t sums_stride) const {
    const Blocking& b = blocking_;
    for (index_t residue = 0; residue < layer_.residues(); ++residue) {
      if (taps_of(residue).empty()) continue;
      const index_t first = residue * b.block_channels;
      for (index_t c = 0; c < channels.size(); c += b.tile_channels) {
        transpose(from + (first + c) * b.sums_stride, b.tile_channels, numbers.size() * b.pitch,
                  std::min(b.tile_channels, channels.size() - c), sums + (first + c) * sums_stride,
                  sums_stride, false);
      }
    }
  }

  std::span<const Tap> taps_of(index_t residue) const {
    return {taps_.data() + first_taps_[residue], taps_.data() + first_taps_[residue + 1]};
  }

  /// A residue's taps: rows of them that have the same columns.
  struct TapGrid {
    const Shift* shifts;
    index_t rows, columns;

    index_t row_shift(index_t p) const { return shifts[p * columns].row; }
    index_t column_shift(index_t q) const { return shifts[q].column; }
  };

  TapGrid grid_of(index_t residue) const {
    const index_t taps = first_taps_[residue + 1] - first_taps_[residue];
    const Shift* shifts = shifts_.data() + first_taps_[residue];
    const index_t columns = std::count_if(
        shifts, shifts + taps, [&](const Shift& shift) { return shift.row == shifts->row; });
    return {shifts, taps / columns, columns};
  }

  /// Of `count` taps, whose shifts grow, those whose samples are there for output number `u`.
  template <class ShiftOf>
  static Range taps_met(index_t count, index_t samples, index_t u, ShiftOf shift_of) {
    Range met{0, count};
    while (!met.empty() && u - shift_of(met.begin) >= samples) ++met.begin;
    while (!met.empty() && u < shift_of(met.end - 1)) --met.end;
    return met;
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
  Buffer<T> weights_, images_, sums_, pixel_sums_;
  Buffer<Tap> taps_;            // by residue
  Buffer<Shift> shifts_;        // of each
  Buffer<index_t> first_taps_;  // of each residue
};

template <class T>
std::vector<Boundary> boundaries(const Problem& problem, const PlanOptions& options) {
  const int threads = useful_threads(problem, options, options.threads);
  const Blocking b = choose_blocking<T>(problem, threads);
  const index_t lanes = vector_lanes<T>();
  return {{Boundary::output_rows, b.block_rows},
          {Boundary::output_columns, lanes},
          {Boundary::output_columns, most_tile_vectors(b.tile_channels) * lanes},
          {Boundary::image_columns, b.pitch},
          {Boundary::x_channels, b.depth},
          {Boundary::y_channels, b.tile_channels},
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
