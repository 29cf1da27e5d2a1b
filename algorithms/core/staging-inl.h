// Windows that hang over a plane, copied by vectors to where kernels find zeros beside the image,
// and sums back: staging.h by vectors.

#if defined(FULLCONV_STAGING_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_STAGING_INL_H
#undef FULLCONV_STAGING_INL_H
#else
#define FULLCONV_STAGING_INL_H
#endif

#include <algorithm>

#include "core/plane.h"
#include "core/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// A vector of each of some rows, from a column on that may be beside the plane. As a call
/// n1_i64_o64_56x56_k3x3 by direct_simd took 1.04 times as long.
template <class T>
HWY_INLINE void stage_vector(const Plane<const T>& x, Range rows, index_t column, T* staged,
                             index_t pitch) {
  const Tag<T> d;
  const auto stage_rows = [&](const auto& load) HWY_ATTR {
    const T* from = x.row(rows.begin) + column;
    T* to = staged;
    for (T* const end = to + rows.size() * pitch; to < end; to += pitch) {
      hn::StoreU(load(from), d, to);
      from += x.row_stride;
    }
  };
  if (column + kLanes<T> <= 0 || column >= x.columns) {
    stage_rows([d](const T*) HWY_ATTR { return hn::Zero(d); });
  } else if (column >= 0 && column + kLanes<T> <= x.columns) {
    stage_rows([d](const T* row) HWY_ATTR { return hn::LoadU(d, row); });
  } else {
    const Mask<T> inside = lanes_of<T>(-column, x.columns - column);
    stage_rows([&](const T* row)
                   HWY_ATTR { return load_lanes<T>(row, -column, x.columns - column, inside); });
  }
}

/// Whole vectors of the columns [begin, end) of some rows, zero where there are none. By blocks of
/// rows: a cache of 8 ways holds no more, where rows are a power of two apart.
template <class T>
void stage(const Plane<const T>& x, Range rows, Range columns, T* staged, index_t pitch) {
  constexpr index_t kBlock = 8;
  for (index_t first = rows.begin; first < rows.end; first += kBlock, staged += kBlock * pitch) {
    const Range block{first, std::min(first + kBlock, rows.end)};
    for (index_t j = 0; j < columns.size(); j += kLanes<T>) {
      stage_vector(x, block, columns.begin + j, staged + j, pitch);
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
