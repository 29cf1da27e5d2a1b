// The chooser: of the algorithms that forecast their time, the one with the shortest; with
// Effort::measure, the fastest of the few that come close. Whole numbers stay whole: where that
// needs it, by sums of products. Kernels of low rank take a shortcut.

#include "auto/chooser.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>

#include "auto/whole_numbers.h"
#include "core/buffer.h"
#include "core/built_in.h"
#include "core/layer_plan.h"
#include "core/layer_sharing.h"
#include "core/plane.h"
#include "core/rates.h"
#include "core/scaled_operands.h"
#include "core/shortcut.h"
#include "core/steps.h"
#include "fullconv/choose.h"
#include "fullconv/ran.h"

namespace fullconv {
namespace {

constexpr const char* kNothingWithinLimits =
    "no algorithm takes this problem within the limits given";

template <class T>
ShortcutPlanner<T> shortcut_planner_of(const Algorithm& algorithm) {
  if constexpr (std::is_same_v<T, float>) {
    return algorithm.shortcut_f32;
  } else {
    return algorithm.shortcut_f64;
  }
}

double elements(const Extents& extents) {
  return std::accumulate(extents.begin(), extents.end(), 1.0,
                         [](double product, index_t extent) { return product * extent; });
}

/// In bytes.
template <class T>
double workspace_limit(const Problem& problem, const PlanOptions& options) {
  if (options.workspace_limit) return static_cast<double>(*options.workspace_limit);
  return sizeof(T) * (elements(problem.x_extents()) + elements(problem.k_extents()) +
                      elements(problem.y_extents())) +
         0x1p26;
}

template <class T>
std::size_t workspace_limit_bytes(const Problem& problem, const PlanOptions& options) {
  constexpr double kMost = 0x1p62;  // that a size_t holds
  return static_cast<std::size_t>(std::min(workspace_limit<T>(problem, options), kMost));
}

/// What an algorithm is asked for: a serial one takes no more than one thread.
template <class T>
PlanOptions options_for(const Algorithm& algorithm, const Problem& problem, PlanOptions options) {
  options.workspace_limit = workspace_limit_bytes<T>(problem, options);
  if (!algorithm.threaded) options.threads = 1;
  options.any_strides = false;  // the adapter is around the chooser
  return options;
}

std::string mebibytes(double bytes) {
  return std::to_string(static_cast<std::int64_t>(std::ceil(bytes / 0x1p20))) + " MiB";
}

/// Whether the bound on an algorithm's error is within what is asked for.
template <class T>
bool keeps_tolerance(const Algorithm& algorithm, const Problem& problem,
                     const PlanOptions& options) {
  return !options.tolerance ||
         relative_bound(algorithm.error_model, problem, std::numeric_limits<T>::epsilon() / 2) <=
             static_cast<long double>(*options.tolerance);
}

template <class T>
Candidate consider(const Algorithm& algorithm, const Problem& problem, const PlanOptions& options,
                   const Rates& rates) {
  Candidate candidate{.algorithm = &algorithm, .forecast = {}, .excluded = {}};
  if (planner_of<T>(algorithm) == nullptr) {
    candidate.excluded = "does not offer this scalar";
  } else if (algorithm.non_finite != NonFinite::as_defined) {
    candidate.excluded = "does otherwise with NaN and Inf than the definition";
  } else if (options.accuracy == ErrorModel::componentwise &&
             algorithm.error_model != ErrorModel::componentwise) {
    candidate.excluded = "its error is not bounded componentwise";
  } else if (!keeps_tolerance<T>(algorithm, problem, options)) {
    candidate.excluded = "its error bound is above the tolerance";
  } else if (const auto forecast = rates.forecast(
                 algorithm, problem, options_for<T>(algorithm, problem, options), sizeof(T));
             !forecast) {
    candidate.excluded = "declines the problem";
  } else {
    candidate.forecast = *forecast;
    const double limit = workspace_limit<T>(problem, options);
    if (const auto bytes = static_cast<double>(forecast->workspace_bytes); bytes > limit) {
      candidate.excluded =
          "needs a workspace of " + mebibytes(bytes) + ", " + mebibytes(limit) + " are allowed";
    }
  }
  return candidate;
}

template <class T>
using PlanPointer = std::unique_ptr<Plan<T>>;

/// The plan of a candidate, or null where it declines after all or memory is short.
template <class T>
PlanPointer<T> make(const Candidate& candidate, const Problem& problem,
                    const PlanOptions& options) {
  try {
    auto planned = candidate.algorithm->plan<T>(
        problem, options_for<T>(*candidate.algorithm, problem, options));
    if (auto* plan = std::get_if<PlanPointer<T>>(&planned)) return std::move(*plan);
  } catch (const InsufficientMemory&) {
    // Another one may do with less.
  }
  return nullptr;
}

/// What won, its plan, and its time: as it was measured, where it was, else as it was forecast.
template <class T>
struct Choice {
  const Algorithm* algorithm = nullptr;
  PlanPointer<T> plan;
  double seconds = 0;
};

template <class T>
Choice<T> choose_by_forecast(const std::vector<Candidate>& ranked, const Problem& problem,
                             const PlanOptions& options) {
  for (const Candidate& candidate : ranked) {
    if (!candidate.excluded.empty()) break;
    if (auto plan = make<T>(candidate, problem, options)) {
      return {candidate.algorithm, std::move(plan), candidate.forecast.seconds()};
    }
  }
  return {};
}

/// One that is tried, and the times of its executions, in seconds.
template <class T>
struct Trial {
  Choice<T> choice;
  std::vector<double> times{};

