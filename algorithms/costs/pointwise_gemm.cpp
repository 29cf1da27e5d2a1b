// What pointwise_gemm takes: products by what hides their latency, copies of weights and sums by
// vectors; counted by its blocking.

#include "costs/pointwise_gemm.h"

#include <algorithm>

#include "core/buffer.h"
#include "core/forecast.h"
#include "costs/product.h"
#include "gemm/product.h"

namespace fullconv {

template <class T>
std::vector<Forecast::Term> pointwise_gemm_terms(const Problem& p, const pointwise::Blocking& b) {
  const auto of = [](index_t count) { return static_cast<double>(count); };
  const index_t lanes = vector_lanes<T>();
  const pointwise::Layer layer(p);
  const double pixels = of(p.N * layer.pixels()), K = of(p.K);
  const double vectors_C = of(ceil_divide(layer.weights, lanes)), vectors = of(b.strip / lanes);
  const index_t in_a_row = layer.columns.size() == p.W ? layer.pixels() : layer.columns.size();
  const index_t at_once = std::min(in_a_row, b.block_pixels);
  const double rows = of(at_once) / of(tiles_of(at_once));
  // A step loads a vector for each of B's and an element for each row.
  const double waits = product_waits(rows, vectors, rows + vectors);
  constexpr double kFma = 0.128e-9, kWeight = 1.8e-9, kSum = 1.3e-9, kCall = 0.1e-6;  // vectors
  // Transposed by squares of as many pixels as a vector has lanes; or copied, a row of taps at a
  // time.
  constexpr double kPiece = 0.3e-9, kRowOfTaps = 5e-9;
  const double rows_of_taps = of(p.N * p.C * p.h * layer.rows.size()) *
                              of(ceil_divide(layer.columns.size(), pointwise::kPixelsPutAtOnce));
  const double put = p.is_dense() ? pixels / of(at_once) * of(ceil_divide(at_once, lanes) * lanes) *
                                        vectors_C * kSum
                                  : pixels * of(p.C * p.h) * kPiece + rows_of_taps * kRowOfTaps;
  const double multiplications = pixels / of(at_once) * of(ceil_divide(layer.weights, b.strip)) *
                                 of(ceil_divide(p.K, b.depth));
  constexpr double kMultiplication = 0.05e-6;
  return {{"products", pixels * K * vectors_C * waits * kFma},
          {"calls", multiplications * kMultiplication + kCall},
          {"memory", memory_seconds(p, sizeof(T))},
          {"copies", K * vectors_C * kWeight + put}};
}

template std::vector<Forecast::Term> pointwise_gemm_terms<float>(const Problem&,
                                                                 const pointwise::Blocking&);
template std::vector<Forecast::Term> pointwise_gemm_terms<double>(const Problem&,
                                                                  const pointwise::Blocking&);

}  // namespace fullconv
