#include "core/available_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "fullconv/memory.h"

namespace fullconv {
namespace {

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

/// The number that stands alone in a file, if one does.
std::optional<std::size_t> number_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::size_t value = 0;
  if (!(file >> value)) return {};
  return value;
}

/// The number behind a word, in a file of one word and number a line.
std::optional<std::size_t> number_behind(const std::filesystem::path& path, std::string_view word) {
  std::ifstream file(path);
  for (std::string key; file >> key;) {
    std::size_t value = 0;
    if (key == word && file >> value) return value;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return {};
}

/// What the files of a version are called.
struct Names {
  const char* limit;
  const char* used;
  const char* cached;  // in memory.stat: pages of files that are not in use
};
constexpr Names kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr Names kVersion2{"memory.max", "memory.current", "inactive_file"};

/// What one group leaves.
std::size_t left_by(const std::filesystem::path& group, const Names& names) {
  const auto limit = number_in(group / names.limit);
  const auto used = number_in(group / names.used);
  if (!limit || !used) return kNoLimit;
  const std::size_t cached = number_behind(group / "memory.stat", names.cached).value_or(0);
  const std::size_t needed = *used - std::min(*used, cached);
  return *limit - std::min(*limit, needed);
}

}  // namespace

std::size_t internal::memory_of_groups(const std::filesystem::path& groups,
                                       const std::filesystem::path& root) {
  std::size_t least = kNoLimit;
  std::ifstream file(groups);
  // A line is <number>:<controllers>:<path>; version 2 has number 0 and no controllers.
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    const bool version2 = line.starts_with("0::");
    if (!version2 && controllers.find(",memory,") == controllers.npos) continue;
    const std::filesystem::path top = version2 ? root : root / "memory";
    // Seen from within a container, groups that lie outside of it are not there.
    std::filesystem::path group = std::filesystem::path(line.substr(second + 1)).relative_path();
    for (;; group = group.parent_path()) {
      least = std::min(least, left_by(top / group, version2 ? kVersion2 : kVersion1));
      if (group.empty()) break;
    }
  }
  return least;
}

std::size_t available_memory() {
  const std::size_t of_groups = internal::memory_of_groups("/proc/self/cgroup", "/sys/fs/cgroup");
  const auto kibibytes = number_behind("/proc/meminfo", "MemAvailable:");
  return std::min(of_groups, kibibytes ? *kibibytes << 10 : kNoLimit);
}

}  // namespace fullconv
