// Scaling by powers of two: of any number, by any exponent, as std::ldexp does.

#include "core/operand_range.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace fullconv {
namespace {

template <class T>
class Scale : public ::testing::Test {};
using Scalars = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Scale, Scalars);

TYPED_TEST(Scale, RoundsOnce) {
  using T = TypeParam;
  using Bits = BitsOf<T>;
  constexpr Bits kSign = Bits{1} << (8 * sizeof(T) - 1);
  constexpr Bits kMantissa = (Bits{1} << (std::numeric_limits<T>::digits - 1)) - 1;
  constexpr int kMost = 2 * std::numeric_limits<T>::max_exponent;
  std::mt19937_64 engine(1);
  for (int exponent = -kMost; exponent <= kMost; exponent += 3) {
    std::array<T, 67> values;
    for (T& value : values) {
      const auto bits = static_cast<Bits>(engine());
      const bool is_subnormal = engine() % 4 == 0;
      value = std::bit_cast<T>(is_subnormal ? bits & (kSign | kMantissa) : bits);
    }
    std::array<T, 67> scaled = values;
    scale(exponent, scaled.data(), 67);
    std::array<T, 67> apart = values;
    scale(exponent, apart.data(), 34, 2);
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(std::bit_cast<Bits>(apart[i]),
                std::bit_cast<Bits>(i % 2 == 0 ? scaled[i] : values[i]));
      const T expected = std::ldexp(values[i], exponent);
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(scaled[i]));
        continue;
      }
      EXPECT_EQ(scaled[i], expected) << values[i] << " times 2^" << exponent;
      EXPECT_EQ(std::signbit(scaled[i]), std::signbit(expected));
    }
  }
}

}  // namespace
}  // namespace fullconv
