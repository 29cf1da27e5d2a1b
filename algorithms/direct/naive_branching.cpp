// Full convolution as it is first written: for each output, if/else decides on each axis whether it
// lies in the head, the middle or the tail, and hence which taps fall inside the image.
// 2·H·W·h·w flops, one scalar sum at a time; no workspace. The definition, spelled out.

#include "core/lift.h"
#include "core/registry.h"

namespace fullconv {
namespace {

/// The taps [begin, end) of one axis whose image sample exists.
struct Taps {
  index_t begin;
  index_t end;
};

/// For output i of an image axis of `size` under a kernel axis of `taps`.
inline Taps existing_taps(index_t i, index_t size, index_t taps) {
  if (i < taps && i < size) {  // head: the kernel still enters the image
    return {0, i + 1};
  } else if (i < size) {  // middle: the kernel lies inside the image
    return {0, taps};
  } else if (i < taps) {  // middle, where the kernel is the longer: it covers the image
    return {i - size + 1, i + 1};
  } else {  // tail: the kernel leaves the image
    return {i - size + 1, taps};
  }
}

template <class T>
void add_branching(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                   const Window& window) {
  for (index_t i = window.rows.begin; i < window.rows.end; ++i) {
    const Taps rows = existing_taps(i, x.rows, k.rows);
    for (index_t j = window.columns.begin; j < window.columns.end; ++j) {
      const Taps columns = existing_taps(j, x.columns, k.columns);
      T sum = 0;
      for (index_t p = rows.begin; p < rows.end; ++p) {
        for (index_t q = columns.begin; q < columns.end; ++q) sum += x(i - p, j - q) * k(p, q);
      }
      y(i, j) += sum;
    }
  }
}

}  // namespace

constinit const Algorithm builtin::naive_branching{
    .name = "naive_branching",
    .summary = "head, middle and tail of each axis told apart by if/else, one output at a time",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .same_bits = true,
    .crops = true,
    .plan_f32 = plan_lifted<float, add_branching<float>>,
    .plan_f64 = plan_lifted<double, add_branching<double>>,
};

}  // namespace fullconv
