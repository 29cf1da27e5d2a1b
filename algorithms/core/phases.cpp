// Compiled only where phases are timed.

#include "core/phases.h"

#include <atomic>

namespace fullconv {
namespace {

constexpr std::size_t kPhases = kPhaseNames.size();

/// What the timers of one thread have counted. Should there ever be more threads than counters, two
/// share one.
struct alignas(64) Counters {
  std::array<std::atomic<std::int64_t>, kPhases> nanoseconds{};
  std::atomic<std::int64_t> readings{0};
};
std::array<Counters, 256> all_counters;

Counters& counters_of_this_thread() {
  static std::atomic<std::size_t> threads{0};
  thread_local Counters& mine = all_counters[threads++ % all_counters.size()];
  return mine;
}

}  // namespace

PhaseTotals phase_totals() {
  PhaseTotals totals;
  for (const Counters& counters : all_counters) {
    for (std::size_t phase = 0; phase < kPhases; ++phase) {
      totals.seconds[phase] += 1e-9 * static_cast<double>(counters.nanoseconds[phase]);
    }
    totals.readings += counters.readings;
  }
  return totals;
}

void reset_phase_totals() {
  for (Counters& counters : all_counters) {
    for (auto& nanoseconds : counters.nanoseconds) nanoseconds = 0;
    counters.readings = 0;
  }
}

void PhaseTimer::count(Clock::time_point end, std::int64_t readings) const {
  const std::chrono::nanoseconds taken = end - start_;
  Counters& mine = counters_of_this_thread();
  mine.nanoseconds[static_cast<std::size_t>(phase_)].fetch_add(taken.count(),
                                                               std::memory_order_relaxed);
  mine.readings.fetch_add(readings, std::memory_order_relaxed);
}

}  // namespace fullconv
