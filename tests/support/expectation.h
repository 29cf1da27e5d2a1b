#pragma once

#include <optional>
#include <vector>

#include "support/accuracy.h"
#include "support/oracle.h"

namespace fullconv::testing {

/// What has to come out of operands that may hold NaN and ±Inf, or have sums that overflow.
template <class T>
class Expectation {
 public:
  Expectation(const Problem& problem, const TensorView<const T>& x, const TensorView<const T>& k);

  /// With 0 in place of what is not finite, so that it has a bound for every output.
  const Oracle<T>& oracle() const { return *oracle_; }

  /// Whether that is all there is to know: the definition gives finite numbers only.
  bool is_finite() const { return definition_.empty(); }

  bool has_finite_operands() const { return finite_operands_; }

  /// Compares y with the definition, as far as the algorithm's row promises that. The error is
  /// infinite where y has a finite number and the definition has none, or the reverse; where the
  /// row promises nothing, or sums may overflow, the output is counted as lost instead.
  Accuracy measure(const Algorithm& algorithm, const TensorView<const T>& y) const;

 private:
  /// Of the operand planes that an output plane is made of.
  struct Finite {
    bool x = true, k = true;
  };
  bool may_differ(const Algorithm& algorithm, const Reference<T>& at, bool is_finite) const;
  bool may_overflow(index_t n, index_t c) const;
  bool any_may_overflow() const;

  std::optional<Oracle<T>> oracle_;
  bool finite_operands_ = true;
  std::vector<Finite> finite_planes_;  // of y[n,c], at n·C + c
  std::vector<Wide<T>> definition_;    // in the oracle's order, where that is not all finite
};

extern template class Expectation<float>;
extern template class Expectation<double>;

}  // namespace fullconv::testing
