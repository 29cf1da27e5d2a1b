#pragma once

#include <algorithm>

#include "core/buffer.h"
#include "core/layer_axis.h"
#include "core/plane.h"
#include "direct/channel_lanes.h"

// How depthwise cuts a layer.
namespace fullconv::depthwise {

/// How the work is cut: y into bands of rows, which with the rows of x that they meet are in a near
/// cache as vectors of channels.
struct Blocking {
  index_t zeros_before, pitch;  // vectors beside a row's samples, and from one row to the next
  index_t band_rows, bands;
  index_t most_x_rows;  // that a band meets
  index_t channel_blocks;
};

template <class T>
Blocking choose_blocking(const Problem& p) {
  const index_t lanes = channel_lanes<T>().lanes;
  const LayerAxis rows = LayerAxis::rows_of(p), columns = LayerAxis::columns_of(p);
  Blocking b{};
  b.zeros_before = columns.zeros_before();
  b.pitch = b.zeros_before + columns.samples + columns.zeros_behind();
  b.channel_blocks = ceil_divide(p.C, lanes);
  constexpr index_t kBandBytes = 48 * 1024;
  const index_t x_row = b.pitch * lanes * static_cast<index_t>(sizeof(T));
  const index_t y_row = p.output_columns() * lanes * static_cast<index_t>(sizeof(T));
  // A band needs 1/stride of a row of x for each of its rows of y, and these bytes besides.
  const index_t repeated = std::min(rows.most_shift(), p.H) * x_row;
  const index_t fitting = (kBandBytes - repeated) / (y_row + ceil_divide(x_row, p.stride.y));
  const index_t fewest = std::min(p.h * p.dilation.y, p.output_rows());
  b.bands = ceil_divide(p.output_rows(), std::clamp(fitting, fewest, p.output_rows()));
  b.band_rows = ceil_divide(p.output_rows(), b.bands);
  b.bands = ceil_divide(p.output_rows(), b.band_rows);
  b.most_x_rows = std::min(p.H, (b.band_rows - 1 + (p.h - 1) * p.dilation.y) / p.stride.y + 1);
  return b;
}

/// Elements of a thread's room.
template <class T>
struct Room {
  index_t x, y, k, rows;

  Room(const Problem& p, const Blocking& b) {
    const index_t lanes = channel_lanes<T>().lanes;
    x = share_of_thread(b.most_x_rows * b.pitch * lanes, sizeof(T));
    y = share_of_thread(b.band_rows * p.output_columns() * lanes, sizeof(T));
    k = share_of_thread(p.h * p.w * lanes, sizeof(T));
    rows = share_of_thread(p.h, sizeof(LaneRow<T>));
  }
};

}  // namespace fullconv::depthwise
