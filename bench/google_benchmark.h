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

}  // namespace fullconv::bench
