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
template <int outputs, int taps, bool without_zero = false>
struct Axis {
  static constexpr TileAxis kAxis{outputs, taps, without_zero};
  static constexpr int kOutputs = outputs, kTaps = taps;
  static constexpr int kCount = kAxis.points();
  static constexpr int kZero = kCount % 2 == 0 ? 1 : 0;  // whether 0 is a point
  static constexpr int kPairs = (kCount - 1 - kZero) / 2;
};

template <class T, class F>
constexpr CookToom<T> kMatrices = cook_toom<T>(F::kAxis);

template <class T, int kCount>
using Vectors = Vector<T>[kCount];

/// All axes that tiles have: those that kernels are transformed for, then the shorter ones.
constexpr int kWholeAxisCount = [] {
  int count = 0;
  for (int taps = 1; taps <= kMostTaps; ++taps) count += tile_sizes(taps).count();
  return count;
}();
constexpr int kAxisCount = kWholeAxisCount + kMostTaps - 1;
constexpr auto kAxes = [] {
  std::array<TileAxis, kAxisCount> axes{};
  std::size_t next = 0;
  for (int taps = 1; taps <= kMostTaps; ++taps) {
    const TileSizes sizes = tile_sizes(taps);
    for (int m = sizes.fewest; m <= sizes.most; ++m) axes[next++] = {m, taps};
  }
  for (int taps = 2; taps <= kMostTaps; ++taps) {
    axes[next++] = shorter({tile_sizes(taps).most, taps});
  }
  return axes;
}();
template <int number>
using AxisOf = Axis<kAxes[number].outputs, kAxes[number].taps, kAxes[number].without_zero>;

int number_of(const TileAxis& axis) {
  if (axis.without_zero) return kWholeAxisCount + axis.taps - 2;
  int number = 0;
  for (int taps = 1; taps < axis.taps; ++taps) number += tile_sizes(taps).count();
  return number + axis.outputs - tile_sizes(axis.taps).fewest;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
