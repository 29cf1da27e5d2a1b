#pragma once

#include <string>

#include "accuracy.h"

namespace CLI {
class App;
}

namespace fullconv::cli {

// Options that several commands have.

/// The operands, and where the result goes.
void add_files(CLI::App* command, std::string& image, std::string& kernel, std::string& output);
void add_threads(CLI::App* command, std::string& threads);
void add_reproducible(CLI::App* command, bool& reproducible);
void add_channels_last(CLI::App* command, bool& channels_last);

/// The number that --threads names, or UsageError.
int parse_threads(const std::string& text);

PlanOptions plan_options(const std::string& threads, const std::string& accuracy);

}  // namespace fullconv::cli
