// The command line: which algorithms there are, one convolution of two files, whether all
// algorithms agree, and what `auto` chooses and knows. Exit codes: 0 fine, 1 the answer is no, 2
// the question was wrong.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "check.h"
#include "contender.h"
#include "errors.h"
#include "fullconv/memory.h"
#include "fullconv/ran.h"
#include "help.h"
#include "memory.h"
#include "npy.h"
#include "operand_files.h"
#include "output_file.h"
#include "registry.h"
#include "strips.h"
#include "table.h"

namespace fullconv::cli {
namespace {

enum ExitCode { kFine = 0, kNo = 1, kBadQuestion = 2 };

std::vector<std::string> scalars(const Algorithm& algorithm) {
  std::vector<std::string> names;
  if (algorithm.plan_f32 != nullptr) names.emplace_back("f32");
  if (algorithm.plan_f64 != nullptr) names.emplace_back("f64");
  return names;
}

std::string name(ErrorModel model) {
  switch (model) {
    case ErrorModel::componentwise:
      return "componentwise";
    case ErrorModel::normwise:
      return "normwise";
    case ErrorModel::low_rank:
      return "low_rank";
    case ErrorModel::winograd:
      return "winograd";
    case ErrorModel::of_choice:
      return "of_choice";
  }
  return {};
}

std::string name(NonFinite behaviour) {
  switch (behaviour) {
    case NonFinite::as_defined:
      return "as_defined";
    case NonFinite::multiplies_padding:
      return "multiplies_padding";
    case NonFinite::spreads:
      return "spreads";
    case NonFinite::unspecified:
      return "unspecified";
  }
  return {};
}

std::string name(Delegates delegates) {
  switch (delegates) {
    case Delegates::never:
      return "never";
    case Delegates::sometimes:
      return "sometimes";
    case Delegates::always:
      return "always";
  }
  return {};
}

std::string name(Layers layers) {
  switch (layers) {
    case Layers::adapted:
      return "adapted";
    case Layers::native:
      return "native";
    case Layers::none:
      return "none";
  }
  return {};
}

struct ListArguments {
  bool json = false;
  bool peers = false;
  bool floors = false;
  bool instruction_sets = false;
};

std::string name(bench::Kind kind) {
  switch (kind) {
    case bench::Kind::ours:
      return "ours";
    case bench::Kind::peer:
      return "peer";
    case bench::Kind::binding:
      return "binding";
    case bench::Kind::floor:
      return "floor";
  }
  return {};
}

std::string name(bench::Inclusion inclusion) {
  switch (inclusion) {
    case bench::Inclusion::none:
      return "none";
    case bench::Inclusion::outside:
      return "outside";
    case bench::Inclusion::inside:
      return "inside";
  }
  return {};
}

nlohmann::ordered_json as_json(const bench::Ledger& ledger) {
  return {{"plan", name(ledger.plan)},
          {"allocation", name(ledger.allocation)},
          {"kernel_transform", name(ledger.kernel_transform)},
          {"layout_change", name(ledger.layout_change)},
          {"language_call", name(ledger.language_call)},
          {"precision", ledger.precision},
          {"note", ledger.note}};
}

std::string version(const bench::Contender& contender) {
  return contender.version == nullptr ? "" : contender.version();
}

std::vector<bench::Contender> listed(const ListArguments& arguments) {
  std::vector<bench::Contender> contenders(bench::ours().begin(), bench::ours().end());
  const auto add = [&](std::span<const bench::Contender> more) {
    contenders.insert(contenders.end(), more.begin(), more.end());
  };
  if (arguments.instruction_sets) add(bench::variants());
  if (arguments.peers) add(bench::peers());
  if (arguments.floors) add(bench::floors());
  return contenders;
}

void list_as_json(const ListArguments& arguments) {
  auto list = nlohmann::ordered_json::array();
  for (const bench::Contender& contender : listed(arguments)) {
    const Algorithm& algorithm = *contender.algorithm;
    list.push_back({{"name", algorithm.name},
                    {"kind", name(contender.kind)},
                    {"scalars", scalars(algorithm)},
                    {"summary", algorithm.summary},
                    {"error_model", name(algorithm.error_model)},
                    {"non_finite", name(algorithm.non_finite)},
                    {"threaded", algorithm.threaded},
                    {"layers", name(algorithm.layers)},
                    {"prepares", algorithm.prepares},
                    {"delegates", name(algorithm.delegates)},
                    {"version", version(contender)},
                    {"ledger", as_json(contender.ledger)}});
  }
  fmt::print("{}\n", list.dump(2));
}

void list_as_table(const ListArguments& arguments) {
  std::vector<Row> rows{{"name", "scalars", "threads", "error model", "NaN and Inf", "summary"}};
  if (arguments.peers) rows.front().emplace_back("version");
  for (const bench::Contender& contender : listed(arguments)) {
    const Algorithm& algorithm = *contender.algorithm;
    rows.push_back({std::string(algorithm.name),
                    fmt::format("{}", fmt::join(scalars(algorithm), " ")),
                    algorithm.threaded ? "many" : "one", name(algorithm.error_model),
                    name(algorithm.non_finite), std::string(algorithm.summary)});
    if (arguments.peers) rows.back().push_back(version(contender));
  }
  fmt::print("{}", format_table(rows));
}

ExitCode list(const ListArguments& arguments) {
  arguments.json ? list_as_json(arguments) : list_as_table(arguments);
  return kFine;
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

PlanOptions plan_options(const std::string& threads, const std::string& accuracy) {
  return {
      .threads = parse_threads(threads),
      .accuracy = accuracy == "componentwise" ? ErrorModel::componentwise : ErrorModel::normwise};
}

struct ConvolveArguments {
  std::string image, kernel, output;
  LayerFlags layer;
  std::string algorithm{default_algorithm().name};
  std::string threads = "1";
  std::string accuracy = "normwise";
  std::string memory;
  bool channels_last = false;
  bool verbose = false;
};

ExitCode print_declined(const std::string& reason) {
  fmt::print(stderr, "declined: {}\n", reason);
  return kNo;
}

/// An image that is too large for `memory` bytes, or not to be read as a whole.
template <class T>
ExitCode convolve_in_strips(OperandFiles& files, const Algorithm& algorithm,
                            const PlanOptions& options, double memory, const std::string& output) {
  const double kernel_bytes = tensor_bytes<T>(files.problem().k_extents());
  StripConvolution<T> strips(files.problem(), algorithm, options, memory - kernel_bytes);
  if (!strips.declined().empty()) return print_declined(strips.declined());
  const std::vector<T> kernel = files.read_kernel<T>();
  OutputFile file(output);
  const std::string header = npy_header(files.scalar(), files.output_shape());
  file.write(std::as_bytes(std::span(header)));
  strips.run(files.image(), kernel, file);
  file.commit();
  return kFine;
}

/// What a convolution cost, to standard error: standard output may be y.
template <class T>
void report(const Algorithm& algorithm, const PlanOptions& options, const Plan<T>& plan,
            double plan_seconds, double seconds) {
  std::string_view ran = shortcut_taken(plan);
  if (ran.empty() && algorithm.delegates == Delegates::always) {
    ran = chosen<T>(plan.problem(), options)->name;
  }
  std::string name{algorithm.name};
  if (!ran.empty() && ran != name) name += fmt::format(" ran {}", ran);
  fmt::print(stderr,
             "{}: {}, {}, {} thread{}, plan {:.4g} ms, execute {:.4g} ms, workspace {:.4g} MiB\n",
             to_string(plan.problem()), name, sizeof(T) == sizeof(float) ? "f32" : "f64",
             plan.threads(), plan.threads() == 1 ? "" : "s", plan_seconds * 1e3, seconds * 1e3,
             static_cast<double>(plan.workspace_bytes()) / 0x1p20);
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

template <class T>
ExitCode convolve(OperandFiles& files, const Algorithm& algorithm, PlanOptions options,
                  const ConvolveArguments& arguments) {
  using Clock = std::chrono::steady_clock;
  const std::string& memory_flag = arguments.memory;
  const std::string& output = arguments.output;
  const Problem& problem = files.problem();
  const Extents y_extents = problem.y_extents();
  const double bytes = tensor_bytes<T>(problem.x_extents()) + tensor_bytes<T>(problem.k_extents()) +
                       tensor_bytes<T>(y_extents);
  const double memory = memory_flag.empty() ? static_cast<double>(available_memory()) / 2
                                            : parse_bytes("--memory", memory_flag);
  // Half of it is for the workspace.
  if (files.in_order_of_memory() && is_divisible(problem) &&
      bytes > memory / (memory_flag.empty() ? 1 : 2)) {
    return convolve_in_strips<T>(files, algorithm, options, memory, output);
  }
  if (!memory_flag.empty()) {
    if (bytes > memory) {
      throw UsageError(
          fmt::format("{} takes {:.0f} MiB of memory: expected at most the {:.0f} MiB of --memory",
                      to_string(problem), bytes / 0x1p20, memory / 0x1p20));
    }
    options.workspace_limit = static_cast<std::size_t>(memory - bytes);
  }
  // Elements that are to be moved are there twice.
  require_memory(files.in_order_of_memory() ? bytes : 2 * bytes, to_string(problem));
  const testing::Operands<T> operands = files.read<T>();
  std::vector<T> y(static_cast<std::size_t>(testing::element_count(y_extents)),
                   std::numeric_limits<T>::quiet_NaN());

  const auto before_plan = Clock::now();
  Planned<T> planned = make_plan<T>(algorithm, problem, options);
  const double plan_seconds = seconds_since(before_plan);
  if (const auto* declined = std::get_if<Declined>(&planned)) {
    return print_declined(declined->reason);
  }
  // Opened before the work, so that a path that cannot be written is not found out after it.
  OutputFile file(output);
  Plan<T>& plan = *std::get<0>(planned);
  const auto before_execution = Clock::now();
  plan.execute(operands.x_view(), operands.k_view(), {y.data(), y_extents});
  if (arguments.verbose)
    report(algorithm, options, plan, plan_seconds, seconds_since(before_execution));
  y = files.in_order_of_file(std::move(y));
  const std::string header = npy_header(files.scalar(), files.output_shape());
  file.write(std::as_bytes(std::span(header)));
  file.write(std::as_bytes(std::span(y)));
  file.commit();
  return kFine;
}

ExitCode convolve(const ConvolveArguments& arguments) {
  PlanOptions options = plan_options(arguments.threads, arguments.accuracy);
  const Algorithm& algorithm = known_algorithm(arguments.algorithm);
  OperandFiles files(arguments.image, arguments.kernel, arguments.layer, arguments.channels_last);
  // Whole numbers come out where each sum is exact.
  if (files.hold_integers()) options.accuracy = ErrorModel::componentwise;
  return with_scalar(files.scalar(),
                     [&]<class T>(T) { return convolve<T>(files, algorithm, options, arguments); });
}

struct CheckArguments {
  std::vector<std::string> files, cases, algorithms;
  std::string threads = "1";
  LayerFlags layer;
  bool channels_last = false;
};

std::vector<const Algorithm*> chosen_algorithms(const std::vector<std::string>& names) {
  std::vector<const Algorithm*> chosen;
  for (const std::string& name : names) chosen.push_back(&known_algorithm(name));
  if (chosen.empty()) chosen.assign(algorithms().begin(), algorithms().end());
  return chosen;
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
  const auto& [files, cases, names, threads, layer, channels_last] = arguments;
  Checker checker(chosen_algorithms(names), parse_threads(threads));

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
  std::vector<T> y(static_cast<std::size_t>(testing::element_count(y_extents)));
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

void add_threads(CLI::App* command, std::string& threads) {
  command->add_option("--threads", threads, "Use at most so many")
      ->type_name("T")
      ->capture_default_str();
}

void add_accuracy(CLI::App* command, std::string& accuracy) {
  command->add_option("--accuracy", accuracy, "Of auto: componentwise rules out transforms")
      ->check(CLI::IsMember({"normwise", "componentwise"}))
      ->capture_default_str();
}

void add_channels_last(CLI::App* command, bool& channels_last) {
  command->add_flag("--channels-last", channels_last,
                    "The image is H x W x C or N x H x W x C, and so is the result");
}

CLI::App* add_list(CLI::App& app, ListArguments& arguments) {
  CLI::App* command = app.add_subcommand("list", "Show the algorithms");
  command->add_flag("--json", arguments.json, "As an array of objects");
  command->add_flag("--peers", arguments.peers, "Other people's libraries, too");
  command->add_flag("--instruction-sets", arguments.instruction_sets,
                    "Those with code for several, once for each that this processor has, too");
  command->add_flag("--floors", arguments.floors, "What no convolution can undercut, too");
  return command;
}

CLI::App* add_convolve(CLI::App& app, ConvolveArguments& arguments) {
  CLI::App* command = app.add_subcommand("convolve", "Convolve an image and a kernel");
  command->add_option("IMAGE.npy", arguments.image, "H x W, or N x K x H x W; - for standard input")
      ->type_name("")
      ->required();
  command
      ->add_option("KERNEL.npy", arguments.kernel,
                   "h x w, for each plane by itself, or K x C x h x w")
      ->type_name("")
      ->required();
  command
      ->add_option("-o,--output", arguments.output,
                   "Where y goes, of the image's rank; - for standard output")
      ->type_name("OUT.npy")
      ->required();
  command->add_option("--algorithm", arguments.algorithm, "One of `fullconv list`")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_flag("--verbose", arguments.verbose,
                    "Say which algorithm ran and what it cost, on standard error");
  add_channels_last(command, arguments.channels_last);
  arguments.layer.add_to(*command);
  command
      ->add_option("--memory", arguments.memory,
                   "Take at most so much, as 1GiB: larger planes are convolved strip by strip "
                   "(half of what is available)")
      ->type_name("SIZE");
  add_accuracy(command, arguments.accuracy);
  add_threads(command, arguments.threads);
  return command;
}

CLI::App* add_check(CLI::App& app, CheckArguments& arguments) {
  CLI::App* command = app.add_subcommand(
      "check", "Compare algorithms with the definition and with each other, on files or cases");
  command->add_option("FILES", arguments.files, "IMAGE.npy KERNEL.npy")->type_name("");
  command->add_option("--case", arguments.cases, "A problem such as 8x8_k5x5; may be repeated")
      ->type_name("CASE");
  command->add_option("--algorithm", arguments.algorithms, "Only this one; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  add_channels_last(command, arguments.channels_last);
  arguments.layer.add_to(*command);
  add_threads(command, arguments.threads);
  return command;
}

CLI::App* add_choose(CLI::App& app, ChooseArguments& arguments) {
  CLI::App* command =
      app.add_subcommand("choose", "Show what auto chooses from, and how long each should take");
  command->add_option("--case", arguments.cases, "A problem such as 8x8_k5x5; may be repeated")
      ->type_name("CASE")
      ->required();
  command->add_option("--scalar", arguments.scalar, "f32 or f64")
      ->check(CLI::IsMember({"f32", "f64"}))
      ->capture_default_str();
  add_accuracy(command, arguments.accuracy);
  add_threads(command, arguments.threads);
  return command;
}

CLI::App* add_calibrate(CLI::App& app, CalibrateArguments& arguments) {
  CLI::App* command = app.add_subcommand(
      "calibrate", "Measure this machine's rates, for auto, and keep them in the user's cache");
  command->add_option("--seconds", arguments.seconds, "Measure for so long")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  add_threads(command, arguments.threads);
  return command;
}

/// The first of the words that nothing was made of, as it was typed: the parser's own message has
/// them in reverse.
UsageError unexpected_argument(const CLI::App& app, int argc, char** argv) {
  const std::vector<std::string> unexpected = app.remaining(true);
  const auto found =
      std::find_first_of(argv + 1, argv + argc, unexpected.begin(), unexpected.end());
  return UsageError(fmt::format("unexpected argument '{}': expected what fullconv --help shows",
                                found == argv + argc ? unexpected.front() : *found));
}

ExitCode run(int argc, char** argv) {
  CLI::App app("Full 2-D convolutions: list the algorithms, run one, check all", "fullconv");
  app.formatter(std::make_shared<HelpFormatter>());  // of its commands, too
  app.set_version_flag("--version", "fullconv " FULLCONV_VERSION);
  ListArguments list_arguments;
  ConvolveArguments convolve_arguments;
  CheckArguments check_arguments;
  ChooseArguments choose_arguments;
  CalibrateArguments calibrate_arguments;
  const CLI::App* list_command = add_list(app, list_arguments);
  const CLI::App* convolve_command = add_convolve(app, convolve_arguments);
  const CLI::App* check_command = add_check(app, check_arguments);
  const CLI::App* choose_command = add_choose(app, choose_arguments);
  const CLI::App* calibrate_command = add_calibrate(app, calibrate_arguments);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    app.exit(help_or_version);
    return kFine;
  } catch (const CLI::ExtrasError&) {
    throw unexpected_argument(app, argc, argv);
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{}: expected what fullconv --help shows", error.what()));
  }
  if (list_command->parsed()) return list(list_arguments);
  if (convolve_command->parsed()) return convolve(convolve_arguments);
  if (check_command->parsed()) return check(check_arguments);
  if (choose_command->parsed()) return choose(choose_arguments);
  if (calibrate_command->parsed()) return calibrate(calibrate_arguments);
  throw UsageError("no command given: expected list, convolve, check, choose or calibrate");
}

/// Printed text may still be on its way when all else is done.
void flush_standard_output() {
  std::cout.flush();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw UsageError("standard output: cannot be written: " + system_message(errno));
  }
}

/// Whatever a file name holds, an error is one line.
void print_error(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  fmt::print(stderr, "fullconv: {}\n", text);
}

}  // namespace
}  // namespace fullconv::cli

int main(int argc, char** argv) {
  namespace cli = fullconv::cli;
  // A file size limit is then an error of write() like any other.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    const cli::ExitCode code = cli::run(argc, argv);
    cli::flush_standard_output();
    return code;
  } catch (const fullconv::InsufficientMemory& error) {
    cli::print_error(error.what());
  } catch (const std::bad_alloc&) {
    cli::print_error("out of memory: expected a problem that fits into it");
  } catch (const std::exception& error) {
    cli::print_error(error.what());
  }
  return cli::kBadQuestion;
}
