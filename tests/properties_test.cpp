// What convolution is, beyond its values: linear, commutative, a shift's best friend, and the
// adjoint of a layer's forward pass. Both sides of each equation come from the algorithm, and may
// be as far apart as their bounds together.

#include <cmath>

#include "contender.h"
#include "support/operands.h"

namespace fullconv::testing {
namespace {

class Properties : public EachSubject {};
FULLCONV_FOR_EACH_SUBJECT(Properties);

const std::vector<Problem>& problems() {
  static const std::vector<Problem> all = parse_problems(
      {"8x8_k5x5", "5x3_k7x9", "1x13_k1x4", "31x37_k6x11", "9x600_k4x7", "12x10_k3x3",
       "n2_i3_o4_17x13_k3x5", "n3_i17_o2_7x6_k4x3", "n2_i3_o4_33x29_k5x3", "n2_i2_o3_12x10_k3x3",
       "9x8_k1x1", "n2_i3_o4_17x13_k1x1"});
  return all;
}

/// Random values that are multiples of 1/256, so that small combinations of them are exact.
template <class T>
Tensor<T> coarse(const Extents& extents, std::uint64_t seed) {
  const auto& [A, B, I, J] = extents;
  const auto operands = make_operands<T>({{.N = A, .K = B, .H = I, .W = J}}, seed);
  Tensor<T> tensor(operands.x_view());
  for_each_index(extents,
                 [&](auto... at) { tensor(at...) = std::round(tensor(at...) * 256) / 256; });
  return tensor;
}

template <class T>
Tensor<T> combination(T a, const Tensor<T>& u, T b, const Tensor<T>& v) {
  Tensor<T> sum(u.extents());
  for_each_index(u.extents(), [&](auto... at) { sum(at...) = a * u(at...) + b * v(at...); });
  return sum;
}

/// |u − a·v − b·w| ≤ the bounds of all three, everywhere.
template <class T>
void expect_combination(const Bounded<T>& u, T a, const Bounded<T>& v, T b, const Bounded<T>& w) {
  for_each_index(u.y.extents(), [&](auto... at) {
    const Wide<T> combined = Wide<T>{a} * v.y(at...) + Wide<T>{b} * w.y(at...);
    const auto difference = static_cast<double>(u.y(at...) - combined);
    EXPECT_LE(std::abs(difference),
              u.bound(at...) + std::abs(a) * v.bound(at...) + std::abs(b) * w.bound(at...));
  });
}

TEST_P(Properties, LinearInBothOperands) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(problems())) {
      SCOPED_TRACE(to_string(problem));
      constexpr T a = 2;
      constexpr T b = T{-0.75};
      const auto convolve = [&](const Tensor<T>& x, const Tensor<T>& k) {
        return *contender.convolve_bounded(problem, x.view(), k.view());
      };
      const auto x = coarse<T>(problem.x_extents(), 1);
      const auto other_x = coarse<T>(problem.x_extents(), 2);
      const auto k = coarse<T>(problem.k_extents(), 3);
      const auto other_k = coarse<T>(problem.k_extents(), 4);
      const auto y = convolve(x, k);
      expect_combination(convolve(combination(a, x, b, other_x), k), a, y, b, convolve(other_x, k));
      expect_combination(convolve(x, combination(a, k, b, other_k)), a, y, b, convolve(x, other_k));
    }
  });
}

/// An impulse at each corner and in the middle of one operand puts the other one there.
TEST_P(Properties, ImpulseCopiesTheOtherOperand) {
  run([]<class T>(const Contender<T>& contender) {
    const auto impulse = [](index_t rows, index_t columns, index_t r, index_t s) {
      Tensor<T> tensor({1, 1, rows, columns});
      tensor.fill(0);
      tensor(0, 0, r, s) = 1;
      return tensor;
    };
    const auto expect_copy = [&](const Bounded<T>& result, const Tensor<T>& copied, index_t r,
                                 index_t s) {
      const bool exact = contender.algorithm.error_model.exact_on_integers;
      for_each_index(result.y.extents(), [&](index_t, index_t, index_t i, index_t j) {
        const bool inside =
            i >= r && i - r < copied.extents()[2] && j >= s && j - s < copied.extents()[3];
        const double expected = inside ? copied(0, 0, i - r, j - s) : T{0};
        EXPECT_NEAR(result.y(0, 0, i, j), expected, exact ? 0 : result.bound(0, 0, i, j));
      });
    };
    for (const Problem& problem : contender.taken(problems())) {
      if (problem.N * problem.K * problem.C > 1) continue;
      SCOPED_TRACE(to_string(problem));
      const index_t H = problem.H, W = problem.W, h = problem.h, w = problem.w;
      const auto x = coarse<T>(problem.x_extents(), 1);
      const auto k = coarse<T>(problem.k_extents(), 2);
      for (const double at : {0.0, 0.5, 1.0}) {
        const auto part_of = [&](index_t size) {
          return static_cast<index_t>(at * static_cast<double>(size - 1));
        };
        const index_t r = part_of(H), s = part_of(W), p = part_of(h), q = part_of(w);
        const auto from_x =
            contender.convolve_bounded(problem, impulse(H, W, r, s).view(), k.view());
        expect_copy(*from_x, k, r, s);
        expect_copy(*contender.convolve_bounded(problem, x.view(), impulse(h, w, p, q).view()), x,
                    p, q);
      }
    }
  });
}

