#include "fuzz/draw.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <tuple>
#include <vector>

#include "support/operands.h"

namespace fullconv::testing {
namespace {

/// Whether the oracle and who multiplies padding take so many multiply-adds at most, these some
/// more, and everybody few elements.
bool is_quick(const Problem& problem, double most_multiply_adds) {
  constexpr double kMostPadding = 32;
  const double most_elements = 4096 + most_multiply_adds / 8;
  const auto count = [](const Extents& extents) {
    double product = 1;
    for (const index_t extent : extents) product *= static_cast<double>(extent);
    return product;
  };
  const double x = count(problem.x_extents()), k = count(problem.k_extents());
  // With what padding leaves out, since some compute that, too.
  const double y = count({problem.N, problem.C, problem.full_rows(), problem.full_columns()});
  const auto steps = static_cast<double>(problem.stride.y * problem.stride.x);
  const double taps = static_cast<double>(problem.h) * static_cast<double>(problem.w);
  const auto groups = static_cast<double>(problem.groups);
  return std::max({x, k, y}) <= most_elements &&
         x * taps * static_cast<double>(problem.C) / groups <= most_multiply_adds &&
         y * taps * static_cast<double>(problem.K) / groups / steps <=
             kMostPadding * most_multiply_adds;
}

constexpr index_t ceil_divide(index_t a, index_t b) { return (a + b - 1) / b; }

/// The size that a boundary is of.
index_t& size_of(Problem& problem, Boundary::Of of) {
  switch (of) {
    case Boundary::batch:
      return problem.N;
    case Boundary::x_channels:
      return problem.K;
    case Boundary::y_channels:
      return problem.C;
    case Boundary::image_rows:
    case Boundary::output_rows:
      return problem.H;
    case Boundary::image_columns:
    case Boundary::output_columns:
      return problem.W;
    case Boundary::kernel_rows:
      return problem.h;
    case Boundary::kernel_columns:
      return problem.w;
  }
  return problem.H;
}

}  // namespace

Attempt Drawing::next() {
  Attempt attempt;
  attempt.c = {problem(), family()};
  attempt.scalar = chance(0.5) ? Scalar::f32 : Scalar::f64;
  if (chance(0.5)) attempt.options.threads = static_cast<int>(2 + below(4));
  if (chance(0.2)) attempt.options.workspace_limit = static_cast<std::size_t>(size(1 << 22));
  if (chance(0.5)) attempt.placement = {layout(), layout(), layout()};
  attempt.operands = static_cast<std::uint64_t>(below(1'000'000) + 1);
  return attempt;
}

index_t Drawing::below(index_t limit) {
  return static_cast<index_t>(engine_() % static_cast<std::uint64_t>(limit));
}

bool Drawing::chance(double probability) {
  return std::ldexp(static_cast<double>(engine_() >> 11), -53) < probability;
}

index_t Drawing::size(index_t most) {
  const double uniform = std::ldexp(static_cast<double>(engine_() >> 11), -53);
  return static_cast<index_t>(std::pow(static_cast<double>(most) + 1, uniform));
}

Problem Drawing::problem() {
  // As many small as large ones, so that most take no longer than a millisecond.
  constexpr index_t kLeastWork = index_t{1} << 12, kMostWork = index_t{1} << 9;
  const auto work = static_cast<double>(kLeastWork * size(kMostWork));
  while (true) {
    Problem problem = dense_problem();
    if (!is_quick(problem, work)) continue;
    if (chance(0.5)) {
      for (index_t moves = 1 + below(3); moves > 0; --moves) problem = moved_to_boundary(problem);
    }
    if (chance(0.5)) problem = layer_of(problem);
    if (is_quick(problem, work)) return problem;
  }
}

Problem Drawing::dense_problem() {
  constexpr index_t kMostImage = 4096, kMostKernel = 300, kMostBatch = 6, kMostChannels = 200;
  Problem problem{.H = size(kMostImage), .W = size(kMostImage)};
  problem.h = size(kMostKernel);
  problem.w = size(kMostKernel);
  if (chance(0.1)) {
    std::swap(problem.H, problem.h);
    std::swap(problem.W, problem.w);
  }
  if (chance(0.4)) {
    problem.N = size(kMostBatch);
    problem.K = size(kMostChannels);
    problem.C = size(kMostChannels);
  }
  return problem;
}

Problem Drawing::moved_to_boundary(Problem problem) {
  const Algorithm& algorithm =
      *algorithms_[static_cast<std::size_t>(below(std::ssize(algorithms_)))];
  if (algorithm.boundaries == nullptr) return problem;
  const PlanOptions options{.threads = algorithm.threaded ? static_cast<int>(1 + below(2)) : 1};
  const std::size_t scalar_size = chance(0.5) ? sizeof(float) : sizeof(double);
  const std::vector<Boundary> boundaries = algorithm.boundaries(problem, options, scalar_size);
  if (boundaries.empty()) return problem;
  const Boundary& boundary = boundaries[static_cast<std::size_t>(below(std::ssize(boundaries)))];
  const index_t multiple = chance(0.6) ? 1 : size(8);
  constexpr index_t kBeside[] = {-1, 0, 0, 1};
  index_t wanted = boundary.at * multiple + kBeside[below(std::ssize(kBeside))];
  // y is what the image and the kernel make it.
  if (boundary.of == Boundary::output_rows) wanted -= problem.h - 1;
  if (boundary.of == Boundary::output_columns) wanted -= problem.w - 1;
  if (wanted >= 1) size_of(problem, boundary.of) = wanted;
  return problem;
}

PerAxis Drawing::step() {
  constexpr index_t kMostSteps = 7;
  if (chance(0.4)) return {1, 1};
  const index_t steps = size(kMostSteps);
  return chance(0.6) ? PerAxis{steps, steps} : PerAxis{size(kMostSteps), size(kMostSteps)};
}

std::pair<index_t, index_t> Drawing::padding(index_t outputs) {
  const auto some = [&](index_t most) {
    if (chance(0.3)) return index_t{0};
    return chance(0.2) ? below(most + 1) : size(most + 1) - 1;
  };
  const index_t first = some(outputs - 1);
  const index_t second = some(outputs - 1 - first);
  return chance(0.5) ? std::pair{first, second} : std::pair{second, first};
}

Problem Drawing::layer_of(Problem dense) {
  Problem layer = dense;
  layer.stride = step();
  layer.dilation = step();
  // Samples and taps of which each residue has as many as the dense problem.
  const auto spread = [&](index_t& samples, index_t& taps, index_t stride, index_t dilation) {
    const index_t common = std::gcd(stride, dilation);
    samples = (samples - 1) * (dilation / common) + 1 + below(dilation / common);
    taps = (taps - 1) * (stride / common) + 1 + below(stride / common);
  };
  spread(layer.H, layer.h, layer.stride.y, layer.dilation.y);
  spread(layer.W, layer.w, layer.stride.x, layer.dilation.x);
  if (chance(0.3)) {
    constexpr index_t kMostGroups = 32;
    layer.groups = size(kMostGroups);
    layer.K *= layer.groups;
    layer.C *= layer.groups;
  }
  if (chance(0.4)) {
    layer.output_padding = {below(std::max(layer.stride.y, layer.dilation.y)),
                            below(std::max(layer.stride.x, layer.dilation.x))};
  }
  if (chance(0.3)) return layer;
  auto& [top, left, bottom, right] = layer.padding;
  std::tie(top, bottom) = padding(layer.output_rows());
  std::tie(left, right) = padding(layer.output_columns());
  // What is left of y is as large as the dense problem's, so that boundaries of y are met.
  if (chance(0.5)) {
    layer.H += ceil_divide(top + bottom, layer.stride.y);
    layer.W += ceil_divide(left + right, layer.stride.x);
  }
  return layer;
}

Layout Drawing::layout() {
  if (chance(0.3)) return {};
  Layout layout{.name = {}};
  if (chance(0.3)) std::ranges::shuffle(layout.order, engine_);
  const bool dense_rows = chance(0.5);
  for (std::size_t axis = 0; axis < 4; ++axis) {
    if (axis == 3 && dense_rows) continue;
    if (chance(0.2)) layout.step[axis] = size(3);
    if (chance(0.2)) layout.step[axis] = -layout.step[axis];
  }
  // Rows as far apart as lines of a cache, or as narrow as the gap.
  for (index_t& gap : layout.gap) gap = chance(0.3) ? size(64) : 0;
  layout.offset = chance(0.3) ? below(16) : 0;
  return layout;
}

Family Drawing::family() {
  constexpr Family kOthers[] = {Family::ints, Family::gauss,     Family::box,       Family::rank2,
                                Family::huge, Family::tiny,      Family::scaled,    Family::wide,
                                Family::dead, Family::subnormal, Family::non_finite};
  if (chance(0.3)) return Family::random;
  return kOthers[below(std::ssize(kOthers))];
}

}  // namespace fullconv::testing
