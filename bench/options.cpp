#include "options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "errors.h"

namespace fullconv::cli {

void add_files(CLI::App* command, std::string& image, std::string& kernel, std::string& output) {
  command->add_option("IMAGE.npy", image, "H x W, or N x K x H x W; - for standard input")
      ->type_name("")
      ->required();
  command->add_option("KERNEL.npy", kernel, "h x w, for each plane by itself, or K x C x h x w")
      ->type_name("")
      ->required();
  command
      ->add_option("-o,--output", output,
                   "Where y goes, of the image's rank; - for standard output")
      ->type_name("OUT.npy")
      ->required();
}

void add_threads(CLI::App* command, std::string& threads) {
  command->add_option("--threads", threads, "Use at most so many")
      ->type_name("T")
      ->capture_default_str();
}

void add_channels_last(CLI::App* command, bool& channels_last) {
  command->add_flag("--channels-last", channels_last,
                    "The image is H x W x C or N x H x W x C, and so is the result");
}

/// Not the machine's number of processors: using more is foolish, but no mistake.
int parse_threads(const std::string& text) {
  constexpr int kMost = 1024;
  int threads = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  if (error != std::errc{} || end != text.data() + text.size() || threads < 1 || threads > kMost) {
    throw UsageError(
        fmt::format("--threads is '{}': expected a whole number from 1 to {}", text, kMost));
  }
  return threads;
}

void add_reproducible(CLI::App* command, bool& reproducible) {
  command->add_flag("--reproducible", reproducible, "The same bits for any number of threads");
}

PlanOptions plan_options(const std::string& threads, const std::string& accuracy) {
  PlanOptions options{.threads = parse_threads(threads)};
  set_accuracy(options, accuracy);
  return options;
}

}  // namespace fullconv::cli
