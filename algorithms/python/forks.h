#pragma once

// What lets a process fork that has used the module: the child has the forking thread alone.

#include <pthread.h>

#include <atomic>
#include <stdexcept>

#include "plans.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace fullconv::python {

/// The forks between this process and the one that has loaded the module.
inline std::atomic<int> forks = 0;

/// A mutex that is known to be lost where its owner did not come along when the process forked.
class ForkSafeMutex {
 public:
  /// Throws std::runtime_error where the owner does not exist in this process.
  void lock() {
    while (!try_lock()) {
      int owner = owner_;
      if (owner == kFree) continue;
      if (owner / 2 != forks) {
        throw std::runtime_error(
            "the plan was running in another thread when this process was forked: make a new one");
      }
      const int awaited = owner | 1;
      if (owner == awaited || owner_.compare_exchange_strong(owner, awaited)) owner_.wait(awaited);
    }
  }
  bool try_lock() {
    int owner = kFree;
    return owner_.compare_exchange_strong(owner, 2 * forks);
  }
  void unlock() {
    if (owner_.exchange(kFree) % 2 != 0) owner_.notify_all();
  }

 private:
  static constexpr int kFree = -2;

  std::atomic<int> owner_ = kFree;  // twice the forks of its process, and 1 where others wait
};

/// Called once, before plans are executed.
inline void prepare_for_forks() {
  const auto before = [] {
#if defined(_OPENMP) && !defined(__clang__)
    // GNU's OpenMP keeps threads for the next parallel region of this thread, and a child would
    // wait for them, which it does not have. LLVM's sees to it itself.
    omp_pause_resource_all(omp_pause_hard);
#endif
    PlanStore<float>::get().mutex().lock();
    PlanStore<double>::get().mutex().lock();
  };
  const auto in_parent = [] {
    PlanStore<double>::get().mutex().unlock();
    PlanStore<float>::get().mutex().unlock();
  };
  const auto in_child = [] {
    ++forks;
    PlanStore<double>::get().mutex().unlock();
    PlanStore<float>::get().mutex().unlock();
  };
  ::pthread_atfork(before, in_parent, in_child);
}

}  // namespace fullconv::python
