#pragma once

#include <vector>

#include "fullconv/algorithm.h"
#include "winograd/blocking.h"

namespace fullconv {

/// The terms of one execution, in seconds, for one thread.
template <class T>
std::vector<Forecast::Term> winograd_terms(const Problem& problem,
                                           const winograd::Blocking& blocking);

}  // namespace fullconv
