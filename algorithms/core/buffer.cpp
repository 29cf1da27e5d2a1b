#include "core/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#include "fullconv/memory.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace fullconv {

namespace internal {
namespace {

constexpr std::size_t kCacheLine = 64;

/// The size of a huge page, with Linux on most processors. Faulting in smaller pages takes 0.25 ns
/// a byte and more.
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kWorthHugePages = 2 * kHugePage;

/// Requests below this are left to the allocator: reading /proc/meminfo costs some 20 µs.
constexpr std::size_t kWorthChecking = std::size_t{16} << 20;

std::string in_mebibytes(std::size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

void AlignedFree::operator()(std::byte* bytes) const { std::free(bytes); }

AlignedBytes allocate_zeros(index_t count, std::size_t size) {
  constexpr auto most = static_cast<std::size_t>(std::numeric_limits<index_t>::max()) - kCacheLine;
  if (count < 0 || static_cast<std::size_t>(count) > most / size) {
    throw InsufficientMemory("a workspace of " + std::to_string(count) + " elements overflows");
  }
  const std::size_t bytes = static_cast<std::size_t>(count) * size;
  if (bytes >= kWorthChecking) {
    if (const std::size_t available = available_memory(); bytes > available) {
      throw InsufficientMemory("a workspace of " + in_mebibytes(bytes) +
                               " does not fit: " + in_mebibytes(available) + " available");
    }
  }
  // aligned_alloc wants a multiple of the alignment, and not zero.
  const std::size_t alignment = bytes < kWorthHugePages ? kCacheLine : kHugePage;
  const std::size_t rounded = std::max(bytes + alignment - 1, alignment) / alignment * alignment;
  AlignedBytes memory(static_cast<std::byte*>(std::aligned_alloc(alignment, rounded)));
  if (!memory) throw InsufficientMemory("a workspace of " + in_mebibytes(bytes) + " was refused");
#ifdef MADV_HUGEPAGE
  if (alignment == kHugePage) ::madvise(memory.get(), rounded, MADV_HUGEPAGE);
#endif
  std::memset(memory.get(), 0, rounded);
  return memory;
}

}  // namespace internal
}  // namespace fullconv
