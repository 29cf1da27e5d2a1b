// Times every algorithm on every case, each output verified before it is timed.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "accuracy.h"
#include "blocks.h"
#include "cell.h"
#include "contender.h"
#include "errors.h"
#include "fullconv/fullconv.h"
#include "google_benchmark.h"
#include "harness.h"
#include "selection.h"
#include "support/case.h"

namespace fullconv::bench {
namespace {

using testing::Case;

struct Options : Selection {
  std::vector<std::string> handicaps;
  std::vector<std::string> phases;
  bool peers = false;
  bool instruction_sets = false;
  bool floors = false;
  std::string cache = "hot";
  std::string output = "reused";
  std::string accuracy = "normwise";
  BlockSettings blocks{.cell_time = 0, .half_width = 0.01, .confidence = 0.95};
  bool interleave_cases = false;

  bool in_blocks() const { return blocks.cell_time > 0; }
};

std::vector<Contender> all_contenders() {
  std::vector<Contender> all(ours().begin(), ours().end());
  all.insert(all.end(), variants().begin(), variants().end());
  all.insert(all.end(), peers().begin(), peers().end());
  all.insert(all.end(), floors().begin(), floors().end());
  return all;
}

/// `fft+5`: a second fft that does 5 % more work. Throws where that makes no sense.
Entrant parse_handicap(const std::string& text) {
  const std::size_t plus = text.rfind('+');
  const std::string name = text.substr(0, plus);
  for (const Contender& contender : ours()) {
    if (plus == std::string::npos || contender.algorithm->name != name) continue;
    int percent = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + plus + 1, end, percent);
    if (error == std::errc{} && stop == end && percent >= 0) return {text, contender, percent};
  }
  throw std::invalid_argument(fmt::format(
      "--handicap is '{}': expected one of our algorithms and per cents, such as fft+5", text));
}

/// The contenders to run, in the order of the registry.
std::vector<Entrant> choose_entrants(const Options& options) {
  std::vector<Entrant> entrants;
  for (const Contender& contender : all_contenders()) {
    const std::string name(contender.algorithm->name);
    const bool is_variant = !contender.instruction_set.empty();
    const bool is_outside = contender.kind == Kind::peer || contender.kind == Kind::binding;
    const bool is_ours = contender.kind == Kind::ours;
    const bool in_group =
        (is_ours && (!is_variant || options.instruction_sets)) || (is_outside && options.peers);
    const bool chosen = options.algorithms.empty() ? in_group : selects(options.algorithms, name);
    const bool is_floor = contender.kind == Kind::floor && options.floors;
    if (chosen || is_floor) entrants.push_back({name, contender});
  }
  for (const std::string& text : std::set(options.handicaps.begin(), options.handicaps.end())) {
    entrants.push_back(parse_handicap(text));
  }
  return entrants;
}

std::vector<Phase> choose_phases(const Options& options) {
  const bool prepared = selects(options.phases, "prepared") && !options.phases.empty();
  if (options.in_blocks()) return {prepared ? Phase::prepared : Phase::execute};
  std::vector<Phase> phases;
  if (selects(options.phases, "plan")) phases = {Phase::plan, Phase::cold_plan};
  if (selects(options.phases, "oneshot")) phases.push_back(Phase::oneshot);
  if (selects(options.phases, "execute")) phases.push_back(Phase::execute);
  if (prepared) phases.push_back(Phase::prepared);
  return phases;
}

/// The cells of a case in one scalar: what runs side by side.
template <class T>
std::vector<std::unique_ptr<Cell>> make_cells(const Options& options,
                                              const std::vector<Entrant>& entrants, const Case& c,
                                              SharedState& shared) {
  std::vector<std::unique_ptr<Cell>> cells;
  const std::set<int> threads(options.threads.begin(), options.threads.end());
  PlanOptions accuracy;
  cli::set_accuracy(accuracy, options.accuracy);
  const Mode mode{.cold_cache = options.cache == "cold", .fresh_output = options.output == "fresh"};
  for (const Phase phase : choose_phases(options)) {
    for (const int count : threads) {
      for (const Entrant& entrant : entrants) {
        if (phase == Phase::cold_plan && entrant.contender.algorithm->forget == nullptr) continue;
        cells.push_back(make_cell<T>(shared, {.entrant = &entrant,
                                              .problem = c,
                                              .threads = count,
                                              .phase = phase,
                                              .mode = mode,
                                              .limit = options.cell_limit,
                                              .accuracy = accuracy}));
      }
    }
  }
  return cells;
}

using Field = std::vector<std::unique_ptr<Cell>>;

std::vector<Field> make_fields(const Options& options, const std::vector<Entrant>& entrants,
                               const std::vector<Case>& cases, SharedState& shared) {
  std::vector<Field> fields;
  for (const Case& c : cases) {
    if (selects(options.scalars, "f32")) {
      fields.push_back(make_cells<float>(options, entrants, c, shared));
    }
    if (selects(options.scalars, "f64")) {
      fields.push_back(make_cells<double>(options, entrants, c, shared));
    }
  }
  if (!options.interleave_cases) return fields;
  std::vector<Field> whole(1);
  for (Field& field : fields) std::ranges::move(field, std::back_inserter(whole.front()));
  return whole;
}

/// Drops what --benchmark_filter does not name; Google Benchmark does that itself where it drives.
void filter(std::vector<Field>& fields) {
  std::string pattern = benchmark::GetBenchmarkFilter();
  if (pattern.empty() || pattern == "all") return;
  const bool negative = pattern.front() == '-';
  std::regex expression;
  try {
    expression.assign(pattern.substr(negative ? 1 : 0), std::regex::extended);
  } catch (const std::regex_error&) {
    throw std::invalid_argument(
        fmt::format("--benchmark_filter is '{}': expected a regular expression", pattern));
  }
  for (Field& field : fields) {
    std::erase_if(field, [&](const auto& cell) {
      return std::regex_search(cell->name(), expression) == negative;
    });
  }
  if (std::ranges::all_of(fields, &Field::empty)) {
    throw std::invalid_argument(
        fmt::format("--benchmark_filter is '{}': there is no such benchmark", pattern));
  }
}

using Run = Report::Run;

/// For people: of each contender the median repetition.
std::vector<Run> medians(const std::vector<Run>& repetitions) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<Run>> of_contender;
  for (const Run& run : repetitions) {
    const std::string& name = run.run_name.function_name;
    if (of_contender[name].empty()) order.push_back(name);
    of_contender[name].push_back(run);
  }
  std::vector<Run> shown;
  for (const std::string& name : order) {
    auto& runs = of_contender[name];
    const auto median = runs.begin() + static_cast<std::ptrdiff_t>(runs.size() / 2);
    std::ranges::nth_element(runs, median, {}, &Run::GetAdjustedRealTime);
    shown.push_back(*median);
    if (!was_skipped(*median)) {
      std::string& label = shown.back().report_label;
      label = fmt::format("{} blocks{}{}", runs.size(), label.empty() ? "" : ", ", label);
    }
    shown.back().counters.erase("block");
    shown.back().counters.erase("position");
  }
  return shown;
}

