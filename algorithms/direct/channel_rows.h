#pragma once

#include "core/plane.h"

namespace fullconv {

/// How the outputs of one axis with stride 2 meet samples: output 2·t + b, b = 0 or 1, takes tap
/// residue + b − 2·o of sample first_sample + t + o.
struct PairedAxis {
  index_t taps;
  index_t residue, first_sample;
  index_t outputs;

  index_t pairs() const { return ceil_divide(outputs, 2); }
  /// The most that o is below zero, and above it.
  index_t before() const { return (taps - 1 - residue) / 2; }
  index_t behind() const { return residue; }
};

/// Rows of outputs of some channels, one after another, and the samples that they take.
template <class T>
struct StagedChannels {
  index_t count;
  const T* samples;  ///< for o = 0 of the first output's row and column; zero beside the image
  index_t pitch, samples_step;  ///< from a row, and from a channel, to the next one
  Plane<const T> k;             ///< of the first channel
  index_t k_step;
  PairedAxis rows, columns;  ///< of what y has
  Plane<T> y;
  index_t y_step;
  bool past_caches;  ///< whether whole lines are written to memory at once
};

/// Planes as they lie, with stride 2: a vector holds every second output of a row.
template <class T>
struct ChannelRows {
  index_t lanes;
  bool stores_parts;  ///< of vectors, as fast as whole ones

  /// Whole vectors of the columns [begin, end) of these rows, zero where x has none.
  void (*stage)(const Plane<const T>& x, Range rows, Range columns, T* staged, index_t pitch);

  bool (*is_finite)(const Plane<const T>& k);

  /// y = x ∗ k, for kernels whose rows has_rows_kernel() has.
  void (*convolve)(const StagedChannels<T>& channels);
};

template <class T>
const ChannelRows<T>& channel_rows();

/// Whether there is code for kernels of so many rows.
constexpr bool has_rows_kernel(index_t rows) { return rows == 3 || rows == 5 || rows == 7; }

}  // namespace fullconv
