// Two-dimensional transforms for convolutions of tiles: a strip, one vector wide, of the tile's
// columns is gathered, transformed along the rows' index in the first-level cache, and put down
// transposed, so that the other axis is done in the same way. About 4.4·P·Q·log₂(PQ) flops, and
// each point to the second-level cache and back once for each axis.

#include "fft/tile_transform.h"

#include <algorithm>

#include "core/buffer.h"
#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fft/tile_transform.cpp"
#include <hwy/foreach_target.h>

#include "fft/residues-inl.h"
#include "fft/tile_windows-inl.h"
#include "fft/transposition-inl.h"

#ifndef FULLCONV_TILE_TRANSFORM_ONCE
#define FULLCONV_TILE_TRANSFORM_ONCE
namespace fullconv {

namespace internal {

/// What is compiled for each instruction set.
template <class T>
struct TileKernels {
  using Axis = TransformAxis<T>;

  index_t lanes;
  index_t strips_at_once;  // of a cache line's columns
  Gathered<T> (*transform_down)(const Axis& rows, const Axis& columns, const Residues<T>& residues,
                                T scale, int exponent, const TileWindow<const T>& re,
                                const TileWindow<const T>& im, T* scratch, T* spectrum);
  void (*transform_across)(const Axis& columns, index_t strips, T* spectrum);
  void (*convolve_across)(const Axis& columns, index_t strips, const T* kernel, T* spectrum);
  void (*sum_products)(const Axis& rows, const Axis& columns, index_t strips, const T* tiles,
                       const T* kernels, index_t count, T* sum);
  // For the columns `own`, in whole strips:
  void (*publish_down)(const Axis& rows, const Axis& columns, const TileWindow<T>& re,
                       const TileWindow<T>& im, Range own, T* scratch, T* half);
  void (*combine_down)(const Axis& rows, const Axis& columns, const Residues<T>& residues,
                       const T* halves, index_t apart, int exponent, const TileWindow<T>& re,
                       const TileWindow<T>& im, Range own, T* scratch);
};

}  // namespace internal

}  // namespace fullconv
#endif

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

template <class T>
void multiply(T scale, index_t length, T* strip) {
  const Tag<T> d;
  const auto scales = hn::Set(d, scale);
  for (index_t at = 0; at < length * kRow<T>; at += kLanes<T>) {
    hn::Store(hn::Mul(hn::Load(d, strip + at), scales), d, strip + at);
  }
}

template <class T>
Gathered<T> transform_down(const TransformAxis<T>& rows, const TransformAxis<T>& columns,
                           const Residues<T>& residues, T scale, int exponent,
                           const TileWindow<const T>& re, const TileWindow<const T>& im, T* strips,
                           T* spectrum) {
  const index_t across = columns.length * kRow<T>;  // from one strip of the spectrum to the next
  const index_t squares = rows.length / kLanes<T>;
  Gathered<T> gathered;
  const auto empty = [&](index_t begin, index_t end) {
    return is_empty(re, {begin, end}) && is_empty(im, {begin, end});
  };
  for (index_t first = 0; first < columns.length; first += kWidth<T>) {
    if (!empty(first, first + kWidth<T>)) {
      gathered += gather_points(residues, exponent, re, im, rows.length, first, strips);
    }
    T* strip = strips;
    for (index_t column = first; column < first + kWidth<T>; column += kLanes<T>) {
      T* to = spectrum + column * kRow<T>;
      if (empty(column, column + kLanes<T>)) {
        for (index_t s = 0; s < squares; ++s) std::fill_n(to + s * across, kSquare<T>, T{0});
      } else {
        if (scale != 1) multiply(scale, rows.length, strip);
        transform_transposed(rows, across, strip, to);
      }
      strip += rows.length * kRow<T>;
    }
  }
  return gathered;
}

template <class T>
void transform_across(const TransformAxis<T>& columns, index_t strips, T* spectrum) {
  const index_t size = columns.length * kRow<T>;
  for (index_t s = 0; s < strips; ++s) {
    for (const Pass<T>& pass : columns.passes) {
      run_pass<Direction::forward>(columns, pass, spectrum + s * size);
    }
  }
}

template <class T>
void convolve_across(const TransformAxis<T>& columns, index_t strips, const T* kernel,
                     T* spectrum) {
  const index_t size = columns.length * kRow<T>;
  for (index_t s = 0; s < strips; ++s) {
    convolve(columns, kernel + s * size, spectrum + s * size);
  }
}

