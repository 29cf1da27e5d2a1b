#include "interruption.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <string_view>

namespace fullconv::cli {
namespace {

std::atomic<const char*> doomed = nullptr;
std::atomic<bool> line_is_open = false;
std::atomic<bool> waits = false;
std::atomic<int> waiting_signal = 0;

/// Those that end a program unless it handles them, without those that its own faults raise.
constexpr std::array kEndingSignals{SIGHUP,  SIGINT,  SIGQUIT,   SIGABRT, SIGUSR1, SIGUSR2, SIGPIPE,
                                    SIGALRM, SIGTERM, SIGVTALRM, SIGPROF, SIGXCPU, SIGIO};
std::array<struct sigaction, kEndingSignals.size()> usual_actions;
bool handled = false;

void clean_up_and_end(int signal) {
  const auto at = std::ranges::find(kEndingSignals, signal) - kEndingSignals.begin();
  const auto handler = usual_actions[static_cast<std::size_t>(at)].sa_handler;
  if (handler != SIG_DFL) return handler(signal);  // the program goes on, and cleans up itself
  // In this order, as the one who ends the wait asks for the signal after it: whatever thread this
  // is, one of the two goes on.
  waiting_signal = signal;
  if (waits) return;
  if (const char* path = doomed) ::unlink(path);
  constexpr std::string_view kClear = "\r\x1b[K";
  if (line_is_open) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kClear.data(), kClear.size());
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Handles signals while there is something to do.
void handle_if_needed() {
  const bool needed = doomed != nullptr || line_is_open || waits;
  if (needed == handled) return;
  handled = needed;
  for (std::size_t i = 0; i < kEndingSignals.size(); ++i) {
    if (!needed) {
      ::sigaction(kEndingSignals[i], &usual_actions[i], nullptr);
      continue;
    }
    ::sigaction(kEndingSignals[i], nullptr, &usual_actions[i]);
    // One that was ignored, as nohup does, stays ignored.
    if (usual_actions[i].sa_handler != SIG_IGN) std::signal(kEndingSignals[i], clean_up_and_end);
  }
}

}  // namespace

void remove_when_interrupted(const char* path) {
  doomed = path;
  handle_if_needed();
}

InterruptionWaits::InterruptionWaits() {
  waits = true;
  handle_if_needed();
}

InterruptionWaits::~InterruptionWaits() {
  waits = false;
  if (const int signal = waiting_signal) clean_up_and_end(signal);
  handle_if_needed();
}

void clear_line_when_interrupted(bool clear) {
  line_is_open = clear;
  handle_if_needed();
}

}  // namespace fullconv::cli
