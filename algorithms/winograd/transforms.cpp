// The transforms of Winograd's tiles. A vector holds as many channels of one sample; images and
// outputs, of which it would be neighbours in a row, are transposed on their way. Images are
// transformed down their columns before that, when a vector still is a row of samples of which each
// serves all tiles that overlap there.

#include "winograd/transforms.h"

#include <algorithm>

#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "winograd/transforms.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>

#include "core/simd-inl.h"
#include "gemm/transpose-inl.h"
#include "winograd/cook_toom.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// A tile of outputs·outputs, and the points of one of its axes.
template <int outputs, int taps>
struct Tile {
  static constexpr int kOutputs = outputs, kTaps = taps;
  static constexpr int kCount = points_of(outputs, taps);
  static constexpr int kZero = kCount % 2 == 0 ? 1 : 0;  // whether 0 is one
  static constexpr int kPairs = (kCount - 1 - kZero) / 2;
};

template <class T, class F>
constexpr CookToom<T> kMatrices = cook_toom<T>(F::kOutputs, F::kTaps);

template <class T, int kCount>
using Vectors = Vector<T>[kCount];

/// Σ_k coefficients[k]·d[2k], the last coefficient being 1.
template <class T, int... k>
HWY_INLINE Vector<T> polynomial([[maybe_unused]] const T* coefficients, const Vector<T>* d,
                                Indices<k...>) {
  constexpr Tag<T> tag;
  Vector<T> sum = d[2 * sizeof...(k)];
  ((sum = hn::MulAdd(hn::Set(tag, coefficients[k]), d[2 * k], sum)), ...);
  return sum;
}

/// Those for a pair of points, number p.
template <class T, class F>
HWY_INLINE void sample_pair(int p, const Vector<T>* d, Vector<T>* to) {
  constexpr const CookToom<T>& m = kMatrices<T, F>;
  constexpr IndicesTo<F::kPairs - 1> others;
  const Vector<T> point = hn::Set(Tag<T>(), m.point[p]);
  const Vector<T> odd = polynomial<T>(m.others[p], d + F::kZero + 1, others);
  const Vector<T> even = polynomial<T>(m.others[p], d + F::kZero, others);
  to[F::kZero + 2 * p] = hn::MulAdd(point, even, odd);
  to[F::kZero + 2 * p + 1] = hn::NegMulAdd(point, even, odd);
}

/// One axis of Bᵀ·d.
template <class T, class F, int... p>
HWY_INLINE void transform_samples(const Vector<T>* d, Vector<T>* to, Indices<p...> pairs) {
  constexpr const CookToom<T>& m = kMatrices<T, F>;
  if constexpr (F::kZero == 1) to[0] = polynomial<T>(m.all, d, pairs);
  (sample_pair<T, F>(p, d, to), ...);
  to[F::kCount - 1] = polynomial<T>(m.all, d + F::kZero, pairs);
}

/// Σ_k taps[2k]·square^k by Horner's rule, over `count` taps of every second one.
template <class T>
HWY_INLINE Vector<T> every_second(const Vector<T>* taps, int count, Vector<T> square) {
  Vector<T> sum = taps[2 * (count - 1)];
  for (int k = count - 2; k >= 0; --k) sum = hn::MulAdd(square, sum, taps[2 * k]);
  return sum;
}

template <class T, class F>
HWY_INLINE void tap_pair(int p, const Vector<T>* g, Vector<T>* to) {
  constexpr Tag<T> tag;
  constexpr const CookToom<T>& m = kMatrices<T, F>;
  const Vector<T> point = hn::Set(tag, m.point[p]), square = hn::Set(tag, m.square[p]);
  const Vector<T> even = every_second<T>(g, (F::kTaps + 1) / 2, square);
  const Vector<T> odd = every_second<T>(g + 1, F::kTaps / 2, square);
  to[F::kZero + 2 * p] = hn::MulAdd(point, odd, even);
  to[F::kZero + 2 * p + 1] = hn::NegMulAdd(point, odd, even);
}

