#pragma once

#include <string>

#include "support/oracle.h"

namespace fullconv::testing {

/// How far an output is from the oracle.
struct Accuracy {
  double error_in_bounds = 0;  ///< max |error| / bound: at most 1 where the algorithm is right
  double relative_l2 = 0;      ///< ‖error‖₂ / ‖y‖₂ over the outputs compared
  bool sampled = false;        ///< the oracle knew only a sample of the outputs
  std::string worst = {};      ///< the output with that error: "y[0,0,3,4] is 1.5 instead of 2"

  bool within_bound() const { return error_in_bounds <= 1; }
};

/// Bound on |error| of one output under an error model. Neither takes anything from what an
/// algorithm gave.
///
/// componentwise: n·u·Σ|x||k| (Jeannerod and Rump, SIAM J. Matrix Anal. Appl. 34(2), 2013).
/// normwise:      u·(16·log₂P + K)·Σ_o‖x_o‖₂‖k_o‖₂ + 16·u·log₂P·‖y‖₂ with P the points
///                of x ∗ k, at most those of the transform. From ‖F̂a − Fa‖₂ ≤ η·log₂P·‖Fa‖₂ with η
///                ≤ 6.7u (Higham, Accuracy and Stability, 2nd ed., th. 24.2), for two forward
///                transforms and one inverse; √5·u for a complex product is less than the rest up
///                to 16; K·u for sums over channels.
/// low_rank:      u·(3·(h + 4·K·w) + 20)·Σ_o‖x_o‖₂‖k_o‖₂ with the norms of what one output depends
///                on, no more than H rows and W columns of k; componentwise where that is more.
///                fullconv/algorithm.h says why. Underflows up to four times as often.
/// winograd:      94·u·(K + 36)·Σ_o‖x_o‖₂‖k_o‖₂ with the norm of 6×6 samples of x, at most.
///                fullconv/algorithm.h says why. Underflows are multiplied by 94, too.
/// of_choice:     the most of these.
/// All: plus the oracle's own error, plus n times the smallest subnormal.
template <class T>
double error_bound(ErrorModel model, const Oracle<T>& oracle, const Reference<T>& reference);

/// Compares y with all that the oracle knows, and where that is a sample also Σy with Σx·Σk.
template <class T>
Accuracy measure_accuracy(const Oracle<T>& oracle, ErrorModel model, const TensorView<const T>& y);

/// The largest |a − b| in units of the sum of the two bounds, over the outputs that the oracle
/// knows: at most 1 where both algorithms are right.
template <class T>
double distance_in_bounds(const Oracle<T>& oracle, ErrorModel a_model, const TensorView<const T>& a,
                          ErrorModel b_model, const TensorView<const T>& b);

}  // namespace fullconv::testing
