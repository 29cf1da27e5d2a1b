#pragma once

// What overlap-save takes, counted in strips and rows of those, next to times measured with vectors
// of 64 bytes and of 32.

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

/// Those that are considered, from the shortest on.
std::span<const Side> transform_sides();

/// Seconds of what there is to do to one piece, or to a residue of one.
struct TileTimes {
  double forward, kernel, backward;
};

/// Next to 8000 measured times of two tiles to a piece, of problems of all shapes, it is off by 8
/// %. What residues add was fitted to 60 of two threads.
TileTimes tile_times(const Problem& problem, const Tiling& tiling, const Side& rows,
                     const Side& columns, std::size_t scalar_size);

/// Seconds of what there is to do.
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
