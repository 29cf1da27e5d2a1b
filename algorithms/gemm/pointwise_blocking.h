#pragma once

#include <algorithm>

#include "core/buffer.h"
#include "core/plane.h"
#include "gemm/product.h"

// How pointwise_gemm cuts a layer.
namespace fullconv::pointwise {

/// How the work is cut.
struct Blocking {
  index_t strip;                           // columns of a tile of products
  index_t block_channels, channel_blocks;  // of y; whole strips
  index_t block_pixels, pixel_blocks;      // of all images, those that y has
  index_t depth;                           // channels of x that are summed over at a time

  /// Whether several blocks of pixels meet a block's weights, so that all of them are kept.
  bool holds_weights() const { return pixel_blocks > 1; }
};

/// Pixels of one image of y.
inline index_t pixels_of(const Problem& p) { return p.output_rows() * p.output_columns(); }

template <class T>
Blocking choose_blocking(const Problem& p, int threads) {
  const index_t lanes = vector_lanes<T>();
  const index_t pixels = pixels_of(p);
  Blocking b{};
  const index_t vectors_C = ceil_divide(p.C, lanes);
  b.strip = std::min(most_tile_vectors(pixels), vectors_C) * lanes;
  const index_t strips = ceil_divide(vectors_C * lanes, b.strip);
  // The weights of a block, the sums and what the block meets of x are in the second-level cache. A
  // strip's weights are read from there in order; half of their bytes, which the first-level one
  // keeps, took 1.01 to 1.02 times as long, since sums come and go twice as often.
  constexpr index_t kStripBytes = 64 * 1024, kMostChannels = 128, kMostPixels = 224;
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

  Room(const Problem& p, const Blocking& b)
      : weights(share_of_thread((b.holds_weights() ? p.K : b.depth) * b.block_channels, sizeof(T))),
        sums(share_of_thread(b.block_pixels * b.block_channels, sizeof(T))) {}
};

}  // namespace fullconv::pointwise
