// What a tile covers of a plane, gathered into strips, and strips written to planes.

#if defined(FULLCONV_TILE_WINDOWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_TILE_WINDOWS_INL_H
#undef FULLCONV_TILE_WINDOWS_INL_H
#else
#define FULLCONV_TILE_WINDOWS_INL_H
#endif

#include <hwy/cache_control.h>

#include <algorithm>
#include <cmath>

#include "core/operand_range.h"
#include "fft/butterflies-inl.h"
#include "fft/tile_window.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// Strips that are gathered at once: those of a cache line, since rows that lie at powers of two
/// share few sets of a cache, and have lost the line when its second half is asked for.
template <class T>
constexpr int kStripsAtOnce = std::max<int>(1, 64 / sizeof(T) / kLanes<T>);

template <class T>
constexpr index_t kWidth = kStripsAtOnce<T>* kLanes<T>;

/// Rows on their way into a strip at once, so that their sums of magnitudes don't wait for each
/// other.
constexpr int kRowsAtOnce = 4;

// Rows are too far apart for the processor to see where these go, so what comes next but one is
// asked for: 1.1 to 1.3 times as fast where x and y come from memory, 0.99 where from a cache. What
// comes next is too near, 1.0 to 1.1.

/// sum += |row|, of the row's vectors to strips that lie `strip` elements apart.
template <class T, class Load, int... v>
HWY_INLINE void gather_row(const T* from, Indices<v...>, Load load, index_t strip, T* part,
                           Vector<T>& sum) {
  const Tag<T> d;
  const Vector<T> row[sizeof...(v)] = {load(from + v * kLanes<T>)...};
  (hn::Store(row[v], d, part + v * strip), ...);
  ((sum = hn::Add(sum, hn::Abs(row[v]))), ...);
  hwy::Prefetch(from + 2 * sizeof...(v) * kLanes<T>);
}

/// So many rows to kStrips strips; returns Σ|row|.
template <int kStrips, class T, class Load>
T gather_rows(const T* from, index_t stride, index_t count, Load load, index_t strip, T* part) {
  const Tag<T> d;
  Vector<T> sums[kRowsAtOnce] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  const auto gather_some = [&]<int... i>(Indices<i...>) HWY_ATTR {
    (gather_row<T>(from + i * stride, IndicesTo<kStrips>{}, load, strip, part + i * kRow<T>,
                   sums[i]),
     ...);
    from += sizeof...(i) * stride;
    part += sizeof...(i) * kRow<T>;
  };
  for (; count >= kRowsAtOnce; count -= kRowsAtOnce) gather_some(IndicesTo<kRowsAtOnce>{});
  for (; count > 0; --count) gather_some(IndicesTo<1>{});
  return hn::GetLane(
      hn::SumOfLanes(d, hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]))));
}

/// The window's columns from `column` on as the real or imaginary parts of strips. Returns the sum
/// of their magnitudes: beside loading and storing them it takes no time. By core/staging-inl.h it
/// would be another pass.
template <class T>
T gather(const TileWindow<const T>& window, index_t length, index_t column, T* part) {
  constexpr int kStrips = kStripsAtOnce<T>;
  const index_t strip = length * kRow<T>;
  const index_t left = window.left + column;
  const Range rows = overlap({0, length}, window.top, window.plane.rows);
  const auto clear = [](index_t begin, index_t end, T* to) HWY_ATTR {
    const Tag<T> d;
    for (index_t i = begin; i < end; ++i) hn::Store(hn::Zero(d), d, to + i * kRow<T>);
  };
  const auto clear_others = [&](Range filled, T* to) {
    clear(0, filled.begin, to);
    clear(filled.end, length, to);
  };
  if (rows.empty()) {
    for (int v = 0; v < kStrips; ++v) clear(0, length, part + v * strip);
    return 0;
  }
  const T* from = window.plane.row(window.top + rows.begin) + left;
  T* to = part + rows.begin * kRow<T>;
  const index_t stride = window.plane.row_stride;
  const Tag<T> d;
  if (left >= 0 && left + kStrips * kLanes<T> <= window.plane.columns) {
    for (int v = 0; v < kStrips; ++v) clear_others(rows, part + v * strip);
    const auto load = [d](const T* row) HWY_ATTR { return hn::LoadU(d, row); };
    return gather_rows<kStrips>(from, stride, rows.size(), load, strip, to);
  }
  T magnitudes = 0;
  for (int v = 0; v < kStrips; ++v) {
    const Range lanes = overlap({0, kLanes<T>}, left + v * kLanes<T>, window.plane.columns);
    if (lanes.empty()) {
      clear(0, length, part + v * strip);
      continue;
    }
    clear_others(rows, part + v * strip);
    const auto mask = lanes_of<T>(lanes.begin, lanes.end);
    const auto load = [&](const T* row)
                          HWY_ATTR { return load_lanes<T>(row, lanes.begin, lanes.end, mask); };
    magnitudes +=
        gather_rows<1>(from + v * kLanes<T>, stride, rows.size(), load, strip, to + v * strip);
  }
  return magnitudes;
}

