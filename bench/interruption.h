#pragma once

namespace fullconv::cli {

/// What a signal that ends the program does first, since it leaves no time for destructors. Signals
/// that are ignored or handled by others stay so. Null: nothing. One at a time.
void remove_when_interrupted(const char* path);

/// Whether the line that standard error is on is to be cleared as well.
void clear_line_when_interrupted(bool clear);

}  // namespace fullconv::cli
