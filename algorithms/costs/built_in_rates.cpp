// The seconds of this folder are of processors with vectors of 32 bytes, and of 64 where units are
// as wide. Another kind of processor is another table of factors, which scripts/costs --table fits
// to what fullconv_regret --terms measures on it.

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <span>
#include <string_view>

#include "core/rates.h"
#include "costs/product.h"

namespace fullconv {
namespace {

struct Factors {
  std::string_view algorithm, term;
  double f32, f64;
};

/// Of Zen 4, whose units are 32 bytes wide, so that vectors of 64 take two cycles. Fitted to 1300
/// random layers, 420 planes and three times 173 layers of networks in float, 980, 320 and six
/// times 25 in double, on an EPYC. But for products of the three matrix products: these are what
/// layers take that do little else, since a fit took up with them what models count too much
/// elsewhere, so that 1×1 layers of networks lost 35 % by a wrong choice. And but for im2col_gemm's
/// and a few more: these are between that fit and what loses least on 260 and 120 layers. All of
/// pointwise_gemm's are 0.88 times as much in float and 0.93 in double: where it was not chosen it
/// was mostly the fastest. What choices lose: docs/results.md.
constexpr Factors kHalvedVectors[] = {
    {"depthwise", "copies", 1.11, 1.02},
    {"depthwise", "sums", 2.20, 2.42},
    {"depthwise", "transpositions", 1.68, 1.42},
    {"direct_simd", "memory", 0.99, 1.10},
    {"direct_simd", "others", 1.50, 1.37},
    {"direct_simd", "parts", 1.36, 1.30},
    {"direct_simd", "products", 1.91, 1.97},
    {"fft", "columns", 1.37, 1.23},
    {"fft", "memory", 1.02, 0.91},
    {"fft", "parts", 1.18, 1.18},
    {"fft", "products", 2.33, 4.60},
    {"fft", "rows", 1.30, 1.05},
    {"fft_overlap_save", "kernels", 1.61, 1.42},
    {"fft_overlap_save", "memory", 4.44, 3.78},
    {"fft_overlap_save", "parts", 1.33, 1.45},
    {"fft_overlap_save", "products", 1.38, 1.50},
    {"fft_overlap_save", "tiles", 1.62, 1.65},
    {"im2col_gemm", "gemm", 1.40, 1.20},
    {"im2col_gemm", "lowering", 0.77, 0.45},
    {"im2col_gemm", "memory", 1.29, 1.16},
    {"im2col_gemm", "packing", 1.70, 1.10},
    {"im2col_gemm", "parts", 1.35, 1.50},
    {"implicit_gemm", "calls", 0.68, 0.62},
    {"implicit_gemm", "copies", 1.30, 1.35},
    {"implicit_gemm", "memory", 1.39, 1.45},
    {"implicit_gemm", "packing", 1.28, 0.90},
    {"implicit_gemm", "products", 2.30, 2.30},
    {"implicit_gemm", "sums", 2.68, 2.53},
    {"pointwise_gemm", "calls", 0.43, 0.48},
    {"pointwise_gemm", "copies", 1.28, 1.66},
    {"pointwise_gemm", "memory", 1.06, 0.92},
    {"pointwise_gemm", "outputs", 0.88, 0.93},
    {"pointwise_gemm", "parts", 1.01, 1.10},
    {"pointwise_gemm", "products", 1.94, 2.05},
    {"winograd", "calls", 1.20, 1.20},
    {"winograd", "images", 2.60, 2.83},
    {"winograd", "kernels", 1.21, 1.12},
    {"winograd", "memory", 1.13, 1.01},
    {"winograd", "outputs", 2.05, 1.92},
    {"winograd", "products", 1.97, 2.16},
};

/// Of Intel's server processors from Sapphire Rapids on, with a last cache that is large and far
/// away. Fitted to 320 random layers, 173 of networks and 130 planes in float, 280 layers and 100
/// planes in double, on a Xeon with 480 MiB of it. All of im2col_gemm's are 1.15 times as much,
/// whose products are farthest from their forecasts, and winograd's in float 1.1 times: that loses
/// least there.
constexpr Factors kFarCaches[] = {
    {"depthwise", "copies", 1.11, 1.01},
    {"depthwise", "sums", 1.20, 1.41},
    {"depthwise", "transpositions", 2.18, 1.66},
    {"direct_simd", "memory", 0.88, 0.78},
    {"direct_simd", "others", 1.27, 1.24},
    {"direct_simd", "parts", 1.63, 1.50},
    {"direct_simd", "products", 1.21, 1.22},
    {"fft", "columns", 1.47, 1.44},
    {"fft", "memory", 1.02, 1.07},
    {"fft", "parts", 1.77, 1.43},
    {"fft", "products", 2.10, 5.01},
    {"fft", "rows", 1.11, 0.85},
    {"fft_overlap_save", "kernels", 1.39, 1.30},
    {"fft_overlap_save", "memory", 5.80, 3.66},
    {"fft_overlap_save", "parts", 1.57, 1.90},
    {"fft_overlap_save", "products", 1.31, 1.39},
    {"fft_overlap_save", "tiles", 1.23, 1.24},
    {"im2col_gemm", "gemm", 0.92, 0.94},
    {"im2col_gemm", "lowering", 0.87, 0.64},
    {"im2col_gemm", "memory", 1.63, 1.71},
    {"im2col_gemm", "packing", 1.49, 0.89},
    {"im2col_gemm", "parts", 1.67, 1.85},
    {"implicit_gemm", "calls", 0.51, 0.54},
    {"implicit_gemm", "copies", 1.46, 1.51},
    {"implicit_gemm", "memory", 1.25, 1.22},
    {"implicit_gemm", "packing", 1.40, 1.09},
    {"implicit_gemm", "products", 1.51, 1.53},
    {"implicit_gemm", "sums", 4.54, 4.41},
    {"implicit_gemm", "weights", 1.03, 1.09},
    {"pointwise_gemm", "calls", 0.53, 0.36},
    {"pointwise_gemm", "copies", 0.72, 0.88},
    {"pointwise_gemm", "memory", 1.29, 1.12},
    {"pointwise_gemm", "outputs", 0.95, 1.19},
    {"pointwise_gemm", "parts", 1.04, 1.05},
    {"pointwise_gemm", "products", 1.55, 1.61},
    {"winograd", "calls", 1.06, 1.04},
    {"winograd", "images", 1.65, 1.91},
    {"winograd", "kernels", 1.57, 1.85},
    {"winograd", "memory", 0.85, 0.82},
    {"winograd", "outputs", 1.79, 1.58},
    {"winograd", "products", 1.39, 1.69},
};

/// AMD's family 25 is Zen 3 and Zen 4, of which only the latter has AVX-512.
bool is_zen4() {
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

/// Those with AVX512-FP16.
bool is_sapphire_rapids_or_later() {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(0, &a, &b, &c, &d) == 0 || b != signature_INTEL_ebx) return false;
  constexpr unsigned kFp16 = 1U << 23;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_AVX512F) != 0 && (d & kFp16) != 0;
#else
  return false;
#endif
}

/// Asked once: under a hypervisor each answer takes microseconds.
bool halves_vectors() {
  static const bool halved = is_zen4();
  return halved;
}
bool has_far_caches() {
  static const bool far = is_sapphire_rapids_or_later();
  return far;
}

std::span<const Factors> factors_here() {
  if (halves_vectors()) return kHalvedVectors;
  if (has_far_caches()) return kFarCaches;
  return {};
}

}  // namespace

double sums_in_flight() { return halves_vectors() ? 4 : 8; }

bool Rates::know_processor() { return !factors_here().empty(); }

Rates Rates::built_in() {
  Rates rates;
  for (const Factors& factors : factors_here()) {
    rates.set(sizeof(float), factors.algorithm, factors.term, factors.f32);
    rates.set(sizeof(double), factors.algorithm, factors.term, factors.f64);
  }
  return rates;
}

}  // namespace fullconv
