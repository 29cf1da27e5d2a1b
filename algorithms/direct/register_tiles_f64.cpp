// Register tiling for double: direct/register_tiles-inl.h, which takes longer to compile than all
// else, by itself for each scalar.

#include "core/simd_targets.h"
#include "direct/register_tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "direct/register_tiles_f64.cpp"
#include <hwy/foreach_target.h>

#include "direct/register_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

double seconds(index_t H, index_t W, index_t h, index_t w) {
  return plane_seconds<double>(H, W, h, w);
}

void convolve(const Plane<const double>& x, const Plane<const double>& k, const Plane<double>& y,
              Range wanted, bool add) {
  convolve_plane(x, k, y, wanted, add);
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

}  // namespace

template <>
void convolve_rows<double>(const Plane<const double>& x, const Plane<const double>& k,
                           const Plane<double>& y, Range wanted, bool add) {
  HWY_DYNAMIC_DISPATCH(convolve)(x, k, y, wanted, add);
}

template <>
double convolve_seconds<double>(index_t H, index_t W, index_t h, index_t w) {
  return HWY_DYNAMIC_DISPATCH(seconds)(H, W, h, w);
}

}  // namespace fullconv
#endif
