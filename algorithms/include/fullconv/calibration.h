#pragma once

#include <filesystem>
#include <string>

namespace fullconv {

/// What `auto`'s forecasts rest on: rates measured on this machine, or those built in.
struct Calibration {
  bool measured;
  std::filesystem::path file;  ///< where measured rates are kept; empty where there is no place
  std::string remark;          ///< why built-in rates are in use, or why measured ones are not kept
};

/// The rates in use for plans of at most so many threads. They come from the user's cache
/// directory, $FULLCONV_CACHE_DIR or $XDG_CACHE_HOME/fullconv or $HOME/.cache/fullconv, if
/// calibrate() has left some there on such a processor, with this build of this version.
Calibration calibration(int threads);

/// Measures the rates, uses them in this process from now on, and keeps them for later ones. The
/// machine should be idle. Takes little more than `seconds`.
///
/// Throws std::invalid_argument if `threads` or `seconds` is not positive.
Calibration calibrate(int threads, double seconds = 3.5);

}  // namespace fullconv
