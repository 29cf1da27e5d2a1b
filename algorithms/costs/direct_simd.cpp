// What direct_simd takes: its planes by themselves, as costs/convolve_rows-inl.h has them, and what
// several of them add to that.

#include "costs/direct_simd.h"

#include <algorithm>

#include "core/forecast.h"
#include "direct/convolve_rows.h"

namespace fullconv {

template <class T>
double direct_simd_seconds(const Problem& problem) {
  const index_t N = problem.N, K = problem.K, C = problem.C;
  const double planes = static_cast<double>(N * K * C) * convolve_seconds<T>(problem);
  if (N * K * C == 1) return planes;
  // Of several planes each is in a farther cache, and with several channels of y that is, too: with
  // AVX-512 1.1 to 1.25 times as long. One that adds to y loads it. No kernel of few taps hides
  // what comes from memory.
  constexpr double kAddedByte = 0.008e-9;
  constexpr FarByte kFar{0.15, 0x1p20, 16};
  const double added = static_cast<double>(N * (K - 1) * C) * sizeof(T) *
                       static_cast<double>(problem.output_rows() * problem.output_columns());
  return std::max((C > 1 ? 1.15 : 1.0) * planes + added * kAddedByte,
                  1e-9 * kFar.of(image_bytes(problem, sizeof(T))));
}

template double direct_simd_seconds<float>(const Problem&);
template double direct_simd_seconds<double>(const Problem&);

}  // namespace fullconv
