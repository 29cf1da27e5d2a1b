#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

namespace fullconv {

/// Sizes and offsets, in elements. Signed, so that i − p may go below zero.
using index_t = std::ptrdiff_t;

/// Four extents or four strides, outermost first.
using Extents = std::array<index_t, 4>;

/// Elements of a tensor.
constexpr index_t element_count(const Extents& extents) {
  return extents[0] * extents[1] * extents[2] * extents[3];
}

/// The strides of a dense row-major tensor.
constexpr Extents dense_strides(const Extents& extents) {
  return {extents[1] * extents[2] * extents[3], extents[2] * extents[3], extents[3], 1};
}

/// Non-owning view of a 4-D tensor: x[N,K,H,W], k[K,C,h,w] or y[N,C,H+h−1,W+w−1].
///
/// Strides are in elements and may be of any size and sign, so a crop, a transposed or a
/// channels-last tensor is viewed without a copy. Copying a view copies no elements.
template <class T>
struct TensorView {
  T* data = nullptr;
  Extents extents{};
  Extents strides{};

  constexpr TensorView() = default;

  /// Dense row-major tensor.
  constexpr TensorView(T* elements, const Extents& shape)
      : TensorView(elements, shape, dense_strides(shape)) {}

  constexpr TensorView(T* elements, const Extents& shape, const Extents& steps)
      : data(elements), extents(shape), strides(steps) {}

  /// One dense plane of `rows` × `columns`.
  constexpr TensorView(T* elements, index_t rows, index_t columns)
      : TensorView(elements, Extents{1, 1, rows, columns}) {}

  /// A view of mutable elements serves where constant ones are asked for.
  constexpr operator TensorView<const T>() const  // NOLINT(google-explicit-constructor)
      requires(!std::is_const_v<T>) {
    return {data, extents, strides};
  }

  constexpr T& operator()(index_t a, index_t b, index_t i, index_t j) const {
    return data[a * strides[0] + b * strides[1] + i * strides[2] + j * strides[3]];
  }
};

/// Calls visit(element of from, element of to) for each place of two views of the same extents.
/// The inner loop goes along the longer of channels and columns: row by row, the weights of a 3×3
/// layer, a column of two taps each, took three times as long to copy.
template <class From, class To, class Visit>
void for_each_element(const TensorView<From>& from, const TensorView<To>& to, const Visit& visit) {
  const auto& [A, B, I, J] = from.extents;
  const bool by_rows = J >= B || (J >= 8 && from.strides[3] == 1 && to.strides[3] == 1);
  const std::size_t inner = by_rows ? 3 : 1, outer = by_rows ? 1 : 3;
  const index_t count = from.extents[inner];
  const index_t from_step = from.strides[inner], to_step = to.strides[inner];
  for (index_t a = 0; a < A; ++a)
    for (index_t i = 0; i < I; ++i)
      for (index_t o = 0; o < from.extents[outer]; ++o) {
        From* source = &from(a, 0, i, 0) + o * from.strides[outer];
        To* target = &to(a, 0, i, 0) + o * to.strides[outer];
        if (from_step == 1 && to_step == 1) {
          for (index_t e = 0; e < count; ++e) visit(source[e], target[e]);
        } else {
          for (index_t e = 0; e < count; ++e) visit(source[e * from_step], target[e * to_step]);
        }
      }
}

/// Copies each element to the same place of a view of the same extents.
template <class From, class To>
void copy_elements(const TensorView<From>& from, const TensorView<To>& to) {
  for_each_element(from, to, [](const From& source, To& target) { target = source; });
}

}  // namespace fullconv
