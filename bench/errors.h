#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace fullconv::cli {

/// The question was wrong: one line that names the offender and what was expected.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline UsageError file_error(std::string_view path, std::string_view what) {
  return UsageError(fmt::format("{}: {}", path.empty() ? "''" : path, what));
}

/// What the system says about `code`, an errno.
inline std::string system_message(int code) { return std::generic_category().message(code); }

}  // namespace fullconv::cli
