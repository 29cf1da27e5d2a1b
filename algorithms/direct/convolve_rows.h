#pragma once

#include "core/plane.h"

namespace fullconv {

/// y's rows `wanted` = x ∗ k, or += where `add`: y has H+h−1 rows of W+w−1, of which others than
/// those wanted are neither read nor written, and need not be there. The inner loop of direct_simd,
/// on one thread, next to others if `threads` share the plane.
template <class T>
void convolve_rows(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                   Range wanted, bool add, int threads = 1);

/// The time in seconds that convolve_rows takes for all rows of y: to be forecast, not to be relied
/// upon.
template <class T>
double convolve_seconds(index_t H, index_t W, index_t h, index_t w);

/// Rows of y that a thread should have at least where others have their neighbours.
template <class T>
index_t rows_worth_sharing(index_t kernel_rows);

}  // namespace fullconv
