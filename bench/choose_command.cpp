// fullconv choose and calibrate: what `auto` chooses, and what it knows of the machine.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "commands.h"
#include "fullconv/ran.h"
#include "memory.h"
#include "options.h"
#include "registry.h"
#include "support/operands.h"
#include "table.h"

namespace fullconv::cli {
namespace {

struct ChooseArguments {
  std::vector<std::string> cases;
  std::string scalar = "f32";
  std::string threads = "1";
  std::string accuracy = "normwise";
};

std::string describe(const Calibration& calibration) {
  const auto& [measured, file, remark] = calibration;
  if (!measured) return fmt::format("built in ({})", remark);
  return fmt::format("measured ({})",
                     remark.empty() ? file.string() : fmt::format("not kept: {}", remark));
}

/// The algorithm whose shortcut auto takes for the kernels of a case, which is seen when they are
/// there; empty where it takes none.
template <class T>
std::string_view shortcut_for_values(const testing::Case& c, const PlanOptions& options) {
  if (c.family == testing::Family::random || c.family == testing::Family::ints) return {};
  const Extents y_extents = c.problem.y_extents();
  require_memory(tensor_bytes<T>(c.problem.x_extents()) + tensor_bytes<T>(c.problem.k_extents()) +
                     tensor_bytes<T>(y_extents),
                 testing::to_string(c));
  Planned<T> planned = make_plan<T>(default_algorithm(), c.problem, options);
  if (std::holds_alternative<Declined>(planned)) return {};
  const testing::Operands<T> operands = testing::make_operands<T>(c);
  std::vector<T> y(static_cast<std::size_t>(element_count(y_extents)));
  Plan<T>& plan = *std::get<0>(planned);
  plan.execute(operands.x_view(), operands.k_view(), {y.data(), y_extents});
  return shortcut_taken(plan);
}

template <class T>
void show_candidates(const testing::Case& c, const PlanOptions& options) {
  std::vector<Row> rows{{"algorithm", "forecast", "workspace", ""}};
  const auto ranked = candidates<T>(c.problem, options);
  const std::string_view shortcut = shortcut_for_values<T>(c, options);
  if (!shortcut.empty()) {
    rows.push_back({std::string(shortcut), "", "", "chosen for this kernel, whose rank is low"});
  }
  for (const Candidate& candidate : ranked) {
    const double seconds = candidate.forecast.seconds();
    const std::size_t bytes = candidate.forecast.workspace_bytes;
    std::string remark = candidate.excluded;
    if (remark.empty()) {
      remark =
          &candidate == &ranked.front()
              ? (shortcut.empty() ? "chosen" : "chosen for other kernels")
              : fmt::format("{:.2f} times as long", seconds / ranked.front().forecast.seconds());
    }
    const bool known = seconds > 0;
    rows.push_back({std::string(candidate.algorithm->name),
                    known ? fmt::format("{:.4g} us", seconds * 1e6) : "",
                    known ? fmt::format("{:.4g} MiB", static_cast<double>(bytes) / 0x1p20) : "",
                    remark});
  }
  fmt::print("{}\n{}", testing::to_string(c), format_table(rows));
}

ExitCode choose(const ChooseArguments& arguments) {
  const PlanOptions options = plan_options(arguments.threads, arguments.accuracy);
  std::vector<testing::Case> cases;
  for (const std::string& text : arguments.cases) cases.push_back(testing::parse_case(text));
  fmt::print("rates: {}\n", describe(calibration(options.threads)));
  for (const testing::Case& c : cases) {
    fmt::print("\n");
    arguments.scalar == "f32" ? show_candidates<float>(c, options)
                              : show_candidates<double>(c, options);
  }
  return kFine;
}

struct CalibrateArguments {
  std::string threads = "1";
  double seconds = 3.5;
};

ExitCode calibrate(const CalibrateArguments& arguments) {
  const int threads = parse_threads(arguments.threads);
  fmt::print("rates: {}\n", describe(fullconv::calibrate(threads, arguments.seconds)));
  return kFine;
}

}  // namespace

Command add_choose(CLI::App& app) {
  const auto arguments = std::make_shared<ChooseArguments>();
  CLI::App* command =
      app.add_subcommand("choose", "Show what auto chooses from, and how long each should take");
  command->add_option("--case", arguments->cases, "A problem such as 8x8_k5x5; may be repeated")
      ->type_name("CASE")
      ->required();
  command->add_option("--scalar", arguments->scalar, "f32 or f64")
      ->check(CLI::IsMember({"f32", "f64"}))
      ->capture_default_str();
  add_accuracy(command, arguments->accuracy);
  add_threads(command, arguments->threads);
  return {command, [arguments] { return choose(*arguments); }};
}

Command add_calibrate(CLI::App& app) {
  const auto arguments = std::make_shared<CalibrateArguments>();
  CLI::App* command = app.add_subcommand(
      "calibrate", "Measure this machine's rates, for auto, and keep them in the user's cache");
  command->add_option("--seconds", arguments->seconds, "Measure for so long")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  add_threads(command, arguments->threads);
  return {command, [arguments] { return calibrate(*arguments); }};
}

}  // namespace fullconv::cli
