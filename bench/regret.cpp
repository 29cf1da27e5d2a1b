// How well `auto` chooses: on random problems that nothing was tuned on, every algorithm that it
// considers is planned and timed, in rounds of random order. The best one is found on half of the
// rounds and timed by the other half, and so is what `auto` chose: `regret` is by the time of its
// own plan, `choice_regret` by that of the algorithm's. Standard output gets JSON lines: a header,
// then a problem a line. scripts/fullconv_scripts/regret.py reads them.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <vector>

#include "fullconv/fullconv.h"
#include "harness.h"
#include "support/operands.h"

namespace fullconv::bench {
namespace {

struct Settings {
  int problems = 300;
  bool layers = false;
  std::vector<std::string> cases;
  unsigned seed = 1;
  std::string scalar = "f32";
  int threads = 1;
  bool measure = false;
  bool terms = false;
  double longest = 0.1;
  double seconds = 0.3;
};

/// Log-uniform. Planes: sides of the image from 8 to 4096, and of the kernel from 1 to the image's.
/// Layers: channels to 512, kernels to 15, batches to 32, images to 200, half of them with the
/// padding that keeps their size, a fourth of stride 2.
class RandomProblems {
 public:
  explicit RandomProblems(unsigned seed) : engine_(seed) {}

  Problem next() {
    Problem problem;
    problem.H = draw(8, 4096);
    problem.W = draw(8, 4096);
    problem.h = draw(1, problem.H);
    problem.w = draw(1, problem.W);
    return problem;
  }

  Problem next_layer() {
    Problem layer;
    layer.N = draw(1, 32);
    layer.K = draw(1, 512);
    layer.C = draw(1, 512);
    layer.H = draw(1, 200);
    layer.W = engine_() % 2 == 0 ? layer.H : draw(1, 200);
    layer.h = layer.w = draw(1, 15);
    const auto kind = engine_() % 4;
    if (kind % 2 == 1) {
      const index_t around = (layer.h - 1) / 2;
      layer.padding = {around, around, around, around};
    }
    if (kind == 3) layer.stride = {2, 2};
    return layer;
  }

 private:
  index_t draw(index_t least, index_t most) {
    // Not std::uniform_real_distribution: its values differ between standard libraries.
    const double u = std::ldexp(static_cast<double>(engine_() >> 11), -53);
    return static_cast<index_t>(static_cast<double>(least) *
                                std::pow(static_cast<double>(most + 1) / least, u));
  }

  std::mt19937_64 engine_;
};

template <class T>
struct Entrant {
  std::string name;
  Forecast forecast;
  std::unique_ptr<Plan<T>> plan;
  std::vector<double> times{};  // of one execution, a round each, in seconds
};

/// The value below which the fraction q of them lies.
double quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// The times of every other round.
std::vector<double> half(const std::vector<double>& times, std::size_t first) {
  std::vector<double> some;
  for (std::size_t i = first; i < times.size(); i += 2) some.push_back(times[i]);
  return some;
}

template <class T>
std::unique_ptr<Plan<T>> plan(const Algorithm& algorithm, const Problem& problem,
                              PlanOptions options) {
  if (!algorithm.threaded) options.threads = 1;
  auto planned = algorithm.plan<T>(problem, options);
  auto* made = std::get_if<0>(&planned);
  return made == nullptr ? nullptr : std::move(*made);
}

template <class T>
nlohmann::ordered_json measure(const Problem& problem, const Settings& settings) {
  const PlanOptions options{.threads = settings.threads,
                            .effort = settings.measure ? Effort::measure : Effort::estimate};
  std::vector<Entrant<T>> entrants;
  const auto ranked = candidates<T>(problem, options);
  // Ten times slower than the fastest is not the best, whatever a forecast is worth.
  for (const Candidate& candidate : ranked) {
    if (!candidate.excluded.empty()) continue;
    if (candidate.forecast.seconds() > 10 * ranked.front().forecast.seconds()) continue;
    entrants.push_back({std::string(candidate.algorithm->name), candidate.forecast,
                        plan<T>(*candidate.algorithm, problem, options)});
  }
  entrants.push_back(
      {"auto", ranked.front().forecast, plan<T>(*find_algorithm("auto"), problem, options)});

  const auto operands = testing::make_operands<T>({problem});
  std::vector<T> y(static_cast<std::size_t>(element_count(problem.y_extents())));
  const auto time = [&](Plan<T>& some, int repetitions) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < repetitions; ++i) {
      some.execute(operands.x_view(), operands.k_view(), {y.data(), problem.y_extents()});
    }
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    return spent.count() / repetitions;
  };

  std::vector<int> repetitions;
  double round_seconds = 0;
  for (Entrant<T>& entrant : entrants) {
    time(*entrant.plan, 1);
    const double once = time(*entrant.plan, 1);
    repetitions.push_back(std::max(1, static_cast<int>(1e-4 / once)));
    round_seconds += once * repetitions.back();
  }
  const int rounds = std::clamp(static_cast<int>(settings.seconds / round_seconds), 8, 100);
  std::mt19937 shuffler(1);
  std::vector<std::size_t> order(entrants.size());
  for (std::size_t e = 0; e < order.size(); ++e) order[e] = e;
  for (int round = 0; round < rounds; ++round) {
    std::ranges::shuffle(order, shuffler);
    for (const std::size_t e : order) {
      entrants[e].times.push_back(time(*entrants[e].plan, repetitions[e]));
    }
  }

