#pragma once

#include <algorithm>
#include <span>

#include "fullconv/algorithm.h"

namespace fullconv {

/// The list in algorithms/CMakeLists.txt, also where a program defines algorithms() by itself, as
/// tests do.
std::span<const Algorithm* const> built_in_algorithms();

/// Others, peers and those of tests, are run as they are: a peer's time is that of what its users
/// would call.
inline bool is_built_in(const Algorithm& algorithm) {
  return std::ranges::find(built_in_algorithms(), &algorithm) != built_in_algorithms().end();
}

}  // namespace fullconv
