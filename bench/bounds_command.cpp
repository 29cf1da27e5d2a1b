// fullconv bounds: what the error of each output of a convolution is bounded by.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <vector>

#include "commands.h"
#include "errors.h"
#include "layer_flags.h"
#include "memory.h"
#include "operand_files.h"
#include "options.h"
#include "output_file.h"
#include "registry.h"
#include "support/accuracy.h"

namespace fullconv::cli {
namespace {

struct BoundsArguments {
  std::string image, kernel, output, algorithm;
  LayerFlags layer;
  bool channels_last = false;
};

/// The definition has an error of its own, in double or wider, which is part of the bounds.
template <class T>
void write_bounds(OperandFiles& files, const Algorithm& algorithm, const std::string& output) {
  const Problem& problem = files.problem();
  const double bytes = tensor_bytes<T>(problem.x_extents()) + tensor_bytes<T>(problem.k_extents()) +
                       5 * tensor_bytes<double>(problem.y_extents());
  require_memory(bytes, to_string(problem));
  const testing::Operands<T> operands = files.read<T>();
  const testing::Oracle<T> oracle(problem, operands.x_view(), operands.k_view());
  if (oracle.sampled()) {
    throw UsageError(fmt::format("{}: expected at most {} multiply-adds", to_string(problem),
                                 testing::kWholeOracleLimit));
  }
  std::vector<double> bounds;
  oracle.for_each([&](const testing::Reference<T>& reference) {
    bounds.push_back(
        static_cast<double>(testing::error_bound(algorithm.error_model, oracle, reference)));
  });
  bounds = files.in_order_of_file(std::move(bounds));
  OutputFile file(output);
  const std::string header = npy_header(Scalar::f64, files.output_shape());
  file.write(std::as_bytes(std::span(header)));
  file.write(std::as_bytes(std::span(bounds)));
  file.commit();
}

ExitCode bounds(const BoundsArguments& arguments) {
  const Algorithm& algorithm = known_algorithm(arguments.algorithm);
  OperandFiles files(arguments.image, arguments.kernel, arguments.layer, arguments.channels_last);
  with_scalar(files.scalar(),
              [&]<class T>(T) { write_bounds<T>(files, algorithm, arguments.output); });
  return kFine;
}

}  // namespace

Command add_bounds(CLI::App& app) {
  const auto arguments = std::make_shared<BoundsArguments>();
  CLI::App* command = app.add_subcommand(
      "bounds", "What the error of each output of a convolution is bounded by, as float64");
  add_files(command, arguments->image, arguments->kernel, arguments->output);
  command->add_option("--algorithm", arguments->algorithm, "One of `fullconv list`")
      ->type_name("NAME")
      ->required();
  add_channels_last(command, arguments->channels_last);
  arguments->layer.add_to(*command);
  return {command, [=] { return bounds(*arguments); }};
}

}  // namespace fullconv::cli
