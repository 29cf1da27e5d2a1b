#pragma once

#include <string>

#include "errors.h"
#include "fullconv/fullconv.h"

namespace fullconv::cli {

/// The algorithm of that name. Throws UsageError, listing those that there are.
const Algorithm& known_algorithm(const std::string& name);

/// What computes a convolution unless the user says otherwise.
const Algorithm& default_algorithm();

/// Algorithm::plan, with an error that tells whose workspace does not fit.
template <class T>
Planned<T> make_plan(const Algorithm& algorithm, const Problem& problem,
                     const PlanOptions& options) {
  try {
    return algorithm.plan<T>(problem, options);
  } catch (const InsufficientMemory& error) {
    throw UsageError(fmt::format("{} on {}: {}", algorithm.name, to_string(problem), error.what()));
  }
}

/// Of what `auto` would take, where it is the algorithm; without terms and workspace where nothing
/// is known.
template <class T>
Forecast forecast_of(const Algorithm& algorithm, const Problem& problem,
                     const PlanOptions& options) {
  for (Candidate& candidate : candidates<T>(problem, options)) {
    const bool is_wanted = candidate.algorithm == &algorithm ||
                           (algorithm.delegates == Delegates::always && candidate.excluded.empty());
    if (is_wanted) return std::move(candidate.forecast);
  }
  return {};
}

}  // namespace fullconv::cli
