// What winograd takes: products by vectors of channels, transforms of kernels, samples and outputs
// by the points and the rows of squares that they transpose; counted by its blocking.

#include "costs/winograd.h"

#include <algorithm>
#include <cmath>

#include "core/forecast.h"
#include "costs/product.h"
#include "gemm/product.h"

namespace fullconv {

template <class T>
std::vector<Forecast::Term> winograd_terms(const Problem& problem, const winograd::Blocking& b) {
  const index_t lanes = vector_lanes<T>();
  const auto points = static_cast<double>(b.points());
  const auto residues = static_cast<double>(b.residues());
  const double products = static_cast<double>(problem.N) * static_cast<double>(b.products());
  const auto K = static_cast<double>(problem.K);
  const auto vectors_K = static_cast<double>(ceil_divide(problem.K, lanes));
  const auto vectors_C = static_cast<double>(ceil_divide(problem.C, lanes));
  const auto tiles = static_cast<double>(b.tile_rows * b.tiles_across());
  const auto passes = static_cast<double>(b.keeps_kernels ? 1 : b.blocks);
  const double rows =
      static_cast<double>(ceil_divide(b.tiles(), tiles_of(b.tiles())));  // of a tile of products
  const double vectors = std::min(vectors_C, static_cast<double>(most_tile_vectors(b.tiles())));
  // A step loads each vector of B, which counts twice by the fit, and one element for each row.
  const double waits = product_waits(rows, vectors, rows + 2 * vectors);
  constexpr double kFma = 0.165e-9, kProduct = 13e-9;
  const double calls =
      static_cast<double>(b.blocks * b.channel_blocks * b.depth_blocks) * residues * points;
  // Of a vector of channels of the kernels: loading its taps, which lie apart where there are more
  // than a vector has lanes or residues of them, and each point by its taps.
  constexpr double kKernel = 2.1e-9, kTapApart = 1.35e-9, kKernelPoint = 0.9e-9, kTap = 0.08e-9;
  const bool apart = b.residues() > 1 || problem.h * problem.w > lanes;
  const double taps_apart = apart ? static_cast<double>(problem.h * problem.w) : 0;
  const double points_down = b.tile.rows.points(), taps_along = b.tile.columns.taps;
  const double taps_of_points = taps_along * (points_down * b.tile.rows.taps + points);
  const double of_kernels =
      kKernel + taps_apart * kTapApart + residues * (points * kKernelPoint + taps_of_points * kTap);
  // And reading them, where no near cache holds them.
  constexpr FarByte kFarTap{0.03, 0x1p21, 8};
  const double kernel_bytes = sizeof(T) * static_cast<double>(element_count(problem.k_extents()));
  // And writing all of them, where they are kept, for four residues: on a Xeon transforms of
  // n1_i128_o128_28x28_k3x3_p1x1x1x1_s2x2_op1x1 took 526 µs by tiles of 2×2, 703 by 3×3, 887 by
  // 4×4, whose kernels are 2.4, 4.2 and 6.6 MB. Without stride n1_i256_o256_56x56_k3x3_p1x1x1x1
  // takes 9.4 MB of them for no more than they are forecast to take without this.
  constexpr FarByte kFarKernel{0.034, 1.5e6, 4};
  const double kept_bytes =
      sizeof(T) * static_cast<double>(lanes) * K * vectors_C * residues * points;
  const double kept = b.keeps_kernels && b.residues() > 1 ? 1e-9 * kFarKernel.of(kept_bytes) : 0;
  // Of a vector of channels of samples and outputs, for each tile:
  constexpr double kImagePoint = 0.42e-9, kOutputPoint = 0.75e-9, kOutputRow = 14e-9;
  // These are transposed by squares of as many columns as a vector has lanes, whether a row has as
  // many or one: for each row of a square 25 ns with 16 lanes, of loads and shuffles.
  const auto square_rows = [&](index_t tile, index_t across) {
    return static_cast<double>(b.tile_rows * tile * ceil_divide(across, lanes));
  };
  const double square_row = static_cast<double>(lanes) * (1 + std::log2(lanes)) * 1e-9;
  constexpr double kImageSquare = 0.31, kOutputSquare = 0.24;
  const index_t columns = b.tiles_across() * b.tile.columns.outputs;
  const auto bytes_of = [](const Extents& e) {
    return sizeof(T) * static_cast<double>(element_count(e));
  };
  constexpr FarByte kFarSample{0.061, 0x1p18, 16}, kFarOutput{0.044, 0x1p18, 16};
  // Where residues of columns are interleaved, for each row and each output:
  constexpr double kInterleavedRow = 3.1e-9;
  const double interleaved =
      b.residues() == 1 ? 0
                        : static_cast<double>(problem.N * problem.C * problem.output_rows()) *
                              (kInterleavedRow +
                               kInterleavedSeconds * static_cast<double>(problem.output_columns()));
  return {
      {"products", products * K * vectors_C * waits * kFma},
      {"calls", calls * kProduct},
      {"kernels", passes * K * vectors_C * of_kernels + 1e-9 * kFarTap.of(kernel_bytes) + kept},
      {"images", vectors_K * (points * tiles * kImagePoint +
                              square_rows(b.tile.rows.points(), columns + b.tile.columns.taps - 1) *
                                  square_row * kImageSquare) +
                     1e-9 * kFarSample.of(bytes_of(problem.x_extents()))},
      {"memory", memory_seconds(problem, sizeof(T))},
      {"outputs",
       vectors_C * residues *
               (points * tiles * kOutputPoint + static_cast<double>(b.tile_rows) * kOutputRow +
                square_rows(b.tile.rows.outputs, columns) * square_row * kOutputSquare) +
           interleaved + 1e-9 * kFarOutput.of(bytes_of(problem.y_extents()))}};
}

template std::vector<Forecast::Term> winograd_terms<float>(const Problem&,
                                                           const winograd::Blocking&);
template std::vector<Forecast::Term> winograd_terms<double>(const Problem&,
                                                            const winograd::Blocking&);

}  // namespace fullconv
