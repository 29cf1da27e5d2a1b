// The passes of a separable convolution. Down the columns: sums of some rows, a few vectors wide,
// stay in registers; each image row that any of them needs is loaded once and added to them. Along
// the rows: one unaligned load an FMA, which is half of the speed of arithmetic, since most loads
// cross a cache line; with the zeros around its rows this pass has no special cases at edges.
// 2·HW(h + w) flops; 1/8 of a load an FMA in the first pass, and 1 in the second.

#include "direct/separable_passes.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "core/simd_targets.h"
#include "direct/convolve_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "direct/separable_passes.cpp"
#include <hwy/foreach_target.h>

#include "core/simd-inl.h"
#include "core/staging-inl.h"
#include "costs/separable_passes-inl.h"
#include "direct/strips-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

constexpr int kMostVectors = 4;

template <class T, int kVectors, int... v>
HWY_INLINE void load(const T* from, Indices<v...>, StripRow<T, kVectors>& to) {
  ((to[v] = hn::LoadU(Tag<T>(), from + v * kLanes<T>)), ...);
}

template <class T, int kVectors, int... v>
HWY_INLINE void store(const StripRow<T, kVectors>& from, Indices<v...>, T* to) {
  (hn::StoreU(from[v], Tag<T>(), to + v * kLanes<T>), ...);
}

template <class T, int kVectors, int... v>
HWY_INLINE void set_zero(Indices<v...>, StripRow<T, kVectors>& row) {
  ((row[v] = hn::Zero(Tag<T>())), ...);
}

// Down the columns.

constexpr int kMostRows = std::min<int>(kRegisters / 4, FramedRows<float>::kRowsAtOnce);

/// In vectors.
constexpr int widest_strip(int rows) { return widest_row(rows, kMostVectors); }

/// The sums [kFirst, kEnd) of those at s += the image row times taps[s].
template <class T, int kFirst, int kEnd, int kVectors, int... s>
HWY_INLINE void add_row(const T* image, const T* taps, Indices<s...>,
                        StripRow<T, kVectors> (&sums)[sizeof...(s)]) {
  constexpr IndicesTo<kVectors> v;
  StripRow<T, kVectors> row;
  load<T, kVectors>(image, v, row);
  const auto add = [&]<int kRow>(Indices<kRow>) HWY_ATTR {
    if constexpr (kFirst <= kRow && kRow < kEnd) {
      multiply_add<T, kVectors>(hn::Set(Tag<T>(), taps[kRow]), row, v, sums[kRow]);
    }
  };
  (add(Indices<s>{}), ...);
}

/// The image's strip that a column is to be convolved with.
template <class T>
struct Strip {
  const T* image;  // its first row
  index_t rows, row_stride;
  const T* column;
  index_t h;  // no less than the sums that are in registers
};

/// Asks for the rows that the next sums take beyond these. Columns of an image are no pattern that
/// a processor sees by itself.
template <class T, int kVectors>
HWY_INLINE void prefetch(const Strip<T>& strip, index_t row, int rows) {
  // The addresses may lie outside of the image, where asking does no harm.
  auto address = reinterpret_cast<std::uintptr_t>(strip.image) +
                 static_cast<std::uintptr_t>(row * strip.row_stride) * sizeof(T);
  for (int i = 0; i < rows; ++i) {
    for (std::size_t v = 0; v <= kVectors; ++v) {
      __builtin_prefetch(reinterpret_cast<const void*>(address + v * kLanes<T> * sizeof(T)));
    }
    address += static_cast<std::uintptr_t>(strip.row_stride) * sizeof(T);
  }
}

