#pragma once

// Where the time of an algorithm goes:
//
//   PhaseTimer timing(Phase::lowering);
//   ...
//   timing.enter(Phase::gemm);
//
// In the library this is nothing at all. The build makes the same sources a second time, with
// FULLCONV_TIME_PHASES, for the program fullconv_phases: so phases are timed in runs of their own
// and disturb no other measurement.

#ifdef FULLCONV_TIME_PHASES
#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>
#endif

namespace fullconv {

/// Parts of an algorithm. What no timer covers is the rest of the call.
enum class Phase {
  padding,     ///< the image into a frame of zeros
  lowering,    ///< samples laid out as the columns of a matrix
  gemm,        ///< matrix products
  transforms,  ///< Fourier transforms, forth and back
  products,    ///< of spectra, and their sums
  copies,      ///< any other moving of operands and results
  direct,      ///< sums of products as the definition has them
};

#ifdef FULLCONV_TIME_PHASES

/// By phase, in the order of the enumeration.
inline constexpr std::array<std::string_view, 7> kPhaseNames{
    "padding", "lowering", "gemm", "transforms", "products", "copies", "direct"};

/// What all timers have counted, summed over threads.
struct PhaseTotals {
  std::array<double, kPhaseNames.size()> seconds{};
  std::int64_t readings = 0;  ///< of the clock
};

/// The totals since the last reset. For when no timer runs, as for the reset.
PhaseTotals phase_totals();
void reset_phase_totals();

/// Counts the time of its scope to a phase, until it enters the next one. Those of one thread must
/// not nest.
///
/// The clock is the system's monotonic one, which takes 17 ns where the processor's own counter,
/// read in order, takes 13 ns: not worth leaving the standard for.
class PhaseTimer {
 public:
  explicit PhaseTimer(Phase phase) : phase_(phase), start_(Clock::now()) {}
  ~PhaseTimer() { count(Clock::now(), 2); }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

  void enter(Phase next) {
    const Clock::time_point now = Clock::now();
    count(now, 1);
    phase_ = next;
    start_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void count(Clock::time_point end, std::int64_t readings) const;

  Phase phase_;
  Clock::time_point start_;
};

#else

struct [[maybe_unused]] PhaseTimer {
  explicit PhaseTimer(Phase) {}
  void enter(Phase) {}
};

#endif

}  // namespace fullconv
