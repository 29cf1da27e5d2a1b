#include "mutants/search.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "mutants/patterns.h"

namespace fullconv::testing {
namespace {

/// |x| and |k|, without what is not finite: the products' sizes, for bounds.
Operands<double> absolute(Operands<double> operands) {
  for (auto* values : {&operands.x, &operands.k}) {
    for (double& value : *values) value = std::isfinite(value) ? std::abs(value) : 0;
  }
  return operands;
}

}  // namespace

Search::Search(const Operands<double>& operands, const OwnResult& result, const Truth& truth,
               const std::vector<char>& wrong)
    : operands_(operands),
      absolute_(absolute(operands)),
      problem_(operands.problem),
      result_(result),
      truth_(truth),
      wrong_(wrong),
      same_extents_(result.extents == problem_.y_extents()),
      candidates_(candidates(problem_, result.extents)) {
  take_samples();
}

std::vector<Explanation> Search::find_exact() {
  widened_ = false;
  const auto found = find_known();
  return found ? explained(*found) : std::vector<Explanation>{};
}

std::vector<Explanation> Search::find() {
  if (auto exact = find_exact(); !exact.empty()) return exact;
  widened_ = true;
  if (const auto found = find_known()) return explained(*found);
  if (const auto found = find_changed(definition(problem_))) return explained(*found);
  if (same_extents_) {
    if (auto alike = all_alike(result_, wrong_)) return {*alike};
    if (auto lines = wrong_lines(result_, wrong_)) return {*lines};
    if (auto converted = conversion(result_, truth_)) {
      converted->outputs = wrong_outputs();
      return {*converted};
    }
  }
  for (const Candidate& candidate : correlations(problem_)) {
    if (same_extents_ && is(candidate)) return explained(candidate);
    if (const auto found = find_changed(candidate)) return explained(*found);
  }
  for (const Candidate& candidate : candidates_) {
    if (const auto found = find_scaled(candidate)) return explained(*found);
  }
  if (const auto found = find_coarse()) return explained(*found);
  if (!same_extents_) return {};
  if (auto several = find_several(); !several.empty()) return several;
  if (auto lost = not_finite(result_, wrong_)) return {*lost};
  return {};
}

Output Search::output(std::size_t place) const { return output_at(result_.extents, place); }

std::size_t Search::place_of(const Output& o) const {
  const auto& [N, C, I, J] = result_.extents;
  return static_cast<std::size_t>(((o.n * C + o.c) * I + o.i) * J + o.j);
}

double Search::products() const {
  const Problem& p = problem_;
  return static_cast<double>(p.K / p.groups) * static_cast<double>(p.h * p.w);
}

std::size_t Search::wrong_outputs() const {
  return static_cast<std::size_t>(std::ranges::count(wrong_, 1));
}

/// Corners, and as many wrong outputs as right ones.
void Search::take_samples() {
  constexpr double kMostWork = 2e6;
  const auto most = static_cast<std::size_t>(std::clamp(kMostWork / products(), 64.0, 512.0));
  std::vector<std::size_t> all(size());
  std::iota(all.begin(), all.end(), 0);
  if (all.size() <= most) {
    samples_ = all;
    return;
  }
  std::mt19937_64 engine(23);
  std::ranges::shuffle(all, engine);
  std::ranges::stable_partition(all, [&](std::size_t place) { return wrong_[place] != 0; });
  const auto half = static_cast<std::ptrdiff_t>(most / 2);
  samples_.assign(all.begin(), all.begin() + half);
  samples_.insert(samples_.end(), all.end() - half, all.end());
  const auto& [N, C, I, J] = result_.extents;
  for (const index_t i : {index_t{0}, I - 1})
    for (const index_t j : {index_t{0}, J - 1}) samples_.push_back(place_of({N - 1, C - 1, i, j}));
}

Search::Evaluation Search::evaluate(const Candidate& candidate,
                                    std::span<const std::size_t> places) const {
  std::vector<Output> outputs;
  Evaluation found;
  for (const std::size_t place : places) {
    outputs.push_back(output(place));
    found.values.push_back(result_.values[place]);
  }
  candidate.values_at(operands_, outputs, found.values);
  found.bounds.assign(places.size(), 0);
  candidate.values_at(absolute_, outputs, found.bounds);
  // Of the candidate's own sums, too.
  const double own_unit = 2 * truth_.sum_unit(0);
  const double unit = 2 * candidate.operand_unit +
                      candidate.slack * (truth_.sum_unit(candidate.unit) + truth_.sum_unit(0));
  const std::size_t planes = static_cast<std::size_t>(result_.extents[0] * result_.extents[1]);
  for (std::size_t i = 0; i < places.size(); ++i) {
    double& value = found.values[i];
    double& bound = found.bounds[i];
    bound = std::isnan(bound) ? 0 : std::abs(bound);
    // What is read from beyond the operands cannot be known.
    if (std::isnan(value) && truth_.finite_operands()) {
      value = result_.values[places[i]];
      bound = 0;
    }
    found.computed.push_back(bound > 0 ? 1 : 0);
    found.known = found.known || bound > 0;
    if (!found.differs) {
      // What is not computed is the result's own, and may be as far from the truth as that.
      const double most = bound > 0 ? own_unit * bound : truth_.widest(places[i]);
      found.differs = !same_extents_ || !(truth_.error(places[i], value, most) <= 1);
    }
    bound = unit * bound + candidate.output_unit * std::abs(found.values[i]) + truth_.absolute();
    if (widened_) bound += 2 * truth_.normwise(places[i] / (size() / planes));
  }
  return found;
}

bool Search::is_close(std::size_t place, double value, double bound) const {
  const double mine = result_.values[place];
  // The bound of what is infinite is infinite, too.
  return mine == value || (std::isfinite(value) && std::abs(mine - value) <= bound) ||
         (std::isnan(mine) && std::isnan(value));
}

/// Calls visit(places) with all outputs piece by piece, or with as many as a second is enough for,
/// until it returns false.
template <class Visit>
bool Search::for_all(const Visit& visit) const {
  constexpr std::size_t kPiece = 1 << 15;
  constexpr double kMostWork = 1e8;
  const auto step = static_cast<std::size_t>(
      std::max(1.0, std::ceil(static_cast<double>(size()) * products() / kMostWork)));
  std::vector<std::size_t> places;
  for (std::size_t place = 0; place < size(); place += step) {
    places.push_back(place);
    if (places.size() < kPiece && place + step < size()) continue;
    if (!visit(std::span<const std::size_t>(places))) return false;
    places.clear();
  }
  return true;
}

bool Search::is(const Candidate& candidate) const {
  const auto accounts_for = [&](std::span<const std::size_t> places, const Evaluation& found) {
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (!is_close(places[i], found.values[i], found.bounds[i])) return false;
    }
    return true;
  };
  const Evaluation sampled = evaluate(candidate, samples_);
  if (!sampled.known || !accounts_for(samples_, sampled)) return false;
  bool differs = sampled.differs;
  return for_all([&](std::span<const std::size_t> places) {
           const Evaluation some = evaluate(candidate, places);
           differs = differs || some.differs;
           return accounts_for(places, some);
         }) &&
         (differs || (widened_ && candidate.output_unit > 0));
}

