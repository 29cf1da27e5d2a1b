#pragma once

#include <benchmark/benchmark.h>

#include <string>

// Where versions of Google Benchmark differ.
namespace fullconv::bench {

/// Whether a benchmark was skipped with SkipWithError(). Until 1.7 a flag, then one of several
/// kinds.
template <class Run>
bool was_skipped(const Run& run) {
  if constexpr (requires { run.error_occurred; }) {
    return run.error_occurred;
  } else {
    return run.skipped != decltype(run.skipped){};
  }
}

/// Why.
template <class Run>
const std::string& skip_message(const Run& run) {
  if constexpr (requires { run.error_message; }) {
    return run.error_message;
  } else {
    return run.skip_message;
  }
}

/// `--benchmark_min_time=0.02s` as this version wants it: with the unit from 1.8 on, until then
/// without. All others as they are.
template <class Run = benchmark::BenchmarkReporter::Run>
std::string with_unit_of_min_time(std::string argument) {
  constexpr bool kHasUnit = !requires(const Run& run) { run.error_occurred; };
  if (!argument.starts_with("--benchmark_min_time=")) return argument;
  const bool is_seconds = argument.ends_with('s');
  if (!kHasUnit && is_seconds) argument.pop_back();
  if (kHasUnit && !is_seconds && !argument.ends_with('x')) argument += 's';
  return argument;
}

}  // namespace fullconv::bench
