// Whether random problems would find what is wrong.

#include "fuzz/fuzz.h"

#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <numeric>
#include <set>

#include "fuzz/draw.h"
#include "mutants/mutants.h"

namespace fullconv::testing {
namespace {

constexpr std::uint64_t kSeed = 1;

std::vector<WrongAnswer> wrong_answers(const Algorithm& algorithm, std::int64_t problems) {
  const Algorithm* const one[] = {&algorithm};
  return fuzz(one, kSeed, {.problems = problems}).wrong;
}

TEST(Fuzz, FindsNothingInUnmutated) {
  const Algorithm* const both[] = {&unmutated(), &unmutated_layer().algorithm};
  const Tally tally = fuzz(both, kSeed, {.problems = 200});
  EXPECT_TRUE(tally.wrong.empty()) << tally.wrong.front().violation;
  EXPECT_EQ(tally.problems, 200);
  EXPECT_EQ(tally.algorithms.at(unmutated().name).checked, 200);
}

/// They leave their operands' memory where that is not about as the conformance check lays it out.
const std::set<std::string_view> kLeaveMemory{"writes_before_output", "writes_whole_vectors",
                                              "assumes_dense_output", "assumes_dense_image"};

std::vector<const Algorithm*> mutants_that_stay_inside() {
  std::vector<const Algorithm*> found = mutants();
  std::erase_if(found, [](const Algorithm* mutant) { return kLeaveMemory.contains(mutant->name); });
  return found;
}

class OfMutants : public ::testing::TestWithParam<const Algorithm*> {};

TEST_P(OfMutants, IsFound) {
  const Algorithm& mutant = *GetParam();
  const auto wrong = wrong_answers(mutant, 40000);
  ASSERT_FALSE(wrong.empty()) << "survived";
  EXPECT_FALSE(PreparedAttempt(wrong.front().attempt).check_conformance(mutant).violations.empty());
  std::cout << to_arguments(wrong.front().attempt, mutant) << ": " << wrong.front().violation
            << std::endl;
}

INSTANTIATE_TEST_SUITE_P(Fuzz, OfMutants, ::testing::ValuesIn(mutants_that_stay_inside()),
                         [](const auto& parameter) { return std::string(parameter.param->name); });

/// What is drawn from a seed, so often.
std::vector<Attempt> draws(std::span<const Algorithm* const> all, int count) {
  Drawing drawing(all, kSeed);
  std::vector<Attempt> attempts;
  for (int i = 0; i < count; ++i) attempts.push_back(drawing.next());
  return attempts;
}

bool is_whole_and_dense(const Problem& problem) { return problem.is_dense() && problem.is_whole(); }

TEST(Drawing, IsTheSameForASeed) {
  EXPECT_EQ(draws(algorithms(), 100), draws(algorithms(), 100));
  Drawing another(algorithms(), kSeed + 1);
  EXPECT_FALSE(another.next() == draws(algorithms(), 1).front());
}

TEST(Drawing, DrawsAllThereIs) {
  std::set<Family> families;
  std::set<int> threads;
  std::set<Scalar> scalars;
  std::set<bool> limited, dense_rows, channels, kernel_is_larger;
  std::set<bool> padded, strided, dilated, grouped, extended, has_common_steps, depthwise;
  for (const Attempt& attempt : draws(algorithms(), 500)) {
    const Problem& problem = attempt.c.problem;
    families.insert(attempt.c.family);
    threads.insert(attempt.options.threads);
    scalars.insert(attempt.scalar);
    limited.insert(attempt.options.workspace_limit.has_value());
    dense_rows.insert(attempt.placement.x.has_dense_rows());
    channels.insert(problem.N > 1 && problem.K > 1 && problem.C > 1);
    padded.insert(!problem.is_whole());
    strided.insert(problem.stride.y > 1 && problem.stride.x > 1);
    dilated.insert(problem.dilation.y > 1 && problem.dilation.x > 1);
    grouped.insert(problem.groups > 1);
    extended.insert(problem.output_padding.y > 0 && problem.output_padding.x > 0);
    has_common_steps.insert(std::gcd(problem.stride.y, problem.dilation.y) > 1);
    depthwise.insert(problem.groups > 1 && problem.groups == problem.K);
    kernel_is_larger.insert(problem.h > problem.H && problem.w > problem.W);
  }
  EXPECT_EQ(families.size(), 12U);
  EXPECT_EQ(threads, (std::set{1, 2, 3, 4, 5}));
  EXPECT_EQ(scalars.size(), 2U);
  for (const auto& both : {limited, dense_rows, channels, kernel_is_larger, padded, strided,
                           dilated, grouped, extended, has_common_steps, depthwise}) {
    EXPECT_EQ(both.size(), 2U);
  }
}

/// Of an algorithm that cuts rows of y at 77, kernels at 19 columns, and stacks of 23 channels.
TEST(Drawing, GoesAroundBoundaries) {
  Algorithm cutting = unmutated();
  cutting.boundaries = [](const Problem&, const PlanOptions&, std::size_t) {
    return std::vector<Boundary>{
        {Boundary::output_rows, 77}, {Boundary::kernel_columns, 19}, {Boundary::x_channels, 23}};
  };
  const Algorithm* const one[] = {&cutting};
  std::map<index_t, int> rows, columns, channels;
  for (const Attempt& attempt : draws(one, 3000)) {
    if (!is_whole_and_dense(attempt.c.problem)) continue;
    ++rows[attempt.c.problem.output_rows()];
    ++columns[attempt.c.problem.w];
    ++channels[attempt.c.problem.K];
  }
  for (const index_t beside : {-1, 0, 1}) {
    EXPECT_GT(rows[77 + beside], 2 * (rows[67 + beside] + 1)) << beside;
    EXPECT_GT(columns[19 + beside], 2 * (columns[13 + beside] + 1)) << beside;
    EXPECT_GT(channels[23 + beside], 2 * (channels[16 + beside] + 1)) << beside;
  }
  EXPECT_GT(rows[2 * 77], 2 * (rows[2 * 67] + 1));
}

TEST(Boundaries, AreSizesOfAnyProblem) {
  int stated = 0;
  for (const Algorithm* algorithm : algorithms()) {
    if (algorithm->boundaries == nullptr) continue;
    for (const Attempt& attempt : draws(algorithms(), 200)) {
      if (!is_whole_and_dense(attempt.c.problem)) continue;
      for (const std::size_t scalar_size : {sizeof(float), sizeof(double)}) {
        const auto all = algorithm->boundaries(attempt.c.problem, attempt.options, scalar_size);
        for (const Boundary& boundary : all) {
          EXPECT_GE(boundary.at, 0) << algorithm->name << ", " << to_string(attempt.c.problem);
          ++stated;
        }
      }
    }
  }
  EXPECT_GT(stated, 0);
}

TEST(Layouts, HaveATextForm) {
  for (const Attempt& attempt : draws(algorithms(), 200)) {
    const std::string text = to_string(attempt.placement.y);
    EXPECT_EQ(to_string(parse_layout(text)), text);
  }
  for (const char* text :
       {"", "dens", "0122:1,1,1,1:0,0,0,0:0", "0123:1,1,1,0:0,0,0,0:0", "0123:1,1,1,1:0,0,0,-1:0",
        "0123:1,1,1,1:0,0,0,0:-1", "0123:1,1,1,1:0,0,0,0:0 ", "0123:1,1,1,1:0,0,0,0"}) {
    EXPECT_THROW(parse_layout(text), std::invalid_argument) << text;
  }
}

}  // namespace
}  // namespace fullconv::testing
