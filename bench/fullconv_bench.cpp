// Times every algorithm on every case, each output verified before it is timed.

#include <fmt/format.h>
#include <hwy/aligned_allocator.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "fullconv/fullconv.h"
#include "harness.h"
#include "support/accuracy.h"
#include "support/case.h"
#include "support/operands.h"
#include "support/oracle.h"

namespace fullconv::bench {
namespace {

using testing::Accuracy;
using testing::Case;
using testing::Oracle;

enum class Phase {
  plan,       // make a plan by measuring, when that has been done before, and destroy it
  cold_plan,  // the same for the first time; only where an algorithm's library remembers
  oneshot,    // make a plan by estimate, for the first time, execute it once and destroy it
  execute,    // execute a plan made by measuring
};

struct PhaseName {
  Phase phase;
  const char* name;
  const char* suffix = "";
};
constexpr PhaseName kPhases[] = {{Phase::plan, "plan"},
                                 {Phase::cold_plan, "plan", "/cold"},
                                 {Phase::oneshot, "oneshot"},
                                 {Phase::execute, "execute"}};

template <class T>
constexpr const char* kScalarName = std::is_same_v<T, float> ? "f32" : "f64";

/// A dense tensor at an alignment that is the same in every run, or times would depend on where the
/// allocator happened to put it.
template <class T>
class Tensor {
 public:
  explicit Tensor(const Extents& extents)
      : extents_(extents), elements_(hwy::AllocateAligned<T>(size())) {
    if (!elements_) throw std::bad_alloc();
  }

  std::size_t size() const { return static_cast<std::size_t>(testing::element_count(extents_)); }
  T* data() { return elements_.get(); }
  TensorView<T> view() const { return {elements_.get(), extents_}; }

 private:
  Extents extents_;
  hwy::AlignedFreeUniquePtr<T[]> elements_;
};

/// What all contenders of one case share: operands, output and oracle.
template <class T>
class Workload {
 public:
  explicit Workload(const Case& c)
      : problem_(checked_to_fit(c.problem)),
        x_(problem_.x_extents()),
        k_(problem_.k_extents()),
        y_(problem_.y_extents()) {
    const auto operands = testing::make_operands<T>(c);
    std::ranges::copy(operands.x, x_.data());
    std::ranges::copy(operands.k, k_.data());
  }

  void execute(Plan<T>& plan) { plan.execute(x_.view(), k_.view(), y_.view()); }

  Accuracy verify(Plan<T>& plan, ErrorModel model) {
    if (!oracle_) oracle_.emplace(problem_, x_.view(), k_.view());
    std::fill_n(y_.data(), y_.size(), std::numeric_limits<T>::quiet_NaN());
    execute(plan);
    return testing::measure_accuracy<T>(*oracle_, model, y_.view());
  }

 private:
  static const Problem& checked_to_fit(const Problem& problem) {
    const auto size = [](const Extents& extents) {
      return static_cast<double>(testing::element_count(extents));
    };
    const bool whole_oracle = problem.multiply_adds() <= testing::kWholeOracleLimit;
    const double oracle_bytes = whole_oracle ? sizeof(testing::Wide<T>) + sizeof(double) : 0;
    const double bytes = 2 * sizeof(T) * (size(problem.x_extents()) + size(problem.k_extents())) +
                         (sizeof(T) + oracle_bytes) * size(problem.y_extents());
    if (const auto available = static_cast<double>(available_memory()); bytes > available) {
      throw InsufficientMemory(fmt::format("operands and oracle of {:.0f} MiB: {:.0f} available",
                                           bytes / 0x1p20, available / 0x1p20));
    }
    return problem;
  }

