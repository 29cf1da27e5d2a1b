#pragma once

#include <algorithm>

#include "core/buffer.h"
#include "core/forecast.h"
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
  bool pixels_across;                    // pixels are the columns of products, not the weights
  index_t strip;                         // columns of a tile of products, if those are the weights
  index_t block_weights, weight_blocks;  // of a row of the weights; whole strips
  index_t block_pixels;                  // of some whole images, or of a part of one
  index_t block_images, image_parts;     // one of them is 1
  index_t pixel_blocks;                  // of all images
  index_t rows_at_once;                  // of products, if pixels are across
  index_t depth;                         // channels of x that are summed over at a time

  /// Those of block `b`, of so many images of so many pixels.
  Range pixels_of(index_t b, index_t images, index_t pixels) const {
    if (image_parts == 1) {
      return {b * block_images * pixels, std::min((b + 1) * block_images, images) * pixels};
    }
    const index_t image = b / image_parts * pixels, begin = b % image_parts * block_pixels;
    return {image + begin, image + std::min(begin + block_pixels, pixels)};
  }

  /// Whether several blocks of pixels meet a block's weights, so that all of them are kept.
  bool holds_weights() const { return pixel_blocks > 1; }
};

/// Whether a pixel has two columns of outputs: two taps, or one and zeros.
template <class T>
bool puts_pairs(const Problem& p) {
  return p.stride.x == 2 && (p.w == 1 || (p.w == 2 && vector_lanes<T>() % 2 == 0));
}

/// So many pixels' sums stay in the first-level cache while each of their lines is met again, once
/// for each row of taps that it has.
inline constexpr index_t kPixelsPutAtOnce = 32;

/// Cuts images into blocks of at most so many pixels, in whole `units` where a block is a part.
inline void cut_images(const Problem& p, index_t most_pixels, index_t unit, Blocking& b) {
  const index_t pixels = Layer(p).pixels();
  const index_t parts = ceil_divide(pixels, most_pixels);
  b.block_images = std::clamp<index_t>(most_pixels / pixels, 1, p.N);
  b.block_pixels =
      parts == 1 ? b.block_images * pixels : ceil_divide(ceil_divide(pixels, parts), unit) * unit;
  b.image_parts = parts == 1 ? 1 : ceil_divide(pixels, b.block_pixels);
  b.pixel_blocks = ceil_divide(p.N, b.block_images) * b.image_parts;
}

/// Vectors of products that an image's pixels take: where the last is not whole it stands alone.
template <class T>
index_t vectors_of_pixels(index_t pixels) {
  const index_t lanes = vector_lanes<T>();
  return ceil_divide(pixels, lanes) + (pixels % lanes == 0 ? 0 : 1);
}

/// Whether 32 vectors fit in registers, so that a tile's rows are many: 14, or else 6.
inline bool has_many_registers() { return tiles_of(14) == 1; }

/// Whether pixels are better the columns of products: then nothing is copied, neither the weights
/// nor the sums, but images of a few pixels leave lanes empty. Where no cache keeps the images, the
/// other way asks for pixels ahead and writes y past the caches; this one leaves a few planes to
/// what the core fetches by itself. Times of this way as multiples of the other on a Zen 4:
/// n4_i10_o3_53x53_k1x1 0.14, n1_i24_o64_28x28_k1x1 0.85, n1_i128_o512_28x28_k1x1 0.97,
/// n1_i512_o512_14x14_k1x1 1.04, n1_i100_o64_7x7_k1x1 1.20; n1_i12_o8_400x400_k1x1 0.35,
/// n1_i10_o16_500x500_k1x1 0.7, n1_i64_o16_300x300_k1x1 1.8; on a Xeon n1_i16_o16_400x400_k1x1
/// 0.82, n1_i20_o40_501x501_k1x1 0.36, n8_i32_o64_112x112_k1x1 0.75, n2_i34_o389_165x165_k1x1 0.58,
/// n1_i64_o64_301x301_k1x1 1.22.
template <class T>
bool puts_pixels_across(const Problem& p) {
  const Layer layer(p);
  if (!p.is_dense() && !puts_pairs<T>(p)) return false;
  constexpr double kMostBytes = 6.5e6;
  if (image_bytes(p, sizeof(T)) > kMostBytes) {
    return layer.weights <= 8 || p.K <= 12 || (p.is_dense() && p.K <= 40 && p.C >= p.K);
  }
  constexpr index_t kDeepest = 256, kOneTile = 14;
  if (p.K > kDeepest && layer.weights > kOneTile) return false;
  const index_t lanes = vector_lanes<T>(), pixels = layer.pixels();
  const auto of = [](index_t count) { return static_cast<double>(count); };
  // In products of a vector.
  constexpr double kWeight = 7, kSum = 5;
  const double share = has_many_registers() ? 1.03 : 1.2;
  const double vectors_C = of(ceil_divide(layer.weights, lanes));
  const double across = share * of(p.N * layer.weights * p.K * vectors_of_pixels<T>(pixels));
  const double along = vectors_C * (of(p.N * pixels) * (of(p.K) + kSum) + of(p.K) * kWeight);
  return across < along;
}

