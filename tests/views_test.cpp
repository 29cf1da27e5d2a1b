// Operands of any strides and alignment, and the contracts of execute().

#include <stdexcept>

#include "contender.h"
#include "expect_error.h"
#include "support/trial.h"

namespace fullconv::testing {
namespace {

class Views : public EachSubject {};
FULLCONV_FOR_EACH_SUBJECT(Views);

constexpr Layout kLayouts[] = {
    {.name = "dense"},
    {.name = "unaligned", .offset = 1},
    {.name = "cropped", .gap = {0, 0, 0, 7}},
    {.name = "planes apart", .gap = {0, 0, 4, 0}},
    {.name = "images apart", .gap = {0, 3, 0, 0}},
    {.name = "every other row", .step = {1, 1, 2, 1}},
    {.name = "rows reversed", .step = {1, 1, -1, 1}},
    {.name = "planes reversed", .step = {1, -1, 1, 1}},
    {.name = "images reversed", .step = {-1, 1, 1, 1}},
    {.name = "channels outermost", .order = {1, 0, 2, 3}},
    {.name = "planes interleaved by rows", .order = {2, 0, 1, 3}},
    {.name = "every third column", .step = {1, 1, 1, 3}},
    {.name = "columns reversed", .step = {1, 1, 1, -1}},
    {.name = "all reversed, unaligned", .step = {-1, -2, -1, -2}, .gap = {0, 1, 2, 3}, .offset = 1},
    {.name = "transposed", .order = {0, 1, 3, 2}},
    {.name = "channels last", .order = {0, 2, 3, 1}},
    {.name = "batch innermost", .order = {1, 2, 3, 0}},
};

const std::vector<Problem>& problems() {
  static const std::vector<Problem> all = parse_problems(
      {"8x8_k5x5", "5x3_k7x9", "1x13_k1x4", "n2_i3_o4_17x13_k3x5", "n2_i2_o3_12x10_k3x3",
       "n2_i3_o4_33x29_k5x3",
       // rows of whole cache lines, which may be written to directly
       "14x14_k3x3", "n2_i2_o3_14x14_k3x3", "n2_i3_o9_14x30_k3x3", "n2_i3_o4_9x8_k1x1"});
  return all;
}

template <class T>
void expect_right(const Contender<T>& contender, Plan<T>& plan, const Trial<T>& trial,
                  const Layout& x_layout, const Layout& k_layout, const Layout& y_layout) {
  SCOPED_TRACE(::testing::Message() << to_string(plan.problem()) << " with x " << x_layout.name
                                    << ", k " << k_layout.name << ", y " << y_layout.name);
  const Tensor<T> x(trial.x(), x_layout);
  const Tensor<T> k(trial.k(), k_layout);
  Tensor<T> y(plan.problem().y_extents(), y_layout);
  plan.execute(x.view(), k.view(), y.view());
  contender.expect_right(trial.oracle, y.view());
  EXPECT_TRUE(y.guards_intact());
}

/// Every layout for each operand in turn, the other two dense, and for all three at once.
template <class T, class Wanted>
void expect_right_on_layouts(const Contender<T>& contender, Plan<T>& plan, const Wanted& wanted) {
  const Trial<T> trial({plan.problem()});
  constexpr Layout dense;
  for (const Layout& layout : kLayouts) {
    if (!wanted(layout)) continue;
    expect_right(contender, plan, trial, layout, dense, dense);
    expect_right(contender, plan, trial, dense, layout, dense);
    expect_right(contender, plan, trial, dense, dense, layout);
    expect_right(contender, plan, trial, layout, layout, layout);
  }
}

TEST_P(Views, OfDenseRowsNeedNoOption) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(problems())) {
      expect_right_on_layouts(contender, *contender.plan(problem),
                              [](const Layout& layout) { return layout.has_dense_rows(); });
    }
  });
}

TEST_P(Views, OfAnyStridesAreTakenWhenPlannedFor) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(problems())) {
      const auto plan = contender.plan(problem, {.any_strides = true});
      EXPECT_TRUE(plan->takes_any_strides());
      expect_right_on_layouts(contender, *plan, [](const Layout&) { return true; });
    }
  });
}

