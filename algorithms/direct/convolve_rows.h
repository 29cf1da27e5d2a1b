#pragma once

#include <vector>

#include "core/plane.h"
#include "fullconv/algorithm.h"

namespace fullconv {

/// y's window `wanted` = x ∗ k, or += where `add`: y(i, j) is the full output's, and what is not
/// wanted of it is neither read nor written, and need not be there. `far`: whether x and y come
/// from beyond a near cache, so that they have to be asked for ahead. The inner loop of
/// direct_simd. Calls for few rows take some of the image's rows once more each.
template <class T>
void convolve_rows(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                   const Window& wanted, bool add, bool far);

/// Whether so many bytes of a plane and its sums are more than a second-level cache keeps.
constexpr double kFarBytes = 0x1.4p20;
constexpr bool is_far(double bytes) { return bytes > kFarBytes; }

/// Rows of y that a call should begin with a multiple of, so that it cuts no tile of any
/// instruction set.
constexpr index_t kRowsOfTiles = 8;

/// What units for products are busy with, and the rest.
struct PlaneSeconds {
  double products, others;
};

/// The seconds that convolve_rows takes for one plane of a dense problem, all of y's window: a
/// forecast, not a promise.
template <class T>
PlaneSeconds convolve_seconds(const Problem& problem);

/// The sizes at which it changes between its methods, for planes of about these sizes.
template <class T>
std::vector<Boundary> convolve_boundaries(const Problem& problem);

/// How many rows of the image a call reads that the call for the rows above has read already.
index_t repeated_rows(index_t kernel_rows);

}  // namespace fullconv
