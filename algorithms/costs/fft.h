#pragma once

#include <vector>

#include "fft/fft_sizes.h"
#include "fullconv/algorithm.h"

namespace fullconv {

/// The terms of one execution, in seconds, of a problem that lies as its transforms do.
std::vector<Forecast::Term> fft_terms(const Problem& problem, const FftSizes& sizes,
                                      std::size_t scalar_size);

}  // namespace fullconv
