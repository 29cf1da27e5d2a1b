#include "interval.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

namespace fullconv::bench {
namespace {

double mean(std::span<const double> values) {
  return std::reduce(values.begin(), values.end()) / static_cast<double>(values.size());
}

/// By how much the variance of a mean is larger than if the values were independent. `centred`
/// have the mean 0 and the sum of squares `squares`.
double inflation(std::span<const double> centred, double squares) {
  const auto n = static_cast<double>(centred.size());
  const auto correlation = [&](std::size_t lag) {
    if (lag == 0) return 1.0;
    const double products = std::inner_product(centred.begin() + static_cast<std::ptrdiff_t>(lag),
                                               centred.end(), centred.begin(), 0.0);
    return 1 / n + products / squares;
  };
  double sum = 0;
  for (std::size_t k = 0; 4 * k < centred.size(); ++k) {
    const double pair = correlation(2 * k) + correlation(2 * k + 1);
    if (pair <= 0) break;
    sum += pair;
  }
  const double neighbours = std::min(correlation(1), 0.99);
  return std::max({1.0, (1 + neighbours) / (1 - neighbours), 2 * sum - 1});
}

}  // namespace

double half_width(std::span<const double> values, double confidence) {
  if (values.size() < 3) return std::numeric_limits<double>::infinity();
  const std::size_t cut = std::max<std::size_t>(values.size() / 5, 1) - 1;
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const double low = sorted[cut];
  const double high = sorted[sorted.size() - 1 - cut];

  std::vector<double> centred(values.begin(), values.end());
  for (double& value : centred) value = std::clamp(value, low, high);
  const double middle = mean(centred);
  for (double& value : centred) value -= middle;
  const double squares = std::inner_product(centred.begin(), centred.end(), centred.begin(), 0.0);
  if (squares == 0) return 0;

  const double factor = inflation(centred, squares);
  const auto kept = static_cast<double>(values.size() - 2 * cut);
  const double error = std::sqrt(factor * squares / (kept * (kept - 1)));
  const boost::math::students_t distribution(kept - 1);
  return error * quantile(complement(distribution, (1 - confidence) / 2));
}

}  // namespace fullconv::bench
