#pragma once

#include <string>
#include <vector>

#include "mutants/truth.h"

namespace fullconv::testing {

/// Whether somebody's result is right, and if not, what it is instead.
struct Diagnosis {
  bool right = false;
  Extents extents{};            ///< of the result
  std::size_t wrong = 0;        ///< outputs; all where the extents are not y's
  double error_in_bounds = 0;   ///< the largest; infinite where the extents are not y's
  std::string bound;            ///< the error model whose bound that is
  std::vector<double> errors;   ///< of each output in units of its bound; above 1 where it is wrong
  std::string bound_of_errors;  ///< that model, or "widest" of all models
  std::vector<Explanation> explanations;  ///< several where mistakes come together
};

/// Compares a result by the definition, to the precision of its type, and if it is wrong by all
/// known mistakes.
Diagnosis diagnose(const Operands<double>& operands, const OwnResult& result);

/// Where the outputs of the first plane with wrong ones are wrong, as lines of text: '#' for a
/// place with one, '.' for one without.
std::string picture(const Diagnosis& diagnosis);

}  // namespace fullconv::testing