/// One axis of G·g.
template <class T, class F, int... p>
HWY_INLINE void transform_taps(const Vector<T>* g, Vector<T>* to, Indices<p...>) {
  if constexpr (F::kZero == 1) to[0] = g[0];
  (tap_pair<T, F>(p, g, to), ...);
  to[F::kCount - 1] = g[F::kTaps - 1];
}

/// Output r, of the sums s and what pairs of them are together: p^r and (−p)^r are the same or
/// opposite, and so are what the two divide by, the same where 0 is a point.
template <class T, class F, int... p>
HWY_INLINE Vector<T> output(int r, const Vector<T>* s, const Vector<T>* added,
                            const Vector<T>* subtracted, Indices<0, p...>) {
  constexpr Tag<T> tag;
  constexpr const CookToom<T>& m = kMatrices<T, F>;
  const Vector<T>* terms = (r + F::kZero) % 2 == 1 ? added : subtracted;
  Vector<T> sum = hn::Mul(hn::Set(tag, m.weights[r][0]), terms[0]);
  ((sum = hn::MulAdd(hn::Set(tag, m.weights[r][p]), terms[p], sum)), ...);
  if (F::kZero == 1 && r == 0) sum = hn::MulAdd(hn::Set(tag, m.zero_weight), s[0], sum);
  if (r == F::kOutputs - 1) sum = hn::Add(sum, s[F::kCount - 1]);
  return sum;
}

/// One axis of Aᵀ·s.
template <class T, class F, int... p, int... r>
HWY_INLINE void transform_sums(const Vector<T>* s, Vector<T>* to, Indices<p...> pairs,
                               Indices<r...>) {
  constexpr int z = F::kZero;
  const Vectors<T, sizeof...(p)> added = {hn::Add(s[z + 2 * p], s[z + 2 * p + 1])...};
  const Vectors<T, sizeof...(p)> subtracted = {hn::Sub(s[z + 2 * p], s[z + 2 * p + 1])...};
  ((to[r] = output<T, F>(r, s, added, subtracted, pairs)), ...);
}

template <class T, class F>
HWY_INLINE void transform_samples(const Vector<T>* d, Vector<T>* to) {
  transform_samples<T, F>(d, to, IndicesTo<F::kPairs>());
}
template <class T, class F>
HWY_INLINE void transform_taps(const Vector<T>* g, Vector<T>* to) {
  transform_taps<T, F>(g, to, IndicesTo<F::kPairs>());
}
template <class T, class F>
HWY_INLINE void transform_sums(const Vector<T>* s, Vector<T>* to) {
  transform_sums<T, F>(s, to, IndicesTo<F::kPairs>(), IndicesTo<F::kOutputs>());
}

/// The taps of as many kernels as a vector has lanes, from the last one to the first.
template <class T, class F>
HWY_INLINE void load_taps(const T* k, index_t c_stride, index_t row_stride, index_t channels,
                          Vectors<T, F::kTaps * F::kTaps>& g) {
  constexpr Tag<T> tag;
  constexpr index_t kCount = F::kTaps * F::kTaps;
  HWY_ALIGN T dense[kLanes<T> * kCount];
  if (row_stride != F::kTaps) {
    for (index_t c = 0; c < channels; ++c) {
      for (index_t t = 0; t < kCount; ++t) {
        dense[c * kCount + t] = k[c * c_stride + t / F::kTaps * row_stride + t % F::kTaps];
      }
    }
    k = dense;
    c_stride = kCount;
  }
  HWY_ALIGN T transposed[(kCount + kLanes<T>)*kLanes<T>];
  for (index_t t = 0; t < kCount; t += kLanes<T>) {
    transpose_block(k + t, c_stride, channels, std::min(kLanes<T>, kCount - t),
                    transposed + t * kLanes<T>, kLanes<T>, SquareIndices<T>());
  }
  for (index_t t = 0; t < kCount; ++t) {
    g[t] = hn::Load(tag, transposed + (kCount - 1 - t) * kLanes<T>);
  }
}

