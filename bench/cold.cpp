#include "cold.h"

#include <benchmark/benchmark.h>
#include <hwy/cache_control.h>
#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace fullconv::bench {
namespace {

constexpr std::size_t kLine = 64;

std::size_t second_level_bytes() {
  std::size_t bytes = 1 << 20;
  for (const auto& cache : benchmark::CPUInfo::Get().caches) {
    if (cache.level == 2) bytes = static_cast<std::size_t>(cache.size);
  }
  return bytes;
}

}  // namespace

Evictor::Evictor() : filling_(2 * second_level_bytes()) {}

void Evictor::flush(const char* begin, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += kLine) hwy::FlushCacheline(begin + at);
  hwy::FlushStream();
}

void Evictor::fill_private_levels() {
  for (std::size_t at = 0; at < filling_.size(); at += kLine) ++filling_[at];
  benchmark::ClobberMemory();
}

FreshMemory::FreshMemory(std::size_t bytes)
    : bytes_(bytes),
      data_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
  if (data_ == MAP_FAILED) throw std::bad_alloc();
}

FreshMemory::~FreshMemory() { munmap(data_, bytes_); }

}  // namespace fullconv::bench
