#include "support/tensor.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <tuple>
#include <type_traits>

namespace fullconv::testing {
namespace {

constexpr index_t kCacheLine = 64;

template <class T>
using Bits = std::conditional_t<std::is_same_v<T, float>, std::uint32_t, std::uint64_t>;

template <class T>
Bits<T> bits(T value) {
  return std::bit_cast<Bits<T>>(value);
}

/// A quiet NaN that no arithmetic makes.
template <class T>
T guard() {
  constexpr Bits<T> payload = 0x5AFE;
  return std::bit_cast<T>(bits(std::numeric_limits<T>::quiet_NaN()) | payload);
}

constexpr char kLayoutForm[] = "%1zu%1zu%1zu%1zu:%td,%td,%td,%td:%td,%td,%td,%td:%td";

}  // namespace

std::string to_string(const Layout& layout) {
  if (!layout.name.empty()) return std::string(layout.name);
  const auto& [order, step, gap] = std::tie(layout.order, layout.step, layout.gap);
  char text[256];
  std::snprintf(text, sizeof text, kLayoutForm, order[0], order[1], order[2], order[3], step[0],
                step[1], step[2], step[3], gap[0], gap[1], gap[2], gap[3], layout.offset);
  return text;
}

Layout parse_layout(const std::string& text) {
  if (text == "dense") return {};
  Layout layout{.name = {}};
  auto& [name, order, step, gap, offset] = layout;
  std::sscanf(text.c_str(), kLayoutForm, &order[0], &order[1], &order[2], &order[3], &step[0],
              &step[1], &step[2], &step[3], &gap[0], &gap[1], &gap[2], &gap[3], &offset);
  auto axes = order;
  std::ranges::sort(axes);
  const bool makes_sense = axes == Layout{}.order && std::ranges::find(step, 0) == step.end() &&
                           offset >= 0 &&
                           std::ranges::all_of(gap, [](index_t cells) { return cells >= 0; });
  if (!makes_sense || to_string(layout) != text) {
    throw std::invalid_argument("malformed layout '" + text +
                                "': expected dense or something like 0132:1,1,-1,2:0,0,3,5:1");
  }
  return layout;
}

template <class T>
Tensor<T>::Tensor(const Extents& extents, const Layout& layout) {
  Extents strides{};
  index_t cells = 1;
  index_t lowest = 0;  // offset of the first element in memory from element [0,0,0,0]
  for (auto innermost = layout.order.rbegin(); innermost != layout.order.rend(); ++innermost) {
    const std::size_t axis = *innermost;
    strides[axis] = cells * layout.step[axis];
    if (strides[axis] < 0) lowest += strides[axis] * (extents[axis] - 1);
    cells *= std::abs(layout.step[axis]) * extents[axis] + layout.gap[axis];
  }

  constexpr index_t line = kCacheLine / static_cast<index_t>(sizeof(T));
  const index_t margin = line + std::abs(strides[2]) + std::abs(strides[3]);
  cells_.assign(static_cast<std::size_t>(margin + line + layout.offset + cells + margin),
                guard<T>());
  is_element_.assign(cells_.size(), 0);

  T* first = cells_.data() + margin;
  while (reinterpret_cast<std::uintptr_t>(first) % kCacheLine != 0) ++first;
  view_ = {first + layout.offset - lowest, extents, strides};
  for_each_index(extents, [&](index_t a, index_t b, index_t i, index_t j) {
    is_element_[static_cast<std::size_t>(&view_(a, b, i, j) - cells_.data())] = 1;
  });
}

template <class T>
Tensor<T>::Tensor(const TensorView<const T>& values, const Layout& layout)
    : Tensor(values.extents, layout) {
  for_each_index(extents(), [&](auto... at) { view_(at...) = values(at...); });
}

template <class T>
void Tensor<T>::fill(T value) {
  for_each_index(extents(), [&](auto... at) { view_(at...) = value; });
}

template <class T>
bool Tensor<T>::guards_intact() const {
  // Without a way out, so that compilers make vectors of it.
  bool intact = true;
  for (std::size_t cell = 0; cell < cells_.size(); ++cell) {
    intact &= (is_element_[cell] != 0) | (bits(cells_[cell]) == bits(guard<T>()));
  }
  return intact;
}

template <class T>
bool same_bits(const TensorView<const T>& a, const TensorView<const T>& b) {
  bool same = true;
  for_each_index(a.extents, [&](auto... at) { same = same && bits(a(at...)) == bits(b(at...)); });
  return same;
}

template class Tensor<float>;
template class Tensor<double>;
template bool same_bits(const TensorView<const float>&, const TensorView<const float>&);
template bool same_bits(const TensorView<const double>&, const TensorView<const double>&);

}  // namespace fullconv::testing
