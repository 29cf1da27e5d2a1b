#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>

// Where versions of CLI11 differ.
namespace fullconv {

/// Help with a line "Usage: program [OPTIONS]". CLI11 2.6 leaves out the word where it knows the
/// program's name.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = CLI::Formatter::make_usage(app, std::move(name));
    usage.erase(0, usage.find_first_not_of('\n'));
    const std::string word = get_label("Usage") + ": ";
    return usage.starts_with(word) ? usage : word + usage;
  }
};

}  // namespace fullconv
