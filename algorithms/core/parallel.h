#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <tuple>
#include <utility>

#include "fullconv/algorithm.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace fullconv {

/// The time of a fork and join: 1 µs on a Xeon, 2 to 5 µs on an EPYC. With 5 µs two threads took up
/// to 1.5 times as long here, for problems of 9 to 15 µs that they did not share; with 2 µs some
/// took 1.1 times as long.
constexpr double kForkingSeconds = 3e-6;

/// Whether threads can win anything by sharing so many seconds.
constexpr bool is_worth_forking(double seconds) { return seconds >= 3 * kForkingSeconds; }

/// The same by what direct forms take, where no forecast is at hand.
constexpr bool is_worth_forking(const Problem& problem) {
  constexpr double kMultiplyAdd = 0.09e-9;
  return is_worth_forking(kMultiplyAdd * static_cast<double>(problem.multiply_adds()));
}

/// Threads worth using for `problem`: at most as many as asked for and as there are `parts`.
inline int useful_threads(const Problem& problem, const PlanOptions& options, index_t parts) {
  if (!is_worth_forking(problem)) return 1;
  return static_cast<int>(std::min<index_t>(options.threads, parts));
}

/// Calls body(part, thread) for each part in [0, parts), on `threads` threads. The body must not
/// throw. One thread takes the parts in order and never enters the OpenMP runtime.
///
/// Each of several threads begins with a range in one piece, the same one every time, of which its
/// cache may still hold something; whoever is done with it helps the others, since cores are not
/// equally fast while others use the machine. A thread calls prepare(thread) before its first part.
template <class Prepare, class Body>
void parallel_for([[maybe_unused]] int threads, index_t parts, const Prepare& prepare,
                  const Body& body) {
#ifdef _OPENMP
  if (threads > 1) {
    struct alignas(64) Queue {
      std::atomic<index_t> next;
      index_t end;
    };
    constexpr int kMostQueues = 64;
    Queue queues[kMostQueues];
    const int count = std::min(threads, kMostQueues);
    for (int s = 0; s < count; ++s) {
      queues[s].next = s * parts / count;
      queues[s].end = (s + 1) * parts / count;
    }
#pragma omp parallel num_threads(threads)
    {
      const int thread = omp_get_thread_num();
      bool prepared = false;
      for (int helped = 0; helped < count; ++helped) {
        Queue& queue = queues[(thread + helped) % count];
        index_t part;
        while ((part = queue.next.fetch_add(1, std::memory_order_relaxed)) < queue.end) {
          if (!std::exchange(prepared, true)) prepare(thread);
          body(part, thread);
        }
      }
    }
    return;
  }
#endif
  if (parts > 0) prepare(0);
  for (index_t part = 0; part < parts; ++part) body(part, 0);
}

template <class Body>
void parallel_for(int threads, index_t parts, const Body& body) {
  parallel_for(
      threads, parts, [](int) {}, body);
}

namespace internal {

/// Loops within each other, without the divisions that find a block by its number: with those,
/// 8x8_k5x5 by direct_simd took 1.07 times as long.
template <std::size_t kDimensions, class Body, class... Index>
void for_each_in_order(const std::array<index_t, kDimensions>& counts, const Body& body,
                       Index... index) {
  if constexpr (sizeof...(Index) == kDimensions) {
    body(index..., 0);
  } else {
    for (index_t i = 0; i < counts[sizeof...(Index)]; ++i) {
      for_each_in_order(counts, body, index..., i);
    }
  }
}

}  // namespace internal

/// Calls body(index..., thread) for each block of a grid, such as batch × channels × blocks of
/// rows, which has so many along each dimension: the last one's are neighbours. Threads take blocks
/// as parallel_for deals them out.
template <std::size_t kDimensions, class Body>
void for_each_block(int threads, const std::array<index_t, kDimensions>& counts, const Body& body) {
  if (threads == 1) return internal::for_each_in_order(counts, body);
  index_t blocks = 1;
  for (const index_t count : counts) blocks *= count;
  parallel_for(threads, blocks, [&](index_t block, int thread) {
    std::array<index_t, kDimensions> index;
    for (std::size_t d = kDimensions; d-- > 0; block /= counts[d]) index[d] = block % counts[d];
    std::apply([&](auto... i) { body(i..., thread); }, index);
  });
}

/// Calls body(round, member) for each round in [0, rounds) and each member in [0, members). The
/// members of a round run on as many threads as there are, and none begins before all of the round
/// before have ended. The body must not throw, nor wait for others. A round takes 0.3 µs where a
/// fork takes 1 µs.
template <class Body>
void parallel_rounds(int members, index_t rounds, const Body& body) {
#ifdef _OPENMP
#pragma omp parallel num_threads(members)
#endif
  for (index_t round = 0; round < rounds; ++round) {
#ifdef _OPENMP
#pragma omp for schedule(static, 1)
#endif
    for (int member = 0; member < members; ++member) body(round, member);
  }
}

}  // namespace fullconv
