#include "harness.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <list>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <thread>

#include "commit.h"
#include "errors.h"
#include "google_benchmark.h"
#include "help.h"
#ifdef _OPENMP
#include <omp.h>
#endif

namespace fullconv::bench {
namespace {

/// What follows `key` and a colon in one of /proc's tables, or nothing.
std::string proc_value(const char* path, std::string_view key) {
  std::ifstream table(path);
  for (std::string line; std::getline(table, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t begin = line.find_first_not_of(": \t", key.size());
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return {};
}

/// Google Benchmark's table, except that a skipped benchmark is not an error by itself, that a
/// rate, whose name has its unit, does not get a second one, and that it does not warn of Google
/// Benchmark's own build: Debian's says of itself that it is one for debugging, whatever ours is.
class Table : public benchmark::ConsoleReporter {
 public:
  explicit Table(const ConsoleReporter& configured) : ConsoleReporter(configured) {}

  bool ReportContext(const Context& context) override {
    std::ostream& shown = GetErrorStream();
    std::stringstream said;
    SetErrorStream(&said);
    const bool goes_on = ConsoleReporter::ReportContext(context);
    SetErrorStream(&shown);
    for (std::string line; std::getline(said, line);) {
      if (!line.starts_with("***WARNING*** Library was built as DEBUG")) shown << line << '\n';
    }
    return goes_on;
  }

 protected:
  void PrintRunData(const Run& run) override {
    if (was_skipped(run)) {
      GetOutputStream() << fmt::format("{:<{}} {}\n", run.benchmark_name(), name_field_width_,
                                       skip_message(run));
      return;
    }
    Run plain = run;
    for (auto& [name, counter] : plain.counters) counter.flags = benchmark::Counter::kDefaults;
    ConsoleReporter::PrintRunData(plain);
  }
};

std::unique_ptr<ReportFile> report_file;  // of --benchmark_out, until there is a report

/// Takes from the arguments what says of the file of results: Google Benchmark would write it
/// once, at the end of the run, or piece by piece.
void take_report_file(int& argc, char** argv) {
  constexpr std::string_view kPath = "--benchmark_out=", kFormat = "--benchmark_out_format=";
  std::string path, format = "json";
  char** const end = std::remove_if(argv, argv + argc, [&](std::string_view argument) {
    if (argument.starts_with(kPath)) return path = argument.substr(kPath.size()), true;
    if (argument.starts_with(kFormat)) return format = argument.substr(kFormat.size()), true;
    return false;
  });
  argc = static_cast<int>(end - argv);
  if (format != "json" && format != "csv" && format != "console") {
    throw cli::UsageError(fmt::format("{}{}: expected json, csv or console", kFormat, format));
  }
  if (!path.empty()) report_file = std::make_unique<ReportFile>(path, format);
}

/// Gives the arguments that versions of Google Benchmark want spelled otherwise.
void adapt_to_version(int argc, char** argv) {
  static std::list<std::string> spelled;
  for (char*& argument : std::span(argv, static_cast<std::size_t>(argc))) {
    argument = spelled.emplace_back(with_unit_of_min_time(argument)).data();
  }
}

}  // namespace

std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  app.formatter(std::make_shared<HelpFormatter>());
  const auto wants_help = [](std::string_view argument) { return argument == "--help"; };
  try {
    take_report_file(argc, argv);
    adapt_to_version(argc, argv);
    // Google Benchmark would answer --help itself, without our options.
    if (std::none_of(argv, argv + argc, wants_help)) {
      benchmark::Initialize(&argc, argv, [] {
        fmt::print(
            stderr,
            "a --benchmark_ flag has a bad value: expected console, json or csv as a format; "
            "ns, us, ms or s as a time unit; auto, true or false as a colour\n");
        std::exit(kBadQuestion);
      });
    }
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}\nGoogle Benchmark's own options:\n", app.help());
    benchmark::PrintDefaultHelp();
    return 0;
  } catch (const cli::UsageError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return kBadQuestion;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return kBadQuestion;
  }
}

std::vector<std::pair<std::string, std::string>> build_and_machine() {
#ifdef NDEBUG
  constexpr const char* kAssertions = "off";
#else
  constexpr const char* kAssertions = "on";
#endif
#ifdef _OPENMP
  const std::string openmp = std::to_string(_OPENMP);
#else
  const std::string openmp = "none";
#endif
  const std::string cpu = proc_value("/proc/cpuinfo", "model name");
  const char* wait_policy = std::getenv("OMP_WAIT_POLICY");
  return {{"fullconv_version", FULLCONV_VERSION},
          {"fullconv_commit", FULLCONV_COMMIT},
          {"compiler", FULLCONV_COMPILER},
          {"compiler_flags", FULLCONV_COMPILER_FLAGS},
          {"build_type", FULLCONV_BUILD_TYPE},
          {"assertions", kAssertions},
          {"openmp", openmp},
          {"omp_wait_policy", wait_policy == nullptr ? "unset" : wait_policy},
          {"cpu_model", cpu.empty() ? "unknown" : cpu},
          {"cores", std::to_string(default_threads().back())}};
}

void add_context() {
  for (const auto& [name, value] : build_and_machine()) benchmark::AddCustomContext(name, value);
}

std::unique_ptr<Report> make_report() {
  std::unique_ptr<benchmark::BenchmarkReporter> reporter(benchmark::CreateDefaultDisplayReporter());
  if (const auto* console = dynamic_cast<benchmark::ConsoleReporter*>(reporter.get())) {
    reporter = std::make_unique<Table>(*console);
  } else if (dynamic_cast<benchmark::JSONReporter*>(reporter.get()) == nullptr) {
    reporter = csv_reporter();
  }
  return std::make_unique<Report>(std::move(reporter), std::move(report_file));
}

int finish() {
  benchmark::Shutdown();
  if (std::cout.flush()) return 0;
  fmt::print(stderr, "cannot write to standard output\n");
  return kBadQuestion;
}

int run() {
  const std::size_t matched = benchmark::RunSpecifiedBenchmarks(make_report().get());
  const int exit_code = finish();
  // Google Benchmark has said so where no name matched the filter.
  return matched == 0 ? kBadQuestion : exit_code;
}

std::vector<int> default_threads() {
  const auto all = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return all == 1 ? std::vector{1} : std::vector{1, all};
}

void end_idle_threads() {
#ifdef _OPENMP
  omp_pause_resource_all(omp_pause_hard);
#endif
}

benchmark::Counter giga_per_second(double per_iteration) {
  return {per_iteration * 1e-9, benchmark::Counter::kIsIterationInvariantRate};
}

}  // namespace fullconv::bench
