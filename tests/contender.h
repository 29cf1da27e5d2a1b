#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "fullconv/fullconv.h"
#include "support/accuracy.h"
#include "support/oracle.h"
#include "support/tensor.h"

namespace fullconv::testing {

template <class T>
constexpr const char* kScalarName = std::is_same_v<T, float> ? "f32" : "f64";

inline std::vector<Problem> parse_problems(std::initializer_list<const char*> texts) {
  std::vector<Problem> problems;
  for (const char* text : texts) problems.push_back(parse_problem(text));
  return problems;
}

/// y as an algorithm gave it, with how far each value may be from the truth.
template <class T>
struct Bounded {
  Tensor<T> y;
  Tensor<double> bound;
};

/// An algorithm in one of its scalars with a number of threads.
template <class T>
struct Contender {
  const Algorithm& algorithm;
  int threads;
  std::string instruction_set = {};  // the best where there is only one

  /// The plan, or null after printing why the algorithm declined.
  std::unique_ptr<Plan<T>> plan(const Problem& problem, PlanOptions options = {}) const {
    options.threads = threads;
    auto planned = algorithm.plan<T>(problem, options);
    if (auto* plan = std::get_if<std::unique_ptr<Plan<T>>>(&planned)) return std::move(*plan);
    std::cout << algorithm.name << " declined " << to_string(problem) << ": "
              << std::get<Declined>(planned).reason << '\n';
    return nullptr;
  }

  /// Those problems that the algorithm takes; a failure if it takes none, since a test that runs on
  /// nothing shows nothing.
  std::vector<Problem> taken(std::vector<Problem> problems) const {
    std::erase_if(problems, [&](const Problem& problem) { return !plan(problem); });
    EXPECT_FALSE(problems.empty()) << "it declined every problem of this test";
    return problems;
  }

  /// x ∗ k, or nothing where the algorithm declines.
  std::optional<Tensor<T>> convolve(const Problem& problem, const TensorView<const T>& x,
                                    const TensorView<const T>& k) const {
    const auto made = plan(problem);
    if (!made) return std::nullopt;
    Tensor<T> y(problem.y_extents());
    y.fill(std::numeric_limits<T>::quiet_NaN());
    made->execute(x, k, y.view());
    return y;
  }

  /// Demands that y is within its bounds.
  void expect_right(const Oracle<T>& oracle, const TensorView<const T>& y) const {
    const Accuracy accuracy = measure_accuracy(oracle, algorithm.error_model, y);
    EXPECT_TRUE(accuracy.within_bound()) << to_string(oracle.problem()) << ", " << accuracy.worst;
  }

  /// x ∗ k with its bounds, or nothing where the algorithm declines.
  std::optional<Bounded<T>> convolve_bounded(const Problem& problem, const TensorView<const T>& x,
                                             const TensorView<const T>& k) const {
    auto y = convolve(problem, x, k);
    if (!y) return std::nullopt;
    const Oracle<T> oracle(problem, x, k);
    Tensor<double> bound(problem.y_extents());
    oracle.for_each([&](const Reference<T>& r) {
      bound(r.n, r.c, r.i, r.j) =
          static_cast<double>(error_bound(algorithm.error_model, oracle, r));
    });
    return Bounded<T>{std::move(*y), std::move(bound)};
  }
};

/// What a test runs on, as a parameter.
struct Subject {
  std::variant<Contender<float>, Contender<double>> contender;
};

inline std::string name_of(const Subject& subject) {
  std::string name;
  std::visit(
      [&]<class T>(const Contender<T>& contender) {
        name.append(contender.algorithm.name).append("_").append(kScalarName<T>);
        if (contender.threads > 1) {
          name.append("_").append(std::to_string(contender.threads)).append("threads");
        }
        if (!contender.instruction_set.empty()) name.append("_").append(contender.instruction_set);
      },
      subject.contender);
  return name;
}

inline void PrintTo(const Subject& subject, std::ostream* out) { *out << name_of(subject); }

/// Those that an algorithm is to be tried with.
inline std::vector<std::string> instruction_sets_of(const Algorithm& algorithm) {
  std::vector<std::string> sets = instruction_sets();
  if (!algorithm.vectorized || sets.size() < 2) sets = {""};
  return sets;
}

/// Every algorithm in every scalar that it offers, with one thread, and two if it takes them, with
/// each instruction set that it has code for.
inline std::vector<Subject> subjects() {
  std::vector<Subject> all;
  for (const Algorithm* algorithm : algorithms()) {
    for (const std::string& set : instruction_sets_of(*algorithm)) {
      for (const int threads : {1, 2}) {
        if (threads > 1 && !algorithm->threaded) continue;
        if (algorithm->plan_f32) all.push_back({Contender<float>{*algorithm, threads, set}});
        if (algorithm->plan_f64) all.push_back({Contender<double>{*algorithm, threads, set}});
      }
    }
  }
  return all;
}

/// A suite that FULLCONV_FOR_EACH_SUBJECT runs over the registry. Within a test, run(body) calls
/// body with the Contender<T>.
class EachSubject : public ::testing::TestWithParam<Subject> {
 protected:
  void TearDown() override { use_instruction_set(""); }

  template <class Body>
  static void run(const Body& body) {
    std::visit(
        [&](const auto& contender) {
          use_instruction_set(contender.instruction_set);
          body(contender);
        },
        GetParam().contender);
  }
};

#define FULLCONV_FOR_EACH_SUBJECT(Suite)                                                        \
  INSTANTIATE_TEST_SUITE_P(, Suite, ::testing::ValuesIn(fullconv::testing::subjects()),         \
                           [](const ::testing::TestParamInfo<fullconv::testing::Subject>& it) { \
                             return fullconv::testing::name_of(it.param);                       \
                           })

}  // namespace fullconv::testing
