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

/// The points of a tile of kOutputs outputs along an axis.
template <int kOutputs>
struct Points {
  static constexpr int kCount = points_of(kOutputs);
  static constexpr int kZero = kCount % 2 == 0 ? 1 : 0;  // whether 0 is one
  static constexpr int kPairs = (kCount - 1 - kZero) / 2;
};

template <class T, int kOutputs>
constexpr CookToom<T> kMatrices = cook_toom<T>(kOutputs);

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
template <class T, int kOutputs>
HWY_INLINE void sample_pair(int p, const Vector<T>* d, Vector<T>* to) {
  using P = Points<kOutputs>;
  constexpr const CookToom<T>& m = kMatrices<T, kOutputs>;
  constexpr IndicesTo<P::kPairs - 1> others;
  const Vector<T> point = hn::Set(Tag<T>(), m.point[p]);
  const Vector<T> odd = polynomial<T>(m.others[p], d + P::kZero + 1, others);
  const Vector<T> even = polynomial<T>(m.others[p], d + P::kZero, others);
  to[P::kZero + 2 * p] = hn::MulAdd(point, even, odd);
  to[P::kZero + 2 * p + 1] = hn::NegMulAdd(point, even, odd);
}

/// One axis of Bᵀ·d.
template <class T, int kOutputs, int... p>
HWY_INLINE void transform_samples(const Vector<T>* d, Vector<T>* to, Indices<p...> pairs) {
  using P = Points<kOutputs>;
  constexpr const CookToom<T>& m = kMatrices<T, kOutputs>;
  if constexpr (P::kZero == 1) to[0] = polynomial<T>(m.all, d, pairs);
  (sample_pair<T, kOutputs>(p, d, to), ...);
  to[P::kCount - 1] = polynomial<T>(m.all, d + P::kZero, pairs);
}

template <class T, int kOutputs>
HWY_INLINE void tap_pair(int p, const Vector<T>* g, Vector<T>* to) {
  using P = Points<kOutputs>;
  constexpr Tag<T> tag;
  constexpr const CookToom<T>& m = kMatrices<T, kOutputs>;
  const Vector<T> point = hn::Set(tag, m.point[p]);
  const Vector<T> even = hn::MulAdd(hn::Set(tag, m.square[p]), g[2], g[0]);
  to[P::kZero + 2 * p] = hn::MulAdd(point, g[1], even);
  to[P::kZero + 2 * p + 1] = hn::NegMulAdd(point, g[1], even);
}

/// One axis of G·g.
template <class T, int kOutputs, int... p>
HWY_INLINE void transform_taps(const Vector<T>* g, Vector<T>* to, Indices<p...>) {
  if constexpr (Points<kOutputs>::kZero == 1) to[0] = g[0];
  (tap_pair<T, kOutputs>(p, g, to), ...);
  to[Points<kOutputs>::kCount - 1] = g[2];
}

/// Output r, of the sums s and what pairs of them are together: p^r and (−p)^r are the same or
/// opposite, and so are what the two divide by, the same where 0 is a point.
template <class T, int kOutputs, int... p>
HWY_INLINE Vector<T> output(int r, const Vector<T>* s, const Vector<T>* added,
                            const Vector<T>* subtracted, Indices<0, p...>) {
  using P = Points<kOutputs>;
  constexpr Tag<T> tag;
  constexpr const CookToom<T>& m = kMatrices<T, kOutputs>;
  const Vector<T>* terms = (r + P::kZero) % 2 == 1 ? added : subtracted;
  Vector<T> sum = hn::Mul(hn::Set(tag, m.weights[r][0]), terms[0]);
  ((sum = hn::MulAdd(hn::Set(tag, m.weights[r][p]), terms[p], sum)), ...);
  if (P::kZero == 1 && r == 0) sum = hn::MulAdd(hn::Set(tag, m.zero_weight), s[0], sum);
  if (r == kOutputs - 1) sum = hn::Add(sum, s[P::kCount - 1]);
  return sum;
}

