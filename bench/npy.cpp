#include "npy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "errors.h"

namespace fullconv::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are read as they lie");

constexpr std::string_view kMagic = "\x93NUMPY";

/// Far above what four extents and a scalar need; only structured types have more to say.
constexpr std::size_t kLongestHeader = 1 << 16;

constexpr std::string_view kExpectedScalar = "expected '<f4' (float32) or '<f8' (float64)";

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

/// What a user would call a type that is not ours.
std::string_view type_name(std::string_view descr) {
  if (descr.starts_with('[')) return "structured";
  if (descr == ">f4" || descr == ">f8") return "big-endian";
  if (descr.size() < 2) return "unknown";
  const std::string_view size = descr.substr(2);
  switch (descr[1]) {
    case 'f':
      return size == "2" ? "half precision" : "long double";
    case 'i':
    case 'u':
      return "integer";
    case 'c':
      return "complex";
    case 'b':
      return "boolean";
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

/// What a file holds, fit for an error message.
std::string excerpt(std::string text) {
  constexpr std::size_t kEnough = 60;
  if (text.size() > kEnough) text.replace(kEnough, text.npos, "...");
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < ' ' || c > '~'; }, '?');
  return text;
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

NpyReader::NpyReader(std::string path)
    : path_(std::move(path)), file_(open_for_reading(path_.c_str())) {
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
  header_bytes_ = start.size() + length_field.size() + length;
  return header;
}

void NpyReader::parse_header(const std::string& text) {
  const std::optional<Header> header = HeaderParser(text).header();
  if (!header) {
    fail(fmt::format("has a garbled header \"{}\": expected descr, fortran_order and shape",
                     excerpt(text)));
  }
  set_scalar(*header->descr);
  set_shape(*header->shape);
  if (*header->fortran_order) {
    fail("is in Fortran order: expected C order, as numpy.ascontiguousarray gives");
  }
}

void NpyReader::set_scalar(const std::string& descr) {
  if (descr == "<f4") {
    scalar_ = Scalar::f32;
  } else if (descr == "<f8") {
    scalar_ = Scalar::f64;
  } else {
    fail(fmt::format("has dtype '{}' ({}): {}", excerpt(descr), type_name(descr), kExpectedScalar));
  }
}

void NpyReader::set_shape(std::vector<index_t> shape) {
  if (shape.size() != 2 && shape.size() != 4) {
    fail(fmt::format("is {}-D with shape {}: expected 2-D or 4-D", shape.size(),
                     excerpt(to_string(shape))));
  }
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
  return static_cast<std::size_t>(elements_) *
         with_scalar(scalar_, [](auto zero) { return sizeof(zero); });
}

void NpyReader::expect_file_size() const {
  struct stat status {};
  if (::fstat(file_.number(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  const auto size = static_cast<std::size_t>(status.st_size);
  const std::size_t has = size - std::min(size, header_bytes_);
  const std::size_t claimed = claimed_bytes();
  if (has != claimed) {
    fail(fmt::format("has {} data, {} bytes: expected {} for shape {}",
                     has < claimed ? "truncated" : "trailing", has, claimed, to_string(shape_)));
  }
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
  const std::span bytes = std::as_writable_bytes(values);
  const std::size_t got = read_some(bytes);
  read_bytes_ += got;
  if (got < bytes.size()) {
    fail(fmt::format("has truncated data, {} bytes: expected {} for shape {}", read_bytes_,
                     claimed_bytes(), to_string(shape_)));
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

void NpyReader::fail(const std::string& what) const { throw file_error(path_, what); }

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
