#include "own_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "memory.h"
#include "mutants/verdict.h"

namespace fullconv::cli {
namespace {

using nlohmann::ordered_json;
using testing::Verdict;

testing::ResultType result_type(const ElementType& type) {
  if (type.kind == ElementType::floating) return testing::floating_type(type.bytes);
  return testing::integer_type(type.bytes, type.is_signed);
}

void require_room_for(const Problem& problem, const NpyReader& mine) {
  double outputs = sizeof(double);
  for (const index_t extent : mine.shape()) outputs *= static_cast<double>(extent);
  // Operands also as absolute values and with a change; of outputs values, bounds and errors, and
  // what the oracle keeps.
  require_memory(16 * (outputs + tensor_bytes<double>(problem.y_extents())) +
                     4 * (tensor_bytes<double>(problem.x_extents()) +
                          tensor_bytes<double>(problem.k_extents())),
                 to_string(problem));
}

/// The plane with the most wrong outputs, cut into cells, with the largest error of each.
ordered_json map_of(const Verdict& verdict) {
  constexpr index_t kMostCells = 128;
  const auto [N, C, rows, columns] = verdict.extents;
  const index_t plane_size = rows * columns;
  index_t plane = 0, most = -1;
  for (index_t p = 0; p < N * C; ++p) {
    const auto begin = verdict.errors.begin() + p * plane_size;
    const index_t wrong = std::count_if(begin, begin + plane_size, [](double e) { return e > 1; });
    if (wrong > most) {
      most = wrong;
      plane = p;
    }
  }
  const index_t down = (rows + kMostCells - 1) / kMostCells;
  const index_t across = (columns + kMostCells - 1) / kMostCells;
  auto cells = ordered_json::array();
  for (index_t i = 0; i < rows; i += down) {
    std::vector<double> line(static_cast<std::size_t>((columns + across - 1) / across));
    for (index_t a = i; a < std::min(i + down, rows); ++a)
      for (index_t j = 0; j < columns; ++j) {
        double& cell = line[static_cast<std::size_t>(j / across)];
        cell = std::max(
            cell, verdict.errors[static_cast<std::size_t>(plane * plane_size + a * columns + j)]);
      }
    cells.push_back(line);
  }
  return {{"plane", {plane / C, plane % C}},
          {"rows_per_cell", down},
          {"columns_per_cell", across},
          {"errors_in_bounds", cells}};
}

void print_as_json(const OperandFiles& files, const NpyReader& mine, const Verdict& verdict) {
  auto explanations = ordered_json::array();
  for (const auto& [mistake, outputs] : verdict.explanations) {
    explanations.push_back(
        {{"name", mistake.name}, {"sentence", mistake.sentence}, {"outputs", outputs}});
  }
  index_t outputs = 1;
  for (const index_t extent : mine.shape()) outputs *= extent;
  ordered_json all{{"right", verdict.right},
                   {"problem", to_string(files.problem())},
                   {"type", to_string(mine.type())},
                   {"shape", mine.shape()},
                   {"expected_shape", files.output_shape()},
                   {"outputs", outputs},
                   {"wrong", verdict.wrong},
                   {"error_in_bounds", verdict.error_in_bounds},  // null where it is infinite
                   {"bound", verdict.bound},
                   {"explanations", explanations},
                   {"map", nullptr}};
  if (!verdict.errors.empty()) all["map"] = map_of(verdict);
  fmt::print("{}\n", all.dump(2));
}

void print_explanations(const Verdict& verdict) {
  if (verdict.explanations.empty()) fmt::print("It is no known mistake.\n");
  if (verdict.explanations.size() > 1) {
    fmt::print("{} mistakes come together:\n", verdict.explanations.size());
  }
  for (const auto& [mistake, outputs] : verdict.explanations) {
    fmt::print("{} ({}: accounts for {} wrong outputs)\n", mistake.sentence, mistake.name, outputs);
  }
}

void print_as_text(const OperandFiles& files, const NpyReader& mine, const Verdict& verdict) {
  const std::string type = to_string(mine.type());
  if (verdict.right) {
    fmt::print("right to the precision of {}: error {:.2g} of the {} bound, {} outputs\n", type,
               verdict.error_in_bounds, verdict.bound, verdict.errors.size());
    return;
  }
  if (verdict.errors.empty()) {
    fmt::print("WRONG: {} has shape {}, expected {}\n", mine.name(), to_string(mine.shape()),
               to_string(files.output_shape()));
  } else {
    fmt::print("WRONG: {} of {} outputs, error up to {:.2g} times the {} bound of {}\n",
               verdict.wrong, verdict.errors.size(), verdict.error_in_bounds, verdict.bound, type);
  }
  print_explanations(verdict);
  fmt::print("{}", picture(verdict));
}

}  // namespace

bool check_own_result(OperandFiles& files, const std::string& path, bool json) {
  NpyReader mine(path);
  require_room_for(files.problem(), mine);
  Verdict verdict;
  verdict.wrong = 0;
  const auto extents = files.result_extents(mine);
  if (extents) {
    const testing::Operands<double> operands = files.read<double>();
    verdict = judge(operands, {*extents, files.read_result(mine), result_type(mine.type())});
  } else {
    verdict.error_in_bounds = std::numeric_limits<double>::infinity();
  }
  if (json) {
    print_as_json(files, mine, verdict);
  } else {
    print_as_text(files, mine, verdict);
  }
  return verdict.right;
}

}  // namespace fullconv::cli
