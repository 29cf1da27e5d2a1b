#include "mutants/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace fullconv::testing {
namespace {

using At = Candidate::At;

void define(const Problem& problem, const Operands<double>& operands,
            std::span<const Output> outputs, std::span<double> values) {
  unmutated_layer().values_at(problem, operands.x_view(), operands.k_view(), outputs, values);
}

At by_definition(const Problem& problem) {
  return [problem](const Operands<double>& operands, std::span<const Output> outputs,
                   std::span<double> values) { define(problem, operands, outputs, values); };
}

/// A mutant is handed the image with a cell of NaN on either side, since some read beyond it.
At by(const Mutant& mutant) {
  return [values_at = mutant.values_at](const Operands<double>& operands,
                                        std::span<const Output> outputs, std::span<double> values) {
    std::vector<double> x{std::numeric_limits<double>::quiet_NaN()};
    x.insert(x.end(), operands.x.begin(), operands.x.end());
    x.push_back(std::numeric_limits<double>::quiet_NaN());
    values_at(operands.problem, {x.data() + 1, operands.problem.x_extents()}, operands.k_view(),
              outputs, values);
  };
}

/// Another candidate by operands of which something is changed.
At with(const At& at, const std::function<void(Operands<double>&)>& change) {
  return [at, change](const Operands<double>& operands, std::span<const Output> outputs,
                      std::span<double> values) {
    Operands<double> changed = operands;
    change(changed);
    at(changed, outputs, values);
  };
}

/// `plane` of so many columns with its rows, or columns, in reverse.
void reverse_rows(std::span<double> plane, index_t columns) {
  for (auto first = plane.begin(), last = plane.end(); last - first > columns; first += columns) {
    last -= columns;
    std::swap_ranges(first, first + columns, last);
  }
}

void reverse_columns(std::span<double> plane, index_t columns) {
  for (auto row = plane.begin(); row != plane.end(); row += columns) {
    std::reverse(row, row + columns);
  }
}

std::function<void(Operands<double>&)> unflipping(bool rows, bool columns) {
  return [rows, columns](Operands<double>& operands) {
    const Problem& p = operands.problem;
    const auto taps = static_cast<std::size_t>(p.h * p.w);
    for (std::size_t plane = 0; plane < operands.k.size(); plane += taps) {
      const std::span k(operands.k.data() + plane, taps);
      if (rows) reverse_rows(k, p.w);
      if (columns) reverse_columns(k, p.w);
    }
  };
}

const Mistake& sentence_of(std::string_view name) {
  static std::vector<Mistake> known = [] {
    std::vector<Mistake> all;
    for (const Mutant& mutant : dense_mutants()) {
      all.push_back({std::string(mutant.algorithm.name), std::string(mutant.algorithm.summary)});
    }
    return all;
  }();
  return *std::ranges::find(known, name, &Mistake::name);
}

/// `at` with the kernel the wrong way round, besides what else it is.
std::vector<Candidate> unflipped(const At& at, const std::vector<Mistake>& also) {
  std::vector<Candidate> all;
  const auto add = [&](const char* name, bool rows, bool columns) {
    std::vector<Mistake> mistakes{sentence_of(name)};
    mistakes.insert(mistakes.end(), also.begin(), also.end());
    all.push_back({std::move(mistakes), with(at, unflipping(rows, columns))});
  };
  add("kernel_flipped_in_both", true, true);
  add("kernel_flipped_in_rows", true, false);
  add("kernel_flipped_in_columns", false, true);
  return all;
}

void append(std::vector<Candidate>& all, std::vector<Candidate> more) {
  std::ranges::move(more, std::back_inserter(all));
}

void add_mutants(const Problem& problem, std::vector<Candidate>& all) {
  const auto add = [&](std::span<const Mutant> mutants) {
    for (const Mutant& mutant : mutants) {
      const auto& [name, summary] = std::pair{mutant.algorithm.name, mutant.algorithm.summary};
      all.push_back({{{std::string(name), std::string(summary)}}, by(mutant)});
    }
  };
  if (problem.is_dense()) add(dense_mutants());
  if (!problem.is_dense() || !problem.is_whole()) add(layer_mutants());
}

void add_channels(const Problem& problem, std::vector<Candidate>& all) {
  constexpr index_t kMost = 16;
  const index_t K = problem.K;
  if (K == 1) return;
  const auto change_image = [&](const char* name, const std::string& sentence,
                                const std::function<void(std::span<double>, index_t)>& change) {
    all.push_back(
        {{{name, sentence}}, with(by_definition(problem), [=](Operands<double>& operands) {
           const Problem& p = operands.problem;
           const auto size = static_cast<std::size_t>(p.K * p.H * p.W);
           for (std::size_t n = 0; n < operands.x.size(); n += size) {
             change(std::span(operands.x.data() + n, size), p.H * p.W);
           }
         })});
  };
  change_image("image_channels_reversed", "The channels of x are in reverse order, as RGB and BGR.",
               [](std::span<double> image, index_t plane) { reverse_rows(image, plane); });
  if (K > kMost) return;
  for (index_t o = 0; o < K; ++o) {
    change_image("channel_ignored", "Channel " + std::to_string(o) + " of x is ignored.",
                 [o](std::span<double> image, index_t plane) {
                   std::fill_n(image.begin() + o * plane, plane, 0.0);
                 });
  }
  for (index_t o = 0; o < K; ++o) {
    change_image("other_channels_ignored",
                 "Channel " + std::to_string(o) + " of x alone is used: there is no sum over them.",
                 [o](std::span<double> image, index_t plane) {
                   std::fill_n(image.begin(), o * plane, 0.0);
                   std::fill(image.begin() + (o + 1) * plane, image.end(), 0.0);
                 });
  }
}

/// Layers of other parameters, which have outputs of those extents.
void add_other_layers(const Problem& problem, const Extents& result, std::vector<Candidate>& all) {
  const auto add = [&](const char* name, const char* sentence, auto change) {
    Problem other = problem;
    change(other);
    if (other == problem || other.y_extents() != result) return;
    try {
      validate(other);
    } catch (const std::invalid_argument&) {
      return;
    }
    all.push_back({{{name, sentence}}, by_definition(other)});
    append(all, unflipped(by_definition(other), {{name, sentence}}));
  };
  add("padding_ignored", "The padding is ignored.", [](Problem& p) { p.padding = {}; });
  add("output_padding_ignored", "The output padding is ignored.", [](Problem& p) {
    p.output_padding = {0, 0};
  });
  add("padding_and_output_padding_ignored", "Padding and output padding are ignored.",
      [](Problem& p) {
        p.padding = {};
        p.output_padding = {0, 0};
      });
  add("stride_ignored", "The stride is ignored.", [](Problem& p) { p.stride = {1, 1}; });
  add("dilation_ignored", "The dilation is ignored.", [](Problem& p) { p.dilation = {1, 1}; });
}

/// Convolutions of a period, as products of transforms that are shorter than y: what is beyond it
/// is added at the other end. One that is longer has zeros there.
void add_circular(const Problem& problem, const Extents& result, std::vector<Candidate>& all) {
  constexpr index_t kMostTurns = 4;
  Problem whole = problem;
  whole.padding = {};
  const index_t F = whole.output_rows(), G = whole.output_columns(), I = result[2], J = result[3];
  if ((I >= F && J >= G && I == F && J == G) || F > kMostTurns * I || G > kMostTurns * J) return;
  const auto folded = [=](index_t down, index_t right) -> At {
    return [=](const Operands<double>& operands, std::span<const Output> outputs,
               std::span<double> values) {
      std::vector<Output> from;
      std::vector<std::size_t> to;
      for (std::size_t at = 0; at < outputs.size(); ++at) {
        const auto& [n, c, i, j] = outputs[at];
        values[at] = 0;
        for (index_t a = (i + down) % I; a < F; a += I)
          for (index_t b = (j + right) % J; b < G; b += J) {
            from.push_back({n, c, a, b});
            to.push_back(at);
          }
      }
      std::vector<double> parts(from.size());
      define(whole, operands, from, parts);
      for (std::size_t part = 0; part < parts.size(); ++part) values[to[part]] += parts[part];
    };
  };
  const bool longer = I >= F && J >= G;
  const Mistake mistake =
      longer
          ? Mistake{"padded", "Zeros follow the right result: a transform's length is kept."}
          : Mistake{"circular",
                    "It is a circular convolution: what leaves at one edge enters at the other."};
  const auto add = [&](index_t down, index_t right, const Mistake& what) {
    all.push_back({{what}, folded(down, right)});
    append(all, unflipped(folded(down, right), {what}));
  };
  add(0, 0, mistake);
  if (longer) return;
  const Mistake centred{"circular_centred",
                        "It is a circular convolution of the image's size, "
                        "whose centre is the kernel's."};
  add((problem.h - 1) / 2, (problem.w - 1) / 2, centred);
  if (problem.h % 2 == 0 || problem.w % 2 == 0) add(problem.h / 2, problem.w / 2, centred);
}

/// Where a sample beyond the border of `size` is taken from.
using Continuation = index_t (*)(index_t at, index_t size);

constexpr index_t modulo(index_t a, index_t b) { return (a % b + b) % b; }

/// Images that are continued beyond their borders, where the definition has no samples.
void add_borders(const Problem& problem, const Extents& result, std::vector<Candidate>& all) {
  struct Border {
    const char *name, *sentence;
    Continuation sample;
  };
  static constexpr Border kBorders[] = {
      {"border_periodic", "The image is continued periodically beyond its borders.", modulo},
      {"border_reflected", "The image is reflected at its borders, which are repeated.",
       [](index_t at, index_t size) {
         const index_t there = modulo(at, 2 * size);
         return there < size ? there : 2 * size - 1 - there;
       }},
      {"border_mirrored", "The image is reflected at its borders, which are not repeated.",
       [](index_t at, index_t size) {
         if (size == 1) return index_t{0};
         const index_t there = modulo(at, 2 * size - 2);
         return there < size ? there : 2 * size - 2 - there;
       }},
      {"border_repeated", "The samples at the image's borders are repeated beyond them.",
       [](index_t at, index_t size) { return std::clamp<index_t>(at, 0, size - 1); }}};
  const Problem& p = problem;
  std::vector<std::pair<index_t, index_t>> centres;
  const auto [N, C, I, J] = result;
  if (I == p.H && J == p.W) centres = {{(p.h - 1) / 2, (p.w - 1) / 2}, {p.h / 2, p.w / 2}};
  if (I == p.H + p.h - 1 && J == p.W + p.w - 1) centres = {{0, 0}};
  if (centres.size() == 2 && centres[0] == centres[1]) centres.pop_back();
  for (const auto& [down, right] : centres)
    for (const auto& [name, sentence, sample] : kBorders) {
      const At at = [down = down, right = right, sample = sample](const Operands<double>& operands,
                                                                  std::span<const Output> outputs,
                                                                  std::span<double> values) {
        const auto x = operands.x_view(), k = operands.k_view();
        const Problem& s = operands.problem;
        for (std::size_t output = 0; output < outputs.size(); ++output) {
          const auto& [n, c, i, j] = outputs[output];
          double sum = 0;
          for (index_t o = 0; o < s.K; ++o)
            for (index_t r = 0; r < s.h; ++r)
              for (index_t q = 0; q < s.w; ++q) {
                sum +=
                    x(n, o, sample(i + down - r, s.H), sample(j + right - q, s.W)) * k(o, c, r, q);
              }
          values[output] = sum;
        }
      };
      all.push_back({{{name, sentence}}, at});
      append(all, unflipped(at, {{name, sentence}}));
    }
}

/// To so many binary digits, halves to even; or towards zero.
double rounded(double value, int digits, bool nearest) {
  if (!std::isfinite(value) || value == 0) return value;
  int exponent = 0;
  const double scaled_value = std::ldexp(std::frexp(value, &exponent), digits);
  return std::ldexp(nearest ? std::nearbyint(scaled_value) : std::trunc(scaled_value),
                    exponent - digits);
}

}  // namespace

