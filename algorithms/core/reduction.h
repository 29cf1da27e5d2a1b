#pragma once

// The reduction of a layer to dense problems, for every algorithm that is not native to layers.
//
// On an axis with stride s and dilation d let γ = gcd(s, d), s' = s/γ, d' = d/γ. Sample i and tap p
// meet at output γ·(i·s' + p·d') of the full output, so only every γ-th is reached. Samples
// i = i₀ + d'·i' and taps p = p₀ + s'·p' meet at γ·(i₀·s' + p₀·d') + lcm(s, d)·(i' + p'): a dense
// full convolution of every d'-th sample with every s'-th tap, whose outputs lie lcm(s, d) apart.
// By the Chinese remainder theorem each output belongs to one pair (i₀, p₀) only. So nothing is
// multiplied by an inserted zero, and nothing is added up between the parts.

#include <algorithm>
#include <vector>

#include "fullconv/problem.h"

namespace fullconv {

/// A dense convolution within one axis of a layer.
struct AxisPart {
  index_t first_sample, samples;  ///< of x
  index_t first_tap, taps;        ///< of k
  index_t first_output;           ///< of y
  Range window;                   ///< of its own full output, of samples + taps − 1
  std::size_t shape;              ///< among the shapes of its axis
};

/// One axis of a layer as dense parts.
struct AxisReduction {
  index_t sample_step, tap_step, output_step;  ///< within a part
  std::vector<AxisPart> parts;
  std::vector<AxisPart> shapes;  ///< one part of each shape: samples, taps and window
  bool reaches_all;              ///< whether each output belongs to a part
};

/// A layer as dense problems: one for each pair of parts and each group; pairs of the same two
/// shapes are the same problem.
struct Reduction {
  AxisReduction rows, columns;

  explicit Reduction(const Problem& problem);

  /// The dense problem of a pair, for one group of `layer`.
  static Problem part(const Problem& layer, const AxisPart& rows, const AxisPart& columns);

  /// Whether it is one dense problem, `layer` itself.
  bool is_trivial(const Problem& layer) const;
};

}  // namespace fullconv
