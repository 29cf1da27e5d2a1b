#pragma once

#include <span>
#include <vector>

#include "fullconv/fullconv.h"

namespace fullconv::testing {

/// The definition, right in every way, which layers are reduced to.
const Algorithm& unmutated();
/// The same for layers, as they are.
const Algorithm& unmutated_layer();

/// Each with one deliberate mistake.
std::span<const Algorithm> dense_mutants();
std::span<const Algorithm> layer_mutants();

/// All of them: what a conformance check must reject.
inline std::vector<const Algorithm*> mutants() {
  std::vector<const Algorithm*> all;
  for (const auto& some : {dense_mutants(), layer_mutants()}) {
    for (const Algorithm& mutant : some) all.push_back(&mutant);
  }
  return all;
}

}  // namespace fullconv::testing
