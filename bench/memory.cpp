#include "memory.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "errors.h"
#include "fullconv/memory.h"

namespace fullconv::cli {

void require_memory(double bytes, const std::string& what) {
  constexpr double kMebibyte = 1 << 20;
  if (bytes < kMebibyte) return;
  const auto available = static_cast<double>(available_memory());
  if (bytes > available) {
    throw UsageError(fmt::format("{} takes {} of memory: expected at most the {} available", what,
                                 bytes_as_text(bytes), bytes_as_text(available)));
  }
}

std::string bytes_as_text(double bytes) {
  if (bytes < 0x1p10) return fmt::format("{:.0f} B", bytes);
  if (bytes < 0x1p20) return fmt::format("{:.1f} KiB", bytes / 0x1p10);
  return fmt::format("{:.0f} MiB", bytes / 0x1p20);
}

double parse_bytes(const std::string& flag, const std::string& text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"", 1},      {"B", 1},        {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
      {"TB", 1e12}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40},
  };
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, text.data() + text.size());
  for (const auto& [name, factor] : kUnits) {
    if (error == std::errc{} && unit == name && std::isfinite(value) && value > 0) {
      return value * factor;
    }
  }
  throw UsageError(fmt::format("{} is '{}': expected a size such as 512MiB or 1GiB", flag, text));
}

}  // namespace fullconv::cli
