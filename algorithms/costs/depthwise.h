#pragma once

#include <vector>

#include "direct/depthwise_blocking.h"
#include "fullconv/algorithm.h"

namespace fullconv {

/// The terms of one execution, in seconds, for one thread.
template <class T>
std::vector<Forecast::Term> depthwise_terms(const Problem& problem,
                                            const depthwise::LaneBlocking& blocking);
template <class T>
std::vector<Forecast::Term> depthwise_terms(const Problem& problem,
                                            const depthwise::RowBlocking& blocking);

}  // namespace fullconv
