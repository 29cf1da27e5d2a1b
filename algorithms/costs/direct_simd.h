#pragma once

#include <vector>

#include "fullconv/algorithm.h"

namespace fullconv {

/// One thread's.
template <class T>
std::vector<Forecast::Term> direct_simd_terms(const Problem& problem);

}  // namespace fullconv
