// fullconv check: whether all algorithms agree with the definition and with each other, or whether
// somebody else's result is right.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "check.h"
#include "commands.h"
#include "errors.h"
#include "layer_flags.h"
#include "operand_files.h"
#include "options.h"
#include "own_result.h"
#include "registry.h"

namespace fullconv::cli {
namespace {

struct CheckArguments {
  std::vector<std::string> files, cases, algorithms;
  std::string threads = "1";
  std::string accuracy = "normwise";
  LayerFlags layer;
  bool channels_last = false;
  std::string result;
  bool json = false;
};

std::vector<const Algorithm*> chosen_algorithms(const std::vector<std::string>& names) {
  std::vector<const Algorithm*> chosen;
  for (const std::string& name : names) chosen.push_back(&known_algorithm(name));
  if (chosen.empty()) chosen.assign(algorithms().begin(), algorithms().end());
  return chosen;
}

/// Checks somebody else's result.
ExitCode check_result(const CheckArguments& arguments) {
  const auto& [files, cases, names, threads, accuracy, layer, channels_last, result, json] =
      arguments;
  if (files.size() != 2 || !cases.empty()) {
    throw UsageError("--result given without files: expected IMAGE.npy KERNEL.npy, too");
  }
  if (!names.empty()) {
    throw UsageError("--algorithm given with --result: expected one of them");
  }
  OperandFiles operands(files[0], files[1], layer, channels_last);
  return check_own_result(operands, result, json) ? kFine : kNo;
}

ExitCode check(CheckArguments arguments) {
  // `--algorithm A B` lists two, and the parser cannot tell B from a file.
  if (!arguments.algorithms.empty()) {
    std::erase_if(arguments.files, [&](const std::string& word) {
      if (find_algorithm(word) == nullptr) return false;
      arguments.algorithms.push_back(word);
      return true;
    });
  }
  const auto& [files, cases, names, threads, accuracy, layer, channels_last, result, json] =
      arguments;
  if (!result.empty()) return check_result(arguments);
  if (json) throw UsageError("--json given without --result: expected it, too");
  Checker checker(chosen_algorithms(names), plan_options(threads, accuracy));

  if (files.empty()) {
    if (layer.given() || channels_last) {
      throw UsageError("flags of a layer given without files: expected them in the case's name");
    }
    constexpr const char* kSome[] = {"8x8_k5x5", "5x3_k7x9", "n2_i3_o4_17x13_k3x5"};
    std::vector<testing::Case> parsed;
    for (const std::string& text : cases) parsed.push_back(testing::parse_case(text));
    if (cases.empty()) {
      for (const char* text : kSome) parsed.push_back(testing::parse_case(text));
    }
    checker.check(parsed);
  } else {
    if (!cases.empty()) {
      throw UsageError(fmt::format("both '{}' and --case {} given: expected files or cases",
                                   files.front(), cases.front()));
    }
    if (files.size() != 2) {
      throw UsageError(fmt::format("'{}' given: expected two files, IMAGE.npy KERNEL.npy",
                                   fmt::join(files, " ")));
    }
    OperandFiles operands(files[0], files[1], layer, channels_last);
    checker.check(operands, fmt::format("{} * {}", files[0], files[1]));
  }
  return checker.summarise() ? kFine : kNo;
}

}  // namespace

Command add_check(CLI::App& app) {
  const auto arguments = std::make_shared<CheckArguments>();
  CLI::App* command = app.add_subcommand(
      "check", "Compare algorithms with the definition and with each other, on files or cases");
  command->add_option("FILES", arguments->files, "IMAGE.npy KERNEL.npy")->type_name("");
  command->add_option("--case", arguments->cases, "A problem such as 8x8_k5x5; may be repeated")
      ->type_name("CASE");
  command->add_option("--algorithm", arguments->algorithms, "Only this one; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command
      ->add_option("--result", arguments->result,
                   "Say whether this result of the files is right, and if not, what it is instead")
      ->type_name("MINE.npy");
  command->add_flag("--json", arguments->json, "With --result: as an object");
  add_channels_last(command, arguments->channels_last);
  arguments->layer.add_to(*command);
  add_accuracy(command, arguments->accuracy);
  add_threads(command, arguments->threads);
  return {command, [arguments] { return check(*arguments); }};
}

}  // namespace fullconv::cli
