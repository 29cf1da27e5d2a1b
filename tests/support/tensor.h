#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "fullconv/view.h"

namespace fullconv::testing {

/// How a tensor lies in memory.
struct Layout {
  std::string_view name = "dense";
  std::array<std::size_t, 4> order{0, 1, 2, 3};  ///< axes, outermost first
  Extents step{1, 1, 1, 1};  ///< cells from element to element; below 0 the axis runs backwards
  Extents gap{0, 0, 0, 0};   ///< cells left free after each axis
  index_t offset = 0;        ///< elements by which the first one is off a cache line

  /// Whether rows lie in one piece, as every algorithm takes them.
  bool has_dense_rows() const { return order[3] == 3 && step[3] == 1; }
};

/// Gaps on all four sides of each plane.
inline constexpr Layout kGapped{.name = "gapped", .gap = {0, 2, 3, 5}};

/// Its name, or where it has none what makes it up: `0132:1,1,-1,2:0,0,3,5:1` has the columns
/// outermost of a plane, steps, gaps and an offset.
std::string to_string(const Layout& layout);

/// `dense`, or what to_string() makes of one without a name. Throws std::invalid_argument, in one
/// line that names the offender.
Layout parse_layout(const std::string& text);

/// A tensor that owns its memory. All cells around and between its elements are guards: NaNs of
/// one bit pattern, which show up in results where they are read and are missed where overwritten.
template <class T>
class Tensor {
 public:
  explicit Tensor(const Extents& extents, const Layout& layout = {});
  /// A copy of `values`.
  explicit Tensor(const TensorView<const T>& values, const Layout& layout = {});
  Tensor(Tensor&&) = default;
  Tensor& operator=(Tensor&&) = default;

  const Extents& extents() const { return view_.extents; }
  const TensorView<T>& view() { return view_; }
  TensorView<const T> view() const { return view_; }
  T& operator()(index_t a, index_t b, index_t i, index_t j) { return view_(a, b, i, j); }
  T operator()(index_t a, index_t b, index_t i, index_t j) const { return view_(a, b, i, j); }

  void fill(T value);
  bool guards_intact() const;

 private:
  std::vector<T> cells_;
  std::vector<unsigned char> is_element_;
  TensorView<T> view_;
};

/// Calls visit(a, b, i, j) for each index of a tensor, in row-major order.
template <class Visit>
void for_each_index(const Extents& extents, const Visit& visit) {
  for (index_t a = 0; a < extents[0]; ++a)
    for (index_t b = 0; b < extents[1]; ++b)
      for (index_t i = 0; i < extents[2]; ++i)
        for (index_t j = 0; j < extents[3]; ++j) visit(a, b, i, j);
}

/// Whether two tensors of the same extents hold the same bits: NaN equals itself, −0 is not 0.
template <class T>
bool same_bits(const TensorView<const T>& a, const TensorView<const T>& b);

extern template class Tensor<float>;
extern template class Tensor<double>;

}  // namespace fullconv::testing
