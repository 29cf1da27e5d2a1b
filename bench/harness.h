#pragma once

#include <benchmark/benchmark.h>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "report.h"

namespace CLI {
class App;
}

// What the timing programs share around Google Benchmark.
namespace fullconv::bench {

/// Exit codes: 0 is fine.
constexpr int kNo = 1;           ///< the answer is no
constexpr int kBadQuestion = 2;  ///< the question was wrong

/// How the messages of skipped benchmarks begin that are answers and not failures.
constexpr std::string_view kDeclined = "declined: ";
constexpr std::string_view kLeftOut = "left out: ";
constexpr std::string_view kOutOfMemory = "out of memory: ";

/// Reads the command line: Google Benchmark takes its own flags but for --benchmark_out, which is
/// ours, `app` the rest. Returns the exit code where the program ends with that.
std::optional<int> parse(CLI::App& app, int argc, char** argv);

/// What this build is and which machine it runs on, by name.
std::vector<std::pair<std::string, std::string>> build_and_machine();

/// Says in the context of the output what this build is and which machine it runs on.
void add_context();

/// What --benchmark_format and --benchmark_out ask for. To be called once, after parse().
std::unique_ptr<Report> make_report();

/// Runs what is registered, and returns the exit code. Skipped benchmarks do not change it.
int run();

/// The exit code. Programs that do not use run() call this at the end.
int finish();

/// One thread, and as many as this process may use.
std::vector<int> default_threads();

/// Ends the idle threads of the OpenMP runtime. Measured with libgomp 12 on two cores: they spin
/// for 4 ms after a parallel region, under OMP_WAIT_POLICY=active for ever, and not at all after
/// this; starting them anew takes 0.1 ms.
void end_idle_threads();

/// A counter that is given for one iteration and shown for one second of real time, in 1e9.
benchmark::Counter giga_per_second(double per_iteration);

}  // namespace fullconv::bench
