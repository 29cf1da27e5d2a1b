#pragma once

#include <cmath>
#include <limits>

namespace fullconv {

/// Whether products of two such sums are far from overflow and from losing digits to underflow, so
/// that no intermediate value of a transform does either. A transform divides by its number of
/// points: 2⁻⁵⁰ and the unit roundoff are left for that.
template <class T>
bool is_in_range(T sum_of_magnitudes) {
  constexpr int kReach = std::numeric_limits<T>::max_exponent / 2 - 8;
  return sum_of_magnitudes == 0 || (sum_of_magnitudes > std::ldexp(T{1}, -kReach) &&
                                    sum_of_magnitudes < std::ldexp(T{1}, kReach));
}

}  // namespace fullconv