/// Of taps transformed down their columns, row a.
template <class T, class F, int... i, int... t>
HWY_INLINE void store_kernel_row(const Vector<T> (&columns)[F::kTaps][sizeof...(i)], int a, T* to,
                                 index_t point_stride, Indices<i...>, Indices<t...>) {
  const Vectors<T, F::kTaps> row = {columns[t][a]...};
  Vectors<T, sizeof...(i)> points;
  transform_taps<T, F>(row, points);
  (hn::Store(points[i], Tag<T>(), to + i * point_stride), ...);
}

template <class T, class F, int... t>
HWY_INLINE void transform_tap_column(const Vectors<T, F::kTaps * F::kTaps>& g, int column,
                                     Vector<T> (&to)[F::kCount], Indices<t...>) {
  const Vectors<T, F::kTaps> taps = {g[t * F::kTaps + column]...};
  transform_taps<T, F>(taps, to);
}

template <class T, class F, int... i, int... t>
HWY_INLINE void transform_kernel(const Vectors<T, F::kTaps * F::kTaps>& g, T* to,
                                 index_t point_stride, Indices<i...> points, Indices<t...> taps) {
  constexpr int n = sizeof...(i);
  Vector<T> columns[F::kTaps][n];
  (transform_tap_column<T, F>(g, t, columns[t], taps), ...);
  (store_kernel_row<T, F>(columns, i, to + i * n * point_stride, point_stride, points, taps), ...);
}

/// Kernels lie apart for each o: no core sees by itself which lines come next.
template <class T>
HWY_INLINE void prefetch_kernels(const T* k, index_t elements) {
  constexpr index_t kLine = 64 / sizeof(T);
  for (index_t i = 0; i < elements; i += kLine) hwy::Prefetch(k + i);
}

template <class T, class F>
void transform_kernels(const T* k, index_t o_stride, index_t c_stride, index_t row_stride,
                       index_t depth, index_t available, index_t channels, T* to,
                       index_t point_stride, index_t depth_stride) {
  constexpr index_t kAhead = 6;
  for (index_t o = 0; o < depth; ++o) {
    for (index_t c = 0; c < channels; c += kLanes<T>) {
      const index_t count = std::min(kLanes<T>, channels - c);
      const T* from = k + o * o_stride + c * c_stride;
      if (o + kAhead < available) prefetch_kernels(from + kAhead * o_stride, count * c_stride);
      Vectors<T, F::kTaps * F::kTaps> g;
      load_taps<T, F>(from, c_stride, row_stride, count, g);
      transform_kernel<T, F>(g, to + o * depth_stride + c, point_stride, IndicesTo<F::kCount>(),
                             IndicesTo<F::kTaps>());
    }
  }
}

/// Columns of samples, or of outputs, that are transposed at a time.
template <class T>
constexpr index_t kMostColumns = 4 * kLanes<T> > 16 ? 4 * kLanes<T> : 16;

/// A vector of the columns from `column` on of n rows from `row` on, transformed down the columns,
/// to every (lanes²)th element.
template <class T, class F, int... a>
HWY_INLINE void transform_columns(const Plane<const T>& x, index_t row, index_t column,
                                  const Mask<T>& inside, T* to, Indices<a...>) {
  constexpr Tag<T> tag;
  constexpr int n = sizeof...(a);
  const auto load = [&](index_t i) HWY_ATTR {
    if (i < 0 || i >= x.rows) return hn::Zero(tag);
    return load_lanes(x.row(i) + column, -column, x.columns - column, inside);
  };
  const Vectors<T, n> samples = {load(row + a)...};
  Vectors<T, n> points;
  transform_samples<T, F>(samples, points);
  (hn::Store(points[a], tag, to + a * kLanes<T> * kLanes<T>), ...);
}

template <class T, class F, int... i>
HWY_INLINE void transform_row(const T* from, T* to, index_t point_stride, Indices<i...>) {
  constexpr Tag<T> tag;
  const Vectors<T, sizeof...(i)> samples = {hn::Load(tag, from + i * kLanes<T>)...};
  Vectors<T, sizeof...(i)> points;
  transform_samples<T, F>(samples, points);
  (hn::Store(points[i], tag, to + i * point_stride), ...);
}

