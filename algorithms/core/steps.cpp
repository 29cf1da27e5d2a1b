// Compiled only where steps are timed.

#include "core/steps.h"

#include <atomic>

namespace fullconv {
namespace {

constexpr std::size_t kSteps = kStepNames.size();

/// What the timers of one thread have counted. Should there ever be more threads than counters, two
/// share one.
struct alignas(64) Counters {
  std::array<std::atomic<std::int64_t>, kSteps> nanoseconds{};
  std::atomic<std::int64_t> readings{0};
};
std::array<Counters, 256> all_counters;

Counters& counters_of_this_thread() {
  static std::atomic<std::size_t> threads{0};
  thread_local Counters& mine = all_counters[threads++ % all_counters.size()];
  return mine;
}

}  // namespace

StepTotals step_totals() {
  StepTotals totals;
  for (const Counters& counters : all_counters) {
    for (std::size_t step = 0; step < kSteps; ++step) {
      totals.seconds[step] += 1e-9 * static_cast<double>(counters.nanoseconds[step]);
    }
    totals.readings += counters.readings;
  }
  return totals;
}

void reset_step_totals() {
  for (Counters& counters : all_counters) {
    for (auto& nanoseconds : counters.nanoseconds) nanoseconds = 0;
    counters.readings = 0;
  }
}

void StepTimer::count(Clock::time_point end, std::int64_t readings) const {
  const std::chrono::nanoseconds taken = end - start_;
  Counters& mine = counters_of_this_thread();
  mine.nanoseconds[static_cast<std::size_t>(step_)].fetch_add(taken.count(),
                                                              std::memory_order_relaxed);
  mine.readings.fetch_add(readings, std::memory_order_relaxed);
}

}  // namespace fullconv
