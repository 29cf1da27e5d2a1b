// Clamped bounds: min and max say where each sum starts and ends, so that no inner loop branches
// and nothing is padded. Along a row the sums of all outputs advance together, tap by tap: tap q
// reaches outputs q to q+W−1, which makes the innermost loop one long multiply-add over dense rows.
// 2·H·W·h·w flops, each with a load and a store of y from the first-level cache; no workspace.

#include "core/lift.h"
#include "core/registry.h"

namespace fullconv {
namespace {

/// The columns of a row of y += what a row of x gives by a row of k. Apart from the loops over
/// rows, whose variables would take the registers of this one.
template <class T>
[[gnu::noinline]] void add_row(const T* x, index_t x_columns, const T* k, index_t k_columns,
                               Range columns, T* y) {
  for (index_t q = 0; q < k_columns; ++q) {
    const index_t begin = std::max(columns.begin, q);
    const index_t end = std::min(columns.end, q + x_columns);
    add_scaled_row(k[q], x + begin - q, y + begin, end - begin);
  }
}

template <class T>
void add_clamped(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                 const Window& window) {
  for (index_t i = window.rows.begin; i < window.rows.end; ++i) {
    const index_t first = std::max<index_t>(0, i - x.rows + 1);
    const index_t last = std::min(i, k.rows - 1);
    for (index_t p = first; p <= last; ++p) {
      add_row(x.row(i - p), x.columns, k.row(p), k.columns, window.columns, y.row(i));
    }
  }
}

}  // namespace

constinit const Algorithm builtin::clamp_bounds{
    .name = "clamp_bounds",
    .summary = "first and last tap of each sum by min and max, rows of outputs advanced together",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .crops = true,
    .plan_f32 = plan_lifted<float, add_clamped<float>>,
    .plan_f64 = plan_lifted<double, add_clamped<double>>,
};

}  // namespace fullconv
