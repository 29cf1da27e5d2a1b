#include "fullconv/problem.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>

namespace fullconv {
namespace {

/// Whether the product of `factors`, all at least 1, is at most `limit`.
template <class... Factors>
bool product_fits(std::int64_t limit, Factors... factors) {
  return ((limit /= factors, limit > 0) && ...);
}

/// Reads `8x8_k5x5` piece by piece; errors name the whole text.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text), rest_(text) {}

  bool skip(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  void expect(std::string_view token) {
    if (!skip(token)) fail();
  }

  index_t size() {
    index_t value = 0;
    const auto [end, error] = std::from_chars(rest_.begin(), rest_.end(), value);
    // One spelling for one problem: no sign, no leading zero.
    if (error != std::errc{} || rest_[0] == '-' || (rest_[0] == '0' && end != rest_.begin() + 1)) {
      fail();
    }
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.begin()));
    return value;
  }

  void expect_end() {
    if (!rest_.empty()) fail();
  }

 private:
  [[noreturn]] void fail() const {
    std::string shown(text_);
    // One line, whatever was given.
    std::ranges::replace_if(
        shown, [](unsigned char c) { return c < ' ' || c == 127; }, '?');
    throw std::invalid_argument("malformed problem '" + shown +
                                "': expected something like 8x8_k5x5 or n8_i64_o32_56x56_k3x3");
  }

  std::string_view text_;
  std::string_view rest_;
};

}  // namespace

namespace {

[[noreturn]] void refuse(const Problem& problem, const std::string& reason) {
  std::string text = "problem '";
  text += to_string(problem);
  text += "' ";
  text += reason;
  throw std::invalid_argument(text);
}

/// `name` = `value`, which must be at least `least`.
void require_at_least(const Problem& problem, const char* name, index_t value, index_t least) {
  if (value >= least) return;
  refuse(problem, "has " + std::string(name) + " of " + std::to_string(value) +
                      ": it must be at least " + std::to_string(least));
}

/// One axis of a problem.
struct Axis {
  const char* name;  ///< what it counts
  index_t size, taps, stride, dilation, before, after, output_padding;
};

/// Demands an output, and less output padding than a forward layer could have left over.
void require_outputs(const Problem& problem, const Axis& axis) {
  constexpr auto most = std::numeric_limits<index_t>::max();
  const index_t gaps = axis.size - 1, kernel_gaps = axis.taps - 1;
  const bool fits = (gaps == 0 || axis.stride <= most / 4 / gaps) &&
                    (kernel_gaps == 0 || axis.dilation <= most / 4 / kernel_gaps) &&
                    axis.before <= most / 4 && axis.after <= most / 4 &&
                    axis.output_padding <= most / 4;
  if (!fits) refuse(problem, "is too large: its sizes overflow 64 bits");
  if (axis.output_padding >= std::max(axis.stride, axis.dilation)) {
    refuse(problem, "has an output padding of " + std::to_string(axis.output_padding) + " " +
                        axis.name + ": it must be less than stride or dilation");
  }
  const index_t outputs = gaps * axis.stride + kernel_gaps * axis.dilation + 1 - axis.before -
                          axis.after + axis.output_padding;
  if (outputs < 1) {
    refuse(problem, "has no output " + std::string(axis.name) + ": the padding leaves out all");
  }
}

}  // namespace

