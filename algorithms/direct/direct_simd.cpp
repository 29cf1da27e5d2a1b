// Direct convolution by vectors: direct/convolve_rows.h has the loops; here they are dealt out to
// threads.

#include "costs/direct_simd.h"

#include <algorithm>

#include "core/forecast.h"
#include "core/parallel.h"
#include "core/rates.h"
#include "core/registry.h"
#include "core/simd_target.h"
#include "core/steps.h"
#include "direct/convolve_rows.h"

namespace fullconv {
namespace {

/// Threads that are worth forking for.
template <class T>
int threads_for(const Problem& problem, const PlanOptions& options) {
  if (options.threads == 1) return 1;
  const TermFactors rates = rates_in_use(options.threads)->of(sizeof(T), builtin::direct_simd.name);
  if (!is_worth_forking(rates.seconds(direct_simd_terms<T>(problem)))) return 1;
  return useful_threads(problem, options, problem.N * problem.C * problem.output_rows());
}

/// So many that threads can help each other, and none so low that repeated rows would count, as
/// long as there are blocks for all.
index_t blocks_of_a_plane(const Problem& problem, int threads) {
  constexpr index_t kPartsOfAThread = 8;
  if (threads == 1) return 1;
  const index_t planes = problem.N * problem.C;
  const index_t wanted = ceil_divide(kPartsOfAThread * threads, planes);
  const index_t needed = ceil_divide(threads, planes);
  const index_t repeated = repeated_rows(problem.h);
  const index_t fewest_rows = std::max(4 * kRowsOfTiles, repeated > 0 ? 16 * repeated : problem.h);
  const index_t fitting = problem.output_rows() / (fewest_rows * needed) * needed;
  return std::min(wanted, std::max(needed, fitting));
}

/// How many times as many rows of the image as there are its blocks take together.
double repetition(const Problem& problem, index_t blocks) {
  const index_t repeated = std::min(repeated_rows(problem.h), problem.H);
  return 1 + static_cast<double>((blocks - 1) * repeated) / static_cast<double>(problem.H);
}

/// Bytes from a tensor's first element to its last one.
template <class T>
double bytes_spanned(const TensorView<T>& view) {
  index_t elements = 1;
  for (std::size_t d = 0; d < 4; ++d) elements += (view.extents[d] - 1) * view.strides[d];
  return sizeof(T) * static_cast<double>(elements);
}

template <class T>
class DirectSimdPlan final : public Plan<T> {
 public:
  DirectSimdPlan(const Problem& problem, const PlanOptions& options)
      : Plan<T>(problem),
        threads_(threads_for<T>(problem, options)),
        blocks_(blocks_of_a_plane(problem, threads_)),
        repeated_rows_(repeated_rows(problem.h)),
        threads_of_a_plane_(static_cast<int>(std::min<index_t>(threads_, blocks_))) {
    // Blocks of low images end beside it, whatever they begin with.
    if (problem.output_rows() < 2 * blocks_ * repeated_rows_) repeated_rows_ = 0;
  }

