// What direct_simd takes: its planes by themselves, as costs/convolve_rows-inl.h has them, and what
// several of them add to that.

#include "costs/direct_simd.h"

#include "core/forecast.h"
#include "direct/convolve_rows.h"

namespace fullconv {

template <class T>
std::vector<Forecast::Term> direct_simd_terms(const Problem& problem) {
  const index_t N = problem.N, K = problem.K, C = problem.C;
  const auto planes = static_cast<double>(N * K * C);
  const auto [products, others] = convolve_seconds<T>(problem);
  if (N * K * C == 1) return {{"products", products}, {"others", others}};
  // Of several planes each is in a farther cache, and with several channels of y that is, too: with
  // AVX-512 1.1 to 1.25 times as long. One that adds to y loads it.
  const double farther = planes * (C > 1 ? 1.15 : 1.0);
  constexpr double kAddedByte = 0.008e-9;
  const double added = static_cast<double>(N * (K - 1) * C) * sizeof(T) *
                       static_cast<double>(problem.output_rows() * problem.output_columns());
  return {{"products", farther * products},
          {"others", farther * others + added * kAddedByte},
          {"memory", memory_seconds(problem, sizeof(T))}};
}

template std::vector<Forecast::Term> direct_simd_terms<float>(const Problem&);
template std::vector<Forecast::Term> direct_simd_terms<double>(const Problem&);

}  // namespace fullconv
