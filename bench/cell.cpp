#include "cell.h"

#include <fmt/format.h>

#include <chrono>
#include <regex>
#include <stdexcept>
#include <utility>

#include "cold.h"
#include "handicap.h"
#include "harness.h"
#include "prediction.h"

namespace fullconv::bench {
namespace {

using testing::Accuracy;
using testing::Case;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A problem that was taken once and is declined now, as when memory has become short.
struct NotTaken : std::runtime_error {
  using runtime_error::runtime_error;
};

template <class T>
constexpr const char* kScalarName = std::is_same_v<T, float> ? "f32" : "f64";

std::string make_name(const CellSettings& settings, const char* scalar) {
  const auto& [entrant, problem, threads, phase, mode, limit, accuracy] = settings;
  std::string_view phase_name = "execute";
  std::string suffix;
  switch (phase) {
    case Phase::plan:
      phase_name = "plan";
      break;
    case Phase::cold_plan:
      phase_name = "plan";
      suffix = "/cold";
      break;
    case Phase::oneshot:
      phase_name = "oneshot";
      break;
    case Phase::execute:
      break;
    case Phase::prepared:
      phase_name = "prepared";
      break;
  }
  if (mode.cold_cache) suffix += "/cache:cold";
  if (mode.fresh_output) suffix += "/output:fresh";
  return fmt::format("{}/{}/{}/{}/threads:{}{}", phase_name, entrant->name, scalar,
                     to_string(problem), threads, suffix);
}

/// Says so where a library has nothing but the code that its own tests compare with: oneDNN's "ref"
/// is hundreds of times slower than what people use.
std::string name_reference_code(const std::string& implementation) {
  static const std::regex reference_code(R"(\bref\b)");
  const bool is_reference = std::regex_search(implementation, reference_code);
  return is_reference ? "reference code: " + implementation : implementation;
}

/// What a plan of `algorithm` runs, as "winograd: AVX3" for a choice.
template <class T>
std::string describe(const Algorithm& algorithm, const Plan<T>& plan) {
  const std::string implementation = name_reference_code(plan.implementation());
  const std::string name = plan.algorithm();
  if (name.empty() || name == algorithm.name) return implementation;
  return implementation.empty() ? name : name + ": " + implementation;
}

template <class T>
class TypedCell final : public Cell {
 public:
  TypedCell(SharedState& shared, const CellSettings& settings)
      : Cell(shared, settings, kScalarName<T>),
        algorithm_(*settings.entrant->contender.algorithm),
        options_{.threads = settings.threads,
                 .effort = settings.phase == Phase::oneshot ? Effort::estimate : Effort::measure,
                 .accuracy = settings.accuracy.accuracy,
                 .tolerance = settings.accuracy.tolerance} {}

  void renew() override {
    shared_.enter(*this);
    shared_.renew<T>(settings_.problem);
  }

 protected:
  std::string verify() override {
    if (std::string reason = reason_to_skip(); !reason.empty()) return reason;
    std::unique_ptr<Plan<T>> plan = make_plan();
    workspace_bytes_ = plan->workspace_bytes();
    threads_used_ = plan->threads();
    if (kind() != Kind::floor) {
      prepare_if_due(*plan);
      accuracy_ = workload().verify(algorithm_, caller(*plan));
      if (!accuracy_.within_bound()) {
        well_ = false;
        return fmt::format("wrong: {}, off by {:.3g} times the bound", accuracy_.worst,
                           accuracy_.error_in_bounds);
      }
    }
    implementation_ = describe(algorithm_, *plan);
    if (executes_alone()) shared_.plan<T>() = std::move(plan);
    return {};
  }

  void measure(benchmark::State& state) override {
    switch (settings_.phase) {
      case Phase::plan:
        for (auto _ : state) benchmark::DoNotOptimize(make_plan());
        break;
      case Phase::cold_plan:
        for (auto _ : state) {
          forget(state);
          benchmark::DoNotOptimize(make_plan());
        }
        break;
      case Phase::oneshot:
        for (auto _ : state) {
          forget(state);
          workload().execute(*make_plan());
        }
        break;
      case Phase::execute:
      case Phase::prepared:
        measure_execute(state);
        break;
    }
    state.SetLabel(implementation_);
    auto& counters = state.counters;
    if (settings_.phase == Phase::oneshot || executes_alone()) {
      counters["GFLOP/s"] = giga_per_second(nominal_operations(problem()));
    }
    counters["multiply_adds"] = static_cast<double>(problem().multiply_adds());
    counters["workspace_bytes"] = static_cast<double>(workspace_bytes_);
    counters["threads_used"] = threads_used_;
    counters["error_in_bounds"] = accuracy_.error_in_bounds;
    counters["relative_l2"] = accuracy_.relative_l2;
    counters["sampled"] = accuracy_.sampled ? 1 : 0;
  }

