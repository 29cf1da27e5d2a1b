#include "mutants/patterns.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>

namespace fullconv::testing {
namespace {

std::size_t count_wrong(const std::vector<char>& wrong) {
  return static_cast<std::size_t>(std::ranges::count(wrong, 1));
}

/// "3, 7": those that are not 0, not more than a dozen.
std::string list(const std::vector<std::size_t>& counts) {
  constexpr std::size_t kMost = 12;
  std::string text;
  std::size_t listed = 0;
  for (std::size_t line = 0; line < counts.size(); ++line) {
    if (counts[line] == 0) continue;
    if (++listed > kMost) return text + ", ...";
    text += (text.empty() ? "" : ", ") + std::to_string(line);
  }
  return text;
}

/// A number for each channel.
std::optional<Explanation> bias(const OwnResult& result, const Truth& truth) {
  const auto& [N, C, I, J] = result.extents;
  const auto plane = static_cast<std::size_t>(I * J);
  if (plane < 2) return {};
  const auto error = [&](std::size_t place) { return result.values[place] - truth.value(place); };
  for (std::size_t place = 0; place < result.values.size(); ++place) {
    const std::size_t first = place / plane % static_cast<std::size_t>(C) * plane;
    const double bound =
        truth.widest(place) + truth.widest(first) + 2 * truth.sum_unit(0) * std::abs(error(first));
    if (!(std::abs(error(place) - error(first)) <= bound)) return {};
  }
  return Explanation{
      {"constant_added", "A constant is added, " + to_text(error(0)) +
                             (C > 1 ? " in channel 0" : "") + ": a bias, or what y held before."},
      result.values.size()};
}

}  // namespace

std::string to_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::optional<Explanation> wrong_lines(const OwnResult& result, const std::vector<char>& wrong) {
  struct Axis {
    const char* name;
    std::size_t axis;
  };
  static constexpr Axis kAxes[] = {{"rows", 2}, {"columns", 3}, {"channels", 1}, {"images", 0}};
  bool zero = true, unwritten = true;
  for (std::size_t place = 0; place < wrong.size(); ++place) {
    if (wrong[place] == 0) continue;
    zero = zero && result.values[place] == 0;
    unwritten = unwritten && std::isnan(result.values[place]);
  }
  const std::size_t count = count_wrong(wrong);
  for (const auto& [name, axis] : kAxes) {
    std::vector<std::size_t> wrong_of(static_cast<std::size_t>(result.extents[axis]));
    for (std::size_t place = 0; place < wrong.size(); ++place) {
      if (wrong[place] == 0) continue;
      const Output o = output_at(result.extents, place);
      const index_t at[] = {o.n, o.c, o.i, o.j};
      ++wrong_of[static_cast<std::size_t>(at[axis])];
    }
    const auto lines = wrong_of.size() - static_cast<std::size_t>(std::ranges::count(wrong_of, 0));
    const std::size_t outputs = wrong.size() / wrong_of.size();
    // Few of all there are, and at least half of each.
    if (lines == 0 || 3 * lines > wrong_of.size() || 2 * count < lines * outputs) continue;
    // "Rows 3, 7 are", "column 2 is"
    std::string which(name);
    if (lines == 1) which.pop_back();
    which[0] = static_cast<char>(std::toupper(which[0]));
    which += " " + list(wrong_of) + (lines == 1 ? " is " : " are ");
    const std::string missing = std::string(name) + "_missing";
    if (zero) return Explanation{{missing, which + "0: missing."}, count};
    if (unwritten) return Explanation{{missing, which + "NaN: not written."}, count};
    return Explanation{{std::string(name) + "_stale", which + "wrong, and nothing else: stale."},
                       count};
  }
  return {};
}

std::optional<Explanation> all_alike(const OwnResult& result, const std::vector<char>& wrong) {
  const double first = result.values.front();
  for (const double value : result.values) {
    if (value != first && !(std::isnan(value) && std::isnan(first))) return {};
  }
  return Explanation{{"all_alike", "All outputs are " + to_text(first) + ": nothing was written."},
                     count_wrong(wrong)};
}

std::optional<Explanation> not_finite(const OwnResult& result, const std::vector<char>& wrong) {
  for (std::size_t place = 0; place < wrong.size(); ++place) {
    if (wrong[place] != 0 && std::isfinite(result.values[place])) return {};
  }
  return Explanation{
      {"not_finite",
       "It is NaN or infinite where the definition is a number, and right elsewhere."},
      count_wrong(wrong)};
}

std::optional<Explanation> conversion(const OwnResult& result, const Truth& truth) {
  struct Conversion {
    Mistake mistake;
    bool (*matches)(const ResultType& type, double mine, double y, double bound);
  };
  static const Conversion kOfIntegers[] = {
      {{"saturated", "It is limited to the range of its type."},
       [](const ResultType& type, double mine, double y, double bound) {
         return std::abs(mine - std::clamp(y, type.smallest, type.largest)) <= bound;
       }},
      {{"wrapped", "It is taken modulo the range of its type: an integer that is too narrow."},
       [](const ResultType& type, double mine, double y, double bound) {
         return std::abs(std::remainder(mine - y, type.largest - type.smallest + 1)) <= bound;
       }},
      {{"truncated", "Its digits behind the point are cut off, where they are to be rounded."},
       [](const ResultType&, double mine, double y, double bound) {
         return std::abs(mine - std::trunc(y)) <= bound && std::abs(mine - y) < 1 + bound;
       }}};
  if (result.type.is_integer()) {
    for (const auto& [mistake, matches] : kOfIntegers) {
      bool all = true;
      for (std::size_t i = 0; i < result.values.size() && all; ++i) {
        all = matches(result.type, result.values[i], truth.value(i), truth.widest(i));
      }
      if (all) return Explanation{mistake, result.values.size()};
    }
  }
  return bias(result, truth);
}

}  // namespace fullconv::testing
