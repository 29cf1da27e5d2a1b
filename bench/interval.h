#pragma once

#include <span>

namespace fullconv::bench {

/// Half the width of the confidence interval of the trimmed mean of values in the order in which
/// they were measured, infinite below three values. The formula, and why this one, stands in
/// scripts/fullconv_scripts/comparison.py, whose intervals are the ones reported: this one decides
/// when to stop.
double half_width(std::span<const double> values, double confidence);

}  // namespace fullconv::bench
