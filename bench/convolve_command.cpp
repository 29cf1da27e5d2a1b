// fullconv convolve: one convolution of two files.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <limits>
#include <memory>

#include "commands.h"
#include "fullconv/memory.h"
#include "layer_flags.h"
#include "memory.h"
#include "npy.h"
#include "operand_files.h"
#include "options.h"
#include "output_file.h"
#include "registry.h"
#include "strips.h"

namespace fullconv::cli {
namespace {

struct ConvolveArguments {
  std::string image, kernel, output;
  LayerFlags layer;
  std::string algorithm{default_algorithm().name};
  std::string threads = "1";
  std::string accuracy = "normwise";
  bool reproducible = false;
  std::string memory;
  bool channels_last = false;
  bool verbose = false;
  bool report = false;
};

ExitCode print_declined(const std::string& reason) {
  fmt::print(stderr, "declined: {}\n", reason);
  return kNo;
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Which algorithm ran, for which scalars, and with how many threads.
template <class T>
std::string describe(const Algorithm& algorithm, const Plan<T>& plan) {
  std::string name{algorithm.name};
  if (const std::string ran = plan.algorithm(); ran != name) name += " ran " + ran;
  return fmt::format("{}, {}, {} thread{}", name, sizeof(T) == sizeof(float) ? "f32" : "f64",
                     plan.threads(), plan.threads() == 1 ? "" : "s");
}

template <class T>
double workspace_in_mib(const Plan<T>& plan) {
  return static_cast<double>(plan.workspace_bytes()) / 0x1p20;
}

/// What may be wrong with y, to standard error: standard output may be y.
template <class T>
void print_bound(const ErrorModel& model, const testing::Operands<T>& operands,
                 const std::vector<T>& y) {
  const ResultBound bound =
      bound_of<T>(model, operands.problem, operands.x_view(), operands.k_view(),
                  {y.data(), operands.problem.y_extents()});
  fmt::print(stderr,
             "bound: no error above {:.3g}, which is {:.2g} of the norms of x, k and y ({}); {} of "
             "{} values are no larger\n",
             bound.largest, bound.relative, model.name, bound.below, y.size());
}

/// Throws UsageError where `bytes` are more than --memory says.
void require_at_most(double memory, double bytes, const Problem& problem) {
  if (bytes <= memory) return;
  throw UsageError(fmt::format("{} takes {} of memory: expected at most the {} of --memory",
                               to_string(problem), bytes_as_text(bytes), bytes_as_text(memory)));
}

/// Where little memory makes the work much longer, says so before it begins, on standard error.
template <class T>
void warn_of_long_work(const StripConvolution<T>& strips, double memory) {
  // Transforms of small strips of a large kernel give way to sums: 3000x3000_k2900x2900 takes 60
  // times as long with 66 MiB.
  constexpr double kManyTimes = 10, kWorthSaying = 5;
  const double seconds = strips.expected_seconds();
  const double of_whole = strips.expected_seconds_as_a_whole();
  if (seconds < kManyTimes * of_whole || seconds < kWorthSaying) return;
  fmt::print(stderr,
             "convolve: with {} of memory {} strips of {} row{}, about {:.0f} s; with enough for "
             "all about {:.2g} s\n",
             bytes_as_text(memory), strips.count(), strips.rows(), strips.rows() == 1 ? "" : "s",
             seconds, of_whole);
}

/// An image that is too large for `memory` bytes, or not to be read as a whole.
template <class T>
ExitCode convolve_in_strips(OperandFiles& files, const Algorithm& algorithm,
                            const PlanOptions& options, double memory,
                            const ConvolveArguments& arguments) {
  const auto begin = Clock::now();
  StripConvolution<T> strips(files.problem(), algorithm, options, memory);
  if (!strips.declined().empty()) return print_declined(strips.declined());
  warn_of_long_work(strips, memory);
  const std::vector<T> kernel = files.read_kernel<T>();
  OutputFile file(arguments.output);
  const std::string header = npy_header(files.scalar(), files.output_shape());
  file.write(std::as_bytes(std::span(header)));
  strips.run(files.image(), kernel, file);
  file.commit();
  if (arguments.verbose) {
    fmt::print(stderr,
               "{}: {}, strips of {} rows, {:.4g} ms with reading and writing, "
               "workspace {:.4g} MiB\n",
               to_string(files.problem()), describe(algorithm, strips.plan()), strips.rows(),
               seconds_since(begin) * 1e3, workspace_in_mib(strips.plan()));
  }
  return kFine;
}

template <class T>
ExitCode convolve(OperandFiles& files, const Algorithm& algorithm, PlanOptions options,
                  const ConvolveArguments& arguments) {
  const std::string& memory_flag = arguments.memory;
  const Problem& problem = files.problem();
  const Extents y_extents = problem.y_extents();
  const double bytes = tensor_bytes<T>(problem.x_extents()) + tensor_bytes<T>(problem.k_extents()) +
                       tensor_bytes<T>(y_extents);
  const double memory = memory_flag.empty() ? static_cast<double>(available_memory()) / 2
                                            : parse_bytes("--memory", memory_flag);
  // Half of it is for the workspace.
  if (files.in_order_of_memory() && is_divisible(problem) &&
      bytes > memory / (memory_flag.empty() ? 1 : 2)) {
    if (arguments.report) {
      throw UsageError(
          fmt::format("--report given, and {} is convolved strip by strip: expected "
                      "what fits into memory",
                      to_string(problem)));
    }
    return convolve_in_strips<T>(files, algorithm, options, memory, arguments);
  }
  // Elements that are to be moved are there twice.
  const double needed = files.in_order_of_memory() ? bytes : 2 * bytes;
  if (!memory_flag.empty()) {
    require_at_most(memory, needed, problem);
    options.workspace_limit = static_cast<std::size_t>(memory - needed);
    // Found out before it is asked for, where a forecast tells.
    if (algorithm.forecast != nullptr) {
      const Forecast forecast = forecast_of<T>(algorithm, problem, options);
      require_at_most(memory, needed + static_cast<double>(forecast.workspace_bytes), problem);
    }
  }
  require_memory(needed, to_string(problem));
  const testing::Operands<T> operands = files.read<T>();
  std::vector<T> y(static_cast<std::size_t>(element_count(y_extents)),
                   std::numeric_limits<T>::quiet_NaN());

  const auto before_plan = Clock::now();
  Planned<T> planned = make_plan<T>(algorithm, problem, options);
  const double plan_seconds = seconds_since(before_plan);
  if (const auto* declined = std::get_if<Declined>(&planned)) {
    return print_declined(declined->reason);
  }
  // Opened before the work, so that a path that cannot be written is not found out after it.
  OutputFile file(arguments.output);
  Plan<T>& plan = *std::get<0>(planned);
  if (!memory_flag.empty()) {
    require_at_most(memory, needed + static_cast<double>(plan.workspace_bytes()), problem);
  }
  const auto before_execution = Clock::now();
  plan.execute(operands.x_view(), operands.k_view(), {y.data(), y_extents});
  if (arguments.verbose) {
    // To standard error: standard output may be y.
    const double seconds = seconds_since(before_execution);
    fmt::print(stderr, "{}: {}, plan {:.4g} ms, execute {:.4g} ms, workspace {:.4g} MiB\n",
               to_string(problem), describe(algorithm, plan), plan_seconds * 1e3, seconds * 1e3,
               workspace_in_mib(plan));
  }
  if (arguments.report) print_bound<T>(model_of(algorithm, plan), operands, y);
  y = files.in_order_of_file(std::move(y));
  const std::string header = npy_header(files.scalar(), files.output_shape());
  file.write(std::as_bytes(std::span(header)));
  file.write(std::as_bytes(std::span(y)));
  file.commit();
  return kFine;
}

ExitCode convolve(const ConvolveArguments& arguments) {
  PlanOptions options = plan_options(arguments.threads, arguments.accuracy);
  options.reproducible = arguments.reproducible;
  const Algorithm& algorithm = known_algorithm(arguments.algorithm);
  OperandFiles files(arguments.image, arguments.kernel, arguments.layer, arguments.channels_last);
  // Whole numbers come out where each sum is exact.
  if (files.hold_integers()) options.accuracy = ErrorModel::componentwise;
  return with_scalar(files.scalar(),
                     [&]<class T>(T) { return convolve<T>(files, algorithm, options, arguments); });
}

}  // namespace

Command add_convolve(CLI::App& app) {
  const auto arguments = std::make_shared<ConvolveArguments>();
  CLI::App* command = app.add_subcommand("convolve", "Convolve an image and a kernel");
  add_files(command, arguments->image, arguments->kernel, arguments->output);
  command->add_option("--algorithm", arguments->algorithm, "One of `fullconv list`")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_flag("--verbose", arguments->verbose,
                    "Say which algorithm ran and what it cost, on standard error");
  command->add_flag("--report", arguments->report,
                    "Say what the errors of this result are bounded by, on standard error");
  add_channels_last(command, arguments->channels_last);
  arguments->layer.add_to(*command);
  command
      ->add_option("--memory", arguments->memory,
                   "Take at most so much, as 1GiB: larger planes are convolved strip by strip "
                   "(half of what is available)")
      ->type_name("SIZE");
  add_accuracy(command, arguments->accuracy);
  add_reproducible(command, arguments->reproducible);
  add_threads(command, arguments->threads);
  return {command, [arguments] { return convolve(*arguments); }};
}

}  // namespace fullconv::cli
