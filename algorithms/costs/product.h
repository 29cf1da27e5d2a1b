#pragma once

#include <algorithm>

namespace fullconv {

/// How many times as long as its FMAs a step of gemm/product.h takes, for tiles of so many rows and
/// vectors: where these are fewer sums than hide the latency of an FMA it waits for them, and of
/// its `loads`, which are counted in vectors, two are done in a cycle.
constexpr double product_waits(double rows, double vectors, double loads) {
  constexpr double kHidden = 8;
  const double sums = rows * vectors;
  return std::max({1.0, kHidden / sums, loads / sums});
}

}  // namespace fullconv
