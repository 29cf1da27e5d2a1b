// Which tiles winograd takes, and how many of them at a time.

#include "winograd/blocking.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "gemm/product.h"

namespace fullconv {

template <class T>
std::vector<Forecast::Term> terms_of(const Problem& problem, const Blocking& b) {
  const index_t lanes = vector_lanes<T>();
  const auto points = static_cast<double>(b.points());
  const auto K = static_cast<double>(problem.K);
  const auto vectors_K = static_cast<double>(ceil_divide(problem.K, lanes));
  const auto vectors_C = static_cast<double>(ceil_divide(problem.C, lanes));
  const auto tiles = static_cast<double>(b.tile_rows * b.tiles_across);
  const auto passes = static_cast<double>(b.keeps_kernels ? 1 : b.blocks);
  const double rows =
      static_cast<double>(ceil_divide(b.tiles(), tiles_of(b.tiles())));  // of a tile of products
  const double vectors = static_cast<double>(most_tile_vectors(b.tiles()));
  // A step loads a vector for each of B's and an element for each row, two in a cycle.
  const double loads = std::max(1.0, (rows + 2 * vectors) / (rows * vectors));
  constexpr double kFma = 0.165e-9;
  constexpr double kPoint = 0.7e-9;  // of a vector of channels, and for each tile
  // Samples and outputs are transposed by squares of as many columns as a vector has lanes, whether
  // a row has as many or one: for each row of a square 13 ns with 16 lanes, of loads and shuffles.
  const double square_row = 0.16e-9 * static_cast<double>(lanes) * (1 + std::log2(lanes));
  const auto square_rows = [&](index_t rows, index_t columns) {
    return static_cast<double>(b.tile_rows * rows * ceil_divide(columns, lanes)) * square_row;
  };
  const index_t columns = b.tiles_across * b.tile.columns.outputs;
  // Of a vector of channels of the kernels: to load its taps, and for each point.
  constexpr double kKernel = 10e-9, kKernelPoint = 0.8e-9;
  return {{"products", points * tiles * K * vectors_C * loads * kFma},
          {"kernels", passes * K * vectors_C * (kKernel + points * kKernelPoint)},
          {"images",
           vectors_K * (points * tiles * kPoint +
                        square_rows(b.tile.rows.points(), columns + b.tile.columns.taps - 1))},
          {"outputs",
           vectors_C * (points * tiles * kPoint + square_rows(b.tile.rows.outputs, columns))}};
}

namespace {

template <class T>
Blocking choose_blocking(const Problem& problem, const Tile& tile, int threads) {
  const Window window = problem.window();
  const index_t lanes = vector_lanes<T>();
  const auto scalar_bytes = static_cast<index_t>(sizeof(T));
  Blocking b{};
  b.tile = tile;
  b.tiles_across = ceil_divide(window.columns.size(), tile.columns.outputs);
  b.tile_rows = problem.N * ceil_divide(window.rows.size(), tile.rows.outputs);
  const index_t padded_K = apart(problem.K, lanes);
  const index_t vectors_C = ceil_divide(problem.C, lanes);

  // With its kernels kept, a block of the image in the second-level cache meets all of them.
  constexpr index_t kImageBytes = 512 * 1024;
  const index_t row_bytes = b.points() * b.tiles_across * padded_K * scalar_bytes;
  // Else what kernels are transformed to meets as many tiles as that cache has sums of.
  constexpr index_t kSumsBytes = 448 * 1024;
  const index_t widest = std::min<index_t>(2, vectors_C) * lanes;
  const index_t sums_bytes = b.points() * b.tiles_across * widest * scalar_bytes;
  constexpr index_t kFewestTiles = 14;
  const index_t rows_at_once = std::max<index_t>(1, kSumsBytes / sums_bytes);
  b.keeps_kernels =
      rows_at_once < b.tile_rows && kImageBytes / row_bytes * b.tiles_across >= kFewestTiles;
  const index_t most_rows =
      b.keeps_kernels ? std::max<index_t>(1, kImageBytes / row_bytes) : rows_at_once;
  b.blocks = ceil_divide(b.tile_rows, most_rows);
  if (b.keeps_kernels && threads > 1) {
    b.blocks = std::min(ceil_divide(b.blocks, threads) * threads, b.tile_rows);
  }
  b.block_rows = ceil_divide(b.tile_rows, b.blocks);  // of some blocks one less

  b.block_channels = std::min(most_tile_vectors(b.tiles()), vectors_C) * lanes;
  b.channel_blocks = ceil_divide(problem.C, b.block_channels);
  // So much of the transformed kernels goes through the second-level cache at a time.
  constexpr index_t kKernelBytes = 192 * 1024;
  const index_t fitting = kKernelBytes / (b.points() * b.block_channels * scalar_bytes);
  const index_t deepest = std::min(problem.K, std::max(fitting, lanes));
  b.depth = b.keeps_kernels ? problem.K : ceil_divide(problem.K, ceil_divide(problem.K, deepest));
  b.depth_blocks = ceil_divide(problem.K, b.depth);
  b.image_tile = padded_K;
  b.image_point = apart(b.tiles() * b.image_tile, lanes);
  b.sums_point = apart(b.tiles() * b.block_channels, lanes);
  b.kernel_point = apart(b.depth * b.block_channels, lanes);
  b.kernel_block = b.points() * b.kernel_point;
  return b;
}

double seconds(const std::vector<Forecast::Term>& terms) {
  return Forecast{.terms = terms}.seconds();
}

/// Calls visit(tile) for all that there are for the kernel.
template <class Visit>
void for_each_tile(const Problem& problem, const Visit& visit) {
  const int h = static_cast<int>(problem.h), w = static_cast<int>(problem.w);
  for (int rows = tile_sizes(h).fewest; rows <= tile_sizes(h).most; ++rows)
    for (int columns = tile_sizes(w).fewest; columns <= tile_sizes(w).most; ++columns) {
      visit(Tile{.rows = {rows, h}, .columns = {columns, w}});
    }
}

}  // namespace

template <class T>
Blocking best_blocking(const Problem& problem, int threads) {
  // By what one thread takes, so that the tile, and with it the bits, do not go by their number.
  std::optional<Tile> best;
  double shortest = 0;
  for_each_tile(problem, [&](const Tile& tile) {
    const double time = seconds(terms_of<T>(problem, choose_blocking<T>(problem, tile, 1)));
    if (best && time >= shortest) return;
    best = tile;
    shortest = time;
  });
  return choose_blocking<T>(problem, *best, threads);
}

template Blocking best_blocking<float>(const Problem&, int);
template Blocking best_blocking<double>(const Problem&, int);
template std::vector<Forecast::Term> terms_of<float>(const Problem&, const Blocking&);
template std::vector<Forecast::Term> terms_of<double>(const Problem&, const Blocking&);

}  // namespace fullconv
