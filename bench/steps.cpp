// Says where the time of each algorithm goes, from a library that was built with its timers on: in
// runs of its own, so that other measurements are not disturbed.

#include "core/steps.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <iostream>
#include <limits>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "fullconv/fullconv.h"
#include "harness.h"
#include "prediction.h"
#include "selection.h"
#include "workload.h"

namespace fullconv::bench {
namespace {

using testing::Accuracy;
using testing::Case;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr const char* kDescription =
    "Seconds that one call of each algorithm spends in its steps, as JSON: those of the "
    "repetition with the median total.\n"
    "total is the time of the whole call; what no step covers is total less their sum. With "
    "several threads, the seconds of a step are the sum over threads divided by the number of "
    "threads used, so that waiting is in no step. clock_overhead is the share of total that "
    "reading the clock takes, where that exceeds 2 %.";

constexpr double kOverheadWorthTelling = 0.02;

struct Options : Selection {
  int repetitions = 5;
  double min_time = 0.02;
};

/// What some calls took; seconds.
struct Calls {
  double total;
  StepTotals steps;
};

template <class T>
Calls time_calls(Workload<T>& workload, Plan<T>& plan, index_t calls) {
  reset_step_totals();
  const auto start = Clock::now();
  for (index_t call = 0; call < calls; ++call) workload.execute(plan);
  const std::chrono::duration<double> taken = Clock::now() - start;
  return {taken.count(), step_totals()};
}

/// Seconds that a timer takes for one reading, counting included: the shortest of several times,
/// since what else a machine does only adds to that.
double reading_cost() {
  static const double cost = [] {
    constexpr int kTimes = 20, kTimers = 1000;
    double shortest = std::numeric_limits<double>::infinity();
    for (int time = 0; time < kTimes; ++time) {
      reset_step_totals();
      const auto start = Clock::now();
      for (int timer = 0; timer < kTimers; ++timer) StepTimer(Step::direct).enter(Step::copies);
      const std::chrono::duration<double> taken = Clock::now() - start;
      shortest = std::min(shortest, taken.count() / static_cast<double>(step_totals().readings));
    }
    return shortest;
  }();
  return cost;
}

/// Adds `repetitions`, `seconds` and maybe `clock_overhead` to the entry.
template <class T>
void measure(Workload<T>& workload, Plan<T>& plan, const Options& options, Json& entry) {
  const double cost = reading_cost();
  // A first guess, from a call that is no longer the first.
  const double guess = time_calls(workload, plan, 1).total;
  const auto calls = static_cast<index_t>(std::max(1.0, std::ceil(options.min_time / guess)));

  // Steps and total of one repetition belong together: medians of each by itself need not add up
  // where something else takes the processor for a while.
  std::vector<Calls> repetitions(static_cast<std::size_t>(options.repetitions));
  for (Calls& repetition : repetitions) repetition = time_calls(workload, plan, calls);
  const auto typical = repetitions.begin() + options.repetitions / 2;
  std::ranges::nth_element(repetitions, typical, {}, &Calls::total);

  const double thread_calls = static_cast<double>(calls) * plan.threads();
  entry["repetitions"] = options.repetitions;
  Json& seconds = entry["seconds"];
  seconds["total"] = typical->total / static_cast<double>(calls);
  for (std::size_t step = 0; step < kStepNames.size(); ++step) {
    const double value = typical->steps.seconds[step] / thread_calls;
    if (value > 0) seconds[kStepNames[step]] = value;
  }
  const double reading = cost * static_cast<double>(typical->steps.readings) / plan.threads();
  if (const double overhead = reading / typical->total; overhead > kOverheadWorthTelling) {
    entry["clock_overhead"] = overhead;
  }
}

/// Each entry of one case in one scalar.
template <class T>
class Field {
 public:
  Field(const Case& c, const Options& options) : case_(c), options_(options) {}

