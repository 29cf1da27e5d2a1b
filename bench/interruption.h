#pragma once

namespace fullconv::cli {

/// What a signal that ends the program does first, since it leaves no time for destructors. Signals
/// that are ignored or handled by others stay so. Null: nothing. One at a time.
void remove_when_interrupted(const char* path);

/// Lets such a signal wait while this lives: a file comes into being before its name can be given
/// to remove_when_interrupted. One at a time.
class InterruptionWaits {
 public:
  InterruptionWaits();
  ~InterruptionWaits();
  InterruptionWaits(const InterruptionWaits&) = delete;
  InterruptionWaits& operator=(const InterruptionWaits&) = delete;
};

/// Whether the line that standard error is on is to be cleared as well.
void clear_line_when_interrupted(bool clear);

}  // namespace fullconv::cli
