#pragma once

#include <algorithm>

#include "core/buffer.h"
#include "core/layer_axis.h"
#include "core/parallel.h"
#include "core/past_caches.h"
#include "core/plane.h"
#include "core/recompute.h"
#include "core/simd_target.h"
#include "core/steps.h"
#include "direct/channel_lanes.h"
#include "direct/depthwise_blocking.h"

// depthwise with channels as the lanes of vectors.
namespace fullconv::depthwise {

/// The outputs of a row that have one residue, and the taps that they take.
struct Residue {
  index_t first_output, outputs;
  index_t first_tap, taps;
};

/// Planes of as many channels as a vector has lanes are transposed, so that a vector holds one
/// sample of all of them, and back. Then every stride and dilation is a distance between vectors,
/// low planes leave no lanes empty, and taps that meet no row are left out.
template <class T>
class LanesPlan final : public Plan<T> {
 public:
  LanesPlan(const Problem& p, int threads)
      : Plan<T>(p),
        threads_(threads),
        blocking_(choose_lane_blocking<T>(p)),
        kernels_(channel_lanes<T>()),
        room_(p, blocking_),
        past_caches_(leaves_caches<T>(p)),
        x_(threads * room_.x),
        y_(threads * room_.y),
        k_(threads * room_.k),
        rows_(threads * room_.rows),
        places_(blocking_.most_x_rows * p.W),
        factor_places_(p.h * p.w),
        taps_(p.w),
        columns_(p.stride.x),
        row_taps_(p.h),
        first_row_taps_(p.stride.y + 1) {
    for (index_t e = 0; e < blocking_.most_x_rows * p.W; ++e) {
      places_[e] = e / p.W * blocking_.pitch + blocking_.zeros_before + e % p.W;
    }
    for (index_t t = 0; t < p.h * p.w; ++t) factor_places_[t] = t;
    const index_t lanes = kernels_.lanes;
    const LayerAxis rows = LayerAxis::rows_of(p), columns = LayerAxis::columns_of(p);
    index_t count = 0;
    for (index_t a = 0; a < columns.stride; ++a) {
      const Range numbers = columns.numbers_of(a);
      const index_t first_tap = count;
      for (index_t q = 0; q < columns.taps; ++q) {
        if (columns.residue(q) != a) continue;
        taps_[count++] = {.sample = (numbers.begin - columns.shift(q)) * lanes,
                          .factor = q * lanes};
      }
      columns_[a] = {.first_output = numbers.begin * columns.stride + a - columns.outputs.begin,
                     .outputs = numbers.size(),
                     .first_tap = first_tap,
                     .taps = count - first_tap};
    }
    count = 0;
    for (index_t a = 0; a < rows.stride; ++a) {
      for (index_t tap = 0; tap < rows.taps; ++tap) {
        if (rows.residue(tap) != a) continue;
        row_taps_[count++] = {.sample = rows.shift(tap), .factor = tap};
      }
      first_row_taps_[a + 1] = count;
    }
  }

