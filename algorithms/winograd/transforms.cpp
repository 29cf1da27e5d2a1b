// The transforms of Winograd's tiles, one axis after the other. A vector holds the same sample of
// as many channels as it has lanes. In images and outputs, neighbours in memory are samples of a
// row, so both are transposed on the way. Images are transformed down their columns before they are
// transposed: then a vector still is part of a row, and each of its samples serves all tiles that
// overlap there.

#include "winograd/transforms.h"

#include <algorithm>

#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "winograd/transforms.cpp"
#include <hwy/foreach_target.h>

#include "core/simd-inl.h"
#include "core/transpose-inl.h"
#include "winograd/kernel_transforms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// Σ_k coefficients[k]·d[2k], the last coefficient being 1.
template <class T, int... k>
HWY_INLINE Vector<T> polynomial([[maybe_unused]] const T* coefficients, const Vector<T>* d,
                                Indices<k...>) {
  constexpr Tag<T> tag;
  Vector<T> sum = d[2 * sizeof...(k)];
  ((sum = hn::MulAdd(hn::Set(tag, coefficients[k]), d[2 * k], sum)), ...);
  return sum;
}

/// One axis of Bᵀ·d, for the pair of points number p.
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

/// What is transformed, or what it is transformed to: the vectors of a line lie `step` elements
/// apart, lines `line`, and groups of lines `group`.
template <class T>
struct Lines {
  T* data;
  index_t step, line, group;
};

/// What is multiplied by Bᵀ, and by Aᵀ.
template <class T, class F>
struct Samples {
  static constexpr int kFrom = F::kCount, kTo = F::kCount;
  static HWY_INLINE void transform(const Vector<T>* d, Vector<T>* to) {
    transform_samples<T, F>(d, to, IndicesTo<F::kPairs>());
  }
};
template <class T, class F>
struct Sums {
  static constexpr int kFrom = F::kCount, kTo = F::kOutputs;
  static HWY_INLINE void transform(const Vector<T>* s, Vector<T>* to) {
    if constexpr (F::kPairs == 0) {
      to[0] = s[0];
    } else {
      transform_sums<T, F>(s, to, IndicesTo<F::kPairs>(), IndicesTo<F::kOutputs>());
    }
  }
};

template <class T, class Which, int... i, int... k>
HWY_INLINE void transform_line(const T* from, index_t from_step, T* to, index_t to_step,
                               Indices<i...>, Indices<k...>) {
  constexpr Tag<T> tag;
  const Vectors<T, Which::kFrom> line = {hn::Load(tag, from + i * from_step)...};
  Vectors<T, Which::kTo> transformed;
  Which::transform(line, transformed);
  (hn::Store(transformed[k], tag, to + k * to_step), ...);
}

/// Lines may be transformed in place.
template <class T, class Which>
void transform_lines(const Lines<const T>& from, const Lines<T>& to, index_t lines,
                     index_t groups) {
  for (index_t g = 0; g < groups; ++g)
    for (index_t l = 0; l < lines; ++l) {
      transform_line<T, Which>(from.data + g * from.group + l * from.line, from.step,
                               to.data + g * to.group + l * to.line, to.step,
                               IndicesTo<Which::kFrom>(), IndicesTo<Which::kTo>());
    }
}

/// A vector of the columns from `column` on of n rows of x from `row` on, transformed down the
/// columns, to every (lanes²)th element. Samples go straight to registers; core/staging-inl.h would
/// store and load them in between. So many rows of so many channels are more than a core follows:
/// without a look ahead n8_i128_o64_112x112_k3x3_p1x1x1x1 took 1.05 times as long on a Zen 4.
template <class T, class F, int... a>
HWY_INLINE void transform_columns(const Plane<const T>& x, index_t row, index_t column,
                                  const Mask<T>& inside, T* to, Indices<a...>) {
  constexpr Tag<T> tag;
  const auto load = [&](index_t i) HWY_ATTR {
    if (i < 0 || i >= x.rows) return hn::Zero(tag);
    hwy::Prefetch(x.row(i) + column + kLanes<T>);
    return load_lanes(x.row(i) + column, -column, x.columns - column, inside);
  };
  const Vectors<T, F::kCount> samples = {load(row + a)...};
  Vectors<T, F::kCount> points;
  Samples<T, F>::transform(samples, points);
  (hn::Store(points[a], tag, to + a * kLanes<T> * kLanes<T>), ...);
}

/// The same for so many channels, to one vector after the other.
template <class T, class F>
void transform_image(const Plane<const T>& x, index_t channel_stride, index_t channels, index_t row,
                     index_t column, T* to) {
  const Mask<T> inside = lanes_of<T>(-column, x.columns - column);
  Plane<const T> of_channel = x;
  for (index_t c = 0; c < channels; ++c, of_channel.data += channel_stride) {
    transform_columns<T, F>(of_channel, row, column, inside, to + c * kLanes<T>,
                            IndicesTo<F::kCount>());
  }
}

/// The transforms along one axis.
template <class T>
struct AxisTransforms {
  decltype(&transform_image<T, Axis<1, 1>>) image;
  decltype(&transform_lines<T, Samples<T, Axis<1, 1>>>) samples, sums;
};

template <class T, class F>
constexpr AxisTransforms<T> kAxisTransforms{
    .image = transform_image<T, F>,
    .samples = transform_lines<T, Samples<T, F>>,
    .sums = transform_lines<T, Sums<T, F>>,
};

