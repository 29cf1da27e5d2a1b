#include "fft/decomposition.h"

#include <algorithm>
#include <limits>
#include <span>

#include "core/parallel.h"
#include "core/rates.h"
#include "core/registry.h"

namespace fullconv {
namespace {

/// The sides to consider for an axis that is cut into so many parts: from the shortest that holds
/// the kernel up to the shortest that holds 1.5 times everything, since with vectors of 64 bytes
/// 384 and 480 take longer than 512.
std::span<const Side> sides_for(const Axis& axis, index_t parts) {
  const std::span<const Side> all_sides = transform_sides();
  const auto holding = [&](index_t points) {
    return std::ranges::lower_bound(all_sides, points, {}, &Side::length);
  };
  const index_t all = ceil_divide(axis.points_of_all(), parts);
  const auto first = holding(ceil_divide(axis.taps, parts));
  const auto last = holding(all + all / 2);
  return {first, last == all_sides.end() ? last : last + 1};
}

/// The most residues that are considered. Each one reads all of x and k, and joins at least a cache
/// line of columns. More than two were never timed.
constexpr index_t kMostResidues = 8;

/// What a decomposition may take, in bytes.
struct Limits {
  double piece, workspace;
};

bool fits(double most_bytes, const Problem& problem, const Tiling& tiling, int threads,
          std::size_t scalar_size) {
  if (most_bytes == std::numeric_limits<double>::infinity()) return true;
  // Checked in floating point first: there are layers with so many channels that integers overflow.
  const double spectra = static_cast<double>(problem.K) * tiling.bytes(scalar_size);
  return spectra <= most_bytes &&
         OverlapSaveLayout(problem, tiling, threads, scalar_size).bytes() <= most_bytes;
}

/// The rates in use, one for each of the times.
OverlapSaveTimes rates_of(int threads, std::size_t scalar_size) {
  const TermFactors factors =
      rates_in_use(threads)->of(scalar_size, builtin::fft_overlap_save.name);
  return {.tiles = factors.of("tiles"),
          .products = factors.of("products"),
          .kernels = factors.of("kernels"),
          .memory = factors.of("memory"),
          .forking = factors.of("forking")};
}

/// The fastest decomposition within the limits, if there is one.
std::optional<Decomposition> best_within(const Limits& limits, const Problem& problem,
                                         const PlanOptions& options, std::size_t scalar_size) {
  // The most rows of a tile: as many as one transform at right angles takes, so that the number of
  // threads never makes a problem be declined.
  const index_t most_rows = 2 * transform_sides().back().length;
  const OverlapSaveTimes rates = rates_of(options.threads, scalar_size);
  std::optional<Decomposition> best;
  double shortest = 0;
  const auto consider = [&](const Tiling& tiling, const TileTimes& tile, int threads) {
    const OverlapSaveTimes seconds =
        overlap_save_times(problem, tiling, tile, threads, scalar_size);
    const double time = seconds.sum_at(rates);
    if (best && time >= shortest) return;
    if (!fits(limits.workspace, problem, tiling, threads, scalar_size)) return;
    best = {tiling, threads, seconds};
    shortest = time;
  };
  const auto consider_tiles = [&](Packing packing, int residues) {
    const index_t parts = row_parts(packing, residues);
    for (const Side& rows : sides_for(rows_of(problem), parts)) {
      for (const Side& columns : sides_for(columns_of(problem), 1)) {
        const Tiling tiling(problem, packing, residues, rows.length, columns.length);
        if (tiling.rows.length > most_rows || tiling.piece_bytes(scalar_size) > limits.piece) {
          continue;
        }
        const TileTimes tile = tile_times(problem, tiling, rows, columns, scalar_size);
        consider(tiling, tile, residues);
        if (residues > 1) continue;
        const int threads = useful_threads(problem, options, problem.N * tiling.pieces());
        if (threads > 1) consider(tiling, tile, threads);
      }
    }
  };
  const index_t lines =
      std::max<index_t>(1, problem.output_columns() / static_cast<index_t>(64 / scalar_size));
  const int most_residues = useful_threads(problem, options, std::min(kMostResidues, lines));
  for (const Packing packing : {Packing::two_tiles, Packing::right_angle}) {
    for (int residues = 1; residues <= most_residues; residues *= 2) {
      consider_tiles(packing, residues);
    }
  }
  return best;
}

}  // namespace

std::optional<Decomposition> best_decomposition(const Problem& problem, const PlanOptions& options,
                                                std::size_t scalar_size) {
  constexpr double kUsualPiece = 128 << 20;
  constexpr double kNoLimit = std::numeric_limits<double>::infinity();
  if (options.workspace_limit) {
    const auto limit = static_cast<double>(*options.workspace_limit);
    const auto best = best_within({kUsualPiece, limit}, problem, options, scalar_size);
    if (best) return best;
  }
  const auto usual = best_within({kUsualPiece, kNoLimit}, problem, options, scalar_size);
  if (usual) return usual;
  return best_within({kNoLimit, kNoLimit}, problem, options, scalar_size);
}

}  // namespace fullconv