Candidate definition(const Problem& problem) { return {{}, by_definition(problem)}; }

std::vector<Candidate> correlations(const Problem& problem) {
  return unflipped(by_definition(problem), {});
}

std::vector<Candidate> candidates(const Problem& problem, const Extents& result) {
  std::vector<Candidate> all;
  if (result == problem.y_extents()) {
    add_mutants(problem, all);
    add_channels(problem, all);
  }
  if (result[0] != problem.N || result[1] != problem.C) return all;
  add_other_layers(problem, result, all);
  if (problem.is_dense()) {
    add_circular(problem, result, all);
    add_borders(problem, result, all);
  }
  return all;
}

std::vector<Candidate> roundings(const Problem& problem, double unit) {
  struct Precision {
    const char *name, *type;
    int digits;
    bool nearest;
  };
  constexpr Precision kPrecisions[] = {{"precision_float32", "float32", 24, true},
                                       {"precision_tf32", "TF32 or float16", 11, true},
                                       {"precision_tf32", "TF32", 11, false},
                                       {"precision_bfloat16", "bfloat16", 8, true},
                                       {"precision_bfloat16", "bfloat16", 8, false}};
  std::vector<Candidate> all;
  for (const auto& [name, type, digits, nearest] : kPrecisions) {
    const double coarse = std::ldexp(1, -digits);
    if (coarse <= unit) continue;
    const auto round_operands = [digits = digits, nearest = nearest](Operands<double>& operands) {
      for (auto* values : {&operands.x, &operands.k}) {
        for (double& value : *values) value = rounded(value, digits, nearest);
      }
    };
    all.push_back({{{name, std::string("It is right to the precision of ") + type + " only."}},
                   with(by_definition(problem), round_operands),
                   0x1p-24,
                   0,
                   coarse});
  }
  return all;
}

