#include "fuzz/fuzz.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <stdexcept>

#include "fuzz/draw.h"

namespace fullconv::testing {
namespace {

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Attempts that are less than this one in one way each.
std::vector<Attempt> lesser(const Attempt& attempt) {
  std::vector<Attempt> all;
  const auto add = [&](const auto& change) {
    Attempt changed = attempt;
    change(changed);
    if (!(changed == attempt)) all.push_back(changed);
  };
  add([](Attempt& a) { a.placement = {}; });
  add([](Attempt& a) { a.placement.x = {}; });
  add([](Attempt& a) { a.placement.k = {}; });
  add([](Attempt& a) { a.placement.y = {}; });
  add([](Attempt& a) { a.options.threads = 1; });
  add([](Attempt& a) { a.options.threads = std::min(a.options.threads, 2); });
  add([](Attempt& a) { a.options.workspace_limit.reset(); });
  add([](Attempt& a) { a.c.family = Family::random; });
  add([](Attempt& a) { a.operands = 1; });
  add([](Attempt& a) { a.scalar = Scalar::f32; });
  for (index_t Problem::*size : {&Problem::N, &Problem::K, &Problem::C, &Problem::H, &Problem::W,
                                 &Problem::h, &Problem::w}) {
    add([&](Attempt& a) { a.c.problem.*size = 1; });
    add([&](Attempt& a) { a.c.problem.*size = (a.c.problem.*size + 1) / 2; });
    // Evens from evens, too.
    for (const index_t less : {1, 2}) {
      add([&](Attempt& a) { a.c.problem.*size = std::max<index_t>(1, a.c.problem.*size - less); });
    }
  }
  return all;
}

/// What is wrong with an attempt, if anything.
std::optional<std::string> violation(const Algorithm& algorithm, const Attempt& attempt,
                                     const Announce& announce) {
  try {
    validate(attempt.c.problem);
  } catch (const std::invalid_argument&) {
    return {};
  }
  announce(to_arguments(attempt, algorithm));
  const Verdict verdict = PreparedAttempt(attempt).judge(algorithm);
  if (verdict.violations.empty()) return {};
  return verdict.violations.front();
}

}  // namespace

WrongAnswer shrink(const Algorithm& algorithm, const Attempt& attempt, const Announce& announce) {
  constexpr double kSeconds = 60;
  const Stopwatch watch;
  WrongAnswer smallest{&algorithm, attempt,
                       violation(algorithm, attempt, announce).value_or("once, and not again")};
  for (bool smaller = true; smaller && watch.seconds() < kSeconds;) {
    smaller = false;
    for (const Attempt& candidate : lesser(smallest.attempt)) {
      const auto what = violation(algorithm, candidate, announce);
      if (!what) continue;
      smallest = {&algorithm, candidate, *what};
      smaller = true;
      break;
    }
  }
  return smallest;
}

Tally fuzz(std::span<const Algorithm* const> algorithms, std::uint64_t seed, const Limits& limits,
           const Announce& announce) {
  const Stopwatch watch;
  Drawing drawing(algorithms, seed);
  std::vector<const Algorithm*> left(algorithms.begin(), algorithms.end());
  Tally tally;
  while (!left.empty() && tally.problems < limits.problems && watch.seconds() < limits.seconds) {
    const Attempt attempt = drawing.next();
    PreparedAttempt prepared(attempt);
    ++tally.problems;
    std::erase_if(left, [&](const Algorithm* algorithm) {
      announce(to_arguments(attempt, *algorithm));
      const Verdict verdict = prepared.judge(*algorithm);
      auto& [judged, declined] = tally.algorithms[algorithm->name];
      ++(verdict.declined.empty() ? judged : declined);
      if (verdict.violations.empty()) return false;
      tally.wrong.push_back(shrink(*algorithm, attempt, announce));
      return true;
    });
  }
  return tally;
}

}  // namespace fullconv::testing
