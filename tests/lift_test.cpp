// What core/lift.h makes of functions of planes.

#include "core/lift.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <utility>
#include <variant>

#include "support/accuracy.h"
#include "support/tensor.h"
#include "support/trial.h"

namespace fullconv::testing {
namespace {

/// A function of whole planes.
void add_by_taps(const Plane<const float>& x, const Plane<const float>& k, const Plane<float>& y) {
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t p = 0; p < k.rows; ++p)
      for (index_t q = 0; q < k.columns; ++q)
        add_scaled_row(k(p, q), x.row(i), y.row(i + p) + q, x.columns);
}

/// Who says that it computes windows and does not would write beside them.
TEST(Lift, RefusesAWindowOfAFunctionOfWholePlanes) {
  Algorithm row{.name = "by_taps",
                .summary = "",
                .error_model = ErrorModel::componentwise,
                .non_finite = NonFinite::as_defined,
                .plan_f32 = plan_lifted<float, add_by_taps>};
  const Problem cropped = parse_problem("8x8_k5x5_p1x0x0x0");
  const Trial<float> trial({cropped});
  Tensor<float> y(cropped.y_extents());
  auto planned = row.plan<float>(cropped);  // the whole is computed, and a window copied
  std::get<0>(planned)->execute(trial.x(), trial.k(), y.view());
  EXPECT_TRUE(y.guards_intact());
  const Oracle<float> oracle(cropped, trial.x(), trial.k());
  EXPECT_TRUE(
      measure_accuracy<float>(oracle, row.error_model, std::as_const(y).view()).within_bound());

  row.crops = true;
  EXPECT_THROW(row.plan<float>(cropped), std::logic_error);
}

}  // namespace
}  // namespace fullconv::testing
