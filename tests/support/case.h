#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fullconv/fullconv.h"

namespace fullconv::testing {

/// What the operands of a case look like. None but box and gauss kernels has any symmetry.
enum class Family {
  random,  ///< uniform in [−1, 1]
  ints,    ///< small integers, chosen so that every sum is exact in either scalar
  gauss,   ///< random image, separable Gaussian kernel off centre
  box,     ///< random image, constant kernel
  rank2,   ///< random image, kernel of rank 2
  // Random times powers of two: sums are normal numbers, squares of the largest operands are not.
  huge,       ///< x 2^80 or 2^640 as large, k 2^32 or 2^256
  tiny,       ///< as small
  subnormal,  ///< k, or for an even seed x, has subnormal numbers only
  scaled,     ///< x and k times any powers of two that let no sum overflow
  wide,       ///< each value times a power of two of its own, so that products are normal numbers
  // Random, but for values that are not finite.
  dead,        ///< a few elements of x are NaN, as dead pixels are
  non_finite,  ///< NaN, ±Inf and 0 in a few places of x or k or both
};

/// A problem with the family of its operands: what is checked and timed.
struct Case {
  Problem problem;
  Family family = Family::random;
};

/// The problem's text form, followed by `_gauss` and the like unless the family is random.
std::string to_string(const Case& c);

/// Throws std::invalid_argument, in one line that names the offender.
Case parse_case(std::string_view text);

/// The cases of a file: one a line, `#` starts a comment. Throws std::runtime_error where the file
/// cannot be read, and std::invalid_argument, with file and line, for a malformed case.
std::vector<Case> read_cases(const std::string& path);

}  // namespace fullconv::testing