  double median() {
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::ranges::nth_element(times, middle);
    return *middle;
  }
};

/// Executes them in turns, so that what disturbs one disturbs all. The first execution of each turn
/// is not timed: it brings back from far caches what the others threw out of near ones, which took
/// winograd 1.4 times as long at n1_i128_o128_28x28_k3x3_p1x1x1x1_s2x2_op1x1 and had it lose.
template <class T>
void run_trials(std::vector<Trial<T>>& trials, const Problem& problem) {
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;
  constexpr Seconds kLongEnough(20e-6);  // for the clock
  constexpr Seconds kEnough(0.1);        // for each
  constexpr int kLeastRounds = 5;
  const auto buffer = [](const Extents& extents) {
    return Buffer<T>(static_cast<index_t>(elements(extents)));
  };
  const Buffer<T> x = buffer(problem.x_extents());
  const Buffer<T> k = buffer(problem.k_extents());
  const Buffer<T> y = buffer(problem.y_extents());
  const auto start = Clock::now();
  for (int round = 0;
       round < kLeastRounds || Clock::now() - start < kEnough * static_cast<double>(trials.size());
       ++round) {
    for (auto& [choice, times] : trials) {
      const auto execute = [&] {
        choice.plan->execute({x.data(), problem.x_extents()}, {k.data(), problem.k_extents()},
                             {y.data(), problem.y_extents()});
      };
      execute();
      const auto begin = Clock::now();
      int executions = 0;
      do {
        execute();
        ++executions;
      } while (Clock::now() - begin < kLongEnough);
      times.push_back(Seconds(Clock::now() - begin).count() / executions);
    }
  }
}

template <class T>
Choice<T> choose_by_time(const std::vector<Candidate>& ranked, const Problem& problem,
                         const PlanOptions& options) {
  constexpr double kWorthTrying = 3;  // times the shortest forecast
  std::vector<Trial<T>> trials;
  for (const Candidate& candidate : ranked) {
    if (!candidate.excluded.empty()) break;
    if (candidate.forecast.seconds() > kWorthTrying * ranked.front().forecast.seconds()) break;
    if (auto plan = make<T>(candidate, problem, options)) {
      trials.push_back({{candidate.algorithm, std::move(plan), candidate.forecast.seconds()}});
    }
  }
  if (trials.empty()) return {};
  if (trials.size() > 1) run_trials(trials, problem);
  for (Trial<T>& trial : trials) {
    if (!trial.times.empty()) trial.choice.seconds = trial.median();
  }
  return std::move(std::ranges::min_element(trials, {}, [](const Trial<T>& trial) {
                     return trial.choice.seconds;
                   })->choice);
}

/// What measuring has chosen before, by what it was asked for.
class Wisdom {
 public:
  template <class T>
  static std::string question(const Problem& problem, const PlanOptions& options) {
    std::string text = to_string(problem);
    for (const auto part : {sizeof(T), static_cast<std::size_t>(options.threads),
                            std::size_t{options.accuracy == ErrorModel::componentwise},
                            options.workspace_limit.value_or(~std::size_t{0})}) {
      text += ' ' + std::to_string(part);
    }
    if (options.tolerance) text += " rel=" + std::to_string(std::log2(*options.tolerance));
    return text;
  }

  struct Answer {
    const Algorithm* algorithm = nullptr;
    double seconds = 0;
  };

  std::optional<Answer> recall(const std::string& question) {
    const std::lock_guard lock(mutex_);
    const auto found = answers_.find(question);
    return found == answers_.end() ? std::nullopt : std::optional(found->second);
  }
  void remember(const std::string& question, const Answer& answer) {
    const std::lock_guard lock(mutex_);
    answers_[question] = answer;
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    answers_.clear();
  }

