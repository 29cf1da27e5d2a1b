// What a layer takes: the forecasts of its dense problems, and of what is done around them.

#include <algorithm>
#include <optional>

#include "core/forecast.h"
#include "core/layer_plan.h"
#include "core/layer_sharing.h"
#include "core/plane.h"
#include "core/reduction.h"
#include "core/scaled_kernels.h"
#include "core/transposed_plan.h"

namespace fullconv {
namespace {

/// Calls visit(dense problem, how often it occurs) for what `layer` is reduced to, as `algorithm`
/// computes it.
template <class Visit>
void for_each_dense(const Algorithm& algorithm, const Problem& layer, const Visit& visit) {
  const Reduction reduction(layer);
  const auto count = [](const AxisReduction& axis, const AxisPart& shape) {
    return std::ranges::count(axis.parts, shape.shape, &AxisPart::shape);
  };
  for (const AxisPart& rows : reduction.rows.shapes) {
    for (const AxisPart& columns : reduction.columns.shapes) {
      const Problem dense = Reduction::part(layer, rows, columns);
      visit(algorithm.crops ? dense : whole_of(dense),
            layer.groups * count(reduction.rows, rows) * count(reduction.columns, columns));
    }
  }
}

/// What a layer's plan takes beside its dense problems: n1_i256_o256_14x14_k3x3_p1x1x1x1_s2x2_g256
/// 100 of 164 µs, n1_i64_o64_56x56_k3x3_p1x1x1x1_s2x2_g64 88 of 174 µs, gathering taps
/// 9 of 24 ms of n1_i1024_o512_28x28_k2x2_s2x2.
double seconds_of_parts(const Algorithm& algorithm, const Problem& layer, std::size_t scalar_size) {
  const Reduction reduction(layer);
  const auto parts = static_cast<double>(layer.groups) *
                     static_cast<double>(reduction.rows.parts.size()) *
                     static_cast<double>(reduction.columns.parts.size());
  constexpr double kPart = 0.02e-6, kSpreadPart = 0.027e-6, kSpread = 0.05e-9, kFarSpread = 0.27e-9;
  constexpr double kSpreadRow = 7e-9;  // n11_i21_o318_138x1_k2x2_s2x2: 7 of 9 ms
  constexpr double kTap = 4.5e-9;      // gathered, since taps of a part are not neighbours
  // Loaded where it lies; fitted to n1_i512_o256_8x8_k4x4_p1x1x1x1_s2x2, which takes 1.8 ms.
  constexpr double kTapApart = 0.2e-9;
  double seconds = parts * kPart;
  if (reduction.columns.tap_step > 1 && layer.h * layer.w > 1) {
    seconds += (algorithm.any_kernel_strides ? kTapApart : kTap) *
               static_cast<double>(element_count(layer.k_extents()));
  }
  if (reduction.columns.output_step > 1) {
    const auto outputs = static_cast<double>(element_count(layer.y_extents()));
    const double staged =
        static_cast<double>(scalar_size) * outputs / static_cast<double>(layer.groups);
    const double rows = outputs / static_cast<double>(layer.output_columns());
    seconds += parts * kSpreadPart + rows * kSpreadRow +
               outputs * (kSpread + kFarSpread * distance(staged, 0x1p20, 4));
  }
  return seconds;
}

std::optional<Forecast> forecast_of_parts(const Algorithm& algorithm, const Problem& problem,
                                          const PlanOptions& options, std::size_t scalar_size) {
  if (algorithm.layers == Layers::native || (problem.is_dense() && problem.is_whole())) {
    return algorithm.forecast(problem, options, scalar_size);
  }
  const Sharing sharing = sharing_of(problem, options);
  const PlanOptions for_dense = dense_options(options, sharing);
  Forecast sum;
  bool taken = true;
  for_each_dense(algorithm, problem, [&](const Problem& dense, index_t times) {
    const auto part = algorithm.forecast(dense, for_dense, scalar_size);
    taken = taken && part.has_value();
    if (!taken) return;
    sum.workspace_bytes += static_cast<std::size_t>(sharing.plans) * part->workspace_bytes;
    if (!algorithm.crops) {
      sum.workspace_bytes += scalar_size * static_cast<std::size_t>(sharing.plans) *
                             static_cast<std::size_t>(element_count(dense.y_extents()));
    }
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
  sum.terms.push_back(
      {"parts", seconds_of_parts(algorithm, problem, scalar_size) / std::max(sharing.plans, 1)});
  return sum;
}

}  // namespace

std::optional<Forecast> forecast_of(const Algorithm& algorithm, const Problem& problem,
                                    const PlanOptions& options, std::size_t scalar_size) {
  const bool column = is_column(problem);
  const Problem planned = column ? transposed(problem) : problem;
  auto forecast = forecast_of_parts(algorithm, planned, options, scalar_size);
  if (!forecast) return forecast;
  forecast->workspace_bytes +=
      scaled_kernels_bytes(algorithm, planned, options, scalar_size, forecast->workspace_bytes);
  if (column) {  // which is planned for any strides
    forecast->workspace_bytes +=
        scalar_size * static_cast<std::size_t>(element_count(problem.x_extents()) +
                                               element_count(problem.k_extents()) +
                                               element_count(problem.y_extents()));
  }
  return forecast;
}

double operations_of(const Algorithm& algorithm, const Problem& problem) {
  if (algorithm.layers != Layers::adapted) return algorithm.operations(problem);
  double sum = 0;
  for_each_dense(algorithm, problem, [&](const Problem& dense, index_t times) {
    sum += static_cast<double>(times) * algorithm.operations(dense);
  });
  return sum;
}

}  // namespace fullconv
