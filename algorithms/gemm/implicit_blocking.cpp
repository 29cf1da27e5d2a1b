#include "gemm/implicit_blocking.h"

#include <algorithm>
#include <bit>

#include "core/parallel.h"
#include "gemm/product.h"

namespace fullconv::implicit {
namespace {

/// Whether products take longer with channels as their rows. Their columns are views of the image,
/// which cross lines of the cache and the ends of rows: n1_i256_o256_14x14_k3x3_p1x1x1x1 takes 1.14
/// times as long, n1_i64_o64_56x56_k3x3_p1x1x1x1 1.02 times. But no lanes are empty for few
/// channels: n8_i16_o16_28x28_k3x3 takes 1.3 times as long across.
bool goes_across(const Layer& layer, index_t pitch, index_t strip, index_t lanes) {
  constexpr double kView = 1.1;
  const auto outputs = static_cast<double>(layer.columns.numbers.size());
  const double met = layer.rows.share_met() * layer.columns.share_met();
  return met * outputs * static_cast<double>(lanes) * vectors_across(layer.C, strip, lanes) <
         kView * static_cast<double>(pitch * layer.C);
}

/// Of channels as rows of products: depth, row_blocks and block_channels.
template <class T>
void cut_down(const Problem& problem, const Layer& layer, int threads, Blocking& b) {
  const auto& [rows, columns, K, C] = layer;
  const index_t lanes = vector_lanes<T>();
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
  index_t channel_blocks = 1;
  if (problem.N * problem.groups * b.row_blocks % threads != 0) {
    constexpr index_t kFewest = 8;  // vectors of a block
    const index_t more = ceil_divide(b.row_blocks, threads) * threads;
    const index_t fewer_rows = ceil_divide(rows.numbers.size(), more);
    if (fewer_rows * b.pitch >= kFewest * lanes || C < 2 * threads) {
      b.row_blocks = std::min(more, rows.numbers.size());
    } else {
      channel_blocks = threads;
    }
  }
  b.block_channels = ceil_divide(C, channel_blocks);
  b.block_images = 1;
}

/// The same of channels as columns, so many of them in a tile.
template <class T>
void cut_across(const Problem& problem, const Layer& layer, int threads, index_t tile_channels,
                Blocking& b) {
  const auto& [rows, columns, K, C] = layer;
  const index_t tiles = ceil_divide(C, tile_channels);
  b.tile_channels = tile_channels;
  // Weights of a tile are read in order, out of the second-level cache, where those of a chunk are
  // with the pixels and sums of a block. With half of the depth 1.00 to 1.03 times as long.
  constexpr index_t kTileBytes = 128 * 1024, kChunkBytes = 512 * 1024, kMostPixels = 448;
  constexpr index_t kMostDepth = 256;
  const index_t of_a_channel = layer.taps() * tile_channels * static_cast<index_t>(sizeof(T));
  const index_t deepest = std::clamp<index_t>(kTileBytes / of_a_channel, 4, kMostDepth);
  b.depth = ceil_divide(K, ceil_divide(K, deepest));
  const index_t most_tiles = std::max<index_t>(kChunkBytes / (b.depth * of_a_channel), 1);
  const index_t most_rows = std::clamp<index_t>(kMostPixels / b.pitch, 1, rows.numbers.size());
  b.row_blocks = ceil_divide(rows.numbers.size(), most_rows);
  b.block_images = 1;
  if (b.row_blocks == 1) {
    const index_t fitting = std::max<index_t>(kMostPixels / (rows.numbers.size() * b.pitch), 1);
    b.block_images = std::min(fitting, ceil_divide(problem.N, threads));
  }
  const index_t image_blocks = ceil_divide(problem.N, b.block_images);
  index_t channel_blocks = ceil_divide(tiles, most_tiles);
  if (image_blocks * problem.groups * b.row_blocks * channel_blocks % threads != 0) {
    channel_blocks = std::min(ceil_divide(channel_blocks, threads) * threads, tiles);
  }
  b.block_channels = ceil_divide(tiles, channel_blocks) * tile_channels;
}

}  // namespace

template <class T>
Blocking choose_blocking(const Problem& problem, int threads) {
  const Layer layer(problem);
  const auto& [rows, columns, K, C] = layer;
  const index_t lanes = vector_lanes<T>();
  Blocking b{};
  b.pitch = std::max(columns.numbers.size(),
                     columns.samples + std::max(columns.zeros_before(), columns.zeros_behind()));
  b.margin = columns.zeros_before();

  index_t vectors = ceil_divide(C, lanes);
  for (index_t a = 0; a < columns.stride; ++a) {
    const Range inner = columns_by_rows(columns, a, rows.numbers.size());
    if (!inner.empty()) vectors = std::min(vectors, most_tile_vectors(inner.size()));
  }
  vectors = std::min(vectors, most_tile_vectors(rows.numbers.size()));
  if (ceil_divide(C, lanes) == 3) vectors = 3;  // which products take side by side
  const index_t across = vectors * lanes;
  b.channels_across = goes_across(layer, b.pitch, across, lanes);
  if (b.channels_across) {
    cut_across<T>(problem, layer, threads, across, b);
  } else {
    cut_down<T>(problem, layer, threads, b);
  }
  b.block_rows = ceil_divide(rows.numbers.size(), b.row_blocks);
  b.row_blocks = ceil_divide(rows.numbers.size(), b.block_rows);
  b.channel_blocks = ceil_divide(C, b.block_channels);
  b.image_blocks = ceil_divide(problem.N, b.block_images);
  b.image_below = (b.block_rows + rows.most_shift()) * b.pitch;
  b.outputs_below = b.block_rows * b.pitch;
  b.sums_stride = apart(b.block_images * b.outputs_below, lanes);
  b.image_stride =
      apart(b.margin + columns.numbers.begin + b.block_images * b.image_below + lanes, lanes);
  if (b.channels_across) {
    b.tiles = ceil_divide(b.block_channels, b.tile_channels);
    b.weights_pitch = b.tile_channels;
  } else {
    b.tiles = tiles_of(b.block_channels);
    // The last block has fewer channels, and perhaps fewer tiles, which then have more rows.
    const index_t last = C - (b.channel_blocks - 1) * b.block_channels;
    b.tile_channels =
        std::max(ceil_divide(b.block_channels, b.tiles), ceil_divide(last, tiles_of(last)));
    b.weights_pitch =
        b.tile_channels >= lanes
            ? ceil_divide(b.tile_channels, lanes) * lanes
            : static_cast<index_t>(std::bit_ceil(static_cast<size_t>(b.tile_channels)));
  }
  b.weights_tap = b.depth * b.weights_pitch;
  b.weights_tile = apart(layer.taps() * b.weights_tap + lanes, lanes);
  b.weights_chunk = b.tiles * b.weights_tile;
  b.chunks = ceil_divide(K, b.depth);
  b.packs_ahead = b.image_blocks * b.row_blocks > 1 || has_one_pixel(problem);
  return b;
}

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

template Blocking choose_blocking<float>(const Problem&, int);
template Blocking choose_blocking<double>(const Problem&, int);
template const char* objection<float>(const Problem&, int);
template const char* objection<double>(const Problem&, int);

}  // namespace fullconv::implicit