/// Rows of a strip at once, so that a sum need not wait for itself.
constexpr int kSums = 4;

template <class T, int... i>
HWY_INLINE void sum_rows(const T* tiles, const T* kernels, index_t count, index_t step,
                         Indices<i...>, T* sum) {
  const Tag<T> d;
  Complex<T> sums[sizeof...(i)] = {((void)i, Complex<T>{hn::Zero(d), hn::Zero(d)})...};
  for (index_t o = 0; o < count; ++o, tiles += step, kernels += step) {
    ((sums[i] = multiply_add(sums[i], load<Direction::forward>(tiles + i * kRow<T>),
                             load<Direction::forward>(kernels + i * kRow<T>))),
     ...);
  }
  (store<Direction::forward>(sums[i], sum + i * kRow<T>), ...);
}

template <class T>
void sum_products(const TransformAxis<T>& rows, const TransformAxis<T>& columns, index_t strips,
                  const T* tiles, const T* kernels, index_t count, T* sum) {
  const index_t spectrum = 2 * rows.length * columns.length;
  const index_t strip = columns.length * kRow<T>;
  for (index_t begin = 0; begin < strips * strip; begin += strip) {
    for (index_t at = begin; at < begin + strip; at += kSums * kRow<T>) {
      sum_rows(tiles + at, kernels + at, count, spectrum, IndicesTo<kSums>{}, sum + at);
    }
    run_pass<Direction::backward>(columns, columns.passes.back(), sum + begin);
    transform_back_but_last(columns, sum + begin);
  }
}

template <class T>
void publish_down(const TransformAxis<T>& rows, const TransformAxis<T>& columns,
                  const TileWindow<T>& re, const TileWindow<T>& im, Range own, T* strip, T* half) {
  const index_t across = columns.length * kRow<T>;
  for (index_t column = own.begin; column < own.end; column += kLanes<T>) {
    const Range lanes{column, column + kLanes<T>};
    if (is_empty(re, lanes) && is_empty(im, lanes)) continue;
    T* squares = half + column * kRow<T>;
    transform_back_transposed(rows, across, squares, strip);
    for (index_t at = 0; at < rows.length * kRow<T>; at += kSquare<T>, squares += across) {
      std::copy_n(strip + at, kSquare<T>, squares);
    }
  }
}

template <class T>
void combine_down(const TransformAxis<T>& rows, const TransformAxis<T>& columns,
                  const Residues<T>& residues, const T* halves, index_t apart, int exponent,
                  const TileWindow<T>& re, const TileWindow<T>& im, Range own, T* strip) {
  const index_t across = columns.length * kRow<T>;
  const auto [index, count] = residues.own;
  const T* half = halves + index * apart;
  for (index_t column = own.begin; column < own.end; column += kLanes<T>) {
    const Range lanes{column, column + kLanes<T>};
    if (is_empty(re, lanes) && is_empty(im, lanes)) continue;
    transform_back_transposed(rows, across, half + column * kRow<T>, strip);
    for (int m = 0; m < count; ++m) {
      const TileWindow<T> re_part = part_of(re, rows.length, m);
      const TileWindow<T> im_part = part_of(im, rows.length, m);
      T* part = strip;
      if (count > 1) {
        if (!has_rows(re_part, rows.length) && !has_rows(im_part, rows.length)) continue;
        part = strip + rows.length * kRow<T>;
        join_residues(residues, m, strip, halves + column * kRow<T>, apart, rows.length, across,
                      part);
      }
      if (exponent != 0) scale(exponent, part, rows.length * kRow<T>);
      scatter(part, rows.length, column, re_part);
      scatter(part + kLanes<T>, rows.length, column, im_part);
    }
  }
}

template <class T>
constexpr internal::TileKernels<T> kKernels{
    kLanes<T>,          kStripsAtOnce<T>, transform_down<T>, transform_across<T>,
    convolve_across<T>, sum_products<T>,  publish_down<T>,   combine_down<T>};

