// Strips of a plane, copied by vectors to where kernels find zeros beside the image, and sums back.

#if defined(FULLCONV_STAGING_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_STAGING_INL_H
#undef FULLCONV_STAGING_INL_H
#else
#define FULLCONV_STAGING_INL_H
#endif

#include <algorithm>

#include "direct/strips-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// Whole vectors of the columns [begin, end) of some rows, zero where there are none. By blocks of
/// rows: a cache of 8 ways holds no more, where rows are a power of two apart.
template <class T>
void stage(const Plane<const T>& x, Range rows, Range columns, T* staged, index_t pitch) {
  constexpr index_t kBlock = 8;
  const Tag<T> d;
  for (index_t first = rows.begin; first < rows.end; first += kBlock, staged += kBlock * pitch) {
    const index_t end = std::min(first + kBlock, rows.end);
    T* first_to = staged;
    for (index_t column = columns.begin; column < columns.end; column += kLanes<T>) {
      T* to = first_to;
      first_to += kLanes<T>;
      if (column >= 0 && column + kLanes<T> <= x.columns) {
        for (index_t r = first; r < end; ++r, to += pitch) {
          hn::StoreU(hn::LoadU(d, x.row(r) + column), d, to);
        }
      } else {
        const Mask<T> inside = lanes_of<T>(-column, x.columns - column);
        for (index_t r = first; r < end; ++r, to += pitch) {
          hn::StoreU(load_inside<T>(x.row(r), column, x.columns, inside), d, to);
        }
      }
    }
  }
}

/// Columns of what is staged to rows of y, or += where `add`.
template <class T>
void unstage(const T* staged, index_t pitch, index_t rows, index_t columns, bool add, T* y,
             index_t y_stride) {
  const Tag<T> d;
  const index_t whole = columns / kLanes<T> * kLanes<T>;
  const index_t rest = columns - whole;
  for (index_t i = 0; i < rows; ++i, staged += pitch, y += y_stride) {
    for (index_t j = 0; j < whole; j += kLanes<T>) {
      const Vector<T> sums = hn::LoadU(d, staged + j);
      hn::StoreU(add ? hn::Add(sums, hn::LoadU(d, y + j)) : sums, d, y + j);
    }
    if (!add) {
      copy_few(staged + whole, rest, y + whole);
    } else {
      for (index_t j = whole; j < columns; ++j) y[j] += staged[j];
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
