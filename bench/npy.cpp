#include "npy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string_view>

#include "errors.h"

namespace fullconv::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are written as they lie");

constexpr std::string_view kMagic = "\x93NUMPY";

/// Far above what four extents and a scalar need; only structured types have more to say.
constexpr std::size_t kLongestHeader = 1 << 16;

constexpr std::string_view kExpectedType =
    "expected real numbers: bool, integers, float16, float32 or float64";

struct Header {
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<index_t>> shape;
};

/// Reads the Python dictionary that a header is. No value means that the text is not one.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : rest_(text) {}

  std::optional<Header> header() {
    Header header;
    if (!skip('{')) return {};
    while (!skip('}')) {
      if (!entry(header) || !(skip(',') || peek() == '}')) return {};
    }
    skip_spaces();
    if (!rest_.empty() || !header.descr || !header.fortran_order || !header.shape) return {};
    return header;
  }

 private:
  bool entry(Header& header) {
    const std::optional<std::string> key = string();
    if (!key || !skip(':')) return false;
    if (key == "descr") return take(header.descr, descr());
    if (key == "fortran_order") return take(header.fortran_order, boolean());
    if (key == "shape") return take(header.shape, tuple());
    return false;
  }

  /// False for a second value of the same key, too.
  template <class Value>
  static bool take(std::optional<Value>& member, std::optional<Value> value) {
    if (member || !value) return false;
    member = std::move(value);
    return true;
  }

  /// A type that is no string is a list of fields, which is kept as its text.
  std::optional<std::string> descr() {
    if (peek() != '[') return string();
    const std::size_t end = rest_.rfind(']');
    if (end == std::string_view::npos) return {};
    std::string fields(rest_.substr(0, end + 1));
    rest_.remove_prefix(end + 1);
    return fields;
  }

  std::optional<std::string> string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') return {};
    const std::size_t end = rest_.find(quote, 1);
    if (end == std::string_view::npos) return {};
    std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return text;
  }

  std::optional<bool> boolean() {
    if (skip("True")) return true;
    if (skip("False")) return false;
    return {};
  }

  std::optional<std::vector<index_t>> tuple() {
    std::vector<index_t> values;
    if (!skip('(')) return {};
    while (!skip(')')) {
      skip_spaces();
      index_t value = 0;
      const auto [end, error] = std::from_chars(rest_.begin(), rest_.end(), value);
      if (error == std::errc::result_out_of_range) {
        value = std::numeric_limits<index_t>::max();  // as good as any that does not fit
      } else if (error != std::errc{} || value < 0) {
        return {};
      }
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.begin()));
      if (rest_.starts_with('L')) rest_.remove_prefix(1);  // as Python 2 writes a long integer
      values.push_back(value);
      if (!skip(',') && peek() != ')') return {};
    }
    return values;
  }

  void skip_spaces() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
  }

  char peek() {
    skip_spaces();
    return rest_.empty() ? '\0' : rest_.front();
  }

  bool skip(char token) { return skip(std::string_view(&token, 1)); }

  bool skip(std::string_view token) {
    skip_spaces();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  std::string_view rest_;
};

/// A type that `descr` names, if its elements are real numbers. As NumPy takes it, '=' and '|' are
/// the byte order of this machine, and so is none.
std::optional<ElementType> parse_type(std::string_view descr) {
  using enum ElementType::Kind;
  bool big_endian = false;
  if (!descr.empty() && std::string_view("<>=|").find(descr.front()) != std::string_view::npos) {
    big_endian = descr.front() == '>';
    descr.remove_prefix(1);
  }
  if (descr == "?" || descr == "b1") return ElementType{boolean, false, 1, false};
  for (const std::size_t bytes : {1, 2, 4, 8}) {
    const std::string size = std::to_string(bytes);
    if (descr == "i" + size) return ElementType{integer, true, bytes, big_endian};
    if (descr == "u" + size) return ElementType{integer, false, bytes, big_endian};
    if (descr == "f" + size && bytes > 1) return ElementType{floating, true, bytes, big_endian};
  }
  return {};
}