/// The image moved within zeros moves the result.
TEST_P(Properties, ShiftsWithTheImage) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(problems())) {
      SCOPED_TRACE(to_string(problem));
      Problem larger = problem;
      larger.H += 5;
      larger.W += 9;
      const auto k = coarse<T>(problem.k_extents(), 2);
      const auto moved_by = [&](index_t down, index_t right) {
        const auto x = coarse<T>(problem.x_extents(), 1);
        Tensor<T> moved(larger.x_extents());
        moved.fill(0);
        for_each_index(x.extents(), [&](index_t n, index_t o, index_t r, index_t s) {
          moved(n, o, r + down, s + right) = x(n, o, r, s);
        });
        return contender.convolve_bounded(larger, moved.view(), k.view());
      };
      const auto still = moved_by(0, 0);
      if (!still) continue;
      const auto moved = moved_by(5, 9);
      for_each_index(problem.y_extents(), [&](index_t n, index_t c, index_t i, index_t j) {
        EXPECT_NEAR(still->y(n, c, i, j), moved->y(n, c, i + 5, j + 9),
                    still->bound(n, c, i, j) + moved->bound(n, c, i + 5, j + 9));
      });
    }
  });
}

/// x ∗ k = k ∗ x for planes; for layers with batch and output channels changing places.
TEST_P(Properties, Commutes) {
  run([]<class T>(const Contender<T>& contender) {
    const auto transposed = [](const TensorView<const T>& view) {
      const auto& [a, b, i, j] = view.extents;
      const auto& [p, q, r, s] = view.strides;
      return TensorView<const T>(view.data, {b, a, i, j}, {q, p, r, s});
    };
    for (const Problem& problem : contender.taken(problems())) {
      SCOPED_TRACE(to_string(problem));
      const index_t N = problem.N, K = problem.K, C = problem.C, H = problem.H, W = problem.W,
                    h = problem.h, w = problem.w;
      const Problem swapped{.N = C, .K = K, .C = N, .H = h, .W = w, .h = H, .w = W};
      const auto x = coarse<T>(problem.x_extents(), 1);
      const auto k = coarse<T>(problem.k_extents(), 2);
      const auto one = contender.convolve_bounded(problem, x.view(), k.view());
      const auto other =
          contender.convolve_bounded(swapped, transposed(k.view()), transposed(x.view()));
      if (!other) continue;
      for_each_index(problem.y_extents(), [&](index_t n, index_t c, index_t i, index_t j) {
        EXPECT_NEAR(one->y(n, c, i, j), other->y(c, n, i, j),
                    one->bound(n, c, i, j) + other->bound(c, n, i, j));
      });
    }
  });
}

/// Σy = Σ_o Σx[n,o]·Σk[o,c], plane by plane.
TEST_P(Properties, KeepsTheSum) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(problems())) {
      SCOPED_TRACE(to_string(problem));
      const auto x = coarse<T>(problem.x_extents(), 1);
      const auto k = coarse<T>(problem.k_extents(), 2);
      const auto result = contender.convolve_bounded(problem, x.view(), k.view());

      // Coarse operands have exact sums in double, products of them too; y's own in long double.
      const auto sum = [](const auto& tensor, index_t a, index_t b) {
        long double total = 0;
        for (index_t i = 0; i < tensor.extents()[2]; ++i)
          for (index_t j = 0; j < tensor.extents()[3]; ++j) total += tensor(a, b, i, j);
        return total;
      };
      for (index_t n = 0; n < problem.N; ++n)
        for (index_t c = 0; c < problem.C; ++c) {
          long double expected = 0;
          for (index_t o = 0; o < problem.K; ++o) expected += sum(x, n, o) * sum(k, o, c);
          EXPECT_LE(std::abs(sum(result->y, n, c) - expected), sum(result->bound, n, c));
        }
    }
  });
}

