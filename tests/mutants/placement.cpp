// Results that have the right outputs in another place.

#include <algorithm>
#include <cmath>
#include <functional>

#include "mutants/search.h"

namespace fullconv::testing {
namespace {

std::string pair_text(index_t a, index_t b) {
  return std::string("(").append(std::to_string(a)) + ", " + std::to_string(b) + ")";
}

}  // namespace

/// Some outputs of a candidate that are largest among those on a grid.
std::vector<Search::Anchor> Search::anchors(const Candidate& candidate, index_t rows,
                                            index_t columns) const {
  constexpr index_t kGrid = 9;
  constexpr std::size_t kMost = 24;
  std::vector<Output> outputs;
  for (index_t a = 1; a <= kGrid; ++a)
    for (index_t b = 1; b <= kGrid; ++b) {
      outputs.push_back({0, 0, a * rows / (kGrid + 1), b * columns / (kGrid + 1)});
    }
  std::vector<double> values(outputs.size()), magnitudes(outputs.size());
  candidate.values_at(operands_, outputs, values);
  candidate.values_at(absolute_, outputs, magnitudes);
  std::vector<Anchor> found;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const double bound =
        2 * truth_.sum_unit(0) * magnitudes[i] + truth_.absolute() + 2 * truth_.normwise(0);
    if (std::abs(values[i]) > 4 * bound) {
      found.push_back({outputs[i].i, outputs[i].j, values[i], bound});
    }
  }
  std::ranges::sort(found, std::greater{}, [](const Anchor& a) { return std::abs(a.value); });
  const auto same = [](const Anchor& a, const Anchor& b) { return a.i == b.i && a.j == b.j; };
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
  if (found.size() > kMost) found.resize(kMost);
  return found;
}

/// Offsets at which most anchors are found again, the shortest first.
template <class Place>
std::vector<Search::Offset> Search::offsets(const std::vector<Anchor>& anchors, Range rows,
                                            Range columns, const Place& place) const {
  constexpr std::size_t kMost = 6;
  std::vector<Offset> found;
  const std::size_t enough = std::min<std::size_t>(3, anchors.size());
  if (enough == 0) return found;
  for (index_t a = rows.begin; a < rows.end; ++a)
    for (index_t b = columns.begin; b < columns.end; ++b) {
      std::size_t matching = 0;
      bool all = true;
      for (const Anchor& anchor : anchors) {
        const std::optional<std::size_t> there = place(anchor, a, b);
        if (!there) continue;
        all = is_close(*there, anchor.value, anchor.bound);
        if (!all) break;
        ++matching;
      }
      if (all && matching >= enough) found.push_back({a, b});
    }
  std::ranges::sort(found, std::less{},
                    [](const Offset& o) { return std::abs(o.a) + std::abs(o.b); });
  if (found.size() > kMost) found.resize(kMost);
  return found;
}

std::optional<Candidate> Search::find_rolled(const Candidate& candidate) const {
  const index_t I = result_.extents[2], J = result_.extents[3];
  const auto place = [&](const Anchor& anchor, index_t a, index_t b) {
    return std::optional(place_of({0, 0, (anchor.i + a + I) % I, (anchor.j + b + J) % J}));
  };
  for (const auto& [a, b] : offsets(anchors(candidate, I, J), {(1 - I) / 2, I / 2 + 1},
                                    {(1 - J) / 2, J / 2 + 1}, place)) {
    if (a == 0 && b == 0) continue;
    const Origin from = [I, J, a = a, b = b](const Output& to, Output& source) {
      source = {to.n, to.c, (to.i - a + I) % I, (to.j - b + J) % J};
      return true;
    };
    Candidate found = moved(
        candidate, from, {"rolled", "It is rolled by " + pair_text(a, b) + " rows and columns."});
    if (is(found)) return found;
  }
  return {};
}

/// Another part of the candidate before padding, with zeros beyond.
std::optional<Candidate> Search::find_placed(const Candidate& candidate) const {
  if (!problem_.is_dense()) return {};
  if (result_.extents[0] != problem_.N || result_.extents[1] != problem_.C) return {};
  const auto& [top, left, bottom, right] = problem_.padding;
  const index_t F = problem_.full_rows(), G = problem_.full_columns();
  const index_t I = result_.extents[2], J = result_.extents[3];
  // The candidate takes outputs of y; those before and behind it exist, too.
  const auto from_offset = [=](index_t a, index_t b) -> Origin {
    return [=](const Output& to, Output& source) {
      const index_t i = to.i + a, j = to.j + b;
      source = {to.n, to.c, i - top, j - left};
      return 0 <= i && i < F && 0 <= j && j < G;
    };
  };
  const Candidate whole = moved(candidate, from_offset(0, 0), {"", ""});
  const auto place = [&](const Anchor& anchor, index_t a, index_t b) -> std::optional<std::size_t> {
    const index_t i = anchor.i - a, j = anchor.j - b;
    if (i < 0 || i >= I || j < 0 || j >= J) return {};
    return place_of({0, 0, i, j});
  };
  std::vector<Offset> likely = crops();
  for (const Offset& offset : offsets(anchors(whole, F, G), {1 - I, F}, {1 - J, G}, place)) {
    likely.push_back(offset);
  }
  for (const auto& [a, b] : likely) {
    if (same_extents_ && a == top && b == left) continue;
    Candidate found = moved(candidate, from_offset(a, b), placement({a, b}));
    if (is(found)) return found;
  }
  return {};
}

