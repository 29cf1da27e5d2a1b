#pragma once

#include <span>
#include <vector>

#include "fullconv/fullconv.h"

namespace fullconv::testing {

/// The place of y[n,c,i,j].
struct Output {
  index_t n, c, i, j;
};

/// What comes out at some outputs of a problem, for dense x and k. What is not written keeps the
/// value that it has.
using ValuesAt = void (*)(const Problem& problem, const TensorView<const double>& x,
                          const TensorView<const double>& k, std::span<const Output> outputs,
                          std::span<double> values);

/// A convolution with one deliberate mistake, which its summary states in a sentence for people.
struct Mutant {
  Algorithm algorithm;
  ValuesAt values_at;  ///< for a dense mutant, of dense problems only
};

/// A row of those below.
constexpr Mutant mutant_row(std::string_view name, std::string_view sentence, Layers layers,
                            Planner<float> plan_f32, Planner<double> plan_f64, ValuesAt values_at) {
  return {{.name = name,
           .summary = sentence,
           .error_model = ErrorModel::componentwise,
           .non_finite = NonFinite::as_defined,
           .layers = layers,
           .plan_f32 = plan_f32,
           .plan_f64 = plan_f64},
          values_at};
}

/// The definition, right in every way, which layers are reduced to.
const Algorithm& unmutated();
/// The same for layers, as they are.
const Mutant& unmutated_layer();

/// Each with one mistake, those that people make most often first.
std::span<const Mutant> dense_mutants();
std::span<const Mutant> layer_mutants();
/// Those whose outputs are right when they are executed once, into dense memory of their own that
/// holds zeros.
std::span<const Algorithm> hidden_mutants();
/// Those that are wrong on unusual numbers only.
std::span<const Algorithm> number_mutants();

/// All of them: what a conformance check must reject.
std::vector<const Algorithm*> mutants();

}  // namespace fullconv::testing