template <class T, class F, int... a>
HWY_INLINE void transform_rows(const T* from, T* to, index_t point_stride, Indices<a...> rows) {
  constexpr int n = sizeof...(a);
  (transform_row<T, F>(from + a * kMostColumns<T> * kLanes<T>, to + a * n * point_stride,
                       point_stride, rows),
   ...);
}

template <class T, class F>
void transform_images(const Plane<const T>& x, index_t channel_stride, index_t channels,
                      index_t row, index_t column, index_t tiles, T* to, index_t point_stride,
                      index_t tile_stride) {
  constexpr int n = F::kCount;
  constexpr IndicesTo<n> indices;
  constexpr index_t kSquare = kLanes<T> * kLanes<T>;
  constexpr index_t kAtOnce = (kMostColumns<T> - (F::kTaps - 1)) / F::kOutputs;
  // Rows of samples, and of each the columns of a vector for all channels.
  HWY_ALIGN T squares[n * kSquare] = {};
  HWY_ALIGN T samples[n * kMostColumns<T> * kLanes<T>];
  for (index_t first = 0; first < tiles; first += kAtOnce) {
    const index_t count = std::min(kAtOnce, tiles - first);
    const index_t columns = count * F::kOutputs + F::kTaps - 1;
    for (index_t j = 0; j < columns; j += kLanes<T>) {
      const index_t begin = column + first * F::kOutputs + j;
      const Mask<T> inside = lanes_of<T>(-begin, x.columns - begin);
      for (index_t c = 0; c < channels; ++c) {
        Plane<const T> of_channel = x;
        of_channel.data += c * channel_stride;
        transform_columns<T, F>(of_channel, row, begin, inside, squares + c * kLanes<T>, indices);
      }
      for (int a = 0; a < n; ++a) {
        transpose_block(squares + a * kSquare, kLanes<T>, kLanes<T>, kLanes<T>,
                        samples + (a * kMostColumns<T> + j) * kLanes<T>, kLanes<T>,
                        SquareIndices<T>());
      }
    }
    for (index_t t = 0; t < count; ++t) {
      transform_rows<T, F>(samples + t * F::kOutputs * kLanes<T>, to + (first + t) * tile_stride,
                           point_stride, indices);
    }
  }
}

/// Row a of a tile's sums, transformed along it.
template <class T, class F, int... i>
HWY_INLINE void load_sums(const T* from, index_t point_stride, Vectors<T, F::kOutputs>& row,
                          Indices<i...>) {
  const Vectors<T, sizeof...(i)> sums = {hn::Load(Tag<T>(), from + i * point_stride)...};
  transform_sums<T, F>(sums, row);
}

/// Column b of a tile's outputs.
template <class T, class F, int... i, int... k>
HWY_INLINE void store_outputs(const Vector<T> (&rows)[sizeof...(i)][F::kOutputs], int b, T* to,
                              Vector<T>& finite, Indices<i...>, Indices<k...>) {
  constexpr Tag<T> tag;
  const Vectors<T, sizeof...(i)> column = {rows[i][b]...};
  Vectors<T, F::kOutputs> outputs;
  transform_sums<T, F>(column, outputs);
  (hn::Store(outputs[k], tag, to + (k * kMostColumns<T> + b) * kLanes<T>), ...);
  // 0·y is 0, but NaN where y is not finite.
  ((finite = hn::MulAdd(outputs[k], hn::Zero(tag), finite)), ...);
}

/// The outputs of a tile, row after row.
template <class T, class F, int... i, int... k>
HWY_INLINE void transform_tile(const T* from, index_t point_stride, T* to, Vector<T>& finite,
                               Indices<i...> points, Indices<k...> outputs) {
  constexpr int n = sizeof...(i);
  Vector<T> rows[n][F::kOutputs];
  (load_sums<T, F>(from + i * n * point_stride, point_stride, rows[i], points), ...);
  (store_outputs<T, F>(rows, k, to, finite, points, outputs), ...);
}

