#pragma once

#include <algorithm>

namespace fullconv {

/// Sums that hide the latency of FMAs: 8 where two units have the width of a vector, 4 where they
/// have half of it. On a Zen 4 products of winograd's are off by 11 % so, by 14 % with 8.
double sums_in_flight();

/// How many times as long as its FMAs a step of gemm/product.h takes, for tiles of so many rows and
/// vectors: where these are fewer sums than hide the latency of an FMA it waits for them, and of
/// its `loads`, which are counted in vectors, as many are done in a cycle as FMAs.
inline double product_waits(double rows, double vectors, double loads) {
  const double sums = rows * vectors;
  return std::max({1.0, sums_in_flight() / sums, loads / sums});
}

}  // namespace fullconv
