// Clamped bounds: min and max say where each sum starts and ends, so that no inner loop branches
// and nothing is padded. Along a row the sums of all outputs advance together, tap by tap: tap q
// reaches outputs q to q+W−1, which makes the innermost loop one long multiply-add over dense rows.
// 2·H·W·h·w flops, each with a load and a store of y from the first-level cache; no workspace.

#include "core/lift.h"
#include "core/registry.h"
#include "direct/clamped_sums.h"

namespace fullconv {

constinit const Algorithm builtin::clamp_bounds{
    .name = "clamp_bounds",
    .summary = "first and last tap of each sum by min and max, rows of outputs advanced together",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .same_bits = true,
    .crops = true,
    .plan_f32 = plan_lifted<float, add_clamped<float>>,
    .plan_f64 = plan_lifted<double, add_clamped<double>>,
};

}  // namespace fullconv
