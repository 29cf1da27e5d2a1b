// Layers: y is the adjoint of a forward convolution layer, whose loop stands here. It gathers, so
// it shares nothing with the oracle, which scatters.

#include <array>
#include <cmath>
#include <random>

#include "contender.h"
#include "support/operands.h"

namespace fullconv::testing {
namespace {

/// What the layer gives for an input of y's shape: a cross-correlation with stride, padding,
/// dilation and groups.
template <class T>
Tensor<T> forward(const Problem& p, const TensorView<const T>& u, const TensorView<const T>& k) {
  Tensor<T> z(p.x_extents());
  const index_t inputs = p.C / p.groups, outputs = p.K / p.groups;
  for_each_index(z.extents(), [&](index_t n, index_t o, index_t i, index_t j) {
    long double sum = 0;
    for (index_t c = 0; c < inputs; ++c)
      for (index_t a = 0; a < p.h; ++a)
        for (index_t b = 0; b < p.w; ++b) {
          const index_t row = i * p.stride.y + a * p.dilation.y - p.padding.top;
          const index_t column = j * p.stride.x + b * p.dilation.x - p.padding.left;
          if (row < 0 || row >= p.output_rows() || column < 0 || column >= p.output_columns()) {
            continue;
          }
          sum +=
              static_cast<long double>(u(n, o / outputs * inputs + c, row, column)) * k(o, c, a, b);
        }
    z(n, o, i, j) = static_cast<T>(sum);
  });
  return z;
}

template <class T>
long double inner_product(const Tensor<T>& a, const Tensor<T>& b) {
  long double sum = 0;
  for_each_index(a.extents(), [&](auto... at) {
    sum += static_cast<long double>(a(at...)) * static_cast<long double>(b(at...));
  });
  return sum;
}

/// Small layers in which every field is drawn.
std::vector<Problem> random_layers(int count, unsigned seed) {
  std::mt19937 engine(seed);
  const auto from_to = [&](index_t least, index_t most) {
    return least + static_cast<index_t>(engine() % static_cast<unsigned>(most - least + 1));
  };
  std::vector<Problem> layers;
  while (static_cast<int>(layers.size()) < count) {
    Problem p;
    p.groups = from_to(1, 3);
    p.N = from_to(1, 2);
    p.K = p.groups * from_to(1, 3);
    p.C = p.groups * from_to(1, 3);
    p.H = from_to(1, 7);
    p.W = from_to(1, 7);
    p.h = from_to(1, 4);
    p.w = from_to(1, 4);
    p.stride = {from_to(1, 4), from_to(1, 4)};
    p.dilation = {from_to(1, 4), from_to(1, 4)};
    p.padding = {from_to(0, 4), from_to(0, 4), from_to(0, 4), from_to(0, 4)};
    p.output_padding = {from_to(0, std::max(p.stride.y, p.dilation.y) - 1),
                        from_to(0, std::max(p.stride.x, p.dilation.x) - 1)};
    if (p.output_rows() >= 1 && p.output_columns() >= 1) layers.push_back(p);
  }
  return layers;
}

/// Integers from −3 to 3.
template <class T>
Tensor<T> integers(const Extents& extents, unsigned seed) {
  std::mt19937 engine(seed);
  Tensor<T> tensor(extents);
  for_each_index(extents, [&](auto... at) { tensor(at...) = static_cast<T>(engine() % 7) - 3; });
  return tensor;
}

class Layers : public EachSubject {};
FULLCONV_FOR_EACH_SUBJECT(Layers);

/// A dense problem whose y is this window of the full output.
Problem windowed(Problem problem, Range rows, Range columns) {
  problem.padding = {rows.begin, columns.begin, problem.full_rows() - rows.end,
                     problem.full_columns() - columns.end};
  return problem;
}

/// One axis: the output at either end, a few there, one in the middle, modes same and valid, and
/// all but one output at either end.
std::vector<Range> windows_of_axis(index_t size, index_t taps) {
  const index_t full = size + taps - 1;
  std::vector<Range> ranges = {{0, 1},
                               {full - 1, full},
                               {0, std::min<index_t>(5, full)},
                               {std::max<index_t>(0, full - 5), full},
                               {full / 2, full / 2 + 1},
                               {(taps - 1) / 2, (taps - 1) / 2 + size},
                               {std::min(size, taps) - 1, std::max(size, taps)}};
  if (full > 1) ranges.insert(ranges.end(), {{0, full - 1}, {1, full}});
  return ranges;
}

/// Windows at every edge, of few outputs and of most, are right and write nothing else: of images
/// that take several tiles, blocks or strips, and of any kernel or one of low rank.
TEST_P(Layers, MayBeAnyWindow) {
  run([]<class T>(const Contender<T>& contender) {
    int compared = 0;
    for (const char* text :
         {"12x9_k5x4", "5x4_k12x9", "150x20_k7x3", "20x150_k3x7", "70x90_k33x17", "1x60_k1x9",
          "n2_i3_o2_20x33_k4x5", "n1_i4_o4_14x15_k3x3", "9x33_k1x1"}) {
      const Problem whole = parse_problem(text);
      const auto rows = windows_of_axis(whole.H, whole.h);
      const auto columns = windows_of_axis(whole.W, whole.w);
      for (std::size_t i = 0; i < std::max(rows.size(), columns.size()); ++i) {
        // Each with another one on the other axis.
        const Problem problem =
            windowed(whole, rows[i % rows.size()], columns[(3 * i + 1) % columns.size()]);
        SCOPED_TRACE(to_string(problem));
        const auto plan = contender.plan(problem);
        if (!plan) continue;
        ++compared;
        for (const Family family : {Family::random, Family::rank2}) {
          const Operands<T> operands = make_operands<T>({problem, family});
          Tensor<T> y(problem.y_extents(), kGapped);
          y.fill(std::numeric_limits<T>::quiet_NaN());
          plan->execute(operands.x_view(), operands.k_view(), y.view());
          contender.expect_right(Oracle<T>(problem, operands.x_view(), operands.k_view()),
                                 y.view());
          EXPECT_TRUE(y.guards_intact());
        }
      }
    }
    EXPECT_GT(compared, 0) << "it declined every window of this test";
  });
}

/// What is not finite reaches the outputs of a window that the definition says.
TEST_P(Layers, WindowsMayHoldWhatIsNotFinite) {
  run([]<class T>(const Contender<T>& contender) {
    if (contender.algorithm.non_finite != NonFinite::as_defined) return;
    constexpr T kInfinity = std::numeric_limits<T>::infinity();
    for (const char* text : {"40x37_k5x9_p2x4x2x4", "40x37_k5x9_p4x8x4x8", "40x37_k5x9_p0x20x17x3",
                             "n1_i2_o2_14x13_k3x3_p1x1x1x1", "12x11_k1x1_p3x0x2x5"}) {
      const Problem problem = parse_problem(text);
      const auto plan = contender.plan(problem);
      if (!plan) continue;
      const Operands<T> operands = make_operands<T>({problem});
      const Tensor<T> k(operands.k_view());
      Tensor<T> x(operands.x_view()), finite(operands.x_view());
      for (const bool many : {false, true}) {
        SCOPED_TRACE(::testing::Message() << text << (many ? ", many" : ", few"));
        // The lowest quarter of the image, after a few samples along its upper edge.
        for (index_t i = many ? problem.H * 3 / 4 : 0; i < (many ? problem.H : 2); ++i)
          for (index_t j = many ? 0 : 3 * i; j < problem.W; j += many ? 1 : 20) {
            x(0, 0, i, j) = kInfinity;
            finite(0, 0, i, j) = 0;
          }
        Tensor<T> y(problem.y_extents());
        plan->execute(x.view(), k.view(), y.view());
        const Oracle<T> oracle(problem, finite.view(), k.view());
        oracle.for_each([&](const Reference<T>& r) {
          // By definition, of those within reach.
          T infinite = 0;
          for (index_t p = 0; p < problem.h; ++p)
            for (index_t q = 0; q < problem.w; ++q) {
              const index_t row = r.i + problem.padding.top - p;
              const index_t column = r.j + problem.padding.left - q;
              if (row < 0 || row >= problem.H || column < 0 || column >= problem.W) continue;
              const T sample = x(r.n, 0, row, column);
              if (std::isinf(sample)) infinite += sample * k(0, r.c, p, q);
            }
          const T is = y(r.n, r.c, r.i, r.j);
          if (infinite == 0) {
            EXPECT_NEAR(
                is, static_cast<double>(r.value),
                static_cast<double>(error_bound(contender.algorithm.error_model, oracle, r)));
          } else {
            EXPECT_EQ(std::isnan(is), std::isnan(infinite));
            EXPECT_EQ(std::isinf(is), std::isinf(infinite));
          }
        });
      }
    }
  });
}

/// ⟨forward(u), x⟩ = ⟨u, y⟩, exactly where sums are.
TEST_P(Layers, AreAdjointToTheForwardLayer) {
  run([]<class T>(const Contender<T>& contender) {
    int compared = 0;
    for (const Problem& problem : random_layers(60, 5)) {
      SCOPED_TRACE(to_string(problem));
      const auto x = integers<T>(problem.x_extents(), 1);
      const auto k = integers<T>(problem.k_extents(), 2);
      const auto u = integers<T>(problem.y_extents(), 3);
      const auto result = contender.convolve_bounded(problem, x.view(), k.view());
      if (!result) continue;
      ++compared;
      long double bound = 0;
      for_each_index(problem.y_extents(), [&](auto... at) {
        bound += std::abs(static_cast<long double>(u(at...))) * result->bound(at...);
      });
      const bool exact = contender.algorithm.error_model.exact_on_integers;
      EXPECT_NEAR(static_cast<double>(inner_product(forward<T>(problem, u.view(), k.view()), x)),
                  static_cast<double>(inner_product(u, result->y)),
                  exact ? 0 : static_cast<double>(bound));
    }
    EXPECT_GT(compared, 0) << "it declined every layer of this test";
  });
}

/// y is the gradient of the loss Σ x·forward(u), by central differences in every element of u.
TEST_P(Layers, GiveTheGradientOfALoss) {
  run([]<class T>(const Contender<T>& contender) {
    for (const char* text :
         {"n1_i4_o2_4x5_k3x3_p1x1x1x1_s2x2_op1x0", "n2_i2_o4_3x4_k2x3_d2x1_g2"}) {
      SCOPED_TRACE(text);
      const Problem problem = parse_problem(text);
      const auto x = integers<T>(problem.x_extents(), 4);
      const auto k = integers<T>(problem.k_extents(), 5);
      const auto result = contender.convolve_bounded(problem, x.view(), k.view());
      if (!result) continue;
      auto u = integers<T>(problem.y_extents(), 6);
      const auto loss_at = [&](T& element, T value) {
        const T before = element;
        element = value;
        const long double loss = inner_product(forward<T>(problem, u.view(), k.view()), x);
        element = before;
        return loss;
      };
      for_each_index(problem.y_extents(), [&](auto... at) {
        T& element = u(at...);
        const long double slope =
            (loss_at(element, element + 1) - loss_at(element, element - 1)) / 2;
        EXPECT_NEAR(static_cast<double>(slope), result->y(at...), result->bound(at...));
      });
    }
  });
}

/// A plan for operands of any strides takes channels-last ones.
TEST_P(Layers, TakeOperandsOfAnyStrides) {
  run([]<class T>(const Contender<T>& contender) {
    constexpr Layout kChannelsLast{.name = "channels last", .order = {0, 2, 3, 1}};
    for (const Problem& problem : random_layers(20, 8)) {
      SCOPED_TRACE(to_string(problem));
      const auto x = integers<T>(problem.x_extents(), 1);
      const auto k = integers<T>(problem.k_extents(), 2);
      const auto expected = contender.convolve(problem, x.view(), k.view());
      const auto plan = contender.plan(problem, {.any_strides = true});
      if (!plan) continue;
      const Tensor<T> last_x(x.view(), kChannelsLast), last_k(k.view(), kChannelsLast);
      Tensor<T> y(problem.y_extents(), kChannelsLast);
      plan->execute(last_x.view(), last_k.view(), y.view());
      EXPECT_TRUE(y.guards_intact());
      contender.expect_right(Oracle<T>(problem, x.view(), k.view()), y.view());
      ASSERT_TRUE(expected);
    }
  });
}

TEST(Reduction, OfALayerCountsItsOperations) {
  const Problem strided = parse_problem("n1_i4_o6_9x9_k3x3_s2x2_g2");
  for (const Algorithm* algorithm : algorithms()) {
    if (algorithm->operations != nominal_operations) continue;
    // Nothing is multiplied by an inserted zero.
    EXPECT_EQ(operations_of(*algorithm, strided), nominal_operations(strided)) << algorithm->name;
  }
}

}  // namespace
}  // namespace fullconv::testing
