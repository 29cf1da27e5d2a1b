#include "own_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "memory.h"
#include "mutants/diagnosis.h"

namespace fullconv::cli {
namespace {

using nlohmann::ordered_json;
using testing::Diagnosis;

std::size_t elements(const NpyReader& file) {
  std::size_t count = 1;
  for (const index_t extent : file.shape()) count *= static_cast<std::size_t>(extent);
  return count;
}

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
ordered_json map_of(const Diagnosis& diagnosis) {
  constexpr index_t kMostCells = 128;
  const auto [N, C, rows, columns] = diagnosis.extents;
  const index_t plane_size = rows * columns;
  index_t plane = 0, most = -1;
  for (index_t p = 0; p < N * C; ++p) {
    const auto begin = diagnosis.errors.begin() + p * plane_size;
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
            cell, diagnosis.errors[static_cast<std::size_t>(plane * plane_size + a * columns + j)]);
      }
    cells.push_back(line);
  }
  return {{"plane", {plane / C, plane % C}},
          {"rows_per_cell", down},
          {"columns_per_cell", across},
          {"bound", diagnosis.bound_of_errors},
          {"errors_in_bounds", cells}};
}

void print_as_json(const OperandFiles& files, const NpyReader& mine, const Diagnosis& diagnosis) {
  auto explanations = ordered_json::array();
  for (const auto& [mistake, outputs] : diagnosis.explanations) {
    explanations.push_back(
        {{"name", mistake.name}, {"sentence", mistake.sentence}, {"outputs", outputs}});
  }
  ordered_json all{{"right", diagnosis.right},
                   {"problem", to_string(files.problem())},
                   {"type", to_string(mine.type())},
                   {"shape", mine.shape()},
                   {"expected_shape", files.output_shape()},
                   {"outputs", elements(mine)},
                   {"wrong", diagnosis.wrong},
                   {"error_in_bounds", diagnosis.error_in_bounds},  // null where it is infinite
                   {"bound", diagnosis.bound},
                   {"explanations", explanations},
                   {"map", nullptr}};
  if (!diagnosis.errors.empty()) all["map"] = map_of(diagnosis);
  fmt::print("{}\n", all.dump(2));
}

void print_explanations(const Diagnosis& diagnosis) {
  if (diagnosis.explanations.empty()) fmt::print("It is no known mistake.\n");
  if (diagnosis.explanations.size() > 1) {
    fmt::print("{} mistakes come together:\n", diagnosis.explanations.size());
  }
  for (const auto& [mistake, outputs] : diagnosis.explanations) {
    fmt::print("{} ({}: accounts for {} wrong outputs)\n", mistake.sentence, mistake.name, outputs);
  }
}

void print_as_text(const OperandFiles& files, const NpyReader& mine, const Diagnosis& diagnosis) {
  const std::string type = to_string(mine.type());
  if (diagnosis.right) {
    fmt::print("right to the precision of {}: error {:.2g} of the {} bound, {} outputs\n", type,
               diagnosis.error_in_bounds, diagnosis.bound, diagnosis.errors.size());
    return;
  }
  if (diagnosis.errors.empty()) {
    fmt::print("WRONG: {} has shape {}, expected {}\n", mine.name(), to_string(mine.shape()),
               to_string(files.output_shape()));
    if (diagnosis.explanations.empty()) return;
  } else {
    fmt::print("WRONG: {} of {} outputs, error up to {:.2g} times the {} bound of {}\n",
               diagnosis.wrong, diagnosis.errors.size(), diagnosis.error_in_bounds, diagnosis.bound,
               type);
  }
  print_explanations(diagnosis);
  fmt::print("{}", picture(diagnosis));
}

}  // namespace

bool check_own_result(OperandFiles& files, const std::string& path, bool json) {
  NpyReader mine(path);
  require_room_for(files.problem(), mine);
  Diagnosis diagnosis;
  diagnosis.wrong = elements(mine);
  const auto extents = files.result_extents(mine);
  if (extents) {
    const testing::Operands<double> operands = files.read<double>();
    diagnosis = diagnose(operands, {*extents, files.read_result(mine), result_type(mine.type())});
  } else {
    diagnosis.error_in_bounds = std::numeric_limits<double>::infinity();
  }
  if (json) {
    print_as_json(files, mine, diagnosis);
  } else {
    print_as_text(files, mine, diagnosis);
  }
  return diagnosis.right;
}

}  // namespace fullconv::cli
