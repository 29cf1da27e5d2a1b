#include "fuzz/attempt.h"

#include <algorithm>
#include <exception>
#include <span>
#include <sstream>

namespace fullconv::testing {
namespace {

std::variant<Examination<float>, Examination<double>> examine(const Attempt& attempt) {
  const std::span placements(&attempt.placement, 1);
  if (attempt.scalar == Scalar::f32) {
    return Examination<float>(attempt.c, attempt.operands, placements);
  }
  return Examination<double>(attempt.c, attempt.operands, placements);
}

/// Whether an answer is right, and its time what it is for operands that nobody remarks on.
template <class T>
ConformanceResult examine(Examination<T>& examination, const Attempt& attempt,
                          const Algorithm& algorithm, const PlanOptions& options) {
  // Of twenty times what takes 50 µs: less than that may be a disturbance.
  constexpr double kMeasurable = 1e-3, kMost = 20;
  // What docs/algorithms.md promises of the library's own, where there is workspace for it;
  // residues may have half as many products more or less.
  constexpr std::int64_t kFewestProducts = 1 << 18, kOfFewSamples = 1 << 19;
  constexpr index_t kFewSamples = 64;
  const Problem& problem = attempt.c.problem;
  const index_t residues =
      problem.stride.y * problem.stride.x * problem.dilation.y * problem.dilation.x;
  const bool has_few_samples = problem.N * problem.H * problem.W / residues < kFewSamples;
  const bool is_promised =
      problem.multiply_adds() / residues >= (has_few_samples ? kOfFewSamples : kFewestProducts) &&
      !options.workspace_limit && find_algorithm(algorithm.name) == &algorithm;
  ConformanceResult found = examination.check_conformance(algorithm, options);
  if (!found.declined.empty() || !found.violations.empty() || found.seconds < kMeasurable ||
      !is_promised || attempt.c.family == Family::random) {
    return found;
  }
  if (const double times = examination.slowdown(algorithm, options, kMost); times > kMost) {
    std::ostringstream text;
    text << "takes " << times << " times as long as with random operands";
    found.violations.push_back(text.str());
  }
  return found;
}

}  // namespace

bool Attempt::operator==(const Attempt& other) const {
  return c.problem == other.c.problem && c.family == other.c.family && scalar == other.scalar &&
         options.threads == other.options.threads &&
         options.workspace_limit == other.options.workspace_limit && operands == other.operands &&
         to_string(placement.x) == to_string(other.placement.x) &&
         to_string(placement.k) == to_string(other.placement.k) &&
         to_string(placement.y) == to_string(other.placement.y);
}

std::string to_arguments(const Attempt& attempt, const Algorithm& algorithm) {
  std::string text = "--algorithm ";
  text.append(algorithm.name).append(" --case ").append(to_string(attempt.c));
  text += attempt.scalar == Scalar::f32 ? " --scalar f32" : " --scalar f64";
  if (attempt.options.threads != 1) {
    text += " --threads " + std::to_string(attempt.options.threads);
  }
  if (const auto limit = attempt.options.workspace_limit) {
    text += " --workspace-limit " + std::to_string(*limit);
  }
  const auto append = [&](const char* flag, const Layout& layout) {
    const std::string name = to_string(layout);
    if (name != to_string(Layout{})) text.append(flag).append(name);
  };
  append(" --x-layout ", attempt.placement.x);
  append(" --k-layout ", attempt.placement.k);
  append(" --y-layout ", attempt.placement.y);
  if (attempt.operands != 1) text += " --operands " + std::to_string(attempt.operands);
  return text;
}

PreparedAttempt::PreparedAttempt(const Attempt& attempt)
    : attempt_(attempt), examination_(examine(attempt)) {}

ConformanceResult PreparedAttempt::check_conformance(const Algorithm& algorithm) {
  PlanOptions options = attempt_.options;
  if (!algorithm.threaded) options.threads = 1;
  const Placement& placement = attempt_.placement;
  options.any_strides = !placement.x.has_dense_rows() || !placement.k.has_dense_rows() ||
                        !placement.y.has_dense_rows();
  try {
    return std::visit(
        [&](auto& examination) { return examine(examination, attempt_, algorithm, options); },
        examination_);
  } catch (const std::exception& error) {
    return {{}, {std::string("planning threw ") + error.what()}};
  }
}

}  // namespace fullconv::testing
