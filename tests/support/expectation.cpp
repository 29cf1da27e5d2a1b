#include "support/expectation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/tensor.h"

namespace fullconv::testing {
namespace {

/// Of each plane tensor[a,b], at a·B + b.
template <class T>
std::vector<bool> finite_planes(const TensorView<const T>& tensor) {
  const auto& [A, B, I, J] = tensor.extents;
  std::vector<bool> finite(static_cast<std::size_t>(A * B), true);
  for_each_index(tensor.extents, [&, B = B](index_t a, index_t b, index_t i, index_t j) {
    if (!std::isfinite(tensor(a, b, i, j))) finite[static_cast<std::size_t>(a * B + b)] = false;
  });
  return finite;
}

template <class T>
Tensor<T> with_zeros_for_non_finite(const TensorView<const T>& tensor) {
  Tensor<T> finite(tensor);
  for_each_index(tensor.extents, [&](index_t a, index_t b, index_t i, index_t j) {
    if (!std::isfinite(tensor(a, b, i, j))) finite(a, b, i, j) = 0;
  });
  return finite;
}

}  // namespace

template <class T>
Expectation<T>::Expectation(const Problem& problem, const TensorView<const T>& x,
                            const TensorView<const T>& k)
    : oracle_(std::in_place, problem, x, k) {
  const std::vector<bool> finite_x = finite_planes(x), finite_k = finite_planes(k);
  finite_operands_ = std::ranges::all_of(finite_x, std::identity{}) &&
                     std::ranges::all_of(finite_k, std::identity{});
  if (finite_operands_ && !any_may_overflow()) return;

  oracle_->for_each([&](const Reference<T>& r) { definition_.push_back(r.value); });
  const index_t inputs = problem.K / problem.groups, outputs = problem.C / problem.groups;
  for (index_t n = 0; n < problem.N; ++n)
    for (index_t c = 0; c < problem.C; ++c) {
      Finite& finite = finite_planes_.emplace_back();
      for (index_t o = c / outputs * inputs; o < (c / outputs + 1) * inputs; ++o) {
        finite.x = finite.x && finite_x[static_cast<std::size_t>(n * problem.K + o)];
        finite.k = finite.k && finite_k[static_cast<std::size_t>(o * outputs + c % outputs)];
      }
    }
  if (finite_operands_) return;
  const Tensor<T> some_x = with_zeros_for_non_finite(x), some_k = with_zeros_for_non_finite(k);
  oracle_.emplace(problem, some_x.view(), some_k.view());
}

/// Σ|x|·Σ|k| is the most that any sum, and any point of a transform, can come to.
template <class T>
bool Expectation<T>::may_overflow(index_t n, index_t c) const {
  return !(oracle_->plane(n, c).magnitude <= std::numeric_limits<T>::max());
}

template <class T>
bool Expectation<T>::any_may_overflow() const {
  for (index_t n = 0; n < oracle_->problem().N; ++n)
    for (index_t c = 0; c < oracle_->problem().C; ++c)
      if (may_overflow(n, c)) return true;
  return false;
}

/// Whether y, finite there or not, is allowed to be of another kind than the definition's value.
template <class T>
bool Expectation<T>::may_differ(const Algorithm& algorithm, const Reference<T>& at,
                                bool is_finite) const {
  if (algorithm.non_finite == NonFinite::unspecified && !finite_operands_) return true;
  if (is_finite) return false;
  const auto plane = static_cast<std::size_t>(at.n * oracle_->problem().C + at.c);
  const auto [finite_x, finite_k] = finite_planes_[plane];
  switch (algorithm.non_finite) {
    case NonFinite::spreads:
      return !finite_x || !finite_k || may_overflow(at.n, at.c);
    case NonFinite::multiplies_padding:
      return !finite_k || may_overflow(at.n, at.c);
    default:
      return may_overflow(at.n, at.c);
  }
}

template <class T>
Accuracy Expectation<T>::measure(const Algorithm& algorithm, const TensorView<const T>& y) const {
  if (is_finite()) return measure_accuracy(*oracle_, algorithm.error_model, y);
  Accuracy accuracy{.sampled = oracle_->sampled()};
  Wide<T> error_square = 0, value_square = 0;
  std::size_t at = 0;
  oracle_->for_each([&](Reference<T> r) {
    const T is = y(r.n, r.c, r.i, r.j);
    const Wide<T> defined = definition_[at++];
    r.value = defined;
    if (std::isfinite(is) && std::isfinite(defined)) {
      const Wide<T> error = is - defined;
      error_square += error * error;
      value_square += defined * defined;
      return include(accuracy, algorithm.error_model, *oracle_, r, is);
    }
    const bool same = std::isnan(defined) ? std::isnan(is) : is == static_cast<T>(defined);
    if (same) return;
    if (may_differ(algorithm, r, std::isfinite(is))) {
      ++accuracy.lost;
      return;
    }
    if (std::isfinite(accuracy.error_in_bounds)) accuracy.worst = describe(r, is);
    accuracy.error_in_bounds = std::numeric_limits<double>::infinity();
  });
  accuracy.relative_l2 =
      error_square == 0 ? 0 : static_cast<double>(std::sqrt(error_square / value_square));
  return accuracy;
}

template class Expectation<float>;
template class Expectation<double>;

}  // namespace fullconv::testing
