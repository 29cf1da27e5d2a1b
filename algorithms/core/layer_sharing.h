#pragma once

// How a layer is planned by the dense problems that it is reduced to: what its plan and its
// forecast have to agree on.

#include <algorithm>

#include "core/parallel.h"
#include "core/reduction.h"
#include "core/staged_plan.h"
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

/// The operands of dense problems that do not have dense rows.
inline AnyStrides strided_operands(const Reduction& reduction, const PlanOptions& options) {
  return {.x = options.any_strides || reduction.columns.sample_step > 1,
          .k = options.any_strides || reduction.columns.tap_step > 1,
          .y = options.any_strides && reduction.columns.output_step == 1};
}

/// Room of a layer's plan beside that of its dense problems. Where the columns of a part are not
/// neighbours in y, the parts' outputs are staged, and spread row by row.
struct LayerRoom {
  index_t staged_elements = 0;  ///< of each plan: the outputs of one row part and all column parts
  index_t row_pointers = 0;     ///< of all threads: to the parts' rows that make one row of y

  LayerRoom(const Problem& layer, const Reduction& reduction, const Sharing& sharing) {
    if (reduction.columns.output_step == 1) return;
    index_t rows = 0, columns = 0;
    for (const AxisPart& part : reduction.rows.parts) rows = std::max(rows, part.window.size());
    for (const AxisPart& part : reduction.columns.parts) columns += part.window.size();
    staged_elements = layer.N * (layer.C / layer.groups) * rows * columns;
    row_pointers =
        sharing.plans * sharing.threads * static_cast<index_t>(reduction.columns.parts.size());
  }

  std::size_t bytes(const Sharing& sharing, std::size_t scalar_size) const {
    return static_cast<std::size_t>(sharing.plans * staged_elements) * scalar_size +
           static_cast<std::size_t>(row_pointers) * sizeof(void*);
  }
};

/// The options of each dense problem's plan: of the workspace they have equal shares of what the
/// layer's own room and copies of operands leave.
inline PlanOptions dense_options(const Problem& layer, const Reduction& reduction,
                                 const Sharing& sharing, PlanOptions options,
                                 std::size_t scalar_size) {
  if (options.workspace_limit) {
    const AnyStrides strided = strided_operands(reduction, options);
    index_t copied = 0;
    for (const AxisPart& rows : reduction.rows.shapes)
      for (const AxisPart& columns : reduction.columns.shapes) {
        copied += staged_elements(Reduction::part(layer, rows, columns), strided);
      }
    const std::size_t taken = LayerRoom(layer, reduction, sharing).bytes(sharing, scalar_size) +
                              static_cast<std::size_t>(sharing.plans * copied) * scalar_size;
    const std::size_t plans = static_cast<std::size_t>(sharing.plans) *
                              reduction.rows.shapes.size() * reduction.columns.shapes.size();
    const std::size_t left = *options.workspace_limit - std::min(taken, *options.workspace_limit);
    options.workspace_limit = left / std::max<std::size_t>(plans, 1);
  }
  options.threads = sharing.threads;
  options.any_strides = false;
  return options;
}

}  // namespace fullconv
