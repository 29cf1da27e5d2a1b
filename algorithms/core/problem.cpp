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

/// Reads `8x8_k5x5` piece by piece; complains about the whole text.
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

void validate(const Problem& problem) {
  const auto& [N, K, C, H, W, h, w] = problem;
  for (const index_t size : {N, K, C, H, W, h, w}) {
    if (size < 1) {
      throw std::invalid_argument("problem '" + to_string(problem) + "' has a size of " +
                                  std::to_string(size) + ": every size must be at least 1");
    }
  }
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  constexpr auto most_elements = most / static_cast<std::int64_t>(sizeof(double));
  const bool fits = H <= most - h && W <= most - w && product_fits(most, H, W, h, w, N, K, C) &&
                    product_fits(most_elements, N, K, H, W) &&
                    product_fits(most_elements, K, C, h, w) &&
                    product_fits(most_elements, N, C, H + h - 1, W + w - 1);
  if (!fits) {
    throw std::invalid_argument("problem '" + to_string(problem) +
                                "' is too large: its sizes overflow 64 bits");
  }
}

std::string to_string(const Problem& problem) {
  const auto& [N, K, C, H, W, h, w] = problem;
  std::string text;
  const auto append = [&](const char* tag, index_t size) {
    text += tag;
    text += std::to_string(size);
  };
  if (N != 1 || K != 1 || C != 1) {
    append("n", N);
    append("_i", K);
    append("_o", C);
    text += '_';
  }
  append("", H);
  append("x", W);
  append("_k", h);
  append("x", w);
  return text;
}

Problem parse_problem(std::string_view text) {
  Reader reader(text);
  Problem problem;
  if (reader.skip("n")) {
    problem.N = reader.size();
    reader.expect("_i");
    problem.K = reader.size();
    reader.expect("_o");
    problem.C = reader.size();
    reader.expect("_");
  }
  problem.H = reader.size();
  reader.expect("x");
  problem.W = reader.size();
  reader.expect("_k");
  problem.h = reader.size();
  reader.expect("x");
  problem.w = reader.size();
  reader.expect_end();
  validate(problem);
  return problem;
}

}  // namespace fullconv
