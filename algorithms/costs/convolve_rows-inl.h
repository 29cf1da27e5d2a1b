// What a plane takes by the forms of direct/convolve_rows-inl.h, fitted to times measured with AVX2
// and AVX-512: operations and bytes that are counted, times a constant for each of their kinds.

#if defined(FULLCONV_COSTS_CONVOLVE_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_COSTS_CONVOLVE_ROWS_INL_H
#undef FULLCONV_COSTS_CONVOLVE_ROWS_INL_H
#else
#define FULLCONV_COSTS_CONVOLVE_ROWS_INL_H
#endif

#include <algorithm>
#include <cmath>

#include "core/forecast.h"
#include "direct/convolve_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// The products of a row or column of so many samples with so many taps that enter the outputs
/// before `end`.
inline double products_before(index_t end, index_t samples, index_t taps) {
  const auto sum_to = [](index_t n) {
    return static_cast<double>(n) * static_cast<double>(n + 1) / 2;
  };
  const index_t most = std::min(samples, taps), outputs = samples + taps - 1;
  if (end <= most) return sum_to(end);
  if (end <= outputs - most)
    return sum_to(most) + static_cast<double>(end - most) * static_cast<double>(most);
  return static_cast<double>(samples) * static_cast<double>(taps) - sum_to(outputs - end);
}

inline double products_in(const Range& outputs, index_t samples, index_t taps) {
  return products_before(outputs.end, samples, taps) -
         products_before(outputs.begin, samples, taps);
}

/// Those that any of the outputs depends on.
inline Range samples_of(const Range& outputs, index_t samples, index_t taps) {
  return {std::max<index_t>(0, outputs.begin - taps + 1), std::min(samples, outputs.end)};
}

/// The time of one plane, in nanoseconds, next to times measured with AVX2.
template <class T>
double flat_nanoseconds(index_t H, index_t W, index_t h, index_t w, const Range& wanted_rows) {
  constexpr double kCall = 85;
  constexpr double kRow = 2;       // of x
  constexpr double kVector = 1.6;  // of y
  constexpr double kFma = 0.295;
  constexpr double kAligned = 0.73;  // times as long, where no load crosses lines
  const auto output_rows = static_cast<double>(wanted_rows.size());
  const auto pitch = static_cast<double>(W + w - 1);
  const double vectors = output_rows * pitch / kLanes<T>;
  // Kernel rows that meet a row of y, or another one of its run: on average.
  const auto kernel_rows = static_cast<double>(h);
  const double run = std::max(1.0, FlatPlane<T>::kMostVectors * kLanes<T> / pitch);
  const double others =
      run < kernel_rows ? (run - 1) * (kernel_rows - run / 2) : kernel_rows * (kernel_rows - 1) / 2;
  const double rows =
      std::min(kernel_rows, (products_in(wanted_rows, H, h) + others) / output_rows);
  const double taps = rows * static_cast<double>(w) * (w == 1 ? kAligned : 1);
  const auto image_rows = static_cast<double>(samples_of(wanted_rows, H, h).size());
  return kCall + kRow * image_rows + vectors * (kVector + taps * kFma);
}

/// Of an image and a kernel: what is read of the image, and what is written.
template <class T>
double plane_bytes(index_t H, index_t W, index_t h, index_t w, const Window& wanted) {
  const Range rows = samples_of(wanted.rows, H, h), columns = samples_of(wanted.columns, W, w);
  return sizeof(T) * static_cast<double>(rows.size() * columns.size() +
                                         wanted.rows.size() * wanted.columns.size());
}