/// Rows [top, top + rows in s) of image ∗ column into y's rows at `y`.
template <class T, int kVectors, int... s>
HWY_INLINE void convolve_strip_rows(const Strip<T>& strip, index_t top, T* y, index_t y_stride,
                                    Indices<s...> rows) {
  constexpr int kRows = sizeof...(s);
  constexpr IndicesTo<kVectors> v;
  StripRow<T, kVectors> sums[kRows];
  (set_zero<T, kVectors>(v, sums[s]), ...);
  prefetch<T, kVectors>(strip, top + kRows, kRows);
  const auto image = [&](index_t r) HWY_ATTR { return strip.image + r * strip.row_stride; };
  const auto taps = [&](index_t r) HWY_ATTR { return strip.column + (top - r); };
  const auto exists = [&](index_t r) { return 0 <= r && r < strip.rows; };

  // Image rows that enter the first sums only, all, the last ones only.
  const index_t first = top - strip.h + 1;
  const auto add_to_first_sums = [&]<int kEnd>(Indices<kEnd>) HWY_ATTR {
    const index_t r = first + kEnd - 1;
    if (exists(r)) add_row<T, 0, kEnd, kVectors>(image(r), taps(r), rows, sums);
  };
  const auto add_to_last_sums = [&]<int kFirst>(Indices<kFirst>) HWY_ATTR {
    const index_t r = top + kFirst;
    if (exists(r)) add_row<T, kFirst, kRows, kVectors>(image(r), taps(r), rows, sums);
  };
  ((s > 0 ? add_to_first_sums(Indices<s>{}) : void()), ...);
  const Range all = intersection({first + kRows - 1, top + 1}, {0, strip.rows});
  for (index_t r = all.begin; r < all.end; ++r) {
    add_row<T, 0, kRows, kVectors>(image(r), taps(r), rows, sums);
  }
  ((s > 0 ? add_to_last_sums(Indices<s>{}) : void()), ...);
  (store<T, kVectors>(sums[s], v, y + s * y_stride), ...);
}

/// All strips, kRows ≤ h rows at once.
template <class T, int kRows, int kVectors>
void convolve_strips(const Plane<const T>& x, const T* column, index_t h, Range wanted,
                     const Plane<T>& y) {
  constexpr index_t kWidth = kVectors * kLanes<T>;
  for (index_t j = 0; j < x.columns; j += kWidth) {
    // The last ends where x does.
    const index_t begin = std::min(j, x.columns - kWidth);
    const Strip<T> strip{x.data + begin, x.rows, x.row_stride, column, h};
    for (index_t i = 0; i < wanted.end - wanted.begin; i += kRows) {
      convolve_strip_rows<T, kVectors>(strip, wanted.begin + i, y.row(i) + begin, y.row_stride,
                                       IndicesTo<kRows>{});
    }
  }
}

template <class T, int kRows>
void convolve_columns_by(const Plane<const T>& x, const T* column, index_t h, Range wanted,
                         const Plane<T>& y) {
  if constexpr (kRows > 1) {
    if (h < kRows) return convolve_columns_by<T, kRows / 2>(x, column, h, wanted, y);
  }
  constexpr int kVectors = widest_strip(kRows);
  if (x.columns < kVectors * kLanes<T>) {
    convolve_strips<T, kRows, 1>(x, column, h, wanted, y);
  } else {
    convolve_strips<T, kRows, kVectors>(x, column, h, wanted, y);
  }
}

template <class T>
void convolve_plane_columns(const Plane<const T>& x, const T* column, index_t h, Range wanted,
                            const Plane<T>& y) {
  if (x.columns < kLanes<T>) {
    // Only rows that are wanted are there.
    const Plane<T> whole{y.data - wanted.begin * y.row_stride, x.rows + h - 1, x.columns,
                         y.row_stride};
    const bool far = is_far(sizeof(T) * static_cast<double>((x.rows + whole.rows) * x.columns));
    convolve_rows<T>(x, {column, h, 1, 1}, whole, {wanted, {0, whole.columns}}, false, far);
    return;
  }
  convolve_columns_by<T, kMostRows>(x, column, h, wanted, y);
}

// Along the rows.

/// Sums of 2 rows × 4 vectors, enough for the latency of an FMA.
constexpr int kMostSumRows = 2;

