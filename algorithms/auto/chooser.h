#pragma once

#include "fullconv/algorithm.h"

namespace fullconv {

/// Plans whichever algorithm is expected to be fastest, and has it give whole numbers for whole
/// numbers. `self` is who asks, and is asked again for each dense problem of a layer that nobody
/// takes as it is.
template <class T>
Planned<T> plan_chosen(const Algorithm& self, const Problem& problem, const PlanOptions& options);

/// Forgets what measuring has chosen before.
void forget_choices();

}  // namespace fullconv
