#include "support/operands.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <random>

namespace fullconv::testing {
namespace {

// Not std::uniform_real_distribution: its values differ between standard libraries.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  /// Uniform in [−1, 1).
  double real() { return std::ldexp(static_cast<double>(engine_() >> 11), -52) - 1; }

  /// Uniform among least … most.
  int integer(int least, int most) {
    return least + static_cast<int>(engine_() % static_cast<std::uint64_t>(most - least + 1));
  }

  /// Uniform among −magnitude … magnitude.
  double integer(std::int64_t magnitude) {
    const auto choices = static_cast<std::uint64_t>(2 * magnitude + 1);
    return static_cast<double>(static_cast<std::int64_t>(engine_() % choices) - magnitude);
  }

 private:
  std::mt19937_64 engine_;
};

template <class T, class Draw>
void fill(std::vector<T>& values, const Draw& draw) {
  for (T& value : values) value = static_cast<T>(draw());
}

/// The most that an output is the sum of.
double products_of(const Problem& problem) {
  return static_cast<double>(problem.K) * static_cast<double>(std::min(problem.H, problem.h)) *
         static_cast<double>(std::min(problem.W, problem.w));
}

/// Integers small enough that Σ|x||k| stays below 2²⁴, so that any order of summing is exact.
std::int64_t exact_magnitude(const Problem& problem) {
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::sqrt(0x1p23 / products_of(problem))));
}

/// Puts each of `values` somewhere, `most` times at most.
template <class T>
void scatter(std::vector<T>& elements, std::initializer_list<T> values, int most, Random& random) {
  const auto last = static_cast<int>(std::min<std::size_t>(elements.size(), 1 << 30) - 1);
  for (const T value : values) {
    for (int times = random.integer(1, most); times > 0; --times) {
      elements[static_cast<std::size_t>(random.integer(0, last))] = value;
    }
  }
}

/// The weight of a separable bell, off centre so that flipping it shows.
double bell(index_t position, index_t size, double centre) {
  const double distance = (static_cast<double>(position) - centre * static_cast<double>(size)) /
                          (0.3 * static_cast<double>(size) + 0.5);
  return std::exp(-0.5 * distance * distance);
}

template <class T>
void fill_kernel(const Case& c, Random& random, std::vector<T>& k) {
  const index_t K = c.problem.K, C = c.problem.C, h = c.problem.h, w = c.problem.w;
  for (index_t plane = 0; plane < K * (C / c.problem.groups); ++plane) {
    std::vector<double> columns[2];
    std::vector<double> rows[2];
    for (auto& column : columns) {
      for (index_t p = 0; p < h; ++p) column.push_back(random.real());
    }
    for (auto& row : rows) {
      for (index_t q = 0; q < w; ++q) row.push_back(random.real());
    }
    for (index_t p = 0; p < h; ++p) {
      for (index_t q = 0; q < w; ++q) {
        double value = 1.0 / static_cast<double>(h * w);
        if (c.family == Family::gauss) value = bell(p, h, 0.45) * bell(q, w, 0.55);
        if (c.family == Family::rank2) {
          value = 0;
          for (int r = 0; r < 2; ++r) {
            value += columns[r][static_cast<std::size_t>(p)] * rows[r][static_cast<std::size_t>(q)];
          }
        }
        k[static_cast<std::size_t>((plane * h + p) * w + q)] = static_cast<T>(value);
      }
    }
  }
}

}  // namespace

template <class T>
Operands<T> make_operands(const Case& c, std::uint64_t seed) {
  Operands<T> operands{
      c.problem, std::vector<T>(static_cast<std::size_t>(element_count(c.problem.x_extents()))),
      std::vector<T>(static_cast<std::size_t>(element_count(c.problem.k_extents())))};
  Random random(seed);
  const auto fill_scaled = [&](int x_exponent, int k_exponent) {
    fill(operands.x, [&] { return std::ldexp(random.real(), x_exponent); });
    fill(operands.k, [&] { return std::ldexp(random.real(), k_exponent); });
  };
  constexpr int range = std::numeric_limits<T>::max_exponent;
  switch (c.family) {
    case Family::random:
      fill_scaled(0, 0);
      break;
    case Family::huge:
      fill_scaled(range * 5 / 8, range / 4);
      break;
    case Family::tiny:
      fill_scaled(-range * 5 / 8, -range / 4);
      break;
    case Family::subnormal: {
      constexpr int below = std::numeric_limits<T>::min_exponent - 3;
      seed % 2 == 0 ? fill_scaled(below, 0) : fill_scaled(0, below);
      break;
    }
    case Family::scaled: {
      // Sums stay below 2^(range − 1), and nothing is too small to be a number at all.
      constexpr int least = std::numeric_limits<T>::min_exponent - 3;
      const int products = std::ilogb(products_of(c.problem)) + 1;
      const int x_exponent = random.integer(least, range - 1);
      const int k_most = std::min(range - 1 - products - x_exponent, range - 1);
      fill_scaled(x_exponent, random.integer(least, k_most));
      break;
    }
    case Family::wide: {
      constexpr int reach = range / 2 - 16;
      const auto value = [&] {
        const double real = random.real();
        return std::ldexp(real, random.integer(-reach, reach));
      };
      fill(operands.x, value);
      fill(operands.k, value);
      break;
    }
    case Family::dead:
      fill_scaled(0, 0);
      scatter(operands.x, {std::numeric_limits<T>::quiet_NaN()}, 7, random);
      break;
    case Family::non_finite: {
      constexpr T infinity = std::numeric_limits<T>::infinity();
      fill_scaled(0, 0);
      const int where = random.integer(1, 3);
      for (auto* values : {&operands.x, &operands.k}) {
        if ((where & (values == &operands.x ? 1 : 2)) == 0) continue;
        scatter(*values, {T{0}, infinity}, 2, random);
        if (random.integer(0, 1) == 0) continue;
        scatter(*values, {-infinity, std::numeric_limits<T>::quiet_NaN()}, 1, random);
      }
      break;
    }
    case Family::ints: {
      const std::int64_t magnitude = exact_magnitude(c.problem);
      fill(operands.x, [&] { return random.integer(magnitude); });
      fill(operands.k, [&] { return random.integer(magnitude); });
      break;
    }
    case Family::gauss:
    case Family::box:
    case Family::rank2:
      fill(operands.x, [&] { return random.real(); });
      fill_kernel(c, random, operands.k);
      break;
  }
  return operands;
}

template Operands<float> make_operands(const Case&, std::uint64_t);
template Operands<double> make_operands(const Case&, std::uint64_t);

}  // namespace fullconv::testing