void validate(const Problem& problem) {
  const Problem& p = problem;
  for (const index_t size : {p.N, p.K, p.C, p.H, p.W, p.h, p.w}) {
    if (size < 1) {
      refuse(problem, "has a size of " + std::to_string(size) + ": every size must be at least 1");
    }
  }
  for (const index_t side : {p.padding.top, p.padding.left, p.padding.bottom, p.padding.right}) {
    require_at_least(problem, "a padding", side, 0);
  }
  for (const index_t step : {p.stride.y, p.stride.x}) {
    require_at_least(problem, "a stride", step, 1);
  }
  for (const index_t step : {p.dilation.y, p.dilation.x}) {
    require_at_least(problem, "a dilation", step, 1);
  }
  for (const index_t beside : {p.output_padding.y, p.output_padding.x}) {
    require_at_least(problem, "an output padding", beside, 0);
  }
  if (p.groups < 1)
    refuse(problem, "has " + std::to_string(p.groups) + " groups: at least 1 is due");
  for (const auto& [channels, tensor] : {std::pair(p.K, 'x'), std::pair(p.C, 'y')}) {
    if (channels % p.groups != 0) {
      refuse(problem, "has " + std::to_string(p.groups) + " groups, which do not divide the " +
                          std::to_string(channels) + " channels of " + tensor);
    }
  }
  require_outputs(problem, {"rows", p.H, p.h, p.stride.y, p.dilation.y, p.padding.top,
                            p.padding.bottom, p.output_padding.y});
  require_outputs(problem, {"columns", p.W, p.w, p.stride.x, p.dilation.x, p.padding.left,
                            p.padding.right, p.output_padding.x});
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  constexpr auto most_elements = most / static_cast<std::int64_t>(sizeof(double));
  const index_t group_channels = p.C / p.groups;
  // The full output, of which y may be a part: algorithms may compute it whole.
  const bool fits = product_fits(most, p.H, p.W, p.h, p.w, p.N, p.K, group_channels) &&
                    product_fits(most_elements, p.N, p.K, p.H, p.W) &&
                    product_fits(most_elements, p.K, group_channels, p.h, p.w) &&
                    product_fits(most_elements, p.N, p.C, p.full_rows() + p.output_padding.y,
                                 p.full_columns() + p.output_padding.x);
  if (!fits) refuse(problem, "is too large: its sizes overflow 64 bits");
}

std::string to_string(const Problem& problem) {
  const Problem neutral;
  std::string text;
  const auto append = [&](const char* tag, index_t size) {
    text += tag;
    text += std::to_string(size);
  };
  const auto append_both = [&](const char* tag, PerAxis sizes) {
    append(tag, sizes.y);
    append("x", sizes.x);
  };
  if (problem.N != 1 || problem.K != 1 || problem.C != 1) {
    append("n", problem.N);
    append("_i", problem.K);
    append("_o", problem.C);
    text += '_';
  }
  append_both("", {problem.H, problem.W});
  append_both("_k", {problem.h, problem.w});
  if (problem.padding != neutral.padding) {
    append_both("_p", {problem.padding.top, problem.padding.left});
    append_both("x", {problem.padding.bottom, problem.padding.right});
  }
  if (problem.stride != neutral.stride) append_both("_s", problem.stride);
  if (problem.dilation != neutral.dilation) append_both("_d", problem.dilation);
  if (problem.groups != neutral.groups) append("_g", problem.groups);
  if (problem.output_padding != neutral.output_padding) {
    append_both("_op", problem.output_padding);
  }
  return text;
}

Problem parse_problem(std::string_view text) {
  Reader reader(text);
  Problem problem;
  const auto read_both = [&reader](index_t& rows, index_t& columns) {
    rows = reader.size();
    reader.expect("x");
    columns = reader.size();
  };
  if (reader.skip("n")) {
    problem.N = reader.size();
    reader.expect("_i");
    problem.K = reader.size();
    reader.expect("_o");
    problem.C = reader.size();
    reader.expect("_");
  }
  read_both(problem.H, problem.W);
  reader.expect("_k");
  read_both(problem.h, problem.w);
  if (reader.skip("_p")) {
    read_both(problem.padding.top, problem.padding.left);
    reader.expect("x");
    read_both(problem.padding.bottom, problem.padding.right);
  }
  if (reader.skip("_s")) read_both(problem.stride.y, problem.stride.x);
  if (reader.skip("_d")) read_both(problem.dilation.y, problem.dilation.x);
  if (reader.skip("_g")) problem.groups = reader.size();
  if (reader.skip("_op")) read_both(problem.output_padding.y, problem.output_padding.x);
  reader.expect_end();
  validate(problem);
  return problem;
}

}  // namespace fullconv
