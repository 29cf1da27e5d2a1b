#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "descriptor.h"
#include "fullconv/view.h"

namespace fullconv::cli {

enum class Scalar { f32, f64 };

/// Calls body(float{}) or body(double{}).
template <class Body>
decltype(auto) with_scalar(Scalar scalar, const Body& body) {
  return scalar == Scalar::f32 ? body(float{}) : body(double{});
}

/// A NumPy .npy file of 2-D or 4-D float32 or float64 in C order, opened for reading; format
/// versions 1.0 to 3.0.
///
/// The reader is our own because it must be strict: common loaders do not notice truncated or
/// trailing data, a byte order that is not theirs, or a size that overflows, and allocate what the
/// header claims.
///
/// Everything here throws UsageError, in one line that names the file.
class NpyReader {
 public:
  /// Opens `path`, which may be a pipe, and reads the header. A regular file must be of the size
  /// that the header implies.
  explicit NpyReader(std::string path);

  const std::string& path() const { return path_; }
  Scalar scalar() const { return scalar_; }
  const std::vector<index_t>& shape() const { return shape_; }
  index_t elements() const { return elements_; }

  /// The elements, once. T must be what scalar() says, and the caller has made sure that they fit
  /// into memory; pages are touched only as data arrives.
  template <class T>
  std::vector<T> read();

  /// The same piece by piece: the next elements, or none of them that are kept; at the end
  /// expect_end().
  template <class T>
  void read(std::span<T> values);
  template <class T>
  void skip(index_t count);
  void expect_end();

 private:
  std::string read_header();
  void parse_header(const std::string& header);
  void set_scalar(const std::string& descr);
  void set_shape(std::vector<index_t> shape);
  std::size_t claimed_bytes() const;
  void expect_file_size() const;
  std::size_t read_some(std::span<std::byte> bytes);
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  Descriptor file_;
  std::size_t header_bytes_ = 0;
  std::size_t read_bytes_ = 0;  // of the elements
  Scalar scalar_{};
  std::vector<index_t> shape_;
  index_t elements_ = 0;
};

/// What precedes the elements in a .npy file: format version 1.0, padded so that they are aligned
/// to 64 bytes.
std::string npy_header(Scalar scalar, const std::vector<index_t>& shape);

/// "(3, 4)", as Python writes it.
std::string to_string(const std::vector<index_t>& shape);

}  // namespace fullconv::cli
