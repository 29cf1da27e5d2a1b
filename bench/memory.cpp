#include "memory.h"

#include <fmt/format.h>

#include "errors.h"
#include "fullconv/memory.h"

namespace fullconv::cli {

void require_memory(double bytes, const std::string& what) {
  constexpr double kMebibyte = 1 << 20;
  if (bytes < kMebibyte) return;
  const auto available = static_cast<double>(available_memory());
  if (bytes > available) {
    throw UsageError(
        fmt::format("{} takes {:.0f} MiB of memory: expected at most the {:.0f} MiB available",
                    what, bytes / kMebibyte, available / kMebibyte));
  }
}

}  // namespace fullconv::cli