template <class T>
Blocking choose_blocking(const Problem& p, int threads) {
  const Layer layer(p);
  const index_t lanes = vector_lanes<T>();
  const index_t pixels = layer.pixels();
  constexpr index_t kMostPixels = 224;
  Blocking b{};
  b.pixels_across = puts_pixels_across<T>(p);
  if (b.pixels_across) {
    b.strip = b.block_weights = layer.weights;
    b.weight_blocks = 1;
    b.depth = p.K;
    // Rows of y that are far apart are better written a few at a time, and far along:
    // n1_i2_o64_388x388_k1x1 took 2.8 times as long by all rows and 224 pixels. Of low planes the
    // next rows are what comes next. A tile has 14 rows where there are registers for as many, and
    // else 6, which are too few for what is loaded again.
    constexpr index_t kFar = 128, kNearBytes = 256 * 1024, kMost = 4096;
    const bool are_far = p.is_dense() && pixels > kFar;
    const index_t tiles = tiles_of(layer.weights);
    const index_t at_once = has_many_registers() ? 1 : 2;
    b.rows_at_once = are_far ? std::min(ceil_divide(layer.weights, tiles) * at_once, layer.weights)
                             : layer.weights;
    const index_t near = kNearBytes / (p.K * static_cast<index_t>(sizeof(T)));
    const index_t most = are_far ? std::clamp(near, kMostPixels, kMost) : kMostPixels;
    cut_images(p, std::min(most, ceil_divide(pixels, ceil_divide(threads, p.N))), lanes, b);
    return b;
  }
  const index_t vectors = ceil_divide(layer.weights, lanes);
  // Three vectors go side by side: n1_i64_o48_56x56_k1x1 took 1.09 times as long by two and one.
  b.strip = (vectors == 3 ? 3 : std::min(most_tile_vectors(pixels), vectors)) * lanes;
  const index_t strips = ceil_divide(vectors * lanes, b.strip);
  // The weights of a block, the sums and what the block meets of x are in the second-level cache. A
  // strip's weights are read from there in order; half of their bytes, which the first-level one
  // keeps, took 1.01 to 1.02 times as long, since sums come and go twice as often.
  constexpr index_t kStripBytes = 64 * 1024, kMostWeights = 128;
  const index_t deepest =
      std::max<index_t>(kStripBytes / (b.strip * static_cast<index_t>(sizeof(T))), 1);
  b.depth = ceil_divide(p.K, ceil_divide(p.K, deepest));
  const index_t most_strips = std::max<index_t>(kMostWeights / b.strip, 1);
  index_t weight_blocks = ceil_divide(strips, most_strips);
  cut_images(p, kMostPixels, 1, b);
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
  index_t weights = 0, row = 0;  // those that are copied, and one row of them
  index_t sums = 0;              // as products leave them, where weights are their columns
  index_t staged = 0;            // sums with a row for each weight, to be put in pairs
  index_t pitch = 0;             // elements from row to row of those

  Room(const Problem& p, const Blocking& b) {
    if (p.h * p.w > 1) row = share_of_thread(b.block_weights, sizeof(T));
    if (!b.pixels_across) {
      weights = share_of_thread((b.holds_weights() ? p.K : b.depth) * b.block_weights, sizeof(T));
      sums = share_of_thread(b.block_pixels * b.block_weights, sizeof(T));
    } else if (p.h * p.w > 1) {
      weights = share_of_thread(p.K * b.block_weights, sizeof(T));
    }
    if (!p.is_dense() && puts_pairs<T>(p)) {
      const index_t lanes = vector_lanes<T>();
      pitch = ceil_divide(b.block_pixels, lanes) * lanes;
      staged = share_of_thread((b.pixels_across ? b.block_weights : lanes) * pitch, sizeof(T));
    }
  }

  index_t elements() const { return weights + row + sums + staged; }
};

}  // namespace fullconv::pointwise
