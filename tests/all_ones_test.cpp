// The table that everyone checks first, and why it proves little.

#include <algorithm>
#include <array>

#include "contender.h"
#include "support/operands.h"

namespace fullconv::testing {
namespace {

constexpr Problem kProblem{.H = 8, .W = 8, .h = 5, .w = 5};

/// ones(8,8) ∗ ones(5,5)[i,j]: how many taps exist in each axis, multiplied.
double ones_table(index_t i, index_t j) {
  constexpr std::array<int, 12> taps{1, 2, 3, 4, 5, 5, 5, 5, 4, 3, 2, 1};
  return taps[static_cast<std::size_t>(i)] * taps[static_cast<std::size_t>(j)];
}

template <class T>
Tensor<T> ones(const Extents& extents) {
  Tensor<T> tensor(extents);
  tensor.fill(1);
  return tensor;
}

class AllOnes : public EachSubject {};
FULLCONV_FOR_EACH_SUBJECT(AllOnes);

TEST_P(AllOnes, GiveTheTable) {
  run([]<class T>(const Contender<T>& contender) {
    const auto x = ones<T>(kProblem.x_extents());
    const auto k = ones<T>(kProblem.k_extents());
    const auto result = contender.convolve_bounded(kProblem, x.view(), k.view());
    if (!result) GTEST_SKIP() << "declined";
    const bool exact = contender.algorithm.error_model.exact_on_integers;
    for_each_index(kProblem.y_extents(), [&](index_t, index_t, index_t i, index_t j) {
      const double tolerance = exact ? 0 : result->bound(0, 0, i, j);
      EXPECT_NEAR(result->y(0, 0, i, j), ones_table(i, j), tolerance) << "at " << i << "," << j;
    });
  });
}

// Full convolution as many write it at first. Each axis has a head, where the kernel enters the
// image, a middle, and a tail, where it leaves:
//
//   head    i < h−1        image from its front, i+1 samples     kernel: its front, i+1 taps
//   middle  h−1 ≤ i < H    h samples up to i                     kernel: all of it
//   tail    H ≤ i          image up to its back                  kernel: its front, H+h−1−i taps
//
// and in each of the nine combinations a slice of the image is multiplied element by element with a
// slice of the kernel. Nothing turns the kernel round: sample i−h+1+p meets tap p, which is a
// correlation. Handed the flipped kernel, middle and tail would be right, since there the slice
// does start at tap 0. In the head it does not: the image enters over the *last* taps, so that the
// slice has to be the kernel's back. Taken from the front it is wrong with the kernel either way
// round, and no flip outside corrects it.
//
// On constant operands none of this can be seen: every slice of ones is ones, and only its length
// counts, which is right.

/// Where an output's slices of image and kernel begin, and how long they are.
struct Slices {
  index_t image;
  index_t kernel;
  index_t length;
};

Slices slices_by_hand(index_t i, index_t size, index_t taps) {
  if (i < taps - 1) return {0, 0, i + 1};  // head; a correlation's is {0, taps − 1 − i, i + 1}
  if (i < size) return {i - taps + 1, 0, taps};
  return {i - taps + 1, 0, size + taps - 1 - i};
}

/// The form above, for kernels that are no larger than the image.
Tensor<double> convolve_by_hand(const Tensor<double>& x, const Tensor<double>& k) {
  const auto& [N, K, H, W] = x.extents();
  const auto& [K1, C, h, w] = k.extents();
  Tensor<double> y({1, 1, H + h - 1, W + w - 1});
  for_each_index(y.extents(), [&](index_t, index_t, index_t i, index_t j) {
    const Slices rows = slices_by_hand(i, x.extents()[2], k.extents()[2]);
    const Slices columns = slices_by_hand(j, x.extents()[3], k.extents()[3]);
    double sum = 0;
    for (index_t p = 0; p < rows.length; ++p)
      for (index_t q = 0; q < columns.length; ++q)
        sum += x(0, 0, rows.image + p, columns.image + q) *
               k(0, 0, rows.kernel + p, columns.kernel + q);
    y(0, 0, i, j) = sum;
  });
  return y;
}

/// k with both axes reversed.
Tensor<double> flipped(const Tensor<double>& k) {
  Tensor<double> turned(k.extents());
  for_each_index(k.extents(), [&](index_t, index_t, index_t p, index_t q) {
    turned(0, 0, p, q) = k(0, 0, k.extents()[2] - 1 - p, k.extents()[3] - 1 - q);
  });
  return turned;
}

/// How many outputs of the form by hand are not what the oracle says.
int wrong_outputs(const Tensor<double>& y, const Oracle<double>& oracle, index_t first_row = 0,
                  index_t first_column = 0) {
  int wrong = 0;
  oracle.for_each([&](const Reference<double>& r) {
    if (r.i < first_row || r.j < first_column) return;
    if (y(0, 0, r.i, r.j) != static_cast<double>(r.value)) ++wrong;
  });
  return wrong;
}

TEST(AllOnesByHand, GiveTheTableToo) {
  const auto y =
      convolve_by_hand(ones<double>(kProblem.x_extents()), ones<double>(kProblem.k_extents()));
  for_each_index(kProblem.y_extents(), [&](index_t, index_t, index_t i, index_t j) {
    EXPECT_EQ(y(0, 0, i, j), ones_table(i, j));
  });
}

TEST(AllOnesByHand, AreWrongForTheFirstAsymmetricKernel) {
  Tensor<double> k(kProblem.k_extents());
  double next = 1;
  for_each_index(k.extents(), [&](auto... at) { k(at...) = next++; });
  const auto x = ones<double>(kProblem.x_extents());
  const Oracle<double> oracle(kProblem, x.view(), k.view());
  // On an image of ones only the taps count that a slice holds. The front of the kernel is right in
  // the head, wrong in the tail, where it has to be the back …
  EXPECT_EQ(wrong_outputs(convolve_by_hand(x, k), oracle), 12 * 12 - 8 * 8);
  // … and with the kernel flipped the other way round.
  const auto with_flipped_kernel = convolve_by_hand(x, flipped(k));
  EXPECT_EQ(wrong_outputs(with_flipped_kernel, oracle), 12 * 12 - 8 * 8);
  EXPECT_EQ(wrong_outputs(with_flipped_kernel, oracle, 4, 4), 0);
}

TEST(AllOnesByHand, AreWrongForAnyOperandsWithoutSymmetry) {
  const auto operands = make_operands<double>({kProblem, Family::ints});
  const Tensor<double> x(operands.x_view());
  const Tensor<double> k(operands.k_view());
  const Oracle<double> oracle(kProblem, x.view(), k.view());
  EXPECT_GT(wrong_outputs(convolve_by_hand(x, k), oracle), 12 * 12 / 2);
  const auto with_flipped_kernel = convolve_by_hand(x, flipped(k));
  EXPECT_EQ(wrong_outputs(with_flipped_kernel, oracle, 4, 4), 0);
  EXPECT_GT(wrong_outputs(with_flipped_kernel, oracle), (12 * 12 - 8 * 8) / 2);
}

}  // namespace
}  // namespace fullconv::testing
