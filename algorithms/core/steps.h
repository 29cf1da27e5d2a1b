#pragma once

// Where the time of an algorithm goes:
//
//   StepTimer timing(Step::lowering);
//   ...
//   timing.enter(Step::gemm);
//
// In the library this is nothing at all. The build makes the same sources a second time, with
// FULLCONV_TIME_STEPS, for the program fullconv_steps: so steps are timed in runs of their own
// and disturb no other measurement.

#ifdef FULLCONV_TIME_STEPS
#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>
#endif

namespace fullconv {

/// Parts of an algorithm. What no timer covers is the rest of the call.
enum class Step {
  padding,     ///< the image into a frame of zeros
  lowering,    ///< samples laid out as the columns of a matrix
  gemm,        ///< matrix products
  transforms,  ///< Fourier transforms, forth and back
  products,    ///< of spectra, and their sums
  copies,      ///< any other moving of operands and results
  direct,      ///< sums of products as the definition has them
};

#ifdef FULLCONV_TIME_STEPS

/// By step, in the order of the enumeration.
inline constexpr std::array<std::string_view, 7> kStepNames{
    "padding", "lowering", "gemm", "transforms", "products", "copies", "direct"};

/// What all timers have counted, summed over threads.
struct StepTotals {
  std::array<double, kStepNames.size()> seconds{};
  std::int64_t readings = 0;  ///< of the clock
};

/// The totals since the last reset. For when no timer runs, as for the reset.
StepTotals step_totals();
void reset_step_totals();

/// Counts the time of its scope to a step, until it enters the next one. The timers of one thread
/// must not nest.
///
/// The clock is the system's monotonic one, which takes 17 ns. The processor's own counter, read in
/// order, takes 13 ns: not worth leaving the standard for.
class StepTimer {
 public:
  explicit StepTimer(Step step) : step_(step), start_(Clock::now()) {}
  ~StepTimer() { count(Clock::now(), 2); }
  StepTimer(const StepTimer&) = delete;
  StepTimer& operator=(const StepTimer&) = delete;

  void enter(Step next) {
    const Clock::time_point now = Clock::now();
    count(now, 1);
    step_ = next;
    start_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void count(Clock::time_point end, std::int64_t readings) const;

  Step step_;
  Clock::time_point start_;
};

#else

struct [[maybe_unused]] StepTimer {
  explicit StepTimer(Step) {}
  void enter(Step) {}
};

#endif

}  // namespace fullconv