std::vector<Explanation> Search::explained(const Candidate& candidate) const {
  std::vector<Explanation> all;
  for (const Mistake& mistake : candidate.mistakes) all.push_back({mistake, wrong_outputs()});
  return all;
}

std::optional<Candidate> Search::find_known() const {
  for (const Candidate& candidate : candidates_) {
    if (is(candidate)) return candidate;
  }
  if (!same_extents_ || result_.type.is_integer()) return {};
  for (Candidate candidate : roundings(problem_, result_.type.unit)) {
    // Nothing but operands was rounded where all else is as exact as the result's type.
    if (!widened_) candidate.unit = candidate.output_unit = 0;
    if (is(candidate)) return candidate;
  }
  return {};
}

/// A candidate of whose outputs something is done.
std::optional<Candidate> Search::find_changed(const Candidate& candidate) const {
  if (same_extents_) {
    if (auto found = find_scaled(candidate)) return found;
    if (auto found = find_rolled(candidate)) return found;
  }
  if (auto found = find_turned(candidate)) return found;
  return find_placed(candidate);
}

/// By how much, in the sense of least squares.
std::optional<Candidate> Search::find_scaled(const Candidate& candidate) const {
  const Evaluation is_now = evaluate(candidate, samples_);
  // Squares overflow and underflow unless they are those of numbers about 1.
  double largest = 0;
  for (const double value : is_now.values) largest = std::max(largest, std::abs(value));
  double product = 0, square = 0;
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    const double value = is_now.values[i] / largest;
    product += result_.values[samples_[i]] / largest * value;
    square += value * value;
  }
  const double factor = product / square;
  if (!std::isfinite(factor) || factor == 0 || std::abs(factor - 1) < 1e-9) return {};
  if (samples_.size() < 2) return {};
  Candidate found = scaled(candidate, factor, factor_mistake(factor));
  if (is(found)) return found;
  return {};
}