  Problem problem_;
  Tensor<T> x_, k_, y_;
  std::optional<Oracle<T>> oracle_;
};

/// What cells leave to each other. One case at a time is kept, so that memory stays bounded, and
/// one plan.
class Stage {
 public:
  /// To be called by each cell before it does anything.
  void enter(const void* cell) {
    if (cell == cell_) return;
    cell_ = cell;
    plan_.emplace<std::monostate>();
    end_idle_threads();
  }

  template <class T>
  Workload<T>& workload(const Case& c) {
    auto* current = std::get_if<Workload<T>>(&workload_);
    if (current == nullptr || to_string(c) != case_) {
      workload_.emplace<std::monostate>();
      current = &workload_.emplace<Workload<T>>(c);
      case_ = to_string(c);
    }
    return *current;
  }

  /// The plan that the cell on stage has left here, or null.
  template <class T>
  std::unique_ptr<Plan<T>>& plan() {
    using Held = std::unique_ptr<Plan<T>>;
    return std::holds_alternative<Held>(plan_) ? std::get<Held>(plan_) : plan_.emplace<Held>();
  }

 private:
  const void* cell_ = nullptr;
  std::string case_;
  std::variant<std::monostate, Workload<float>, Workload<double>> workload_;
  std::variant<std::monostate, std::unique_ptr<Plan<float>>, std::unique_ptr<Plan<double>>> plan_;
};

/// Operations a second of one thread on a small problem, 0 where the algorithm declines that.
template <class T>
double measure_rate(const Algorithm& algorithm, const Problem& problem) {
  using Seconds = std::chrono::duration<double>;
  using Clock = std::chrono::steady_clock;
  constexpr Seconds kEnough{0.005};
  auto planned = algorithm.plan<T>(problem);
  auto* plan = std::get_if<std::unique_ptr<Plan<T>>>(&planned);
  if (plan == nullptr) return 0;
  Workload<T> workload(Case{problem});
  Seconds total{0};
  Seconds fastest = Seconds::max();
  while (total < kEnough) {
    const auto start = Clock::now();
    workload.execute(**plan);
    const Seconds taken = Clock::now() - start;
    fastest = std::min(fastest, taken);
    total += taken;
  }
  return algorithm.operations(problem) / fastest.count();
}

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
  if (is_new) rate = measure_rate<T>(algorithm, probe);
  return algorithm.operations(problem) / (rate > 0 ? rate : kRateOfLoops);
}

struct Options {
  std::vector<std::string> case_names;
  std::vector<std::string> case_files;
  std::vector<std::string> algorithms;
  std::vector<std::string> scalars;
  std::vector<std::string> phases;
  std::vector<int> threads = default_threads();
  double cell_limit = 10;
};

/// One benchmark: an algorithm on a case, with a number of threads, in one phase.
template <class T>
class Cell {
 public:
  Cell(Stage& stage, const Algorithm& algorithm, const Case& c, int threads, Phase phase,
       double limit)
      : stage_(stage),
        algorithm_(algorithm),
        case_(c),
        options_{.threads = threads,
                 .effort = phase == Phase::oneshot ? Effort::estimate : Effort::measure},
        phase_(phase),
        limit_(limit) {}

  /// Google Benchmark calls this again and again, to find the number of iterations and for each
  /// repetition. Returns whether all was well.
  bool run(benchmark::State& state) {
    stage_.enter(this);
    try {
      if (!verdict_) verdict_ = judge();
      if (verdict_->skip.empty()) measure(state);
    } catch (const std::bad_alloc& error) {
      verdict_ = {.skip = fmt::format("{}{}", kOutOfMemory, error.what())};
    } catch (const std::exception& error) {
      verdict_ = {.skip = fmt::format("failed: {}", error.what()), .well = false};
    }
    if (!verdict_->skip.empty()) state.SkipWithError(verdict_->skip.c_str());
    return verdict_->well;
  }

 private:
  struct Verdict {
    std::string skip = {};  // why this cell is not timed
    bool well = true;       // no wrong answer, no failure
    Accuracy accuracy = {};
    std::size_t workspace_bytes = 0;
    int threads = 0;
  };