const internal::TileKernels<float>* kernels_f32() { return &kKernels<float>; }
const internal::TileKernels<double>* kernels_f64() { return &kKernels<double>; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fullconv {
namespace {

HWY_EXPORT(kernels_f32);
HWY_EXPORT(kernels_f64);

template <class T>
const internal::TileKernels<T>& tile_kernels() {
  if constexpr (sizeof(T) == sizeof(float)) {
    return *HWY_DYNAMIC_DISPATCH(kernels_f32)();
  } else {
    return *HWY_DYNAMIC_DISPATCH(kernels_f64)();
  }
}

}  // namespace

template <class T>
TileTransform<T>::TileTransform(index_t rows, index_t columns, Packing packing, Residue residue)
    : rows_(rows, residue.angle(packing)),
      columns_(columns, 0),
      residues_(residue, packing),
      kernels_(tile_kernels<T>()) {}

template <class T>
T TileTransform<T>::scale() const {
  const index_t points = rows_.length * columns_.length * residues_.own.count;
  const long double growth = rows_.growth * columns_.growth * residues_.growth;
  return static_cast<T>(1 / (static_cast<long double>(points) * growth * growth * growth));
}

template <class T>
index_t TileTransform<T>::lanes() {
  return tile_kernels<T>().lanes;
}

template <class T>
index_t TileTransform<T>::scratch_size() const {
  const index_t strips = kernels_.strips_at_once * (residues_.own.count > 1 ? 2 : 1);
  return share_of_thread(strips * 2 * lanes() * rows_.length, sizeof(T));
}

template <class T>
Range TileTransform<T>::wanted_columns(const TileWindow<T>& re, const TileWindow<T>& im) const {
  Range all{columns_.length, 0};
  for (const TileWindow<T>& window : {re, im}) {
    const Range columns = overlap({0, columns_.length}, window.left, window.plane.columns);
    if (columns.empty()) continue;
    all = {std::min(all.begin, columns.begin), std::max(all.end, columns.end)};
  }
  return all.empty() ? Range{0, 0} : all;
}

template <class T>
Range TileTransform<T>::own_columns(Range wanted) const {
  const auto [index, count] = residues_.own;
  const auto bound = [&, count = count](index_t part) {
    // Whole lines of a cache; what the first and the last have at their outer sides is theirs.
    const index_t width = kernels_.strips_at_once * lanes();
    const index_t at = wanted.begin + part * wanted.size() / count;
    return at / width * width;
  };
  return {index == 0 ? 0 : bound(index), index == count - 1 ? columns_.length : bound(index + 1)};
}

template <class T>
index_t TileTransform<T>::position(index_t row_frequency, index_t column_frequency) const {
  const index_t row = rows_.position(row_frequency);
  const index_t column = columns_.position(column_frequency);
  return 2 * lanes() * (row / lanes() * columns_.length + column) + row % lanes();
}

template <class T>
Gathered<T> TileTransform<T>::forward(T scale, int exponent, const TileWindow<const T>& re,
                                      const TileWindow<const T>& im, T* scratch,
                                      T* spectrum) const {
  const Gathered<T> gathered = kernels_.transform_down(rows_, columns_, residues_, scale, exponent,
                                                       re, im, scratch, spectrum);
  kernels_.transform_across(columns_, strips(), spectrum);
  return gathered;
}

template <class T>
Gathered<T> TileTransform<T>::convolve(int exponent, const TileWindow<const T>& re,
                                       const TileWindow<const T>& im, const T* kernel, T* scratch,
                                       T* half) const {
  const Gathered<T> gathered =
      kernels_.transform_down(rows_, columns_, residues_, 1, exponent, re, im, scratch, half);
  if (is_in_range(gathered.magnitudes)) {
    kernels_.convolve_across(columns_, strips(), kernel, half);
  }
  return gathered;
}

template <class T>
void TileTransform<T>::sum_products(const T* tiles, const T* kernels, index_t count,
                                    T* half) const {
  kernels_.sum_products(rows_, columns_, strips(), tiles, kernels, count, half);
}

template <class T>
void TileTransform<T>::publish(const TileWindow<T>& re, const TileWindow<T>& im, T* scratch,
                               T* half) const {
  const Range own = own_columns(wanted_columns(re, im));
  for (const Range others : {Range{0, own.begin}, Range{own.end, columns_.length}}) {
    kernels_.publish_down(rows_, columns_, re, im, others, scratch, half);
  }
}

template <class T>
void TileTransform<T>::combine(const T* halves, index_t apart, int exponent,
                               const TileWindow<T>& re, const TileWindow<T>& im, T* scratch) const {
  const Range all{0, columns_.length};
  const Range own = residues_.own.count == 1 ? all : own_columns(wanted_columns(re, im));
  kernels_.combine_down(rows_, columns_, residues_, halves, apart, exponent, re, im, own, scratch);
}

template class TileTransform<float>;
template class TileTransform<double>;

}  // namespace fullconv
#endif
