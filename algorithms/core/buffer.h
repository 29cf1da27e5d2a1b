#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/plane.h"

namespace fullconv {

namespace internal {

struct AlignedFree {
  void operator()(std::byte* bytes) const;
};

using AlignedBytes = std::unique_ptr<std::byte[], AlignedFree>;

/// `count` × `size` zero bytes, aligned to 64. Throws InsufficientMemory, before it asks for any,
/// where that is more than the machine has left.
AlignedBytes allocate_zeros(index_t count, std::size_t size);

}  // namespace internal

/// Elements to set aside for one thread's share of a workspace, for whole cache lines and a gap
/// behind them: a core fetches ahead, and would take lines from the neighbour that writes them.
/// Tiles of 1024x1024_k15x15 took two threads 1.4 times as long without this gap of four pages, 1.2
/// times with shares that begin on pages, and 1.1 times with one page between them.
constexpr index_t share_of_thread(index_t count, index_t scalar_bytes) {
  constexpr index_t kLine = 64, kGap = 16384;
  return (ceil_divide(count * scalar_bytes, kLine) * kLine + kGap) / scalar_bytes;
}

/// Workspace of a plan: zeroed, aligned to a cache line and faulted in when it is made, so that
/// execute() pays for none of that.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(index_t count)
      : bytes_(internal::allocate_zeros(count, sizeof(T))),
        count_(static_cast<std::size_t>(count)) {}

  T* data() const { return reinterpret_cast<T*>(bytes_.get()); }
  std::size_t bytes() const { return count_ * sizeof(T); }
  std::span<T> elements() const { return {data(), count_}; }
  T& operator[](index_t i) const { return data()[i]; }

 private:
  internal::AlignedBytes bytes_;
  std::size_t count_ = 0;
};

}  // namespace fullconv
