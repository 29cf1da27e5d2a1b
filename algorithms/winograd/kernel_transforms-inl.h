// The transforms of kernels, as many channels at a time as a vector has lanes.

#if defined(FULLCONV_WINOGRAD_KERNEL_TRANSFORMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_WINOGRAD_KERNEL_TRANSFORMS_INL_H
#undef FULLCONV_WINOGRAD_KERNEL_TRANSFORMS_INL_H
#else
#define FULLCONV_WINOGRAD_KERNEL_TRANSFORMS_INL_H
#endif

#include <hwy/cache_control.h>

#include <algorithm>

#include "core/transpose-inl.h"
#include "winograd/axes-inl.h"
#include "winograd/transforms.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

using namespace winograd;  // NOLINT(google-build-using-namespace): names of this algorithm's own

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

/// Of a kernel, all residues together.
constexpr index_t kMostKernelTaps = kMostStride * kMostTaps * kMostStride * kMostTaps;

/// Taps that lie between the first and the last one of a kernel are loaded with them up to here.
constexpr index_t kMostSpan = 112;
static_assert(kMostSpan >= kMostKernelTaps);

/// Loads as many kernels as a vector has lanes: the vector of tap (p, q) goes to element (p·pitch +
/// q)·lanes.
template <class T>
HWY_NOINLINE void load_apart(const T* k, KernelStrides strides, index_t channels, index_t h,
                             index_t w, T* to, index_t pitch) {
  HWY_ALIGN T dense[kLanes<T> * kMostKernelTaps];
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
  for (index_t p = 0; p < h; ++p)
    for (index_t q = 0; q < w; ++q) {
      const index_t from = p * strides.row + q * strides.tap;
      hn::Store(hn::Load(Tag<T>(), transposed + from * kLanes<T>), Tag<T>(),
                to + (p * pitch + q) * kLanes<T>);
    }
}

/// The same into vectors. Taps that are neighbours in memory stay in registers.
template <class T, int h, int w, int... t>
HWY_INLINE void load_taps(const T* k, const KernelStrides& strides, index_t channels, Vector<T>* g,
                          Indices<t...>) {
  if (strides.c == 1 && channels == kLanes<T>) {
    ((g[t] = hn::LoadU(Tag<T>(), k + t / w * strides.row + t % w * strides.tap)), ...);
    return;
  }
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
  load_apart(k, strides, channels, h, w, taps, w);
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

template <class T, int... number>
auto kernel_transform_of(const Tile& tile, Indices<number...>) {
  static constexpr decltype(&transform_kernel_of<T, AxisOf<0>, AxisOf<0>>) kAll[] = {
      transform_kernel_of<T, AxisOf<number / kWholeAxisCount>,
                          AxisOf<number % kWholeAxisCount>>...};
  return kAll[number_of(tile.rows) * kWholeAxisCount + number_of(tile.columns)];
}
template <class T>
auto kernel_transform_of(const Tile& tile) {
  return kernel_transform_of<T>(tile, IndicesTo<kWholeAxisCount * kWholeAxisCount>());
}

/// Kernels lie apart for each o: no core sees by itself which lines come next.
template <class T>
HWY_INLINE void prefetch_kernels(const T* k, index_t elements) {
  constexpr index_t kLine = 64 / sizeof(T);
  for (index_t i = 0; i < elements; i += kLine) hwy::Prefetch(k + i);
}

template <class T>
void transform_kernels(const Tile& tile, const Residues& rows, const Residues& columns, const T* k,
                       const KernelStrides& strides, index_t depth, index_t available,
                       index_t channels, T* to, index_t residue_stride, index_t point_stride,
                       index_t depth_stride) {
  constexpr index_t kAhead = 6;
  const auto transform = kernel_transform_of<T>(tile);
  const index_t residues = rows.count * columns.count;
  // All taps of some channels, after the zeros.
  const index_t pitch = columns.count * columns.taps;
  HWY_ALIGN T taps[kMostKernelTaps * kLanes<T>] = {};
  T* const first_tap = taps + (rows.zeros * pitch + columns.zeros) * kLanes<T>;
  const KernelStrides apart{
      .o = 0, .c = 1, .row = rows.count * pitch * kLanes<T>, .tap = columns.count * kLanes<T>};
  for (index_t o = 0; o < depth; ++o) {
    for (index_t c = 0; c < channels; c += kLanes<T>) {
      const index_t count = std::min(kLanes<T>, channels - c);
      const T* from = k + o * strides.o + c * strides.c;
      if (o + kAhead < available) prefetch_kernels(from + kAhead * strides.o, count * strides.c);
      T* const transformed = to + o * depth_stride + c;
      if (residues == 1) {
        transform(from, strides, count, transformed, point_stride);
        continue;
      }
      load_apart(from, strides, count, rows.kernel_taps(), columns.kernel_taps(), first_tap, pitch);
      for (index_t r = 0; r < residues; ++r) {
        const index_t first = r / columns.count * pitch + r % columns.count;
        transform(taps + first * kLanes<T>, apart, kLanes<T>, transformed + r * residue_stride,
                  point_stride);
      }
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
