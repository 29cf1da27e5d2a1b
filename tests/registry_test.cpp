// What the registry says of its algorithms, and what planning refuses.

#include <cmath>
#include <ctime>
#include <limits>
#include <map>
#include <set>

#include "contender.h"
#include "expect_error.h"
#include "support/trial.h"

namespace fullconv::testing {
namespace {

TEST(Registry, ListsEachAlgorithmOnce) {
  EXPECT_FALSE(algorithms().empty());
  std::set<std::string_view> names;
  for (const Algorithm* algorithm : algorithms()) {
    ASSERT_NE(algorithm, nullptr);
    EXPECT_TRUE(names.insert(algorithm->name).second) << algorithm->name;
    EXPECT_EQ(find_algorithm(algorithm->name), algorithm);
  }
}

TEST(Registry, DescribesEachInOneLine) {
  for (const Algorithm* algorithm : algorithms()) {
    EXPECT_FALSE(algorithm->name.empty());
    EXPECT_EQ(algorithm->name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"),
              std::string_view::npos)
        << algorithm->name;
    expect_one_line(algorithm->summary, {});
    EXPECT_LE(algorithm->summary.size(), 100U) << algorithm->name;
    EXPECT_TRUE(algorithm->plan_f32 || algorithm->plan_f64) << algorithm->name;
  }
}

/// So that a name says which model it is.
TEST(Registry, ErrorModelsOfOneNameAreOne) {
  std::map<std::string_view, long double (*)(const ErrorTerms&)> bounds;
  for (const Algorithm* algorithm : algorithms()) {
    const ErrorModel& model = algorithm->error_model;
    EXPECT_FALSE(model.name.empty()) << algorithm->name;
    ASSERT_NE(model.bound, nullptr) << algorithm->name;
    EXPECT_EQ(bounds.emplace(model.name, model.bound).first->second, model.bound) << model.name;
  }
}

TEST(Registry, FindsNothingElse) {
  for (const char* name : {"", " ", "no_such_algorithm", "FFT", "fft ", "*"}) {
    EXPECT_EQ(find_algorithm(name), nullptr) << name;
  }
  const std::string_view first = algorithms().front()->name;
  EXPECT_EQ(find_algorithm(first.substr(0, first.size() - 1)), nullptr);
}

TEST(Registry, CountsOperations) {
  const Problem small = parse_problem("n2_i3_o4_17x13_k5x7");
  const Problem large = parse_problem("n2_i3_o4_170x130_k5x7");
  for (const Algorithm* algorithm : algorithms()) {
    EXPECT_GT(algorithm->operations(small), 0) << algorithm->name;
    EXPECT_GT(algorithm->operations(large), algorithm->operations(small)) << algorithm->name;
  }
  EXPECT_EQ(nominal_operations(small), 2.0 * 2 * 3 * 4 * 17 * 13 * 5 * 7);
  EXPECT_EQ(padded_operations(small), 2.0 * 2 * 3 * 4 * 21 * 19 * 5 * 7);
}

class Planning : public EachSubject {};
FULLCONV_FOR_EACH_SUBJECT(Planning);

TEST_P(Planning, RefusesWhatMakesNoSense) {
  run([]<class T>(const Contender<T>& contender) {
    for (const int threads : {0, -1, std::numeric_limits<int>::min()}) {
      const Contender<T> nobody{contender.algorithm, threads};
      expect_error<std::invalid_argument>([&] { nobody.plan({.H = 8, .W = 8}); },
                                          {"threads is " + std::to_string(threads)});
    }
    const auto refuses = [&](const Problem& problem, const char* why) {
      expect_error<std::invalid_argument>([&] { contender.plan(problem); }, {why});
    };
    refuses({.H = 0}, "size of 0");
    refuses({.w = -1}, "size of -1");
    refuses({.H = index_t{1} << 40, .W = index_t{1} << 40}, "overflow");
  });
}

template <class T>
void expect_works(const Contender<T>& contender, Plan<T>& plan) {
  const Trial<T> trial({plan.problem()});
  Tensor<T> y(plan.problem().y_extents());
  plan.execute(trial.x(), trial.k(), y.view());
  contender.expect_right(trial.oracle, y.view());
}

/// Spending time on planning changes the time that executing takes, and nothing else. Nor does it
/// when what a library has learnt of that is forgotten.
TEST_P(Planning, MayMeasureAndForget) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(
             parse_problems({"30x31_k9x8", "n2_i3_o4_17x13_k3x3", "n2_i3_o4_17x13_k1x1"}))) {
      const auto measured = contender.plan(problem, {.effort = Effort::measure});
      EXPECT_EQ(measured->problem(), problem);
      expect_works(contender, *measured);
      if (contender.algorithm.forget != nullptr) contender.algorithm.forget();
      expect_works(contender, *measured);
      expect_works(contender, *contender.plan(problem));
    }
  });
}

