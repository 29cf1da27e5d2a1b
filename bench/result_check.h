#pragma once

#include <string>

#include "support/expectation.h"
#include "support/operands.h"

namespace fullconv::cli {

enum class Outcome { ok, wrong, declined, not_applicable };

struct Finding {
  Outcome outcome = Outcome::ok;
  std::size_t compared = 0;  ///< outputs that the two numbers are about
  double error_in_bounds = 0;
  double relative_l2 = 0;
  double largest_bound = 0;     ///< of an output
  std::size_t below_bound = 0;  ///< outputs that are no larger than theirs
  std::string remark = {};  ///< the worst output of a wrong result; why the bound does not apply
};

/// Holds results against the definition, also where that is not a finite number.
///
/// A value is *lost* where it is NaN or infinite and not what the definition says. That is wrong
/// unless the algorithm's registry row announces it, or sums may overflow. A finite value beyond
/// its bound, or where the definition has none, is wrong always.
template <class T>
class ResultCheck {
 public:
  explicit ResultCheck(const testing::Operands<T>& operands);

  bool sampled() const { return expectation_.oracle().sampled(); }

  /// Outputs that are looked at.
  std::size_t outputs() const { return outputs_; }

  Finding check(const Algorithm& algorithm, const TensorView<const T>& y) const;

  /// Whether each error has a bound, and so each distance between two results.
  bool bounds_apply() const { return expectation_.is_finite(); }

  /// The largest |a − b| in units of the sum of both bounds.
  double distance(const Algorithm& a, const TensorView<const T>& a_y, const Algorithm& b,
                  const TensorView<const T>& b_y) const {
    return testing::distance_in_bounds<T>(expectation_.oracle(), a.error_model, a_y, b.error_model,
                                          b_y);
  }

 private:
  testing::Expectation<T> expectation_;
  std::size_t outputs_ = 0;
};

}  // namespace fullconv::cli