/// The nanoseconds of one plane. What one thing takes beside another was fitted to 3000 times of
/// problems of all shapes on a Xeon, off by 4 % (median); all of it is 0.8 of that on a Zen 5,
/// where it is off by 12 % next to 90 random planes.
template <class T>
double rolling_nanoseconds(index_t H, index_t W, index_t h, index_t w, const Window& wanted) {
  constexpr double kCall = 15;
  constexpr double kFma = 0.08;
  constexpr double kLoad = 0.164;  // of the image
  constexpr double kTap = 0.065;   // to all lanes
  constexpr double kRow = 0.82;    // of a strip, and each of its vectors
  constexpr double kVector = 0.23;
  constexpr double kStaged = 0.256;  // a vector
  constexpr double kByLanes = 0.4;   // a column of taps
  constexpr double kRun = 6.3;       // of rows, and each sum that it leaves and the next one takes
  constexpr double kSum = 0.41;
  constexpr double kWait = 0.0092;  // for an FMA that is missing to hide others' latency
  constexpr FarByte kNear{0.0036, 0x1p15, 4}, kFar{0.0158, 0x1p20, 16};

  const Strips<T> strips(widest_rolling_strip(static_cast<int>(h)), wanted.columns, true);
  // Of a row of the image.
  double loads = 0, taps = 0, waits = 0, staged = 0, by_lanes = 0, vectors = 0;
  const auto count = [&](index_t s) {
    const index_t width = strips.vectors(s);
    const Reach<T> reach(strips.begin(s), width, W, w);
    const auto met = static_cast<double>(reach.taps.size());
    const auto edge = static_cast<double>(reach.edge() / kLanes<T>);
    vectors += static_cast<double>(width);
    loads += met * static_cast<double>(width);
    taps += met;
    waits += met * static_cast<double>(std::max<index_t>(0, 8 - h * width));
    if (reach.is_inside(width)) return;
    if (loads_by_lanes(width, h, w) && reach.has_all_inner(width)) {
      by_lanes += met;
      return;
    }
    const auto& [left, right] = reach.from_image;
    if (left > 0) staged += static_cast<double>(left) + edge;
    if (right < width) staged += static_cast<double>(width - right) + edge;
  };
  // Those far from both ends are alike.
  constexpr index_t kEnd = 16;
  const index_t left = std::min(strips.count, kEnd);
  const index_t right = std::max(left, strips.count - kEnd);
  for (index_t s = 0; s < left; ++s) count(s);
  for (index_t s = right; s < strips.count; ++s) count(s);
  const double others =
      static_cast<double>(ceil_divide(wanted.columns.size(), kLanes<T>)) - vectors;
  loads += others * static_cast<double>(w);
  taps += static_cast<double>((right - left) * w);
  vectors += others;

  const index_t image_rows = samples_of(wanted.rows, H, h).size();
  const auto rows = static_cast<double>(image_rows);
  const auto kernel_rows = static_cast<double>(h);
  const double bytes = plane_bytes<T>(H, W, h, w, wanted);
  const auto runs =
      static_cast<double>(ceil_divide(image_rows, rolling_block_rows(is_far(bytes), h)));
  const auto all_strips = static_cast<double>(strips.count);
  const double a_row = kernel_rows * (loads * kFma + taps * kTap) + loads * kLoad +
                       all_strips * kRow + vectors * kVector + staged * kStaged +
                       by_lanes * kByLanes + waits * kWait;
  return kCall + rows * a_row + runs * (all_strips * kRun + (kernel_rows - 1) * vectors * kSum) +
         kNear.of(bytes) + kFar.of(bytes);
}

/// Nanoseconds of what there is to do.
struct TileCosts {
  double call;
  double fma;
  double wrapped = 0;    // times as long as that
  double load = 0;       // of a low kernel's tap, or of the image for one
  double tile;           // its sums, in and out
  double staged;         // a vector
  double run = 0;        // of tiles
  double row = 0;        // of the image that meets a tile,
  double short_row = 0;  // and what that takes more unless taps hide it
  double latency;        // what a row and tap wait for, where a tile has fewer than two vectors
  FarByte near, far;     // of x and y
};

/// For low kernels and others. Next to 6500 times measured with AVX2, of problems of all shapes,
/// they are off by 7 and 3.5 % (medians).
constexpr TileCosts kNarrowCosts[] = {{.call = 84,
                                       .fma = 0.0819,
                                       .load = 0.153,
                                       .tile = 3.6,
                                       .staged = 0.99,
                                       .run = 5.5,
                                       .latency = 0.19,
                                       .near = {0.0061, 0x1p17, 8},
                                       .far = {0.035, 0x1p23, 8}},
                                      {.call = 42,
                                       .fma = 0.166,
                                       .wrapped = 1.25,
                                       .tile = 6.9,
                                       .staged = 1.06,
                                       .run = 12.2,
                                       .short_row = 0.25,
                                       .latency = 0.345,
                                       .near = {0.0049, 0x1p17, 8},
                                       .far = {0.086, 0x1p23, 8}}};

/// The same with AVX-512, where there are no low kernels: fitted on a Xeon, and 0.8 of that on a
/// Zen 5.
constexpr TileCosts kWideCosts{.call = 0,
                               .fma = 0.138,
                               .wrapped = 1.27,
                               .tile = 4.3,
                               .staged = 1.46,
                               .row = 0.33,
                               .latency = 0.213,
                               .near = {0.0066, 0x1p15, 4},
                               .far = {0.0254, 0x1p20, 16}};

