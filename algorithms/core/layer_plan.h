#pragma once

#include "fullconv/algorithm.h"

namespace fullconv {

template <class T>
Planner<T> planner_of(const Algorithm& algorithm) {
  if constexpr (std::is_same_v<T, float>) {
    return algorithm.plan_f32;
  } else {
    return algorithm.plan_f64;
  }
}

/// Whether the algorithm's planner takes the problem as it is; else it is reduced first.
bool takes_as_it_is(const Algorithm& algorithm, const Problem& problem);

/// Plans what an algorithm is not native to, a layer or a window of y, through core/reduction.h.
template <class T>
Planned<T> plan_adapted(const Algorithm& algorithm, const Problem& problem,
                        const PlanOptions& options);

/// The forecast of algorithm.plan(problem): of its dense problems together.
std::optional<Forecast> forecast_of(const Algorithm& algorithm, const Problem& problem,
                                    const PlanOptions& options, std::size_t scalar_size);

}  // namespace fullconv
