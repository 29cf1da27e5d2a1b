#include "costs/overlap_save.h"

#include <algorithm>

#include "core/forecast.h"

namespace fullconv {
namespace {

/// Measured on processors with AVX-512 and with AVX2. A strip that leaves the first-level cache
/// takes longer. A Zen 5 takes 0.95 of what a Xeon does for the shortest and 0.78 for the longest,
/// down wide strips, which is what stands here: off by 12 % next to 120 random planes.
constexpr Side kSides[] = {{16, {2.85, 0.665}, {5.8, 2.2}},    {32, {3.51, 1.44}, {5.7, 2.4}},
                           {48, {4.59, 2.34}, {5.9, 3.1}},     {64, {4.25, 1.95}, {6, 3.1}},
                           {80, {5.27, 2.72}, {6.4, 3.4}},     {96, {5.44, 2.8}, {6.5, 3.4}},
                           {128, {5.46, 2.65}, {6.8, 3.4}},    {160, {6.16, 2.96}, {7.3, 3.8}},
                           {192, {6.63, 2.96}, {7.6, 4.4}},    {240, {7.8, 3.82}, {8.2, 4.6}},
                           {256, {7.18, 3.12}, {8, 4.4}},      {320, {8.03, 3.67}, {9.6, 4.7}},
                           {384, {11.3, 7.18}, {9.9, 4.7}},    {480, {12.6, 7.72}, {10.9, 5.5}},
                           {512, {9.83, 4.68}, {10.5, 5.3}},   {640, {12.6, 7.57}, {12.5, 7.3}},
                           {768, {12.6, 7.25}, {14.3, 9.6}},   {960, {13.7, 8.19}, {16.1, 11.3}},
                           {1024, {13.6, 8.27}, {16.8, 11.3}}, {1280, {13.9, 8.03}, {18.4, 14.1}},
                           {1536, {14.2, 8.35}, {19.3, 13.7}}, {2048, {14.9, 8.66}, {22, 17}},
                           {2560, {17.4, 9.13}, {24.6, 18.9}}, {3072, {17.5, 10.8}, {31.5, 24.9}},
                           {4096, {20, 9.52}, {29.1, 23}},     {5120, {19.8, 12.6}, {39.1, 31.5}},
                           {6144, {21.4, 11.5}, {36.8, 29}},   {8192, {26, 12.9}, {39.9, 31.2}}};

/// What else there is to do, in seconds.
struct OtherCosts {
  // For a row of a strip:
  double clear;      // an empty one
  double store;      // one that is stored to y
  double far_store;  // what storing takes more outside of caches
  double far;        // a vector of a spectrum that does not fit into the second-level cache
  // For memory:
  double near_row;      // a row of a tile of x or y, however short
  double far_row;       // what such a row takes more outside of caches
  double far_byte;      // a byte of x or y, eight times farther than the second-level cache
  double far_spectrum;  // a byte of a spectrum that does not fit into several such caches
};
constexpr OtherCosts kWideCosts{.clear = 1.4e-9,
                                .store = 2.7e-9,
                                .far_store = 2e-9,
                                .far = 1.6e-9,
                                .near_row = 0.5e-9,
                                .far_row = 4e-9,
                                .far_byte = 0.014e-9,
                                .far_spectrum = 0.078e-9};
constexpr OtherCosts kNarrowCosts{.clear = 0.7e-9,
                                  .store = 0.7e-9,
                                  .far_store = 1e-9,
                                  .far = 0.8e-9,
                                  .near_row = 0,
                                  .far_row = 0,
                                  .far_byte = 0.027e-9,
                                  .far_spectrum = 0};

bool has_wide_vectors() { return TileTransform<float>::lanes() * sizeof(float) >= 64; }
const OtherCosts& other_costs() { return has_wide_vectors() ? kWideCosts : kNarrowCosts; }

}  // namespace

std::span<const Side> transform_sides() { return kSides; }

TileTimes tile_times(const Problem& problem, const Tiling& tiling, const Side& rows,
                     const Side& columns, std::size_t scalar_size) {
  constexpr double kTile = 56e-9;
  // For a row of a strip:
  constexpr double kWeight = 0.4e-9;
  constexpr double kFold = 4e-9;  // adding another part to a residue
  constexpr double kJoin = 3e-9;  // adding a residue to a result
  // For a row of y: the cache line that holds columns of two threads.
  constexpr double kSharedLine = 15e-9;
  const index_t H = problem.H, W = problem.W, h = problem.h, w = problem.w;
  const index_t lanes =
      scalar_size == sizeof(float) ? TileTransform<float>::lanes() : TileTransform<double>::lanes();
  const bool wide = has_wide_vectors();
  const OtherCosts& costs = other_costs();
  const auto P = static_cast<double>(rows.length);
  const double strips = static_cast<double>(columns.length / lanes);  // of columns
  const auto strips_of = [lanes](index_t begin, index_t end) {
    return static_cast<double>(ceil_divide(end, lanes) - begin / lanes);
  };
  // Strips of the image that are not empty. If two tiles go through one transform, a strip counts
  // if either of them fills it, since of the outermost tiles only one is half full; if one tile
  // does, the strips of an inner tile count.
  const Cut& cut = tiling.columns;
  const double filled = cut.tiles == 1
                            ? strips_of(cut.samples.begin, cut.samples.end)
                            : strips_of(0, std::min(columns.length, problem.output_columns()));
  const double wanted = strips_of(cut.first, cut.tiles == 1 ? cut.first + cut.outputs : cut.length);
  const double taps = strips_of(0, w);
  const bool right_angle = tiling.packing == Packing::right_angle;
  const int residues = tiling.residues;
  const double stored =
      static_cast<double>(tiling.rows.outputs) / row_parts(tiling.packing, residues);

  const double operands =
      static_cast<double>(scalar_size) *
      static_cast<double>(H * W + problem.output_rows() * problem.output_columns());
  const double a_row =
      1e-9 * (wide ? rows.wide : rows.narrow).down + (right_angle || residues > 1 ? kWeight : 0);
  const double store = costs.store + costs.far_store * distance(operands, 0x1p17, 16);
  const double across = 1e-9 * strips * P * (wide ? columns.wide : columns.narrow).across;
  const double bytes = tiling.bytes(scalar_size);
  const double memory = 4 * strips * P * costs.far * distance(bytes, 0x1p20, 8) +
                        bytes * costs.far_spectrum * distance(bytes, 0x1p23, 4);
  const double tile_row = costs.near_row + costs.far_row * distance(operands, 0x1p20, 64);
  const auto tiles = right_angle ? 1.0 : 2.0;  // of a piece
  const double gathered = tiles * static_cast<double>(std::min(H, tiling.rows.length)) * tile_row;
  const double scattered = tiles * static_cast<double>(tiling.rows.outputs) *
                           (tile_row + (residues > 1 ? kSharedLine : 0));
  const auto forward = [&](double full, index_t plane_rows) {
    const index_t others = std::min<index_t>(ceil_divide(plane_rows, rows.length), residues) - 1;
    const double row = a_row + static_cast<double>(others) * kFold;
    return full * P * row + (strips - full) * P * costs.clear + across + memory;
  };
  const double join = residues > 1 ? residues * kJoin : 0;
  return {.forward = forward(filled, H) + gathered + kTile,
          .kernel = forward(taps, h),
          .backward =
              across + wanted * (P * (a_row + join) + stored * store) + memory + scattered + kTile};
}

OverlapSaveTimes overlap_save_times(const Problem& problem, const Tiling& tiling,
                                    const TileTimes& tile, int threads, std::size_t scalar_size) {
  // For a layer, for each byte of a kernel's spectrum: multiplying and adding it from a cache, what
  // memory adds to that, and writing it to memory.
  constexpr double kProductByte = 0.017e-9;
  constexpr double kFarProductByte = 0.026e-9;
  constexpr double kFarKernelByte = 0.15e-9;
  constexpr double kRound = 0.6e-6;
  // For each byte that goes from one core's cache to another's: a kernel's spectrum, to all
  // threads; and what a residue's thread writes for the others, which it later has to get back into
  // its own cache.
  constexpr double kHandedByte = 0.07e-9;
  constexpr double kLeftByte = 0.16e-9;
  constexpr double kCall = 60e-9;
  const OtherCosts& costs = other_costs();
  const index_t N = problem.N, K = problem.K, C = problem.C, H = problem.H, W = problem.W;
  const index_t kept = tiling.kept_channels(problem, scalar_size);
  const auto passages = static_cast<double>(ceil_divide(C, kept));
  const auto images = static_cast<double>(K);
  const auto outputs = static_cast<double>(C);
  const double spectra = tiling.bytes(scalar_size) * images * outputs;
  const double product_byte = kProductByte + kFarProductByte * distance(spectra, 0x1p22, 32);
  const double products = K == 1 ? 0 : product_byte * spectra;
  const double writing =
      kFarKernelByte * tiling.bytes(scalar_size) *
      distance(tiling.bytes(scalar_size) * static_cast<double>(K * kept), 0x1p20, 16);
  const double piece = tile.forward * images * passages + tile.backward * outputs;
  const int sharing = tiling.residues > 1 ? 1 : threads;  // the pieces
  const auto shared_pieces = static_cast<double>(ceil_divide(N * tiling.pieces(), sharing));
  const bool copied = kernel_copies(problem, tiling, threads) > 1;
  const auto shared_kernels =
      passages * static_cast<double>(ceil_divide(K * kept, copied ? 1 : sharing));
  const double operands =
      static_cast<double>(scalar_size) * static_cast<double>(N) *
      static_cast<double>(K * H * W + C * problem.output_rows() * problem.output_columns());
  double forking = 0;
  if (sharing > 1) {
    forking = copied ? passages * kForkingSeconds
                     : 2 * passages * kForkingSeconds + spectra * kHandedByte;
  } else if (threads > 1) {
    const double left = tiling.bytes(scalar_size) * (threads - 1) / threads;
    forking =
        passages * kForkingSeconds + shared_pieces * outputs * (2 * kRound + left * kLeftByte);
  }
  return {.tiles = shared_pieces * piece + kCall,
          .products = shared_pieces * products,
          .kernels = shared_kernels * (tile.kernel + (K * C == 1 ? 0 : writing)),
          .memory = operands * costs.far_byte * 2 * distance(operands, 0x1p21, 64),
          .forking = forking};
}

}  // namespace fullconv
