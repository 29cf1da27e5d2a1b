#pragma once

#include <string>

namespace fullconv {

/// Highway's name of the instruction set in use, "AVX3_DL": the best of those that were compiled
/// that this processor has.
std::string simd_target();

}  // namespace fullconv