Candidate scaled(const Candidate& candidate, double factor, const Mistake& mistake) {
  Candidate changed = candidate;
  changed.mistakes.push_back(mistake);
  changed.slack *= 4;  // the factor is an estimate
  changed.values_at = [at = candidate.values_at, factor](const Operands<double>& operands,
                                                         std::span<const Output> outputs,
                                                         std::span<double> values) {
    at(operands, outputs, values);
    for (double& value : values) value *= factor;
  };
  return changed;
}

Candidate moved(const Candidate& candidate, const Origin& from, const Mistake& mistake) {
  Candidate changed = candidate;
  changed.mistakes.push_back(mistake);
  changed.values_at = [at = candidate.values_at, from](const Operands<double>& operands,
                                                       std::span<const Output> outputs,
                                                       std::span<double> values) {
    std::vector<Output> sources;
    std::vector<std::size_t> targets;
    for (std::size_t output = 0; output < outputs.size(); ++output) {
      Output source{};
      values[output] = 0;
      if (!from(outputs[output], source)) continue;
      sources.push_back(source);
      targets.push_back(output);
    }
    std::vector<double> moved_values(sources.size());
    at(operands, sources, moved_values);
    for (std::size_t i = 0; i < targets.size(); ++i) values[targets[i]] = moved_values[i];
  };
  return changed;
}

Candidate coarsened(Candidate candidate, double unit, const Mistake& mistake) {
  candidate.mistakes.push_back(mistake);
  // Sums are in float32, or in double.
  candidate.unit = 0x1p-24;
  candidate.operand_unit = unit;
  candidate.output_unit = unit;
  return candidate;
}

}  // namespace fullconv::testing
