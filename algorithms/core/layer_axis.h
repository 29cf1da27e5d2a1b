#pragma once

#include <algorithm>

#include "core/plane.h"

namespace fullconv {

/// One axis of a layer with stride s and dilation d. Output s·u + a, of the full output and with
/// 0 ≤ a < s, takes tap p of sample u − v where p·d = s·v + a: all outputs of a residue a are a
/// convolution with stride 1, and u is their number.
struct LayerAxis {
  index_t samples, taps, stride, dilation;
  Range outputs;  // of the full output
  Range numbers;  // u

  LayerAxis(index_t sample_count, index_t tap_count, index_t layer_stride, index_t layer_dilation,
            Range window)
      : samples(sample_count),
        taps(tap_count),
        stride(layer_stride),
        dilation(layer_dilation),
        outputs(window),
        numbers{window.begin / stride, (window.end - 1) / stride + 1} {}

  static LayerAxis rows_of(const Problem& p) {
    return {p.H, p.h, p.stride.y, p.dilation.y, p.window().rows};
  }
  static LayerAxis columns_of(const Problem& p) {
    return {p.W, p.w, p.stride.x, p.dilation.x, p.window().columns};
  }

  index_t residue(index_t tap) const { return tap * dilation % stride; }
  index_t shift(index_t tap) const { return tap * dilation / stride; }
  index_t most_shift() const { return shift(taps - 1); }
  /// Zeros that are needed before the samples and behind them.
  index_t zeros_before() const { return std::max<index_t>(0, most_shift() - numbers.begin); }
  index_t zeros_behind() const { return std::max<index_t>(0, numbers.end - samples); }
  /// Numbers of those outputs of a residue that exist.
  Range numbers_of(index_t a) const {
    const auto first_from = [&](index_t output) {
      return output <= a ? 0 : ceil_divide(output - a, stride);
    };
    return {first_from(outputs.begin), first_from(outputs.end)};
  }
  /// Numbers of those outputs of a residue whose samples are there for all taps.
  Range inner_of(index_t a) const {
    index_t first = 0, last = taps - 1;
    while (first < taps && residue(first) != a) ++first;
    while (last > first && residue(last) != a) --last;
    if (first == taps) return numbers_of(a);
    return intersection(numbers_of(a), {shift(last), shift(first) + samples});
  }
  /// Of all pairs of an output's number and a tap, the share whose sample is there; by some of the
  /// taps where these are more than anybody could wait for.
  double share_met() const {
    constexpr index_t kMostAsked = 1024;
    const index_t step = ceil_divide(taps, kMostAsked);
    double met = 0, all = 0;
    for (index_t p = 0; p < taps; p += step) {
      const Range some = intersection(numbers, {shift(p), shift(p) + samples});
      met += some.empty() ? 0 : static_cast<double>(some.size());
      all += static_cast<double>(numbers.size());
    }
    return met / all;
  }
  /// The samples that some outputs of the full one take.
  Range samples_met(Range some_outputs) const {
    const index_t first = std::max<index_t>(0, some_outputs.begin - (taps - 1) * dilation);
    return intersection({ceil_divide(first, stride), (some_outputs.end - 1) / stride + 1},
                        {0, samples});
  }
};

}  // namespace fullconv
