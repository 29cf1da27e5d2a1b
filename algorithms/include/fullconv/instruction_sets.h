#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fullconv {

/// The instruction sets that vectorised code was compiled for and that this processor has, best
/// first, by Highway's names: "AVX3", "AVX2", "SSE4". One in a build for one processor, none
/// without Highway.
std::vector<std::string> instruction_sets();

/// The one in use.
std::string instruction_set();

/// For tests and benchmarks: vectorised code runs with this one from now on, in the whole process,
/// or with the best for an empty name. A plan is to be executed with the one that it was made with.
///
/// Throws std::invalid_argument, listing those that there are.
void use_instruction_set(std::string_view name);

}  // namespace fullconv
