#pragma once

#include <cstddef>

#include "fullconv/algorithm.h"

namespace fullconv {

/// Bytes that scaled kernels take beside what a plan of `algorithm` does, or 0 where they are not
/// looked at: below so many products the look would be noticed, transforms have a range of their
/// own, and what delegates has it done by others.
std::size_t scaled_kernels_bytes(const Algorithm& algorithm, const Problem& problem,
                                 const PlanOptions& options, std::size_t scalar_size,
                                 std::size_t plan_bytes);

/// What was planned, made to scale its kernels where products would be subnormal: on a Xeon
/// direct_simd took 18 times as long with a Gaussian of 41×41 in float whose margin has such
/// products; on an EPYC no longer.
template <class T>
Planned<T> with_scaled_kernels(const Algorithm& algorithm, Planned<T> planned,
                               const PlanOptions& options);

extern template Planned<float> with_scaled_kernels(const Algorithm&, Planned<float>,
                                                   const PlanOptions&);
extern template Planned<double> with_scaled_kernels(const Algorithm&, Planned<double>,
                                                    const PlanOptions&);

}  // namespace fullconv
