// Planes of many channels, one sample of all of them a vector: direct/channel_lanes.h, for each
// instruction set.

#include "direct/channel_lanes.h"

#include <algorithm>
#include <array>

#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "direct/channel_lanes.cpp"
#include <hwy/foreach_target.h>

#include "core/simd-inl.h"
#include "core/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

template <class T, int... i>
HWY_INLINE void spread_squares(const T* from, index_t channel_stride, index_t channels,
                               index_t count, const index_t* places, T* to, Indices<i...> indices) {
  constexpr Tag<T> d;
  for_each_square<T>(count, [&](index_t first, index_t elements) HWY_ATTR {
    Square<T> square;
    load_square(from + first, channel_stride, channels, elements, indices, square);
    transpose_square<T>(square);
    const index_t* place = places + first;
    if (elements == kLanes<T>) {
      (hn::Store(square[i], d, to + place[i] * kLanes<T>), ...);
    } else {
      ((i < elements ? hn::Store(square[i], d, to + place[i] * kLanes<T>) : void()), ...);
    }
  });
}

template <class T>
void spread(const T* from, index_t channel_stride, index_t channels, index_t count,
            const index_t* places, T* to) {
  spread_squares(from, channel_stride, channels, count, places, to, SquareIndices<T>());
}

template <class T>
bool are_finite(const T* samples, index_t count) {
  constexpr Tag<T> d;
  constexpr index_t kSums = 4;  // that do not wait for each other
  Vector<T> sums[kSums] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (index_t e = 0; e < count; ++e) {
    note_non_finite<T>(hn::Load(d, samples + e * kLanes<T>), sums[e % kSums]);
  }
  return all_noted_finite<T>(hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3])));
}

template <class T>
void collect(const T* from, index_t count, index_t channels, T* to, index_t channel_stride,
             bool past_caches) {
  transpose_matrix(from, kLanes<T>, count, channels, to, channel_stride, past_caches);
}

/// Outputs at a time, at most.
constexpr int kMostOutputs = kRegisters / 2;

template <class T, int... j>
HWY_INLINE void add_tap(const LaneTap& tap, const LaneRow<T>& row, index_t first, Indices<j...>,
                        Vector<T> (&sums)[sizeof...(j)]) {
  constexpr Tag<T> d;
  Vector<T> factor = hn::Load(d, row.factors + tap.factor);
  keep_in_register(factor);
  const T* from = row.samples + first * kLanes<T> + tap.sample;
  ((sums[j] = hn::MulAdd(hn::Load(d, from + j * kLanes<T>), factor, sums[j])), ...);
}

/// kTaps: how many taps there are, or 0 for any number.
template <class T, int kTaps, int... j, int... t>
HWY_INLINE void sum_outputs(const LaneOutputs<T>& outputs, index_t first, Indices<j...> indices,
                            Indices<t...>) {
  constexpr Tag<T> d;
  Vector<T> sums[sizeof...(j)];
  ((sums[j] = hn::Zero(d)), ...);
  for (const LaneRow<T>* row = outputs.rows; row != outputs.rows + outputs.row_count; ++row) {
    if constexpr (kTaps > 0) {
      (add_tap(outputs.taps[t], *row, first, indices, sums), ...);
    } else {
      const LaneTap* const end = outputs.taps + outputs.tap_count;
      for (const LaneTap* tap = outputs.taps; tap != end; ++tap) {
        add_tap(*tap, *row, first, indices, sums);
      }
    }
  }
  T* to = outputs.to + first * outputs.step;
  (hn::Store(sums[j], d, to + j * outputs.step), ...);
}

template <class T, int kTaps, int kCount>
void sum_so_many(const LaneOutputs<T>& outputs, index_t first) {
  sum_outputs<T, kTaps>(outputs, first, IndicesTo<kCount>(), IndicesTo<kTaps>());
}

template <class T>
using SumOutputs = void (*)(const LaneOutputs<T>&, index_t);

template <int j, class T, int kOutputs>
HWY_INLINE void add_product(Vector<T> sample, Vector<T> factor, Vector<T> (&sums)[kOutputs]) {
  if constexpr (j >= 0 && j < kOutputs) sums[j] = hn::MulAdd(sample, factor, sums[j]);
}

/// Of the last tap's first sample c vectors on: to each output that has a tap for it.
template <int c, class T, int kOutputs, int... t>
HWY_INLINE void add_sample(const T* from, const Vector<T> (&factors)[sizeof...(t)],
                           Vector<T> (&sums)[kOutputs], Indices<t...>) {
  Vector<T> sample = hn::Load(Tag<T>(), from + c * kLanes<T>);
  keep_in_register(sample);
  constexpr int kLast = sizeof...(t) - 1;
  (add_product<c - kLast + t, T>(sample, factors[t], sums), ...);
}

