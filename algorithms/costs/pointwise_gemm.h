#pragma once

#include <vector>

#include "fullconv/algorithm.h"
#include "gemm/pointwise_blocking.h"

namespace fullconv {

/// The terms of one execution, in seconds, for one thread.
template <class T>
std::vector<Forecast::Term> pointwise_gemm_terms(const Problem& problem,
                                                 const pointwise::Blocking& blocking);

}  // namespace fullconv
