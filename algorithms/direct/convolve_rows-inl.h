// Direct convolution of planes by vectors: the form that suits a problem.

#if defined(FULLCONV_CONVOLVE_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_CONVOLVE_ROWS_INL_H
#undef FULLCONV_CONVOLVE_ROWS_INL_H
#else
#define FULLCONV_CONVOLVE_ROWS_INL_H
#endif

#include <algorithm>

#include "direct/flat_plane-inl.h"
#include "direct/register_tiles-inl.h"
#include "direct/rolling_sums-inl.h"
#include "direct/strips-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// Whether sums of so many rows roll.
constexpr bool rolls(index_t kernel_rows) {
  return kRollingPays && kernel_rows <= kMostRollingRows;
}

/// A kernel's pieces, each small enough for its strips to be staged.
template <class T>
struct Pieces {
  index_t down, across;

  Pieces(index_t kernel_rows, index_t kernel_columns)
      : down(1), across(ceil_divide(kernel_columns, kMostKernelColumns)) {
    if (rolls(kernel_rows)) return;
    const index_t columns = ceil_divide(kernel_columns, across);
    down = ceil_divide(kernel_rows, most_kernel_rows<T>(columns));
  }
  index_t count() const { return down * across; }
};

template <class T>
bool all_finite(const Plane<const T>& k) {
  const Tag<T> d;
  for (index_t p = 0; p < k.rows; ++p) {
    for (index_t q = 0; q < k.columns; q += kLanes<T>) {
      const Vector<T> taps = load_inside<T>(k.row(p), q, k.columns, lanes_of<T>(-q, k.columns - q));
      if (!hn::AllTrue(d, hn::IsFinite(taps))) return false;
    }
  }
  return true;
}

/// For kernels with taps that must not meet the zeros around an image: 0·Inf is NaN.
template <class T>
void convolve_rows_by_tap(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                          const Window& wanted, bool add) {
  if (!add) fill_zero(y, wanted);
  for (index_t i = wanted.rows.begin; i < wanted.rows.end; ++i) {
    const Range taps = intersection({0, k.rows}, {i - x.rows + 1, i + 1});
    for (index_t p = taps.begin; p < taps.end; ++p) {
      for (index_t q = 0; q < k.columns; ++q) {
        const Range columns = intersection(wanted.columns, {q, q + x.columns});
        add_scaled_row(k(p, q), x.row(i - p) + columns.begin - q, y.row(i) + columns.begin,
                       columns.size());
      }
    }
  }
}

/// With a kernel that is one piece.
template <class T>
void convolve_piece(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                    const Window& wanted, bool add, bool far) {
  if constexpr (kRollingPays) {
    if (rolls(k.rows)) {
      return RollingConvolution<T>(x, k, y, wanted.columns, add, far).compute(wanted.rows);
    }
  }
  TiledConvolution<T>(x, k, y, wanted.columns, add).compute(wanted.rows);
}

/// y's window `wanted` = x ∗ k, or += where `add`.
template <class T>
void convolve_plane(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                    const Window& wanted, bool add, bool far) {
  if (!all_finite(k)) {
    convolve_rows_by_tap(x, k, y, wanted, add);
    return;
  }
  if constexpr (!kRollingPays) {
    const index_t columns = x.columns + k.columns - 1;
    if (y.row_stride == columns && wanted.columns.size() == columns &&
        FlatPlane<T>::suits(k.rows, k.columns, columns)) {
      return FlatPlane<T>(x, k, y, add).compute(wanted.rows);
    }
  }
  const Pieces<T> pieces(k.rows, k.columns);
  if (pieces.count() == 1) {
    convolve_piece(x, k, y, wanted, add, far);
    return;
  }
  if (!add) fill_zero(y, wanted);
  const auto& [down, across] = pieces;
  for (index_t a = 0; a < down; ++a) {
    const Range rows{a * k.rows / down, (a + 1) * k.rows / down};
    for (index_t b = 0; b < across; ++b) {
      const Range columns{b * k.columns / across, (b + 1) * k.columns / across};
      const Plane<const T> part{k.row(rows.begin) + columns.begin, rows.size(), columns.size(),
                                k.row_stride};
      const Plane<T> sums{y.row(rows.begin) + columns.begin, x.rows + part.rows - 1,
                          x.columns + part.columns - 1, y.row_stride};
      const Window of_part{
          intersection({wanted.rows.begin - rows.begin, wanted.rows.end - rows.begin},
                       {0, sums.rows}),
          intersection({wanted.columns.begin - columns.begin, wanted.columns.end - columns.begin},
                       {0, sums.columns})};
      if (of_part.rows.empty() || of_part.columns.empty()) continue;
      convolve_piece(x, part, sums, of_part, true, far);
    }
  }
}

/// Where these forms begin and end, and what they cut a plane into.
template <class T>
std::vector<Boundary> plane_boundaries(const Problem& problem) {
  constexpr index_t kSize = sizeof(T);
  std::vector<Boundary> boundaries{
      {Boundary::output_columns, kLanes<T>},
      {Boundary::output_columns, kMostVectors * kLanes<T>},
      {Boundary::output_columns, FlatPlane<T>::kMostColumns},
      {Boundary::output_rows, kTileRows},
      {Boundary::output_rows, kTallRows},
      {Boundary::image_rows, kTallRows},
      {Boundary::kernel_rows, kTileRows},
      {Boundary::kernel_rows, kFewestRows},
      {Boundary::kernel_rows, most_kernel_rows<T>(std::min(problem.w, kMostKernelColumns))},
      {Boundary::kernel_columns, kMostKernelColumns},
      {Boundary::kernel_columns, problem.W},
      {Boundary::image_columns, kPlacesApart / kSize}};
  if constexpr (kRollingPays) {
    boundaries.push_back({Boundary::kernel_rows, kMostMaskedTaps});
    boundaries.push_back({Boundary::kernel_columns, kMostMaskedTaps});
    const auto rows = std::min<index_t>(problem.h, kMostRollingRows);
    boundaries.push_back(
        {Boundary::output_columns, widest_rolling_strip(static_cast<int>(rows)) * kLanes<T>});
    for (const bool far : {false, true}) {
      boundaries.push_back({Boundary::image_rows, rolling_block_rows(far, rows)});
    }
    boundaries.push_back(
        {Boundary::image_rows,
         static_cast<index_t>(kFarBytes) / (kSize * (problem.W + problem.output_columns()))});
  }
  return boundaries;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
