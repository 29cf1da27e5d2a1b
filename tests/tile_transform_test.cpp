// The transform behind fft_overlap_save, against the definition of the discrete Fourier transform.

#include "fft/tile_transform.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "core/buffer.h"

namespace fullconv::testing {
namespace {

using Wide = std::complex<long double>;

/// e^(−2πi·f·j/n) for all f·j modulo n.
std::vector<Wide> roots_of_unity(index_t n) {
  std::vector<Wide> roots;
  for (index_t k = 0; k < n; ++k) {
    roots.push_back(
        std::polar(1.0L, -2 * std::numbers::pi_v<long double> * static_cast<long double>(k) /
                             static_cast<long double>(n)));
  }
  return roots;
}

template <class T>
struct Samples {
  index_t rows, columns;
  std::vector<T> values;

  Samples(index_t row_count, index_t column_count, unsigned seed)
      : rows(row_count), columns(column_count) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<T> uniform(-1, 1);
    for (index_t i = 0; i < rows * columns; ++i) values.push_back(uniform(random));
  }
  T& operator()(index_t i, index_t j) { return values[static_cast<std::size_t>(i * columns + j)]; }
  Plane<const T> plane() const { return {values.data(), rows, columns, columns}; }
  Plane<T> plane() { return {values.data(), rows, columns, columns}; }
};

/// ‖error‖ ≤ η·log₂n·‖result‖ (Higham, Accuracy and Stability, 2nd ed., th. 24.2, η ≤ 6.7u).
template <class T>
long double relative_bound(index_t points) {
  return 6.7L * std::numeric_limits<T>::epsilon() / 2 * std::log2(static_cast<long double>(points));
}

template <class T>
class TileTransformTest : public ::testing::Test {};
using Scalars = ::testing::Types<float, double>;
TYPED_TEST_SUITE(TileTransformTest, Scalars);

constexpr Packing kPackings[] = {Packing::two_tiles, Packing::right_angle};

/// e^(2πi·turns).
Wide turned(long double turns) {
  return std::polar(1.0L, 2 * std::numbers::pi_v<long double> * turns);
}

/// The roots at which a residue's polynomials are evaluated are e^(2πi·turns/rows), of all that
/// have the same power; here the turns of the first of them, without the residues' order.
long double turns(Packing packing, Residue residue) {
  const long double of_power = packing == Packing::right_angle ? 0.25L : 0;
  return (of_power + residue.index) / residue.count;
}

/// Of columns as polynomials, their values at those roots, and then DFTs along rows.
template <class T>
void expect_definition(index_t rows, index_t columns, Packing packing, Residue residue = {}) {
  const TileTransform<T> transform(rows, columns, packing, residue);
  const index_t tall = rows * residue.count;
  const Samples<T> re(tall, columns, 1);
  const Samples<T> im(tall, columns, 2);
  const Buffer<T> scratch(transform.scratch_size());
  const Buffer<T> spectrum(transform.spectrum_size());
  transform.forward(1, {}, {re.plane(), 0, 0}, {im.plane(), 0, 0}, scratch.data(), spectrum.data());

  const auto size = [](index_t n) { return static_cast<std::size_t>(n); };
  const std::vector<Wide> column_roots = roots_of_unity(columns);
  std::vector<Wide> half(size(tall * columns));  // transformed along its rows
  for (index_t i = 0; i < tall; ++i) {
    for (index_t v = 0; v < columns; ++v) {
      for (index_t j = 0; j < columns; ++j) {
        half[size(i * columns + v)] +=
            Wide(re.plane()(i, j), im.plane()(i, j)) * column_roots[size(v * j % columns)];
      }
    }
  }
  long double error = 0;
  long double norm = 0;
  for (index_t u = 0; u < rows; ++u) {
    const long double root =
        (turns(packing, residue) - static_cast<long double>(u)) / static_cast<long double>(rows);
    std::vector<Wide> powers;
    for (index_t i = 0; i < tall; ++i) powers.push_back(turned(root * static_cast<long double>(i)));
    for (index_t v = 0; v < columns; ++v) {
      Wide sum;
      for (index_t i = 0; i < tall; ++i) sum += half[size(i * columns + v)] * powers[size(i)];
      const index_t at = transform.position(u, v);
      error += std::norm(Wide(spectrum[at], spectrum[at + transform.lanes()]) - sum);
      norm += std::norm(sum);
    }
  }
  EXPECT_LE(std::sqrt(error / norm), relative_bound<T>(tall * columns))
      << rows << "x" << columns << ", residue " << residue.index << " of " << residue.count;
}

constexpr index_t kSides[] = {16,  32,  48,  64,  80,  96,  128, 144, 160,  192,  240,
                              256, 320, 384, 400, 512, 640, 768, 960, 1024, 1536, 2048};

TYPED_TEST(TileTransformTest, IsTheDefinition) {
  for (const index_t side : kSides) {
    ASSERT_TRUE(TransformAxis<TypeParam>::takes(side));
    if (side > 1024) continue;  // the definition would take too long
    expect_definition<TypeParam>(16, side, Packing::two_tiles);
    expect_definition<TypeParam>(side, 16, Packing::two_tiles);
    if (side <= 256) expect_definition<TypeParam>(side, 16, Packing::right_angle);
  }
  for (const Packing packing : kPackings) {
    for (const int count : {1, 2, 3, 8}) {
      for (int index = 0; index < count; ++index) {
        expect_definition<TypeParam>(48, 80, packing, {index, count});
      }
    }
  }
}

TYPED_TEST(TileTransformTest, TakesOnlyWhatItCanFactor) {
  for (const index_t side : {-16, 0, 1, 8, 24, 40, 100, 112, 176}) {
    EXPECT_FALSE(TransformAxis<TypeParam>::takes(side)) << side;
  }
}

template <class T>
std::vector<TileTransform<T>> all_residues(index_t rows, index_t columns, Packing packing,
                                           int count) {
  std::vector<TileTransform<T>> transforms;
  for (int s = 0; s < count; ++s)
    transforms.emplace_back(rows, columns, packing, Residue{s, count});
  return transforms;
}

/// A tile convolved with an impulse at (down, right) is that tile, shifted around. At right angles,
/// it is one of twice the rows, the impulse in its lower half, and what has been shifted around is
/// negative. Of residues, all together.
template <class T>
void expect_shifted(index_t rows, index_t columns, index_t count, Packing packing,
                    int residues = 1) {
  const bool lower = packing == Packing::right_angle;
  const index_t tall = rows * residues;
  const index_t down = tall / 3;
  const index_t right = columns / 5;
  const Samples<T> re(tall, columns, 3);
  const Samples<T> im(tall, columns, 4);
  const T scale = T{1} / static_cast<T>(tall * columns * count);
  const T one = 1;
  const Plane<const T> impulse{&one, 1, 1, 1};
  const auto transforms = all_residues<T>(rows, columns, packing, residues);
  const index_t size = transforms[0].spectrum_size();
  const index_t apart = size + 64;
  const Buffer<T> scratch(transforms[0].scratch_size());
  const Buffer<T> kernels(count * size);
  const Buffer<T> tiles(count * size);
  const Buffer<T> halves(residues * apart);
  Samples<T> re_out(tall, columns, 5);
  Samples<T> im_out(tall, columns, 6);
  const TileWindow<T> re_window{re_out.plane(), 0, 0};
  const TileWindow<T> im_window{im_out.plane(), 0, 0};
  for (int s = 0; s < residues; ++s) {
    const TileTransform<T>& transform = transforms[static_cast<std::size_t>(s)];
    T* half = halves.data() + s * apart;
    for (index_t o = 0; o < count; ++o) {
      const TileWindow<const T> taps{impulse, -down, -right};
      transform.forward(scale, {}, lower ? TileWindow<const T>{} : taps,
                        lower ? taps : TileWindow<const T>{}, scratch.data(),
                        kernels.data() + o * size);
      transform.forward(1, {}, {re.plane(), 0, 0}, {im.plane(), 0, 0}, scratch.data(),
                        tiles.data() + o * size);
    }
    if (count == 1) {
      transform.convolve({}, {re.plane(), 0, 0}, {im.plane(), 0, 0}, kernels.data(), scratch.data(),
                         half);
    } else {
      transform.sum_products(tiles.data(), kernels.data(), count, half);
    }
    transform.publish(re_window, im_window, scratch.data(), half);
  }
  for (const TileTransform<T>& transform : transforms) {
    transform.combine(halves.data(), apart, 0, re_window, im_window, scratch.data());
  }
  long double error = 0;
  long double norm = 0;
  for (index_t i = 0; i < tall; ++i) {
    for (index_t j = 0; j < columns; ++j) {
      const index_t to_i = (i + down) % tall;
      const index_t to_j = (j + right) % columns;
      const Wide is(re_out(to_i, to_j), im_out(to_i, to_j));
      Wide was(re.plane()(i, j), im.plane()(i, j));
      if (lower) was *= i + down >= tall ? Wide(-1) : Wide(0, 1);
      error += std::norm(is - was);
      norm += std::norm(was);
    }
  }
  // Three transforms and a product.
  EXPECT_LE(std::sqrt(error / norm), 3.5L * relative_bound<T>(tall * columns))
      << rows << "x" << columns << ", " << count << " products, " << residues << " residues";
}

TYPED_TEST(TileTransformTest, ConvolvesWithAnImpulse) {
  for (const index_t side : kSides) {
    for (const Packing packing : kPackings) {
      for (const index_t count : {1, 3}) {
        expect_shifted<TypeParam>(side, 16, count, packing);
        expect_shifted<TypeParam>(16, side, count, packing);
        if (side <= 256) expect_shifted<TypeParam>(side, side, count, packing);
        if (side > 64) continue;
        for (const int residues : {2, 3, 8}) {
          expect_shifted<TypeParam>(side, 48, count, packing, residues);
          expect_shifted<TypeParam>(side, 16, count, packing, residues);
        }
      }
    }
  }
}

/// Rounded roots make outputs neither larger nor smaller on average, but for the scale's own
/// rounding, by up to u, and constants that are rounded twice. Without regard to roots it is up to
/// 2.8 u.
template <class T>
void expect_no_growth(index_t rows, index_t columns, Packing packing, int residues) {
  const bool lower = packing == Packing::right_angle;
  const index_t tall = rows * residues * (lower ? 2 : 1);
  const Samples<T> x(tall / 2 + 1, columns / 2 + 1, 8);
  const Samples<T> k(tall / 2, columns / 2, 9);
  const TileWindow<const T> image{x.plane(), 0, 0};
  const TileWindow<const T> taps{k.plane(), 0, 0};
  Samples<T> y(tall, columns, 10);
  const auto other = [&]<class U>(TileWindow<U> window) {
    window.top += tall / 2;
    return lower ? window : TileWindow<U>{};
  };
  const auto transforms = all_residues<T>(rows, columns, packing, residues);
  const index_t size = transforms[0].spectrum_size();
  const Buffer<T> scratch(transforms[0].scratch_size());
  const Buffer<T> kernel(size);
  const Buffer<T> halves(residues * size);
  const TileWindow<T> output{y.plane(), 0, 0};
  for (int s = 0; s < residues; ++s) {
    const TileTransform<T>& transform = transforms[static_cast<std::size_t>(s)];
    transform.forward(transform.scale(), {}, taps, other(taps), scratch.data(), kernel.data());
    transform.convolve({}, image, other(image), kernel.data(), scratch.data(),
                       halves.data() + s * size);
    transform.publish(output, other(output), scratch.data(), halves.data() + s * size);
  }
  for (const TileTransform<T>& transform : transforms) {
    transform.combine(halves.data(), size, 0, output, other(output), scratch.data());
  }
  long double product = 0;
  long double norm = 0;
  for (index_t i = 0; i < tall; ++i) {
    for (index_t j = 0; j < columns; ++j) {
      long double is = 0;
      for (index_t p = std::max<index_t>(0, i - x.rows + 1); p < std::min(i + 1, k.rows); ++p) {
        for (index_t q = std::max<index_t>(0, j - x.columns + 1); q < std::min(j + 1, k.columns);
             ++q) {
          is += static_cast<long double>(x.plane()(i - p, j - q)) * k.plane()(p, q);
        }
      }
      product += (y(i, j) - is) * is;
      norm += is * is;
    }
  }
  const long double u = std::numeric_limits<T>::epsilon() / 2;
  EXPECT_LE(std::abs(product / norm), 1.5L * u)
      << rows << "x" << columns << ", " << residues << " residues";
}

TYPED_TEST(TileTransformTest, MakesNothingGrow) {
  for (const Packing packing : kPackings) {
    for (const int residues : {1, 2}) {
      expect_no_growth<TypeParam>(64, 64, packing, residues);
      expect_no_growth<TypeParam>(48, 96, packing, residues);
      expect_no_growth<TypeParam>(80, 48, packing, residues);
      expect_no_growth<TypeParam>(16, 128, packing, residues);
    }
  }
}

/// combine() writes what both the tile and the plane have, and nothing else.
template <class T>
void expect_finished(int residues) {
  constexpr index_t kRows = 32;
  constexpr index_t kColumns = 48;
  const auto transforms = all_residues<T>(kRows / residues, kColumns, Packing::two_tiles, residues);
  const index_t apart = transforms[0].spectrum_size();
  const Buffer<T> scratch(transforms[0].scratch_size());
  const Buffer<T> halves(residues * apart);  // of zeros
  for (const index_t top : {-33, -17, -8, -5, 0, 9, 41}) {
    for (const index_t left : {-50, -47, -21, -16, -3, 0, 7}) {
      Samples<T> re(40, 37, 7);
      Samples<T> im(40, 37, 7);
      for (T& value : re.values) value = 1;
      for (T& value : im.values) value = 1;
      for (const TileTransform<T>& transform : transforms) {
        transform.combine(halves.data(), apart, 0, {re.plane(), top, left}, {im.plane(), 0, 0},
                          scratch.data());
      }
      for (index_t i = 0; i < re.rows; ++i) {
        for (index_t j = 0; j < re.columns; ++j) {
          const bool written =
              i - top >= 0 && i - top < kRows && j - left >= 0 && j - left < kColumns;
          ASSERT_EQ(re(i, j), written ? T{0} : T{1})
              << i << "," << j << " from " << top << "," << left;
          ASSERT_EQ(im(i, j), i < kRows ? T{0} : T{1}) << i << "," << j;
        }
      }
    }
  }
}

TYPED_TEST(TileTransformTest, FinishesWhatThereIs) {
  for (const int residues : {1, 2}) expect_finished<TypeParam>(residues);
}

}  // namespace
}  // namespace fullconv::testing
