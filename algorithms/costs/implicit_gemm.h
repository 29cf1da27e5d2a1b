#pragma once

#include "fullconv/algorithm.h"

namespace fullconv {

std::optional<Forecast> forecast_implicit_gemm(const Problem& problem, const PlanOptions& options,
                                               std::size_t scalar_size);

}  // namespace fullconv
