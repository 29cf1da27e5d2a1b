#pragma once

#include "fullconv/problem.h"

namespace fullconv {

/// One thread's time in seconds.
template <class T>
double direct_simd_seconds(const Problem& problem);

}  // namespace fullconv
