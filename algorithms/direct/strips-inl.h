// Strips of columns, some vectors wide, that direct forms cut a plane into.

#if defined(FULLCONV_STRIPS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_STRIPS_INL_H
#undef FULLCONV_STRIPS_INL_H
#else
#define FULLCONV_STRIPS_INL_H
#endif

#include <algorithm>
#include <type_traits>

#include "core/plane.h"
#include "core/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// Wider kernels are cut, so that what is staged fits a fixed place.
constexpr index_t kMostKernelColumns = 128;

/// Columns of y, cut into strips of vectors: first wide ones, then some that are a vector less
/// wide.
template <class T>
struct Strips {
  index_t first;  // column
  index_t count, wide;
  index_t width;  // of a wide one, in vectors

  Strips(index_t widest, Range columns, bool may_end_beyond) : first(columns.begin) {
    const index_t all = columns.end - columns.begin;
    const index_t vectors = ceil_divide(all, kLanes<T>);
    // Divisions take as long as a few rows of a small plane.
    count = vectors <= widest ? std::min<index_t>(vectors, 1) : ceil_divide(vectors, widest);
    // Where no strip may end beyond y, two may overlap.
    if (!may_end_beyond && count == 1 && vectors > 1 && all % kLanes<T> != 0) count = 2;
    width = count <= 1 ? vectors : ceil_divide(vectors, count);
    wide = vectors - count * (width - 1);
  }

  index_t vectors(index_t s) const { return s < wide ? width : width - 1; }
  /// In columns.
  index_t begin(index_t s) const {
    return first + (s * width - std::max<index_t>(0, s - wide)) * kLanes<T>;
  }
};

/// Loads lanes of a row, at `column` and on, that are inside, and touches no others.
template <class T>
HWY_INLINE Vector<T> load_inside(const T* row, index_t column, index_t columns, Mask<T> inside) {
  return load_lanes<T>(row + column, -column, columns - column, inside);
}

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

/// Makes the compiler load a value once, and not in each of the instructions that use it.
template <class V>
HWY_INLINE void keep_in_register([[maybe_unused]] V& v) {
#if HWY_ARCH_X86
  asm("" : "+v"(v.raw));
#endif
}

/// Asks for vectors of x to be read, or of y to be written to.
template <class T, int... v>
HWY_INLINE void prefetch_row(T* row, Indices<v...>) {
  (__builtin_prefetch(row + v * kLanes<std::remove_const_t<T>>, std::is_const_v<T> ? 0 : 1), ...);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