template <class T, int... number>
const AxisTransforms<T>& transforms_of(const TileAxis& axis, Indices<number...>) {
  static constexpr const AxisTransforms<T>* kAll[] = {&kAxisTransforms<T, AxisOf<number>>...};
  return *kAll[number_of(axis)];
}
template <class T>
const AxisTransforms<T>& transforms_of(const TileAxis& axis) {
  return transforms_of<T>(axis, IndicesTo<kAxisCount>());
}

/// Columns of samples, or of outputs, that are transposed at a time.
template <class T>
constexpr index_t kMostColumns = 4 * kLanes<T> > 16 ? 4 * kLanes<T> : 16;

template <class T>
void transform_images(const Tile& tile, const Plane<const T>& x, index_t channel_stride,
                      index_t channels, index_t row, index_t column, index_t tiles, T* to,
                      const PointStrides& strides, index_t tile_stride) {
  constexpr index_t kSquare = kLanes<T> * kLanes<T>, kRow = kMostColumns<T> * kLanes<T>;
  const AxisTransforms<T>&down = transforms_of<T>(tile.rows),
        &along = transforms_of<T>(tile.columns);
  const index_t rows = tile.rows.points(), m = tile.columns.outputs,
                overlap = tile.columns.taps - 1;
  const index_t at_once = (kMostColumns<T> - overlap) / m;
  // Rows of samples, and of each the columns of a vector for all channels.
  HWY_ALIGN T squares[kMostPoints * kSquare] = {};
  HWY_ALIGN T samples[kMostPoints * kRow];
  for (index_t first = 0; first < tiles; first += at_once) {
    const index_t count = std::min(at_once, tiles - first);
    const index_t columns = count * m + overlap;
    for (index_t j = 0; j < columns; j += kLanes<T>) {
      down.image(x, channel_stride, channels, row, column + first * m + j, squares);
      for (index_t a = 0; a < rows; ++a) {
        transpose_block(squares + a * kSquare, kLanes<T>, kLanes<T>, kLanes<T>,
                        samples + a * kRow + j * kLanes<T>, kLanes<T>, SquareIndices<T>());
      }
    }
    along.samples({samples, kLanes<T>, kRow, m * kLanes<T>},
                  {to + first * tile_stride, strides.j, strides.i, tile_stride}, rows, count);
  }
}

/// Stores the lanes of each channel that y has. False where one of them is not finite.
template <class T, int... i>
HWY_INLINE bool store_channels(const T* from, index_t channels, index_t columns, T* y,
                               index_t channel_stride, Indices<i...>) {
  constexpr Tag<T> tag;
  Square<T> square = {(i < columns ? hn::Load(tag, from + i * kLanes<T>) : hn::Zero(tag))...};
  Vector<T> sums[2] = {hn::Zero(tag), hn::Zero(tag)};  // of which neither waits for the other
  (note_non_finite<T>(square[i], sums[i % 2]), ...);
  const bool all_finite = all_noted_finite<T>(hn::Add(sums[0], sums[1]));
  transpose_square<T>(square);
  if (columns >= kLanes<T>) {
    ((i < channels ? hn::StoreU(square[i], tag, y + i * channel_stride) : void()), ...);
    return all_finite;
  }
  HWY_ALIGN T staged[kLanes<T> * kLanes<T>];
  (hn::Store(square[i], tag, staged + i * kLanes<T>), ...);
  for (index_t c = 0; c < channels; ++c) {
    copy_few(staged + c * kLanes<T>, columns, y + c * channel_stride);
  }
  return all_finite;
}

template <class T>
bool transform_outputs(const Tile& tile, const T* from, const PointStrides& strides,
                       index_t tile_stride, index_t tiles, index_t channels, const Plane<T>& y,
                       index_t channel_stride) {
  constexpr index_t kRow = kMostColumns<T> * kLanes<T>;
  const AxisTransforms<T>&down = transforms_of<T>(tile.rows),
        &along = transforms_of<T>(tile.columns);
  const index_t m = tile.columns.outputs, at_once = kMostColumns<T> / m;
  HWY_ALIGN T sums[kMostPoints * kRow];  // of rows of points, then of outputs
  bool finite = true;
  for (index_t first = 0; first < tiles; first += at_once) {
    const index_t count = std::min(at_once, tiles - first);
    along.sums({from + first * tile_stride, strides.j, strides.i, tile_stride},
               {sums, kLanes<T>, kRow, m * kLanes<T>}, tile.rows.points(), count);
    down.sums({sums, kRow, kLanes<T>, 0}, {sums, kRow, kLanes<T>, 0}, count * m, 1);
    const index_t begin = first * m;
    const index_t end = std::min(begin + count * m, y.columns);
    for (index_t i = 0; i < y.rows; ++i) {
      for (index_t j = begin; j < end; j += kLanes<T>) {
        finite &= store_channels(sums + i * kRow + (j - begin) * kLanes<T>, channels, end - j,
                                 y.row(i) + j, channel_stride, SquareIndices<T>());
      }
    }
  }
  return finite;
}

template <class T>
constexpr Transforms<T> kTransforms{
    .lanes = kLanes<T>,
    .kernels = transform_kernels<T>,
    .images = transform_images<T>,
    .outputs = transform_outputs<T>,
};

const Transforms<float>* transforms_f32() { return &kTransforms<float>; }
const Transforms<double>* transforms_f64() { return &kTransforms<double>; }

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
const winograd::Transforms<float>& winograd::transforms<float>() {
  return *HWY_DYNAMIC_DISPATCH(transforms_f32)();
}
template <>
const winograd::Transforms<double>& winograd::transforms<double>() {
  return *HWY_DYNAMIC_DISPATCH(transforms_f64)();
}

}  // namespace fullconv
#endif
