#pragma once

#include "core/plane.h"

namespace fullconv {

/// What a tile covers of a plane: the tile's value (i, j) is plane(top + i, left + j), and zero
/// where the plane has none.
template <class T>
struct TileWindow {
  Plane<T> plane;
  index_t top, left;
};

/// What is known about points after they went into a transform.
template <class T>
struct Gathered {
  T magnitudes = 0;        ///< the sum of them, scaled, of those that are finite
  bool all_finite = true;  ///< or false, too, where their sum overflows

  Gathered& operator+=(const Gathered& other) {
    magnitudes += other.magnitudes;
    all_finite = all_finite && other.all_finite;
    return *this;
  }
};

/// The indices i in `within` for which offset + i is one of the `count` indices of a plane.
inline Range overlap(Range within, index_t offset, index_t count) {
  return intersection(within, {-offset, count - offset});
}

}  // namespace fullconv