int run_fields_in_blocks(const Options& options, std::vector<Field>& fields) {
  const auto report = make_report();
  benchmark::BenchmarkReporter::Context context;
  context.name_field_width = 0;
  for (const Field& field : fields) {
    for (const auto& cell : field) {
      // What Google Benchmark appends takes another 40 characters.
      context.name_field_width = std::max(context.name_field_width, cell->name().size() + 40);
    }
  }
  report->ReportContext(context);
  for (const Field& field : fields) {
    const std::vector<Run> runs = run_in_blocks(field, options.blocks);
    report->add(runs, report->for_people() ? medians(runs) : runs);
  }
  report->Finalize();
  return finish();
}

/// Google Benchmark drives: one cell after the other, or as its flags say.
int run_fields(std::vector<Field>& fields) {
  for (const Field& field : fields) {
    for (const auto& cell : field) cell->add();
  }
  return run();
}

auto positive(const char* what) {
  return [what](const std::string& text) { return check_positive(text, what); };
}

void add_options(CLI::App& app, Options& options) {
  std::vector<std::string> names;
  for (const Contender& contender : all_contenders()) {
    names.emplace_back(contender.algorithm->name);
  }
  options.add_selection(
      app, names,
      "Only these algorithms, peers or floors; NAME@SET runs with that instruction set");
  app.add_flag("--peers", options.peers,
               "Also other people's libraries, where --algorithm does not say who");
  app.add_flag("--instruction-sets", options.instruction_sets,
               "Also ours by each set of this processor, where a build has code for several");
  app.add_flag("--floors", options.floors, "Also an empty call and a copy of the operands");
  app.add_option("--handicap", options.handicaps,
                 "Also a second plan of NAME that does P % more work; NAME+0 is a twin")
      ->type_name("NAME+P");
  app.add_option(
         "--phase", options.phases,
         "plan: make a plan by measuring and destroy it; oneshot: make one by estimate, "
         "execute and destroy it; execute: a plan made before, by measuring; prepared, only "
         "where it is named: the same with a kernel that was prepared before")
      ->check(CLI::IsMember({"plan", "oneshot", "execute", "prepared"}));
  app.add_option("--cache", options.cache,
                 "cold: operands and output in no cache when a call begins")
      ->check(CLI::IsMember({"hot", "cold"}))
      ->capture_default_str();
  app.add_option("--output", options.output,
                 "fresh: an output that was never touched when a call begins")
      ->check(CLI::IsMember({"reused", "fresh"}))
      ->capture_default_str();

  cli::add_accuracy(&app, options.accuracy);

  auto* cell_time =
      app.add_option("--cell-time", options.blocks.cell_time,
                     "Interleave the contenders of each case and scalar in blocks of random order, "
                     "one JSON row a repetition, for so long at most; phase execute or prepared")
          ->type_name("SECONDS")
          ->check(positive("a number of seconds"));
  app.add_flag("--interleave-cases", options.interleave_cases,
               "All cases and scalars in the same blocks, to compare an algorithm's times on them")
      ->needs(cell_time);
  app.add_option("--half-width", options.blocks.half_width,
                 "Less long where every ratio to the fastest is known to within this, for each "
                 "10 % that it is from 1")
      ->needs(cell_time)
      ->check(positive("a number"))
      ->capture_default_str();
  app.add_option("--confidence", options.blocks.confidence, "Of that")
      ->needs(cell_time)
      ->check(positive("a number"))  // a range takes NaN
      ->check(CLI::Range(0.5, 1 - 1e-12))
      ->capture_default_str();
  app.add_option("--repetition", options.blocks.repetition, "Of one repetition, at least one call")
      ->needs(cell_time)
      ->type_name("SECONDS")
      ->check(positive("a number of seconds"))
      ->capture_default_str();
  app.add_option("--seed", options.blocks.seed, "Of orders and layouts")
      ->needs(cell_time)
      ->capture_default_str();
}