/// Of taps whose samples are neighbours: each sample is loaded once for all of them.
template <class T, int kTaps, int... c, int... j, int... t>
HWY_INLINE void sum_neighbours(const LaneOutputs<T>& outputs, index_t first, Indices<c...>,
                               Indices<j...>, Indices<t...> taps) {
  constexpr Tag<T> d;
  Vector<T> sums[sizeof...(j)];
  ((sums[j] = hn::Zero(d)), ...);
  const index_t last = outputs.taps[kTaps - 1].sample;
  for (const LaneRow<T>* row = outputs.rows; row != outputs.rows + outputs.row_count; ++row) {
    Vector<T> factors[] = {hn::Load(d, row->factors + outputs.taps[t].factor)...};
    (keep_in_register(factors[t]), ...);
    const T* from = row->samples + first * kLanes<T> + last;
    (add_sample<c, T>(from, factors, sums, taps), ...);
  }
  T* to = outputs.to + first * outputs.step;
  (hn::Store(sums[j], d, to + j * outputs.step), ...);
}

template <class T, int kTaps, int kCount>
void sum_so_many_neighbours(const LaneOutputs<T>& outputs, index_t first) {
  sum_neighbours<T, kTaps>(outputs, first, IndicesTo<kCount + kTaps - 1>(), IndicesTo<kCount>(),
                           IndicesTo<kTaps>());
}

/// By outputs, less one.
template <class T>
using SumFunctions = std::array<SumOutputs<T>, kMostOutputs>;
template <class T, int kTaps, int... j>
constexpr SumFunctions<T> sums_of(Indices<j...>) {
  return {sum_so_many<T, kTaps, j + 1>...};
}

/// So few taps are not counted in a loop, which would end too soon to be predicted.
constexpr int kFewTaps = 3;
template <class T, int... taps>
constexpr std::array<SumFunctions<T>, sizeof...(taps)> sums_by_taps(Indices<taps...>) {
  return {sums_of<T, taps>(IndicesTo<kMostOutputs>())...};
}
template <class T>
constexpr auto kSums = sums_by_taps<T>(IndicesTo<kFewTaps + 1>());

template <class T, int kTaps, int... j>
constexpr SumFunctions<T> sums_of_neighbours(Indices<j...>) {
  return {sum_so_many_neighbours<T, kTaps, j + 1>...};
}
constexpr int kMostNeighbours = 7;
template <class T, int... taps>
constexpr std::array<SumFunctions<T>, sizeof...(taps)> sums_by_neighbours(Indices<taps...>) {
  return {sums_of_neighbours<T, taps + 2>(IndicesTo<kMostOutputs>())...};
}
/// By taps, less two.
template <class T>
constexpr auto kSumsOfNeighbours = sums_by_neighbours<T>(IndicesTo<kMostNeighbours - 1>());

template <class T>
bool are_neighbours(const LaneOutputs<T>& outputs) {
  if (outputs.tap_count < 2 || outputs.tap_count > kMostNeighbours) return false;
  for (index_t t = 1; t < outputs.tap_count; ++t) {
    if (outputs.taps[t].sample != outputs.taps[t - 1].sample - kLanes<T>) return false;
  }
  return true;
}

template <class T>
void convolve(const LaneOutputs<T>& outputs) {
  const SumFunctions<T>& sums =
      are_neighbours(outputs)
          ? kSumsOfNeighbours<T>[static_cast<size_t>(outputs.tap_count - 2)]
          : kSums<T>[static_cast<size_t>(outputs.tap_count > kFewTaps ? 0 : outputs.tap_count)];
  if (outputs.count <= kMostOutputs) {
    return sums[static_cast<size_t>(outputs.count - 1)](outputs, 0);
  }
  // Shared evenly: a single output would wait for each of its FMAs.
  const index_t parts = ceil_divide(outputs.count, kMostOutputs);
  for (index_t part = 0; part < parts; ++part) {
    const index_t first = part * outputs.count / parts;
    const index_t count = (part + 1) * outputs.count / parts - first;
    sums[static_cast<size_t>(count - 1)](outputs, first);
  }
}

template <class T>
constexpr ChannelLanes<T> kChannelLanes{.lanes = kLanes<T>,
                                        .spread = spread<T>,
                                        .are_finite = are_finite<T>,
                                        .convolve = convolve<T>,
                                        .collect = collect<T>};

const ChannelLanes<float>* lanes_f32() { return &kChannelLanes<float>; }
const ChannelLanes<double>* lanes_f64() { return &kChannelLanes<double>; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fullconv {
namespace {

HWY_EXPORT(lanes_f32);
HWY_EXPORT(lanes_f64);

}  // namespace

template <>
const ChannelLanes<float>& channel_lanes<float>() {
  return *HWY_DYNAMIC_DISPATCH(lanes_f32)();
}
template <>
const ChannelLanes<double>& channel_lanes<double>() {
  return *HWY_DYNAMIC_DISPATCH(lanes_f64)();
}

}  // namespace fullconv
#endif
