// Register tiling: direct/register_tiles.h has the loops; here they are dealt out to threads.

#include "core/forecast.h"
#include "core/parallel.h"
#include "core/phases.h"
#include "core/registry.h"
#include "direct/register_tiles.h"

namespace fullconv {
namespace {

/// One thread's time in seconds.
template <class T>
double serial_seconds(const Problem& problem) {
  const auto& [N, K, C, H, W, h, w] = problem;
  return static_cast<double>(N * K * C) * convolve_seconds<T>(H, W, h, w);
}

/// Threads that are worth forking for.
template <class T>
int threads_for(const Problem& problem, const PlanOptions& options) {
  if (serial_seconds<T>(problem) < 3 * kForkingSeconds) return 1;
  return useful_threads(problem, options, problem.N * problem.C * problem.output_rows());
}

template <class T>
class DirectSimdPlan final : public Plan<T> {
 public:
  DirectSimdPlan(const Problem& problem, const PlanOptions& options)
      : Plan<T>(problem),
        threads_(threads_for<T>(problem, options)),
        blocks_(problem.N * problem.C % threads_ == 0 ? 1 : threads_) {}

  int threads() const override { return threads_; }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const auto& [N, K, C, H, W, h, w] = this->problem();
    parallel_for(threads_, N * C * blocks_, [&, K = K, C = C](index_t part, int) {
      const PhaseTimer timing(Phase::direct);
      const index_t block = part % blocks_;
      const index_t c = part / blocks_ % C;
      const index_t n = part / (blocks_ * C);
      const Plane<T> sums = plane(y, n, c);
      const Range wanted{block * sums.rows / blocks_, (block + 1) * sums.rows / blocks_};
      for (index_t o = 0; o < K; ++o) {
        convolve_rows(plane(x, n, o), plane(k, o, c), sums, wanted, o > 0);
      }
    });
  }

 private:
  int threads_;
  index_t blocks_;  // of rows, so that there are planes' parts for all threads
};

template <class T>
Forecast forecast(const Problem& problem, const PlanOptions& options) {
  return {shared_out({{"planes", serial_seconds<T>(problem)}}, threads_for<T>(problem, options))};
}

std::optional<Forecast> forecast_direct_simd(const Problem& problem, const PlanOptions& options,
                                             std::size_t scalar_size) {
  return scalar_size == sizeof(float) ? forecast<float>(problem, options)
                                      : forecast<double>(problem, options);
}

template <class T>
Planned<T> plan_direct_simd(const Problem& problem, const PlanOptions& options) {
  return std::make_unique<DirectSimdPlan<T>>(problem, options);
}

}  // namespace

constinit const Algorithm builtin::direct_simd{
    .name = "direct_simd",
    .summary = "the sums of a tile of y kept in vector registers until they are complete",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .forecast = forecast_direct_simd,
    .plan_f32 = plan_direct_simd<float>,
    .plan_f64 = plan_direct_simd<double>,
};

}  // namespace fullconv
