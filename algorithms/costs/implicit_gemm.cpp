// What implicit_gemm takes: products by what hides their latency, copies of the image and of y by
// rows and vectors, packing by weights; counted by its blocking, times constants that were fitted
// to times measured with AVX2 and AVX-512.

#include "costs/implicit_gemm.h"

#include <algorithm>

#include "core/forecast.h"
#include "core/parallel.h"
#include "costs/product.h"
#include "gemm/implicit_blocking.h"
#include "gemm/product.h"

namespace fullconv {
namespace {

using namespace implicit;  // NOLINT(google-build-using-namespace)

/// Of images of one pixel: rows of x times the weights, which are read once. Rows of these that are
/// not whole vectors are copied first.
template <class T>
std::vector<Forecast::Term> terms_of_pixels(const Problem& problem) {
  const index_t lanes = vector_lanes<T>();
  const index_t row = problem.C * problem.h * problem.w;
  const auto K = static_cast<double>(problem.K), rows = static_cast<double>(problem.N);
  const double vectors = K * static_cast<double>(ceil_divide(row, lanes));
  const double copied = row % lanes == 0 ? 0 : K;
  constexpr double kFma = 0.14e-9, kLoad = 0.33e-9, kCopy = 4e-9, kCall = 0.1e-6;
  constexpr FarByte kFar{0.014, 0x1p18, 16};
  // The first rows are multiplied while the weights arrive.
  return {{"products", vectors * std::max(rows - 2, 0.0) * kFma},
          {"weights", vectors * kLoad + copied * kCopy +
                          1e-9 * kFar.of(K * static_cast<double>(row) * sizeof(T))},
          {"calls", kCall}};
}

/// Of a block of rows and all channels.
struct Products {
  double seconds;  // for one tap and one channel of x
  double sums;     // vectors of them, of one residue
  double calls;
};

template <class T>
Products products_down(const Layer& layer, const Blocking& b) {
  const index_t lanes = vector_lanes<T>();
  const index_t rows = ceil_divide(b.block_channels, b.tiles);
  const index_t vectors = ceil_divide(b.block_rows * b.pitch, lanes);
  // A step loads a vector for each of B's and an element for each row. Views are shifted, so that a
  // vector as long as a line of the cache lies in two lines, and half as long in two every other
  // time.
  const index_t wide = std::min(vectors, most_tile_vectors(rows));
  constexpr double kLine = 64;
  const double lines = 1 + static_cast<double>(lanes) * sizeof(T) / kLine;  // of a vector's load
  const auto of_rows = static_cast<double>(rows), of_vectors = static_cast<double>(wide);
  // Loads for one row are more than are fetched ahead, too.
  constexpr double kOneRow = 1.3, kFma = 0.13e-9;
  const double waits =
      (rows == 1 ? kOneRow : 1) * product_waits(of_rows, of_vectors, of_rows + of_vectors * lines);
  const double sums = static_cast<double>(vectors) * static_cast<double>(layer.C);
  return {
      .seconds = sums * waits * kFma, .sums = sums, .calls = static_cast<double>(b.channel_blocks)};
}

template <class T>
Products products_across(const Layer& layer, const Blocking& b) {
  const auto& [rows, columns, K, C] = layer;
  const index_t lanes = vector_lanes<T>();
  const index_t outputs = columns.numbers.size();
  const bool is_dense = outputs == b.pitch && rows.most_shift() == 0;
  const Range inner = columns_by_rows(columns, 0, b.block_rows);
  const index_t inner_columns = inner.empty() ? 0 : inner.size();
  const index_t run = is_dense            ? b.block_rows * b.pitch
                      : inner_columns > 0 ? inner_columns
                                          : b.block_rows;
  const double of_tile = static_cast<double>(run) / static_cast<double>(tiles_of(run));
  const auto vectors = static_cast<double>(b.tile_channels / lanes);
  constexpr double kFma = 0.122e-9;
  const double waits = product_waits(of_tile, vectors, of_tile + vectors);
  const double of_channels = vectors_across(C, b.tile_channels, lanes);
  const index_t rows_of_taps =
      std::min(ceil_divide(rows.taps, rows.stride), b.block_rows + rows.samples - 1);
  const index_t columns_alone = (outputs - inner_columns) * rows_of_taps;
  return {.seconds = rows.share_met() * columns.share_met() *
                     static_cast<double>(b.block_rows * outputs) * of_channels * waits * kFma,
          .sums = static_cast<double>(b.block_rows * b.pitch * ceil_divide(C, lanes)),
          .calls = static_cast<double>(b.channel_blocks * b.tiles * b.chunks * layer.residues()) *
                   static_cast<double>(is_dense ? 1 : b.block_rows + columns_alone)};
}

template <class T>
std::optional<Forecast> forecast(const Problem& problem, const PlanOptions& options) {
  const int threads = useful_threads(problem, options, options.threads);
  if (objection<T>(problem, threads) != nullptr) return std::nullopt;
  const Blocking b = choose_blocking<T>(problem, threads);
  const Layer layer(problem);
  const index_t lanes = vector_lanes<T>();
  const auto taps = static_cast<double>(layer.taps());
  const auto K = static_cast<double>(layer.K), C = static_cast<double>(layer.C);
  const double images = static_cast<double>(problem.N * problem.groups);
  const auto row_blocks = static_cast<double>(b.row_blocks);
  const Products products =
      b.channels_across ? products_across<T>(layer, b) : products_down<T>(layer, b);
  // Loaded and stored for as much of the depth as is summed over at a time.
  const double sums =
      images * row_blocks * products.sums * static_cast<double>(b.chunks * layer.residues());
  const double image_rows = images * row_blocks * static_cast<double>(b.channel_blocks) *
                            static_cast<double>(b.block_rows + layer.rows.most_shift()) * K;
  const bool in_place =
      layer.residues() == 1 && (b.channels_across || b.pitch == layer.columns.numbers.size());
  const double output_rows = in_place ? 0
                                      : images * row_blocks * static_cast<double>(b.block_rows) *
                                            C * static_cast<double>(layer.residues());
  const double image_vectors = static_cast<double>(ceil_divide(b.pitch, lanes));
  const double scattered = layer.columns.stride > 1 ? static_cast<double>(b.pitch) : 0;
  constexpr double kInterleaved = 0.05e-9;  // an output, by pairs
  constexpr double kScattered = 0.35e-9;
  const double scattering = scattered * (layer.columns.stride == 2 ? kInterleaved : kScattered);
  const double weights = static_cast<double>(problem.groups) * K * C * taps;
  constexpr double kTransposed = 1.3e-9;  // a vector
  const double transposed = b.channels_across ? images * row_blocks * products.sums *
                                                    static_cast<double>(layer.residues())
                                              : 0;
  constexpr double kRow = 1.8e-9, kVector = 0.27e-9;
  constexpr double kSum = 0.35e-9;  // loaded and stored, a vector
  // Of four bytes; those that are multiplied next stay in a cache.
  const double of_weight = b.packs_ahead ? 0.24e-9 : 0.17e-9;
  constexpr double kCall = 0.2e-6, kProduct = 0.06e-6;
  const std::size_t workspace_bytes = Room::of<T>(problem, layer, b, threads).bytes(sizeof(T));
  if (has_one_pixel(problem)) {
    return Forecast{.terms = divided_among_threads(terms_of_pixels<T>(problem), threads),
                    .workspace_bytes = workspace_bytes};
  }
  return Forecast{.terms = divided_among_threads(
                      {{"products", images * row_blocks * products.seconds * K * taps},
                       {"calls", images * row_blocks * products.calls * kProduct + kCall},
                       {"copies", image_rows * (kRow + image_vectors * kVector) +
                                      output_rows * (kRow + image_vectors * kVector + scattering) +
                                      transposed * kTransposed},
                       {"sums", sums * kSum},
                       {"memory", memory_seconds(problem, sizeof(T))},
                       {"packing", weights * of_weight * sizeof(T) / sizeof(float)}},
                      threads),
                  .workspace_bytes = workspace_bytes};
}

}  // namespace

std::optional<Forecast> forecast_implicit_gemm(const Problem& problem, const PlanOptions& options,
                                               std::size_t scalar_size) {
  return scalar_size == sizeof(float) ? forecast<float>(problem, options)
                                      : forecast<double>(problem, options);
}

}  // namespace fullconv
