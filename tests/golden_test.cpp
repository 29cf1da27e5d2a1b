// Every algorithm against SciPy's convolve2d, and on layers from public reports against PyTorch's
// autograd of conv2d in double precision. The values are chosen so that no sum is rounded, in float
// either: sums of products are exactly what these say.

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

std::vector<Golden> read_golden(const std::string& file_name) {
  std::vector<Golden> all;
  std::ifstream file(FULLCONV_GOLDEN "/" + file_name);
  for (const auto& entry : nlohmann::json::parse(file)) {
    all.push_back({parse_problem(entry.at("problem").get<std::string>()), entry.at("x"),
                   entry.at("k"), entry.at("y")});
  }
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

class Values : public EachSubject {
 protected:
  /// Demands those of a file that has at least so many problems.
  static void expect_golden(const std::string& file_name, std::size_t least) {
    const std::vector<Golden> all = read_golden(file_name);
    EXPECT_GE(all.size(), least);
    run([&]<class T>(const Contender<T>& contender) {
      const bool exact = contender.algorithm.error_model.exact_on_integers;
      int compared = 0;
      for (const auto& [problem, x, k, y] : all) {
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
};
FULLCONV_FOR_EACH_SUBJECT(Values);

TEST_P(Values, AreThoseOfSciPy) { expect_golden("convolve2d.json", 36); }

TEST_P(Values, AreThoseOfPyTorchOnLayers) { expect_golden("layers.json", 22); }

}  // namespace
}  // namespace fullconv::testing
