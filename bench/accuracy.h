#pragma once

#include <string>

#include "fullconv/fullconv.h"

namespace CLI {
class App;
}

namespace fullconv::cli {

/// --accuracy, as several programs have it.
void add_accuracy(CLI::App* command, std::string& accuracy);

/// What it says of errors, or UsageError.
void set_accuracy(PlanOptions& options, const std::string& accuracy);

/// The error model of what a plan has run: that of one algorithm to which `auto` has left all.
template <class T>
ErrorModel model_of(const Algorithm& algorithm, const Plan<T>& plan) {
  const Algorithm* ran =
      algorithm.delegates == Delegates::always ? find_algorithm(plan.algorithm()) : nullptr;
  return ran == nullptr ? algorithm.error_model : ran->error_model;
}

/// The bound that holds for a result, without the definition's own values.
struct ResultBound {
  double largest = 0;     ///< no error of an output is larger
  double relative = 0;    ///< to Σ_o‖x[n,o]‖₂‖k[o,c]‖₂ + ‖y[n,c]‖₂
  std::size_t below = 0;  ///< outputs that are no larger than their bound: no digit is promised
};

/// y = x ∗ k, as an algorithm of that model gave it.
template <class T>
ResultBound bound_of(const ErrorModel& model, const Problem& problem, const TensorView<const T>& x,
                     const TensorView<const T>& k, const TensorView<const T>& y);

}  // namespace fullconv::cli