/// The nanoseconds of one plane, with a kernel that is one piece.
template <class T>
double tiled_nanoseconds(index_t H, index_t W, index_t h, index_t w, const Window& wanted) {
  const bool low = is_low<T>(h, W);
  const TileCosts& cost = kVectorsAreLines ? kWideCosts : kNarrowCosts[low ? 0 : 1];
  const auto columns = static_cast<double>(samples_of(wanted.columns, W, w).size());
  const auto kernel_rows = static_cast<double>(h);
  const auto taps = static_cast<double>(w);
  const auto output_rows = static_cast<double>(wanted.rows.size());
  const Columns<T> from(low, W, w, W, wanted.columns);
  const Strips<T> cut(widest_tile(low, h), from.others, false);
  const Strips<T> wrapped(kMostVectors, from.wrapped, false);
  const auto strips = static_cast<double>(cut.count);
  const double width =  // in columns
      static_cast<double>(cut.begin(cut.count) - cut.first) / std::max(strips, 1.0);
  const double vectors = width / kLanes<T>;
  const double wrapped_vectors =
      static_cast<double>(from.wrapped.end - from.wrapped.begin) / kLanes<T>;
  const auto wrapped_strips = static_cast<double>(wrapped.count);
  const double tile_rows = std::ceil(output_rows / kTileRows);
  const double image_rows = kernel_rows + kTileRows - 1;  // that meet a tile

  // Strips beside the image meet some of the taps only.
  const double met_strips = from.wrapped.empty() ? std::min(strips, columns / width + 1) : strips;
  const double met_vectors = met_strips * vectors + cost.wrapped * wrapped_vectors;
  const double fmas = products_in(wanted.rows, H, h) * taps * met_vectors;
  const double a_tile = tile_rows * met_strips;
  const double loads = low ? a_tile * taps * (kernel_rows + image_rows * vectors) : 0;
  const double visits = a_tile * (low ? kernel_rows : image_rows);
  const double waits = visits * taps * std::max(0.0, 2 - vectors);
  const auto first = static_cast<double>(wanted.columns.begin);
  const double left = std::ceil(std::max(0.0, taps - 1 - first) / width);
  const double right =
      std::ceil(std::max(0.0, first + strips * width - static_cast<double>(W)) / width);
  const double staged = from.wrapped.empty() ? std::min(strips, left + right) : wrapped_strips;
  const double staging =
      output_rows * (2 * wrapped_vectors + staged * (vectors + taps / kLanes<T>));
  const double runs = staged + (staged < strips + wrapped_strips ? tile_rows : 0);
  const double bytes = plane_bytes<T>(H, W, h, w, wanted);
  return cost.call + fmas * cost.fma + loads * cost.load +
         tile_rows * (strips + wrapped_strips) * cost.tile + staging * cost.staged +
         runs * cost.run + visits * cost.row + visits / (taps * taps) * cost.short_row +
         waits * cost.latency + cost.near.of(bytes) + cost.far.of(bytes);
}

/// The time of one plane, in nanoseconds.
template <class T>
double plane_nanoseconds(const Problem& problem) {
  const index_t H = problem.H, W = problem.W, h = problem.h, w = problem.w;
  const Window wanted = problem.window();
  if constexpr (!kRollingPays) {
    const index_t all_columns = W + w - 1;
    if (wanted.columns.size() == all_columns && FlatPlane<T>::suits(h, w, all_columns)) {
      return flat_nanoseconds<T>(H, W, h, w, wanted.rows);
    }
  }
  const Pieces<T> pieces(h, w);
  const index_t rows = ceil_divide(h, pieces.down);
  const index_t columns = ceil_divide(w, pieces.across);
  // What a piece in the middle has of the window.
  const auto of_piece = [](const Range& outputs, index_t samples, index_t taps, index_t all) {
    const index_t before = (all - taps) / 2;
    const index_t last = samples + taps - 2;
    const index_t begin = std::clamp<index_t>(outputs.begin - before, 0, last);
    return Range{begin, std::clamp<index_t>(outputs.end - before, begin + 1, last + 1)};
  };
  const Window of_pieces{of_piece(wanted.rows, H, rows, h),
                         of_piece(wanted.columns, W, columns, w)};
  const double piece = rolls(rows) ? rolling_nanoseconds<T>(H, W, rows, columns, of_pieces)
                                   : tiled_nanoseconds<T>(H, W, rows, columns, of_pieces);
  return static_cast<double>(pieces.count()) * piece;
}

template <class T>
PlaneSeconds plane_seconds(const Problem& problem) {
  constexpr double kFma = 0.125;  // of a vector, by two units at 4 GHz
  const Window wanted = problem.window();
  const double fmas = products_in(wanted.rows, problem.H, problem.h) *
                      products_in(wanted.columns, problem.W, problem.w) / kLanes<T>;
  const double all = plane_nanoseconds<T>(problem);
  const double products = std::min(all, fmas * kFma);
  return {.products = 1e-9 * products, .others = 1e-9 * (all - products)};
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
