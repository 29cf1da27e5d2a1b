// Direct convolution of planes by vectors, in double: direct/convolve_rows-inl.h, by itself for
// each scalar, since it takes long to compile.

#include "core/simd_targets.h"
#include "direct/convolve_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "direct/convolve_rows_f64.cpp"
#include <hwy/foreach_target.h>

#include "direct/convolve_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

double seconds(index_t H, index_t W, index_t h, index_t w) {
  return plane_seconds<double>(H, W, h, w);
}

index_t least_rows(index_t kernel_rows) { return least_block_rows_of(kernel_rows); }

void convolve(const Plane<const double>& x, const Plane<const double>& k, const Plane<double>& y,
              Range wanted, bool add, int threads) {
  convolve_plane(x, k, y, wanted, add, threads);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fullconv {
namespace {

HWY_EXPORT(convolve);
HWY_EXPORT(seconds);
HWY_EXPORT(least_rows);

}  // namespace

template <>
void convolve_rows<double>(const Plane<const double>& x, const Plane<const double>& k,
                           const Plane<double>& y, Range wanted, bool add, int threads) {
  HWY_DYNAMIC_DISPATCH(convolve)(x, k, y, wanted, add, threads);
}

template <>
double convolve_seconds<double>(index_t H, index_t W, index_t h, index_t w) {
  return HWY_DYNAMIC_DISPATCH(seconds)(H, W, h, w);
}

template <>
index_t least_block_rows<double>(index_t kernel_rows) {
  return HWY_DYNAMIC_DISPATCH(least_rows)(kernel_rows);
}

}  // namespace fullconv
#endif