/// x and k may repeat themselves by stride 0, as broadcasting does.
TEST_P(Views, MayRepeatOperands) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(problems())) {
      SCOPED_TRACE(to_string(problem));
      const Trial<T> source({problem});
      const auto broadcast = [](TensorView<const T> view, std::initializer_list<std::size_t> axes) {
        for (const std::size_t axis : axes) view.strides[axis] = 0;
        return view;
      };
      const auto x = broadcast(source.x(), {0, 2});
      const auto k = broadcast(source.k(), {1});
      const Oracle<T> oracle(problem, x, k);
      const auto y = contender.convolve(problem, x, k);
      contender.expect_right(oracle, y->view());
    }
  });
}

/// An axis of one element never steps, so its stride means nothing.
TEST_P(Views, MayHaveAnyStrideInAxesOfOneElement) {
  run([]<class T>(const Contender<T>& contender) {
    const auto problems =
        parse_problems({"8x8_k5x5", "1x13_k1x4", "13x1_k4x1", "1x1_k1x1", "n1_i3_o1_12x10_k3x3",
                        "n3_i1_o1_12x10_k3x3", "n1_i1_o3_12x10_k3x3", "n1_i3_o1_33x29_k7x7",
                        "n2_i3_o1_14x30_k3x3", "n1_i3_o9_14x14_k3x3"});
    for (const Problem& problem : contender.taken(problems)) {
      const Trial<T> trial({problem});
      const auto plan = contender.plan(problem);
      for (const index_t stride : {index_t{0}, index_t{-7}, index_t{1} << 40}) {
        SCOPED_TRACE(::testing::Message() << to_string(problem) << ", stride " << stride);
        const auto restride = [stride](auto view) {
          for (std::size_t axis = 0; axis < 4; ++axis) {
            if (view.extents[axis] == 1) view.strides[axis] = stride;
          }
          return view;
        };
        Tensor<T> y(problem.y_extents());
        plan->execute(restride(trial.x()), restride(trial.k()), restride(y.view()));
        contender.expect_right(trial.oracle, y.view());
      }
    }
  });
}

/// Demands that execute() refuses the views with std::invalid_argument, names the operand and
/// leaves y alone.
template <class T>
class Refusals {
 public:
  Refusals(const Contender<T>& contender, const Problem& problem)
      : plan_(contender.plan(problem)),
        operands_(make_operands<T>({problem})),
        y_(problem.y_extents(), kGapped) {
    y_.fill(42);
  }

  TensorView<const T> x() const { return operands_.x_view(); }
  TensorView<const T> k() const { return operands_.k_view(); }
  TensorView<T> y() { return y_.view(); }
  const Plan<T>& plan() const { return *plan_; }

  void expect(const TensorView<const T>& x, const TensorView<const T>& k, const TensorView<T>& y,
              const std::string& operand, const std::string& message) {
    Tensor<T> before(std::as_const(y_).view());
    SCOPED_TRACE(operand + " " + message);
    expect_error<std::invalid_argument>([&] { plan_->execute(x, k, y); }, {operand + " ", message});
    EXPECT_TRUE(same_bits(std::as_const(y_).view(), std::as_const(before).view())) << "y changed";
    EXPECT_TRUE(y_.guards_intact());
  }

 private:
  std::unique_ptr<Plan<T>> plan_;
  Operands<T> operands_;
  Tensor<T> y_;
};

const std::vector<Problem>& refused_problems() {
  static const std::vector<Problem> all =
      parse_problems({"8x6_k3x3", "n2_i3_o4_17x13_k3x3", "8x6_k1x1", "n2_i3_o4_17x13_k1x1"});
  return all;
}

/// Of another shape by one in any axis, or without data.
TEST_P(Views, OfOtherShapesAreRefused) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(refused_problems())) {
      Refusals<T> refusals(contender, problem);
      for (std::size_t axis = 0; axis < 4; ++axis) {
        for (const index_t change : {-1, 1}) {
          const auto resized = [&](auto view) {
            view.extents[axis] += change;
            return view;
          };
          const auto x = refusals.x();
          const auto k = refusals.k();
          const auto y = refusals.y();
          refusals.expect(resized(x), k, y, "x", "the plan is for");
          refusals.expect(x, resized(k), y, "k", "the plan is for");
          refusals.expect(x, k, resized(y), "y", "the plan is for");
        }
      }
      const auto empty = [](auto view) {
        view.data = nullptr;
        return view;
      };
      refusals.expect(empty(refusals.x()), refusals.k(), refusals.y(), "x", "no data");
      refusals.expect(refusals.x(), empty(refusals.k()), refusals.y(), "k", "no data");
      refusals.expect(refusals.x(), refusals.k(), empty(refusals.y()), "y", "no data");
    }
  });
}

