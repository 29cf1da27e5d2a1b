#pragma once

#include <algorithm>

#include "fullconv/algorithm.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace fullconv {

/// Threads worth using for `problem`: at most as many as asked for and as there are `parts`.
inline int useful_threads(const Problem& problem, const PlanOptions& options, index_t parts) {
  // A fork and join of two threads costs some 2–5 µs, the time of 5·10⁴ multiply-adds of the
  // direct forms; below twice that there is nothing to win.
  constexpr std::int64_t kWorthForking = 100'000;
  if (problem.multiply_adds() < kWorthForking) return 1;
  return static_cast<int>(std::min<index_t>(options.threads, parts));
}

/// Calls body(part, thread) for each part in [0, parts), on `threads` threads. The body must not
/// throw. One thread takes the parts in order and never enters the OpenMP runtime. Where there is
/// one part for each thread, a thread has the same one every time, with what is in its cache.
template <class Body>
void parallel_for(int threads, index_t parts, const Body& body) {
#ifdef _OPENMP
  if (threads > 1 && parts <= threads) {
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (index_t part = 0; part < parts; ++part) body(part, omp_get_thread_num());
    return;
  }
  if (threads > 1) {
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (index_t part = 0; part < parts; ++part) body(part, omp_get_thread_num());
    return;
  }
#endif
  for (index_t part = 0; part < parts; ++part) body(part, 0);
}

}  // namespace fullconv
