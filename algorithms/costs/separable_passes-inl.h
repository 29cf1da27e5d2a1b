// What passes along columns and rows take.

#if defined(FULLCONV_SEPARABLE_PASSES_COSTS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_SEPARABLE_PASSES_COSTS_INL_H
#undef FULLCONV_SEPARABLE_PASSES_COSTS_INL_H
#else
#define FULLCONV_SEPARABLE_PASSES_COSTS_INL_H
#endif

#include "core/plane.h"
#include "core/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// Seconds of both passes, from rows of W to so many rows and columns of y. Measured with AVX2 on
/// 512² samples: 265 µs for 7 rows and columns, 432 for 15, 717 for 31. Where there is no room for
/// a strip of so many vectors, sums of a narrow one wait for each other.
template <class T>
double passes_seconds_of_plane(index_t rows, index_t W, index_t columns, index_t h, index_t w,
                               index_t wide_strip) {
  constexpr double kVector = 4.4e-9;
  constexpr double kTap = 0.25e-9;
  const auto vectors = [rows](index_t count) {
    return static_cast<double>(rows) * static_cast<double>(ceil_divide(count, kLanes<T>));
  };
  const double waiting = W < wide_strip * kLanes<T> ? 2 : 1;
  return vectors(W) * (kVector / 2 + kTap * waiting * static_cast<double>(h)) +
         vectors(columns) * (kVector / 2 + kTap * static_cast<double>(w));
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
