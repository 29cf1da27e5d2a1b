#pragma once

// What forecasts of times are made of. They are to be compared, not to be relied upon.

#include <algorithm>
#include <cmath>
#include <vector>

#include "fullconv/algorithm.h"

namespace fullconv {

/// How far out of a cache `bytes` are: 0 where they are `near`, 1 where they are `factor` times as
/// many, and in between as their logarithm.
inline double distance(double bytes, double near, double factor) {
  return std::clamp(std::log2(bytes / near) / std::log2(factor), 0.0, 1.0);
}

/// The nanoseconds of a byte that a cache does not hold, but one `factor` times as large would.
struct FarByte {
  double nanoseconds, cache, factor;

  double of(double bytes) const { return bytes * nanoseconds * distance(bytes, cache, factor); }
};

/// Of x and y.
inline double image_bytes(const Problem& p, std::size_t scalar_size) {
  const auto of = [](index_t count) { return static_cast<double>(count); };
  return static_cast<double>(scalar_size) * of(p.N) *
         (of(p.K) * of(p.H * p.W) + of(p.C) * of(p.output_rows() * p.output_columns()));
}

/// The time of a fork and join: 1 µs on a Xeon, 2 to 5 µs on an EPYC. With 5 µs two threads took up
/// to 1.5 times as long here, for problems of 9 to 15 µs that they did not share; with 2 µs some
/// took 1.1 times as long.
constexpr double kForkingSeconds = 3e-6;

/// The terms of work that so many threads divide.
inline std::vector<Forecast::Term> divided_among_threads(std::vector<Forecast::Term> terms,
                                                         int threads) {
  if (threads == 1) return terms;
  for (Forecast::Term& term : terms) term.seconds /= 0.95 * threads;
  terms.push_back({"forking", kForkingSeconds});
  return terms;
}

}  // namespace fullconv
