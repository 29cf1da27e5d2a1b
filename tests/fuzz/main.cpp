// Tries random problems with every algorithm.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"

namespace fullconv::testing {
namespace {

/// What is being tried, for a signal handler to say.
std::array<char, 1024> running;

void announce(const std::string& arguments) {
  constexpr unsigned kMostSeconds = 100;
  std::strncpy(running.data(), arguments.c_str(), running.size() - 2);
  alarm(kMostSeconds);
}

/// Of a crash, or an attempt that does not end.
extern "C" void say_what_ran(int signal) {
  running[std::strlen(running.data())] = '\n';
  constexpr const char* kWhere = "ended by a signal within fullconv_fuzz ";
  for (const char* text : {kWhere, static_cast<const char*>(running.data())}) {
    if (write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Today's, as 20261128: another one each day, and the same for all who run it then.
std::uint64_t seed_of_today() {
  using namespace std::chrono;
  const year_month_day today(floor<days>(system_clock::now()));
  return static_cast<std::uint64_t>(int{today.year()}) * 10000 + unsigned{today.month()} * 100 +
         unsigned{today.day()};
}

struct Arguments {
  double seconds = 60;
  std::int64_t problems = std::numeric_limits<std::int64_t>::max();
  std::uint64_t seed = seed_of_today();
  std::vector<std::string> algorithms;
  // Of a single attempt.
  std::string c, scalar = "f32", x_layout = "dense", k_layout = "dense", y_layout = "dense";
  int threads = 1;
  std::optional<std::size_t> workspace_limit;
  std::uint64_t operands = 1;
};

std::vector<const Algorithm*> selected(const std::vector<std::string>& names) {
  const auto all = algorithms();
  if (names.empty()) return {all.begin(), all.end()};
  std::vector<const Algorithm*> some;
  for (const std::string& name : names) {
    const Algorithm* algorithm = find_algorithm(name);
    if (algorithm == nullptr) throw std::invalid_argument("unknown algorithm '" + name + "'");
    some.push_back(algorithm);
  }
  return some;
}

/// Tries what the arguments name. Returns whether all answers were right.
bool try_one(const Arguments& arguments, std::span<const Algorithm* const> some) {
  Attempt attempt;
  attempt.c = parse_case(arguments.c);
  attempt.scalar = arguments.scalar == "f32" ? Scalar::f32 : Scalar::f64;
  attempt.options.threads = arguments.threads;
  attempt.options.workspace_limit = arguments.workspace_limit;
  attempt.placement = {parse_layout(arguments.x_layout), parse_layout(arguments.k_layout),
                       parse_layout(arguments.y_layout)};
  attempt.operands = arguments.operands;
  PreparedAttempt prepared(attempt);
  bool right = true;
  for (const Algorithm* algorithm : some) {
    announce(to_arguments(attempt, *algorithm));
    const ConformanceResult found = prepared.check_conformance(*algorithm);
    std::cout << algorithm->name << ": ";
    if (!found.declined.empty()) std::cout << "declined: " << found.declined << '\n';
    if (found.declined.empty() && found.violations.empty()) std::cout << "right\n";
    for (const std::string& violation : found.violations) std::cout << violation << '\n';
    right = right && found.violations.empty();
  }
  return right;
}

bool try_many(const Arguments& arguments, std::span<const Algorithm* const> some) {
  std::cout << "seed " << arguments.seed << std::endl;
  const Tally tally = fuzz(some, arguments.seed, {arguments.seconds, arguments.problems}, announce);
  std::int64_t answers = 0;
  for (const auto& [name, of_algorithm] : tally.algorithms) {
    std::cout << name << ": " << of_algorithm.checked << " checked, " << of_algorithm.declined
              << " declined\n";
    answers += of_algorithm.checked;
  }
  for (const auto& [algorithm, attempt, violation] : tally.wrong) {
    std::cout << "WRONG: fullconv_fuzz " << to_arguments(attempt, *algorithm) << "\n  " << violation
              << '\n';
  }
  std::cout << tally.problems << " problems, " << answers << " answers, " << tally.wrong.size()
            << " algorithms wrong\n";
  return tally.wrong.empty();
}

void add_options(CLI::App& app, Arguments& arguments) {
  app.add_option("--seconds", arguments.seconds, "Go on for so long")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--problems", arguments.problems, "Try no more than so many")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", arguments.seed, "Of what is drawn; today's date unless given");
  app.add_option("--algorithm", arguments.algorithms, "Only this one; may be repeated");
  app.add_option("--case", arguments.c, "Try this one instead, as follows");
  app.add_option("--scalar", arguments.scalar)
      ->check(CLI::IsMember({"f32", "f64"}))
      ->capture_default_str();
  app.add_option("--threads", arguments.threads)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--workspace-limit", arguments.workspace_limit, "In bytes");
  for (auto& [flag, layout] :
       {std::pair{"--x-layout", &arguments.x_layout}, std::pair{"--k-layout", &arguments.k_layout},
        std::pair{"--y-layout", &arguments.y_layout}}) {
    app.add_option(flag, *layout, "Axes from the outermost on, steps, gaps, offset")
        ->capture_default_str();
  }
  app.add_option("--operands", arguments.operands, "Their seed")->capture_default_str();
}

}  // namespace
}  // namespace fullconv::testing

int main(int argc, char** argv) {
  using namespace fullconv::testing;
  constexpr int kWrong = 1, kBadQuestion = 2;
  CLI::App app("Tries random problems with every algorithm", "fullconv_fuzz");
  Arguments arguments;
  add_options(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::cerr << "fullconv_fuzz: " << error.what() << '\n';
    return kBadQuestion;
  }
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM}) {
    std::signal(signal, say_what_ran);
  }
  try {
    const auto some = selected(arguments.algorithms);
    const bool right = arguments.c.empty() ? try_many(arguments, some) : try_one(arguments, some);
    return right ? 0 : kWrong;
  } catch (const std::exception& error) {
    std::cerr << "fullconv_fuzz: " << error.what() << '\n';
    return kBadQuestion;
  }
}