  double time_calls(index_t calls) override {
    Plan<T>& plan = current_plan();
    Workload<T>& load = workload();
    if (auto* remote = dynamic_cast<RemotePlan<T>*>(&plan)) {
      load.execute(plan);  // sends the operands
      return remote->time(calls);
    }
    const auto call = caller(plan);
    const auto start = Clock::now();
    for (index_t i = 0; i < calls; ++i) {
      usual_mode() ? call() : void(call_in_mode(plan));
    }
    return seconds_since(start);
  }

 private:
  const Problem& problem() const { return settings_.problem.problem; }
  Workload<T>& workload() { return shared_.workload<T>(settings_.problem); }

  std::unique_ptr<Plan<T>> make_plan() const {
    Planned<T> planned = algorithm_.plan<T>(problem(), options_);
    if (const auto* declined = std::get_if<Declined>(&planned)) throw NotTaken(declined->reason);
    auto plan = std::move(std::get<std::unique_ptr<Plan<T>>>(planned));
    const int handicap = settings_.entrant->handicap;
    if (handicap == 0) return plan;
    return std::make_unique<HandicappedPlan<T>>(std::move(plan), handicap);
  }

  Plan<T>& current_plan() {
    auto& plan = shared_.plan<T>();
    if (!plan) {
      plan = make_plan();
      prepare_if_due(*plan);
    }
    return *plan;
  }

  bool executes_alone() const {
    return settings_.phase == Phase::execute || settings_.phase == Phase::prepared;
  }

  void prepare_if_due(Plan<T>& plan) {
    if (settings_.phase == Phase::prepared) plan.prepare(workload().k());
  }

  /// Call this outside of loops: looking for the workload takes as long as a tiny convolution.
  auto caller(Plan<T>& plan) {
    return [&plan, &load = workload(), prepared = settings_.phase == Phase::prepared] {
      prepared ? load.execute_prepared(plan) : load.execute(plan);
    };
  }

  std::string reason_to_skip() const {
    const auto planned = algorithm_.plan<T>(problem(), {.threads = settings_.threads});
    if (const auto* declined = std::get_if<Declined>(&planned)) {
      return fmt::format("{}{}", kDeclined, declined->reason);
    }
    if (settings_.phase == Phase::prepared && !algorithm_.prepares) {
      return fmt::format("{}has no work that a kernel prepared before would save", kDeclined);
    }
    if (!usual_mode() && settings_.entrant->contender.remote) {
      return fmt::format("{}memory and caches of another process are out of reach", kDeclined);
    }
    return reason_to_leave_out<T>(algorithm_, problem(), settings_.limit);
  }

  void measure_execute(benchmark::State& state) {
    Plan<T>& plan = current_plan();
    const auto call = caller(plan);
    warm_up(call);
    if (auto* remote = dynamic_cast<RemotePlan<T>*>(&plan)) {
      const auto calls = static_cast<index_t>(state.max_iterations);
      while (state.KeepRunningBatch(calls)) state.SetIterationTime(remote->time(calls));
    } else if (!usual_mode()) {
      for (auto _ : state) state.SetIterationTime(call_in_mode(plan));
    } else {
      for (auto _ : state) call();
    }
  }

  /// Maps the workspace, wakes the threads, sends another process the operands, and lets the
  /// processor change its clock. Right after vectorised code the if/else loop was 1.6 % slower with
  /// 2 ms of this than with 8, where all others were the same to within 1 %; a shorter one leaves
  /// time for more blocks. A long call of ours with one thread needs none: planning has mapped its
  /// workspace.
  void warm_up(const auto& execute) {
    constexpr double kEnough = 0.002, kLong = 0.05, kMost = 0.1;
    const bool alone = kind() == Kind::ours && settings_.threads == 1;
    if (alone && seconds_of_call() > kLong) return;
    const auto start = Clock::now();
    double end = 0, call = 0;
    do {
      execute();
      call = seconds_since(start) - end;
      end += call;
    } while (end < kEnough || (shares_a_core(call) && end < kMost));
  }

  /// Whether threads seem to be on one core, as the system starts them where another process was on
  /// the other one: after PyTorch or Octave 40 of 100 repetitions took 1.3 to 80 times as long with
  /// a warm-up of 2 ms, 15 with 8, 3 with 20.
  bool shares_a_core(double seconds) const {
    constexpr double kClock = 1e-6;
    if (settings_.threads == 1 || settings_.entrant->contender.remote) return false;
    return seconds > 1.5 * seconds_of_call() + kClock;
  }

  bool usual_mode() const { return !settings_.mode.cold_cache && !settings_.mode.fresh_output; }

