#pragma once

#include "support/operands.h"
#include "support/oracle.h"

namespace fullconv::testing {

/// Operands and what has to come out of them.
template <class T>
struct Trial {
  explicit Trial(const Case& c, std::uint64_t seed = 1)
      : operands(make_operands<T>(c, seed)),
        oracle(c.problem, operands.x_view(), operands.k_view()) {}

  TensorView<const T> x() const { return operands.x_view(); }
  TensorView<const T> k() const { return operands.k_view(); }

  Operands<T> operands;
  Oracle<T> oracle;
};

}  // namespace fullconv::testing