  const Problem& problem() const { return case_.problem; }

  std::unique_ptr<Plan<T>> make_plan() const {
    return std::get<std::unique_ptr<Plan<T>>>(algorithm_.plan<T>(problem(), options_));
  }

  std::string reason_to_skip() const {
    const auto planned = algorithm_.plan<T>(problem(), {.threads = options_.threads});
    if (const auto* declined = std::get_if<Declined>(&planned)) {
      return fmt::format("{}{}", kDeclined, declined->reason);
    }
    const double predicted = predict_seconds<T>(algorithm_, problem());
    if (predicted <= limit_) return {};
    return fmt::format("{}predicted {:.{}f} s from {:.2g} operations, limit {:g} s", kLeftOut,
                       predicted, predicted < 10 ? 2 : 0, algorithm_.operations(problem()), limit_);
  }

  Verdict judge() {
    if (std::string reason = reason_to_skip(); !reason.empty()) return {.skip = reason};
    std::unique_ptr<Plan<T>> plan = make_plan();
    const Accuracy accuracy = stage_.workload<T>(case_).verify(*plan, algorithm_.error_model);
    if (!accuracy.within_bound()) {
      return {.skip = fmt::format("wrong: {}, off by {:.3g} times the bound", accuracy.worst,
                                  accuracy.error_in_bounds),
              .well = false};
    }
    Verdict verdict{.accuracy = accuracy,
                    .workspace_bytes = plan->workspace_bytes(),
                    .threads = plan->threads()};
    if (phase_ == Phase::execute) stage_.plan<T>() = std::move(plan);
    return verdict;
  }

  void measure(benchmark::State& state) {
    Workload<T>& workload = stage_.workload<T>(case_);
    switch (phase_) {
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
          workload.execute(*make_plan());
        }
        break;
      case Phase::execute: {
        auto& plan = stage_.plan<T>();
        if (!plan) plan = make_plan();
        for (auto _ : state) workload.execute(*plan);
        break;
      }
    }
    auto& counters = state.counters;
    if (phase_ == Phase::oneshot || phase_ == Phase::execute) {
      counters["GFLOP/s"] = giga_per_second(nominal_operations(problem()));
    }
    counters["multiply_adds"] = static_cast<double>(problem().multiply_adds());
    counters["workspace_bytes"] = static_cast<double>(verdict_->workspace_bytes);
    counters["threads_used"] = verdict_->threads;
    counters["error_in_bounds"] = verdict_->accuracy.error_in_bounds;
    counters["relative_l2"] = verdict_->accuracy.relative_l2;
    counters["sampled"] = verdict_->accuracy.sampled ? 1 : 0;
  }

  /// Makes the next plan the first one, outside the time.
  void forget(benchmark::State& state) const {
    if (algorithm_.forget == nullptr) return;
    state.PauseTiming();
    algorithm_.forget();
    state.ResumeTiming();
  }

  Stage& stage_;
  const Algorithm& algorithm_;
  Case case_;
  PlanOptions options_;
  Phase phase_;
  double limit_;
  std::optional<Verdict> verdict_;
};

