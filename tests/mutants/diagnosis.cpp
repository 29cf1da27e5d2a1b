#include "mutants/diagnosis.h"

#include <algorithm>
#include <limits>

#include "mutants/search.h"

namespace fullconv::testing {

Diagnosis diagnose(const Operands<double>& operands, const OwnResult& result) {
  const Truth truth(operands, result.type);
  Diagnosis diagnosis;
  diagnosis.extents = result.extents;
  if (result.extents != operands.problem.y_extents()) {
    diagnosis.wrong = result.values.size();
    diagnosis.error_in_bounds = std::numeric_limits<double>::infinity();
    const std::vector<char> all(result.values.size(), 1);
    diagnosis.explanations = Search(operands, result, truth, all).find();
    return diagnosis;
  }

  const Truth::Fit fit = truth.fit(result.values);
  diagnosis.error_in_bounds = fit.error_in_bounds;
  diagnosis.bound = fit.model.empty() ? "componentwise" : fit.model;
  std::vector<char> wrong(result.values.size());
  const auto mark = [&](auto bound) {
    diagnosis.errors.clear();
    for (std::size_t i = 0; i < wrong.size(); ++i) {
      diagnosis.errors.push_back(truth.error(i, result.values[i], bound(i)));
      wrong[i] = diagnosis.errors.back() > 1 ? 1 : 0;
    }
    return std::ranges::count(wrong, 1) > 0;
  };
  // What sums would not leave may be what transforms do.
  diagnosis.bound_of_errors = "widest";
  if (!mark([&](std::size_t i) { return truth.widest(i); })) {
    diagnosis.bound_of_errors = "componentwise";
    mark([&](std::size_t i) { return truth.componentwise(i); });
  }
  diagnosis.right = fit.model == "componentwise";
  if (diagnosis.right) return diagnosis;
  Search search(operands, result, truth, wrong);
  // Or what a known mistake does, to the digit.
  diagnosis.explanations = fit.model.empty() ? search.find() : search.find_exact();
  diagnosis.right = !fit.model.empty() && diagnosis.explanations.empty();
  if (diagnosis.right) return diagnosis;
  diagnosis.wrong = static_cast<std::size_t>(std::ranges::count(wrong, 1));
  diagnosis.error_in_bounds = truth.worst_componentwise(result.values);
  diagnosis.bound = "componentwise";
  return diagnosis;
}

std::string picture(const Diagnosis& diagnosis) {
  constexpr index_t kMostRows = 24, kMostColumns = 72;
  const auto& [N, C, I, J] = diagnosis.extents;
  const auto first = std::ranges::find_if(diagnosis.errors, [](double error) { return error > 1; });
  if (first == diagnosis.errors.end()) return {};
  const index_t rows = I, columns = J;
  const index_t plane = (first - diagnosis.errors.begin()) / (rows * columns);
  const index_t down = (rows + kMostRows - 1) / kMostRows;
  const index_t across = (columns + kMostColumns - 1) / kMostColumns;
  const auto any_wrong = [&](index_t i, index_t j) {
    for (index_t a = i; a < std::min(i + down, rows); ++a)
      for (index_t b = j; b < std::min(j + across, columns); ++b) {
        if (diagnosis.errors[static_cast<std::size_t>((plane * rows + a) * columns + b)] > 1) {
          return true;
        }
      }
    return false;
  };
  std::string text;
  if (N * C > 1) {
    text = "y[" + std::to_string(plane / C) + "," + std::to_string(plane % C) + "]:\n";
  }
  for (index_t i = 0; i < rows; i += down) {
    for (index_t j = 0; j < columns; j += across) text += any_wrong(i, j) ? '#' : '.';
    text += '\n';
  }
  return text;
}

}  // namespace fullconv::testing
