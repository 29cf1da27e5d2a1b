#pragma once

// The definition of a convolution of dense problems cut into pieces, of which a mutation replaces
// one, the way that people get it wrong.

#include <algorithm>
#include <memory>
#include <span>

#include "mutants/mutants.h"
#include "support/tensor.h"

namespace fullconv::testing {

template <class T>
using In = TensorView<const T>;
template <class T>
using Out = TensorView<T>;

template <class T>
struct Faithful {
  // The taps first … last of each axis.
  index_t first_row(const Problem& s, index_t i) { return std::max<index_t>(0, i - s.H + 1); }
  index_t last_row(const Problem& s, index_t i) { return std::min(i, s.h - 1); }
  index_t first_column(const Problem& s, index_t j) { return std::max<index_t>(0, j - s.W + 1); }
  index_t last_column(const Problem& s, index_t j) { return std::min(j, s.w - 1); }
  index_t channels(const Problem& s) { return s.K; }

  // The one that is used for tap p of output row i, and q of column j.
  index_t row_tap(const Problem&, index_t, index_t p) { return p; }
  index_t column_tap(const Problem&, index_t, index_t q) { return q; }

  T sample(const In<T>& x, index_t n, index_t o, index_t r, index_t s) { return x(n, o, r, s); }
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) { return k(o, c, p, q); }
  T initial() { return 0; }
  T rounded(T sum) { return sum; }
  /// What an output becomes, given the sums of all in its plane.
  template <class SumAt>
  T value(const Problem&, index_t i, index_t j, const SumAt& sum_at) {
    return sum_at(i, j);
  }

  bool writes(const Problem&, index_t, index_t) { return true; }
  T& target(const Out<T>& y, index_t n, index_t c, index_t i, index_t j) { return y(n, c, i, j); }
  void store(T& y, T sum) { y = sum; }

  void before(const In<T>&, const In<T>&, const Out<T>&) {}
  void after(const In<T>&, const In<T>&, const Out<T>&) {}
  int threads() const { return 1; }
};

/// y[n,c,i,j] by way of a mutation.
template <class T, class Mutation>
T value_at(Mutation& m, const Problem& s, const In<T>& x, const In<T>& k, const Output& at) {
  const auto sum_at = [&](index_t i, index_t j) {
    T sum = m.initial();
    for (index_t o = 0; o < m.channels(s); ++o)
      for (index_t p = m.first_row(s, i); p <= m.last_row(s, i); ++p)
        for (index_t q = m.first_column(s, j); q <= m.last_column(s, j); ++q)
          sum =
              m.rounded(sum + m.sample(x, at.n, o, i - p, j - q) *
                                  m.weight(k, o, at.c, m.row_tap(s, i, p), m.column_tap(s, j, q)));
    return sum;
  };
  return m.value(s, at.i, at.j, sum_at);
}

template <class T, class Mutation>
class MutantPlan final : public Plan<T> {
 public:
  explicit MutantPlan(const Problem& problem) : Plan<T>(problem) {}
  int threads() const override { return mutation_.threads(); }

 protected:
  void run(const In<T>& x, const In<T>& k, const Out<T>& y) override {
    Mutation& m = mutation_;
    const Problem& s = this->problem();
    m.before(x, k, y);
    for_each_index(s.y_extents(), [&](index_t n, index_t c, index_t i, index_t j) {
      if (!m.writes(s, i, j)) return;
      m.store(m.target(y, n, c, i, j), value_at<T>(m, s, x, k, {n, c, i, j}));
    });
    m.after(x, k, y);
  }

 private:
  Mutation mutation_;
};

/// Element `at` of a plane, counted row by row.
template <class T>
T flat(const In<T>& tensor, index_t a, index_t b, index_t at) {
  return tensor(a, b, at / tensor.extents[3], at % tensor.extents[3]);
}

template <class T>
index_t dense_offset(const TensorView<T>& tensor, index_t a, index_t b, index_t i, index_t j) {
  const Extents strides = dense_strides(tensor.extents);
  return a * strides[0] + b * strides[1] + i * strides[2] + j;
}

template <class T, template <class> class Mutation>
Planned<T> plan_mutant(const Problem& problem, const PlanOptions&) {
  return std::make_unique<MutantPlan<T, Mutation<T>>>(problem);
}

template <template <class> class Mutation>
void values_at(const Problem& problem, const In<double>& x, const In<double>& k,
               std::span<const Output> outputs, std::span<double> values) {
  const Padding& padding = problem.padding;
  Problem whole = problem;
  whole.padding = {};
  Mutation<double> m;
  m.before(x, k, {nullptr, whole.y_extents()});
  for (std::size_t at = 0; at < outputs.size(); ++at) {
    const auto& [n, c, i, j] = outputs[at];
    const Output output{n, c, i + padding.top, j + padding.left};
    if (m.writes(whole, output.i, output.j)) {
      values[at] = value_at<double>(m, whole, x, k, output);
    }
  }
}

template <template <class> class Mutation>
constexpr Mutant mutant(std::string_view name, std::string_view sentence) {
  return mutant_row(name, sentence, Layers::adapted, plan_mutant<float, Mutation>,
                    plan_mutant<double, Mutation>, values_at<Mutation>);
}

}  // namespace fullconv::testing
