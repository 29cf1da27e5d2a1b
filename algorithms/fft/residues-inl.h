// Residues of a tile's points, and the points of all residues: fft/transform_axis.h.

#if defined(FULLCONV_RESIDUES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_RESIDUES_INL_H
#undef FULLCONV_RESIDUES_INL_H
#else
#define FULLCONV_RESIDUES_INL_H
#endif

#include "fft/tile_windows-inl.h"
#include "fft/transposition-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// sums += a·b, of so many rows of strips.
template <class T>
void add_multiple(const Complex<T>& a, const T* b, index_t rows, T* sums) {
  constexpr Direction kForward = Direction::forward;
  for (index_t at = 0; at < rows * kRow<T>; at += kRow<T>) {
    store<kForward>(multiply_add(load<kForward>(sums + at), a, load<kForward>(b + at)), sums + at);
  }
}

/// Points as strips: their residue, Σ ωᵐ·(re + i·im)[m] over the parts of so many rows, times
/// 2^exponent.
template <class T>
Gathered<T> gather_points(const Residues<T>& residues, int exponent, const TileWindow<const T>& re,
                          const TileWindow<const T>& im, index_t length, index_t column,
                          T* strips) {
  const index_t rows = kStripsAtOnce<T> * length;
  Gathered<T> gathered = gather_in_range(exponent, re, im, length, column, strips);
  T* part = strips + rows * kRow<T>;
  for (int m = 1; m < residues.own.count; ++m) {
    const TileWindow<const T> re_part = part_of(re, length, m);
    const TileWindow<const T> im_part = part_of(im, length, m);
    if (!has_rows(re_part, length) && !has_rows(im_part, length)) continue;
    gathered += gather_in_range(exponent, re_part, im_part, length, column, part);
    add_multiple(broadcast(residues.power(residues.own.index, m)), part, rows, strips);
  }
  return gathered;
}

/// part = Σ ω⁻ᵐ·residue over all residues: of the own one a strip, of others what they have left in
/// squares.
template <class T>
void join_residues(const Residues<T>& residues, int m, const T* own, const T* squares,
                   index_t apart, index_t length, index_t across, T* part) {
  constexpr Direction kForward = Direction::forward;
  const auto term = [&](int residue, const T* row) HWY_ATTR {
    const Complex<T> power = broadcast(residues.power(residue, m));
    return load<kForward>(row) * Complex<T>{power.re, hn::Neg(power.im)};
  };
  for (index_t at = 0; at < length * kRow<T>; at += kSquare<T>, squares += across) {
    for (index_t row = 0; row < kSquare<T>; row += kRow<T>) {
      Complex<T> sum = term(residues.own.index, own + at + row);
      for (int other = 0; other < residues.own.count; ++other) {
        if (other == residues.own.index) continue;
        sum = sum + term(other, squares + other * apart + row);
      }
      store<kForward>(sum, part + at + row);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