TEST_P(Views, OfOtherInnermostStridesAreRefusedUnlessPlannedFor) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(refused_problems())) {
      Refusals<T> refusals(contender, problem);
      if (refusals.plan().takes_any_strides()) continue;
      const auto stretched = [](auto view) {
        view.strides[3] = 2;
        return view;
      };
      const auto x = refusals.x();
      const auto k = refusals.k();
      const auto y = refusals.y();
      refusals.expect(stretched(x), k, y, "x", "innermost stride 2");
      if (problem.w > 1 && !refusals.plan().takes_any_kernel_strides()) {
        refusals.expect(x, stretched(k), y, "k", "innermost stride 2");
      }
      refusals.expect(x, k, stretched(y), "y", "innermost stride 2");
    }
  });
}

TEST_P(Views, NeedNoOptionWhereTheRowSaysSo) {
  run([]<class T>(const Contender<T>& contender) {
    if (!contender.algorithm.any_strides) return;
    for (const Problem& problem : contender.taken(problems())) {
      EXPECT_TRUE(contender.plan(problem)->takes_any_strides()) << to_string(problem);
    }
  });
}

TEST_P(Views, OfKernelsNeedNoOptionWhereTheRowSaysSo) {
  run([]<class T>(const Contender<T>& contender) {
    if (!contender.algorithm.any_kernel_strides) return;
    for (const Problem& problem : contender.taken(problems())) {
      const auto plan = contender.plan(problem);
      EXPECT_TRUE(plan->takes_any_kernel_strides()) << to_string(problem);
      const Trial<T> trial({problem});
      for (const Layout& layout : kLayouts) {
        expect_right(contender, *plan, trial, kLayouts[0], layout, kLayouts[0]);
      }
    }
  });
}

/// Outputs that share memory, and an input that shares even one element with what y spans.
TEST_P(Views, ThatOverlapAreRefused) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(refused_problems())) {
      Refusals<T> refusals(contender, problem);
      const auto y = refusals.y();
      for (std::size_t axis = 0; axis < 3; ++axis) {
        auto repeated = y;
        repeated.strides[axis] = 0;
        if (y.extents[axis] == 1) continue;
        refusals.expect(refusals.x(), refusals.k(), repeated, "y", "share memory");
      }
      auto interleaved = y;
      interleaved.strides[2] = y.extents[3] - 1;  // a row begins with what ends the one before
      refusals.expect(refusals.x(), refusals.k(), interleaved, "y", "share memory");
      const auto& [N, C, I, J] = y.extents;
      T* const first = y.data;
      T* const last = &y(N - 1, C - 1, I - 1, J - 1);
      for (const bool is_image : {true, false}) {
        const Extents extents = is_image ? problem.x_extents() : problem.k_extents();
        for (const T* data : {first - element_count(extents) + 1, first + 1, last}) {
          const TensorView<const T> input(data, extents);
          refusals.expect(is_image ? input : refusals.x(), is_image ? refusals.k() : input, y, "y",
                          is_image ? "overlaps x" : "overlaps k");
        }
      }
    }
  });
}

/// Touching is not overlapping: x, k and y one behind the other in one piece of memory.
TEST_P(Views, MayTouch) {
  run([]<class T>(const Contender<T>& contender) {
    for (const Problem& problem : contender.taken(problems())) {
      const Trial<T> trial({problem});
      const auto& [own, x, k] = trial.operands;
      std::vector<T> memory(x);
      memory.resize(x.size() + static_cast<std::size_t>(element_count(problem.y_extents())));
      memory.insert(memory.end(), k.begin(), k.end());
      const TensorView<T> y(memory.data() + x.size(), problem.y_extents());
      contender.plan(problem)->execute(
          {memory.data(), problem.x_extents()},
          {memory.data() + memory.size() - k.size(), problem.k_extents()}, y);
      contender.expect_right(trial.oracle, y);
    }
  });
}

}  // namespace
}  // namespace fullconv::testing
