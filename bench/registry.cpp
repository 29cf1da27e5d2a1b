#include "registry.h"

#include <fmt/ranges.h>

#include <vector>

namespace fullconv::cli {

const Algorithm& known_algorithm(const std::string& name) {
  if (const Algorithm* found = find_algorithm(name)) return *found;
  std::vector<std::string_view> names;
  for (const Algorithm* algorithm : algorithms()) names.push_back(algorithm->name);
  throw UsageError(
      fmt::format("unknown algorithm '{}': expected one of {}", name, fmt::join(names, ", ")));
}

const Algorithm& default_algorithm() {
  // The chooser; else the one whose time depends least on the kernel; else one that is always
  // there.
  for (const char* name : {"auto", "fft", "clamp_bounds"}) {
    if (const Algorithm* found = find_algorithm(name)) return *found;
  }
  return *algorithms().front();
}

}  // namespace fullconv::cli
