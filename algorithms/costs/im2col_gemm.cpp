// What im2col_gemm takes: products by operations, more where the weights have few rows, by calls
// and by sums that leave a cache; lowering by samples and rows, packing by weights. On a Zen 5 it
// is off by 23 % (median) next to 190 random layers.

#include "costs/im2col_gemm.h"

#include "core/forecast.h"

namespace fullconv {

std::vector<Forecast::Term> im2col_gemm_terms(const Problem& problem, std::size_t scalar_size) {
  const auto bytes = static_cast<double>(scalar_size);
  const auto C = static_cast<double>(problem.C);
  const double rows = C == 1 ? 8 : C < 16 ? 16 / C : 1;  // that a product takes as long as
  const double lowered = static_cast<double>(problem.N * problem.K * problem.w) *
                         static_cast<double>(problem.output_rows() * problem.output_columns());
  const double lowered_rows = lowered / static_cast<double>(problem.output_columns());
  const double weights = C * static_cast<double>(problem.K * problem.w * problem.h);
  const double unit = bytes / 4 * 1e-9;
  constexpr double kOperation = 0.0085;  // by OpenBLAS
  constexpr double kCall = 0.12e-6, kProduct = 0.06e-6;
  const auto products = static_cast<double>(problem.N * problem.h);  // at least
  constexpr double kRow = 4e-9;  // of a lowered image: what copying it takes beside its elements
  // For y, to which products add once for each row of the kernel.
  constexpr FarByte kSum{0.008, 0x1p16, 4};
  const double sums = bytes * C * static_cast<double>(problem.N) *
                      static_cast<double>(problem.output_rows() * problem.output_columns());
  // Sums of few products that are farther away: n2_i1_o301_42x42_k1x1 300 of 347 µs on a Xeon.
  constexpr FarByte kFarSum{0.09, 1e6, 4};
  constexpr double kFew = 8;
  const double few = kFew / (kFew + static_cast<double>(problem.K * problem.w));
  return {{"gemm",
           unit * padded_operations(problem) * kOperation * rows + products * kProduct +
               1e-9 * static_cast<double>(problem.h) * (kSum.of(sums) + few * kFarSum.of(sums))},
          {"lowering", unit * lowered * 0.12 + lowered_rows * kRow},
          {"memory", memory_seconds(problem, scalar_size)},
          {"packing", unit * weights * 2.1 + kCall}};
}

}  // namespace fullconv
