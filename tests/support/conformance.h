#pragma once

#include <string>
#include <vector>

#include "support/case.h"

namespace fullconv::testing {

/// What judge() finds.
struct Verdict {
  std::string declined;                 ///< why the algorithm did not take the case, if so
  std::vector<std::string> violations;  ///< what it did wrong, one line each
};

/// Holds one algorithm to its row of the registry on one case. Executes the same plan with two sets
/// of operands in turn, on dense and on gapped tensors, and demands each time that
/// - every output is within its bound of the oracle, and equal where operands are integers and the
///   error model is componentwise,
/// - whatever y held before does not matter, nor do earlier executions,
/// - nothing around x and k is used, nothing around y is written,
/// - x and k are left as they were.
template <class T>
Verdict judge(const Algorithm& algorithm, const Case& c, const PlanOptions& options = {});

/// The shapes that break things, in all families.
const std::vector<Case>& conformance_cases();

}  // namespace fullconv::testing
