#pragma once

#include <string>

#include "fullconv/view.h"

namespace fullconv::cli {

/// What a dense tensor takes. Not an integer, since sums and multiples of it must not overflow.
template <class T>
constexpr double tensor_bytes(const Extents& extents) {
  double bytes = sizeof(T);
  for (const index_t extent : extents) bytes *= static_cast<double>(extent);
  return bytes;
}

/// Throws UsageError, before any is asked for, where `bytes` for `what` are more than can be had
/// without swapping. Workspaces see to it themselves.
void require_memory(double bytes, const std::string& what);

/// As "40 B", "1.5 KiB" or "2048 MiB".
std::string bytes_as_text(double bytes);

/// The bytes that `text` names, as "512MiB", "1.5GiB", "2GB" or "1000000", or UsageError with the
/// name of the flag.
double parse_bytes(const std::string& flag, const std::string& text);

}  // namespace fullconv::cli
