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
  const double pixels = of(p.N * pointwise::pixels_of(p)), K = of(p.K);
  const double vectors_C = of(ceil_divide(p.C, lanes)), vectors = of(b.strip / lanes);
  const index_t in_a_row = p.is_whole() ? pointwise::pixels_of(p) : p.output_columns();
  const index_t at_once = std::min(in_a_row, b.block_pixels);
  const double rows = of(at_once) / of(tiles_of(at_once));
  // A step loads a vector for each of B's and an element for each row.
  const double waits = product_waits(rows, vectors, rows + vectors);
  // By squares of as many pixels as a vector has lanes.
  const double transposed = pixels / of(at_once) * of(ceil_divide(at_once, lanes) * lanes);
  const double multiplications =
      pixels / of(at_once) * of(ceil_divide(p.C, b.strip)) * of(ceil_divide(p.K, b.depth));
  constexpr double kFma = 0.128e-9, kWeight = 1.8e-9, kSum = 1.3e-9, kCall = 0.1e-6;  // vectors
  constexpr double kMultiplication = 0.05e-6;
  return {{"products", pixels * K * vectors_C * waits * kFma},
          {"calls", multiplications * kMultiplication + kCall},
          {"memory", memory_seconds(p, sizeof(T))},
          {"copies", K * vectors_C * kWeight + transposed * vectors_C * kSum}};
}

template std::vector<Forecast::Term> pointwise_gemm_terms<float>(const Problem&,
                                                                 const pointwise::Blocking&);
template std::vector<Forecast::Term> pointwise_gemm_terms<double>(const Problem&,
                                                                  const pointwise::Blocking&);

}  // namespace fullconv