Mistake Search::factor_mistake(double factor) const {
  const auto is = [&](double other) { return std::abs(factor / other - 1) < 1e-6; };
  const double taps = static_cast<double>(problem_.h * problem_.w);
  if (is(1 / taps) || is(1 / (taps * static_cast<double>(problem_.K)))) {
    return {"mean", "It is the mean of the products, where their sum is due (" + to_text(factor) +
                        " times)."};
  }
  const double sum = std::accumulate(operands_.k.begin(), operands_.k.end(), 0.0);
  if (sum != 0 && is(1 / sum)) {
    return {"normalised",
            "It is divided by the sum of the kernel (" + to_text(factor) + " times)."};
  }
  if (is(2)) return {"factor", "It is twice what it is to be: added up twice."};
  if (is(-1)) return {"factor", "Its sign is the wrong way round."};
  return {"factor", "It is " + to_text(factor) + " times what it is to be."};
}

/// The definition or a mistake, of which fewer digits are right than the result has.
std::optional<Candidate> Search::find_coarse() const {
  struct Precision {
    const char *name, *type;
    double unit;
  };
  static constexpr Precision kPrecisions[] = {{"precision_float32", "float32", 0x1p-24},
                                              {"precision_tf32", "TF32 or float16", 0x1p-11},
                                              {"precision_bfloat16", "bfloat16", 0x1p-8}};
  if (!same_extents_ || result_.type.is_integer()) return {};
  for (const auto& [name, type, unit] : kPrecisions) {
    if (unit <= result_.type.unit) continue;
    const Mistake mistake{name, std::string("It is right to the precision of ") + type + " only."};
    Candidate right = coarsened(definition(problem_), unit, mistake);
    if (is(right)) return right;
    for (const Candidate& candidate : correlations(problem_)) {
      Candidate found = coarsened(candidate, unit, mistake);
      if (is(found)) return found;
    }
  }
  return {};
}

/// Each for what the ones before leave.
std::vector<Explanation> Search::find_several() const {
  constexpr std::size_t kMost = 3;
  std::vector<Explanation> several;
  // Numbers that are rounded to integers are like many things by chance.
  if (truth_.absolute() >= 0.5) return several;
  std::vector<char> left = wrong_;
  const std::size_t all = wrong_outputs();
  std::vector<Candidate> known = candidates_;
  for (const Candidate& candidate : correlations(problem_)) known.push_back(candidate);
  while (several.size() < kMost) {
    const Candidate* best = nullptr;
    std::size_t most = 0;
    for (const Candidate& candidate : known) {
      const Evaluation is = evaluate(candidate, samples_);
      std::size_t count = 0;
      for (std::size_t i = 0; i < samples_.size(); ++i) {
        const std::size_t place = samples_[i];
        count +=
            left[place] != 0 && is.computed[i] != 0 && is_close(place, is.values[i], is.bounds[i])
                ? 1
                : 0;
      }
      if (count <= most) continue;
      best = &candidate;
      most = count;
    }
    if (best == nullptr) break;
    std::size_t count = 0;
    std::vector<char> next = left;
    for_all([&](std::span<const std::size_t> places) {
      const Evaluation is = evaluate(*best, places);
      for (std::size_t i = 0; i < places.size(); ++i) {
        if (left[places[i]] == 0 || is.computed[i] == 0 ||
            !is_close(places[i], is.values[i], is.bounds[i]))
          continue;
        next[places[i]] = 0;
        ++count;
      }
      return true;
    });
    // Few outputs are like many things by chance.
    if (20 * count < all) break;
    left = next;
    several.push_back({best->mistakes.front(), count});
    if (std::ranges::count(left, 1) == 0) break;
    if (const auto lines = wrong_lines(result_, left)) {
      several.push_back(*lines);
      return several;
    }
  }
  return several;
}

}  // namespace fullconv::testing
