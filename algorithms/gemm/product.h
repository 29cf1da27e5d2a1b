#pragma once

#include <span>

#include "core/plane.h"

namespace fullconv {

/// One term of those that a product sums for each of its depth.
struct Tap {
  index_t factor;  ///< which column of A, of those for one of the depth
  index_t offset;  ///< where B's row begins
};

/// For matrices as they are.
inline constexpr Tap kOnlyTap[] = {{0, 0}};

/// C = A·B, or += where `add`, with A of rows × (depth·taps), B of (depth·taps) × columns:
///
///     c(r, j) = Σ_d Σ_t  a(r, d, t) · b(d, t, j)
///
/// Operands stay where they are. A row of B is dense, and so is one of C. Row (d, t) of B begins an
/// offset of the tap's behind row d, so that rows may overlap: the shifted rows of an image that
/// the taps of a kernel meet are a matrix without having been copied into one.
template <class T>
struct MatrixProduct {
  index_t rows, columns, depth;
  std::span<const Tap> taps = kOnlyTap;  // at least one

  /// A row of A is `a_row` behind the one before it. But where `a_tile` is not zero, tile t of
  /// those that share the rows as rows_of_tile() says begins at a + t·a_tile.
  const T* a;
  index_t a_row = 1, a_tile = 0, a_depth, a_tap = 0;

  const T* b;
  index_t b_depth;
  /// Elements that each row of B has: columns beyond `columns` are read to fill a vector where they
  /// are there, and put into rows that are whole vectors before they are read where not.
  index_t b_columns;

  T* c;
  index_t c_row;
  bool add = false;
};

template <class T>
void multiply(const MatrixProduct<T>& product);

/// Elements of a vector.
template <class T>
index_t vector_lanes();

/// Vectors of each row of a tile, at most, for a C of so many rows.
index_t most_tile_vectors(index_t rows);

/// So many elements or more, an odd number of vectors: rows that are so far apart do not begin in
/// the same set of a cache.
constexpr index_t apart(index_t elements, index_t lanes) {
  return (ceil_divide(elements, lanes) | 1) * lanes;
}

/// Tile t of `tiles` that share `rows` rows evenly.
constexpr Range rows_of_tile(index_t rows, index_t tiles, index_t t) {
  return {t * rows / tiles, (t + 1) * rows / tiles};
}

/// Tiles that share `rows` rows.
index_t tiles_of(index_t rows);

/// Elements of A as tiles of `pitch` rows are to have them: of the first tile
/// to[t·tap_stride + d·pitch + r] = a(r, d, t), with
/// a(r, d, t) = from[r·row_stride + d·depth_stride + t], and the next one begins `tile_stride`
/// behind it. Where `pitch` is whole vectors these are written up to their ends.
template <class T>
struct PackedFactors {
  index_t rows, depth, taps;
  index_t available;  ///< of the depth, in all: what is behind is going to be asked for
  const T* from;
  index_t row_stride, depth_stride;
  T* to;
  index_t pitch, tap_stride;
  index_t tile_stride = 0;  ///< not asked for where there is one tile
};

/// False where an element is not finite.
template <class T>
bool pack(const PackedFactors<T>& factors);

/// to(j, i) = from(i, j) for so many rows and columns, and nothing beyond. Rows of `from` can be
/// read in whole vectors. `past_caches`: whether whole lines of `to` are written to memory at once.
template <class T>
void transpose(const T* from, index_t from_stride, index_t rows, index_t columns, T* to,
               index_t to_stride, bool past_caches);

}  // namespace fullconv
