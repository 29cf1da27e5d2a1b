// NaN, infinities, denormals and values far apart: each algorithm does what its row says.

#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "contender.h"
#include "support/trial.h"

namespace fullconv::testing {
namespace {

enum class Kind { finite, nan, plus_infinity, minus_infinity };

template <class Value>
Kind kind_of(Value value) {
  if (std::isnan(value)) return Kind::nan;
  if (std::isinf(value)) return value > 0 ? Kind::plus_infinity : Kind::minus_infinity;
  return Kind::finite;
}

void PrintTo(Kind kind, std::ostream* out) {
  constexpr std::array<const char*, 4> names{"finite", "NaN", "+Inf", "-Inf"};
  *out << names[static_cast<std::size_t>(kind)];
}

/// What kind of value each output is by definition.
template <class T>
Tensor<double> as_defined(const Problem& problem, const Tensor<T>& x, const Tensor<T>& k) {
  Tensor<double> values(problem.y_extents());
  Oracle<T>(problem, x.view(), k.view()).for_each([&](const Reference<T>& r) {
    values(r.n, r.c, r.i, r.j) = static_cast<double>(r.value);
  });
  return values;
}

/// The same if the image were surrounded by h−1 and w−1 zeros that get multiplied.
template <class T>
Tensor<double> with_padding(const Problem& problem, const Tensor<T>& x, const Tensor<T>& k) {
  Problem padded = problem;
  const index_t down = problem.h - 1;
  const index_t right = problem.w - 1;
  padded.H += 2 * down;
  padded.W += 2 * right;
  Tensor<T> surrounded(padded.x_extents());
  surrounded.fill(0);
  for_each_index(x.extents(), [&](index_t n, index_t o, index_t r, index_t s) {
    surrounded(n, o, r + down, s + right) = x(n, o, r, s);
  });
  const auto all = as_defined(padded, surrounded, k);
  Tensor<double> values(problem.y_extents());
  for_each_index(values.extents(), [&](index_t n, index_t c, index_t i, index_t j) {
    values(n, c, i, j) = all(n, c, i + down, j + right);
  });
  return values;
}

/// Of each plane tensor[a,b], at a·B + b, whether all of its values are finite.
template <class T>
std::vector<bool> finite_planes(const Tensor<T>& tensor) {
  const auto& [A, B, I, J] = tensor.extents();
  std::vector<bool> finite(static_cast<std::size_t>(A * B), true);
  for_each_index(tensor.extents(), [&, B = B](index_t a, index_t b, index_t i, index_t j) {
    if (!std::isfinite(tensor(a, b, i, j))) finite[static_cast<std::size_t>(a * B + b)] = false;
  });
  return finite;
}

/// With 0 in place of what is not finite: where an output is finite by definition, it is the same.
template <class T>
Tensor<T> finite_part(const Tensor<T>& tensor) {
  Tensor<T> finite(tensor.view());
  for_each_index(tensor.extents(), [&](index_t a, index_t b, index_t i, index_t j) {
    if (!std::isfinite(tensor(a, b, i, j))) finite(a, b, i, j) = 0;
  });
  return finite;
}

/// Holds a result to what the algorithm's row says of non-finite operands.
template <class T>
void expect_as_declared(const Contender<T>& contender, const Problem& problem, const Tensor<T>& x,
                        const Tensor<T>& k) {
  const Algorithm& algorithm = contender.algorithm;
  const auto y = contender.convolve(problem, x.view(), k.view());
  const Tensor<double> pattern = algorithm.non_finite == NonFinite::multiplies_padding
                                     ? with_padding(problem, x, k)
                                     : as_defined(problem, x, k);
  const Tensor<T> finite_x = finite_part(x), finite_k = finite_part(k);
  const Oracle<T> oracle(problem, finite_x.view(), finite_k.view());
  const std::vector<bool> finite_images = finite_planes(x);
  const std::vector<bool> finite_kernels = finite_planes(k);
  oracle.for_each([&](const Reference<T>& r) {
    const T is = (*y)(r.n, r.c, r.i, r.j);
    const Kind expected = kind_of(pattern(r.n, r.c, r.i, r.j));
    bool must_be_right = expected == Kind::finite;
    bool planes_are_finite = true;
    for (index_t o = 0; o < problem.K; ++o) {
      planes_are_finite = planes_are_finite &&
                          finite_images[static_cast<std::size_t>(r.n * problem.K + o)] &&
                          finite_kernels[static_cast<std::size_t>(o * problem.C + r.c)];
    }
    if (algorithm.non_finite == NonFinite::spreads) {
      if (expected != Kind::finite) {
        EXPECT_NE(kind_of(is), Kind::finite);
      }
      must_be_right = must_be_right && planes_are_finite;
    } else {
      EXPECT_EQ(kind_of(is), expected)
          << "y[" << r.n << "," << r.c << "," << r.i << "," << r.j << "] is " << is;
    }
    if (must_be_right) {
      EXPECT_NEAR(is, static_cast<double>(r.value),
                  static_cast<double>(error_bound(algorithm.error_model, oracle, r)))
          << "y[" << r.n << "," << r.c << "," << r.i << "," << r.j << "]";
    }
  });
}

class NonFiniteValues : public EachSubject {
 protected:
  static const std::vector<Problem>& problems() {
    // The last two are for threads that share a tile, or have spectra of their own.
    static const std::vector<Problem> all = parse_problems(
        {"1x1_k1x1", "8x7_k3x4", "3x4_k6x5", "1x40_k1x7", "40x1_k7x1", "20x21_k3x3", "5x600_k3x5",
         "64x65_k9x7", "11x40_k9x17", "n2_i3_o2_9x8_k3x2", "n3_i2_o9_9x8_k3x3",
         "n2_i9_o3_14x14_k3x3", "n1_i200_o1_20x20_k3x3", "130x140_k2x3"});
    return all;
  }

