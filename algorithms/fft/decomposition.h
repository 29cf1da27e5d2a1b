#pragma once

#include <optional>

#include "costs/overlap_save.h"
#include "fft/tiling.h"
#include "fullconv/algorithm.h"

namespace fullconv {

/// How a problem is cut into tiles and dealt out to threads.
struct Decomposition {
  Tiling tiling;
  int threads;  // which take pieces of their own, or each a residue of all of them
  OverlapSaveTimes seconds;
};

/// What takes the least time, within the workspace that the options limit where anything is. A
/// kernel may need spectra of more bytes than is usual. Nothing where it is larger than any
/// transform.
std::optional<Decomposition> best_decomposition(const Problem& problem, const PlanOptions& options,
                                                std::size_t scalar_size);

}  // namespace fullconv
