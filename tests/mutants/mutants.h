#pragma once

#include <span>

#include "fullconv/fullconv.h"

namespace fullconv::testing {

/// The definition, right in every way.
const Algorithm& unmutated();

/// The same with one deliberate mistake each: what a conformance check must reject.
std::span<const Algorithm> mutants();

}  // namespace fullconv::testing
