// Which tiles winograd takes, and how many of them at a time.

#include "winograd/blocking.h"

#include <algorithm>
#include <optional>

#include "core/rates.h"
#include "core/registry.h"
#include "costs/winograd.h"
#include "gemm/product.h"

namespace fullconv::winograd {

namespace {

template <class T>
Blocking choose_blocking(const Problem& problem, const Tile& tile, int threads) {
  const index_t lanes = vector_lanes<T>();
  const auto scalar_bytes = static_cast<index_t>(sizeof(T));
  Blocking b(problem, tile);
  const index_t padded_K = apart(problem.K, lanes);
  const index_t vectors_C = ceil_divide(problem.C, lanes);

  // What kernels are transformed to meets as many tiles as the second-level cache has sums of.
  constexpr index_t kSumsBytes = 448 * 1024;
  const index_t widest = std::min<index_t>(2, vectors_C) * lanes;
  const index_t sums_bytes = b.residues() * b.points() * b.tiles_across() * widest * scalar_bytes;
  const index_t rows_at_once = std::max<index_t>(1, kSumsBytes / sums_bytes);
  // Where that takes several blocks, all kernels are better transformed once, and a block of the
  // image in that cache, or a row of tiles if that is larger, meets them, if it has tiles enough.
  // On a Xeon n1_i128_o64_112x112_k3x3_p1x1x1x1, whose rows are a little larger, took 1.3 times as
  // long by kernels transformed for each block, n1_i256_o256_136x136_k3x3 1.15 times.
  constexpr index_t kImageBytes = 512 * 1024, kFewestTiles = 13;
  constexpr double kMostKernelBytes = 0x3p24;  // which all are workspace
  const index_t tile_bytes = b.points() * padded_K * scalar_bytes;
  const index_t rows_kept = std::max<index_t>(1, kImageBytes / (b.tiles_across() * tile_bytes));
  const double kernel_bytes =
      static_cast<double>(b.residues() * tile_bytes) * static_cast<double>(vectors_C * lanes);
  b.keeps_kernels = rows_at_once < b.tile_rows && rows_kept * b.tiles_across() >= kFewestTiles &&
                    kernel_bytes <= kMostKernelBytes;
  const index_t most_rows = b.keeps_kernels ? rows_kept : rows_at_once;
  b.blocks = ceil_divide(b.tile_rows, most_rows);
  if (b.keeps_kernels && threads > 1) {
    b.blocks = std::min(ceil_divide(b.blocks, threads) * threads, b.tile_rows);
  }
  b.block_rows = ceil_divide(b.tile_rows, b.blocks);  // of some blocks one less

  b.block_channels = std::min(most_tile_vectors(b.tiles()), vectors_C) * lanes;
  b.channel_blocks = ceil_divide(problem.C, b.block_channels);
  // So much of the transformed kernels goes through the second-level cache at a time. With half of
  // it sums are loaded and stored twice as often: n8_i512_o256_7x7_k3x3_p1x1x1x1_s2x2_op1x1 took
  // 1.12 times as long on a Zen 4, with twice as much as long.
  constexpr index_t kKernelBytes = 384 * 1024;
  const index_t fitting =
      kKernelBytes / (b.residues() * b.points() * b.block_channels * scalar_bytes);
  const index_t deepest = std::min(problem.K, std::max(fitting, lanes));
  b.depth = b.keeps_kernels ? problem.K : ceil_divide(problem.K, ceil_divide(problem.K, deepest));
  b.depth_blocks = ceil_divide(problem.K, b.depth);
  b.image_tile = padded_K;
  b.image_point = apart(b.tiles() * b.image_tile, lanes);
  b.sums_point = apart(b.tiles() * b.block_channels, lanes);
  b.kernel_point = apart(b.depth * b.block_channels, lanes);
  return b;
}

/// Calls visit(tile) for all that there are for the kernel.
template <class Visit>
void for_each_tile(const Problem& problem, const Visit& visit) {
  const int h = static_cast<int>(Residues::of_rows(problem).taps);
  const int w = static_cast<int>(Residues::of_columns(problem).taps);
  for (int rows = tile_sizes(h).fewest; rows <= tile_sizes(h).most; ++rows)
    for (int columns = tile_sizes(w).fewest; columns <= tile_sizes(w).most; ++columns) {
      visit(Tile{.rows = {rows, h}, .columns = {columns, w}});
    }
}

}  // namespace

template <class T>
Blocking best_blocking(const Problem& problem, int threads) {
  // One thread's time decides, so that the tile, and so the bits, do not depend on the number of
  // threads.
  const TermFactors rates = rates_in_use(1)->of(sizeof(T), builtin::winograd.name);
  std::optional<Tile> best;
  double shortest = 0;
  for_each_tile(problem, [&](const Tile& tile) {
    const double time =
        rates.seconds(winograd_terms<T>(problem, choose_blocking<T>(problem, tile, 1)));
    if (best && time >= shortest) return;
    best = tile;
    shortest = time;
  });
  return choose_blocking<T>(problem, *best, threads);
}

template Blocking best_blocking<float>(const Problem&, int);
template Blocking best_blocking<double>(const Problem&, int);

}  // namespace fullconv::winograd
