// What pointwise_gemm takes: products by what hides their latency, copies of weights and sums by
// vectors; counted by its blocking.

#include "costs/pointwise_gemm.h"

#include <algorithm>

#include "core/buffer.h"
#include "core/forecast.h"
#include "costs/product.h"
#include "gemm/product.h"

namespace fullconv {

namespace {

double of(index_t count) { return static_cast<double>(count); }

/// A vector's FMA, and a call of the product.
constexpr double kFma = 0.128e-9, kMultiplication = 0.05e-6, kCall = 0.1e-6;

/// Puts rows of outputs, and zeros between them, by what is next to each other.
double put_pairs_seconds(const Problem& p, const pointwise::Layer& layer) {
  constexpr double kRow = 7e-9;
  const double rows = of(p.N * p.C * layer.rows.size() * p.stride.y);
  return rows * (kRow + of(layer.columns.size() * p.stride.x) * kInterleavedSeconds);
}

template <class T>
std::vector<Forecast::Term> terms_of_pixels_across(const Problem& p, const pointwise::Blocking& b) {
  const index_t lanes = vector_lanes<T>();
  const pointwise::Layer layer(p);
  const double rows = of(layer.weights) / of(tiles_of(layer.weights));
  const double most = of(most_tile_vectors(layer.weights));
  const double in_block = of(ceil_divide(std::min(layer.pixels(), b.block_pixels), lanes));
  const double vectors = std::min(most, in_block);
  // A vector of x that the first-level cache does not hold is met by each row of its first tile.
  constexpr double kFarVector = 2.5, kNearCache = 32e3;
  const double far = distance(of(p.N * p.K * p.H * p.W) * sizeof(T), kNearCache, 4);
  const double waits =
      std::max(product_waits(rows, vectors, rows + vectors), kFarVector * far / of(layer.weights));
  const double products =
      of(p.N * p.K * layer.weights * pointwise::vectors_of_pixels<T>(layer.pixels()));
  // A part that is not whole vectors is multiplied twice; less than one is copied row by row.
  constexpr double kStore = 1.0e-9, kStagedRow = 4e-9;
  const index_t sums = p.N * layer.weights;
  const double stored = layer.pixels() < lanes
                            ? of(sums) * kStagedRow
                            : of(sums * ceil_divide(layer.pixels(), lanes)) * kStore;
  return {{"products", products * waits * kFma},
          {"calls", of(2 * p.N * b.image_parts) * kMultiplication + kCall},
          {"memory", memory_seconds(p, sizeof(T))},
          {"outputs", stored + (p.is_dense() ? 0 : put_pairs_seconds(p, layer))}};
}

template <class T>
std::vector<Forecast::Term> terms_of_weights_across(const Problem& p,
                                                    const pointwise::Blocking& b) {
  const index_t lanes = vector_lanes<T>();
  const pointwise::Layer layer(p);
  const double pixels = of(p.N * layer.pixels()), K = of(p.K);
  const double vectors_C = of(ceil_divide(layer.weights, lanes)), vectors = of(b.strip / lanes);
  const index_t in_a_row = layer.columns.size() == p.W ? layer.pixels() : layer.columns.size();
  const index_t at_once = std::min(in_a_row, b.block_pixels);
  const double rows = of(at_once) / of(tiles_of(at_once));
  // A step loads a vector for each of B's and an element for each row.
  const double waits = product_waits(rows, vectors, rows + vectors);
  constexpr double kWeight = 1.8e-9, kSum = 1.3e-9;  // vectors
  // Transposed by squares of as many pixels as a vector has lanes; or copied, a row of taps at a
  // time.
  constexpr double kPiece = 0.3e-9, kRowOfTaps = 5e-9;
  const double transposed =
      pixels / of(at_once) * of(ceil_divide(at_once, lanes) * lanes) * vectors_C * kSum;
  const double rows_of_taps = of(p.N * p.C * p.h * layer.rows.size()) *
                              of(ceil_divide(layer.columns.size(), pointwise::kPixelsPutAtOnce));
  const bool is_pairs = !p.is_dense() && pointwise::puts_pairs<T>(p);
  const double put = p.is_dense() || is_pairs
                         ? transposed
                         : pixels * of(p.C * p.h) * kPiece + rows_of_taps * kRowOfTaps;
  const double multiplications = pixels / of(at_once) * of(ceil_divide(layer.weights, b.strip)) *
                                 of(ceil_divide(p.K, b.depth));
  return {{"products", pixels * K * vectors_C * waits * kFma},
          {"calls", multiplications * kMultiplication + kCall},
          {"memory", memory_seconds(p, sizeof(T))},
          {"copies", K * vectors_C * kWeight + put},
          {"outputs", is_pairs ? put_pairs_seconds(p, layer) : 0}};
}

}  // namespace

template <class T>
std::vector<Forecast::Term> pointwise_gemm_terms(const Problem& p, const pointwise::Blocking& b) {
  return b.pixels_across ? terms_of_pixels_across<T>(p, b) : terms_of_weights_across<T>(p, b);
}

template std::vector<Forecast::Term> pointwise_gemm_terms<float>(const Problem&,
                                                                 const pointwise::Blocking&);
template std::vector<Forecast::Term> pointwise_gemm_terms<double>(const Problem&,
                                                                  const pointwise::Blocking&);

}  // namespace fullconv
