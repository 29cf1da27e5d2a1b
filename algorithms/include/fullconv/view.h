#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

namespace fullconv {

/// Sizes and offsets, in elements. Signed, so that i − p may go below zero.
using index_t = std::ptrdiff_t;

/// Four extents or four strides, outermost first.
using Extents = std::array<index_t, 4>;

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

}  // namespace fullconv
