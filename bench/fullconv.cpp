// The command line: its parser, errors and exit codes: 0 fine, 1 the answer is no, 2 the question
// was wrong. Each command is a file of its own.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <memory>

#include "commands.h"
#include "errors.h"
#include "fullconv/memory.h"
#include "help.h"

namespace fullconv::cli {
namespace {

/// The first of the words that nothing was made of, as it was typed: the parser's own message has
/// them in reverse.
UsageError unexpected_argument(const CLI::App& app, int argc, char** argv) {
  const std::vector<std::string> unexpected = app.remaining(true);
  const auto found =
      std::find_first_of(argv + 1, argv + argc, unexpected.begin(), unexpected.end());
  return UsageError(fmt::format("unexpected argument '{}': expected what fullconv --help shows",
                                found == argv + argc ? unexpected.front() : *found));
}

/// An option that is empty, as that of a variable of the shell that is not set, is not one that is
/// left out.
void refuse_empty_options(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    if (option->nonpositional() && std::ranges::count(option->results(), "") > 0) {
      throw UsageError(fmt::format("{} is '': expected a value", option->get_name()));
    }
  }
}

ExitCode run(int argc, char** argv) {
  CLI::App app("Full 2-D convolutions: list the algorithms, run one, check all", "fullconv");
  app.formatter(std::make_shared<HelpFormatter>());  // of its commands, too
  app.set_version_flag("--version", "fullconv " FULLCONV_VERSION);
  const Command commands[] = {add_list(app),   add_convolve(app), add_check(app),
                              add_bounds(app), add_choose(app),   add_calibrate(app)};

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    app.exit(help_or_version);
    return kFine;
  } catch (const CLI::ExtrasError&) {
    throw unexpected_argument(app, argc, argv);
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{}: expected what fullconv --help shows", error.what()));
  }
  for (const Command& command : commands) {
    if (!command.parser->parsed()) continue;
    refuse_empty_options(*command.parser);
    return command.run();
  }
  throw UsageError("no command given: expected list, convolve, check, bounds, choose or calibrate");
}

/// Printed text may still be on its way when all else is done.
void flush_standard_output() {
  std::cout.flush();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw UsageError("standard output: cannot be written: " + system_message(errno));
  }
}

/// Whatever a file name holds, an error is one line.
void print_error(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  fmt::print(stderr, "fullconv: {}\n", text);
}

}  // namespace
}  // namespace fullconv::cli

int main(int argc, char** argv) {
  namespace cli = fullconv::cli;
  // A file size limit is then an error of write() like any other.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    const cli::ExitCode code = cli::run(argc, argv);
    cli::flush_standard_output();
    return code;
  } catch (const fullconv::InsufficientMemory& error) {
    cli::print_error(error.what());
  } catch (const std::bad_alloc&) {
    cli::print_error("out of memory: expected a problem that fits into it");
  } catch (const std::exception& error) {
    cli::print_error(error.what());
  }
  return cli::kBadQuestion;
}
