// Direct convolution of planes by vectors: direct/convolve_rows-inl.h, for each instruction set.

#include "direct/convolve_rows.h"

#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "direct/convolve_rows.cpp"
#include <hwy/foreach_target.h>

#include "costs/convolve_rows-inl.h"
#include "direct/convolve_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

static_assert(kRowsOfTiles % kTileRows == 0);

PlaneSeconds seconds_f32(const Problem& problem) { return plane_seconds<float>(problem); }
PlaneSeconds seconds_f64(const Problem& problem) { return plane_seconds<double>(problem); }

std::vector<Boundary> boundaries_f32(const Problem& problem) {
  return plane_boundaries<float>(problem);
}
std::vector<Boundary> boundaries_f64(const Problem& problem) {
  return plane_boundaries<double>(problem);
}

index_t repeated(index_t kernel_rows) { return rolls(kernel_rows) ? kernel_rows - 1 : 0; }

void convolve_f32(const Plane<const float>& x, const Plane<const float>& k, const Plane<float>& y,
                  const Window& wanted, bool add, bool far) {
  convolve_plane(x, k, y, wanted, add, far);
}
void convolve_f64(const Plane<const double>& x, const Plane<const double>& k,
                  const Plane<double>& y, const Window& wanted, bool add, bool far) {
  convolve_plane(x, k, y, wanted, add, far);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fullconv {
namespace {

HWY_EXPORT(convolve_f32);
HWY_EXPORT(convolve_f64);
HWY_EXPORT(seconds_f32);
HWY_EXPORT(seconds_f64);
HWY_EXPORT(boundaries_f32);
HWY_EXPORT(boundaries_f64);
HWY_EXPORT(repeated);

}  // namespace

template <>
void convolve_rows<float>(const Plane<const float>& x, const Plane<const float>& k,
                          const Plane<float>& y, const Window& wanted, bool add, bool far) {
  HWY_DYNAMIC_DISPATCH(convolve_f32)(x, k, y, wanted, add, far);
}
template <>
void convolve_rows<double>(const Plane<const double>& x, const Plane<const double>& k,
                           const Plane<double>& y, const Window& wanted, bool add, bool far) {
  HWY_DYNAMIC_DISPATCH(convolve_f64)(x, k, y, wanted, add, far);
}

template <>
PlaneSeconds convolve_seconds<float>(const Problem& problem) {
  return HWY_DYNAMIC_DISPATCH(seconds_f32)(problem);
}
template <>
PlaneSeconds convolve_seconds<double>(const Problem& problem) {
  return HWY_DYNAMIC_DISPATCH(seconds_f64)(problem);
}

template <>
std::vector<Boundary> convolve_boundaries<float>(const Problem& problem) {
  return HWY_DYNAMIC_DISPATCH(boundaries_f32)(problem);
}
template <>
std::vector<Boundary> convolve_boundaries<double>(const Problem& problem) {
  return HWY_DYNAMIC_DISPATCH(boundaries_f64)(problem);
}

index_t repeated_rows(index_t kernel_rows) { return HWY_DYNAMIC_DISPATCH(repeated)(kernel_rows); }

}  // namespace fullconv
#endif
