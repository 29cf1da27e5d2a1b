#pragma once

#include <cstddef>
#include <new>
#include <string>
#include <utility>

namespace fullconv {

/// Bytes that can be had without swapping and within the limits of control groups; no limit where
/// the system does not tell.
std::size_t available_memory();

/// Thrown, before memory is asked for, when more is needed than the machine has left.
class InsufficientMemory : public std::bad_alloc {
 public:
  explicit InsufficientMemory(std::string what) : what_(std::move(what)) {}
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  std::string what_;
};

}  // namespace fullconv