  /// Seconds of one call, which is prepared outside its time.
  double call_in_mode(Plan<T>& plan) {
    const auto& [cold_cache, fresh_output] = settings_.mode;
    static Evictor evictor;
    Workload<T>& load = workload();
    std::optional<FreshMemory> memory;
    TensorView<T> y = load.y();
    if (fresh_output) {
      memory.emplace(static_cast<std::size_t>(element_count(y.extents)) * sizeof(T));
      y.data = static_cast<T*>(memory->data());
    }
    if (cold_cache) {
      evictor.fill_private_levels();
      evictor.flush(load.x());
      evictor.flush(load.k());
      if (!fresh_output) evictor.flush(y);
    }
    const auto start = Clock::now();
    settings_.phase == Phase::prepared ? plan.execute_prepared(load.x(), y)
                                       : plan.execute(load.x(), load.k(), y);
    return seconds_since(start);
  }

  /// Makes the next plan the first one, outside the time.
  void forget(benchmark::State& state) const {
    if (algorithm_.forget == nullptr) return;
    state.PauseTiming();
    algorithm_.forget();
    state.ResumeTiming();
  }

  const Algorithm& algorithm_;
  PlanOptions options_;
  Accuracy accuracy_;
  std::size_t workspace_bytes_ = 0;
  int threads_used_ = 0;
  std::string implementation_;
};

}  // namespace

void SharedState::enter(const Cell& cell) {
  if (&cell == cell_) return;
  cell_ = &cell;
  plan_.emplace<std::monostate>();
  use_instruction_set(cell.settings().entrant->contender.instruction_set);
  end_idle_threads();
}

template <class T>
void SharedState::renew(const Case& c) {
  constexpr std::size_t kMost = 65536;
  plan_.emplace<std::monostate>();
  workload<T>(c).move(random_);
  displacement_ = std::vector<char>(1 + random_() % kMost);
}

template <class T>
Workload<T>& SharedState::workload(const Case& c) {
  auto* current = std::get_if<Workload<T>>(&workload_);
  if (current == nullptr || to_string(c) != case_) {
    workload_.emplace<std::monostate>();
    current = &workload_.emplace<Workload<T>>(c);
    case_ = to_string(c);
  }
  return *current;
}

template <class T>
std::unique_ptr<Plan<T>>& SharedState::plan() {
  using Held = std::unique_ptr<Plan<T>>;
  return std::holds_alternative<Held>(plan_) ? std::get<Held>(plan_) : plan_.emplace<Held>();
}

Cell::Cell(SharedState& shared, CellSettings settings, const char* scalar)
    : shared_(shared), settings_(std::move(settings)), name_(make_name(settings_, scalar)) {}

bool Cell::has_own_clock() const {
  if (settings_.phase != Phase::execute && settings_.phase != Phase::prepared) return false;
  const auto& [cold_cache, fresh_output] = settings_.mode;
  return settings_.entrant->contender.remote || cold_cache || fresh_output;
}

benchmark::internal::Benchmark* Cell::add() {
  auto* added =
      benchmark::RegisterBenchmark(name_.c_str(), [this](benchmark::State& state) { run(state); });
  return has_own_clock() ? added->UseManualTime() : added->UseRealTime();
}

template <class Body>
void Cell::guard(const Body& body) {
  shared_.enter(*this);
  try {
    if (!verified_) skip_ = verify();
    verified_ = true;
    if (skip_.empty()) body();
  } catch (const std::bad_alloc& error) {
    skip_ = fmt::format("{}{}", kOutOfMemory, error.what());
  } catch (const NotTaken& declined) {
    skip_ = fmt::format("{}{}", kDeclined, declined.what());
  } catch (const std::exception& error) {
    skip_ = fmt::format("failed: {}", error.what());
    well_ = false;
  }
  verified_ = true;
}

void Cell::run(benchmark::State& state) {
  if (interruption() != 0) return state.SkipWithError("interrupted");
  guard([&] { measure(state); });
  if (!skip_.empty()) state.SkipWithError(skip_.c_str());
}

bool Cell::runs() {
  guard([] {});
  return skip_.empty();
}

double Cell::seconds_per_call() {
  constexpr double kEnough = 0.002;
  double& fastest = seconds_of_call_;
  guard([&] {
    fastest = std::numeric_limits<double>::max();
    double total = 0;
    for (index_t calls = 1; total < kEnough; calls *= 2) {  // the first one warms up
      const double seconds = time_calls(calls);
      fastest = std::min(fastest, seconds / static_cast<double>(calls));
      total += calls > 1 ? seconds : seconds / 2;
    }
  });
  return fastest;
}

template <class T>
std::unique_ptr<Cell> make_cell(SharedState& shared, const CellSettings& settings) {
  return std::make_unique<TypedCell<T>>(shared, settings);
}

template std::unique_ptr<Cell> make_cell<float>(SharedState&, const CellSettings&);
template std::unique_ptr<Cell> make_cell<double>(SharedState&, const CellSettings&);

}  // namespace fullconv::bench