/// Whether a list of names selects `name`: an empty one selects all.
bool selects(const std::vector<std::string>& names, std::string_view name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

/// Each case once, in the order given. Throws where there is none to find.
std::vector<Case> read_cases(const Options& options) {
  std::vector<std::string> names = options.case_names;
  if (names.empty() && options.case_files.empty()) {
    // Compiled in, so that the program says something useful wherever it is installed.
    names = {FULLCONV_SMOKE_CASES};
  }
  std::vector<Case> cases;
  std::ranges::transform(names, std::back_inserter(cases), testing::parse_case);
  for (const std::string& file : options.case_files) {
    const std::vector<Case> more = testing::read_cases(file);
    if (more.empty()) throw std::invalid_argument(file + ": expected at least one case");
    cases.insert(cases.end(), more.begin(), more.end());
  }
  std::set<std::string> seen;
  std::erase_if(cases, [&](const Case& c) { return !seen.insert(to_string(c)).second; });
  return cases;
}

template <class T>
void register_cells(const Options& options, const Case& c, Stage& stage, bool& all_well) {
  if (!selects(options.scalars, kScalarName<T>)) return;
  for (const auto& [phase, phase_name, suffix] : kPhases) {
    if (!selects(options.phases, phase_name)) continue;
    for (const int threads : std::set(options.threads.begin(), options.threads.end())) {
      for (const Algorithm* algorithm : algorithms()) {
        if (!selects(options.algorithms, algorithm->name)) continue;
        if (phase == Phase::cold_plan && algorithm->forget == nullptr) continue;
        const std::string name =
            fmt::format("{}/{}/{}/{}/threads:{}{}", phase_name, algorithm->name, kScalarName<T>,
                        to_string(c), threads, suffix);
        auto cell =
            std::make_shared<Cell<T>>(stage, *algorithm, c, threads, phase, options.cell_limit);
        benchmark::RegisterBenchmark(name.c_str(), [cell, &all_well](benchmark::State& state) {
          all_well &= cell->run(state);
        })->UseRealTime();
      }
    }
  }
}

void add_options(CLI::App& app, Options& options, const std::vector<std::string>& algorithm_names) {
  app.add_option("--case", options.case_names, "Problems such as 8x8_k5x5 or n8_i64_o32_56x56_k3x3")
      ->type_name("CASE");
  app.add_option("--cases", options.case_files,
                 "Files with one case a line; the smoke cases where neither is given")
      ->type_name("FILE");
  app.add_option("--algorithm", options.algorithms, "Only these algorithms")
      ->type_name("NAME")
      ->check(CLI::IsMember(algorithm_names));
  app.add_option("--scalar", options.scalars, "Only these scalars")
      ->check(CLI::IsMember({kScalarName<float>, kScalarName<double>}));
  app.add_option("--phase", options.phases,
                 "plan: make a plan by measuring and destroy it; oneshot: make one by estimate, "
                 "execute and destroy it; execute: a plan made before, by measuring")
      ->check(CLI::IsMember({"plan", "oneshot", "execute"}));
  app.add_option("--threads", options.threads, "Numbers of threads; one and all cores unless given")
      ->type_name("T")
      ->check(CLI::Range(1, 1024));
  app.add_option("--cell-limit", options.cell_limit,
                 "Leave out what is predicted to take more seconds for one execution")
      ->type_name("SECONDS")
      ->check([](const std::string& text) {
        double seconds = 0;
        const bool good = CLI::detail::lexical_cast(text, seconds) && seconds > 0;
        return good ? "" : "'" + text + "' is not a number of seconds above 0";
      })
      ->capture_default_str();
}

int time_algorithms(int argc, char** argv) {
  std::vector<std::string> names;
  for (const Algorithm* algorithm : algorithms()) names.emplace_back(algorithm->name);
  Options options;
  CLI::App app("Times full convolutions, each output verified before it is timed.",
               "fullconv_bench");
  add_options(app, options, names);
  if (const auto exit_code = parse(app, argc, argv)) return *exit_code;

  Stage stage;
  bool all_well = true;
  try {
    for (const Case& c : read_cases(options)) {
      register_cells<float>(options, c, stage, all_well);
      register_cells<double>(options, c, stage, all_well);
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return kBadQuestion;
  }
  add_context();
  benchmark::AddCustomContext("algorithms", fmt::format("{}", fmt::join(names, " ")));
  const int exit_code = run();
  return all_well ? exit_code : kNo;
}

}  // namespace
}  // namespace fullconv::bench

int main(int argc, char** argv) { return fullconv::bench::time_algorithms(argc, argv); }
