// What plans allocate, and that executing them allocates nothing. This program replaces malloc and
// its kin by versions that count, so it is a program of its own.

#include "contender.h"
#include "support/operands.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FULLCONV_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FULLCONV_SANITIZED
#endif

#if defined(__GLIBC__) && !defined(FULLCONV_SANITIZED)
#define FULLCONV_COUNTS_ALLOCATIONS
#endif

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

namespace {

/// Heap memory asked for while it is being watched, by any thread.
struct Heap {
  std::atomic<bool> watched = false;
  std::atomic<std::int64_t> requests = 0;
  std::atomic<std::int64_t> live = 0;  // bytes asked for and not given back
  std::atomic<std::int64_t> peak = 0;

  void* note_allocation(void* memory) {
    if (watched && memory != nullptr) {
      ++requests;
      const auto now = live += usable(memory);
      for (auto most = peak.load(); now > most && !peak.compare_exchange_weak(most, now);) {
      }
    }
    return memory;
  }
  void* note_release(void* memory) {
    if (watched && memory != nullptr) live -= usable(memory);
    return memory;
  }
  static std::int64_t usable(void* memory) {
    return static_cast<std::int64_t>(malloc_usable_size(memory));
  }
};

constinit Heap heap;

}  // namespace

#ifdef FULLCONV_COUNTS_ALLOCATIONS
// operator new and delete end here, too.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) { return heap.note_allocation(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) {
  return heap.note_allocation(__libc_calloc(count, size));
}
void* realloc(void* memory, std::size_t size) {
  return heap.note_allocation(__libc_realloc(heap.note_release(memory), size));
}
void* memalign(std::size_t alignment, std::size_t size) {
  return heap.note_allocation(__libc_memalign(alignment, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  *memory = memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
void free(void* memory) { __libc_free(heap.note_release(memory)); }
}
#endif

namespace fullconv::testing {
namespace {

struct Usage {
  std::int64_t requests, live, peak;
};

/// What `action` asks of the heap.
template <class Action>
Usage usage_of(const Action& action) {
  heap.requests = heap.live = heap.peak = 0;
  heap.watched = true;
  action();
  heap.watched = false;
  return {heap.requests, heap.live, heap.peak};
}

/// Ends a test, visibly, where nothing is counted.
void skip_unless_counting() {
#ifndef FULLCONV_COUNTS_ALLOCATIONS
  GTEST_SKIP() << "allocations are only counted with glibc and without sanitizers";
#endif
}

class Allocation : public EachSubject {
 protected:
  void SetUp() override { skip_unless_counting(); }
};
FULLCONV_FOR_EACH_SUBJECT(Allocation);

class CountedAllocation : public ::testing::Test {
 protected:
  void SetUp() override { skip_unless_counting(); }
};

TEST_F(CountedAllocation, IncludesEveryWayToAllocate) {
  const auto usage = usage_of([] {
    std::free(std::malloc(1000));
    std::free(std::aligned_alloc(64, 2048));
    std::vector<double> on_heap(500);
    EXPECT_EQ(on_heap.back(), 0);
  });
  EXPECT_EQ(usage.requests, 3);
  EXPECT_EQ(usage.live, 0);
  EXPECT_GE(usage.peak, 4000);
}

/// What the libraries beneath an algorithm may allocate during execute() and give back.
std::int64_t library_scratch(const Algorithm& algorithm, int threads) {
  return static_cast<std::int64_t>(algorithm.scratch_bytes) * threads;
}

TEST_P(Allocation, DoesNotHappenInExecute) {
  run([]<class T>(const Contender<T>& contender) {
    // Long and narrow images, and sizes with large factors of two and of others, lead FFTs through
    // different algorithms; thin and square products do so for a GEMM.
    const auto problems = contender.taken(parse_problems(
        {"1x1_k1x1", "8x8_k5x5", "5x3_k7x9", "127x127_k1x1", "1x1000_k1x25", "343x343_k1x1",
         "512x512_k3x3", "1000x1000_k1x1", "1x65536_k1x1", "65536x1_k1x1", "2187x1_k1x1",
         "3125x2_k1x1", "2401x64_k1x1", "100x300_k31x17", "n2_i3_o4_33x29_k5x3",
         "n4_i16_o16_56x56_k3x3", "n1_i3_o64_30x30_k3x3", "n2_i8_o9_64x64_k5x5"}));
    // The OpenMP runtime starts its threads for the first plan of a process that needs them.
    const Problem warming = problems.back();
    contender.convolve(warming, Tensor<T>(warming.x_extents()).view(),
                       Tensor<T>(warming.k_extents()).view());

    const auto allowed = library_scratch(contender.algorithm, contender.threads);
    std::int64_t peak = 0;
    for (const Problem& problem : problems) {
      SCOPED_TRACE(to_string(problem));
      const auto operands = make_operands<T>({problem});
      Tensor<T> y(problem.y_extents());
      const auto plan = contender.plan(problem);
      for (const char* round : {"first", "second"}) {
        const auto usage =
            usage_of([&] { plan->execute(operands.x_view(), operands.k_view(), y.view()); });
        EXPECT_EQ(usage.live, 0) << "kept after the " << round << " execution";
        EXPECT_LE(usage.peak, allowed) << usage.requests << " requests in the " << round;
        peak = std::max(peak, usage.peak);
      }
      plan->prepare(operands.k_view());
      plan->execute_prepared(operands.x_view(), y.view(), Accumulate::yes);
      const auto usage = usage_of([&] {
        plan->execute_prepared(operands.x_view(), y.view());
        plan->execute_prepared(operands.x_view(), y.view(), Accumulate::yes);
      });
      EXPECT_EQ(usage.live, 0) << "kept after executing with a prepared kernel";
      EXPECT_LE(usage.peak, allowed) << usage.requests << " requests with a prepared kernel";
    }
    if (peak > 0) {
      std::cout << "libraries took up to " << peak << " bytes within execute(), of " << allowed
                << " stated\n";
    }
  });
}

TEST_P(Allocation, DoesNotHappenInExecuteOfStagedViews) {
  run([]<class T>(const Contender<T>& contender) {
    constexpr Layout transposed{.order = {0, 1, 3, 2}};
    for (const Problem& problem :
         contender.taken(parse_problems({"8x8_k5x5", "9x8_k3x3", "9x8_k1x1"}))) {
      const auto plan = contender.plan(problem, {.any_strides = true});
      const Tensor<T> x(make_operands<T>({problem}).x_view(), transposed);
      const Tensor<T> k(make_operands<T>({problem}).k_view(), transposed);
      Tensor<T> y(problem.y_extents(), transposed);
      const auto usage = usage_of([&] { plan->execute(x.view(), k.view(), y.view()); });
      EXPECT_EQ(usage.live, 0);
      EXPECT_LE(usage.peak, library_scratch(contender.algorithm, contender.threads));
    }
  });
}

/// A plan holds the workspace that it states. On top of that come the plan itself and what
/// libraries keep: twiddle factors, at most as much again.
TEST_P(Allocation, OfPlansIsWhatTheyState) {
  run([]<class T>(const Contender<T>& contender) {
    constexpr std::int64_t small_change = 64 << 10;
    for (const Problem& problem : contender.taken(parse_problems(
             {"8x8_k5x5", "512x512_k31x31", "1x65536_k1x9", "1000x1000_k3x3",
              "n4_i16_o16_56x56_k3x3", "n1_i64_o64_28x28_k3x3", "n1_i64_o64_28x28_k1x1",
              "512x512_k31x31_p30x30x30x30", "200x300_k101x31_p50x15x50x15"}))) {
      for (const bool any_strides : {false, true}) {
        SCOPED_TRACE(to_string(problem));
        const auto make = [&] { return contender.plan(problem, {.any_strides = any_strides}); };
        make();  // libraries remember what they have planned
        std::unique_ptr<Plan<T>> plan;
        const auto usage = usage_of([&] { plan = make(); });
        const auto stated = static_cast<std::int64_t>(plan->workspace_bytes());
        EXPECT_GE(usage.live, stated);
        // And FFTW's tables, which for 1x65536 are larger than a spectrum: a root of unity a point.
        const index_t points = problem.full_rows() + problem.full_columns();
        const bool has_tables = contender.algorithm.scratch_bytes > 0;
        const std::int64_t tables = has_tables ? points * 2 * sizeof(double) : 0;
        EXPECT_LE(usage.live, 2 * stated + tables + small_change);
        const auto given_back = -usage_of([&] { plan.reset(); }).live;
        EXPECT_GE(given_back, usage.live - small_change);
      }
    }
  });
}

/// Nothing of the kind that grows with taps times outputs: a few times the operands, and panels.
TEST_P(Allocation, OfLargePlansStaysNearTheOperands) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem :
         contender.taken(parse_problems({"2048x2048_k127x127", "2048x2048_k3x3",
                                         "n4_i64_o64_56x56_k3x3", "n4_i64_o64_56x56_k1x1"}))) {
      const auto elements = element_count(problem.x_extents()) +
                            element_count(problem.k_extents()) + element_count(problem.y_extents());
      const std::size_t operands = static_cast<std::size_t>(elements) * sizeof(T);
      const std::size_t workspace = contender.plan(problem)->workspace_bytes();
      std::cout << to_string(problem) << ": workspace of " << (workspace >> 20) << " MiB beside "
                << (operands >> 20) << " MiB of operands\n";
      EXPECT_LE(workspace, 8 * operands + (std::size_t{32} << 20)) << to_string(problem);
    }
  });
}

}  // namespace
}  // namespace fullconv::testing
