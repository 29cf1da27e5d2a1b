#pragma once

#include <algorithm>

#include "fullconv/problem.h"

namespace fullconv {

/// Points of a circular convolution whose `wanted` outputs nothing wraps around to: those beyond
/// them may meet those before them.
inline index_t unwrapped_points(index_t size, index_t taps, Range wanted) {
  return std::max({size, taps, wanted.end, size + taps - 1 - wanted.begin});
}

}  // namespace fullconv
