#pragma once

#include "core/plane.h"

namespace fullconv {

/// The transforms of Winograd's tiles, as many channels at a time as a vector has
/// lanes. The point (i,j) of a tile is number i·n + j of n².
template <class T>
struct WinogradTransforms {
  index_t lanes;

  /// Kernels k[o, c…] for `channels` channels c and `depth` channels o, strides as given, to
  /// to[point][o][c]. Channels beyond, up to a whole vector, are zero. There are `available`
  /// channels o in all, of which the next ones are going to be asked for.
  void (*kernels)(const T* k, index_t o_stride, index_t c_stride, index_t row_stride, index_t depth,
                  index_t available, index_t channels, T* to, index_t point_stride,
                  index_t depth_stride);

  /// A row of `tiles` tiles of at most a vector's channels, whose first sample would be x's
  /// (row, column), with zeros where x has none, to to[point][tile][channel]. Channels beyond, up
  /// to a whole vector, are zero.
  void (*images)(const Plane<const T>& x, index_t channel_stride, index_t channels, index_t row,
                 index_t column, index_t tiles, T* to, index_t point_stride, index_t tile_stride);

  /// The sums from[point][tile][channel] back to y, whose rows and columns are those that the tiles
  /// have. False where one of the sums is not finite.
  bool (*outputs)(const T* from, index_t point_stride, index_t tile_stride, index_t tiles,
                  index_t channels, const Plane<T>& y, index_t channel_stride);
};

/// For tiles of so many outputs, and kernels of so many taps, along each axis: as tile_sizes() has
/// them.
template <class T>
const WinogradTransforms<T>& winograd_transforms(index_t outputs, index_t taps);

}  // namespace fullconv