/// What a user would call a type that is not taken.
std::string_view type_name(std::string_view descr) {
  if (descr.starts_with('[')) return "structured";
  if (!descr.empty() && std::string_view("<>=|").find(descr.front()) != std::string_view::npos) {
    descr.remove_prefix(1);
  }
  switch (descr.empty() ? '\0' : descr.front()) {
    case 'f':
      return descr == "f12" || descr == "f16" ? "long double" : "unknown";
    case 'c':
      return "complex";
    case 'O':
      return "Python objects";
    case 'S':
    case 'U':
    case 'a':
      return "text";
    case 'V':
      return "structured";
    case 'M':
    case 'm':
      return "time";
    default:
      return "unknown";
  }
}

/// The value of IEEE 754's binary16, which C++20 has no type for.
float half_precision(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
  float magnitude = std::ldexp(static_cast<float>(exponent > 0 ? fraction + 0x400 : fraction),
                               std::max(exponent, 1) - 25);
  if (exponent == 0x1f) {
    magnitude = fraction == 0 ? std::numeric_limits<float>::infinity()
                              : std::numeric_limits<float>::quiet_NaN();
  }
  return bits >> 15 != 0 ? -magnitude : magnitude;
}

/// Converts elements that lie in a file as values of E.
template <class E, class T, class Convert = std::identity>
void convert_from(std::span<const std::byte> bytes, bool swapped, std::span<T> values,
                  const Convert& convert = {}) {
  for (T& value : values) {
    std::array<std::byte, sizeof(E)> element;
    std::copy_n(bytes.begin(), sizeof(E), element.begin());
    bytes = bytes.subspan(sizeof(E));
    if (swapped) std::ranges::reverse(element);
    value = static_cast<T>(convert(std::bit_cast<E>(element)));
  }
}

template <class T>
void convert_elements(std::span<const std::byte> bytes, const ElementType& type,
                      std::span<T> values) {
  const bool swapped = type.big_endian;
  const auto integers = [&]<class Signed, class Unsigned>(Signed, Unsigned) {
    type.is_signed ? convert_from<Signed>(bytes, swapped, values)
                   : convert_from<Unsigned>(bytes, swapped, values);
  };
  switch (type.kind) {
    case ElementType::boolean:
      return convert_from<std::uint8_t>(bytes, swapped, values,
                                        [](std::uint8_t byte) { return byte != 0; });
    case ElementType::integer:
      if (type.bytes == 1) return integers(std::int8_t{}, std::uint8_t{});
      if (type.bytes == 2) return integers(std::int16_t{}, std::uint16_t{});
      if (type.bytes == 4) return integers(std::int32_t{}, std::uint32_t{});
      return integers(std::int64_t{}, std::uint64_t{});
    case ElementType::floating:
      if (type.bytes == 2)
        return convert_from<std::uint16_t>(bytes, swapped, values, half_precision);
      if (type.bytes == 4) return convert_from<float>(bytes, swapped, values);
      return convert_from<double>(bytes, swapped, values);
  }
}

/// An open() that also works where a signal interrupts it, as opening a pipe may be.
int open_for_reading(const char* path) {
  int number;
  do {
    number = ::open(path, O_RDONLY | O_CLOEXEC);
  } while (number < 0 && errno == EINTR);
  return number;
}

}  // namespace

NpyReader::NpyReader(const std::string& path)
    : name_(path == kStandardStream ? "standard input" : path),
      file_(path == kStandardStream ? ::dup(STDIN_FILENO) : open_for_reading(path.c_str())) {
  if (!file_.valid()) {
    fail("cannot be opened: " + system_message(errno) + ": expected a readable .npy file");
  }
  parse_header(read_header());
  expect_file_size();
}

