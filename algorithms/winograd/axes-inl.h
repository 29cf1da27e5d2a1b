// The axes that tiles have, as types, so that their transforms are unrolled.

#if defined(FULLCONV_WINOGRAD_AXES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_WINOGRAD_AXES_INL_H
#undef FULLCONV_WINOGRAD_AXES_INL_H
#else
#define FULLCONV_WINOGRAD_AXES_INL_H
#endif

#include <array>

#include "core/simd-inl.h"
#include "winograd/cook_toom.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

using namespace winograd;  // NOLINT(google-build-using-namespace): names of this algorithm's own

/// F(outputs, taps).
template <int outputs, int taps>
struct Axis {
  static constexpr TileAxis kAxis{outputs, taps};
  static constexpr int kOutputs = outputs, kTaps = taps;
  static constexpr int kCount = kAxis.points();
  static constexpr int kZero = kCount % 2 == 0 ? 1 : 0;  // whether 0 is a point
  static constexpr int kPairs = (kCount - 1 - kZero) / 2;
};

template <class T, class F>
constexpr CookToom<T> kMatrices = cook_toom<T>(F::kAxis);

template <class T, int kCount>
using Vectors = Vector<T>[kCount];

/// All axes that tiles have.
constexpr int kAxisCount = [] {
  int count = 0;
  for (int taps = 1; taps <= kMostTaps; ++taps) count += tile_sizes(taps).count();
  return count;
}();
constexpr auto kAxes = [] {
  std::array<TileAxis, kAxisCount> axes{};
  std::size_t next = 0;
  for (int taps = 1; taps <= kMostTaps; ++taps) {
    const TileSizes sizes = tile_sizes(taps);
    for (int m = sizes.fewest; m <= sizes.most; ++m) axes[next++] = {m, taps};
  }
  return axes;
}();
template <int number>
using AxisOf = Axis<kAxes[number].outputs, kAxes[number].taps>;

int number_of(const TileAxis& axis) {
  int number = 0;
  for (int taps = 1; taps < axis.taps; ++taps) number += tile_sizes(taps).count();
  return number + axis.outputs - tile_sizes(axis.taps).fewest;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
