// What a layer takes: the forecasts of its dense problems, and of what is done around them.

#include <algorithm>
#include <optional>

#include "core/forecast.h"
#include "core/layer_plan.h"
#include "core/layer_sharing.h"
#include "core/plane.h"
#include "core/reduction.h"
#include "core/scaled_operands.h"
#include "core/transposed_plan.h"

namespace fullconv {
namespace {

/// Calls visit(dense problem, how often it occurs) for what `layer` is reduced to.
template <class Visit>
void for_each_dense(const Problem& layer, const Reduction& reduction, const Visit& visit) {
  const auto count = [](const AxisReduction& axis, const AxisPart& shape) {
    return std::ranges::count(axis.parts, shape.shape, &AxisPart::shape);
  };
  for (const AxisPart& rows : reduction.rows.shapes) {
    for (const AxisPart& columns : reduction.columns.shapes) {
      visit(Reduction::part(layer, rows, columns),
            layer.groups * count(reduction.rows, rows) * count(reduction.columns, columns));
    }
  }
}

/// What `algorithm` computes of a dense problem.
Problem computed(const Algorithm& algorithm, const Problem& dense) {
  return algorithm.crops ? dense : whole_of(dense);
}

/// What a layer's plan takes beside its dense problems: n1_i256_o256_14x14_k3x3_p1x1x1x1_s2x2_g256
/// 100 of 164 µs, n1_i64_o64_56x56_k3x3_p1x1x1x1_s2x2_g64 88 of 174 µs, gathering taps
/// 9 of 24 ms of n1_i1024_o512_28x28_k2x2_s2x2.
double seconds_of_parts(const Algorithm& algorithm, const Problem& layer, std::size_t scalar_size) {
  const Reduction reduction(layer);
  const auto parts = static_cast<double>(layer.groups) *
                     static_cast<double>(reduction.rows.parts.size()) *
                     static_cast<double>(reduction.columns.parts.size());
  const auto taps_of = [](const AxisReduction& axis) {
    index_t taps = 0;
    for (const AxisPart& part : axis.parts) taps += part.taps;
    return static_cast<double>(taps);
  };
  const double taps = static_cast<double>(layer.K) * static_cast<double>(layer.C / layer.groups) *
                      taps_of(reduction.rows) * taps_of(reduction.columns);
  constexpr double kPart = 0.013e-6, kSpreadPart = 0.018e-6, kSpread = 0.03e-9, kFarSpread = 0.1e-9;
  constexpr double kSpreadRow = 7e-9;  // n11_i21_o318_138x1_k2x2_s2x2: 7 of 9 ms
  // Gathered, since taps of a part are not neighbours, and farther than a cache away:
  constexpr double kTap = 1.2e-9, kFarTap = 3.3e-9;
  // Loaded where it lies; fitted to n1_i512_o256_8x8_k4x4_p1x1x1x1_s2x2, which takes 1.8 ms.
  constexpr double kTapApart = 0.2e-9;
  double seconds = parts * kPart;
  if (reduction.columns.tap_step > 1 && layer.h * layer.w > 1) {
    const double bytes = static_cast<double>(scalar_size) * taps;
    const double gathered = kTap + kFarTap * distance(bytes, 0x1p20, 8);
    seconds += (algorithm.any_kernel_strides ? kTapApart : gathered) * taps;
  }
  if (reduction.columns.output_step > 1) {
    const auto outputs = static_cast<double>(element_count(layer.y_extents()));
    const double staged =
        static_cast<double>(scalar_size) * outputs / static_cast<double>(layer.groups);
    const double rows = outputs / static_cast<double>(layer.output_columns());
    seconds += parts * kSpreadPart + rows * kSpreadRow +
               outputs * (kSpread + kFarSpread * distance(staged, 0x1p20, 4)) +
               memory_seconds(layer, scalar_size);
  }
  return seconds;
}

/// Bytes of the copies that an algorithm's plan of `problem` has of operands without dense rows.
std::size_t copied_bytes(const Algorithm& algorithm, const Problem& problem, AnyStrides strided,
                         std::size_t scalar_size) {
  if (algorithm.any_strides) return 0;
  strided.k = strided.k && !algorithm.any_kernel_strides;
  return scalar_size * static_cast<std::size_t>(staged_elements(problem, strided));
}

std::optional<Forecast> forecast_of_parts(const Algorithm& algorithm, const Problem& problem,
                                          const PlanOptions& options, std::size_t scalar_size) {
  if (takes_as_it_is(algorithm, problem)) {
    auto forecast = algorithm.forecast(problem, options, scalar_size);
    if (forecast && options.any_strides) {
      forecast->workspace_bytes +=
          copied_bytes(algorithm, problem, {.x = true, .k = true, .y = true}, scalar_size);
    }
    return forecast;
  }
  const Reduction reduction(problem);
  const Sharing sharing = sharing_of(problem, options);
  const PlanOptions for_dense = dense_options(problem, reduction, sharing, options, scalar_size);
  const AnyStrides strided = strided_operands(reduction, options);
  Forecast sum;
  bool taken = true;
  for_each_dense(problem, reduction, [&](const Problem& dense, index_t times) {
    const Problem whole = computed(algorithm, dense);
    const auto part = algorithm.forecast(whole, for_dense, scalar_size);
    taken = taken && part.has_value();
    if (!taken) return;
    std::size_t bytes =
        part->workspace_bytes + copied_bytes(algorithm, dense, strided, scalar_size);
    if (!algorithm.crops) {
      bytes += scalar_size * static_cast<std::size_t>(element_count(whole.y_extents()));
    }
    sum.workspace_bytes += static_cast<std::size_t>(sharing.plans) * bytes;
    for (Forecast::Term term : part->terms) {
      term.seconds *= static_cast<double>(times) / sharing.plans;
      const auto known = std::ranges::find(sum.terms, term.name, &Forecast::Term::name);
      if (known == sum.terms.end()) {
        sum.terms.push_back(term);
      } else {
        known->seconds += term.seconds;
      }
    }
  });
  if (!taken) return std::nullopt;
  sum.workspace_bytes += LayerRoom(problem, reduction, sharing).bytes(sharing, scalar_size);
  sum.terms.push_back(
      {"parts", seconds_of_parts(algorithm, problem, scalar_size) / std::max(sharing.plans, 1)});
  return sum;
}

}  // namespace

std::optional<Forecast> forecast_of(const Algorithm& algorithm, const Problem& problem,
                                    const PlanOptions& options, std::size_t scalar_size) {
  Problem planned = problem;
  PlanOptions for_planned = options;
  if (is_column(problem)) {
    planned = transposed(problem);
    for_planned.any_strides = true;
  }
  auto forecast = forecast_of_parts(algorithm, planned, for_planned, scalar_size);
  if (!forecast) return forecast;
  forecast->workspace_bytes += scaled_operands_bytes(algorithm, planned, for_planned, scalar_size,
                                                     forecast->workspace_bytes);
  return forecast;
}

double operations_of(const Algorithm& algorithm, const Problem& problem) {
  if (takes_as_it_is(algorithm, problem)) return algorithm.operations(problem);
  double sum = 0;
  for_each_dense(problem, Reduction(problem), [&](const Problem& dense, index_t times) {
    sum += static_cast<double>(times) * algorithm.operations(computed(algorithm, dense));
  });
  return sum;
}

}  // namespace fullconv