  /// Puts values in some places of x, of k, and of both, and checks each.
  template <class T>
  static void expect_as_declared_with(const Contender<T>& contender,
                                      std::initializer_list<T> values) {
    for (const Problem& problem : contender.taken(problems())) {
      for (const auto& [in_x, in_k] : {std::pair{true, false}, {false, true}, {true, true}}) {
        for (std::uint32_t seed = 1; seed <= 2; ++seed) {
          SCOPED_TRACE(::testing::Message() << to_string(problem) << (in_x ? " in x" : "")
                                            << (in_k ? " in k" : "") << ", seed " << seed);
          const auto operands = make_operands<T>({problem}, seed);
          Tensor<T> x(operands.x_view());
          Tensor<T> k(operands.k_view());
          std::mt19937 engine(seed);
          const auto scatter = [&](Tensor<T>& tensor) {
            const auto any_below = [&](index_t size) {
              return static_cast<index_t>(engine()) % size;
            };
            const auto& [A, B, I, J] = tensor.extents();
            for (const T value : values) {
              tensor(any_below(A), any_below(B), any_below(I), any_below(J)) = value;
            }
          };
          if (in_x) scatter(x);
          if (in_k) scatter(k);
          expect_as_declared(contender, problem, x, k);
        }
      }
    }
  }
};
FULLCONV_FOR_EACH_SUBJECT(NonFiniteValues);

/// One NaN; one infinity; infinities of both signs, whose sums are NaN, among zeros, whose products
/// with them are.
TEST_P(NonFiniteValues, AreTreatedAsDeclared) {
  run([]<class T>(const Contender<T>& contender) {
    if (contender.algorithm.non_finite == NonFinite::unspecified) {
      GTEST_SKIP() << "its row promises nothing of non-finite values";
    }
    constexpr T infinity = std::numeric_limits<T>::infinity();
    expect_as_declared_with(contender, {std::numeric_limits<T>::quiet_NaN()});
    expect_as_declared_with(contender, {infinity});
    expect_as_declared_with(contender, {infinity, -infinity, T{0}, T{0}, -infinity});
  });
}

/// One poisoned execution leaves nothing behind in the plan.
TEST_P(NonFiniteValues, AreForgottenByTheNextExecution) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(problems())) {
      SCOPED_TRACE(to_string(problem));
      const Trial<T> trial({problem});
      Tensor<T> poison_x(problem.x_extents());
      poison_x.fill(std::numeric_limits<T>::quiet_NaN());
      Tensor<T> poison_k(problem.k_extents());
      poison_k.fill(std::numeric_limits<T>::infinity());
      Tensor<T> y(problem.y_extents());
      const auto plan = contender.plan(problem);
      plan->execute(std::as_const(poison_x).view(), std::as_const(poison_k).view(), y.view());
      plan->execute(trial.x(), trial.k(), y.view());
      contender.expect_right(trial.oracle, y.view());
    }
  });
}

/// Componentwise accuracy means: small outputs beside large ones, and every denormal.
class ComponentwiseRange : public EachSubject {
 protected:
  template <class Body>
  static void run_where_componentwise(const Body& body) {
    run([&]<class T>(const Contender<T>& contender) {
      if (contender.algorithm.error_model != ErrorModel::componentwise) {
        GTEST_SKIP() << "its error model promises nothing of small values beside large ones";
      }
      body(contender);
    });
  }
  static const std::vector<Problem>& problems() {
    static const std::vector<Problem> all =
        parse_problems({"8x8_k5x5", "3x4_k6x5", "20x21_k3x3", "5x600_k3x5", "n2_i3_o4_9x8_k3x2",
                        "n2_i3_o4_9x8_k1x1"});
    return all;
  }
};
FULLCONV_FOR_EACH_SUBJECT(ComponentwiseRange);

TEST_P(ComponentwiseRange, OfExponentsIsHuge) {
  run_where_componentwise([]<class T>(const Contender<T>& contender) {
    // Products stay 2⁶ below overflow, so that sums of them do not overflow either.
    constexpr int reach = std::numeric_limits<T>::max_exponent / 2 - 8;
    for (const Problem& problem : contender.taken(problems())) {
      SCOPED_TRACE(to_string(problem));
      auto operands = make_operands<T>({problem});
      std::mt19937 engine(5);
      for (auto* values : {&operands.x, &operands.k}) {
        for (T& value : *values) {
          value = std::ldexp(value, static_cast<int>(engine() % (2 * reach + 1)) - reach);
        }
      }
      const Oracle<T> oracle(problem, operands.x_view(), operands.k_view());
      const auto y = contender.convolve(problem, operands.x_view(), operands.k_view());
      contender.expect_right(oracle, y->view());
    }
  });
}

/// Integer multiples of the smallest denormal times integers are exact, unless flushed to zero.
TEST_P(ComponentwiseRange, IncludesDenormals) {
  run_where_componentwise([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(problems())) {
      SCOPED_TRACE(to_string(problem));
      auto operands = make_operands<T>({problem, Family::ints});
      for (T& value : operands.x) {
        value = std::remainder(value, T{9}) * std::numeric_limits<T>::denorm_min();
      }
      for (T& value : operands.k) value = std::remainder(value, T{9});
      const Oracle<T> oracle(problem, operands.x_view(), operands.k_view());
      const auto y = contender.convolve(problem, operands.x_view(), operands.k_view());
      oracle.for_each([&](const Reference<T>& r) {
        EXPECT_EQ((*y)(r.n, r.c, r.i, r.j), static_cast<T>(r.value));
      });
    }
  });
}

}  // namespace
}  // namespace fullconv::testing
