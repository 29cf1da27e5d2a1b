#pragma once

#include "core/plane.h"

namespace fullconv {

/// A tap that some outputs of one column residue take, in elements.
struct LaneTap {
  index_t sample;  ///< from the row's sample for the first output
  index_t factor;  ///< from the first factor of the kernel's row
};

/// A row of samples, and the row of the kernel that an output row meets it with.
template <class T>
struct LaneRow {
  const T* samples;
  const T* factors;
};

/// Outputs of a row that lie a stride apart, as many channels at a time as a vector has lanes:
///
///     to[j·step] = Σ_row Σ_tap  row.samples[tap.sample + j·lanes] · row.factors[tap.factor]
template <class T>
struct LaneOutputs {
  const LaneRow<T>* rows;
  index_t row_count;
  const LaneTap* taps;
  index_t tap_count;
  T* to;
  index_t step;
  index_t count;
};

/// Planes of as many channels as a vector has lanes, transposed so that each vector holds one
/// sample of all of them.
template <class T>
struct ChannelLanes {
  index_t lanes;

  /// Samples from[c·channel_stride + e] of `channels` channels to to[places[e]·lanes + c], e <
  /// count. Lanes of channels beyond are zero.
  void (*spread)(const T* from, index_t channel_stride, index_t channels, index_t count,
                 const index_t* places, T* to);

  /// Whether all samples of `count` vectors are finite.
  bool (*are_finite)(const T* samples, index_t count);

  void (*convolve)(const LaneOutputs<T>& outputs);

  /// from[e·lanes + c] back to to[c·channel_stride + e]. `past_caches`: whether whole lines are
  /// written to memory at once.
  void (*collect)(const T* from, index_t count, index_t channels, T* to, index_t channel_stride,
                  bool past_caches);
};

template <class T>
const ChannelLanes<T>& channel_lanes();

}  // namespace fullconv
