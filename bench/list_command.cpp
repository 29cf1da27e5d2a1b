// fullconv list: which algorithms there are.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "contender.h"
#include "table.h"

namespace fullconv::cli {
namespace {

std::vector<std::string> scalars(const Algorithm& algorithm) {
  std::vector<std::string> names;
  if (algorithm.plan_f32 != nullptr) names.emplace_back("f32");
  if (algorithm.plan_f64 != nullptr) names.emplace_back("f64");
  return names;
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
    case bench::Kind::binding:  // a peer of which another field says more
      return "peer";
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
                    {"error_model", algorithm.error_model.name},
                    {"non_finite", name(algorithm.non_finite)},
                    {"threaded", algorithm.threaded},
                    {"same_bits", algorithm.same_bits},
                    {"layers", name(algorithm.layers)},
                    {"prepares", algorithm.prepares},
                    {"binding", contender.kind == bench::Kind::binding},
                    {"delegates", name(algorithm.delegates)},
                    {"version", version(contender)},
                    {"ledger", as_json(contender.ledger)}});
  }
  fmt::print("{}\n", list.dump(2));
}

void list_as_table(const ListArguments& arguments) {
  std::vector<Row> rows{
      {"name", "scalars", "threads", "same bits", "error model", "NaN and Inf", "summary"}};
  if (arguments.peers) rows.front().emplace_back("version");
  for (const bench::Contender& contender : listed(arguments)) {
    const Algorithm& algorithm = *contender.algorithm;
    rows.push_back({std::string(algorithm.name),
                    fmt::format("{}", fmt::join(scalars(algorithm), " ")),
                    algorithm.threaded ? "many" : "one", algorithm.same_bits ? "yes" : "no",
                    std::string(algorithm.error_model.name), name(algorithm.non_finite),
                    std::string(algorithm.summary)});
    if (arguments.peers) rows.back().push_back(version(contender));
  }
  fmt::print("{}", format_table(rows));
}

ExitCode list(const ListArguments& arguments) {
  arguments.json ? list_as_json(arguments) : list_as_table(arguments);
  return kFine;
}

}  // namespace

Command add_list(CLI::App& app) {
  const auto arguments = std::make_shared<ListArguments>();
  CLI::App* command = app.add_subcommand("list", "Show the algorithms");
  command->add_flag("--json", arguments->json, "As an array of objects");
  command->add_flag("--peers", arguments->peers, "Other people's libraries, too");
  command->add_flag("--instruction-sets", arguments->instruction_sets,
                    "Those with code for several, once for each that this processor has, too");
  command->add_flag("--floors", arguments->floors, "What no convolution can undercut, too");
  return {command, [arguments] { return list(*arguments); }};
}

}  // namespace fullconv::cli
