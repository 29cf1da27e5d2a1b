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
  constexpr double kFma = 0.165e-9;
  constexpr double kPoint = 1.35e-9;  // of a vector of channels, and for each tile
  // Samples and outputs are transposed by squares of as many columns as a vector has lanes, whether
  // a row has as many or one: for each row of a square 20 ns with 16 lanes, of loads and shuffles.
  const double square_row = 0.31e-9 * static_cast<double>(lanes) * (1 + std::log2(lanes));
  const auto square_rows = [&](index_t tile, index_t across) {
    return static_cast<double>(b.tile_rows * tile * ceil_divide(across, lanes)) * square_row;
  };
  const index_t columns = b.tiles_across() * b.tile.columns.outputs;
  // Where residues of columns are interleaved, for each row and each output:
  constexpr double kInterleavedRow = 7e-9;
  const double interleaved =
      b.residues() == 1 ? 0
                        : static_cast<double>(problem.N * problem.C * problem.output_rows()) *
                              (kInterleavedRow +
                               kInterleavedSeconds * static_cast<double>(problem.output_columns()));
  // For a vector of channels of the kernels: loading its taps, and each point.
  constexpr double kKernel = 10e-9, kKernelPoint = 0.8e-9;
  // And reading them, where no near cache holds them.
  constexpr FarByte kFarTap{0.066, 0x1p21, 8};
  const double kernel_bytes = sizeof(T) * static_cast<double>(element_count(problem.k_extents()));
  return {
      {"products", products * K * vectors_C * waits * kFma},
      {"kernels", passes * K * vectors_C * (kKernel + residues * points * kKernelPoint) +
                      1e-9 * kFarTap.of(kernel_bytes)},
      {"images",
       vectors_K * (points * tiles * kPoint +
                    square_rows(b.tile.rows.points(), columns + b.tile.columns.taps - 1))},
      {"memory", memory_seconds(problem, sizeof(T))},
      {"outputs", vectors_C * residues *
                          (points * tiles * kPoint + square_rows(b.tile.rows.outputs, columns)) +
                      interleaved}};
}

template std::vector<Forecast::Term> winograd_terms<float>(const Problem&,
                                                           const winograd::Blocking&);
template std::vector<Forecast::Term> winograd_terms<double>(const Problem&,
                                                            const winograd::Blocking&);

}  // namespace fullconv
