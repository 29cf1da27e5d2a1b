#pragma once

#include <span>

#include "fullconv/algorithm.h"

namespace fullconv {

/// The list in algorithms/CMakeLists.txt, also where a program defines algorithms() by itself, as
/// tests do.
std::span<const Algorithm* const> built_in_algorithms();

}  // namespace fullconv
