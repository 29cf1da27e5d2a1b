#pragma once

// How a layer is planned by the dense problems that it is reduced to.

#include "core/parallel.h"
#include "fullconv/algorithm.h"

namespace fullconv {

/// For algorithms that know no window.
inline Problem whole_of(Problem problem) {
  problem.padding = {};
  return problem;
}

/// How threads share a layer: those of a dense problem, or whole groups.
struct Sharing {
  int threads;  ///< of a dense problem's plan
  int plans;    ///< of each dense problem, one a thread that takes groups
};

inline Sharing sharing_of(const Problem& layer, const PlanOptions& options) {
  if (layer.groups == 1) return {.threads = options.threads, .plans = 1};
  return {.threads = 1, .plans = useful_threads(layer, options, layer.groups)};
}

inline PlanOptions dense_options(PlanOptions options, const Sharing& sharing) {
  options.threads = sharing.threads;
  options.any_strides = false;
  return options;
}

}  // namespace fullconv
