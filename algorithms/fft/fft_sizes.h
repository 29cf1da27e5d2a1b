#pragma once

// The sizes of FFTW's transforms: of the whole image, or of blocks of its rows.

#include <algorithm>
#include <limits>
#include <span>

#include "core/operand_range.h"
#include "core/plane.h"
#include "core/transposed_plan.h"
#include "fft/unwrapped.h"
#include "fullconv/algorithm.h"

namespace fullconv {

/// Sides that FFTW plans well without timing them, and above the last of them multiples of 64
/// without factors above 7. Most between them take longer than the next of them: in float, rows of
/// 40 columns of complex points five times as long as of 64, columns of 60 twice as long as of 64.
inline constexpr index_t kFastRows[] = {1,  2,  3,  4,  5,   6,   7,   8,   9,   10,  12,  14,
                                        15, 20, 32, 64, 128, 160, 200, 256, 320, 384, 400, 512};
inline constexpr index_t kFastColumns[] = {1,   2,   3,   4,   5,   6,   7,   8,   9,   10,  12,
                                           15,  16,  20,  32,  40,  48,  64,  112, 128, 144, 160,
                                           192, 200, 256, 288, 320, 384, 400, 448, 512};

inline index_t fast_side(index_t least, std::span<const index_t> fast) {
  if (least <= fast.back()) return *std::ranges::lower_bound(fast, least);
  constexpr index_t kStep = 64;
  for (index_t side = ceil_divide(least, kStep) * kStep;; side += kStep) {
    index_t rest = side;
    for (const index_t factor : {2, 3, 5, 7}) {
      while (rest % factor == 0) rest /= factor;
    }
    if (rest == 1) return side;
  }
}

inline constexpr index_t kNarrowColumns = 128;

/// What is long and narrow lies along the rows, for FFTW plans few long columns badly: from 160
/// rows on and up to 128 columns 1.0 to 2.4 times as fast, and as often slower as faster where
/// either is not so. Transposed operands make y's transpose.
inline Problem oriented(const Problem& problem) {
  const bool is_long = problem.output_rows() > kNarrowColumns;
  return is_long && problem.output_columns() <= kNarrowColumns ? transposed(problem) : problem;
}

/// A single product takes the place of one of its factors.
inline bool multiplies_in_place(const Problem& problem) {
  return problem.K == 1 && std::min(problem.N, problem.C) == 1;
}

/// The spectra of images are kept, and those of kernels made one at a time; or the other way round.
inline bool keeps_images(const Problem& problem) { return problem.N < problem.C; }

/// Whether FFTW can count the points of its sides.
inline bool counts(const Problem& problem) {
  constexpr index_t kMostPoints = std::numeric_limits<int>::max() / 2;
  return std::max(problem.full_rows(), problem.full_columns()) <= kMostPoints;
}

/// What is transformed at once: blocks of the image's rows, with all of the kernel.
struct FftSizes {
  index_t image_rows, blocks;
  Range result_rows;      // of a block's full output, that are transformed back
  index_t rows, columns;  // of a transform

  FftSizes(const Problem& problem, index_t block_count)
      : image_rows(ceil_divide(problem.H, block_count)),
        blocks(ceil_divide(problem.H, image_rows)),
        result_rows(blocks == 1 ? problem.window().rows : Range{0, image_rows + problem.h - 1}),
        rows(fast_side(unwrapped_points(image_rows, problem.h, result_rows), kFastRows)),
        columns(fast_side(unwrapped_points(problem.W, problem.w, problem.window().columns),
                          kFastColumns)) {}

  index_t frequencies() const { return columns / 2 + 1; }  // of a row
};

/// What a plan has room for.
struct FftRoom {
  index_t spectrum;  // complex points from one to the next: lines of the cache, where FFTW's plans
                     // want them
  index_t kept, sums;  // spectra, beside the one that is being made
  index_t states;      // one for each image and each channel of y

  FftRoom(const Problem& problem, const FftSizes& sizes, std::size_t scalar_size)
      : kept(std::min(problem.N, problem.C) * problem.K),
        sums(multiplies_in_place(problem) ? 0 : std::min(problem.N, problem.C)),
        states(problem.N + problem.C) {
    constexpr index_t kLine = 64;
    const index_t line = kLine / (2 * static_cast<index_t>(scalar_size));
    spectrum = ceil_divide(sizes.rows * sizes.frequencies(), line) * line;
  }

  double bytes(std::size_t scalar_size) const {
    return 2.0 * static_cast<double>(scalar_size) * static_cast<double>(spectrum) *
               static_cast<double>(kept + sums + 1) +
           static_cast<double>(states) * sizeof(OperandState);
  }
};

/// Rows that are transformed: those that are all padding are not. For the columns, planes.
struct FftCounts {
  double rows, planes;

  FftCounts(const Problem& problem, const FftSizes& sizes) {
    const index_t N = problem.N, K = problem.K, C = problem.C, h = problem.h;
    // Not as integers: rows that blocks share could be too many to count.
    const auto blocks = static_cast<double>(N * sizes.blocks);
    const double images = blocks * static_cast<double>(K), kernels = static_cast<double>(K * C),
                 results = blocks * static_cast<double>(C);
    planes = images + kernels + results;
    rows = images * static_cast<double>(sizes.image_rows) + kernels * static_cast<double>(h) +
           results * static_cast<double>(sizes.result_rows.size());
  }
};

/// As few blocks as the workspace has room for: y's rows that two of them share are made twice. One
/// block where not even many would do, or where spectra of images are to be kept.
inline FftSizes sizes_for(const Problem& problem, const PlanOptions& options,
                          std::size_t scalar_size) {
  constexpr index_t kMostBlocks = 32;
  const FftSizes whole(problem, 1);
  if (!options.workspace_limit || keeps_images(problem)) return whole;
  const auto limit = static_cast<double>(*options.workspace_limit);
  for (index_t count = 1; count <= std::min(kMostBlocks, problem.H); ++count) {
    const FftSizes sizes(problem, count);
    if (FftRoom(problem, sizes, scalar_size).bytes(scalar_size) <= limit) return sizes;
  }
  return whole;
}

}  // namespace fullconv
