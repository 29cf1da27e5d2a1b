#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "descriptor.h"

namespace fullconv::cli {

/// A file that is either written completely or left as it was.
///
/// Where `path` is or will be a regular file, a temporary one beside it takes the data and
/// commit() renames it; symbolic links are followed to the file that they mean. Where it is a pipe,
/// a device or what standard output already goes to, or `-`, the data goes there directly.
///
/// Everything here throws UsageError, in one line that names `path`. One at a time.
class OutputFile {
 public:
  explicit OutputFile(std::string path);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  /// Whether commit() replaces a file at once; else what is written is there as it is written.
  bool replaces() const { return !temporary_.empty(); }

  void write(std::span<const std::byte> bytes);
  void commit();

 private:
  Descriptor open();
  Descriptor create_temporary();
  [[noreturn]] void fail(int error) const;

  std::string path_;
  std::filesystem::path target_;     // what path_ means when its links are followed
  std::filesystem::path temporary_;  // empty where the data goes directly
  Descriptor file_;
};

}  // namespace fullconv::cli
