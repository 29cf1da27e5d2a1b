#pragma once

#include <cstddef>
#include <filesystem>

namespace fullconv::internal {

/// The bytes that the control groups of a process leave it, of version 1 or 2: the least, over its
/// group and those above, of the limit less what is used and could not be given back. No limit
/// where there is none. `groups` is /proc/self/cgroup, `root` is /sys/fs/cgroup.
std::size_t memory_of_groups(const std::filesystem::path& groups,
                             const std::filesystem::path& root);

}  // namespace fullconv::internal
