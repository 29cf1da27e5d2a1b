#include "support/accuracy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

namespace fullconv::testing {
namespace {

template <class T>
constexpr double kUnitRoundoff = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;

/// |error| / bound, infinite where either is not a number. Outputs that nothing reaches have
/// neither.
double in_bounds(long double error, long double bound) {
  if (error == 0) return 0;
  const auto ratio = static_cast<double>(std::abs(error) / bound);
  return std::isnan(ratio) ? std::numeric_limits<double>::infinity() : ratio;
}

std::string describe(const char* what, long double is, long double expected) {
  std::ostringstream text;
  text.precision(9);
  text << what << " is " << is << " instead of " << expected;
  return text.str();
}

/// Σy against Σx·Σk, plane by plane. A sum of values each within its bound is within the sum of the
/// bounds; Σ over y of Σ|x||k| is Σ|x|·Σ|k|, and that of local norms at most √(outputs·taps) times
/// the norms of whole planes.
template <class T>
void compare_totals(const Oracle<T>& oracle, const ErrorModel& model, const TensorView<const T>& y,
                    Accuracy& accuracy) {
  const Problem& problem = oracle.problem();
  const index_t outputs = problem.output_rows() * problem.output_columns();
  const index_t taps =
      problem.K / problem.groups * std::min(problem.H, problem.h) * std::min(problem.W, problem.w);
  for (index_t n = 0; n < problem.N; ++n)
    for (index_t c = 0; c < problem.C; ++c) {
      Wide<T> total = 0;
      for (index_t i = 0; i < problem.output_rows(); ++i)
        for (index_t j = 0; j < problem.output_columns(); ++j) total += y(n, c, i, j);
      const auto& plane = oracle.plane(n, c);
      // Summing both sides in the wider type errs, too, by less than one term a summand.
      const Wide<T> summing = static_cast<Wide<T>>(outputs + problem.H * problem.W + taps) *
                              kUnitRoundoff<Wide<T>> * plane.magnitude;
      const Wide<T> local_norms =
          std::sqrt(static_cast<Wide<T>>(outputs) * static_cast<Wide<T>>(problem.h * problem.w)) *
          plane.operand_norms;
      const Reference<T> whole{n, c, 0, 0, plane.total, plane.magnitude, taps, local_norms};
      const Wide<T> bound =
          error_bound(model, oracle, whole) * (model.local ? 1 : static_cast<Wide<T>>(outputs));
      const double ratio = in_bounds(total - plane.total, bound + summing);
      if (ratio > accuracy.error_in_bounds) {
        accuracy.error_in_bounds = ratio;
        accuracy.worst = describe("the sum of y", total, plane.total);
      }
    }
}

}  // namespace

template <class T>
std::string describe(const Reference<T>& r, T is) {
  std::ostringstream where;
  where << "y[" << r.n << "," << r.c << "," << r.i << "," << r.j << "]";
  return describe(where.str().c_str(), is, r.value);
}

template <class T>
Wide<T> error_bound(const ErrorModel& model, const Oracle<T>& oracle,
                    const Reference<T>& reference) {
  const auto& plane = oracle.plane(reference.n, reference.c);
  const auto products = static_cast<Wide<T>>(reference.products);
  return static_cast<Wide<T>>(model.bound(
      {.problem = oracle.problem(),
       .u = kUnitRoundoff<T>,
       .products = static_cast<double>(reference.products),
       .magnitude = reference.magnitude,
       .local_norms = reference.local_norms,
       .tile_norms = plane.tile_norms,
       .operand_norms = plane.operand_norms,
       .output_norm = plane.output_norm,
       .underflow = products * (kUnitRoundoff<Wide<T>> * reference.magnitude +
                                static_cast<Wide<T>>(std::numeric_limits<T>::denorm_min()))}));
}

template <class T>
void include(Accuracy& accuracy, const ErrorModel& model, const Oracle<T>& oracle,
             const Reference<T>& reference, T y) {
  const Wide<T> bound = error_bound(model, oracle, reference);
  const double ratio = in_bounds(y - reference.value, bound);
  ++accuracy.compared;
  accuracy.largest_bound = std::max(accuracy.largest_bound, static_cast<double>(bound));
  if (bound > 0 && std::abs(reference.value) <= bound) ++accuracy.below_bound;
  if (ratio > accuracy.error_in_bounds) {
    accuracy.error_in_bounds = ratio;
    accuracy.worst = describe(reference, y);
  }
}

template <class T>
Accuracy measure_accuracy(const Oracle<T>& oracle, const ErrorModel& model,
                          const TensorView<const T>& y) {
  Accuracy accuracy{.sampled = oracle.sampled()};
  Wide<T> error_square = 0;
  Wide<T> value_square = 0;
  oracle.for_each([&](const Reference<T>& r) {
    const T is = y(r.n, r.c, r.i, r.j);
    const Wide<T> error = is - r.value;
    error_square += error * error;
    value_square += r.value * r.value;
    include(accuracy, model, oracle, r, is);
  });
  accuracy.relative_l2 =
      error_square == 0 ? 0 : static_cast<double>(std::sqrt(error_square / value_square));
  if (oracle.sampled()) compare_totals(oracle, model, y, accuracy);
  return accuracy;
}

template <class T>
double distance_in_bounds(const Oracle<T>& oracle, const ErrorModel& a_model,
                          const TensorView<const T>& a, const ErrorModel& b_model,
                          const TensorView<const T>& b) {
  double farthest = 0;
  oracle.for_each([&](const Reference<T>& r) {
    const Wide<T> difference = static_cast<Wide<T>>(a(r.n, r.c, r.i, r.j)) - b(r.n, r.c, r.i, r.j);
    const Wide<T> bound = error_bound(a_model, oracle, r) + error_bound(b_model, oracle, r);
    farthest = std::max(farthest, in_bounds(difference, bound));
  });
  return farthest;
}

template Wide<float> error_bound(const ErrorModel&, const Oracle<float>&, const Reference<float>&);
template Wide<double> error_bound(const ErrorModel&, const Oracle<double>&,
                                  const Reference<double>&);
template void include(Accuracy&, const ErrorModel&, const Oracle<float>&, const Reference<float>&,
                      float);
template void include(Accuracy&, const ErrorModel&, const Oracle<double>&, const Reference<double>&,
                      double);
template std::string describe(const Reference<float>&, float);
template std::string describe(const Reference<double>&, double);
template Accuracy measure_accuracy(const Oracle<float>&, const ErrorModel&,
                                   const TensorView<const float>&);
template Accuracy measure_accuracy(const Oracle<double>&, const ErrorModel&,
                                   const TensorView<const double>&);
template double distance_in_bounds(const Oracle<float>&, const ErrorModel&,
                                   const TensorView<const float>&, const ErrorModel&,
                                   const TensorView<const float>&);
template double distance_in_bounds(const Oracle<double>&, const ErrorModel&,
                                   const TensorView<const double>&, const ErrorModel&,
                                   const TensorView<const double>&);

}  // namespace fullconv::testing