/// Throws where options do not go together. `flags` are all arguments, also Google Benchmark's.
void check(const Options& options, const std::vector<std::string>& flags) {
  if (!options.in_blocks()) return;
  for (const std::string& phase : options.phases) {
    const bool alone = options.phases.size() == 1 && phase == "prepared";
    if (phase == "execute" || alone) continue;
    throw std::invalid_argument(fmt::format(
        "--phase {} does not go with --cell-time: expected execute, or prepared alone", phase));
  }
  for (const std::string& flag : flags) {
    if (flag.starts_with("--benchmark_list_tests")) {
      throw std::invalid_argument(
          fmt::format("{} does not go with --cell-time: expected one or the other", flag));
    }
  }
}

int time_algorithms(int argc, char** argv) {
  const std::vector<std::string> flags(argv, argv + argc);
  Options options;
  CLI::App app("Times full convolutions, each output verified before it is timed.",
               "fullconv_bench");
  add_options(app, options);
  if (const auto exit_code = parse(app, argc, argv)) return *exit_code;

  SharedState shared(options.blocks.seed);
  std::vector<Entrant> entrants;
  std::vector<Field> fields;
  try {
    check(options, flags);
    entrants = choose_entrants(options);
    fields = make_fields(options, entrants, options.cases(), shared);
    if (options.in_blocks()) filter(fields);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return kBadQuestion;
  }
  std::vector<std::string_view> names;
  for (const Algorithm* algorithm : algorithms()) names.push_back(algorithm->name);
  add_context();
  benchmark::AddCustomContext("algorithms", fmt::format("{}", fmt::join(names, " ")));
  benchmark::AddCustomContext("instruction_set", instruction_set());
  if (options.accuracy != "normwise") benchmark::AddCustomContext("accuracy", options.accuracy);
  end_orderly_when_interrupted();
  int exit_code = 0;
  try {
    exit_code = options.in_blocks() ? run_fields_in_blocks(options, fields) : run_fields(fields);
  } catch (const cli::UsageError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return kBadQuestion;
  }
  if (interruption() != 0) return 128 + interruption();
  const bool all_well = std::ranges::all_of(fields, [](const Field& field) {
    return std::ranges::all_of(field, [](const auto& cell) { return cell->well(); });
  });
  return all_well ? exit_code : kNo;
}

}  // namespace
}  // namespace fullconv::bench

int main(int argc, char** argv) { return fullconv::bench::time_algorithms(argc, argv); }
