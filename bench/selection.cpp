#include "selection.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <stdexcept>

namespace fullconv::bench {

using testing::Case;

void Selection::add_selection(CLI::App& app, const std::vector<std::string>& names,
                              const char* what) {
  app.add_option("--case", case_names, "Problems such as 8x8_k5x5 or n8_i64_o32_56x56_k3x3")
      ->type_name("CASE");
  app.add_option("--cases", case_files,
                 "Files with one case a line; the smoke cases where neither is given")
      ->type_name("FILE");
  app.add_option("--algorithm", algorithms, what)->type_name("NAME")->check(CLI::IsMember(names));
  app.add_option("--scalar", scalars, "Only these scalars")->check(CLI::IsMember({"f32", "f64"}));
  app.add_option("--threads", threads, "Numbers of threads; one and all cores unless given")
      ->type_name("T")
      ->check(CLI::Range(1, 1024));
  app.add_option("--cell-limit", cell_limit,
                 "Leave out what is predicted to take more seconds for one execution")
      ->type_name("SECONDS")
      ->check([](const std::string& text) { return check_positive(text, "a number of seconds"); })
      ->capture_default_str();
}

std::vector<Case> Selection::cases() const {
  std::vector<std::string> names = case_names;
  if (names.empty() && case_files.empty()) {
    // Compiled in, so that the program says something useful wherever it is installed.
    names = {FULLCONV_SMOKE_CASES};
  }
  std::vector<Case> cases;
  std::ranges::transform(names, std::back_inserter(cases), testing::parse_case);
  for (const std::string& file : case_files) {
    const std::vector<Case> more = testing::read_cases(file);
    if (more.empty()) throw std::invalid_argument(file + ": expected at least one case");
    cases.insert(cases.end(), more.begin(), more.end());
  }
  std::set<std::string> seen;
  std::erase_if(cases, [&](const Case& c) { return !seen.insert(to_string(c)).second; });
  return cases;
}

bool selects(const std::vector<std::string>& names, std::string_view name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

std::string check_positive(const std::string& text, const char* what) {
  double value = 0;
  const bool good = CLI::detail::lexical_cast(text, value) && value > 0 && std::isfinite(value);
  return good ? "" : fmt::format("'{}' is not {} above 0", text, what);
}

}  // namespace fullconv::bench
