#pragma once

// How overlap-save cuts an output into tiles.

#include <algorithm>

#include "core/buffer.h"
#include "core/operand_range.h"
#include "core/plane.h"
#include "fft/tile_transform.h"
#include "fft/unwrapped.h"

namespace fullconv {

/// An axis: its wanted outputs among those of the full output.
struct Axis {
  index_t size, taps;  // of the image, of the kernel
  Range wanted;

  /// Points of a circular convolution of all samples.
  index_t unwrapped_points() const { return fullconv::unwrapped_points(size, taps, wanted); }
  /// Points of the shortest transform that has all wanted outputs.
  index_t points_of_all() const {
    return std::min(unwrapped_points(), std::max(taps, taps - 1 + wanted.size()));
  }
};

inline Axis rows_of(const Problem& problem) {
  return {problem.H, problem.h, problem.window().rows};
}
inline Axis columns_of(const Problem& problem) {
  return {problem.W, problem.w, problem.window().columns};
}

/// How an axis of y is cut.
struct Cut {
  index_t length;  // of a transform
  index_t first;   // output of a tile; points before wrap around, or are not wanted
  index_t outputs;
  index_t tiles;
  Range samples;  // of a tile, where there is one

  Cut(index_t transform, const Axis& axis)
      : length(transform),
        first(axis.unwrapped_points() <= length ? axis.wanted.begin : axis.taps - 1),
        outputs(std::min(axis.wanted.size(), length - first)),
        tiles(ceil_divide(axis.wanted.size(), outputs)),
        samples(intersection({0, length},
                             {first - axis.wanted.begin, first - axis.wanted.begin + axis.size})) {}
};

/// Into how many parts, each as long as a transform, a tile's rows are cut.
inline int row_parts(Packing packing, int residues) {
  return packing == Packing::right_angle ? 2 * residues : residues;
}

/// How an output is cut.
struct Tiling {
  Packing packing;
  int residues;
  index_t transform_rows;  // of each residue
  Cut rows, columns;

  Tiling(const Problem& problem, Packing how, int count, index_t P, index_t Q)
      : packing(how),
        residues(count),
        transform_rows(P),
        rows(row_parts(how, count) * P, rows_of(problem)),
        columns(Q, columns_of(problem)) {}

  index_t points() const { return transform_rows * columns.length; }
  index_t tiles() const { return rows.tiles * columns.tiles; }
  /// Pieces of a plane: one transform takes one piece. Two tiles of a piece belong to one plane,
  /// since rounding errors and NaN of one image must not reach another's output.
  index_t pieces() const {
    return packing == Packing::right_angle ? tiles() : ceil_divide(tiles(), 2);
  }
  /// Bytes of the spectrum of one residue, and of all residues of a piece.
  double bytes(std::size_t scalar_size) const {
    return 2 * static_cast<double>(points()) * static_cast<double>(scalar_size);
  }
  double piece_bytes(std::size_t scalar_size) const { return residues * bytes(scalar_size); }
  /// Output channels whose kernels' spectra are kept at once, while all of x passes by. With fewer
  /// than C of them, x passes by, and is transformed, more than once.
  index_t kept_channels(const Problem& problem, std::size_t scalar_size) const {
    constexpr double kKeptBytes = 64 << 20;
    const double fitting = kKeptBytes / (piece_bytes(scalar_size) * static_cast<double>(problem.K));
    return fitting >= static_cast<double>(problem.C)
               ? problem.C
               : std::max<index_t>(1, static_cast<index_t>(fitting));
  }
};

/// With one input and one output channel a tile becomes its own result. Otherwise there are tiles
/// of all input channels, and a sum.
inline bool is_single_plane(const Problem& problem) { return problem.K == 1 && problem.C == 1; }
inline index_t tiles_of_a_thread(const Problem& problem) {
  return is_single_plane(problem) ? 1 : problem.K + 1;
}

/// Threads have spectra of their residues, and each its own where there is a single one: to
/// transform that takes no longer than to wait for it and to fetch it from another core's cache.
inline int kernel_copies(const Problem& problem, const Tiling& tiling, int threads) {
  return tiling.residues > 1 || is_single_plane(problem) ? threads : 1;
}

/// What a plan books and a forecast states, in scalars but for what is said to be in bytes.
struct OverlapSaveLayout {
  index_t spectrum;                 // of a tile or a kernel
  index_t kernels, tiles, scratch;  // to set aside for each copy of the kernels, for each thread
  int copies, threads;
  index_t scalar_bytes, state_bytes;

  OverlapSaveLayout(const Problem& problem, const Tiling& tiling, int thread_count,
                    std::size_t scalar_size)
      : spectrum(2 * tiling.points()),
        kernels(share_of_thread(problem.K * tiling.kept_channels(problem, scalar_size) * spectrum,
                                static_cast<index_t>(scalar_size))),
        tiles(share_of_thread(tiles_of_a_thread(problem) * spectrum,
                              static_cast<index_t>(scalar_size))),
        // A cache line of columns at once, and another one for other residues.
        scratch(share_of_thread((tiling.residues > 1 ? 2 : 1) * 2 * 64 /
                                    static_cast<index_t>(scalar_size) * tiling.transform_rows,
                                static_cast<index_t>(scalar_size))),
        copies(kernel_copies(problem, tiling, thread_count)),
        threads(thread_count),
        scalar_bytes(static_cast<index_t>(scalar_size)),
        state_bytes((copies * problem.C + threads * problem.N) *
                        static_cast<index_t>(sizeof(OperandState)) +
                    (problem.N + threads) * static_cast<index_t>(sizeof(int))) {}

  double bytes() const {
    return static_cast<double>(scalar_bytes) *
               (static_cast<double>(copies) * static_cast<double>(kernels) +
                static_cast<double>(threads) * static_cast<double>(tiles + scratch)) +
           static_cast<double>(state_bytes);
  }
};

}  // namespace fullconv
