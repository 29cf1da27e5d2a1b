#pragma once

#include <cstddef>

#include "fullconv/algorithm.h"

namespace fullconv {

/// Bytes that scaled operands take beside what a plan of `algorithm` does: of both, of kernels
/// where the workspace allows no more, or 0 where they are not looked at: below so many products
/// the look would be noticed, transforms have a range of their own, and what delegates a problem as
/// it is has it done by others.
std::size_t scaled_operands_bytes(const Algorithm& algorithm, const Problem& problem,
                                  const PlanOptions& options, std::size_t scalar_size,
                                  std::size_t plan_bytes);

/// What was planned, made to scale its operands where they or their products would be subnormal: on
/// a Xeon direct_simd took 18 times as long with a Gaussian of 41×41 in float whose margin has such
/// products, which an EPYC does not mind, and 170 times with an image of 512×512 subnormal samples
/// and 7×7.
template <class T>
Planned<T> with_scaled_operands(const Algorithm& algorithm, Planned<T> planned,
                                const PlanOptions& options);

extern template Planned<float> with_scaled_operands(const Algorithm&, Planned<float>,
                                                    const PlanOptions&);
extern template Planned<double> with_scaled_operands(const Algorithm&, Planned<double>,
                                                     const PlanOptions&);

}  // namespace fullconv
