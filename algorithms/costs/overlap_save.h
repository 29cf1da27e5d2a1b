#pragma once

// The time of overlap-save: numbers of strips and of their rows, times what these were measured to
// take with vectors of 64 bytes and of 32.

#include <span>

#include "fft/tiling.h"

namespace fullconv {

/// A side of a transform, and the nanoseconds that a strip takes for each of its rows: along rows
/// with gathering and transposition, and along columns.
struct Side {
  struct Costs {
    double down, across;
  };
  index_t length;
  Costs wide, narrow;  // with vectors of 64 bytes, of 32
};

/// The sides that are considered, the shortest first.
std::span<const Side> transform_sides();

/// The seconds of each kind of work for one piece, or for one residue of it.
struct TileTimes {
  double forward, kernel, backward;
};

/// Compared with 8000 measured times with two tiles to a piece, for problems of all shapes, it is
/// off by 8 %. What residues add was fitted to 60 times with two threads.
TileTimes tile_times(const Problem& problem, const Tiling& tiling, const Side& rows,
                     const Side& columns, std::size_t scalar_size);

/// The seconds of each kind of work.
struct OverlapSaveTimes {
  double tiles, products, kernels, memory, forking;

  /// Each times its rate.
  double sum_at(const OverlapSaveTimes& rates) const {
    return tiles * rates.tiles + products * rates.products + kernels * rates.kernels +
           memory * rates.memory + forking * rates.forking;
  }
};

OverlapSaveTimes overlap_save_times(const Problem& problem, const Tiling& tiling,
                                    const TileTimes& tile, int threads, std::size_t scalar_size);

}  // namespace fullconv
