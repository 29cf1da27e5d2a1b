// The seconds of this folder are of processors with vectors of 32 bytes, and of 64 where units are
// as wide. Another kind of processor is another table of factors, which scripts/costs --table fits
// to what fullconv_regret --terms measures on it.

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <span>
#include <string_view>

#include "core/rates.h"

namespace fullconv {
namespace {

struct Factors {
  std::string_view algorithm, term;
  double f32, f64;
};

/// Of Zen 4, whose units are 32 bytes wide, so that vectors of 64 take two cycles. Fitted to 660
/// random layers and 160 planes in float, 470 and 160 in double, on an EPYC. Forecasts are off by 9
/// to 20 % (median), without it by 20 to 90 %. What choices lose: docs/results.md.
constexpr Factors kHalvedVectors[] = {
    {"depthwise", "sums", 2.53, 2.32},
    {"depthwise", "transpositions", 1.08, 1.40},
    {"direct_simd", "memory", 1.10, 1.09},
    {"direct_simd", "others", 1.69, 1.41},
    {"direct_simd", "parts", 1.23, 1.47},
    {"direct_simd", "products", 1.90, 2.04},
    {"fft", "columns", 1.37, 1.39},
    {"fft", "memory", 0.85, 0.58},
    {"fft", "parts", 0.95, 1.18},
    {"fft", "products", 1.90, 3.75},
    {"fft", "rows", 1.35, 1.19},
    {"fft_overlap_save", "kernels", 1.56, 1.46},
    {"fft_overlap_save", "memory", 5.37, 3.66},
    {"fft_overlap_save", "parts", 1.16, 1.38},
    {"fft_overlap_save", "products", 1.34, 1.49},
    {"fft_overlap_save", "tiles", 1.63, 1.66},
    {"im2col_gemm", "gemm", 1.05, 0.95},
    {"im2col_gemm", "lowering", 0.82, 0.61},
    {"im2col_gemm", "memory", 1.28, 1.36},
    {"im2col_gemm", "packing", 1.41, 0.97},
    {"im2col_gemm", "parts", 1.34, 1.32},
    {"implicit_gemm", "calls", 0.92, 0.73},
    {"implicit_gemm", "copies", 1.63, 1.56},
    {"implicit_gemm", "memory", 1.57, 1.50},
    {"implicit_gemm", "packing", 2.01, 1.10},
    {"implicit_gemm", "products", 2.03, 2.03},
    {"implicit_gemm", "sums", 3.07, 2.91},
    {"pointwise_gemm", "calls", 0.66, 0.47},
    {"pointwise_gemm", "copies", 1.62, 1.33},
    {"pointwise_gemm", "memory", 1.16, 1.08},
    {"pointwise_gemm", "parts", 1.21, 1.18},
    {"pointwise_gemm", "products", 2.56, 2.56},
    {"winograd", "images", 2.28, 2.34},
    {"winograd", "kernels", 1.72, 1.34},
    {"winograd", "memory", 1.20, 1.03},
    {"winograd", "outputs", 1.68, 1.85},
    {"winograd", "products", 2.05, 2.29},
};

/// AMD's family 25 is Zen 3 and Zen 4, of which only the latter has AVX-512.
bool halves_vectors() {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(0, &a, &b, &c, &d) == 0 || b != signature_AMD_ebx) return false;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return false;
  const unsigned family = (a >> 8 & 15) + (a >> 20 & 255);
  if (family != 25) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_AVX512F) != 0;
#else
  return false;
#endif
}

std::span<const Factors> factors_here() {
  if (halves_vectors()) return kHalvedVectors;
  return {};
}

}  // namespace

Rates Rates::built_in() {
  Rates rates;
  for (const Factors& factors : factors_here()) {
    rates.set(sizeof(float), factors.algorithm, factors.term, factors.f32);
    rates.set(sizeof(double), factors.algorithm, factors.term, factors.f64);
  }
  return rates;
}

}  // namespace fullconv
