#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/case.h"
#include "support/expectation.h"
#include "support/operands.h"
#include "support/tensor.h"

namespace fullconv::testing {

/// What check_conformance() finds.
struct ConformanceResult {
  std::string declined;                 ///< why the algorithm did not take the case, if so
  std::vector<std::string> violations;  ///< what it did wrong, one line each
  double seconds = 0;                   ///< processor time of the fastest execution
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
  /// - outputs of operands that are not finite are what the algorithm's row promises,
  /// - whatever y held before does not matter, nor do earlier executions,
  /// - nothing around x and k is used, nothing around y is written,
  /// - x and k are left as they were.
  ConformanceResult check_conformance(const Algorithm& algorithm, const PlanOptions& options = {});

  /// How many times as long an execution takes as with random operands, as far as that is above
  /// `most`: by processor time and the fastest of twenty pairs, no more than it takes to see that
  /// it is not.
  double slowdown(const Algorithm& algorithm, const PlanOptions& options, double most);

 private:
  /// Operands and what has to come out of them.
  struct Task {
    testing::Operands<T> operands;
    Expectation<T> expectation;

    Task(const Case& c, std::uint64_t seed)
        : operands(make_operands<T>(c, seed)),
          expectation(c.problem, operands.x_view(), operands.k_view()) {}
  };
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
  Operands place(const testing::Operands<T>& operands, const Placement& placement) const;

  Case case_;
  Task first_, second_;
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