std::string NpyReader::read_header() {
  // Magic, two bytes of version, two or four of header length.
  std::string start(kMagic.size() + 2, '\0');
  const std::size_t got = read_some(std::as_writable_bytes(std::span(start)));
  if (got < start.size() || !start.starts_with(kMagic)) {
    fail(got == 0 ? "is empty: expected a .npy file"
                  : "is not a .npy file: expected it to begin with \\x93NUMPY");
  }
  const int major = static_cast<unsigned char>(start[kMagic.size()]);
  const int minor = static_cast<unsigned char>(start[kMagic.size() + 1]);
  if (major < 1 || major > 3 || minor != 0) {
    fail(fmt::format("has .npy format version {}.{}: expected 1.0, 2.0 or 3.0", major, minor));
  }

  std::uint8_t length_bytes[4] = {};
  const std::span length_field = std::span(length_bytes).first(major == 1 ? 2 : 4);
  std::size_t length = 0;
  bool complete = read_some(std::as_writable_bytes(length_field)) == length_field.size();
  for (std::size_t i = 0; i < length_field.size(); ++i) {
    length |= std::size_t{length_field[i]} << (8 * i);
  }
  if (length > kLongestHeader) {
    fail(fmt::format("has a header of {} bytes: expected at most {}", length, kLongestHeader));
  }
  std::string header(length, '\0');
  complete = complete && read_some(std::as_writable_bytes(std::span(header))) == length;
  if (!complete) fail(fmt::format("ends within its header: expected {} bytes of it", length));
  return header;
}

void NpyReader::parse_header(const std::string& text) {
  const std::optional<Header> header = HeaderParser(text).header();
  if (!header) {
    fail(fmt::format("has a garbled header \"{}\": expected descr, fortran_order and shape",
                     shortened(text)));
  }
  set_type(*header->descr);
  set_shape(*header->shape);
  fortran_order_ = *header->fortran_order;
}

void NpyReader::set_type(const std::string& descr) {
  const std::optional<ElementType> type = parse_type(descr);
  if (!type) {
    fail(fmt::format("has dtype '{}' ({}): {}", shortened(descr), type_name(descr), kExpectedType));
  }
  type_ = *type;
}

void NpyReader::set_shape(std::vector<index_t> shape) {
  if (std::ranges::count(shape, 0) > 0) {
    fail("has shape " + to_string(shape) + ": expected every size to be at least 1");
  }
  index_t bytes = sizeof(double);
  for (const index_t size : shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) {
      fail("has shape " + to_string(shape) + ": expected a size that fits 64 bits");
    }
  }
  elements_ = bytes / static_cast<index_t>(sizeof(double));
  shape_ = std::move(shape);
}

std::size_t NpyReader::claimed_bytes() const {
  return static_cast<std::size_t>(elements_) * type_.bytes;
}