  int threads() const override { return threads_; }
  std::string implementation() const override { return simd_target(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const Problem& problem = this->problem();
    const Window window = problem.window();
    const index_t top = window.rows.begin;
    const bool far = come_from_afar(x, y);
    for_each_block(threads_, std::array{problem.N, problem.C, blocks_},
                   [&](index_t n, index_t c, index_t block, int) {
                     const Range rows{top + first_row(block), top + first_row(block + 1)};
                     const Plane<T> outputs = in_full_output(plane(y, n, c), window);
                     const StepTimer timing(Step::direct);
                     for (index_t o = 0; o < problem.K; ++o) {
                       convolve_rows(plane(x, n, o), plane(k, o, c), outputs,
                                     {rows, window.columns}, o > 0, far);
                     }
                   });
  }

 private:
  /// Whether planes leave the near caches, or all of them the last one; other groups of a layer lie
  /// between those of this problem. With planes that only together leave the near ones
  /// n1_i32_o32_112x112_k3x3_g32 took 1.07 times as long, by fewer rows at a time.
  bool come_from_afar(const TensorView<const T>& x, const TensorView<T>& y) const {
    constexpr double kFarFromAll = 12e6;
    const Problem& p = this->problem();
    const index_t of_planes = p.H * p.W + p.output_rows() * p.output_columns();
    return is_far(sizeof(T) * static_cast<double>(of_planes) / threads_of_a_plane_) ||
           bytes_spanned(x) + bytes_spanned(y) > kFarFromAll;
  }

  /// All blocks take as many rows of the image: the outermost ones, of which one repeats none and
  /// the other has the last h − 1 rows of y without any, have more of y's.
  index_t first_row(index_t block) const {
    const index_t rows = this->problem().output_rows();
    if (block == 0 || block == blocks_) return block == 0 ? 0 : rows;
    const index_t taken = rows + (blocks_ - 2) * repeated_rows_;
    const index_t row = block * taken / blocks_ - (block - 1) * repeated_rows_;
    if (rows < blocks_ * kRowsOfTiles) return row;
    return (row + kRowsOfTiles / 2) / kRowsOfTiles * kRowsOfTiles;
  }

  int threads_;
  index_t blocks_;         // of rows
  index_t repeated_rows_;  // that count
  int threads_of_a_plane_;
};

template <class T>
Forecast forecast(const Problem& problem, const PlanOptions& options) {
  const int threads = threads_for<T>(problem, options);
  const index_t blocks = blocks_of_a_plane(problem, threads);
  std::vector<Forecast::Term> terms = direct_simd_terms<T>(problem);
  for (Forecast::Term& term : terms) term.seconds *= repetition(problem, blocks);
  return {divided_among_threads(std::move(terms), threads)};
}

std::optional<Forecast> forecast_direct_simd(const Problem& problem, const PlanOptions& options,
                                             std::size_t scalar_size) {
  return scalar_size == sizeof(float) ? forecast<float>(problem, options)
                                      : forecast<double>(problem, options);
}

template <class T>
std::vector<Boundary> boundaries(const Problem& problem, const PlanOptions& options) {
  std::vector<Boundary> all = convolve_boundaries<T>(problem);
  const index_t blocks = blocks_of_a_plane(problem, threads_for<T>(problem, options));
  all.push_back({Boundary::output_rows, ceil_divide(problem.output_rows(), blocks)});
  all.push_back({Boundary::output_rows, blocks * kRowsOfTiles});
  all.push_back({Boundary::output_rows, 2 * blocks * repeated_rows(problem.h)});
  return all;
}

std::vector<Boundary> boundaries_of_direct_simd(const Problem& problem, const PlanOptions& options,
                                                std::size_t scalar_size) {
  return scalar_size == sizeof(float) ? boundaries<float>(problem, options)
                                      : boundaries<double>(problem, options);
}

template <class T>
void sum_window(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                const Window& wanted, bool add) {
  const index_t outputs = wanted.rows.size() * wanted.columns.size();
  convolve_rows(x, k, y, wanted, add,
                is_far(sizeof(T) * static_cast<double>(x.rows * x.columns + outputs)));
}

template <class T>
Planned<T> plan_direct_simd(const Problem& problem, const PlanOptions& options) {
  return std::make_unique<DirectSimdPlan<T>>(problem, options);
}

}  // namespace

constinit const Algorithm builtin::direct_simd{
    .name = "direct_simd",
    .summary = "sums of y kept in vector registers until they are complete",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .crops = true,
    .vectorized = true,
    .forecast = forecast_direct_simd,
    .boundaries = boundaries_of_direct_simd,
    .plan_f32 = plan_direct_simd<float>,
    .plan_f64 = plan_direct_simd<double>,
    .window_sums_f32 = sum_window<float>,
    .window_sums_f64 = sum_window<double>,
};

}  // namespace fullconv
