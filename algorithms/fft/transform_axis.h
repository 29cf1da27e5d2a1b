#pragma once

#include <vector>

#include "fullconv/view.h"

namespace fullconv {

/// How real values become the points of a complex tile.
enum class Packing {
  two_tiles,   ///< re and im are two tiles, which a real kernel does not mix
  right_angle  ///< re is the upper half, im the lower half of one tile of twice the rows
};

/// Number `index` of `count` tiles that together stand for one tile of `count` times the rows.
struct Residue {
  int index = 0, count = 1;

  /// The angle of its ω: the index-th of the numbers whose power by `count` is the ω of the whole
  /// tile.
  long double angle(Packing packing) const;
};

/// One axis of a tile: how a transform of `length` points is factored into passes.
///
/// Forward, the passes decimate in frequency and leave their results where they are, so frequency
/// f of an axis ends at position(f); backward, they decimate in time and take that order.
template <class T>
struct TransformAxis {
  /// Blocks of `length` points become `radix` blocks each, of every radix-th frequency.
  struct Pass {
    int radix;
    index_t length;
    /// Where the factors e^(−2πi·j·f/length) begin in `twiddles`, as re and im, for the points
    /// j = 1, 2, … of a block's part and the frequencies f = 1 … radix − 1 of each.
    index_t first_twiddle;
  };

  index_t length;
  std::vector<Pass> passes;
  std::vector<T> twiddles;
  std::vector<T> weights;  ///< of the points, as re and im; none for plain transforms
  long double growth = 1;  ///< of values, on average, by the rounding of all these and of roots

  /// Whether an axis may have so many points: 16·2^a·3^b·5^c.
  static bool takes(index_t points);

  /// Point j is weighted by e^(i·angle·j/points).
  TransformAxis(index_t points, long double angle);

  index_t position(index_t frequency) const;
};

/// The factors x^rows − ω of all residues.
template <class T>
struct Residues {
  Residue own;
  std::vector<T> powers;  ///< ω^m for m in [0, count), of one residue after another, as re and im
  long double growth = 1;

  Residues(Residue residue, Packing packing);

  const T* power(int index, int m) const {
    return powers.data() + 2 * (static_cast<index_t>(index) * own.count + m);
  }
};

extern template struct TransformAxis<float>;
extern template struct TransformAxis<double>;
extern template struct Residues<float>;
extern template struct Residues<double>;

}  // namespace fullconv
