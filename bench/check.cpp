#include "check.h"

#include <fmt/format.h>

#include <limits>

#include "memory.h"
#include "registry.h"

namespace fullconv::cli {
namespace {

using testing::Case;
using testing::Operands;

constexpr const char* kNothing = "-";

template <class T>
constexpr const char* kScalarName = std::is_same_v<T, float> ? "f32" : "f64";

/// What one algorithm gave.
template <class T>
struct Result {
  Algorithm algorithm;  // with the error model of what it ran
  std::vector<T> y = {};
  std::string declined = {};
  const Algorithm* farthest = nullptr;
  double distance = -1;
};

template <class T>
Result<T> run(const Algorithm& algorithm, const Operands<T>& operands, const PlanOptions& options) {
  Result<T> result{algorithm};
  const Problem& problem = operands.problem;
  Planned<T> planned = make_plan<T>(algorithm, problem, options);
  if (const auto* declined = std::get_if<Declined>(&planned)) {
    result.declined = declined->reason;
    return result;
  }
  // An output that is never written stays NaN, and is seen.
  result.y.assign(static_cast<std::size_t>(element_count(problem.y_extents())),
                  std::numeric_limits<T>::quiet_NaN());
  std::get<0>(planned)->execute(operands.x_view(), operands.k_view(),
                                {result.y.data(), problem.y_extents()});
  result.algorithm.error_model = model_of(algorithm, *std::get<0>(planned));
  return result;
}

template <class T>
TensorView<const T> y_view(const Result<T>& result, const Problem& problem) {
  return {result.y.data(), problem.y_extents()};
}

/// Finds for each result the other one that is farthest from it.
template <class T>
void compare_pairs(const ResultCheck<T>& check, const Problem& problem,
                   std::vector<Result<T>>& results) {
  if (!check.bounds_apply()) return;
  const auto note = [](Result<T>& result, const Result<T>& other, double distance) {
    if (distance <= result.distance) return;
    result.distance = distance;
    result.farthest = &other.algorithm;
  };
  for (std::size_t a = 0; a < results.size(); ++a) {
    for (std::size_t b = a + 1; b < results.size(); ++b) {
      if (results[a].y.empty() || results[b].y.empty()) continue;
      const double distance = check.distance(results[a].algorithm, y_view(results[a], problem),
                                             results[b].algorithm, y_view(results[b], problem));
      note(results[a], results[b], distance);
      note(results[b], results[a], distance);
    }
  }
}

std::string describe(const Finding& finding) {
  switch (finding.outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::wrong:
      return "WRONG";
    case Outcome::declined:
      return "declined: " + finding.remark;
    case Outcome::not_applicable:
      return "n/a: " + finding.remark;
  }
  return {};
}

template <class T>
Row row(const Result<T>& result, const Finding& finding) {
  const auto number = [&](double value) {
    return finding.compared > 0 ? fmt::format("{:.2g}", value) : kNothing;
  };
  const std::string farthest =
      result.farthest ? fmt::format("{:.2g} {}", result.distance, result.farthest->name) : kNothing;
  return {std::string(result.algorithm.name),
          kScalarName<T>,
          number(finding.error_in_bounds),
          number(finding.relative_l2),
          number(finding.largest_bound),
          finding.compared > 0 ? std::to_string(finding.below_bound) : kNothing,
          farthest,
          describe(finding)};
}

}  // namespace

/// One case: the table, and what is worth saying below it.
struct Checker::Report {
  std::string title;
  std::vector<Row> rows = {{"algorithm", "scalar", "error/bound", "relative L2", "largest bound",
                            "outputs below", "farthest other", "result"}};
  std::string remarks = {};
  std::size_t sampled_outputs = 0;  // none where all are compared

  void print() const {
    fmt::print("{}", title);
    if (sampled_outputs > 0) fmt::print(" (sampled: {} outputs)", sampled_outputs);
    fmt::print("\n{}{}\n", format_table(rows), remarks);
  }
};

template <class T>
void Checker::require_memory_for(const Problem& problem) const {
  const Extents y = problem.y_extents();
  const bool whole = problem.multiply_adds() <= testing::kWholeOracleLimit;
  const double oracle = whole ? 3 * tensor_bytes<testing::Wide<T>>(y) : 0;
  require_memory(tensor_bytes<T>(problem.x_extents()) + tensor_bytes<T>(problem.k_extents()) +
                     static_cast<double>(algorithms_.size()) * tensor_bytes<T>(y) + oracle,
                 fmt::format("{} with the results of {} algorithms in {}", to_string(problem),
                             algorithms_.size(), kScalarName<T>));
}

template <class T>
void Checker::check(const Operands<T>& operands, Report& report) {
  const ResultCheck<T> check(operands);
  std::vector<Result<T>> results;
  for (const Algorithm* algorithm : algorithms_) {
    results.push_back(run(*algorithm, operands, options_));
  }
  compare_pairs(check, operands.problem, results);

  for (const Result<T>& result : results) {
    const Finding finding = result.y.empty()
                                ? Finding{.outcome = Outcome::declined, .remark = result.declined}
                                : check.check(result.algorithm, y_view(result, operands.problem));
    ++counts_[finding.outcome];
    report.rows.push_back(row(result, finding));
    if (finding.outcome == Outcome::wrong) {
      report.remarks +=
          fmt::format("{} {}: {}\n", result.algorithm.name, kScalarName<T>, finding.remark);
    }
  }
  if (check.sampled()) report.sampled_outputs = check.outputs();
}

void Checker::check(const std::vector<Case>& cases) {
  for (const Case& c : cases) require_memory_for<double>(c.problem);
  for (const Case& c : cases) {
    Report report{to_string(c)};
    check(testing::make_operands<float>(c), report);
    check(testing::make_operands<double>(c), report);
    report.print();
  }
}

void Checker::check(OperandFiles& files, const std::string& title) {
  with_scalar(files.scalar(), [&]<class T>(T) {
    require_memory_for<T>(files.problem());
    Report report{fmt::format("{}: {}", to_string(files.problem()), title)};
    check(files.read<T>(), report);
    report.print();
  });
}

bool Checker::summarise() {
  fmt::print("{} ok, {} WRONG, {} declined", counts_[Outcome::ok], counts_[Outcome::wrong],
             counts_[Outcome::declined]);
  if (const int count = counts_[Outcome::not_applicable]; count > 0) {
    fmt::print(", {} not applicable", count);
  }
  fmt::print("\n");
  return counts_[Outcome::wrong] == 0;
}

}  // namespace fullconv::cli
