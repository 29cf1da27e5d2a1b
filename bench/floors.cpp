// What this machine can do at all: multiply-adds, copying, a library's matrix product, a call.

#include <fmt/format.h>
#include <hwy/aligned_allocator.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "fma_chains.h"
#include "fullconv/memory.h"
#include "harness.h"
#ifdef FULLCONV_HAVE_OPENBLAS
#include <cblas.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#else
#include <thread>
#endif

namespace fullconv::bench {
namespace {

template <class T>
using Array = hwy::AlignedFreeUniquePtr<T[]>;

/// Calls body(thread) on each of `threads` threads and waits for all.
template <class Body>
void on_threads(int threads, const Body& body) {
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int thread = 0; thread < threads; ++thread) body(thread);
#else
  std::vector<std::jthread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(body, thread);
  body(0);
#endif
}

/// Multiply-adds on registers alone.
template <class T>
void fma_peak(benchmark::State& state, int threads) {
  constexpr std::int64_t kSteps = 1 << 18;
  // The sums tend to one. Volatile, so that the compiler cannot see it.
  volatile T factor{0.5};
  volatile T term{0.5};
  for (auto _ : state) {
    on_threads(threads,
               [&](int) { benchmark::DoNotOptimize(run_fma_chains<T>(kSteps, factor, term)); });
  }
  const auto of_a_step = static_cast<double>(multiply_adds_of_a_step<T>());
  state.counters["GFLOP/s"] = giga_per_second(2 * of_a_step * kSteps * threads);
}

/// Each thread copies `count` floats of its own, `times` times over. Bytes read and bytes written
/// both count.
void copy(benchmark::State& state, int threads, std::size_t count, int times) {
  const std::size_t bytes = count * sizeof(float);
  const double all_bytes = 2.0 * static_cast<double>(bytes) * threads;
  if (all_bytes > static_cast<double>(available_memory())) {
    state.SkipWithError(fmt::format("{}{:.0f} MiB", kOutOfMemory, all_bytes / 0x1p20).c_str());
    return;
  }
  struct Pair {
    Array<float> from, to;
  };
  std::vector<Pair> arrays(static_cast<std::size_t>(threads));
  on_threads(threads, [&](int thread) {  // each touches its own first
    auto& [from, to] = arrays[static_cast<std::size_t>(thread)];
    from = hwy::AllocateAligned<float>(count);
    to = hwy::AllocateAligned<float>(count);
    std::fill_n(from.get(), count, 1.0F);
    std::fill_n(to.get(), count, 0.0F);
  });
  for (auto _ : state) {
    on_threads(threads, [&](int thread) {
      const auto& [from, to] = arrays[static_cast<std::size_t>(thread)];
      for (int time = 0; time < times; ++time) {
        std::memcpy(to.get(), from.get(), bytes);
        benchmark::ClobberMemory();
      }
    });
  }
  state.counters["GB/s"] = giga_per_second(all_bytes * times);
  state.counters["array_bytes"] = static_cast<double>(bytes);
}

/// 256 MiB, twice: more than the last-level cache of all but the largest servers.
constexpr std::size_t kMemoryFloats = (std::size_t{256} << 20) / sizeof(float);

/// Half of a second-level cache for both arrays together.
std::size_t second_level_floats() {
  constexpr std::size_t kUsual = 256 << 10;
  std::size_t bytes = kUsual;
  for (const auto& cache : benchmark::CPUInfo::Get().caches) {
    if (cache.level == 2) bytes = static_cast<std::size_t>(cache.size);
  }
  return bytes / 4 / sizeof(float);
}

#ifdef FULLCONV_HAVE_OPENBLAS
constexpr blasint kGemmSize = 1024;

void multiply_rows(blasint rows, const float* a, const float* b, float* c) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, kGemmSize, kGemmSize, 1.0F, a,
              kGemmSize, b, kGemmSize, 0.0F, c, kGemmSize);
}

void multiply_rows(blasint rows, const double* a, const double* b, double* c) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, kGemmSize, kGemmSize, 1.0, a,
              kGemmSize, b, kGemmSize, 0.0, c, kGemmSize);
}

/// OpenBLAS on square matrices, each thread with rows of its own: its own threads stay unused, as
/// in the library.
template <class T>
void gemm(benchmark::State& state, int threads) {
  openblas_set_num_threads(1);
#ifdef _OPENMP
  omp_set_num_threads(1);  // OpenBLAS 0.3.29 listens to this alone
#endif
  constexpr std::size_t kElements = std::size_t{kGemmSize} * kGemmSize;
  std::vector<T> a(kElements, T{1}), b(kElements, T{1}), c(kElements);
  for (auto _ : state) {
    on_threads(threads, [&](int thread) {
      const blasint begin = kGemmSize * thread / threads;
      const blasint end = kGemmSize * (thread + 1) / threads;
      const std::size_t offset = static_cast<std::size_t>(begin) * kGemmSize;
      multiply_rows(end - begin, a.data() + offset, b.data(), c.data() + offset);
    });
  }
  state.counters["GFLOP/s"] = giga_per_second(2.0 * kElements * kGemmSize);
}
#else
template <class T>
void gemm(benchmark::State& state, int) {
  state.SkipWithError(fmt::format("{}built without OpenBLAS", kLeftOut).c_str());
}
#endif

/// The least that execute() can cost: with one thread a call, with more the start and the end of a
/// parallel region.
void empty_call(benchmark::State& state, int threads) {
  void (*volatile nothing)(int) = [](int) {};
  for (auto _ : state) {
    if (threads == 1) {
      nothing(0);
    } else {
      on_threads(threads, [&](int thread) { nothing(thread); });
    }
  }
}

template <class Body>
void add(const std::string& name, int threads, const Body& body) {
  benchmark::RegisterBenchmark(fmt::format("{}/threads:{}", name, threads).c_str(),
                               [=](benchmark::State& state) {
                                 end_idle_threads();
                                 on_threads(threads, [](int) {});  // starts those needed
                                 body(state, threads);
                               })
      ->UseRealTime();
}

int measure_floors(int argc, char** argv) {
  CLI::App app("Measures the floors under every convolution on this machine.", "fullconv_floors");
  if (const auto exit_code = parse(app, argc, argv)) return *exit_code;

  for (const int threads : default_threads()) {
    add("fma_peak/f32", threads, fma_peak<float>);
    add("fma_peak/f64", threads, fma_peak<double>);
    add("gemm/f32", threads, gemm<float>);
    add("gemm/f64", threads, gemm<double>);
    add("copy/f32", threads, [](auto& state, int count) {
      copy(state, count, kMemoryFloats / static_cast<std::size_t>(count), 1);
    });
    add("copy_l2/f32", threads,
        [](auto& state, int count) { copy(state, count, second_level_floats(), 64); });
    add("empty_call", threads, empty_call);
  }
  add_context();
#ifdef FULLCONV_HAVE_OPENBLAS
  benchmark::AddCustomContext("openblas", openblas_get_config());
#endif
  return run();
}

}  // namespace
}  // namespace fullconv::bench

int main(int argc, char** argv) { return fullconv::bench::measure_floors(argc, argv); }
