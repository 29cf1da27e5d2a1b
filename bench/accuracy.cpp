#include "accuracy.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

#include "errors.h"

namespace fullconv::cli {
namespace {

/// Norms of the finite elements of tensor[a,b].
struct PlaneNorms {
  long double sum = 0, root = 0;  // Σ|·| and √Σ|·|²

  template <class T>
  PlaneNorms(const TensorView<const T>& tensor, index_t a, index_t b) {
    for (index_t i = 0; i < tensor.extents[2]; ++i)
      for (index_t j = 0; j < tensor.extents[3]; ++j) {
        const long double value = std::abs(tensor(a, b, i, j));
        if (!std::isfinite(value)) continue;
        sum += value;
        root += value * value;
      }
    root = std::sqrt(root);
  }
};

/// The norms of all planes; those of tensor[a,b] are at a·B + b.
template <class T>
std::vector<PlaneNorms> norms_of(const TensorView<const T>& tensor) {
  std::vector<PlaneNorms> norms;
  for (index_t a = 0; a < tensor.extents[0]; ++a)
    for (index_t b = 0; b < tensor.extents[1]; ++b) norms.emplace_back(tensor, a, b);
  return norms;
}

}  // namespace

void add_accuracy(CLI::App* command, std::string& accuracy) {
  command
      ->add_option(
          "--accuracy", accuracy,
          "Of auto: normwise, componentwise, which rules out transforms, or rel=1e-5, say: "
          "no error bound larger than that, relative to the norms of x, k and y")
      ->type_name("BOUND")
      ->capture_default_str();
}

void set_accuracy(PlanOptions& options, const std::string& accuracy) {
  constexpr std::string_view kRelative = "rel=";
  if (accuracy == "componentwise") options.accuracy = ErrorModel::componentwise;
  if (accuracy == "componentwise" || accuracy == "normwise") return;
  double tolerance = 0;
  const char* end = accuracy.data() + accuracy.size();
  const bool relative = accuracy.starts_with(kRelative);
  const auto parsed =
      std::from_chars(accuracy.data() + (relative ? kRelative.size() : 0), end, tolerance);
  if (!relative || parsed.ec != std::errc{} || parsed.ptr != end || !(tolerance > 0)) {
    throw UsageError(fmt::format(
        "--accuracy is '{}': expected normwise, componentwise or rel= and a number above 0",
        accuracy));
  }
  options.tolerance = tolerance;
}

/// Where padding leaves something out of y, the norm of the whole is bounded by Young's inequality.
template <class T>
ResultBound bound_of(const ErrorModel& model, const Problem& problem, const TensorView<const T>& x,
                     const TensorView<const T>& k, const TensorView<const T>& y) {
  const index_t inputs = problem.K / problem.groups, outputs = problem.C / problem.groups;
  const auto products = static_cast<long double>(inputs * std::min(problem.H, problem.h) *
                                                 std::min(problem.W, problem.w));
  const long double relative =
      relative_bound(model, problem, std::numeric_limits<T>::epsilon() / 2.0L);
  const std::vector<PlaneNorms> images = norms_of(x), kernels = norms_of(k);
  ResultBound bound{.relative = static_cast<double>(relative)};
  for (index_t n = 0; n < problem.N; ++n)
    for (index_t c = 0; c < problem.C; ++c) {
      long double norms = 0, output_norm = 0;
      for (index_t o = c / outputs * inputs; o < (c / outputs + 1) * inputs; ++o) {
        const PlaneNorms& image = images[static_cast<std::size_t>(n * problem.K + o)];
        const PlaneNorms& kernel = kernels[static_cast<std::size_t>(o * outputs + c % outputs)];
        norms += image.root * kernel.root;
        output_norm += image.root * kernel.sum;
      }
      if (problem.is_whole()) output_norm = PlaneNorms(y, n, c).root;
      const auto of_plane = static_cast<double>(relative * (norms + output_norm) +
                                                products * std::numeric_limits<T>::denorm_min());
      bound.largest = std::max(bound.largest, of_plane);
      for (index_t i = 0; i < y.extents[2]; ++i)
        for (index_t j = 0; j < y.extents[3]; ++j) {
          if (std::abs(y(n, c, i, j)) <= of_plane) ++bound.below;
        }
    }
  return bound;
}

template ResultBound bound_of(const ErrorModel&, const Problem&, const TensorView<const float>&,
                              const TensorView<const float>&, const TensorView<const float>&);
template ResultBound bound_of(const ErrorModel&, const Problem&, const TensorView<const double>&,
                              const TensorView<const double>&, const TensorView<const double>&);

}  // namespace fullconv::cli
