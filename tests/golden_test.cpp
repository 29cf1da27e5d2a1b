// Every algorithm against SciPy's convolve2d. The values are chosen so that no sum is rounded, in
// float either: sums of products are exactly what SciPy says.

#include <fstream>
#include <nlohmann/json.hpp>

#include "contender.h"

namespace fullconv::testing {
namespace {

struct Golden {
  Problem problem;
  std::vector<int> x, k;  // in 1/64
  std::vector<int> y;     // in 1/4096
};

const std::vector<Golden>& all_golden() {
  static const std::vector<Golden> all = [] {
    std::vector<Golden> read;
    std::ifstream file(FULLCONV_GOLDEN);
    for (const auto& entry : nlohmann::json::parse(file)) {
      read.push_back({parse_problem(entry.at("problem").get<std::string>()), entry.at("x"),
                      entry.at("k"), entry.at("y")});
    }
    return read;
  }();
  return all;
}

template <class T>
Tensor<T> in_units(const std::vector<int>& numerators, int denominator, const Extents& extents) {
  Tensor<T> tensor(extents);
  auto numerator = numerators.begin();
  for_each_index(extents, [&](auto... at) {
    tensor(at...) = static_cast<T>(*numerator++) / static_cast<T>(denominator);
  });
  return tensor;
}

class Convolve2d : public EachSubject {};
FULLCONV_FOR_EACH_SUBJECT(Convolve2d);

TEST_P(Convolve2d, AgreesWithSciPy) {
  run([]<class T>(const Contender<T>& contender) {
    const bool exact = contender.algorithm.error_model == ErrorModel::componentwise;
    int compared = 0;
    for (const auto& [problem, x, k, y] : all_golden()) {
      SCOPED_TRACE(to_string(problem));
      const auto result =
          contender.convolve_bounded(problem, in_units<T>(x, 64, problem.x_extents()).view(),
                                     in_units<T>(k, 64, problem.k_extents()).view());
      if (!result) continue;
      ++compared;
      const auto expected = in_units<T>(y, 4096, problem.y_extents());
      for_each_index(problem.y_extents(), [&](auto... at) {
        EXPECT_NEAR(result->y(at...), expected(at...), exact ? 0 : result->bound(at...));
      });
    }
    EXPECT_GT(compared, 0) << "it declined every problem of this test";
  });
}

TEST(Golden, HasAFewDozenShapes) { EXPECT_GE(all_golden().size(), 36U); }

}  // namespace
}  // namespace fullconv::testing
