#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/case.h"
#include "support/tensor.h"
#include "support/trial.h"

namespace fullconv::testing {

/// What check_conformance() finds.
struct ConformanceResult {
  std::string declined;                 ///< why the algorithm did not take the case, if so
  std::vector<std::string> violations;  ///< what it did wrong, one line each
};

/// Where the operands of an execution lie.
struct Placement {
  Layout x{}, k{}, y{};
};

/// All dense, and with gaps around each plane.
std::span<const Placement> usual_placements();

/// Holds algorithms to their rows of the registry on one case, of which the oracle is asked once.
template <class T>
class Examination {
 public:
  /// Operands are those of `seed` and of the next one.
  explicit Examination(const Case& c, std::uint64_t seed = 1,
                       std::span<const Placement> placements = usual_placements());

  /// Executes the same plan with two sets of operands in turn, on each of the placements, and
  /// demands each time that
  /// - every output is within its bound of the oracle, and equal where operands are integers and
  ///   the error model is exact on integers,
  /// - whatever y held before does not matter, nor do earlier executions,
  /// - nothing around x and k is used, nothing around y is written,
  /// - x and k are left as they were.
  ConformanceResult check_conformance(const Algorithm& algorithm, const PlanOptions& options = {});

 private:
  struct Operands {
    Tensor<T> x, k;
  };
  /// Where executions take place, with both sets of operands.
  struct Scene {
    std::string name;
    Placement placement;
    Operands first, second;
    Tensor<T> y;
  };
  Operands place(const Trial<T>& trial, const Placement& placement) const;

  Case case_;
  Trial<T> first_, second_;
  std::vector<Scene> scenes_;
};

extern template class Examination<float>;
extern template class Examination<double>;

/// Checks one algorithm on one case.
template <class T>
ConformanceResult check_conformance(const Algorithm& algorithm, const Case& c,
                                    const PlanOptions& options = {}) {
  return Examination<T>(c).check_conformance(algorithm, options);
}

/// The shapes that break things, in all families.
const std::vector<Case>& conformance_cases();

}  // namespace fullconv::testing
