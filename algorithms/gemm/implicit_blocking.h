#pragma once

#include <algorithm>

#include "core/buffer.h"
#include "core/layer_axis.h"
#include "fullconv/algorithm.h"
#include "gemm/product.h"

// How implicit_gemm cuts a layer.
namespace fullconv::implicit {

struct Layer {
  LayerAxis rows, columns;
  index_t K, C;  // of a group

  explicit Layer(const Problem& problem)
      : rows(LayerAxis::rows_of(problem)),
        columns(LayerAxis::columns_of(problem)),
        K(problem.K / problem.groups),
        C(problem.C / problem.groups) {}

  index_t taps() const { return rows.taps * columns.taps; }
  index_t residues() const { return rows.stride * columns.stride; }
};

/// Columns of a residue that are multiplied row by row: those that take all taps of a row, unless
/// they are so few that columns of so many rows fill tiles better.
inline Range columns_by_rows(const LayerAxis& columns, index_t residue, index_t rows) {
  constexpr index_t kFew = 4;
  const Range inner = columns.inner_of(residue);
  return inner.size() < std::min(kFew, rows) ? Range{0, 0} : inner;
}

/// How the work is cut.
struct Blocking {
  /// Whether channels of y are the columns of products, and pixels the rows, or the other way
  /// around.
  bool channels_across;
  // The image, as one long row.
  index_t pitch;   // from one of its rows to the next
  index_t margin;  // zeros before the first
  // Blocks of y: some rows, of every residue, of some channels of a group. Whole images may be
  // several, one below the other.
  index_t image_blocks, block_images;
  index_t row_blocks, block_rows;
  index_t channel_blocks, block_channels;
  index_t depth;  // channels of x that are summed over at a time
  // Elements.
  index_t image_stride;                // from one channel of the copied images to the next
  index_t sums_stride;                 // of y's, of one residue
  index_t image_below, outputs_below;  // from one image of a block to the next
  // Weights as products take them: chunks of a block's channels and so much depth, which are tiles
  // of so many channels.
  index_t tile_channels, tiles;  // channels at most; they share a block's evenly but across
  index_t weights_pitch;         // from one of the depth to the next
  index_t weights_tap, weights_tile, weights_chunk;
  index_t chunks;  // of a block
  /// Whether several blocks meet the same weights, so that these are packed before.
  bool packs_ahead;
};

/// Vectors of channels, where tiles of products have so many columns. A tile of one vector
/// takes 1.4 times as long for it, since it loads as often as it multiplies.
inline double vectors_across(index_t channels, index_t strip, index_t lanes) {
  constexpr double kOneVector = 1.4;
  const index_t vectors = ceil_divide(channels, lanes);
  const index_t rest = vectors % (strip / lanes);
  if (strip == lanes) return kOneVector * static_cast<double>(vectors);
  return static_cast<double>(vectors) + (rest == 1 ? kOneVector - 1 : 0);
}

template <class T>
Blocking choose_blocking(const Problem& problem, int threads);

/// What a plan holds, in elements; images and sums are each thread's own.
struct Room {
  index_t all_weights;  // of a prepared kernel
  index_t weights_share, weights, image_share, images, sums_share, sums;
  index_t pixel_sums;  // the same of channels across, whose own are needed for several residues
  index_t taps, first_taps;

  template <class T>
  static Room of(const Problem& problem, const Layer& layer, const Blocking& blocking,
                 int threads) {
    const auto share = [](index_t count) { return share_of_thread(count, sizeof(T)); };
    const index_t image_share = share(blocking.depth * blocking.image_stride);
    const index_t sums_share =
        share(layer.residues() * blocking.block_channels * blocking.sums_stride);
    const index_t all_weights =
        problem.groups * blocking.channel_blocks * blocking.chunks * blocking.weights_chunk;
    const index_t weights_share = blocking.packs_ahead ? 0 : share(blocking.weights_chunk);
    return {.all_weights = all_weights,
            .weights_share = weights_share,
            .weights = blocking.packs_ahead ? all_weights : threads * weights_share,
            .image_share = image_share,
            .images = threads * image_share,
            .sums_share = sums_share,
            .sums = blocking.channels_across && layer.residues() == 1 ? 0 : threads * sums_share,
            .pixel_sums = blocking.channels_across ? threads * sums_share : 0,
            .taps = layer.taps(),
            .first_taps = layer.residues() + 1};
  }

  std::size_t bytes(std::size_t scalar_size) const {
    return scalar_size * static_cast<std::size_t>(weights + images + sums + pixel_sums) +
           sizeof(Tap) * static_cast<std::size_t>(taps) +
           sizeof(index_t) * static_cast<std::size_t>(2 * taps + first_taps);
  }
};

/// Whether images are single pixels that the weights are multiplied by as they are, if these and y
/// are dense.
inline bool has_one_pixel(const Problem& problem) {
  const Extents y = problem.y_extents();
  return problem.H == 1 && problem.W == 1 && problem.groups == 1 && problem.is_whole() &&
         y[2] == problem.h && y[3] == problem.w;
}

/// Why a problem is not taken, or null.
template <class T>
const char* objection(const Problem& problem, int threads);

}  // namespace fullconv::implicit
