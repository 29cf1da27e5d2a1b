// What depthwise takes: sums by FMAs and by runs of them, or by vectors where rows are taken as
// they lie, transpositions by squares, and operands that are far; counted by its bands.

#include "costs/depthwise.h"

#include <algorithm>

#include "core/forecast.h"
#include "direct/channel_lanes.h"

namespace fullconv {
namespace {

constexpr FarByte kFar{0.012, 0x1p19, 4};

}  // namespace

template <class T>
std::vector<Forecast::Term> depthwise_terms(const Problem& p, const depthwise::LaneBlocking& b) {
  const index_t lanes = channel_lanes<T>().lanes;
  const auto of = [](index_t count) { return static_cast<double>(count); };
  const double blocks = of(p.N * b.channel_blocks);
  const double squares = of(b.bands) * of(ceil_divide(p.h * p.w, lanes)) +
                         of(b.bands) * of(ceil_divide(std::min(p.H, b.most_x_rows) * p.W, lanes)) +
                         of(b.bands) * of(ceil_divide(b.band_rows * p.output_columns(), lanes));
  // Zeros beside the image are multiplied, those above and below are not.
  const double met = of(std::min(p.H * p.stride.y, p.output_rows()) * p.h) / of(p.stride.y);
  const double fmas = met * of(p.output_columns() * p.w) / of(p.stride.x);
  constexpr double kFma = 0.1e-9, kRun = 3.5e-9, kSquare = 13e-9, kCall = 0.2e-6;
  // Operands of FMAs out of the second-level cache: n1_i96_o96_56x56_k7x7_p3x3x3x3_g96.
  const double band_bytes =
      sizeof(T) * of(lanes) * (of(b.most_x_rows * b.pitch) + of(b.band_rows * p.output_columns()));
  const double far = 1 + 0.4 * distance(band_bytes, 0x1p16, 2);
  return {{"sums", blocks * (fmas * far * kFma + met * of(p.stride.x) * kRun)},
          {"transpositions", blocks * squares * of(lanes) / 16 * kSquare + kCall},
          {"copies", 1e-9 * kFar.of(image_bytes(p, sizeof(T)))}};
}

template <class T>
std::vector<Forecast::Term> depthwise_terms(const Problem& p, const depthwise::RowBlocking& b) {
  const auto of = [](index_t count) { return static_cast<double>(count); };
  const double planes = of(p.N * p.C);
  const index_t lanes = channel_rows<T>().lanes;
  const double rows = of(b.rows.pairs() + b.bands * (b.staged_rows - b.band_pairs));
  const double vectors = of(ceil_divide(b.columns.pairs(), lanes));
  constexpr double kFma = 0.1e-9, kVector = 4e-9, kPlane = 8e-9;
  return {{"sums", planes * (rows * vectors * (of(p.h * p.w) * kFma + kVector) + kPlane)},
          {"copies", 1e-9 * kFar.of(image_bytes(p, sizeof(T)))}};
}

template std::vector<Forecast::Term> depthwise_terms<float>(const Problem&,
                                                            const depthwise::LaneBlocking&);
template std::vector<Forecast::Term> depthwise_terms<double>(const Problem&,
                                                             const depthwise::LaneBlocking&);

template std::vector<Forecast::Term> depthwise_terms<float>(const Problem&,
                                                            const depthwise::RowBlocking&);
template std::vector<Forecast::Term> depthwise_terms<double>(const Problem&,
                                                             const depthwise::RowBlocking&);

}  // namespace fullconv