/// Stores the lanes of each channel that y has.
template <class T, int... i>
HWY_INLINE void store_channels(const T* from, index_t channels, index_t columns, T* y,
                               index_t channel_stride, Indices<i...>) {
  constexpr Tag<T> tag;
  Square<T> square = {hn::Load(tag, from + i * kLanes<T>)...};
  transpose_square<T>(square);
  if (columns >= kLanes<T>) {
    ((i < channels ? hn::StoreU(square[i], tag, y + i * channel_stride) : void()), ...);
    return;
  }
  HWY_ALIGN T staged[kLanes<T> * kLanes<T>];
  (hn::Store(square[i], tag, staged + i * kLanes<T>), ...);
  for (index_t c = 0; c < channels; ++c) {
    copy_few(staged + c * kLanes<T>, columns, y + c * channel_stride);
  }
}

template <class T, class F>
bool transform_outputs(const T* from, index_t point_stride, index_t tile_stride, index_t tiles,
                       index_t channels, const Plane<T>& y, index_t channel_stride) {
  constexpr Tag<T> tag;
  constexpr index_t kAtOnce = kMostColumns<T> / F::kOutputs;
  HWY_ALIGN T outputs[F::kOutputs * kMostColumns<T> * kLanes<T>] = {};
  Vector<T> finite = hn::Zero(tag);
  for (index_t first = 0; first < tiles; first += kAtOnce) {
    const index_t count = std::min(kAtOnce, tiles - first);
    for (index_t t = 0; t < count; ++t) {
      transform_tile<T, F>(from + (first + t) * tile_stride, point_stride,
                           outputs + t * F::kOutputs * kLanes<T>, finite, IndicesTo<F::kCount>(),
                           IndicesTo<F::kOutputs>());
    }
    const index_t begin = first * F::kOutputs;
    const index_t end = std::min(begin + count * F::kOutputs, y.columns);
    for (index_t i = 0; i < y.rows; ++i) {
      for (index_t j = begin; j < end; j += kLanes<T>) {
        store_channels(outputs + (i * kMostColumns<T> + j - begin) * kLanes<T>, channels, end - j,
                       y.row(i) + j, channel_stride, SquareIndices<T>());
      }
    }
  }
  return hn::AllTrue(tag, hn::Eq(finite, hn::Zero(tag)));
}

template <class T, class F>
constexpr WinogradTransforms<T> kTransforms{
    .lanes = kLanes<T>,
    .kernels = transform_kernels<T, F>,
    .images = transform_images<T, F>,
    .outputs = transform_outputs<T, F>,
};

template <class T>
const WinogradTransforms<T>* transforms(index_t outputs, index_t taps) {
  if (taps == 5) return &kTransforms<T, Tile<2, 5>>;
  if (outputs == 2) return &kTransforms<T, Tile<2, 3>>;
  if (outputs == 3) return &kTransforms<T, Tile<3, 3>>;
  return &kTransforms<T, Tile<4, 3>>;
}

const WinogradTransforms<float>* transforms_f32(index_t outputs, index_t taps) {
  return transforms<float>(outputs, taps);
}
const WinogradTransforms<double>* transforms_f64(index_t outputs, index_t taps) {
  return transforms<double>(outputs, taps);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fullconv {
namespace {

HWY_EXPORT(transforms_f32);
HWY_EXPORT(transforms_f64);

}  // namespace

template <>
const WinogradTransforms<float>& winograd_transforms<float>(index_t outputs, index_t taps) {
  return *HWY_DYNAMIC_DISPATCH(transforms_f32)(outputs, taps);
}
template <>
const WinogradTransforms<double>& winograd_transforms<double>(index_t outputs, index_t taps) {
  return *HWY_DYNAMIC_DISPATCH(transforms_f64)(outputs, taps);
}

}  // namespace fullconv
#endif
