#pragma once

#include "core/plane.h"

namespace fullconv::winograd {

/// Strides up to this are the algorithm's own.
inline constexpr index_t kMostStride = 2;

/// One axis of a layer with stride s, which is the number of residues. Its kernel begins with so
/// many zeros that its taps are a multiple of s; with these output s·u + a, 0 ≤ a < s, takes the
/// taps a, a + s, ... of samples u, u − 1, ...: so each residue a is a convolution of the same
/// samples with as many taps as the others, and one transform of the samples serves them all.
struct Residues {
  index_t count;
  index_t taps;   // of each
  index_t zeros;  // taps before the kernel's own: the first taps of so many residues
  Range outputs;  // wanted, where the kernel has these zeros
  Range numbers;  // u

  Residues(index_t kernel_taps, index_t stride, Range window)
      : count(stride),
        taps(ceil_divide(kernel_taps, stride)),
        zeros(taps * stride - kernel_taps),
        outputs{window.begin + zeros, window.end + zeros},
        numbers{outputs.begin / stride, (outputs.end - 1) / stride + 1} {}

  static Residues of_rows(const Problem& p) { return {p.h, p.stride.y, p.window().rows}; }
  static Residues of_columns(const Problem& p) { return {p.w, p.stride.x, p.window().columns}; }

  /// Of the kernel.
  index_t kernel_taps() const { return taps * count - zeros; }
};

}  // namespace fullconv::winograd
