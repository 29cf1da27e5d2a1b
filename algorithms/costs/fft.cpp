// What fft takes. In nanoseconds for each point and its logarithm, a row takes 0.17 to 0.12, more
// from 1500 points on, and some 14 a call, a column 0.03 up to 16 points, 0.065 at 128, 0.09
// beyond, and more where it is long; all else is hidden, but for memory, once planes leave a cache
// of a megabyte. On a Zen 5 it is off by 11 % (median) next to 81 random planes, and by 17 % next
// to 150 random layers.

#include "costs/fft.h"

#include <cmath>

#include "core/forecast.h"

namespace fullconv {

std::vector<Forecast::Term> fft_terms(const Problem& problem, const FftSizes& sizes,
                                      std::size_t scalar_size) {
  const FftCounts transforms(problem, sizes);
  const auto rows = static_cast<double>(sizes.rows);
  const auto columns = static_cast<double>(sizes.columns);
  const bool single = scalar_size == sizeof(float);
  const double bytes = static_cast<double>(scalar_size) * rows * columns;

  const double along = (0.165 - 0.045 * distance(columns, 64, 32)) * (single ? 1 : 1.34);
  const double long_row = 1 + 0.65 * distance(columns, 1500, 8);
  const double a_row = 14 + along * long_row * columns * std::log2(columns);
  const double long_columns = (single ? 0.09 : 0.116) * (1 + 0.62 * distance(rows, 512, 16));
  const double down = rows <= 128 ? 0.03 + 0.035 * distance(rows, 16, 8) : long_columns;
  const double a_plane = down * rows * columns * std::log2(rows);
  const double products =
      0.09 * rows * columns * static_cast<double>(problem.N * problem.K * problem.C * sizes.blocks);
  const double memory = 0.37 * bytes * distance(bytes, 0x1p20, 64);
  return {{"rows", 1e-9 * transforms.rows * a_row},
          {"columns", 1e-9 * transforms.planes * a_plane},
          {"products", 1e-9 * products},
          {"memory", 1e-9 * transforms.planes * memory}};
}

}  // namespace fullconv
