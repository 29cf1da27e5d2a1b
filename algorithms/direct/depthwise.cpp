// Layers of which each channel is a convolution of its own. Either channels are the lanes of
// vectors: 2·H·W·h·w·N·C flops and two transpositions; x is read once, but for the rows that two
// bands of y share. Or, with stride 2 and rows that fill vectors, planes are taken as they lie:
// a vector of sums holds every second output of a row, and two of them are put together when they
// are stored.
// Georganas et al., Anatomy of High-Performance Deep Learning Convolutions on SIMD Architectures,
// SC 2018, on channels as the lanes of vectors.

#include "costs/depthwise.h"

#include <algorithm>

#include "core/forecast.h"
#include "core/parallel.h"
#include "core/registry.h"
#include "direct/depthwise_blocking.h"
#include "direct/depthwise_lanes.h"
#include "direct/depthwise_rows.h"

namespace fullconv {
namespace {

using namespace depthwise;  // NOLINT(google-build-using-namespace): names of this algorithm's own

/// Why a problem is not taken, or null.
template <class T>
const char* objection(const Problem& p) {
  if (p.K != p.groups || p.C != p.groups) return "channels are not convolved each by itself";
  constexpr index_t kMostColumns = index_t{1} << 32;
  constexpr double kMostBandBytes = 0x1p27;
  if (std::max(p.full_columns(), p.full_rows()) > kMostColumns) {
    return "has rows longer than any memory";
  }
  const LaneBlocking b = choose_lane_blocking<T>(p);
  const double vectors = static_cast<double>(b.most_x_rows) * static_cast<double>(b.pitch) +
                         static_cast<double>(b.band_rows) * static_cast<double>(p.output_columns());
  if (vectors * static_cast<double>(channel_lanes<T>().lanes * sizeof(T)) > kMostBandBytes) {
    return "has so wide an image and so tall a kernel that no cache holds the rows it meets";
  }
  return nullptr;
}

int threads_for(const Problem& p, const PlanOptions& options) {
  return useful_threads(p, options, options.threads);
}

template <class T>
Planned<T> plan_depthwise(const Problem& problem, const PlanOptions& options) {
  if (const char* reason = objection<T>(problem)) return Declined{reason};
  const int threads = threads_for(problem, options);
  if (takes_rows<T>(problem)) return std::make_unique<RowsPlan<T>>(problem, threads);
  return std::make_unique<LanesPlan<T>>(problem, threads);
}

template <class T>
std::optional<Forecast> forecast(const Problem& p, const PlanOptions& options) {
  if (objection<T>(p) != nullptr) return std::nullopt;
  const int threads = threads_for(p, options);
  const auto of = [](index_t count) { return static_cast<double>(count); };
  if (takes_rows<T>(p)) {
    const RowBlocking b = choose_row_blocking<T>(p);
    return Forecast{.terms = divided_among_threads(depthwise_terms<T>(p, b), threads),
                    .workspace_bytes = static_cast<std::size_t>(threads * of(b.room) * sizeof(T))};
  }
  const LaneBlocking b = choose_lane_blocking<T>(p);
  const LaneRoom<T> room(p, b);
  return Forecast{
      .terms = divided_among_threads(depthwise_terms<T>(p, b), threads),
      .workspace_bytes = static_cast<std::size_t>(
          threads * (of(room.x + room.y + room.k) * sizeof(T) + of(room.rows) * 2 * sizeof(T*)) +
          (of(b.most_x_rows * p.W) + of(p.h * p.w) + 2 * of(p.w + p.h) +
           of(4 * p.stride.x + p.stride.y + 1)) *
              sizeof(index_t))};
}

std::optional<Forecast> forecast_depthwise(const Problem& problem, const PlanOptions& options,
                                           std::size_t scalar_size) {
  return scalar_size == sizeof(float) ? forecast<float>(problem, options)
                                      : forecast<double>(problem, options);
}

template <class T>
std::vector<Boundary> boundaries(const Problem& problem) {
  if (objection<T>(problem) != nullptr) return {};
  if (takes_rows<T>(problem)) {
    const index_t lanes = channel_rows<T>().lanes;
    return {{Boundary::output_rows, 2 * choose_row_blocking<T>(problem).band_pairs},
            {Boundary::output_rows, 8},
            {Boundary::output_columns, 2 * lanes},
            {Boundary::image_columns, lanes}};
  }
  const LaneBlocking b = choose_lane_blocking<T>(problem);
  const index_t lanes = channel_lanes<T>().lanes;
  return {{Boundary::output_rows, b.band_rows},
          {Boundary::output_columns, 8},
          {Boundary::output_columns, lanes},
          {Boundary::image_columns, lanes}};
}

std::vector<Boundary> boundaries_of_depthwise(const Problem& problem, const PlanOptions&,
                                              std::size_t scalar_size) {
  return scalar_size == sizeof(float) ? boundaries<float>(problem) : boundaries<double>(problem);
}

}  // namespace

constinit const Algorithm builtin::depthwise{
    .name = "depthwise",
    .summary = "channels that are each convolved by themselves, as lanes of vectors or row by row",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .same_bits = true,
    .layers = Layers::native,
    .crops = true,
    .vectorized = true,
    .forecast = forecast_depthwise,
    .boundaries = boundaries_of_depthwise,
    .plan_f32 = plan_depthwise<float>,
    .plan_f64 = plan_depthwise<double>,
};

}  // namespace fullconv
