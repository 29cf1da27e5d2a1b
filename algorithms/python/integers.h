#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "plans.h"

namespace fullconv::python {

/// Calls visit(element) for each of a view.
template <class T, class Visit>
void for_each(const TensorView<T>& view, const Visit& visit) {
  const auto& [A, B, I, J] = view.extents;
  for (index_t a = 0; a < A; ++a)
    for (index_t b = 0; b < B; ++b)
      for (index_t i = 0; i < I; ++i) {
        T* row = view.data + a * view.strides[0] + b * view.strides[1] + i * view.strides[2];
        for (index_t j = 0; j < J; ++j) visit(row[j * view.strides[3]]);
      }
}

/// Full convolutions of integers of type I, which wrap around as NumPy's do and are exact
/// otherwise. Where no sum can leave what a float or double represents exactly, they are computed
/// in one of these; else by the definition, modulo 2^bits.
template <class I>
class IntegerConvolution {
 public:
  IntegerConvolution(const Problem& problem, const Algorithm& algorithm, int threads,
                     const TensorView<const I>& x, const TensorView<const I>& k)
      : problem_(problem), algorithm_(algorithm), threads_(threads), x_(x), k_(k) {
    double x_square = 0, x_largest = 0, k_sum = 0;
    for_each(x, [&](I value) {
      const auto wide = static_cast<double>(value);
      x_square += wide * wide;
      x_largest = std::max(x_largest, std::abs(wide));
    });
    for_each(k, [&](I value) { k_sum += std::abs(static_cast<double>(value)); });
    largest_ = x_largest * k_sum;
    // None of the norms exceeds this product.
    const double norms = std::sqrt(x_square) * k_sum;
    error_ = static_cast<double>(algorithm.error_model.bound(
        {.problem = problem,
         .u = 0x1p-53,
         .products = static_cast<double>(problem.K * problem.h * problem.w),
         .magnitude = largest_,
         .local_norms = norms,
         .tile_norms = norms,
         .operand_norms = norms,
         .output_norm = norms,
         .underflow = 0}));
  }

  void execute(const TensorView<I>& y) const {
    // The bounds have been rounded themselves: the last bit is left to that.
    if (problem_.h * problem_.w > kFewTaps && largest_ < 0x1p52) {
      const bool sums =
          algorithm_.error_model.exact_on_integers || algorithm_.delegates == Delegates::always;
      const bool many_taps = problem_.h * problem_.w > kManyTaps;
      if (sums && largest_ < 0x1p23 && !many_taps) {
        return execute_in<float>(ErrorModel::componentwise, y);
      }
      if (error_ < 0.25) return execute_in<double>(ErrorModel::normwise, y);
      if (sums) return execute_in<double>(ErrorModel::componentwise, y);
    }
    by_definition(y);
  }

 private:
  /// Up to so many, converting takes as long as computing by the definition.
  static constexpr index_t kFewTaps = 4;
  /// From about here on transforms are faster than sums of products.
  static constexpr index_t kManyTaps = 100;

  template <class T>
  void execute_in(ErrorModel accuracy, const TensorView<I>& y) const {
    const auto converted = [](const TensorView<const I>& from) {
      std::vector<T> values;
      values.reserve(static_cast<std::size_t>(element_count(from.extents)));
      for_each(from, [&](I value) { values.push_back(static_cast<T>(value)); });
      return values;
    };
    const std::vector<T> x = converted(x_), k = converted(k_);
    const Extents& extents = y.extents;
    std::vector<T> wide(static_cast<std::size_t>(element_count(extents)));
    const Request request{problem_, &algorithm_, {.threads = threads_, .accuracy = accuracy}};
    LentPlan<T>(request).execute({x.data(), x_.extents}, {k.data(), k_.extents},
                                 {wide.data(), extents});
    auto next = wide.begin();
    for_each(y, [&](I& value) { value = static_cast<I>(std::llrint(*next++)); });
  }

  /// Each image row times each tap, added where it lands.
  void by_definition(const TensorView<I>& y) const {
    // Unsigned, so that it wraps around; products of 16 bits would overflow int.
    using Wide = std::conditional_t<sizeof(I) == 8, std::uint64_t, std::uint32_t>;
    const Problem& P = problem_;
    const index_t outputs_of_group = P.C / P.groups, inputs_of_group = P.K / P.groups;
    const index_t step = x_.strides[3], y_step = y.strides[3] * P.stride.x;
    for_each(y, [](I& value) { value = 0; });
    for (index_t n = 0; n < P.N; ++n)
      for (index_t o = 0; o < P.K; ++o)
        for (index_t m = 0; m < outputs_of_group; ++m)
          for (index_t i = 0; i < P.H; ++i)
            for (index_t p = 0; p < P.h; ++p) {
              const index_t c = o / inputs_of_group * outputs_of_group + m;
              const index_t row = i * P.stride.y + p * P.dilation.y - P.padding.top;
              if (row < 0 || row >= P.output_rows()) continue;
              for (index_t q = 0; q < P.w; ++q) {
                const auto tap = static_cast<Wide>(k_(o, m, p, q));
                // Column j lands at first + j * stride.
                const index_t first = q * P.dilation.x - P.padding.left;
                const index_t begin = first < 0 ? (-first + P.stride.x - 1) / P.stride.x : 0;
                const index_t room = P.output_columns() - first;
                const index_t end =
                    room <= 0 ? 0 : std::min(P.W, (room + P.stride.x - 1) / P.stride.x);
                const I* from = x_.data + n * x_.strides[0] + o * x_.strides[1] + i * x_.strides[2];
                I* to = y.data + n * y.strides[0] + c * y.strides[1] + row * y.strides[2];
                const index_t shift = first * y.strides[3];
                for (index_t j = begin; j < end; ++j) {
                  to[shift + j * y_step] =
                      static_cast<I>(static_cast<Wide>(to[shift + j * y_step]) +
                                     tap * static_cast<Wide>(from[j * step]));
                }
              }
            }
  }

  const Problem& problem_;
  const Algorithm& algorithm_;
  int threads_;
  TensorView<const I> x_, k_;
  double largest_;  // no sum, and no part of one, is larger
  double error_;    // of a computation in double, whichever the algorithm
};

}  // namespace fullconv::python
