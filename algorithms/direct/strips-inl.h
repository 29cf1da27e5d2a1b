// What direct forms share: strips of columns, some vectors wide, that a plane is cut into.

#if defined(FULLCONV_STRIPS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_STRIPS_INL_H
#undef FULLCONV_STRIPS_INL_H
#else
#define FULLCONV_STRIPS_INL_H
#endif

#include <algorithm>

#include "core/plane.h"
#include "core/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// Whether sums roll, for kernels of so few rows that two vectors of sums for each are in
/// registers, beside two of the image and a tap: they are faster than tiles where vectors are as
/// long as lines.
constexpr bool kRollingPays = kVectorsAreLines;
constexpr int kMostRollingRows = 14;
static_assert(!kRollingPays || 2 * kMostRollingRows + 3 <= kRegisters);

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

/// What a strip has of one row.
template <class T, int kVectors>
using StripRow = Vector<T>[kVectors];

/// sums += tap·image.
template <class T, int kVectors, int... v>
HWY_INLINE void multiply_add(Vector<T> tap, const StripRow<T, kVectors>& image, Indices<v...>,
                             StripRow<T, kVectors>& sums) {
  ((sums[v] = hn::MulAdd(tap, image[v], sums[v])), ...);
}
template <class T, int kVectors, int... v>
HWY_INLINE void multiply_add(T tap, const StripRow<T, kVectors>& image, Indices<v...> indices,
                             StripRow<T, kVectors>& sums) {
  Vector<T> taps = hn::Set(Tag<T>(), tap);
  keep_in_register(taps);
  multiply_add<T, kVectors>(taps, image, indices, sums);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
