#pragma once

#include <algorithm>

#include "core/buffer.h"
#include "core/layer_axis.h"
#include "core/plane.h"
#include "direct/channel_lanes.h"
#include "direct/channel_rows.h"

// How depthwise cuts a layer.
namespace fullconv::depthwise {

/// How the work is cut: y into bands of rows, which with the rows of x that they meet are in a near
/// cache as vectors of channels.
struct LaneBlocking {
  index_t zeros_before, pitch;  // vectors beside a row's samples, and from one row to the next
  index_t band_rows, bands;
  index_t most_x_rows;  // that a band meets
  index_t channel_blocks;
};

template <class T>
LaneBlocking choose_lane_blocking(const Problem& p) {
  const index_t lanes = channel_lanes<T>().lanes;
  const LayerAxis rows = LayerAxis::rows_of(p), columns = LayerAxis::columns_of(p);
  LaneBlocking b{};
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
struct LaneRoom {
  index_t x, y, k, rows;

  LaneRoom(const Problem& p, const LaneBlocking& b) {
    const index_t lanes = channel_lanes<T>().lanes;
    x = share_of_thread(b.most_x_rows * b.pitch * lanes, sizeof(T));
    y = share_of_thread(b.band_rows * p.output_columns() * lanes, sizeof(T));
    k = share_of_thread(p.h * p.w * lanes, sizeof(T));
    rows = share_of_thread(p.h, sizeof(LaneRow<T>));
  }
};

inline PairedAxis paired(const LayerAxis& axis) {
  return {.taps = axis.taps,
          .residue = axis.outputs.begin % 2,
          .first_sample = axis.outputs.begin / 2,
          .outputs = axis.outputs.size()};
}

/// How rows are cut: pairs of them into bands, which for a few channels are copied together.
struct RowBlocking {
  PairedAxis rows, columns;
  index_t pitch, band_pairs, bands, staged_rows, channels, channel_blocks;
  index_t room;  // elements of a thread
};

template <class T>
RowBlocking choose_row_blocking(const Problem& p) {
  RowBlocking b{};
  b.rows = paired(LayerAxis::rows_of(p));
  b.columns = paired(LayerAxis::columns_of(p));
  const index_t lanes = channel_rows<T>().lanes;
  const index_t columns = b.columns.before() + b.columns.pairs() + b.columns.behind();
  b.pitch = ceil_divide(columns, lanes) * lanes;
  constexpr index_t kStagedBytes = 16 * 1024, kMostChannels = 4, kFewestPairs = 8;
  const index_t beside = b.rows.before() + b.rows.behind();
  const index_t fitting = kStagedBytes / static_cast<index_t>(sizeof(T)) / b.pitch;
  const index_t pairs = b.rows.pairs();
  b.bands = ceil_divide(pairs, std::min(pairs, std::max(fitting - beside, kFewestPairs)));
  b.band_pairs = ceil_divide(pairs, b.bands);
  b.bands = ceil_divide(pairs, b.band_pairs);
  b.staged_rows = b.band_pairs + beside;
  b.channels = std::clamp<index_t>(fitting / b.staged_rows, 1, std::min(kMostChannels, p.C));
  b.channel_blocks = ceil_divide(p.C, b.channels);
  // Vectors of samples may end behind the last row.
  b.room = share_of_thread(b.channels * b.staged_rows * b.pitch + 2 * lanes, sizeof(T));
  return b;
}

/// Whether rows are taken as they lie, and channels not transposed. In float with one thread on a
/// Xeon n1_i256_o256_14x14_k3x3_p1x1x1x1_s2x2_g256_op1x1 took 0.63 times as long so,
/// n1_i128_o128_28x28_k3x3_p1x1x1x1_s2x2_g128_op1x1 0.57 times; with ten pairs for sixteen lanes
/// n1_i480_o480_10x10_k3x3_p1x1x1x1_s2x2_g480_op1x1 1.04 times, in double 0.87 times, and with
/// eight of them 1.18 times. With AVX2 n1_i480_o480_10x17_k3x3_s2x2_g480, whose rows end within a
/// vector, took 1.15 times as long, n1_i512_o512_7x7_k3x3_p1x1x1x1_s2x2_g512_op1x1 2 times,
/// n1_i256_o256_14x14_k3x3_p1x1x1x1_s2x2_g256_op1x1 0.65 times.
template <class T>
bool takes_rows(const Problem& p) {
  if (p.stride != PerAxis{2, 2} || p.dilation != PerAxis{1, 1}) return false;
  if (!has_rows_kernel(p.h) || p.w < 2) return false;
  const index_t lanes = channel_rows<T>().lanes;
  const index_t pairs = ceil_divide(p.output_columns(), 2);
  if (!channel_rows<T>().stores_parts && (pairs < lanes || p.output_columns() % 2 > 0)) {
    return false;
  }
  return 8 * pairs >= 5 * ceil_divide(pairs, lanes) * lanes;
}

}  // namespace fullconv::depthwise
