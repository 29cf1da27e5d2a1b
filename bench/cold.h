#pragma once

#include <cstddef>
#include <vector>

#include "fullconv/view.h"

namespace fullconv::bench {

/// Throws data out of the caches.
class Evictor {
 public:
  Evictor();

  /// Leaves nothing of a dense tensor in any cache.
  template <class T>
  void flush(const TensorView<T>& tensor) {
    flush(reinterpret_cast<const char*>(tensor.data),
          static_cast<std::size_t>(tensor.extents[0] * tensor.strides[0]) * sizeof(T));
  }

  /// Fills the first and second level with something else.
  void fill_private_levels();

 private:
  static void flush(const char* begin, std::size_t bytes);

  std::vector<char> filling_;
};

/// Memory that the system has not mapped yet.
class FreshMemory {
 public:
  explicit FreshMemory(std::size_t bytes);
  ~FreshMemory();
  FreshMemory(const FreshMemory&) = delete;
  FreshMemory& operator=(const FreshMemory&) = delete;

  void* data() const { return data_; }

 private:
  std::size_t bytes_;
  void* data_;
};

}  // namespace fullconv::bench