/// One axis of Aᵀ·s.
template <class T, int kOutputs, int... p, int... r>
HWY_INLINE void transform_sums(const Vector<T>* s, Vector<T>* to, Indices<p...> pairs,
                               Indices<r...>) {
  constexpr int z = Points<kOutputs>::kZero;
  const Vectors<T, sizeof...(p)> added = {hn::Add(s[z + 2 * p], s[z + 2 * p + 1])...};
  const Vectors<T, sizeof...(p)> subtracted = {hn::Sub(s[z + 2 * p], s[z + 2 * p + 1])...};
  ((to[r] = output<T, kOutputs>(r, s, added, subtracted, pairs)), ...);
}

template <class T, int kOutputs>
HWY_INLINE void transform_samples(const Vector<T>* d, Vector<T>* to) {
  transform_samples<T, kOutputs>(d, to, IndicesTo<Points<kOutputs>::kPairs>());
}
template <class T, int kOutputs>
HWY_INLINE void transform_taps(const Vector<T>* g, Vector<T>* to) {
  transform_taps<T, kOutputs>(g, to, IndicesTo<Points<kOutputs>::kPairs>());
}
template <class T, int kOutputs>
HWY_INLINE void transform_sums(const Vector<T>* s, Vector<T>* to) {
  transform_sums<T, kOutputs>(s, to, IndicesTo<Points<kOutputs>::kPairs>(), IndicesTo<kOutputs>());
}

