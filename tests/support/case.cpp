#include "support/case.h"

#include <array>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace fullconv::testing {
namespace {

constexpr std::array<std::pair<std::string_view, Family>, 11> kFamilies{{
    {"_ints", Family::ints},
    {"_gauss", Family::gauss},
    {"_box", Family::box},
    {"_rank2", Family::rank2},
    {"_huge", Family::huge},
    {"_tiny", Family::tiny},
    {"_subnormal", Family::subnormal},
    {"_scaled", Family::scaled},
    {"_wide", Family::wide},
    {"_dead", Family::dead},
    {"_nonfinite", Family::non_finite},
}};

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\f\v";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace

std::string to_string(const Case& c) {
  std::string text = to_string(c.problem);
  for (const auto& [suffix, family] : kFamilies) {
    if (family == c.family) text += suffix;
  }
  return text;
}

Case parse_case(std::string_view text) {
  for (const auto& [suffix, family] : kFamilies) {
    if (text.ends_with(suffix)) {
      return {parse_problem(text.substr(0, text.size() - suffix.size())), family};
    }
  }
  return {parse_problem(text)};
}

std::vector<Case> read_cases(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read case file '" + path + "'");
  std::vector<Case> cases;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const std::string_view text = trim(std::string_view(line).substr(0, line.find('#')));
    if (text.empty()) continue;
    try {
      cases.push_back(parse_case(text));
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(path + ":" + std::to_string(number) + ": " + error.what());
    }
  }
  if (file.bad()) throw std::runtime_error("cannot read case file '" + path + "'");
  return cases;
}

}  // namespace fullconv::testing
