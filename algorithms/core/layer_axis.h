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
    Range inner = numbers_of(a);
    for (index_t p = 0; p < taps; ++p) {
      if (residue(p) == a) inner = intersection(inner, {shift(p), shift(p) + samples});
    }
    return inner;
  }
  /// Of all pairs of an output's number and a tap, the share whose sample is there.
  double share_met() const {
    index_t met = 0;
    for (index_t p = 0; p < taps; ++p) {
      const Range some = intersection(numbers, {shift(p), shift(p) + samples});
      if (!some.empty()) met += some.size();
    }
    return static_cast<double>(met) / static_cast<double>(numbers.size() * taps);
  }
  /// The samples that some outputs of the full one take.
  Range samples_met(Range some_outputs) const {
    const index_t first = std::max<index_t>(0, some_outputs.begin - (taps - 1) * dilation);
    return intersection({ceil_divide(first, stride), (some_outputs.end - 1) / stride + 1},
                        {0, samples});
  }
};

}  // namespace fullconv
