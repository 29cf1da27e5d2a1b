#pragma once

#include <string_view>

#include "fullconv/algorithm.h"

namespace fullconv {

/// The algorithm whose shortcut the last execution of a plan took, as `auto` takes low_rank's where
/// the kernel allows it; empty where none was taken, and for layers that are computed in parts.
template <class T>
std::string_view shortcut_taken(const Plan<T>& plan);

extern template std::string_view shortcut_taken(const Plan<float>&);
extern template std::string_view shortcut_taken(const Plan<double>&);

/// The bound of whatever `auto` runs: the largest bound of the algorithms that it may choose.
long double bound_of_choices(const ErrorTerms& terms);
inline constexpr ErrorModel kErrorOfChoice{.name = "of_choice", .bound = bound_of_choices};

}  // namespace fullconv
