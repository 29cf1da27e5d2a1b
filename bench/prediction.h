#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "harness.h"
#include "workload.h"

namespace fullconv::bench {

namespace internal {

/// Operations a second of one thread on a small problem, 0 where the algorithm declines that.
template <class T>
double measure_rate(const Algorithm& algorithm, const Problem& problem) {
  using Seconds = std::chrono::duration<double>;
  using Clock = std::chrono::steady_clock;
  constexpr Seconds kEnough{0.005};
  auto planned = algorithm.plan<T>(problem);
  auto* plan = std::get_if<std::unique_ptr<Plan<T>>>(&planned);
  if (plan == nullptr) return 0;
  Workload<T> workload(testing::Case{problem});
  Seconds total{0};
  Seconds fastest = Seconds::max();
  while (total < kEnough) {
    const auto start = Clock::now();
    workload.execute(**plan);
    const Seconds taken = Clock::now() - start;
    fastest = std::min(fastest, taken);
    total += taken;
  }
  return operations_of(algorithm, problem) / fastest.count();
}

}  // namespace internal

/// Predicted seconds of one execution. By one thread, whatever the cell's count, so that a case is
/// in with all its thread counts or with none.
template <class T>
double predict_seconds(const Algorithm& algorithm, const Problem& problem) {
  // Planes and layers apart, since with channels a GEMM has more than one row and runs at several
  // times the rate. Measured on a dozen cases from 64x64_k64x64 to n1_i512_o512_14x14_k3x3, these
  // predict within a factor of three.
  static constexpr Problem kPlane{.H = 256, .W = 256, .h = 7, .w = 7};
  static constexpr Problem kLayer{.K = 16, .C = 16, .H = 28, .W = 28, .h = 3, .w = 3};
  constexpr double kRateOfLoops = 1e9;
  static std::map<std::pair<const Algorithm*, const Problem*>, double> rates;

  const Problem& probe = problem.K * problem.C == 1 ? kPlane : kLayer;
  const auto [entry, is_new] = rates.try_emplace({&algorithm, &probe});
  double& rate = entry->second;
  if (is_new) rate = internal::measure_rate<T>(algorithm, probe);
  return operations_of(algorithm, problem) / (rate > 0 ? rate : kRateOfLoops);
}

/// Why one execution would take longer than `limit` seconds, or nothing.
template <class T>
std::string reason_to_leave_out(const Algorithm& algorithm, const Problem& problem, double limit) {
  const double predicted = predict_seconds<T>(algorithm, problem);
  if (predicted <= limit) return {};
  return fmt::format("{}predicted {:.{}f} s from {:.2g} operations, limit {:g} s", kLeftOut,
                     predicted, predicted < 10 ? 2 : 0, operations_of(algorithm, problem), limit);
}

}  // namespace fullconv::bench