void NpyReader::expect_file_size() const {
  struct stat status {};
  if (::fstat(file_.number(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  const auto at = static_cast<std::size_t>(::lseek(file_.number(), 0, SEEK_CUR));
  const auto size = static_cast<std::size_t>(status.st_size);
  const std::size_t has = size - std::min(size, at);
  const std::size_t claimed = claimed_bytes();
  if (has != claimed) {
    fail(fmt::format("has {} data, {} bytes: expected {} for shape {}",
                     has < claimed ? "truncated" : "trailing", has, claimed, to_string(shape_)));
  }
}

std::vector<index_t> NpyReader::strides() const {
  std::vector<index_t> strides(shape_.size());
  index_t step = 1;
  for (std::size_t i = 0; i < shape_.size(); ++i) {
    const std::size_t axis = fortran_order_ ? i : shape_.size() - 1 - i;
    strides[axis] = step;
    step *= shape_[axis];
  }
  return strides;
}

template <class T>
std::vector<T> NpyReader::read() {
  constexpr std::size_t kAtOnce = (std::size_t{1} << 20) / sizeof(T);
  const auto count = static_cast<std::size_t>(elements_);
  std::vector<T> values;
  values.reserve(count);
  while (values.size() < count) {
    const std::size_t before = values.size();
    values.resize(std::min(count, before + kAtOnce));
    read(std::span(values).subspan(before));
  }
  expect_end();
  return values;
}

template <class T>
void NpyReader::read(std::span<T> values) {
  constexpr std::size_t kAtOnce = 1 << 16;  // elements
  std::vector<std::byte> room(std::min(values.size(), kAtOnce) * type_.bytes);
  while (!values.empty()) {
    const std::span<T> piece = values.first(std::min(values.size(), kAtOnce));
    const std::span<std::byte> bytes = std::span(room).first(piece.size() * type_.bytes);
    const std::size_t got = read_some(bytes);
    read_bytes_ += got;
    if (got < bytes.size()) {
      fail(fmt::format("has truncated data, {} bytes: expected {} for shape {}", read_bytes_,
                       claimed_bytes(), to_string(shape_)));
    }
    convert_elements<T>(bytes, type_, piece);
    values = values.subspan(piece.size());
  }
}

template <class T>
void NpyReader::skip(index_t count) {
  std::vector<T> room(static_cast<std::size_t>(std::min<index_t>(count, 1 << 16)));
  for (index_t left = count; left > 0; left -= static_cast<index_t>(room.size())) {
    room.resize(std::min(room.size(), static_cast<std::size_t>(left)));
    read(std::span(room));
  }
}

void NpyReader::expect_end() {
  if (std::byte extra; read_some({&extra, 1}) != 0) {
    fail(fmt::format("has trailing data: expected {} bytes for shape {}", claimed_bytes(),
                     to_string(shape_)));
  }
}

/// How much of `bytes` there was before the end of the file.
std::size_t NpyReader::read_some(std::span<std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file_.number(), bytes.data() + done, bytes.size() - done);
    if (got == 0) break;
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (errno != EINTR) {
      fail("cannot be read: " + system_message(errno) + ": expected a .npy file");
    }
  }
  return done;
}

void NpyReader::fail(const std::string& what) const { throw file_error(name_, what); }

std::string shortened(std::string text) {
  constexpr std::size_t kEnough = 60;
  if (text.size() > kEnough) text.replace(kEnough, text.npos, "...");
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

std::string to_string(const ElementType& type) {
  if (type.kind == ElementType::boolean) return "bool";
  const char* kind = type.kind == ElementType::floating ? "float" : type.is_signed ? "int" : "uint";
  return fmt::format("{}{}", kind, 8 * type.bytes);
}

Scalar common_scalar(const ElementType& a, const ElementType& b) {
  // float32 holds integers of up to two bytes.
  const auto fits_single = [](const ElementType& type) {
    return type.bytes <= (type.kind == ElementType::floating ? sizeof(float) : 2);
  };
  const bool floating = a.kind == ElementType::floating || b.kind == ElementType::floating;
  return floating && fits_single(a) && fits_single(b) ? Scalar::f32 : Scalar::f64;
}

std::string to_string(const std::vector<index_t>& shape) {
  return fmt::format("({}{})", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
}

std::string npy_header(Scalar scalar, const std::vector<index_t>& shape) {
  constexpr std::size_t kAlignment = 64;
  constexpr std::string_view kVersion{"\1\0", 2};
  const std::string dictionary =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
                  scalar == Scalar::f32 ? "<f4" : "<f8", to_string(shape));
  const std::size_t fixed = kMagic.size() + kVersion.size() + 2;
  const std::size_t total =
      (fixed + dictionary.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  const std::size_t length = total - fixed;

  std::string header{kMagic};
  header += kVersion;
  header += static_cast<char>(length & 0xff);
  header += static_cast<char>(length >> 8);
  header += dictionary;
  header.resize(total - 1, ' ');
  return header + '\n';
}

template std::vector<float> NpyReader::read();
template std::vector<double> NpyReader::read();
template void NpyReader::read(std::span<float>);
template void NpyReader::read(std::span<double>);
template void NpyReader::skip<float>(index_t);
template void NpyReader::skip<double>(index_t);

}  // namespace fullconv::cli
