// The transforms of Winograd's tiles, one axis after the other. A vector holds the same sample of
// as many channels as it has lanes. In images and outputs, neighbours in memory are samples of a
// row, so both are transposed on the way. Images are transformed down their columns before they are
// transposed: then a vector still is part of a row, and each of its samples serves all tiles that
// overlap there.

#include "winograd/transforms.h"

#include <algorithm>
#include <array>

#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "winograd/transforms.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>

#include "core/simd-inl.h"
#include "core/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

using namespace winograd;  // NOLINT(google-build-using-namespace): names of this algorithm's own

/// F(outputs, taps).
template <int outputs, int taps>
struct Axis {
  static constexpr TileAxis kAxis{outputs, taps};
  static constexpr int kOutputs = outputs, kTaps = taps;
  static constexpr int kCount = kAxis.points();
  static constexpr int kZero = kCount % 2 == 0 ? 1 : 0;  // whether 0 is a point
  static constexpr int kPairs = (kCount - 1 - kZero) / 2;
};

template <class T, class F>
constexpr CookToom<T> kMatrices = cook_toom<T>(F::kAxis);

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
/// store and load them in between.
template <class T, class F, int... a>
HWY_INLINE void transform_columns(const Plane<const T>& x, index_t row, index_t column,
                                  const Mask<T>& inside, T* to, Indices<a...>) {
  constexpr Tag<T> tag;
  const auto load = [&](index_t i) HWY_ATTR {
    if (i < 0 || i >= x.rows) return hn::Zero(tag);
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

/// Taps that lie between the first and the last one of a kernel are loaded with them up to here.
constexpr index_t kMostSpan = 64;

/// Loads as many kernels as a vector has lanes: the vector of tap (p, q) goes to element (p·w +
/// q)·lanes.
template <class T>
HWY_NOINLINE void load_apart(const T* k, KernelStrides strides, index_t channels, index_t h,
                             index_t w, T* to) {
  HWY_ALIGN T dense[kLanes<T> * kMostTaps * kMostTaps];
  const auto span = [&] { return (h - 1) * strides.row + (w - 1) * strides.tap + 1; };
  if (std::min(strides.row, strides.tap) <= 0 || span() > kMostSpan) {
    for (index_t c = 0; c < channels; ++c)
      for (index_t p = 0; p < h; ++p)
        for (index_t q = 0; q < w; ++q) {
          dense[(c * h + p) * w + q] = k[c * strides.c + p * strides.row + q * strides.tap];
        }
    k = dense;
    strides = {.o = 0, .c = h * w, .row = w, .tap = 1};
  }
  HWY_ALIGN T transposed[kMostSpan * kLanes<T>];
  for (index_t first = 0; first < span(); first += kLanes<T>) {
    transpose_block(k + first, strides.c, channels, std::min(kLanes<T>, span() - first),
                    transposed + first * kLanes<T>, kLanes<T>, SquareIndices<T>());
  }
  for (index_t t = 0; t < h * w; ++t) {
    const index_t from = t / w * strides.row + t % w * strides.tap;
    hn::Store(hn::Load(Tag<T>(), transposed + from * kLanes<T>), Tag<T>(), to + t * kLanes<T>);
  }
}

/// The same into vectors. Taps that are neighbours in memory stay in registers.
template <class T, int h, int w, int... t>
HWY_INLINE void load_taps(const T* k, const KernelStrides& strides, index_t channels, Vector<T>* g,
                          Indices<t...>) {
  if constexpr (h * w <= kLanes<T>) {
    if ((h == 1 || strides.row == w) && (w == 1 || strides.tap == 1)) {
      Square<T> square;
      load_square(k, strides.c, channels, index_t{h * w}, SquareIndices<T>(), square);
      transpose_square<T>(square);
      ((g[t] = square[t]), ...);
      return;
    }
  }
  HWY_ALIGN T taps[kLanes<T> * h * w];
  load_apart(k, strides, channels, h, w, taps);
  ((g[t] = hn::Load(Tag<T>(), taps + t * kLanes<T>)), ...);
}

/// Column q of the taps, transformed: from the last to the first, as a correlation takes those of a
/// convolution.
template <class T, class F, int w, int... p>
HWY_INLINE void transform_tap_column(const Vector<T>* g, int q, Vector<T>* to, Indices<p...>) {
  const Vectors<T, F::kTaps> column = {g[(F::kTaps - 1 - p) * w + w - 1 - q]...};
  transform_taps<T, F>(column, to, IndicesTo<F::kPairs>());
}

/// Transforms and stores row a of taps that have been transformed down their columns.
template <class T, class F, int kRows, int... q, int... i>
HWY_INLINE void store_kernel_row(const Vector<T> (&columns)[F::kTaps][kRows], int a, T* to,
                                 index_t point_stride, Indices<q...>, Indices<i...>) {
  const Vectors<T, F::kTaps> row = {columns[q][a]...};
  Vectors<T, F::kCount> points;
  transform_taps<T, F>(row, points, IndicesTo<F::kPairs>());
  (hn::Store(points[i], Tag<T>(), to + i * point_stride), ...);
}

template <class T, class Down, class Along, int... a, int... q>
HWY_INLINE void transform_kernel(const Vector<T>* g, T* to, index_t point_stride, Indices<a...>,
                                 Indices<q...> columns_of_taps) {
  Vector<T> columns[Along::kTaps][Down::kCount];
  (transform_tap_column<T, Down, Along::kTaps>(g, q, columns[q], IndicesTo<Down::kTaps>()), ...);
  (store_kernel_row<T, Along>(columns, a, to + a * Along::kCount * point_stride, point_stride,
                              columns_of_taps, IndicesTo<Along::kCount>()),
   ...);
}

/// Both axes at once, within registers: where loads come between stores that go to so many places,
/// n1_i512_o512_7x7_k3x3 takes 1.3 times as long.
template <class T, class Down, class Along>
void transform_kernel_of(const T* k, const KernelStrides& strides, index_t channels, T* to,
                         index_t point_stride) {
  Vectors<T, Down::kTaps * Along::kTaps> g;
  load_taps<T, Down::kTaps, Along::kTaps>(k, strides, channels, g,
                                          IndicesTo<Down::kTaps * Along::kTaps>());
  transform_kernel<T, Down, Along>(g, to, point_stride, IndicesTo<Down::kCount>(),
                                   IndicesTo<Along::kTaps>());
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

/// All axes that tiles have.
constexpr int kAxisCount = [] {
  int count = 0;
  for (int taps = 1; taps <= kMostTaps; ++taps) count += tile_sizes(taps).count();
  return count;
}();
constexpr auto kAxes = [] {
  std::array<TileAxis, kAxisCount> axes{};
  std::size_t next = 0;
  for (int taps = 1; taps <= kMostTaps; ++taps) {
    const TileSizes sizes = tile_sizes(taps);
    for (int m = sizes.fewest; m <= sizes.most; ++m) axes[next++] = {m, taps};
  }
  return axes;
}();
template <int number>
using AxisOf = Axis<kAxes[number].outputs, kAxes[number].taps>;

int number_of(const TileAxis& axis) {
  int number = 0;
  for (int taps = 1; taps < axis.taps; ++taps) number += tile_sizes(taps).count();
  return number + axis.outputs - tile_sizes(axis.taps).fewest;
}

template <class T, int... number>
const AxisTransforms<T>& transforms_of(const TileAxis& axis, Indices<number...>) {
  static constexpr const AxisTransforms<T>* kAll[] = {&kAxisTransforms<T, AxisOf<number>>...};
  return *kAll[number_of(axis)];
}
template <class T>
const AxisTransforms<T>& transforms_of(const TileAxis& axis) {
  return transforms_of<T>(axis, IndicesTo<kAxisCount>());
}

template <class T, int... number>
auto kernel_transform_of(const Tile& tile, Indices<number...>) {
  static constexpr decltype(&transform_kernel_of<T, AxisOf<0>, AxisOf<0>>) kAll[] = {
      transform_kernel_of<T, AxisOf<number / kAxisCount>, AxisOf<number % kAxisCount>>...};
  return kAll[number_of(tile.rows) * kAxisCount + number_of(tile.columns)];
}
template <class T>
auto kernel_transform_of(const Tile& tile) {
  return kernel_transform_of<T>(tile, IndicesTo<kAxisCount * kAxisCount>());
}

/// Kernels lie apart for each o: no core sees by itself which lines come next.
template <class T>
HWY_INLINE void prefetch_kernels(const T* k, index_t elements) {
  constexpr index_t kLine = 64 / sizeof(T);
  for (index_t i = 0; i < elements; i += kLine) hwy::Prefetch(k + i);
}

template <class T>
void transform_kernels(const Tile& tile, const T* k, const KernelStrides& strides, index_t depth,
                       index_t available, index_t channels, T* to, index_t point_stride,
                       index_t depth_stride) {
  constexpr index_t kAhead = 6;
  const auto transform = kernel_transform_of<T>(tile);
  for (index_t o = 0; o < depth; ++o) {
    for (index_t c = 0; c < channels; c += kLanes<T>) {
      const index_t count = std::min(kLanes<T>, channels - c);
      const T* from = k + o * strides.o + c * strides.c;
      if (o + kAhead < available) prefetch_kernels(from + kAhead * strides.o, count * strides.c);
      transform(from, strides, count, to + o * depth_stride + c, point_stride);
    }
  }
}

/// Columns of samples, or of outputs, that are transposed at a time.
template <class T>
constexpr index_t kMostColumns = 4 * kLanes<T> > 16 ? 4 * kLanes<T> : 16;

template <class T>
void transform_images(const Tile& tile, const Plane<const T>& x, index_t channel_stride,
                      index_t channels, index_t row, index_t column, index_t tiles, T* to,
                      index_t point_stride, index_t tile_stride) {
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
    along.samples(
        {samples, kLanes<T>, kRow, m * kLanes<T>},
        {to + first * tile_stride, point_stride, tile.columns.points() * point_stride, tile_stride},
        rows, count);
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
bool transform_outputs(const Tile& tile, const T* from, index_t point_stride, index_t tile_stride,
                       index_t tiles, index_t channels, const Plane<T>& y, index_t channel_stride) {
  constexpr index_t kRow = kMostColumns<T> * kLanes<T>;
  const AxisTransforms<T>&down = transforms_of<T>(tile.rows),
        &along = transforms_of<T>(tile.columns);
  const index_t m = tile.columns.outputs, at_once = kMostColumns<T> / m;
  HWY_ALIGN T sums[kMostPoints * kRow];  // of rows of points, then of outputs
  bool finite = true;
  for (index_t first = 0; first < tiles; first += at_once) {
    const index_t count = std::min(at_once, tiles - first);
    along.sums({from + first * tile_stride, point_stride, tile.columns.points() * point_stride,
                tile_stride},
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
