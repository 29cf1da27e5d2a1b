#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace fullconv::cli {

using Row = std::vector<std::string>;

/// Columns as wide as their widest cell, two spaces apart; the last may be of any length.
inline std::string format_table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], row[column].size());
    }
  }
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t column = 0; column + 1 < row.size(); ++column) {
      text += fmt::format("{:<{}}", row[column], widths[column] + 2);
    }
    text += row.back() + '\n';
  }
  return text;
}

}  // namespace fullconv::cli
