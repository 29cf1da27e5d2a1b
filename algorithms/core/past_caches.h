#pragma once

#include "core/forecast.h"

namespace fullconv {

/// Whether outputs are better written to memory at once. In a cache each of their lines is read
/// first, and thrown out again before anyone comes to read it. In float with one thread on a Zen 4,
/// of whose 32 MB others have a share, n8_i64_o64_56x56_k3x3_p1x1x1x1_s2x2_g64 took 1.5 times as
/// long through the caches, n8_i64_o32_112x112_k1x1 1.1 times, n8_i128_o128_56x56_k1x1 1.03 times;
/// but n8_i256_o256_28x28_k1x1, with half as many bytes as that, 0.99 times.
template <class T>
bool leaves_caches(const Problem& p) {
  constexpr double kMostBytes = 24e6, kMostOutputBytes = 8e6;
  const auto outputs = static_cast<double>(element_count(p.y_extents()));
  return image_bytes(p, sizeof(T)) > kMostBytes && sizeof(T) * outputs > kMostOutputBytes;
}

}  // namespace fullconv
