#include "gemm/implicit_blocking.h"

#include <algorithm>
#include <bit>

#include "core/parallel.h"
#include "gemm/product.h"

namespace fullconv::implicit {

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
