#pragma once

#include <vector>

#include "fullconv/algorithm.h"

namespace fullconv {

/// The terms of one execution, in seconds, for one thread.
std::vector<Forecast::Term> im2col_gemm_terms(const Problem& problem, std::size_t scalar_size);

}  // namespace fullconv
