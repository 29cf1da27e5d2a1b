// Kernels that are prepared once, and outputs that are added to.

#include <cmath>
#include <limits>
#include <stdexcept>

#include "contender.h"
#include "expect_error.h"
#include "support/operands.h"
#include "support/trial.h"

namespace fullconv::testing {
namespace {

class Prepared : public EachSubject {};
FULLCONV_FOR_EACH_SUBJECT(Prepared);

class Accumulates : public EachSubject {};
FULLCONV_FOR_EACH_SUBJECT(Accumulates);

const std::vector<Problem>& problems() {
  static const std::vector<Problem> all =
      parse_problems({"8x8_k5x5", "40x33_k7x7", "n2_i3_o4_17x13_k3x5", "n1_i20_o33_14x15_k3x3",
                      "n2_i70_o80_7x7_k3x3", "n3_i12_o16_1x1_k5x5", "n1_i3_o4_9x8_k3x3_p1x1x1x1",
                      "n2_i4_o6_9x8_k3x3_p1x1x1x1_s2x2_op1x1", "n1_i4_o4_9x8_k3x3_s2x3_d3x2_g2",
                      "n1_i8_o8_14x14_k3x3_p1x1x1x1_g8", "n1_i3_o2_6x5_k1x1_s2x2"});
  return all;
}

/// A prepared kernel gives the bits of execute(), unless the row says otherwise, whatever happens
/// to k and however the plan is used meanwhile.
TEST_P(Prepared, KernelsGiveTheSame) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(problems())) {
      SCOPED_TRACE(to_string(problem));
      const auto plan = contender.plan(problem);
      const Trial<T> trial({problem});
      const Operands<T> others = make_operands<T>({problem}, 2);
      Tensor<T> wanted(problem.y_extents()), y(problem.y_extents(), kGapped);
      plan->execute(trial.x(), trial.k(), wanted.view());

      EXPECT_EQ(plan->prepared_bytes(), 0u);
      Tensor<T> k(trial.k());
      plan->prepare(k.view());
      EXPECT_GT(plan->prepared_bytes(), 0u);
      k.fill(std::numeric_limits<T>::quiet_NaN());
      for (const char* round : {"first", "second"}) {
        SCOPED_TRACE(round);
        y.fill(std::numeric_limits<T>::quiet_NaN());
        plan->execute_prepared(trial.x(), y.view());
        contender.expect_right(trial.oracle, y.view());
        EXPECT_TRUE(y.guards_intact());
        if (contender.algorithm.prepared_bits &&
            contender.algorithm.delegates == Delegates::never) {
          EXPECT_TRUE(same_bits(std::as_const(y).view(), std::as_const(wanted).view()));
        }
        plan->execute(others.x_view(), others.k_view(), y.view());
      }

      plan->prepare(others.k_view());
      plan->execute_prepared(trial.x(), y.view());
      contender.expect_right(Oracle<T>(problem, trial.x(), others.k_view()), y.view());
    }
  });
}

/// Also where its values make execute() go another way.
TEST_P(Prepared, KernelsMayHoldWhatIsNotFinite) {
  run([]<class T>(const Contender<T>& contender) {
    if (contender.algorithm.non_finite != NonFinite::as_defined) return;
    const auto problems = parse_problems({"8x8_k5x5", "n1_i20_o33_14x15_k3x3",
                                          "n2_i4_o6_9x8_k3x3_p1x1x1x1_s2x2", "n2_i3_o4_9x8_k1x1"});
    for (const Problem& problem : contender.taken(problems)) {
      SCOPED_TRACE(to_string(problem));
      const auto plan = contender.plan(problem);
      const Operands<T> operands = make_operands<T>({problem});
      Tensor<T> k(operands.k_view());
      k(0, 0, 0, problem.w - 1) = std::numeric_limits<T>::infinity();
      Tensor<T> wanted(problem.y_extents()), y(problem.y_extents());
      plan->execute(operands.x_view(), k.view(), wanted.view());
      plan->prepare(k.view());
      plan->execute_prepared(operands.x_view(), y.view());
      for_each_index(problem.y_extents(), [&](auto... at) {
        EXPECT_EQ(std::isnan(y(at...)), std::isnan(wanted(at...)));
        EXPECT_EQ(std::isinf(y(at...)), std::isinf(wanted(at...)));
      });
    }
  });
}

TEST_P(Prepared, KernelsAndOperandsMayHaveAnyStrides) {
  run([]<class T>(const Contender<T>& contender) {
    constexpr Layout channels_last{.order = {0, 2, 3, 1}};
    for (const Problem& problem : contender.taken(problems())) {
      const auto plan = contender.plan(problem, {.any_strides = true});
      const Trial<T> trial({problem});
      plan->prepare(Tensor<T>(trial.k(), channels_last).view());
      Tensor<T> y(problem.y_extents(), channels_last);
      plan->execute_prepared(Tensor<T>(trial.x(), channels_last).view(), y.view());
      contender.expect_right(trial.oracle, y.view());
    }
  });
}

TEST_P(Prepared, RefusesWhatDoesNotFit) {
  run([]<class T>(const Contender<T>& contender) {
    const Problem problem = contender.taken(parse_problems({"8x6_k3x3", "8x6_k1x1"})).front();
    const std::string kernel =
        "[1,1," + std::to_string(problem.h) + "," + std::to_string(problem.w) + "]";
    const auto plan = contender.plan(problem);
    const Operands<T> operands = make_operands<T>({problem});
    Tensor<T> y(problem.y_extents());
    expect_error<std::logic_error>([&] { plan->execute_prepared(operands.x_view(), y.view()); },
                                   {"no kernel was prepared"});
    expect_error<std::invalid_argument>([&] { plan->prepare(operands.x_view()); },
                                        {"k is [1,1,8,6]", kernel});
    plan->prepare(operands.k_view());
    expect_error<std::invalid_argument>(
        [&] { plan->execute_prepared(operands.k_view(), y.view()); }, {"x is " + kernel});
    expect_error<std::invalid_argument>(
        [&] {
          plan->execute_prepared({y.view().data, problem.x_extents()}, y.view());
        },
        {"y overlaps x"});
  });
}

/// Whole numbers, so that every order of adding gives the same.
TEST_P(Accumulates, WhatWasThere) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(problems())) {
      SCOPED_TRACE(to_string(problem));
      const auto plan = contender.plan(problem);
      const Case whole{problem, Family::ints};
      const Trial<T> trial(whole);
      Tensor<T> sums(problem.y_extents());
      plan->execute(trial.x(), trial.k(), sums.view());
      plan->prepare(trial.k());
      for (const bool prepared : {false, true}) {
        Tensor<T> y(problem.y_extents(), kGapped);
        const auto there = [](index_t a, index_t b, index_t i, index_t j) {
          return static_cast<T>((a + 2 * b + 3 * i + 5 * j) % 7 - 3);
        };
        for_each_index(problem.y_extents(), [&](auto... at) { y(at...) = there(at...); });
        if (prepared) {
          plan->execute_prepared(trial.x(), y.view(), Accumulate::yes);
        } else {
          plan->execute(trial.x(), trial.k(), y.view(), Accumulate::yes);
        }
        EXPECT_TRUE(y.guards_intact());
        for_each_index(problem.y_extents(), [&](auto... at) { y(at...) -= there(at...); });
        contender.expect_right(trial.oracle, y.view());
      }
    }
  });
}

}  // namespace
}  // namespace fullconv::testing
