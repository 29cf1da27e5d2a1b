#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "cell.h"

namespace fullconv::bench {

/// When a cell's contenders have run often enough.
struct BlockSettings {
  double cell_time;           ///< seconds for all contenders of a cell
  double half_width;          ///< of the interval of a ratio to the fastest: 0.01 is one per cent
  double confidence;          ///< of that interval
  double repetition = 0.005;  ///< seconds of one repetition, at least one call
  std::uint64_t seed = 1;
};

/// Rows in which each of 0 … n−1 stands once, such that each stands equally often in each place and
/// right behind each other: n rows, or 2n for an odd n (Williams, Aust. J. Sci. Res. 2(2), 1949).
/// Labels and rows are in random order.
std::vector<std::vector<std::size_t>> balanced_orders(std::size_t n, std::mt19937_64& random);

/// Times the contenders of one cell in blocks: each once a block, in balanced random order, each
/// time from a new plan and with everything elsewhere in memory, so that what a layout does to a
/// time varies like all else and is in the interval.
///
/// Blocks go where the decision is. A contender stays until its ratios to the fastest, for each
/// number of threads from its own up, are known well enough, or its share of the cell's time is
/// spent; the fastest stay while there are others. Whoever surely takes more than 1.2 times as long
/// has eight blocks, and so has a floor; what they leave of their shares is for the others.
///
/// At least eight blocks, and 24 and a part of the cell's time for those who may be as fast as the
/// fastest, more where they are still not known well, even where they take longer than the cell's
/// time. What FFTW has found by measuring once
/// stays for all blocks.
///
/// Returns all repetitions, each with its block and position as counters; after an
/// interruption() there are not all of them.
std::vector<benchmark::BenchmarkReporter::Run> run_in_blocks(
    const std::vector<std::unique_ptr<Cell>>& cells, const BlockSettings& settings);

}  // namespace fullconv::bench
