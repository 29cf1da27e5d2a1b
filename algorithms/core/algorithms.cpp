// In a file apart from the list itself: a program with its own registry replaces these functions,
// and not the list.

#include <algorithm>

#include "core/built_in.h"

namespace fullconv {

std::span<const Algorithm* const> algorithms() { return built_in_algorithms(); }

const Algorithm* find_algorithm(std::string_view name) {
  const auto found = std::ranges::find(algorithms(), name, &Algorithm::name);
  return found == algorithms().end() ? nullptr : *found;
}

}  // namespace fullconv
