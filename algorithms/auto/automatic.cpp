// `auto`: the chooser as an algorithm.

#include "auto/chooser.h"
#include "core/registry.h"
#include "core/scratch.h"
#include "fullconv/choose.h"
#include "fullconv/ran.h"

namespace fullconv {
namespace {

template <class T>
Planned<T> plan_auto(const Problem& problem, const PlanOptions& options) {
  return plan_chosen<T>(builtin::automatic, problem, options);
}

double operations_of_choice(const Problem& problem) {
  return operations_of(*candidates<float>(problem).front().algorithm, problem);
}

void forget_all() {
  forget_choices();
  for (const Algorithm* algorithm : algorithms()) {
    if (algorithm->forecast != nullptr && algorithm->forget != nullptr) algorithm->forget();
  }
}

}  // namespace

constinit const Algorithm builtin::automatic{
    .name = "auto",
    .summary = "whichever is expected to be fastest within the error that is asked for",
    .error_model = kErrorOfChoice,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .layers = Layers::native,
    .crops = true,
    .prepares = true,
    .delegates = Delegates::always,
    .operations = operations_of_choice,
    .scratch_bytes = kFftwScratchBytes,
    .forget = forget_all,
    .plan_f32 = plan_auto<float>,
    .plan_f64 = plan_auto<double>,
};

}  // namespace fullconv