/// The nine taps of as many kernels as a vector has lanes, from the last one to the first.
template <class T>
HWY_INLINE void load_taps(const T* k, index_t c_stride, index_t row_stride, index_t channels,
                          Vectors<T, kTaps * kTaps>& g) {
  constexpr Tag<T> tag;
  constexpr index_t kCount = kTaps * kTaps;
  HWY_ALIGN T dense[kLanes<T> * kCount];
  if (row_stride != kTaps) {
    for (index_t c = 0; c < channels; ++c) {
      for (index_t t = 0; t < kCount; ++t) {
        dense[c * kCount + t] = k[c * c_stride + t / kTaps * row_stride + t % kTaps];
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
template <class T, int kOutputs, int... i>
HWY_INLINE void store_kernel_row(const Vector<T> (&columns)[kTaps][sizeof...(i)], int a, T* to,
                                 index_t point_stride, Indices<i...>) {
  const Vectors<T, kTaps> row = {columns[0][a], columns[1][a], columns[2][a]};
  Vectors<T, sizeof...(i)> points;
  transform_taps<T, kOutputs>(row, points);
  (hn::Store(points[i], Tag<T>(), to + i * point_stride), ...);
}

template <class T, int kOutputs, int... i>
HWY_INLINE void transform_kernel(const Vectors<T, kTaps * kTaps>& g, T* to, index_t point_stride,
                                 Indices<i...> indices) {
  constexpr int n = sizeof...(i);
  const Vectors<T, kTaps> left = {g[0], g[3], g[6]}, middle = {g[1], g[4], g[7]},
                          right = {g[2], g[5], g[8]};
  Vector<T> columns[kTaps][n];
  transform_taps<T, kOutputs>(left, columns[0]);
  transform_taps<T, kOutputs>(middle, columns[1]);
  transform_taps<T, kOutputs>(right, columns[2]);
  (store_kernel_row<T, kOutputs>(columns, i, to + i * n * point_stride, point_stride, indices),
   ...);
}

/// Kernels lie apart for each o: no core sees by itself which lines come next.
template <class T>
HWY_INLINE void prefetch_kernels(const T* k, index_t elements) {
  constexpr index_t kLine = 64 / sizeof(T);
  for (index_t i = 0; i < elements; i += kLine) hwy::Prefetch(k + i);
}

template <class T, int kOutputs>
void transform_kernels(const T* k, index_t o_stride, index_t c_stride, index_t row_stride,
                       index_t depth, index_t available, index_t channels, T* to,
                       index_t point_stride, index_t depth_stride) {
  constexpr index_t kAhead = 6;
  for (index_t o = 0; o < depth; ++o) {
    for (index_t c = 0; c < channels; c += kLanes<T>) {
      const index_t count = std::min(kLanes<T>, channels - c);
      const T* from = k + o * o_stride + c * c_stride;
      if (o + kAhead < available) prefetch_kernels(from + kAhead * o_stride, count * c_stride);
      Vectors<T, kTaps * kTaps> g;
      load_taps(from, c_stride, row_stride, count, g);
      transform_kernel<T, kOutputs>(g, to + o * depth_stride + c, point_stride,
                                    IndicesTo<Points<kOutputs>::kCount>());
    }
  }
}

/// Columns of samples, or of outputs, that are transposed at a time.
template <class T>
constexpr index_t kMostColumns = 4 * kLanes<T> > 16 ? 4 * kLanes<T> : 16;

/// A vector of the columns from `column` on of n rows from `row` on, transformed down the columns,
/// to every (lanes²)th element.
template <class T, int kOutputs, int... a>
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
  transform_samples<T, kOutputs>(samples, points);
  (hn::Store(points[a], tag, to + a * kLanes<T> * kLanes<T>), ...);
}

template <class T, int kOutputs, int... i>
HWY_INLINE void transform_row(const T* from, T* to, index_t point_stride, Indices<i...>) {
  constexpr Tag<T> tag;
  const Vectors<T, sizeof...(i)> samples = {hn::Load(tag, from + i * kLanes<T>)...};
  Vectors<T, sizeof...(i)> points;
  transform_samples<T, kOutputs>(samples, points);
  (hn::Store(points[i], tag, to + i * point_stride), ...);
}

template <class T, int kOutputs, int... a>
HWY_INLINE void transform_rows(const T* from, T* to, index_t point_stride, Indices<a...> rows) {
  constexpr int n = sizeof...(a);
  (transform_row<T, kOutputs>(from + a * kMostColumns<T> * kLanes<T>, to + a * n * point_stride,
                              point_stride, rows),
   ...);
}

template <class T, int kOutputs>
void transform_images(const Plane<const T>& x, index_t channel_stride, index_t channels,
                      index_t row, index_t column, index_t tiles, T* to, index_t point_stride,
                      index_t tile_stride) {
  constexpr int n = Points<kOutputs>::kCount;
  constexpr IndicesTo<n> indices;
  constexpr index_t kSquare = kLanes<T> * kLanes<T>;
  constexpr index_t kAtOnce = (kMostColumns<T> - (kTaps - 1)) / kOutputs;
  // Rows of samples, and of each the columns of a vector for all channels.
  HWY_ALIGN T squares[n * kSquare] = {};
  HWY_ALIGN T samples[n * kMostColumns<T> * kLanes<T>];
  for (index_t first = 0; first < tiles; first += kAtOnce) {
    const index_t count = std::min(kAtOnce, tiles - first);
    const index_t columns = count * kOutputs + kTaps - 1;
    for (index_t j = 0; j < columns; j += kLanes<T>) {
      const index_t begin = column + first * kOutputs + j;
      const Mask<T> inside = lanes_of<T>(-begin, x.columns - begin);
      for (index_t c = 0; c < channels; ++c) {
        Plane<const T> of_channel = x;
        of_channel.data += c * channel_stride;
        transform_columns<T, kOutputs>(of_channel, row, begin, inside, squares + c * kLanes<T>,
                                       indices);
      }
      for (int a = 0; a < n; ++a) {
        transpose_block(squares + a * kSquare, kLanes<T>, kLanes<T>, kLanes<T>,
                        samples + (a * kMostColumns<T> + j) * kLanes<T>, kLanes<T>,
                        SquareIndices<T>());
      }
    }
    for (index_t t = 0; t < count; ++t) {
      transform_rows<T, kOutputs>(samples + t * kOutputs * kLanes<T>,
                                  to + (first + t) * tile_stride, point_stride, indices);
    }
  }
}

/// Row a of a tile's sums, transformed along it.
template <class T, int kOutputs, int... i>
HWY_INLINE void load_sums(const T* from, index_t point_stride, Vectors<T, kOutputs>& row,
                          Indices<i...>) {
  const Vectors<T, sizeof...(i)> sums = {hn::Load(Tag<T>(), from + i * point_stride)...};
  transform_sums<T, kOutputs>(sums, row);
}

/// Column b of a tile's outputs.
template <class T, int kOutputs, int... i, int... k>
HWY_INLINE void store_outputs(const Vector<T> (&rows)[sizeof...(i)][kOutputs], int b, T* to,
                              Vector<T>& finite, Indices<i...>, Indices<k...>) {
  constexpr Tag<T> tag;
  const Vectors<T, sizeof...(i)> column = {rows[i][b]...};
  Vectors<T, kOutputs> outputs;
  transform_sums<T, kOutputs>(column, outputs);
  (hn::Store(outputs[k], tag, to + (k * kMostColumns<T> + b) * kLanes<T>), ...);
  // 0·y is 0, but NaN where y is not finite.
  ((finite = hn::MulAdd(outputs[k], hn::Zero(tag), finite)), ...);
}

/// The outputs of a tile, row after row.
template <class T, int kOutputs, int... i, int... k>
HWY_INLINE void transform_tile(const T* from, index_t point_stride, T* to, Vector<T>& finite,
                               Indices<i...> points, Indices<k...> outputs) {
  constexpr int n = sizeof...(i);
  Vector<T> rows[n][kOutputs];
  (load_sums<T, kOutputs>(from + i * n * point_stride, point_stride, rows[i], points), ...);
  (store_outputs<T, kOutputs>(rows, k, to, finite, points, outputs), ...);
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

template <class T, int kOutputs>
bool transform_outputs(const T* from, index_t point_stride, index_t tile_stride, index_t tiles,
                       index_t channels, const Plane<T>& y, index_t channel_stride) {
  constexpr Tag<T> tag;
  constexpr index_t kAtOnce = kMostColumns<T> / kOutputs;
  HWY_ALIGN T outputs[kOutputs * kMostColumns<T> * kLanes<T>] = {};
  Vector<T> finite = hn::Zero(tag);
  for (index_t first = 0; first < tiles; first += kAtOnce) {
    const index_t count = std::min(kAtOnce, tiles - first);
    for (index_t t = 0; t < count; ++t) {
      transform_tile<T, kOutputs>(from + (first + t) * tile_stride, point_stride,
                                  outputs + t * kOutputs * kLanes<T>, finite,
                                  IndicesTo<Points<kOutputs>::kCount>(), IndicesTo<kOutputs>());
    }
    const index_t begin = first * kOutputs;
    const index_t end = std::min(begin + count * kOutputs, y.columns);
    for (index_t i = 0; i < y.rows; ++i) {
      for (index_t j = begin; j < end; j += kLanes<T>) {
        store_channels(outputs + (i * kMostColumns<T> + j - begin) * kLanes<T>, channels, end - j,
                       y.row(i) + j, channel_stride, SquareIndices<T>());
      }
    }
  }
  return hn::AllTrue(tag, hn::Eq(finite, hn::Zero(tag)));
}

template <class T, int kOutputs>
constexpr WinogradTransforms<T> kTransforms{
    .lanes = kLanes<T>,
    .kernels = transform_kernels<T, kOutputs>,
    .images = transform_images<T, kOutputs>,
    .outputs = transform_outputs<T, kOutputs>,
};

template <class T>
const WinogradTransforms<T>* transforms(index_t outputs) {
  if (outputs == 2) return &kTransforms<T, 2>;
  if (outputs == 3) return &kTransforms<T, 3>;
  return &kTransforms<T, 4>;
}

const WinogradTransforms<float>* transforms_f32(index_t outputs) {
  return transforms<float>(outputs);
}
const WinogradTransforms<double>* transforms_f64(index_t outputs) {
  return transforms<double>(outputs);
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
const WinogradTransforms<float>& winograd_transforms<float>(index_t outputs) {
  return *HWY_DYNAMIC_DISPATCH(transforms_f32)(outputs);
}
template <>
const WinogradTransforms<double>& winograd_transforms<double>(index_t outputs) {
  return *HWY_DYNAMIC_DISPATCH(transforms_f64)(outputs);
}

}  // namespace fullconv
#endif