/// So many columns of some rows.
template <class T, int kVectors, int... s>
HWY_INLINE void convolve_row_strips(const T* x, index_t x_stride, const T* row, index_t w, T* y,
                                    index_t y_stride, bool add, Indices<s...>) {
  constexpr IndicesTo<kVectors> v;
  StripRow<T, kVectors> sums[sizeof...(s)];
  if (add) {
    (load<T, kVectors>(y + s * y_stride, v, sums[s]), ...);
  } else {
    (set_zero<T, kVectors>(v, sums[s]), ...);
  }
  const auto add_tap = [&]<int kRow>(Vector<T> tap, const T* image, Indices<kRow>) HWY_ATTR {
    StripRow<T, kVectors> loaded;
    load<T, kVectors>(image + kRow * x_stride, v, loaded);
    multiply_add<T, kVectors>(tap, loaded, v, sums[kRow]);
  };
  for (index_t q = 0; q < w; ++q) {
    const Vector<T> tap = hn::Set(Tag<T>(), row[q]);
    (add_tap(tap, x - q, Indices<s>{}), ...);
  }
  (store<T, kVectors>(sums[s], v, y + s * y_stride), ...);
}

template <class T, int kRows, int kVectors>
void convolve_row_strip(const T* x, index_t x_stride, const T* row, index_t w, T* y,
                        index_t y_stride, bool add) {
  convolve_row_strips<T, kVectors>(x, x_stride, row, w, y, y_stride, add, IndicesTo<kRows>{});
}

template <class T>
using ConvolveRowStrip = void (*)(const T* x, index_t x_stride, const T* row, index_t w, T* y,
                                  index_t y_stride, bool add);

/// By vectors, less one.
template <class T, int kRows>
constexpr auto kRowStrips = []<int... v>(Indices<v...>) {
  return std::array<ConvolveRowStrip<T>, sizeof...(v)>{convolve_row_strip<T, kRows, v + 1>...};
}
(IndicesTo<kMostVectors>{});

/// kRows rows from row i on.
template <class T, int kRows>
void convolve_some_rows(const Plane<const T>& x, const T* row, index_t w, const Plane<T>& y,
                        index_t i, bool add) {
  const index_t vectors = ceil_divide(y.columns, kLanes<T>);
  const index_t strips = ceil_divide(vectors, kMostVectors);
  const T* image = x.row(i);
  for (index_t s = 0; s < strips; ++s) {
    const Range strip{s * vectors / strips, (s + 1) * vectors / strips};
    const auto convolve =
        kRowStrips<T, kRows>[static_cast<std::size_t>(strip.end - strip.begin - 1)];
    const index_t begin = strip.begin * kLanes<T>;
    const index_t end = strip.end * kLanes<T>;
    if (end <= y.columns) {
      convolve(image + begin, x.row_stride, row, w, y.row(i) + begin, y.row_stride, add);
      continue;
    }
    // The last vector is wider than what is left of y.
    constexpr index_t kWidth = kMostVectors * kLanes<T>;
    HWY_ALIGN T sums[kRows * kWidth];
    convolve(image + begin, x.row_stride, row, w, sums, kWidth, false);
    unstage(sums, kWidth, kRows, y.columns - begin, add, y.row(i) + begin, y.row_stride);
  }
}

template <class T>
void convolve_plane_rows(const Plane<const T>& x, const T* row, index_t w, const Plane<T>& y,
                         bool add) {
  index_t i = 0;
  for (; i + kMostSumRows <= y.rows; i += kMostSumRows) {
    convolve_some_rows<T, kMostSumRows>(x, row, w, y, i, add);
  }
  for (; i < y.rows; ++i) convolve_some_rows<T, 1>(x, row, w, y, i, add);
}

template <class T>
double passes_seconds(index_t rows, index_t W, index_t columns, index_t h, index_t w) {
  return passes_seconds_of_plane<T>(rows, W, columns, h, w, widest_strip(kMostRows));
}

template <class T>
constexpr Passes<T> kPasses{.convolve_columns = convolve_plane_columns<T>,
                            .convolve_rows = convolve_plane_rows<T>,
                            .seconds = passes_seconds<T>};

const Passes<float>* passes_f32() { return &kPasses<float>; }
const Passes<double>* passes_f64() { return &kPasses<double>; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fullconv {
namespace {

HWY_EXPORT(passes_f32);
HWY_EXPORT(passes_f64);

}  // namespace

template <>
const Passes<float>& separable_passes<float>() {
  return *HWY_DYNAMIC_DISPATCH(passes_f32)();
}
template <>
const Passes<double>& separable_passes<double>() {
  return *HWY_DYNAMIC_DISPATCH(passes_f64)();
}

}  // namespace fullconv
#endif