/// The real or imaginary part of a strip to the window's columns from `column` on.
template <class T>
void scatter(const T* part, index_t length, index_t column, const TileWindow<T>& window) {
  const Tag<T> d;
  const Range lanes = overlap({0, kLanes<T>}, window.left + column, window.plane.columns);
  const Range rows = overlap({0, length}, window.top, window.plane.rows);
  if (lanes.empty() || rows.empty()) return;
  T* to = window.plane.row(window.top + rows.begin) + window.left + column;
  if (lanes.begin == 0 && lanes.end == kLanes<T>) {
    for (index_t i = rows.begin; i < rows.end; ++i, to += window.plane.row_stride) {
      hn::StoreU(hn::Load(d, part + i * kRow<T>), d, to);
      hwy::Prefetch(to + 2 * kLanes<T>);
    }
  } else {
    for (index_t i = rows.begin; i < rows.end; ++i, to += window.plane.row_stride) {
      copy_few(part + i * kRow<T> + lanes.begin, lanes.end - lanes.begin, to + lanes.begin);
    }
  }
}

/// The m-th part of a window whose rows are parts of so many rows.
template <class T>
TileWindow<T> part_of(const TileWindow<T>& window, index_t length, int m) {
  return {window.plane, window.top + m * length, window.left};
}

template <class T>
bool has_rows(const TileWindow<T>& window, index_t length) {
  return !overlap({0, length}, window.top, window.plane.rows).empty();
}

/// Whether the window has nothing in these columns of a tile.
template <class T>
bool is_empty(const TileWindow<T>& window, Range columns) {
  return overlap(columns, window.left, window.plane.columns).empty() || window.plane.rows == 0;
}

/// 2^exponent times so many rows of strips, with 0 in place of what is not finite. Returns the sum
/// of the magnitudes that they have then.
template <class T>
T bring_into_range(int exponent, index_t rows, T* strips) {
  const Tag<T> d;
  fullconv::bring_into_range(exponent, strips, rows * kRow<T>);
  auto sum = hn::Zero(d);
  for (index_t at = 0; at < rows * kRow<T>; at += kLanes<T>) {
    sum = hn::Add(sum, hn::Abs(hn::Load(d, strips + at)));
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

/// Real and imaginary parts of strips, times 2^exponent.
template <class T>
Gathered<T> gather_in_range(int exponent, const TileWindow<const T>& re,
                            const TileWindow<const T>& im, index_t length, index_t column,
                            T* strips) {
  const T magnitudes =
      gather(re, length, column, strips) + gather(im, length, column, strips + kLanes<T>);
  const bool all_finite = std::isfinite(magnitudes);
  if (exponent == 0 && all_finite) return {magnitudes, true};
  return {bring_into_range(exponent, kStripsAtOnce<T> * length, strips), all_finite};
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
