#include "report.h"

#include <csignal>
#include <span>
#include <utility>

#include "output_file.h"

namespace fullconv::bench {
namespace {

using Runs = std::vector<benchmark::BenchmarkReporter::Run>;

volatile std::sig_atomic_t interrupted_by = 0;

class Csv final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& context) override {
    PrintBasicContext(&GetErrorStream(), context);
    return true;
  }
  void ReportRuns(const Runs& runs) override {
    rows_.insert(rows_.end(), runs.begin(), runs.end());
  }
  void Finalize() override {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    benchmark::CSVReporter reporter;
#pragma GCC diagnostic pop
    reporter.SetOutputStream(&GetOutputStream());
    reporter.ReportRuns(rows_);
  }

 private:
  Runs rows_;
};

std::unique_ptr<benchmark::BenchmarkReporter> make_reporter(const std::string& format) {
  if (format == "console") {
    return std::make_unique<benchmark::ConsoleReporter>(benchmark::ConsoleReporter::OO_None);
  }
  if (format == "csv") return csv_reporter();
  return std::make_unique<benchmark::JSONReporter>();
}

}  // namespace

std::unique_ptr<benchmark::BenchmarkReporter> csv_reporter() { return std::make_unique<Csv>(); }

ReportFile::ReportFile(std::string path, const std::string& format)
    : path_(std::move(path)),
      replaces_(cli::OutputFile(path_).replaces()),
      reporter_(make_reporter(format)) {
  reporter_->SetOutputStream(&text_);
  reporter_->SetErrorStream(&remarks_);
}

void ReportFile::begin(const benchmark::BenchmarkReporter::Context& context) {
  reporter_->ReportContext(context);
  if (replaces_) save();
}

void ReportFile::add(const Runs& runs) {
  reporter_->ReportRuns(runs);
  if (replaces_) save();
}

void ReportFile::end() {
  if (!replaces_) save();
}

/// What there is so far, with the ending that Finalize() writes and that the next rows go before.
std::string ReportFile::whole_text() {
  const std::string open = text_.str();
  reporter_->Finalize();
  std::string whole = text_.str();
  text_.str(open);
  text_.seekp(0, std::ios::end);
  return whole;
}

void ReportFile::save() {
  const std::string whole = whole_text();
  cli::OutputFile file(path_);
  file.write(std::as_bytes(std::span(whole)));
  file.commit();
}

Report::Report(std::unique_ptr<benchmark::BenchmarkReporter> display,
               std::unique_ptr<ReportFile> file)
    : display_(std::move(display)),
      file_(std::move(file)),
      for_people_(dynamic_cast<benchmark::ConsoleReporter*>(display_.get()) != nullptr) {}

bool Report::ReportContext(const Context& context) {
  if (file_) file_->begin(context);
  return display_->ReportContext(context);
}

void Report::Finalize() {
  display_->Finalize();
  if (file_) file_->end();
}

void Report::add(const Runs& runs, const Runs& displayed) {
  if (runs.empty() || interruption() != 0) return;
  display_->ReportRuns(displayed);
  if (file_) file_->add(runs);
}

void end_orderly_when_interrupted() {
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction action {};
    ::sigaction(signal, nullptr, &action);
    if (action.sa_handler == SIG_IGN) continue;
    action.sa_handler = [](int number) { interrupted_by = number; };
    action.sa_flags = SA_RESETHAND | SA_RESTART;
    ::sigaction(signal, &action, nullptr);
  }
}

int interruption() { return interrupted_by; }

}  // namespace fullconv::bench
