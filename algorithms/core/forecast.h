#pragma once

// What forecasts of times are made of. They are to be compared, not to be relied upon.

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
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

/// Bytes of x and y.
inline double image_bytes(const Problem& p, std::size_t scalar_size) {
  const auto of = [](index_t count) { return static_cast<double>(count); };
  return static_cast<double>(scalar_size) * of(p.N) *
         (of(p.K) * of(p.H * p.W) + of(p.C) * of(p.output_rows() * p.output_columns()));
}

/// What operands that no cache holds add to a layer's time. Of all algorithms alike, what remained
/// next to random layers was 0.055 ns a byte from 30 MB on, on a Zen 5 with 32 MiB of cache that
/// cores share, and nothing up to 17 MB; on a Zen 4 half of its rate from 5 MB on. This lies
/// between the two.
inline double memory_seconds(const Problem& p, std::size_t scalar_size) {
  constexpr FarByte kFar{0.055, 4e6, 8};
  return 1e-9 * kFar.of(image_bytes(p, scalar_size));
}

/// An output that is put between others, in pairs (core/interleave.h).
inline constexpr double kInterleavedSeconds = 0.05e-9;

/// The terms of work that so many threads divide.
inline std::vector<Forecast::Term> divided_among_threads(std::vector<Forecast::Term> terms,
                                                         int threads) {
  if (threads == 1) return terms;
  for (Forecast::Term& term : terms) term.seconds /= 0.95 * threads;
  terms.push_back({"forking", kForkingSeconds});
  return terms;
}

}  // namespace fullconv