/// Offsets of the usual modes that a result of these extents may be of.
std::vector<Search::Offset> Search::crops() const {
  const Problem& p = problem_;
  const index_t I = result_.extents[2], J = result_.extents[3];
  std::vector<Offset> all;
  if (I == p.full_rows() && J == p.full_columns()) all.push_back({0, 0});
  if (I == p.H && J == p.W) {
    all.push_back({(p.h - 1) / 2, (p.w - 1) / 2});
    all.push_back({p.h / 2, p.w / 2});
  }
  if (I == std::abs(p.H - p.h) + 1 && J == std::abs(p.W - p.w) + 1) {
    all.push_back({std::min(p.H, p.h) - 1, std::min(p.W, p.w) - 1});
  }
  return all;
}

Mistake Search::placement(Offset offset) const {
  const auto& [a, b] = offset;
  const Problem& p = problem_;
  const index_t I = result_.extents[2], J = result_.extents[3];
  const index_t top = p.padding.top, left = p.padding.left;
  const bool of_image = I == p.H && J == p.W;
  const bool even = p.h % 2 == 0 || p.w % 2 == 0;
  const auto near = [](index_t at, index_t taps) { return at == (taps - 1) / 2 || at == taps / 2; };
  if (of_image && near(a, p.h) && near(b, p.w)) {
    const bool centred = a == (p.h - 1) / 2 && b == (p.w - 1) / 2;
    if (!same_extents_ && centred) return {"same_crop", "It is the crop of mode 'same'."};
    if (even) {
      return {"even_centre_off_by_one",
              "It is the crop of mode 'same', and the centre of the even kernel is off by one."};
    }
  }
  if (same_extents_) {
    return {"shifted", "It is shifted by " + pair_text(top - a, left - b) + " rows and columns."};
  }
  if (I == std::abs(p.H - p.h) + 1 && J == std::abs(p.W - p.w) + 1 && a == std::min(p.H, p.h) - 1 &&
      b == std::min(p.W, p.w) - 1) {
    return {"valid_crop", "It is the crop of mode 'valid'."};
  }
  if (I == p.full_rows() && J == p.full_columns() && a == 0 && b == 0) {
    return {"whole", "It is the full convolution, of which only a part is due."};
  }
  return {"crop", "It is another part of the full convolution, from row " + std::to_string(a) +
                      " and column " + std::to_string(b) + " on."};
}

/// Planes that are flipped or transposed.
std::optional<Candidate> Search::find_turned(const Candidate& candidate) const {
  const Extents y = problem_.y_extents();
  const index_t I = y[2], J = y[3];
  struct Turn {
    const char *name, *sentence;
    bool transposed, rows, columns;
  };
  static constexpr Turn kTurns[] = {
      {"transposed", "It is transposed.", true, false, false},
      {"rows_reversed", "Its rows are in reverse order.", false, true, false},
      {"columns_reversed", "Its columns are in reverse order.", false, false, true},
      {"rotated_by_180", "It is rotated by 180 degrees.", false, true, true},
      {"rotated_by_90", "It is rotated by 90 degrees.", true, true, false},
      {"rotated_by_90", "It is rotated by 90 degrees, clockwise.", true, false, true},
      {"transposed_and_rotated", "It is transposed and rotated by 180 degrees.", true, true, true}};
  for (const auto& [name, sentence, transposed, rows, columns] : kTurns) {
    const Extents due{y[0], y[1], transposed ? J : I, transposed ? I : J};
    if (result_.extents != due) continue;
    const Origin from = [=, transposed = transposed, rows = rows, columns = columns](
                            const Output& to, Output& source) {
      index_t i = rows ? due[2] - 1 - to.i : to.i, j = columns ? due[3] - 1 - to.j : to.j;
      if (transposed) std::swap(i, j);
      source = {to.n, to.c, i, j};
      return true;
    };
    Candidate found = moved(candidate, from, {name, sentence});
    if (is(found)) return found;
  }
  return {};
}

}  // namespace fullconv::testing
