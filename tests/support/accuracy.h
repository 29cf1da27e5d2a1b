#pragma once

#include <string>

#include "support/oracle.h"

namespace fullconv::testing {

/// How far an output is from the oracle.
struct Accuracy {
  double error_in_bounds = 0;   ///< max |error| / bound: at most 1 where the algorithm is right
  double relative_l2 = 0;       ///< ‖error‖₂ / ‖y‖₂ over the outputs compared
  bool sampled = false;         ///< the oracle knew only a sample of the outputs
  std::size_t compared = 0;     ///< outputs that these are about
  double largest_bound = 0;     ///< on |error| of one of them
  std::size_t below_bound = 0;  ///< of them, those that are no larger than their bound
  /// Others, which neither y nor the definition need have as finite numbers.
  std::size_t lost = 0;
  std::string worst = {};  ///< the output with that error: "y[0,0,3,4] is 1.5 instead of 2"

  bool within_bound() const { return error_in_bounds <= 1; }
};

/// The model's bound on |error| of one output, the oracle's own error included.
template <class T>
Wide<T> error_bound(const ErrorModel& model, const Oracle<T>& oracle,
                    const Reference<T>& reference);

/// Compares one output.
template <class T>
void include(Accuracy& accuracy, const ErrorModel& model, const Oracle<T>& oracle,
             const Reference<T>& reference, T y);

/// "y[0,0,3,4] is 1.5 instead of 2"
template <class T>
std::string describe(const Reference<T>& reference, T y);

/// Compares y with all that the oracle knows, and where that is a sample also Σy with Σx·Σk.
template <class T>
Accuracy measure_accuracy(const Oracle<T>& oracle, const ErrorModel& model,
                          const TensorView<const T>& y);

/// The largest |a − b| in units of the sum of the two bounds, over the outputs that the oracle
/// knows: at most 1 where both algorithms are right.
template <class T>
double distance_in_bounds(const Oracle<T>& oracle, const ErrorModel& a_model,
                          const TensorView<const T>& a, const ErrorModel& b_model,
                          const TensorView<const T>& b);

}  // namespace fullconv::testing