/// ⟨x ∗ k, z⟩ = ⟨x, corr(z, k)⟩, the correlation being a crop of z ∗ (k flipped and transposed).
TEST_P(Properties, AdjointToTheCorrelation) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(problems())) {
      SCOPED_TRACE(to_string(problem));
      const auto x = coarse<T>(problem.x_extents(), 1);
      const auto k = coarse<T>(problem.k_extents(), 2);
      const auto z = coarse<T>(problem.y_extents(), 3);
      const auto y = contender.convolve_bounded(problem, x.view(), k.view());

      Problem back = problem;
      std::swap(back.K, back.C);
      back.H = problem.output_rows();
      back.W = problem.output_columns();
      Tensor<T> turned(back.k_extents());
      for_each_index(k.extents(), [&](index_t o, index_t c, index_t p, index_t q) {
        turned(c, o, problem.h - 1 - p, problem.w - 1 - q) = k(o, c, p, q);
      });
      const auto full = contender.convolve_bounded(back, z.view(), turned.view());
      if (!full) continue;

      long double left = 0, right = 0, tolerance = 0;
      for_each_index(z.extents(), [&](auto... at) {
        left += static_cast<long double>(y->y(at...)) * z(at...);
        tolerance += y->bound(at...) * std::abs(z(at...));
      });
      for_each_index(x.extents(), [&](index_t n, index_t o, index_t r, index_t s) {
        const index_t i = r + problem.h - 1, j = s + problem.w - 1;
        right += static_cast<long double>(x(n, o, r, s)) * full->y(n, o, i, j);
        tolerance += std::abs(x(n, o, r, s)) * full->bound(n, o, i, j);
      });
      EXPECT_LE(std::abs(left - right), tolerance);
    }
  });
}

/// A layer as frameworks run it forward: a valid cross-correlation with weights[O,I,h,w] and a
/// bias, and a squared loss.
struct Layer {
  Problem backward;  // K output channels of the layer, C input channels
  Tensor<double> weights, target;

  /// forward − target, which is the gradient of the loss at the layer's output.
  Tensor<double> residual(const Tensor<double>& input) const {
    Tensor<double> output(target.extents());
    for_each_index(target.extents(), [&](index_t n, index_t o, index_t r, index_t s) {
      double sum = static_cast<double>(o + 1);  // the bias
      for_each_index({1, backward.C, backward.h, backward.w},
                     [&](index_t, index_t c, index_t p, index_t q) {
                       sum += input(n, c, r + p, s + q) * weights(o, c, p, q);
                     });
      output(n, o, r, s) = sum - target(n, o, r, s);
    });
    return output;
  }

  double loss(const Tensor<double>& input) const {
    const auto difference = residual(input);
    double sum = 0;
    for_each_index(difference.extents(),
                   [&](auto... at) { sum += 0.5 * difference(at...) * difference(at...); });
    return sum;
  }
};

/// The gradient of a layer with respect to its input, against central differences of its forward
/// pass. The loss is quadratic and all values are small integers, so that a difference with step 1
/// *is* the derivative, exactly.
TEST_P(Properties, IsTheGradientOfALayer) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(
             parse_problems({"n2_i4_o3_5x6_k3x2", "n1_i2_o2_3x2_k4x5", "n1_i3_o2_7x7_k3x3",
                             "n2_i1_o1_5x6_k3x3", "n2_i3_o2_4x5_k1x1"}))) {
      SCOPED_TRACE(to_string(problem));
      const auto small_integers = [](const Extents& extents, std::uint64_t seed) {
        auto tensor = coarse<double>(extents, seed);
        for_each_index(extents, [&](auto... at) { tensor(at...) = std::round(4 * tensor(at...)); });
        return tensor;
      };
      const Layer layer{problem, small_integers(problem.k_extents(), 2),
                        small_integers(problem.x_extents(), 3)};
      auto input = small_integers(problem.y_extents(), 1);

      const auto in_scalar = [](const Tensor<double>& tensor) {
        Tensor<T> converted(tensor.extents());
        for_each_index(tensor.extents(),
                       [&](auto... at) { converted(at...) = static_cast<T>(tensor(at...)); });
        return converted;
      };
      const auto gradient = contender.convolve_bounded(
          problem, in_scalar(layer.residual(input)).view(), in_scalar(layer.weights).view());
      const bool exact = contender.algorithm.error_model.exact_on_integers;
      for_each_index(problem.y_extents(), [&](auto... at) {
        const double value = input(at...);
        input(at...) = value + 1;
        const double above = layer.loss(input);
        input(at...) = value - 1;
        const double below = layer.loss(input);
        input(at...) = value;
        EXPECT_NEAR(gradient->y(at...), (above - below) / 2, exact ? 0 : gradient->bound(at...));
      });
    }
  });
}

}  // namespace
}  // namespace fullconv::testing