  const auto by_half = [](std::size_t first) {
    return [first](const Entrant<T>& e) { return median(half(e.times, first)); };
  };
  // `auto` is the last: its own time against that of the best other.
  const auto best =
      std::min_element(entrants.begin(), entrants.end() - 1,
                       [&](const auto& a, const auto& b) { return by_half(0)(a) < by_half(0)(b); });
  // Two plans of one algorithm may differ by some percent, which is not a matter of choice.
  const Algorithm* choice = chosen<T>(problem, options);
  if (choice == nullptr) throw std::runtime_error("auto declines " + to_string(problem));
  const auto same = std::ranges::find(entrants, choice->name, &Entrant<T>::name);
  if (same == entrants.end()) {
    throw std::runtime_error(fmt::format("auto chooses {} for {}, which was left out", choice->name,
                                         to_string(problem)));
  }
  const auto against_best = [&](const Entrant<T>& entrant) {
    return by_half(1)(entrant) / by_half(1)(*best) - 1;
  };
  nlohmann::ordered_json record{{"problem", to_string(problem)},
                                {"best", best->name},
                                {"forecast", entrants.front().name},
                                {"chosen", choice->name},
                                {"regret", against_best(entrants.back())},
                                {"choice_regret", against_best(*same)},
                                {"candidates", nlohmann::ordered_json::array()}};
  for (const Entrant<T>& entrant : entrants) {
    record["candidates"].push_back({entrant.name, entrant.forecast.seconds(),
                                    quantile(entrant.times, 0.25), quantile(entrant.times, 0.5),
                                    quantile(entrant.times, 0.75), entrant.times.size()});
    if (!settings.terms || &entrant == &entrants.back()) continue;
    for (const Forecast::Term& term : entrant.forecast.terms) {
      record["terms"][entrant.name][std::string(term.name)] = term.seconds;
    }
  }
  return record;
}

int report_regrets(const Settings& settings) {
  RandomProblems problems(settings.seed);
  const auto wanted =
      settings.cases.empty() ? settings.problems : static_cast<int>(settings.cases.size());
  const auto next = [&](std::size_t at) {
    if (!settings.cases.empty()) return parse_problem(settings.cases[at]);
    return settings.layers ? problems.next_layer() : problems.next();
  };
  std::vector<nlohmann::ordered_json> records;
  std::vector<double> regrets, choice_regrets;
  int too_long = 0;
  while (static_cast<int>(regrets.size()) < wanted) {
    const Problem problem = next(regrets.size());
    const PlanOptions options{.threads = settings.threads};
    const bool single = settings.scalar == "f32";
    const auto ranked =
        single ? candidates<float>(problem, options) : candidates<double>(problem, options);
    if (settings.cases.empty() && ranked.front().forecast.seconds() > settings.longest) {
      ++too_long;
      continue;
    }
    auto record = single ? measure<float>(problem, settings) : measure<double>(problem, settings);
    regrets.push_back(record["regret"]);
    choice_regrets.push_back(record["choice_regret"]);
    fmt::print(stderr, "{:4} {:28} {:+.3f} {:+.3f}  chosen {} best {}\n", regrets.size(),
               record["problem"].template get<std::string>(), regrets.back(), choice_regrets.back(),
               record["chosen"].template get<std::string>(),
               record["best"].template get<std::string>());
    records.push_back(std::move(record));
  }
  const auto quantiles = [](const std::vector<double>& values) {
    return nlohmann::ordered_json{{"median", quantile(values, 0.5)},
                                  {"p95", quantile(values, 0.95)},
                                  {"max", quantile(values, 1)}};
  };
  const auto of_auto = quantiles(regrets);
  const auto of_choice = quantiles(choice_regrets);
  fmt::print(stderr,
             "regret {}, of the choice alone {}; {} problems left out, forecast to take more than "
             "{} s\n",
             of_auto.dump(), of_choice.dump(), too_long, settings.longest);
  nlohmann::ordered_json environment;
  for (const auto& [name, value] : build_and_machine()) environment[name] = value;
  const nlohmann::ordered_json header{
      {"format", "fullconv regret"},
      {"version", 1},
      {"environment", environment},
      {"seed", settings.seed},
      {"layers", settings.layers},
      {"scalar", settings.scalar},
      {"threads", settings.threads},
      {"effort", settings.measure ? "measure" : "estimate"},
      {"left_out_as_too_long", too_long},
      {"candidate", {"name", "forecast", "lower_quartile", "median", "upper_quartile", "count"}}};
  fmt::print("{}\n", header.dump());
  for (const auto& record : records) fmt::print("{}\n", record.dump());
  return 0;
}

}  // namespace
}  // namespace fullconv::bench

int main(int argc, char** argv) {
  fullconv::bench::Settings settings;
  CLI::App app("How much time `auto` loses by what it chooses, on random problems",
               "fullconv_regret");
  app.add_option("--problems", settings.problems)->check(CLI::Range(1, 1000000));
  app.add_flag("--layers", settings.layers, "Layers instead of planes");
  app.add_option("--case", settings.cases, "This problem instead; may be repeated");
  app.add_option("--seed", settings.seed);
  app.add_option("--scalar", settings.scalar)->check(CLI::IsMember({"f32", "f64"}));
  app.add_option("--threads", settings.threads)->check(CLI::Range(1, 1024));
  app.add_flag("--measure", settings.measure, "Let it time the alternatives");
  app.add_flag("--terms", settings.terms, "Also what forecasts are made of, for scripts/costs");
  app.add_option("--longest", settings.longest, "Leave out what is forecast to take more seconds");
  app.add_option("--seconds", settings.seconds, "For each problem");
  CLI11_PARSE(app, argc, argv);
  try {
    return fullconv::bench::report_regrets(settings);
  } catch (const std::exception& error) {
    fmt::print(stderr, "fullconv_regret: {}\n", error.what());
    return fullconv::bench::kBadQuestion;
  }
}
