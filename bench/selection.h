#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness.h"
#include "support/case.h"

namespace fullconv::bench {

/// Which cells a program times: the options that the timing programs share.
struct Selection {
  std::vector<std::string> case_names;
  std::vector<std::string> case_files;
  std::vector<std::string> algorithms;
  std::vector<std::string> scalars;
  std::vector<int> threads = default_threads();
  double cell_limit = 10;

  /// `names` are those that --algorithm takes, `what` is its help.
  void add_selection(CLI::App& app, const std::vector<std::string>& names, const char* what);

  /// Each case once, in the order given. Throws where there is none to find.
  std::vector<testing::Case> cases() const;
};

/// Whether a list of names selects `name`: an empty one selects all.
bool selects(const std::vector<std::string>& names, std::string_view name);

/// For CLI11: why a text is no number above 0, or nothing. `what` is expected: "a number of
/// seconds".
std::string check_positive(const std::string& text, const char* what);

}  // namespace fullconv::bench
