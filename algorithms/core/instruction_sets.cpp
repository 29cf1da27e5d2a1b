#include "fullconv/instruction_sets.h"

#include "core/simd_targets.h"
#ifdef FULLCONV_HAVE_HWY
#include <hwy/highway.h>
#endif
#include <stdexcept>

namespace fullconv {
#ifdef FULLCONV_HAVE_HWY
namespace {

/// Highway's bits of those that there are, best first.
const std::vector<std::int64_t>& targets() {
  static const std::vector<std::int64_t> all = [] {
    auto found = hwy::SupportedAndGeneratedTargets();
    // Compiled for one processor, code is not asked whether this is that one.
    if (found.empty()) found = {HWY_STATIC_TARGET};
    return found;
  }();
  return all;
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const std::int64_t target : targets()) names.emplace_back(hwy::TargetName(target));
  return names;
}

std::string instruction_set() {
  const auto usable = hwy::SupportedAndGeneratedTargets();
  return hwy::TargetName(usable.empty() ? HWY_STATIC_TARGET : usable.front());
}

void use_instruction_set(std::string_view name) {
  std::int64_t chosen = 0;  // the best
  for (const std::int64_t target : targets()) {
    if (name == hwy::TargetName(target)) chosen = target;
  }
  if (chosen == 0 && !name.empty()) {
    std::string known;
    for (const std::string& each : instruction_sets()) known.append(" ").append(each);
    throw std::invalid_argument("instruction set '" + std::string(name) + "': expected one of" +
                                known);
  }
  hwy::SetSupportedTargetsForTest(chosen);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}
#else
std::vector<std::string> instruction_sets() { return {}; }

std::string instruction_set() { return {}; }

void use_instruction_set(std::string_view name) {
  if (name.empty()) return;
  throw std::invalid_argument("instruction set '" + std::string(name) + "': this build has none");
}
#endif
}  // namespace fullconv
