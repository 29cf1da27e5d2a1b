#include "support/conformance.h"

#include <algorithm>
#include <ctime>
#include <exception>
#include <limits>
#include <random>
#include <sstream>

#include "support/accuracy.h"

namespace fullconv::testing {
namespace {

/// The first output that is not exactly what it should be, as text.
template <class T>
std::string first_inexact(const Oracle<T>& oracle, const TensorView<const T>& y) {
  std::ostringstream text;
  text.precision(std::numeric_limits<T>::max_digits10);
  oracle.for_each([&](const Reference<T>& r) {
    const T is = y(r.n, r.c, r.i, r.j);
    if (is == static_cast<T>(r.value) || text.tellp() > 0) return;
    text << "y[" << r.n << "," << r.c << "," << r.i << "," << r.j << "] is " << is
         << " instead of exactly " << r.value;
  });
  return text.str();
}

/// What all of a placement's layouts are, or each by itself.
std::string to_string(const Placement& placement) {
  const std::string x = to_string(placement.x), k = to_string(placement.k),
                    y = to_string(placement.y);
  return x == k && x == y ? x : "x " + x + ", k " + k + ", y " + y;
}

template <class T>
void check_unchanged(char name, const Tensor<T>& operand, const TensorView<const T>& original,
                     std::vector<std::string>& violations) {
  if (!same_bits(operand.view(), original)) violations.push_back(std::string("changed ") + name);
  if (!operand.guards_intact()) violations.push_back(std::string("wrote around ") + name);
}

template <class T>
void check_output(const Algorithm& algorithm, Family family, const Expectation<T>& expectation,
                  const Tensor<T>& y, std::vector<std::string>& violations) {
  const Accuracy accuracy = expectation.measure(algorithm, y.view());
  if (!accuracy.within_bound()) {
    violations.push_back(accuracy.worst + ", off by " + std::to_string(accuracy.error_in_bounds) +
                         " bounds");
  } else if (family == Family::ints && algorithm.error_model.exact_on_integers) {
    if (auto inexact = first_inexact(expectation.oracle(), y.view()); !inexact.empty()) {
      violations.push_back(std::move(inexact));
    }
  }
  if (!y.guards_intact()) violations.emplace_back("wrote outside y");
}

/// Of this process on its processors, so that other processes do not count.
template <class Body>
double seconds_of(const Body& body) {
  const std::clock_t begin = std::clock();
  body();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

}  // namespace

std::span<const Placement> usual_placements() {
  static constexpr Placement kUsual[] = {{}, {kGapped, kGapped, kGapped}};
  return kUsual;
}

template <class T>
Examination<T>::Examination(const Case& c, std::uint64_t seed,
                            std::span<const Placement> placements)
    : case_(c), first_(c, seed), second_(c, seed + 1) {
  for (const Placement& placement : placements) {
    scenes_.push_back({to_string(placement), placement, place(first_.operands, placement),
                       place(second_.operands, placement),
                       Tensor<T>(c.problem.y_extents(), placement.y)});
  }
}

template <class T>
auto Examination<T>::place(const testing::Operands<T>& operands, const Placement& placement) const
    -> Operands {
  return {Tensor<T>(operands.x_view(), placement.x), Tensor<T>(operands.k_view(), placement.k)};
}

template <class T>
ConformanceResult Examination<T>::check_conformance(const Algorithm& algorithm,
                                                    const PlanOptions& options) {
  auto planned = algorithm.plan<T>(case_.problem, options);
  if (const auto* declined = std::get_if<Declined>(&planned)) return {declined->reason, {}};
  Plan<T>& plan = *std::get<std::unique_ptr<Plan<T>>>(planned);

  ConformanceResult found{
      .declined = {}, .violations = {}, .seconds = std::numeric_limits<double>::infinity()};
  const auto execute = [&](const char* round, const Task& task, Operands& operands, Scene& scene) {
    std::vector<std::string> violations;
    try {
      found.seconds = std::min(found.seconds, seconds_of([&] {
                                 plan.execute(std::as_const(operands.x).view(),
                                              std::as_const(operands.k).view(), scene.y.view());
                               }));
      check_output(algorithm, case_.family, task.expectation, scene.y, violations);
    } catch (const std::exception& error) {
      violations.push_back(std::string("execute() threw ") + error.what());
    }
    check_unchanged('x', operands.x, task.operands.x_view(), violations);
    check_unchanged('k', operands.k, task.operands.k_view(), violations);
    // Nobody else is to suffer from what this one did.
    if (!violations.empty()) {
      operands = place(task.operands, scene.placement);
      scene.y = Tensor<T>(case_.problem.y_extents(), scene.placement.y);
    }
    for (const std::string& violation : violations) {
      found.violations.push_back(scene.name + ", " + round + ": " + violation);
    }
  };
  for (Scene& scene : scenes_) {
    scene.y.fill(std::numeric_limits<T>::quiet_NaN());
    execute("into NaN", first_, scene.first, scene);
    scene.y.fill(T{12345});
    execute("into garbage", second_, scene.second, scene);
    execute("into the last result", first_, scene.first, scene);
  }
  if (plan.threads() < 1 || plan.threads() > options.threads) {
    found.violations.push_back("uses " + std::to_string(plan.threads()) + " threads of " +
                               std::to_string(options.threads));
  }
  return found;
}

template <class T>
double Examination<T>::slowdown(const Algorithm& algorithm, const PlanOptions& options,
                                double most) {
  constexpr int kPairs = 20;
  const auto planned = algorithm.plan<T>(case_.problem, options);
  Plan<T>& plan = *std::get<std::unique_ptr<Plan<T>>>(planned);
  Scene& scene = scenes_.front();
  const Operands plain = place(make_operands<T>({case_.problem}), scene.placement);
  const auto seconds = [&](const Operands& operands) {
    return seconds_of([&] { plan.execute(operands.x.view(), operands.k.view(), scene.y.view()); });
  };
  double of_plain = seconds(plain), of_these = seconds(scene.first);
  for (int pair = 1; pair < kPairs && of_these > most * of_plain; ++pair) {
    of_plain = std::min(of_plain, seconds(plain));
    of_these = std::min(of_these, seconds(scene.first));
  }
  return of_these / of_plain;
}

template class Examination<float>;
template class Examination<double>;

namespace {

std::vector<Case> make_conformance_cases() {
  std::vector<Case> cases;
  for (const char* text : {
           // points and lines
           "1x1_k1x1",
           "1x1_k5x7",
           "5x7_k1x1",
           "1x17_k1x5",
           "17x1_k5x1",
           "1x9_k7x1",
           "9x1_k1x7",
           "1x40_k3x9",
           "40x1_k9x3",
           "1x2000_k1x301",
           "1000x1_k301x1",
           // kernel larger than the image in one axis, in the other, in both; as large
           "3x11_k7x4",
           "11x3_k4x7",
           "5x3_k7x9",
           "2x2_k33x34",
           "2x3_k3x2",
           "8x8_k8x8",
           "7x9_k7x9",
           "3x600_k9x5",
           "600x3_k5x9",
           // even and odd kernels, primes
           "8x8_k5x5",
           "8x8_k2x2",
           "16x12_k4x6",
           "9x9_k8x8",
           "13x17_k2x3",
           "13x17_k3x2",
           "31x37_k11x13",
           "127x3_k5x101",
           "101x103_k7x5",
           // families
           "8x8_k5x5_ints",
           "5x3_k7x9_ints",
           "1x1_k1x1_ints",
           "64x65_k9x7_ints",
           "n2_i3_o4_17x13_k3x5_ints",
           "n3_i17_o2_7x6_k4x3_ints",
           "31x33_k7x6_gauss",
           "n2_i2_o3_12x11_k5x4_gauss",
           "31x33_k7x6_box",
           "n2_i3_o2_12x11_k5x4_box",
           "31x33_k7x6_rank2",
           "n2_i2_o3_12x11_k5x4_rank2",
           // both ends of the range
           "31x33_k7x6_huge",
           "64x65_k9x17_tiny",
           "31x33_k7x6_subnormal",
           "n2_i3_o4_17x13_k3x3_huge",
           "n2_i3_o4_17x13_k3x3_tiny",
           "n2_i3_o4_17x13_k3x3_subnormal",
           "n1_i2_o3_7x6_k4x4_p1x1x1x1_s2x2_tiny",
           "130x140_k2x3_huge",
           "31x33_k7x6_wide",
           "n2_i3_o4_17x13_k3x3_wide",
           // values that are not finite
           "31x33_k7x6_dead",
           "130x140_k21x20_dead",
           "n2_i3_o4_17x13_k3x3_dead",
           "31x33_k7x6_nonfinite",
           "64x65_k9x17_nonfinite",
           "n2_i3_o4_17x13_k3x3_nonfinite",
           "n2_i6_o4_9x8_k3x3_p1x1x1x1_s2x2_g2_nonfinite",
           // several threads have something to do, and several blocks in each axis
           "64x64_k9x9",
           "200x300_k7x5",
           "40x530_k6x4",
           "n2_i3_o4_33x29_k5x3",
           "n3_i17_o17_20x23_k3x3",
           "n1_i40_o3_40x50_k5x5",
           // a tile of which two threads take a residue each, and a kernel that each transforms
           "7x6_k300x280",
           "130x140_k2x3",
           // blocks of low images
           "n1_i4_o1_3x3000_k14x5",
           // rows and columns around those of a register tile, kernels around the lowest that go by
           // other tiles, and ones that are cut
           "21x47_k6x2",
           "22x48_k7x1",
           "23x49_k8x3",
           "24x71_k9x26",
           "n1_i2_o2_25x23_k8x9",
           "11x512_k7x3",
           "11x1024_k7x4",
           "26x33_k9x17",
           "n1_i2_o2_23x40_k11x12",
           "n1_i2_o1_30x70_k10x41",
           "18x130_k9x57",
           "n1_i2_o2_19x5_k1x4",
           "9x150_k3x128",
           "10x150_k3x129",
           "170x5_k160x20",
           "180x7_k260x1_ints",
           // the same for vectors of 64 bytes, where sums of up to 14 rows roll, in blocks of 8 or
           // 16
           // rows and fetched ahead where operands are in no second-level cache
           "40x41_k14x5",
           "41x40_k15x5",
           "70x61_k3x17",
           "300x8_k7x17",
           "70x61_k3x18",
           "600x610_k3x2",
           "600x610_k11x3",
           "n1_i2_o1_430x440_k10x2",
           // as long and narrow as to be transposed
           "n2_i3_o2_150x9_k20x4",
           "n1_i2_o3_120x20_k10x11",
           // a lowered matrix as deep as a panel, and as wide, and one off
           "n1_i32_o2_3x89_k3x3",
           "n1_i32_o2_4x74_k3x3",
           "n1_i96_o2_2x225_k1x3",
           "n1_i96_o3_1x225_k1x3",
           "n1_i96_o2_1x224_k1x3",
           "n1_i96_o2_1x226_k1x3",
           "n1_i41_o2_9x60_k1x7",
           "30x33_k17x17",
           "30x31_k16x18",
           "30x31_k24x24_ints",
           // panels narrower than y whose rows, rounded up to whole cache lines, are as long as y's
           "4x8_k56x73",
           "5x148_k28x5",
           "n1_i3_o6_4x8_k56x73",
           // channels of y that threads share unevenly, so that the last has fewer tiles
           "n1_i8_o29_9x1_k49x2",
           "n1_i9_o57_3x4_k12x13",
           // a window of y: on each side, of one row, far from the first tap, of one output
           "8x8_k5x5_p2x2x2x2",
           "30x40_k7x3_p6x0x0x1",
           "30x40_k7x3_p0x2x3x0",
           "64x65_k9x7_p8x6x8x6_ints",
           "9x20_k12x4_p9x3x10x2",
           "20x9_k4x12_p11x5x11x10",
           "5x5_k3x3_p6x0x0x6",
           "n2_i3_o4_17x13_k3x5_p1x2x1x2",
           "n1_i17_o17_14x14_k3x3_p1x1x1x1",
           // 3×3 taps of channels that are no whole vectors, in several tiles each way
           "n2_i5_o70_33x7_k3x3_p1x1x1x1",
           "n3_i37_o19_13x70_k3x3_p0x1x2x1",
           "100x130_k31x29_p15x14x15x14",
           "1x2000_k1x301_p0x150x0x150",
           // stride, with kernels that are larger, as large and smaller
           "9x8_k5x6_s2x3",
           "n2_i3_o2_9x8_k3x3_p1x1x1x1_s2x2_op1x1",
           "n1_i2_o3_7x6_k4x4_p1x1x1x1_s2x2",
           "n1_i4_o3_8x8_k2x2_s2x2",
           "n2_i4_o3_8x8_k1x1_s2x2_op1x1_ints",
           "3x4_k2x2_s5x4_op4x3",
           "40x30_k7x7_p3x3x3x3_s2x2_op1x1",
           // kernels beside each other: rows of taps in several strips, more than are copied by a
           // move, in part or altogether outside of y, and below each other with rows between
           "n1_i40_o3_9x70_k3x5_s3x5",
           "n1_i3_o2_3x40_k4x40_p1x2x3x5_s4x40_op2x7",
           "n1_i4_o2_2x3_k2x2_p3x1x0x3_s2x2",
           "n2_i5_o7_6x5_k2x3_p1x1x2x1_s3x3_op2x1",
           "n2_i3_o4_5x6_k1x2_s1x2_nonfinite",
           // 1×1 kernels and few channels: pixels behind whole vectors, fewer than a vector where
           // the next channel's lie behind them, images in parts, some channels of y at a time
           "n2_i5_o3_9x11_k1x1",
           "n3_i9_o4_2x3_k1x1",
           "n2_i3_o2_20x31_k1x1",
           "n1_i3_o33_13x17_k1x1",
           // outputs in pairs with zeros between them, of few channels and many, cut at odd
           // columns; and with more zeros between them
           "n2_i5_o3_7x9_k1x1_p1x1x0x2_s2x2",
           "n1_i6_o40_9x8_k1x1_p0x1x1x0_s3x2_op2x1",
           "n1_i20_o3_6x5_k2x2_p1x1x0x1_s2x2",
           "n2_i3_o2_5x4_k1x2_p2x0x0x1_s4x2_op3x1",
           "n1_i4_o2_5x6_k1x1_s3x3_op2x2",
           "n1_i3_o5_4x7_k2x3_p0x2x1x0_s3x4",
           "n2_i5_o3_7x9_k1x1_p1x1x0x2_s2x2_nonfinite",
           // dilation, alone and with stride, also larger than the image
           "9x9_k3x3_d2x2",
           "n1_i2_o2_14x14_k3x3_p2x2x2x2_d2x2",
           "3x4_k3x3_d5x7",
           "7x9_k3x3_s2x2_d3x2_ints",
           "11x10_k4x3_p3x2x1x4_s4x6_d6x4_op3x5",
           "8x8_k3x3_s3x3_d3x3_op2x2",
           // groups, down to one channel each, also with more outputs than inputs
           "n2_i6_o4_9x8_k3x3_p1x1x1x1_g2",
           "n1_i8_o8_14x14_k3x3_p1x1x1x1_g8",
           "n2_i3_o6_9x8_k3x3_p1x1x1x1_s2x2_g3_op1x1",
           "n1_i6_o3_9x8_k5x5_p2x2x2x2_d2x1_g3_ints",
           "n2_i3_o12_5x6_k3x2_p1x0x1x1_s2x3_d1x2_g3",
           // channels of their own with stride 2, whose rows fill vectors: first outputs of either
           // residue, rows and columns in pairs and one more, in several bands and vectors
           "n2_i5_o5_5x15_k3x3_s2x2_g5",
           "n1_i3_o3_9x14_k3x3_p1x1x1x1_s2x2_g3_op1x1",
           "n2_i6_o6_6x29_k5x4_p2x1x1x0_s2x2_g6",
           "n1_i5_o5_4x14_k7x2_p3x1x0x0_s2x2_g5_ints",
           "n1_i2_o2_80x60_k5x7_p1x2x3x4_s2x2_g2",
           "n1_i2_o2_75x61_k7x3_s2x2_g2_op1x0",
           "n1_i3_o3_4x47_k5x3_p5x0x2x1_s2x2_g3",
           "n1_i5_o5_9x16_k3x5_p1x1x1x1_s2x2_g5_nonfinite",
           // padding beyond the kernel, on either side
           "9x7_k3x2_p5x3x4x2",
           "n1_i2_o2_9x8_k3x3_p4x0x0x5_s2x2_d1x2",
           // kernels smaller than the stride, and points, with rows and columns that nothing
           // reaches
           "5x6_k2x1_s3x4",
           "6x5_k1x1_p1x0x2x1_s4x3_op3x2",
           "n2_i2_o3_6x5_k3x2_p0x1x1x0_s4x3_ints",
           // output padding that only dilation allows, and that shows what padding had left out
           "5x6_k3x3_p2x2x2x2_d3x4_op2x3",
           "5x6_k2x3_p1x2x4x3_s3x2_d2x4_op2x3",
           // stride and dilation with a common factor, of which more or fewer residues have taps
           "12x11_k5x4_s4x6_d6x4",
           "7x8_k6x5_p3x2x4x1_s6x4_d4x6_op1x2",
           "9x9_k2x3_s6x6_d4x9",
           // an output that nothing reaches
           "1x1_k1x1_p1x0x1x0_s3x1_op2x0",
       }) {
    cases.push_back(parse_case(text));
  }

  // y just below, at and just above powers of two, in each axis.
  for (index_t block = 8; block <= 1024; block *= 2) {
    for (const index_t size : {block - 1, block, block + 1}) {
      cases.push_back({{.H = 3, .W = size - 2, .h = 2, .w = 3}});
      cases.push_back({{.H = size - 2, .W = 4, .h = 3, .w = 2}});
    }
  }

  constexpr index_t counts[] = {1, 2, 3, 17};
  for (const index_t N : counts)
    for (const index_t K : counts)
      for (const index_t C : counts)
        cases.push_back({{.N = N, .K = K, .C = C, .H = 6, .W = 5, .h = 3, .w = 2}});

  std::mt19937 engine(11);
  const auto up_to = [&](unsigned most) { return static_cast<index_t>(engine() % most) + 1; };
  constexpr Family families[] = {Family::random, Family::ints, Family::gauss, Family::rank2};
  for (std::size_t r = 0; r < 48; ++r) {
    Problem problem{.H = up_to(24), .W = up_to(24), .h = up_to(16), .w = up_to(16)};
    if (r % 3 == 0) {
      problem.N = up_to(4);
      problem.K = up_to(4);
      problem.C = up_to(4);
    }
    cases.push_back({problem, families[r % std::size(families)]});
  }
  return cases;
}

}  // namespace

const std::vector<Case>& conformance_cases() {
  static const std::vector<Case> cases = make_conformance_cases();
  return cases;
}

}  // namespace fullconv::testing
