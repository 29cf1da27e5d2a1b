#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "descriptor.h"
#include "fullconv/view.h"

namespace fullconv::cli {

/// What is computed with.
enum class Scalar { f32, f64 };

/// The type of the elements of a file.
struct ElementType {
  enum Kind { boolean, integer, floating };
  Kind kind;
  bool is_signed;
  std::size_t bytes;
  bool big_endian;
};

/// The type of an element in memory, as this program writes it.
constexpr ElementType element_type(Scalar scalar) {
  return {ElementType::floating, true, scalar == Scalar::f32 ? sizeof(float) : sizeof(double),
          false};
}

/// As NumPy calls it: "uint8".
std::string to_string(const ElementType& type);

/// What operands of these types are computed with: the result type of NumPy's rules where that is
/// float32 or float64, float32 where it is float16, and float64 where both hold integers, so that
/// sums below 2⁵³ are exact.
Scalar common_scalar(const ElementType& a, const ElementType& b);

/// Calls body(float{}) or body(double{}).
template <class Body>
decltype(auto) with_scalar(Scalar scalar, const Body& body) {
  return scalar == Scalar::f32 ? body(float{}) : body(double{});
}

/// A NumPy .npy file of real numbers, opened for reading: bool, integers, float16, float32 or
/// float64 of either byte order, in C or in Fortran order; format versions 1.0 to 3.0.
///
/// The reader is our own because it must be strict: common loaders do not notice truncated or
/// trailing data or a size that overflows, and allocate what the header claims.
///
/// Everything here throws UsageError, in one line that names the file.
class NpyReader {
 public:
  /// Opens `path`, which may be a pipe, or `-` for standard input, and reads the header. A regular
  /// file must be of the size that the header implies.
  explicit NpyReader(const std::string& path);

  /// The path, or "standard input".
  const std::string& name() const { return name_; }
  const ElementType& type() const { return type_; }
  const std::vector<index_t>& shape() const { return shape_; }
  /// How many elements lie between neighbours along each axis, in the order of the file.
  std::vector<index_t> strides() const;

  /// The elements in the order of the file, once, rounded to T where it has fewer digits. The
  /// caller has made sure that they fit into memory; pages are touched only as data arrives.
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
  void set_type(const std::string& descr);
  void set_shape(std::vector<index_t> shape);
  std::size_t claimed_bytes() const;
  void expect_file_size() const;
  std::size_t read_some(std::span<std::byte> bytes);
  [[noreturn]] void fail(const std::string& what) const;

  std::string name_;
  Descriptor file_;
  ElementType type_{};
  bool fortran_order_ = false;
  std::size_t read_bytes_ = 0;  // of the elements
  std::vector<index_t> shape_;
  index_t elements_ = 0;
};

/// What precedes the elements in a .npy file: format version 1.0, padded so that they are aligned
/// to 64 bytes.
std::string npy_header(Scalar scalar, const std::vector<index_t>& shape);

/// What a file holds, fit for an error message.
std::string shortened(std::string text);

/// "(3, 4)", as Python writes it.
std::string to_string(const std::vector<index_t>& shape);

}  // namespace fullconv::cli
