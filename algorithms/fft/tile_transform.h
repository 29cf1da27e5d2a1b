#pragma once

#include "core/operand_range.h"
#include "fft/tile_window.h"
#include "fft/transform_axis.h"

namespace fullconv {

namespace internal {
template <class T>
struct TileKernels;
}

/// Discrete Fourier transforms of tiles of rows × columns complex points, unscaled, for circular
/// convolutions. Spectra are only multiplied with each other: forward and backward agree on their
/// order.
///
/// At right angles, rows are weighted. Then convolutions are of twice the rows, and what wraps
/// around from one end of those to the other changes its sign. Crandall and Fagin, Discrete
/// weighted transforms and large-integer arithmetic, Math. Comp. 62 (1994).
///
/// A column of n = count·rows points is a polynomial modulo xⁿ − 1, or xⁿ − i at right angles. This
/// modulus is the product of the factors x^rows − ω with ω^count = 1 or i. The residues of the
/// column modulo these factors hold the same information, and each is convolved without the others:
/// so several threads can share a tile.
///
/// A spectrum is cut into strips of as many row frequencies as a SIMD vector has lanes, and is
/// spectrum[strip][column frequency][re, im][lane]. Spectra and scratch must be aligned to 64
/// bytes. Objects do not change after construction: threads may share them.
template <class T>
class TileTransform {
 public:
  /// Each side must be one that TransformAxis takes.
  TileTransform(index_t rows, index_t columns, Packing packing, Residue residue = {});

  /// What kernels are to be scaled by: by one over the number of points of all residues, and over
  /// what two transforms forth and one back make values larger.
  T scale() const;

  index_t spectrum_size() const { return 2 * rows_.length * columns_.length; }  ///< in scalars
  index_t scratch_size() const;  ///< to set aside for each thread, in scalars

  static index_t lanes();  ///< of a vector

  /// Where in a spectrum the real part of a frequency is; its imaginary part is lanes() behind.
  index_t position(index_t row_frequency, index_t column_frequency) const;

  // Windows have count·rows rows. The functions work on this object's residue of them.

  // Inputs are multiplied by 2^exponent, with 0 in place of NaN and Inf. They are called re and im
  // after that. The sum of their magnitudes bounds the values of their DFT.

  /// spectrum = scale·DFT(re + i·im).
  Gathered<T> forward(T scale, int exponent, const TileWindow<const T>& re,
                      const TileWindow<const T>& im, T* scratch, T* spectrum) const;

  /// half = the inverse, along rows only, of DFT(re + i·im) ⊙ kernel; combine() does the other
  /// half. If the sum of magnitudes is not in range, `half` is of no use.
  Gathered<T> convolve(int exponent, const TileWindow<const T>& re, const TileWindow<const T>& im,
                       const T* kernel, T* scratch, T* half) const;

  /// The same for Σ tiles[o] ⊙ kernels[o] over o in [0, count). The spectra lie one after another.
  void sum_products(const T* tiles, const T* kernels, index_t count, T* half) const;

  /// Turns half of the inverse into residues, in the columns that other threads combine. They wait
  /// for this. The windows are those of combine().
  void publish(const TileWindow<T>& re, const TileWindow<T>& im, T* scratch, T* half) const;

  /// Writes 2^exponent times the tile to re and im, where these have elements, in the columns of
  /// one residue. The halves of the residues lie `apart` scalars from one another, begin with the
  /// first residue's, and are not changed.
  void combine(const T* halves, index_t apart, int exponent, const TileWindow<T>& re,
               const TileWindow<T>& im, T* scratch) const;

 private:
  index_t strips() const { return rows_.length / lanes(); }
  /// Columns of which either window has elements.
  Range wanted_columns(const TileWindow<T>& re, const TileWindow<T>& im) const;
  /// Columns that this residue combines: its share of the wanted ones, cut at cache lines.
  Range own_columns(Range wanted) const;

  TransformAxis<T> rows_, columns_;
  Residues<T> residues_;
  const internal::TileKernels<T>& kernels_;
};

extern template class TileTransform<float>;
extern template class TileTransform<double>;

}  // namespace fullconv
