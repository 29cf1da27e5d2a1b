#include "output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>

#include "errors.h"
#include "interruption.h"

namespace fullconv::cli {
namespace {

namespace fs = std::filesystem;

std::optional<struct stat> status_of(const char* path) {
  struct stat status {};
  if (::stat(path, &status) != 0) return {};
  return status;
}

bool is_standard_output(const struct stat& status) {
  struct stat output {};
  return ::fstat(STDOUT_FILENO, &output) == 0 && output.st_dev == status.st_dev &&
         output.st_ino == status.st_ino;
}

/// Also where the last link leads to nothing yet, unlike std::filesystem::canonical.
fs::path follow_links(fs::path path) {
  constexpr int kMostLinks = 40;
  std::error_code error;
  for (int links = 0; links < kMostLinks && fs::is_symlink(path, error); ++links) {
    path = path.parent_path() / fs::read_symlink(path);
  }
  return path;
}

}  // namespace

OutputFile::OutputFile(std::string path) : path_(std::move(path)), file_(open()) {}

OutputFile::~OutputFile() {
  if (temporary_.empty()) return;
  ::unlink(temporary_.c_str());
  remove_when_interrupted(nullptr);
}

Descriptor OutputFile::open() {
  if (path_ == kStandardStream) {
    path_ = "standard output";
    return Descriptor(::dup(STDOUT_FILENO));
  }
  const std::optional<struct stat> status = status_of(path_.c_str());
  if (!status && errno != ENOENT) fail(errno);
  // If a file that standard output is redirected to were opened again, it would be written from its
  // start.
  if (status && is_standard_output(*status)) return Descriptor(::dup(STDOUT_FILENO));
  if (status && !S_ISREG(status->st_mode)) {
    Descriptor direct(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
    if (!direct.valid()) fail(errno);
    return direct;
  }

  // Renaming does not check whether the file that it replaces may be written.
  if (status && ::access(path_.c_str(), W_OK) != 0) fail(errno);
  target_ = follow_links(path_);
  Descriptor created = create_temporary();
  if (status) ::fchmod(created.number(), status->st_mode & 07777);
  return created;
}

Descriptor OutputFile::create_temporary() {
  if (!target_.has_filename()) fail(ENOENT);
  for (int attempt = 0;; ++attempt) {
    // Not named after the target, whose name may already be as long as a name can be.
    const fs::path path =
        target_.parent_path() / fmt::format(".fullconv-{}-{}.tmp", ::getpid(), attempt);
    const InterruptionWaits until_it_is_known;
    // Unlike mkstemp, this leaves the permissions to the umask.
    Descriptor created(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (created.valid()) {
      temporary_ = path;
      remove_when_interrupted(temporary_.c_str());
      return created;
    }
    if (errno != EEXIST) fail(errno);
  }
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.number(), bytes.data(), bytes.size());
    if (written >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      fail(errno);
    }
  }
}

void OutputFile::commit() {
  if (!file_.close()) fail(errno);
  if (temporary_.empty()) return;
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(errno);
  remove_when_interrupted(nullptr);
  temporary_.clear();
}

void OutputFile::fail(int error) const {
  throw file_error(path_, fmt::format("cannot be written: {}: expected a path in a writable "
                                      "directory with room for the output",
                                      system_message(error)));
}

}  // namespace fullconv::cli
