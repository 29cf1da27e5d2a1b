#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace fullconv::cli {

enum ExitCode { kFine = 0, kNo = 1, kBadQuestion = 2 };

/// What the parser fills, and what is then to be done.
struct Command {
  CLI::App* parser;
  std::function<ExitCode()> run;
};

// Each adds itself to the parser of the program.
Command add_list(CLI::App& app);
Command add_convolve(CLI::App& app);
Command add_check(CLI::App& app);
Command add_bounds(CLI::App& app);
Command add_choose(CLI::App& app);
Command add_calibrate(CLI::App& app);

}  // namespace fullconv::cli
