#include "core/reduction.h"

#include "core/plane.h"

namespace fullconv {
namespace {

/// ⌊a / b⌋ for b > 0.
constexpr index_t floor_divide(index_t a, index_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// By Euclid: with std::gcd here, a build by GCC 12.2 at -O3 without -march gave steps as if that
/// of 1 and 5 were 5. With -O2, with -march=native and with sanitizers it did not.
constexpr index_t greatest_common_divisor(index_t a, index_t b) {
  while (b != 0) {
    const index_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

bool same_shape(const AxisPart& a, const AxisPart& b) {
  return a.samples == b.samples && a.taps == b.taps && a.window == b.window;
}

/// Reduces an axis with `size` samples, of which y has the outputs [before, before + outputs).
AxisReduction reduce_axis(index_t size, index_t taps, index_t stride, index_t dilation,
                          index_t before, index_t outputs) {
  const index_t common = greatest_common_divisor(stride, dilation);
  AxisReduction axis{.sample_step = dilation / common,
                     .tap_step = stride / common,
                     .output_step = stride / common * dilation,
                     .parts = {},
                     .shapes = {},
                     .reaches_all = false};
  index_t reached = 0;
  for (index_t tap = 0; tap < std::min(axis.tap_step, taps); ++tap) {
    for (index_t sample = 0; sample < std::min(axis.sample_step, size); ++sample) {
      const index_t part_samples = ceil_divide(size - sample, axis.sample_step);
      const index_t part_taps = ceil_divide(taps - tap, axis.tap_step);
      // Where y begins and ends, seen from the part's first output.
      const index_t begin = before - sample * stride - tap * dilation;
      const Range wanted = intersection({0, part_samples + part_taps - 1},
                                        {-floor_divide(-begin, axis.output_step),
                                         floor_divide(begin + outputs - 1, axis.output_step) + 1});
      if (wanted.empty()) continue;
      // What no wanted output depends on is left out.
      const Range used_samples =
          intersection({0, part_samples}, {wanted.begin - part_taps + 1, wanted.end});
      const Range used_taps =
          intersection({0, part_taps}, {wanted.begin - part_samples + 1, wanted.end});
      const index_t left_out = used_samples.begin + used_taps.begin;
      AxisPart part{.first_sample = sample + axis.sample_step * used_samples.begin,
                    .samples = used_samples.size(),
                    .first_tap = tap + axis.tap_step * used_taps.begin,
                    .taps = used_taps.size(),
                    .first_output = axis.output_step * wanted.begin - begin,
                    .window = {wanted.begin - left_out, wanted.end - left_out},
                    .shape = 0};
      const auto known = std::ranges::find_if(
          axis.shapes, [&](const AxisPart& shape) { return same_shape(shape, part); });
      part.shape = static_cast<std::size_t>(known - axis.shapes.begin());
      if (known == axis.shapes.end()) axis.shapes.push_back(part);
      axis.parts.push_back(part);
      reached += wanted.size();
    }
  }
  axis.reaches_all = reached == outputs;
  return axis;
}

}  // namespace

Reduction::Reduction(const Problem& p)
    : rows(reduce_axis(p.H, p.h, p.stride.y, p.dilation.y, p.padding.top, p.output_rows())),
      columns(reduce_axis(p.W, p.w, p.stride.x, p.dilation.x, p.padding.left, p.output_columns())) {
}

Problem Reduction::part(const Problem& layer, const AxisPart& rows, const AxisPart& columns) {
  return {.N = layer.N,
          .K = layer.K / layer.groups,
          .C = layer.C / layer.groups,
          .H = rows.samples,
          .W = columns.samples,
          .h = rows.taps,
          .w = columns.taps,
          .padding = {.top = rows.window.begin,
                      .left = columns.window.begin,
                      .bottom = rows.samples + rows.taps - 1 - rows.window.end,
                      .right = columns.samples + columns.taps - 1 - columns.window.end}};
}

bool Reduction::is_trivial(const Problem& layer) const {
  return layer.is_dense() && rows.reaches_all && columns.reaches_all && rows.parts.size() == 1 &&
         columns.parts.size() == 1 && part(layer, rows.parts[0], columns.parts[0]) == layer;
}

}  // namespace fullconv
