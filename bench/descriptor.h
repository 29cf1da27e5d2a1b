#pragma once

#include <unistd.h>

#include <string_view>
#include <utility>

namespace fullconv::cli {

/// The path that means standard input or output.
constexpr std::string_view kStandardStream = "-";

/// Owns an open file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() { close(); }

  int number() const { return number_; }
  bool valid() const { return number_ >= 0; }

  /// Whether all that was written has arrived, as far as the system tells; errno says why not.
  bool close() { return !valid() || ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

}  // namespace fullconv::cli
