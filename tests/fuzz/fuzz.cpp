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

/// What a problem consists of, and the least that each may be.
struct Field {
  index_t& (*of)(Problem&);
  index_t least;
};
constexpr Field kFields[] = {
    {[](Problem& p) -> index_t& { return p.N; }, 1},
    {[](Problem& p) -> index_t& { return p.K; }, 1},
    {[](Problem& p) -> index_t& { return p.C; }, 1},
    {[](Problem& p) -> index_t& { return p.H; }, 1},
    {[](Problem& p) -> index_t& { return p.W; }, 1},
    {[](Problem& p) -> index_t& { return p.h; }, 1},
    {[](Problem& p) -> index_t& { return p.w; }, 1},
    {[](Problem& p) -> index_t& { return p.padding.top; }, 0},
    {[](Problem& p) -> index_t& { return p.padding.left; }, 0},
    {[](Problem& p) -> index_t& { return p.padding.bottom; }, 0},
    {[](Problem& p) -> index_t& { return p.padding.right; }, 0},
    {[](Problem& p) -> index_t& { return p.stride.y; }, 1},
    {[](Problem& p) -> index_t& { return p.stride.x; }, 1},
    {[](Problem& p) -> index_t& { return p.dilation.y; }, 1},
    {[](Problem& p) -> index_t& { return p.dilation.x; }, 1},
    {[](Problem& p) -> index_t& { return p.output_padding.y; }, 0},
    {[](Problem& p) -> index_t& { return p.output_padding.x; }, 0},
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
  add([](Attempt& a) {
    Problem& layer = a.c.problem;
    layer.K /= layer.groups;
    layer.C /= layer.groups;
    layer.groups = 1;
  });
  for (const auto& [of, least] : kFields) {
    Problem problem = attempt.c.problem;
    const index_t now = of(problem);
    // By a group, for channels; by two, for what is even.
    for (const index_t lower :
         {least, problem.groups, (now + least) / 2, now - problem.groups, now - 2, now - 1}) {
      if (lower < least || lower >= now) continue;
      add([&, field = of](Attempt& a) { field(a.c.problem) = lower; });
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
  const ConformanceResult found = PreparedAttempt(attempt).check_conformance(algorithm);
  if (found.violations.empty()) return {};
  return found.violations.front();
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
      const ConformanceResult found = prepared.check_conformance(*algorithm);
      auto& [checked, declined] = tally.algorithms[algorithm->name];
      ++(found.declined.empty() ? checked : declined);
      if (found.violations.empty()) return false;
      tally.wrong.push_back(shrink(*algorithm, attempt, announce));
      return true;
    });
  }
  return tally;
}

}  // namespace fullconv::testing