/// A problem far beyond this machine is answered at once: by a plan that needs no memory for it, by
/// a decline, or by InsufficientMemory; never by swapping.
TEST_P(Planning, AnswersImpossibleProblemsAtOnce) {
  run([]<class T>(const Contender<T>& contender) {
    for (const char* text :
         {"1000000x1000000_k3x3", "1000000x1000000_k1001x1001", "3x3_k1000000x1000000",
          "1x999999999999937_k1x2", "999999999999937x1_k2x1", "1x1_k1x999999999999937",
          "1x1_k999999999999937x1", "n1000000_i1_o2_100x100_k3x3",
          "n1_i1000000_o1000000000000_1x1_k1x1", "n100000_i100000_o1_1000x1000_k1x1",
          "n1_i1_o1000000000000000_1x1_k1x1", "n1_i1000000000000000_o1_1x1_k1x1",
          "1x1_k1x1152921504606846975"}) {
      for (const bool any_strides : {false, true}) {
        SCOPED_TRACE(text);
        const auto seconds = [&] {
          const std::clock_t begin = std::clock();
          try {
            const auto plan = contender.plan(parse_problem(text), {.any_strides = any_strides});
            if (plan) {
              EXPECT_LT(plan->workspace_bytes(), std::size_t{1} << 40);
            }
          } catch (const InsufficientMemory& error) {
            expect_one_line(error.what(), {"workspace"});
          }
          return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
        };
        // Filling gigabytes before it finds that more are needed would take longer. The first of
        // two may: a virtual machine took 1.8 s for 0.5 GiB when it had to be given the pages, and
        // 0.15 s when it had them.
        EXPECT_LT(std::min(seconds(), seconds()), 1);
      }
    }
  });
}

/// What would fit the address space but not the memory that is left is refused before it is filled.
TEST_P(Planning, RefusesMoreMemoryThanIsLeft) {
  run([]<class T>(const Contender<T>& contender) {
    const std::size_t available = available_memory();
    if (available == std::numeric_limits<std::size_t>::max()) {
      GTEST_SKIP() << "the system does not tell what is left";
    }
    const auto elements = 2 * static_cast<double>(available) / sizeof(T);
    const auto side = static_cast<index_t>(std::sqrt(elements));
    try {
      const auto plan =
          contender.plan({.H = side, .W = side, .h = 3, .w = 3}, {.any_strides = true});
      if (plan) {
        EXPECT_LT(plan->workspace_bytes(), available);
      }
    } catch (const InsufficientMemory& error) {
      expect_one_line(error.what(), {"workspace", "MiB available"});
    }
  });
}

TEST(InstructionSets, AreUsedAsTold) {
  const std::vector<std::string> sets = instruction_sets();
  if (sets.empty()) GTEST_SKIP() << "built without Highway";
  EXPECT_EQ(instruction_set(), sets.front());
  for (const std::string& set : sets) {
    use_instruction_set(set);
    EXPECT_EQ(instruction_set(), set);
  }
  EXPECT_EQ(instruction_sets(), sets);
  use_instruction_set("");
  EXPECT_EQ(instruction_set(), sets.front());
}

TEST(InstructionSets, ThatThereAreNotAreRefused) {
  try {
    use_instruction_set("MMX");
    ADD_FAILURE() << "it took any name";
  } catch (const std::invalid_argument& error) {
    expect_one_line(error.what(), {"'MMX'"});
  }
}

}  // namespace
}  // namespace fullconv::testing