  Json run(const Algorithm& algorithm, int threads) {
    const char* scalar = std::is_same_v<T, float> ? "f32" : "f64";
    Json entry{{"case", to_string(case_)},
               {"scalar", scalar},
               {"algorithm", algorithm.name},
               {"threads", threads}};
    std::string skipped;
    try {
      skipped = measure_unless_skipped(algorithm, threads, entry);
    } catch (const std::bad_alloc& error) {
      skipped = fmt::format("{}{}", kOutOfMemory, error.what());
    } catch (const std::exception& error) {
      skipped = fmt::format("failed: {}", error.what());
      std::ranges::replace(skipped, '\n', ' ');
    }
    if (skipped.empty()) return entry;
    entry["skipped"] = skipped;
    if (skipped.starts_with("wrong") || skipped.starts_with("failed")) {
      well_ = false;
      fmt::print(stderr, "{}/{}/{}/threads:{}: {}\n", algorithm.name, scalar, to_string(case_),
                 threads, skipped);
    }
    return entry;
  }

  /// False after a wrong answer or a failure.
  bool well() const { return well_; }

 private:
  /// Why not, or nothing.
  std::string measure_unless_skipped(const Algorithm& algorithm, int threads, Json& entry) {
    end_idle_threads();
    const Problem& problem = case_.problem;
    const auto estimated = algorithm.plan<T>(problem, {.threads = threads});
    if (const auto* declined = std::get_if<Declined>(&estimated)) {
      return fmt::format("{}{}", kDeclined, declined->reason);
    }
    const double limit = options_.cell_limit;
    if (std::string reason = reason_to_leave_out<T>(algorithm, problem, limit); !reason.empty()) {
      return reason;
    }
    const auto planned =
        algorithm.plan<T>(problem, {.threads = threads, .effort = Effort::measure});
    Plan<T>& plan = *std::get<std::unique_ptr<Plan<T>>>(planned);
    if (!workload_) workload_.emplace(case_);
    const Accuracy accuracy = workload_->verify(algorithm, [&] { workload_->execute(plan); });
    if (!accuracy.within_bound()) {
      return fmt::format("wrong: {}, off by {:.3g} times the bound", accuracy.worst,
                         accuracy.error_in_bounds);
    }
    measure(*workload_, plan, options_, entry);
    return {};
  }

  Case case_;
  const Options& options_;
  std::optional<Workload<T>> workload_;
  bool well_ = true;
};

/// Adds the entries of one case in one scalar to the results; false after a wrong one.
template <class T>
bool run_field(const Case& c, const Options& options, Json& results) {
  Field<T> field(c, options);
  for (const Algorithm* algorithm : algorithms()) {
    if (!selects(options.algorithms, algorithm->name)) continue;
    for (const int threads : std::set(options.threads.begin(), options.threads.end())) {
      results.push_back(field.run(*algorithm, threads));
    }
  }
  return field.well();
}

/// The exit code where the program ends with the command line.
std::optional<int> parse_options(int argc, char** argv, Options& options) {
  std::vector<std::string> names;
  for (const Algorithm* algorithm : algorithms()) names.emplace_back(algorithm->name);
  CLI::App app(kDescription, "fullconv_steps");
  options.add_selection(app, names, "Only these algorithms");
  app.add_option("--repetitions", options.repetitions,
                 "Of which the one with the median total is taken")
      ->type_name("N")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--min-time", options.min_time, "Of one repetition, which is at least one call")
      ->type_name("SECONDS")
      ->check([](const std::string& text) { return check_positive(text, "a number of seconds"); })
      ->capture_default_str();
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return kBadQuestion;
  }
}

int time_steps(int argc, char** argv) {
  Options options;
  if (const auto exit_code = parse_options(argc, argv, options)) return *exit_code;
  std::vector<Case> cases;
  try {
    cases = options.cases();
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return kBadQuestion;
  }

  Json results = Json::array();
  bool all_well = true;
  for (const Case& c : cases) {
    if (selects(options.scalars, "f32")) all_well &= run_field<float>(c, options, results);
    if (selects(options.scalars, "f64")) all_well &= run_field<double>(c, options, results);
  }
  std::cout << results.dump(2) << '\n';
  if (!std::cout.flush()) {
    fmt::print(stderr, "cannot write to standard output\n");
    return kBadQuestion;
  }
  return all_well ? 0 : kNo;
}

}  // namespace
}  // namespace fullconv::bench

int main(int argc, char** argv) { return fullconv::bench::time_steps(argc, argv); }
