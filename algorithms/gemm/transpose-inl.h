// Transposed matrices, a square of vectors at a time: log₂ of their lanes rounds, each of which
// halves the distance between what is to be neighbours.

#if defined(FULLCONV_TRANSPOSE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_TRANSPOSE_INL_H
#undef FULLCONV_TRANSPOSE_INL_H
#else
#define FULLCONV_TRANSPOSE_INL_H
#endif

#include <algorithm>

#include "core/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// As many vectors as each has lanes.
template <class T>
using Square = Vector<T>[kLanes<T>];

template <class T>
using SquareIndices = IndicesTo<static_cast<int>(kLanes<T>)>;
template <class T>
using HalfIndices = IndicesTo<static_cast<int>(kLanes<T> / 2)>;

#if HWY_TARGET == HWY_SCALAR
/// One lane.
template <class T>
HWY_INLINE void transpose_square(Square<T>&) {}
#else
/// Even lanes of each two neighbours to the first half of the vectors, odd ones to the other half:
/// after as many rounds as a lane's index has bits that index has become the vector's.
template <class T, int kLeft, int... i>
HWY_INLINE void transpose_rounds(Square<T>& rows, Indices<i...> half) {
  if constexpr (kLeft > 1) {
    constexpr Tag<T> d;
    constexpr int kHalf = sizeof...(i);
    Square<T> sorted;
    ((sorted[i] = hn::ConcatEven(d, rows[2 * i + 1], rows[2 * i]),
      sorted[i + kHalf] = hn::ConcatOdd(d, rows[2 * i + 1], rows[2 * i])),
     ...);
    transpose_rounds<T, kLeft / 2>(sorted, half);
    ((rows[i] = sorted[i], rows[i + kHalf] = sorted[i + kHalf]), ...);
  }
}

template <class T>
HWY_INLINE void transpose_square(Square<T>& rows) {
  transpose_rounds<T, static_cast<int>(kLanes<T>)>(rows, HalfIndices<T>());
}
#endif

/// The first `columns` of `rows` rows, and zeros beyond.
template <class T, int... i>
HWY_INLINE void load_square(const T* from, index_t stride, index_t rows, index_t columns,
                            Indices<i...>, Square<T>& square) {
  const Mask<T> mask = lanes_of<T>(0, columns);
  const auto load = [&](index_t row) HWY_ATTR {
    return row < rows ? load_lanes(from + row * stride, 0, columns, mask) : hn::Zero(Tag<T>());
  };
  if (columns >= kLanes<T> && rows >= kLanes<T>) {
    ((square[i] = hn::LoadU(Tag<T>(), from + i * stride)), ...);
  } else {
    ((square[i] = load(i)), ...);
  }
}

/// to(j, i) = from(i, j), in rows of whole vectors.
template <class T, int... i>
HWY_INLINE void transpose_block(const T* from, index_t from_stride, index_t rows, index_t columns,
                                T* to, index_t to_stride, Indices<i...> indices) {
  Square<T> square;
  load_square(from, from_stride, rows, columns, indices, square);
  transpose_square<T>(square);
  ((i < columns ? hn::StoreU(square[i], Tag<T>(), to + i * to_stride) : void()), ...);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