 private:
  std::mutex mutex_;
  std::map<std::string, Answer> answers_;
};

Wisdom& wisdom() {
  static Wisdom all;
  return all;
}

/// None where nothing could be tried.
template <class T>
Choice<T> choose_by_time_once(std::vector<Candidate> ranked, const Problem& problem,
                              const PlanOptions& options) {
  const std::string question = Wisdom::question<T>(problem, options);
  if (const auto known = wisdom().recall(question)) {
    std::erase_if(ranked, [&](const Candidate& c) { return c.algorithm != known->algorithm; });
    Choice<T> choice = choose_by_forecast<T>(ranked, problem, options);
    choice.seconds = known->seconds;
    return choice;
  }
  try {
    Choice<T> choice = choose_by_time<T>(ranked, problem, options);
    if (choice.plan) wisdom().remember(question, {choice.algorithm, choice.seconds});
    return choice;
  } catch (const InsufficientMemory&) {
    return {};  // There is no room for operands to try them on.
  }
}

template <class T>
Choice<T> choose(const Problem& problem, const PlanOptions& options) {
  const std::vector<Candidate> ranked = candidates<T>(problem, options);
  if (options.effort == Effort::measure) {
    if (auto choice = choose_by_time_once<T>(ranked, problem, options); choice.plan) return choice;
  }
  return choose_by_forecast<T>(ranked, problem, options);
}

Problem one_plane_of(Problem problem) {
  problem.N = problem.C = 1;
  return problem;
}

/// A plan for one output plane that sums products.
template <class T>
Choice<T> plan_sums(const Problem& problem, PlanOptions options) {
  const Problem one_plane = one_plane_of(problem);
  options.accuracy = ErrorModel::componentwise;
  options.tolerance.reset();
  return choose_by_forecast<T>(candidates<T>(one_plane, options), one_plane, options);
}

/// A plan in double for one output plane of floats, which takes half as long as sums of products or
/// less; null where that is not to be had within `bytes`.
std::unique_ptr<PlanInDouble> plan_in_double(const Problem& problem, PlanOptions options,
                                             double seconds_of_sums, double bytes) {
  // Below that, one plan more takes as long as it may ever save.
  constexpr double kWorthPlanning = 200e-6;
  const Problem one_plane = one_plane_of(problem);
  bytes -= static_cast<double>(PlanInDouble::room_bytes(one_plane));
  if (seconds_of_sums < kWorthPlanning || bytes < 0) return nullptr;
  options.accuracy = ErrorModel::normwise;
  options.workspace_limit = static_cast<std::size_t>(bytes);
  const std::vector<Candidate> ranked = candidates<double>(one_plane, options);
  if (ranked.front().forecast.seconds() > seconds_of_sums / 2) return nullptr;
  Choice<double> choice = choose_by_forecast<double>(ranked, one_plane, options);
  if (!choice.plan) return nullptr;
  try {
    return std::make_unique<PlanInDouble>(*choice.algorithm, std::move(choice.plan));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

/// What was chosen, made to give whole numbers for whole numbers. Null where it can't be.
template <class T>
PlanPointer<T> with_whole_numbers(Choice<T> choice, const Problem& problem, PlanOptions options) {
  if (!WholeNumbersPlan<T>::is_needed(*choice.algorithm, options)) return std::move(choice.plan);
  options.workspace_limit = static_cast<std::size_t>(std::max(
      0.0,
      workspace_limit<T>(problem, options) - static_cast<double>(choice.plan->workspace_bytes())));
  Choice<T> sums = plan_sums<T>(problem, options);
  if (!sums.plan) return nullptr;
  std::unique_ptr<PlanInDouble> in_double;
  if (std::is_same_v<T, float>) {
    in_double = plan_in_double(problem, options, sums.seconds,
                               static_cast<double>(*options.workspace_limit) -
                                   static_cast<double>(sums.plan->workspace_bytes()));
  }
  return std::make_unique<WholeNumbersPlan<T>>(*choice.algorithm, std::move(choice.plan),
                                               std::move(sums.plan), std::move(in_double));
}

/// A plan that takes so many seconds, and before it what is faster for some kernels.
template <class T>
PlanPointer<T> with_shortcuts(PlanPointer<T> plan, double seconds, PlanOptions options) {
  // A look at a random kernel takes up to 0.5 µs, which is to be no more than 1 %.
  constexpr double kWorthLooking = 50e-6;
  const Problem& problem = plan->problem();
  if (options.accuracy == ErrorModel::componentwise) return plan;
  if (seconds < kWorthLooking * static_cast<double>(problem.K * problem.C)) return plan;
  const double limit = workspace_limit<T>(problem, options);
  for (const Algorithm* algorithm : algorithms()) {
    const ShortcutPlanner<T> plan_shortcut = shortcut_planner_of<T>(*algorithm);
    if (plan_shortcut == nullptr || !keeps_tolerance<T>(*algorithm, problem, options)) continue;
    options.workspace_limit = static_cast<std::size_t>(
        std::max(0.0, limit - static_cast<double>(plan->workspace_bytes())));
    try {
      if (auto shortcut = plan_shortcut(problem, options, seconds)) {
        plan = std::make_unique<PlanWithShortcut<T>>(algorithm->name, std::move(shortcut),
                                                     std::move(plan));
      }
    } catch (const InsufficientMemory&) {
      // It goes without.
    }
  }
  return plan;
}

}  // namespace

template <class T>
std::vector<Candidate> candidates(const Problem& problem, const PlanOptions& options) {
  validate(problem);
  const std::shared_ptr<const Rates> rates = rates_in_use(options.threads);
  std::vector<Candidate> ranked;
  for (const Algorithm* algorithm : algorithms()) {
    if (algorithm->forecast == nullptr) continue;
    ranked.push_back(consider<T>(*algorithm, problem, options, *rates));
  }
  std::ranges::stable_sort(ranked, {}, [](const Candidate& candidate) {
    return std::pair(!candidate.excluded.empty(), candidate.forecast.seconds());
  });
  return ranked;
}

template std::vector<Candidate> candidates<float>(const Problem&, const PlanOptions&);
template std::vector<Candidate> candidates<double>(const Problem&, const PlanOptions&);

template <class T>
const Algorithm* chosen(const Problem& problem, const PlanOptions& options) {
  return choose<T>(problem, options).algorithm;
}

template const Algorithm* chosen<float>(const Problem&, const PlanOptions&);
template const Algorithm* chosen<double>(const Problem&, const PlanOptions&);

template <class T>
Planned<T> plan_chosen(const Algorithm& self, const Problem& problem, const PlanOptions& options) {
  Choice<T> choice = choose<T>(problem, options);
  if (!problem.is_dense()) {
    // Whoever does not take a layer as it is, and has taps gathered, leaves each of its dense
    // problems to a choice of its own.
    const bool is_needed =
        choice.plan && WholeNumbersPlan<T>::is_needed(*choice.algorithm, options);
    const bool keeps =
        choice.plan && (choice.algorithm->any_kernel_strides
                            ? problem.groups == 1
                            : takes_as_it_is(*choice.algorithm, problem) && !is_needed);
    if (keeps && !is_needed) return std::move(choice.plan);
    if (keeps) {
      if (auto plan = with_whole_numbers<T>(std::move(choice), problem, options)) return plan;
    }
    choice.plan.reset();
    PlanOptions limited = options;
    limited.workspace_limit = workspace_limit_bytes<T>(problem, options);
    // Before it is asked for: a caller that counts its memory has no room to find that out.
    const Sharing sharing = sharing_of(problem, limited);
    const LayerRoom room(problem, Reduction(problem), sharing);
    if (room.bytes(sharing, sizeof(T)) > *limited.workspace_limit) {
      return Declined{kNothingWithinLimits};
    }
    Planned<T> planned =
        with_scaled_operands<T>(self, plan_adapted<T>(self, problem, limited), limited);
    const auto* plan = std::get_if<PlanPointer<T>>(&planned);
    if (plan == nullptr || (*plan)->workspace_bytes() <= *limited.workspace_limit) return planned;
    return Declined{kNothingWithinLimits};
  }
  if (!choice.plan) return Declined{kNothingWithinLimits};
  const double seconds = choice.seconds;
  PlanPointer<T> plan = with_whole_numbers<T>(std::move(choice), problem, options);
  if (!plan) return Declined{"nothing within the limits sums products as the definition does"};
  return with_shortcuts<T>(std::move(plan), seconds, options);
}

template Planned<float> plan_chosen(const Algorithm&, const Problem&, const PlanOptions&);
template Planned<double> plan_chosen(const Algorithm&, const Problem&, const PlanOptions&);

long double bound_of_choices(const ErrorTerms& terms) {
  long double most = 0;
  for (const Algorithm* algorithm : built_in_algorithms()) {
    const bool eligible = algorithm->forecast != nullptr || algorithm->shortcut_f32 != nullptr;
    if (eligible) most = std::max(most, algorithm->error_model.bound(terms));
  }
  return most;
}

void forget_choices() { wisdom().forget(); }

template <class T>
std::string_view shortcut_taken(const Plan<T>& plan) {
  const auto* with_shortcut = dynamic_cast<const PlanWithShortcut<T>*>(&plan);
  return with_shortcut == nullptr ? std::string_view{} : with_shortcut->taken();
}

template std::string_view shortcut_taken(const Plan<float>&);
template std::string_view shortcut_taken(const Plan<double>&);

}  // namespace fullconv
