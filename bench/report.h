#pragma once

#include <benchmark/benchmark.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace fullconv::bench {

/// Google Benchmark's CSV, whose columns are those of the first rows, and which ends the program
/// where a later row has another counter. Here the rows come together, at the end.
std::unique_ptr<benchmark::BenchmarkReporter> csv_reporter();

/// A file of rows that is whole at any time: it is replaced by one that holds more. Throws where it
/// cannot be written.
class ReportFile {
 public:
  /// `format` is json, csv or console.
  ReportFile(std::string path, const std::string& format);

  void begin(const benchmark::BenchmarkReporter::Context& context);
  void add(const std::vector<benchmark::BenchmarkReporter::Run>& runs);
  void end();

 private:
  std::string whole_text();
  void save();

  std::string path_;
  bool replaces_;  // else, as where it is a pipe, it is written at the end
  std::unique_ptr<benchmark::BenchmarkReporter> reporter_;
  std::ostringstream text_, remarks_;
};

/// Where rows go: to standard output, as --benchmark_format asks for, and to the file of
/// --benchmark_out. Rows that come together belong together: all of them are written, or none.
///
/// Nothing is written after an interruption, so that what Google Benchmark still reports of
/// benchmarks that were cut off is dropped.
class Report : public benchmark::BenchmarkReporter {
 public:
  using Run = benchmark::BenchmarkReporter::Run;

  Report(std::unique_ptr<benchmark::BenchmarkReporter> display, std::unique_ptr<ReportFile> file);

  /// Whether a person reads the display.
  bool for_people() const { return for_people_; }

  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override { add(runs, runs); }
  void Finalize() override;

  /// Rows of which the display gets others.
  void add(const std::vector<Run>& runs, const std::vector<Run>& displayed);

 private:
  std::unique_ptr<benchmark::BenchmarkReporter> display_;
  std::unique_ptr<ReportFile> file_;  // or null
  bool for_people_;
};

/// From now on SIGINT and SIGTERM only ask to end: those who measure look at interruption() between
/// repetitions. A second one ends the program at once.
void end_orderly_when_interrupted();

/// The signal that asks to end, or 0.
int interruption();

}  // namespace fullconv::bench
