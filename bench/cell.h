#pragma once

#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "contender.h"
#include "support/case.h"
#include "workload.h"

namespace fullconv::bench {

enum class Phase {
  plan,       // make a plan by measuring, when that has been done before, and destroy it
  cold_plan,  // the same for the first time; only where an algorithm's library remembers
  oneshot,    // make a plan by estimate, for the first time, execute it once and destroy it
  execute,    // execute a plan made by measuring
  prepared,   // the same with a kernel that was prepared before
};

/// What a call finds when it begins.
struct Mode {
  /// Operands and output in no cache, anything else not in the first two levels of the caller's
  /// core.
  bool cold_cache = false;
  /// An output that was never touched, so that the system maps its pages within the time.
  bool fresh_output = false;
};

/// A contender under the name that it has in results.
struct Entrant {
  std::string name;
  Contender contender;
  /// So many per cent more work: of 100 calls as many are done twice.
  int handicap = 0;
};

/// What is measured, and how.
struct CellSettings {
  const Entrant* entrant;
  testing::Case problem;
  int threads;
  Phase phase;
  Mode mode;
  double limit;            // seconds: what is predicted to take longer for one call is left out
  PlanOptions accuracy{};  // what `auto` is to promise of errors
};

class Cell;

/// What all cells share: the operands of one case, and the plan of one cell. Only one of each is
/// kept, so that memory stays bounded.
class SharedState {
 public:
  explicit SharedState(std::uint64_t seed = 1) : random_(seed) {}

  /// Makes `cell` the current one, without a plan. Each cell calls this before it does anything.
  void enter(const Cell& cell);

  /// Drops the plan, and moves the operands and what is allocated after this to other places in
  /// memory.
  template <class T>
  void renew(const testing::Case& c);

  template <class T>
  Workload<T>& workload(const testing::Case& c);

  /// The plan that the current cell has left here, or null.
  template <class T>
  std::unique_ptr<Plan<T>>& plan();

 private:
  std::mt19937_64 random_;
  const Cell* cell_ = nullptr;
  std::string case_;
  std::vector<char> displacement_;  // moves what is allocated after it
  std::variant<std::monostate, Workload<float>, Workload<double>> workload_;
  std::variant<std::monostate, std::unique_ptr<Plan<float>>, std::unique_ptr<Plan<double>>> plan_;
};

/// One benchmark: an entrant on a case, with a number of threads, in one phase and mode.
class Cell {
 public:
  virtual ~Cell() = default;

  /// `execute/fft/f32/8x8_k5x5/threads:1`, and the mode where it is not the usual one.
  const std::string& name() const { return name_; }
  const CellSettings& settings() const { return settings_; }
  Kind kind() const { return settings_.entrant->contender.kind; }

  /// Whether the time comes from our clock, or another process's, instead of Google Benchmark's.
  bool has_own_clock() const;

  /// Registers this with Google Benchmark, which calls run().
  benchmark::internal::Benchmark* add();

  /// Verifies once, then measures. Google Benchmark calls this again and again, to find the number
  /// of iterations and for each repetition.
  void run(benchmark::State& state);

  /// Whether there is something to time: verifies if that has not been done.
  bool runs();

  /// False after a wrong answer or a failure.
  bool well() const { return well_; }

  /// About the seconds of one call, measured, its preparation included. Only if it runs().
  double seconds_per_call();

  /// Makes the next run() start from a new plan, and everything at other places in memory.
  virtual void renew() = 0;

 protected:
  Cell(SharedState& shared, CellSettings settings, const char* scalar);

  /// Why this is not timed, or nothing.
  virtual std::string verify() = 0;
  virtual void measure(benchmark::State& state) = 0;
  virtual double time_calls(index_t calls) = 0;

  /// What seconds_per_call() has found, or 0.
  double seconds_of_call() const { return seconds_of_call_; }

  /// Notes the reason, if there is none, or what has gone wrong since.
  template <class Body>
  void guard(const Body& body);

  SharedState& shared_;
  CellSettings settings_;
  bool well_ = true;

 private:
  std::string name_;
  double seconds_of_call_ = 0;
  bool verified_ = false;
  std::string skip_;
};

template <class T>
std::unique_ptr<Cell> make_cell(SharedState& shared, const CellSettings& settings);

}  // namespace fullconv::bench
