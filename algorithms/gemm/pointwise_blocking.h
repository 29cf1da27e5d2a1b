#pragma once

#include <algorithm>

#include "core/buffer.h"
#include "core/layer_axis.h"
#include "core/plane.h"
#include "gemm/product.h"

// How pointwise_gemm cuts a layer.
namespace fullconv::pointwise {

/// The matrices of one image: a row of the weights has all taps of all channels of y.
struct Layer {
  Range rows, columns;    // the pixels of x that y meets
  index_t taps, weights;  // of a kernel; in a row of the weights

  explicit Layer(const Problem& p)
      : rows(LayerAxis::rows_of(p).samples_met(p.window().rows)),
        columns(LayerAxis::columns_of(p).samples_met(p.window().columns)),
        taps(p.h * p.w),
        weights(p.C * taps) {}

  index_t pixels() const { return rows.size() * columns.size(); }
};

/// How the work is cut.
struct Blocking {
  index_t strip;                         // columns of a tile of products
  index_t block_weights, weight_blocks;  // of a row of the weights; whole strips
  index_t block_pixels, pixel_blocks;    // of all images
  index_t depth;                         // channels of x that are summed over at a time

  /// Whether several blocks of pixels meet a block's weights, so that all of them are kept.
  bool holds_weights() const { return pixel_blocks > 1; }
};

/// So many pixels' sums stay in the first-level cache while each of their lines is met again, once
/// for each row of taps that it has.
inline constexpr index_t kPixelsPutAtOnce = 32;

template <class T>
Blocking choose_blocking(const Problem& p, int threads) {
  const Layer layer(p);
  const index_t lanes = vector_lanes<T>();
  const index_t pixels = layer.pixels();
  Blocking b{};
  const index_t vectors = ceil_divide(layer.weights, lanes);
  // Three vectors go side by side: n1_i64_o48_56x56_k1x1 took 1.09 times as long by two and one.
  b.strip = (vectors == 3 ? 3 : std::min(most_tile_vectors(pixels), vectors)) * lanes;
  const index_t strips = ceil_divide(vectors * lanes, b.strip);
  // The weights of a block, the sums and what the block meets of x are in the second-level cache. A
  // strip's weights are read from there in order; half of their bytes, which the first-level one
  // keeps, took 1.01 to 1.02 times as long, since sums come and go twice as often.
  constexpr index_t kStripBytes = 64 * 1024, kMostWeights = 128, kMostPixels = 224;
  const index_t deepest =
      std::max<index_t>(kStripBytes / (b.strip * static_cast<index_t>(sizeof(T))), 1);
  b.depth = ceil_divide(p.K, ceil_divide(p.K, deepest));
  const index_t most_strips = std::max<index_t>(kMostWeights / b.strip, 1);
  index_t weight_blocks = ceil_divide(strips, most_strips);
  // Whole images, or parts of one.
  b.block_pixels = pixels <= kMostPixels ? std::min(kMostPixels / pixels, p.N) * pixels
                                         : ceil_divide(pixels, ceil_divide(pixels, kMostPixels));
  b.pixel_blocks = ceil_divide(p.N * pixels, b.block_pixels);
  if (b.pixel_blocks * weight_blocks % threads != 0) {
    weight_blocks = std::min(ceil_divide(weight_blocks, threads) * threads, strips);
  }
  b.block_weights = ceil_divide(strips, weight_blocks) * b.strip;
  b.weight_blocks = ceil_divide(layer.weights, b.block_weights);
  return b;
}

/// Elements of a thread's room.
template <class T>
struct Room {
  index_t weights, sums, row;

  Room(const Problem& p, const Blocking& b)
      : weights(share_of_thread((b.holds_weights() ? p.K : b.depth) * b.block_weights, sizeof(T))),
        sums(share_of_thread(b.block_pixels * b.block_weights, sizeof(T))),
        row(p.h * p.w > 1 ? share_of_thread(b.block_weights, sizeof(T)) : 0) {}

  index_t elements() const { return weights + sums + row; }
};

}  // namespace fullconv::pointwise