  std::size_t workspace_bytes() const override {
    return x_.bytes() + y_.bytes() + k_.bytes() + rows_.bytes() + places_.bytes() +
           factor_places_.bytes() + taps_.bytes() + columns_.bytes() + row_taps_.bytes() +
           first_row_taps_.bytes();
  }
  int threads() const override { return threads_; }
  std::string implementation() const override { return simd_target(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const Problem& p = this->problem();
    for_each_block(threads_, std::array{p.N, blocking_.channel_blocks, blocking_.bands},
                   [&](index_t n, index_t block, index_t band, int thread) {
                     compute(n, block, band, thread, x, k, y);
                   });
  }

 private:
  void compute(index_t n, index_t block, index_t band, int thread, const TensorView<const T>& x,
               const TensorView<const T>& k, const TensorView<T>& y) {
    const Problem& p = this->problem();
    const index_t first = block * kernels_.lanes;
    const index_t channels = std::min(kernels_.lanes, p.C - first);
    StepTimer timing(Step::copies);
    if (!spread_kernels(k, first, channels, k_.data() + thread * room_.k)) {
      if (band > 0) return;
      for (index_t c = first; c < first + channels; ++c) recompute(p, x, k, n, c, y);
      return;
    }
    const Range rows{band * blocking_.band_rows,
                     std::min((band + 1) * blocking_.band_rows, p.output_rows())};
    const index_t top = p.padding.top;
    const Range met = LayerAxis::rows_of(p).samples_met({rows.begin + top, rows.end + top});
    T* samples = x_.data() + thread * room_.x;
    spread_samples(x, n, first, channels, met, samples);
    timing.enter(Step::direct);
    T* sums = y_.data() + thread * room_.y;
    index_t number = (rows.begin + top) / p.stride.y, residue = (rows.begin + top) % p.stride.y;
    for (index_t i = 0; i < rows.size(); ++i) {
      compute_row(number, residue, met, thread, sums + i * y.extents[3] * kernels_.lanes);
      if (++residue == p.stride.y) residue = 0, ++number;
    }
    timing.enter(Step::copies);
    collect_sums(sums, n, first, channels, rows, y);
  }

  /// To one vector for each tap. False where one is not finite.
  bool spread_kernels(const TensorView<const T>& k, index_t first, index_t channels, T* to) const {
    const Problem& p = this->problem();
    const bool is_dense = k.strides[2] == p.w;
    const index_t at_once = is_dense ? p.h * p.w : p.w;
    for (index_t row = 0; row < (is_dense ? 1 : p.h); ++row) {
      kernels_.spread(&k(first, 0, row, 0), k.strides[0], channels, at_once,
                      factor_places_.data() + row * p.w, to);
    }
    return kernels_.are_finite(to, p.h * p.w);
  }

  void spread_samples(const TensorView<const T>& x, index_t n, index_t first, index_t channels,
                      Range rows, T* to) const {
    const Problem& p = this->problem();
    if (rows.empty()) return;
    const T* from = &x(n, first, rows.begin, 0);
    if (x.strides[2] == p.W) {
      kernels_.spread(from, x.strides[1], channels, rows.size() * p.W, places_.data(), to);
      return;
    }
    for (index_t r = 0; r < rows.size(); ++r) {
      kernels_.spread(from + r * x.strides[2], x.strides[1], channels, p.W,
                      places_.data() + r * p.W, to);
    }
  }

  void collect_sums(const T* sums, index_t n, index_t first, index_t channels, Range rows,
                    const TensorView<T>& y) const {
    const index_t columns = y.extents[3];
    T* to = &y(n, first, rows.begin, 0);
    if (y.strides[2] == columns) {
      kernels_.collect(sums, rows.size() * columns, channels, to, y.strides[1], past_caches_);
      return;
    }
    for (index_t i = 0; i < rows.size(); ++i) {
      kernels_.collect(sums + i * columns * kernels_.lanes, columns, channels,
                       to + i * y.strides[2], y.strides[1], past_caches_);
    }
  }

  /// Row number·stride + residue of the full output, of which the rows `met` of x are there.
  void compute_row(index_t number, index_t residue, Range met, int thread, T* to) const {
    const Problem& p = this->problem();
    const index_t lanes = kernels_.lanes;
    const T* samples = x_.data() + thread * room_.x;
    const T* factors = k_.data() + thread * room_.k;
    LaneRow<T>* rows = rows_.data() + thread * room_.rows;
    index_t row_count = 0;
    const index_t first = (blocking_.zeros_before - met.begin * blocking_.pitch) * lanes;
    for (index_t t = first_row_taps_[residue]; t < first_row_taps_[residue + 1]; ++t) {
      const index_t r = number - row_taps_[t].sample;
      if (r < 0 || r >= p.H) continue;
      rows[row_count++] = {samples + first + r * blocking_.pitch * lanes,
                           factors + row_taps_[t].factor * p.w * lanes};
    }
    for (index_t a = 0; a < p.stride.x; ++a) {
      const Residue& columns = columns_[a];
      if (columns.outputs == 0) continue;
      kernels_.convolve({.rows = rows,
                         .row_count = row_count,
                         .taps = taps_.data() + columns.first_tap,
                         .tap_count = columns.taps,
                         .to = to + columns.first_output * lanes,
                         .step = p.stride.x * lanes,
                         .count = columns.outputs});
    }
  }

  int threads_;
  LaneBlocking blocking_;
  const ChannelLanes<T>& kernels_;
  LaneRoom<T> room_;
  bool past_caches_;
  Buffer<T> x_, y_, k_;
  Buffer<LaneRow<T>> rows_;        // of x and k that a row of y meets
  Buffer<index_t> places_;         // of a band's samples, in vectors
  Buffer<index_t> factor_places_;  // of a kernel's taps
  Buffer<LaneTap> taps_;           // by residue
  Buffer<Residue> columns_;
  Buffer<LaneTap> row_taps_;  // by residue: which row of x before its number, which of k
  Buffer<index_t> first_row_taps_;
};

}  // namespace fullconv::depthwise
