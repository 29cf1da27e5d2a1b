#pragma once

#include <cstdint>
#include <vector>

#include "support/case.h"

namespace fullconv::testing {

/// Dense x and k of a case. The same case, scalar and seed give the same operands everywhere.
template <class T>
struct Operands {
  Problem problem;
  std::vector<T> x;
  std::vector<T> k;

  TensorView<const T> x_view() const { return {x.data(), problem.x_extents()}; }
  TensorView<const T> k_view() const { return {k.data(), problem.k_extents()}; }
};

template <class T>
Operands<T> make_operands(const Case& c, std::uint64_t seed = 1);

}  // namespace fullconv::testing
