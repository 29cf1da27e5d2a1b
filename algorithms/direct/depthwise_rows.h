#pragma once

#include <algorithm>

#include "core/buffer.h"
#include "core/parallel.h"
#include "core/past_caches.h"
#include "core/plane.h"
#include "core/recompute.h"
#include "core/simd_target.h"
#include "core/steps.h"
#include "direct/channel_rows.h"
#include "direct/depthwise_blocking.h"

// depthwise with stride 2 and rows as they lie.
namespace fullconv::depthwise {

/// Channels as they lie. A few at a time are copied to between zeros: loads that cross the borders
/// of stores wait until these have reached the cache.
template <class T>
class RowsPlan final : public Plan<T> {
 public:
  RowsPlan(const Problem& p, int threads)
      : Plan<T>(p),
        threads_(threads),
        blocking_(choose_row_blocking<T>(p)),
        kernels_(channel_rows<T>()),
        past_caches_(leaves_caches<T>(p)),
        staged_(threads * blocking_.room) {}

  std::size_t workspace_bytes() const override { return staged_.bytes(); }
  int threads() const override { return threads_; }
  std::string implementation() const override { return simd_target(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    for_each_block(threads_,
                   std::array{this->problem().N, blocking_.channel_blocks, blocking_.bands},
                   [&](index_t n, index_t block, index_t band, int thread) {
                     compute(n, block, band, staged_.data() + thread * blocking_.room, x, k, y);
                   });
  }

 private:
  void compute(index_t n, index_t block, index_t band, T* staged, const TensorView<const T>& x,
               const TensorView<const T>& k, const TensorView<T>& y) {
    const Problem& p = this->problem();
    const Range channels{block * blocking_.channels,
                         std::min((block + 1) * blocking_.channels, p.C)};
    StepTimer timing(Step::copies);
    for (index_t c = channels.begin; c < channels.end; ++c) {
      if (kernels_.is_finite(plane(k, c, 0))) continue;
      if (band > 0) return;
      for (index_t d = channels.begin; d < channels.end; ++d) recompute(p, x, k, n, d, y);
      return;
    }
    const PairedAxis &rows = blocking_.rows, &columns = blocking_.columns;
    const Range pairs{band * blocking_.band_pairs,
                      std::min((band + 1) * blocking_.band_pairs, rows.pairs())};
    const Range wanted{rows.first_sample + pairs.begin - rows.before(),
                       rows.first_sample + pairs.end + rows.behind()};
    const index_t pitch = blocking_.pitch, step = blocking_.staged_rows * pitch;
    for (index_t c = channels.begin; c < channels.end; ++c) {
      stage(plane(x, n, c), wanted, staged + (c - channels.begin) * step);
    }
    timing.enter(Step::direct);
    const Plane<T> outputs = plane(y, n, channels.begin);
    StagedChannels<T> of{.count = channels.size(),
                         .samples = staged + rows.before() * pitch + columns.before(),
                         .pitch = pitch,
                         .samples_step = step,
                         .k = plane(k, channels.begin, 0),
                         .k_step = k.strides[0],
                         .rows = rows,
                         .columns = columns,
                         .y = outputs,
                         .y_step = y.strides[1],
                         .past_caches = past_caches_};
    of.y.data = outputs.row(2 * pairs.begin);
    of.rows.outputs = std::min(2 * pairs.end, rows.outputs) - 2 * pairs.begin;
    kernels_.convolve(of);
  }

  /// The wanted rows of samples, with zeros around them. Those around an only band are there.
  void stage(const Plane<const T>& x, Range wanted, T* staged) {
    const index_t pitch = blocking_.pitch;
    const Range met = intersection(wanted, {0, x.rows});
    const Plane<T> to{staged, wanted.size(), pitch, pitch};
    if (met.empty()) return fill_zero(to);
    const auto zero = [&](Range some) {
      if (blocking_.bands == 1) return;
      std::fill(to.row(some.begin - wanted.begin), to.row(some.end - wanted.begin), T{0});
    };
    zero({wanted.begin, met.begin});
    const index_t first = blocking_.columns.first_sample - blocking_.columns.before();
    kernels_.stage(x, met, {first, first + pitch}, to.row(met.begin - wanted.begin), pitch);
    zero({met.end, wanted.end});
  }

  int threads_;
  RowBlocking blocking_;
  const ChannelRows<T>& kernels_;
  bool past_caches_;
  Buffer<T> staged_;
};

}  // namespace fullconv::depthwise
