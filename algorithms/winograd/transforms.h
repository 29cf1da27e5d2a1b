#pragma once

#include "core/plane.h"
#include "winograd/cook_toom.h"
#include "winograd/residues.h"

namespace fullconv::winograd {

/// A tile of outputs, and the points of both of its axes.
struct Tile {
  TileAxis rows, columns;

  constexpr index_t points() const { return index_t{rows.points()} * columns.points(); }
};

/// Elements between neighbours of a kernel k[o, c, p, q].
struct KernelStrides {
  index_t o, c, row, tap;
};

/// Elements between the points (i, j) and (i + 1, j), and (i, j + 1).
struct PointStrides {
  index_t i, j;
};

/// The transforms of tiles, as many channels at a time as a vector has lanes.
template <class T>
struct Transforms {
  index_t lanes;

  /// Kernels k[o, c…] for `channels` channels c and `depth` channels o to
  /// to[residue][point][o][c], the point (i, j) being number i·columns.points() + j. Channels
  /// beyond, up to a whole vector, are zero. There are `available` channels o in all, of which the
  /// next ones are going to be asked for.
  void (*kernels)(const Tile& tile, const Residues& rows, const Residues& columns, const T* k,
                  const KernelStrides& strides, index_t depth, index_t available, index_t channels,
                  T* to, index_t residue_stride, index_t point_stride, index_t depth_stride);

  /// A row of `tiles` tiles of at most a vector's channels, whose first sample would be x's
  /// (row, column), with zeros where x has none, to to[i][j][tile][channel], (i, j) being the
  /// point. Channels beyond, up to a whole vector, are zero.
  void (*images)(const Tile& tile, const Plane<const T>& x, index_t channel_stride,
                 index_t channels, index_t row, index_t column, index_t tiles, T* to,
                 const PointStrides& strides, index_t tile_stride);

  /// The sums from[i][j][tile][channel] back to y, whose rows and columns are those that the tiles
  /// have. False where one of them is not finite.
  bool (*outputs)(const Tile& tile, const T* from, const PointStrides& strides, index_t tile_stride,
                  index_t tiles, index_t channels, const Plane<T>& y, index_t channel_stride);
};

template <class T>
const Transforms<T>& transforms();

}  // namespace fullconv::winograd
