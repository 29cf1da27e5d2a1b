// Register tiling: down a strip of a few vectors of columns, the sums of as many output rows as the
// kernel has rows stay in registers. An image row, loaded once for each tap along the row, enters
// all of them; then the topmost sum is complete and leaves, and a new one opens at the bottom. So
// nothing is padded, and neither the first rows nor the last need code of their own. Kernels with
// more rows than registers allow are cut into bands that add to y one after the other.
// 2·H·W·h·w flops; of w·(1/h' + 1/v) loads and 1/w stores an FMA, with bands of h' rows and strips
// of v vectors; no workspace. SIMD by Highway: one source for all instruction sets.

#include "direct/direct_simd.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include "core/forecast.h"
#include "core/parallel.h"
#include "core/phases.h"
#include "core/registry.h"

// A build for one processor (-march=native) needs no dispatch at run time.
#if defined(__AVX2__) && !defined(HWY_COMPILE_ONLY_STATIC)
#define HWY_COMPILE_ONLY_STATIC
#endif
// Arrays of vectors need to know their size.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "direct/direct_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef FULLCONV_DIRECT_SIMD_ONCE
#define FULLCONV_DIRECT_SIMD_ONCE
namespace fullconv {
namespace {

/// The band of a kernel and the image rows that a strip is swept for.
template <class T>
struct Sweep {
  const T* image;  // the first of the rows, at the strip's first column
  index_t image_stride;
  Plane<const T> band;
  Plane<T> y;
  Range rows;      // of the image
  index_t offset;  // of the band in the kernel: tap p of image row r goes to y's row r + offset + p
  Range wanted;    // rows of y; sums of others are for somebody else
  index_t fresh;   // y's rows from here on hold nothing yet
};

}  // namespace
}  // namespace fullconv
#endif

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vector = hn::Vec<Tag<T>>;
template <class T>
using Mask = hn::Mask<Tag<T>>;

template <class T>
constexpr index_t kLanes = static_cast<index_t>(hn::MaxLanes(Tag<T>()));

#if HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3
constexpr int kRegisters = 16;
#else
constexpr int kRegisters = 32;
#endif

// Sums of 8 rows × 3 vectors, 3 vectors of the image and a tap take 28 of 32 registers.
constexpr int kMostBandRows = kRegisters / 4;
constexpr int kMostVectors = 4;

/// Set aside on the stack for strips at the edges, and the widest kernel for which four rows of one
/// find room there.
template <class T>
constexpr index_t kStagedElements = 32 * 1024 / sizeof(T);
template <class T>
constexpr index_t kMostColumns = kStagedElements<T> / 4 - (kMostVectors + 1) * kLanes<T>;

/// The widest strip, in vectors, whose sums fit into registers beside a row of it and a tap.
constexpr int widest_strip(int band_rows) {
  return std::min(kMostVectors, (kRegisters - 1) / (band_rows + 1));
}

/// Makes the compiler load a value once, and not in each of the instructions that use it.
template <class V>
HWY_INLINE void keep_in_register([[maybe_unused]] V& v) {
#if HWY_ARCH_X86
  asm("" : "+v"(v.raw));
#endif
}

/// Lanes of a vector at `column` that lie in a row of so many columns.
template <class T>
HWY_INLINE Mask<T> lanes_inside(index_t column, index_t columns) {
  const Tag<T> d;
  const auto first = [&](index_t count) HWY_ATTR {
    return hn::FirstN(d, static_cast<size_t>(std::clamp<index_t>(count, 0, kLanes<T>)));
  };
  return hn::AndNot(first(-column), first(columns - column));
}

/// Loads lanes of a row, at `column` and on, that are inside, and touches no others: those are
/// zero.
template <class T>
HWY_INLINE Vector<T> load_inside(const T* row, index_t column, [[maybe_unused]] index_t columns,
                                 [[maybe_unused]] Mask<T> inside) {
  const Tag<T> d;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(inside, d, row + column);
#else
  HWY_ALIGN T lanes[kLanes<T>] = {};
  const index_t end = std::min(columns - column, kLanes<T>);
  for (index_t lane = std::max<index_t>(0, -column); lane < end; ++lane) {
    lanes[lane] = row[column + lane];
  }
  return hn::Load(d, lanes);
#endif
}

/// Stores lanes that are inside, and touches no others.
template <class T>
HWY_INLINE void store_inside(Vector<T> v, T* row, index_t column, [[maybe_unused]] index_t columns,
                             [[maybe_unused]] Mask<T> inside) {
  const Tag<T> d;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(v, inside, d, row + column);
#else
  HWY_ALIGN T lanes[kLanes<T>];
  hn::Store(v, d, lanes);
  const index_t count = std::min(columns - column, kLanes<T>);
  for (index_t lane = 0; lane < count; ++lane) row[column + lane] = lanes[lane];
#endif
}

// Packs of indices, and not loops or lambdas, go over rows of vectors: only so GCC 12 keeps them in
// registers.
template <int... i>
using Indices = std::integer_sequence<int, i...>;
template <int kCount>
using IndicesTo = std::make_integer_sequence<int, kCount>;

/// What a strip has of one row.
template <class T, int kVectors>
using StripRow = Vector<T>[kVectors];

/// The columns of y that a strip has; at the right edge some don't exist.
template <class T, int kVectors>
struct StripColumns {
  index_t begin;
  Mask<T> exist[kVectors];
};

template <class T, int... v>
HWY_INLINE StripColumns<T, sizeof...(v)> strip_columns(index_t begin, index_t columns,
                                                       Indices<v...>) {
  return {begin, {lanes_inside<T>(begin + v * kLanes<T>, columns)...}};
}

/// Sums from y where it holds some.
template <class T, bool kEdge, int kVectors, int... v>
HWY_INLINE void open(const Plane<T>& y, Range held, index_t i,
                     const StripColumns<T, kVectors>& columns, Indices<v...>,
                     StripRow<T, kVectors>& sums) {
  const Tag<T> d;
  if (!held.contains(i)) {
    ((sums[v] = hn::Zero(d)), ...);
  } else if constexpr (kEdge) {
    ((sums[v] =
          load_inside<T>(y.row(i), columns.begin + v * kLanes<T>, y.columns, columns.exist[v])),
     ...);
  } else {
    ((sums[v] = hn::LoadU(d, y.row(i) + columns.begin + v * kLanes<T>)), ...);
  }
}

/// Sums to y where somebody wants them.
template <class T, bool kEdge, int kVectors, int... v>
HWY_INLINE void close(const StripRow<T, kVectors>& sums, Range wanted, index_t i,
                      const StripColumns<T, kVectors>& columns, Indices<v...>, const Plane<T>& y) {
  if (!wanted.contains(i)) return;
  const Tag<T> d;
  if constexpr (kEdge) {
    (store_inside<T>(sums[v], y.row(i), columns.begin + v * kLanes<T>, y.columns, columns.exist[v]),
     ...);
  } else {
    (hn::StoreU(sums[v], d, y.row(i) + columns.begin + v * kLanes<T>), ...);
  }
}

template <class T, int kVectors, int... v>
HWY_INLINE void load_image(const T* image, Indices<v...>, StripRow<T, kVectors>& loaded) {
  ((loaded[v] = hn::LoadU(Tag<T>(), image + v * kLanes<T>)), ...);
  (keep_in_register(loaded[v]), ...);
}

/// sums += tap·image.
template <class T, int kVectors, int... v>
HWY_INLINE void multiply_add(T tap, const StripRow<T, kVectors>& image, Indices<v...>,
                             StripRow<T, kVectors>& sums) {
  Vector<T> taps = hn::Set(Tag<T>(), tap);
  keep_in_register(taps);
  ((sums[v] = hn::MulAdd(taps, image[v], sums[v])), ...);
}

template <class T, int kVectors, int... v>
HWY_INLINE void copy(const StripRow<T, kVectors>& from, Indices<v...>, StripRow<T, kVectors>& to) {
  ((to[v] = from[v]), ...);
}

/// Asks for the rows that are swept a little later. Columns of an image are no pattern that a
/// processor sees by itself: without this, 512x512_k7x7 takes 1.3 times as long, and 2 in double.
template <class T, int kVectors>
HWY_INLINE void prefetch(const T* image, index_t image_stride, T* y, index_t y_stride) {
  constexpr index_t kRowsAhead = 8;
  // The addresses may lie outside of image and y, where asking does no harm.
  const auto ahead = [](const T* row, index_t stride) {
    return reinterpret_cast<std::uintptr_t>(row) +
           static_cast<std::uintptr_t>(kRowsAhead * stride) * sizeof(T);
  };
  for (std::size_t v = 0; v <= kVectors; ++v) {
    const std::size_t bytes = v * kLanes<T> * sizeof(T);
    __builtin_prefetch(reinterpret_cast<const void*>(ahead(image, image_stride) + bytes));
    __builtin_prefetch(reinterpret_cast<const void*>(ahead(y, y_stride) + bytes), 1);
  }
}

/// y's columns [column, column + kVectors vectors) += image rows ∗ band. kEdge: not all of those
/// columns exist.
template <class T, bool kEdge, int kVectors, int... s>
HWY_INLINE void sweep_rows(const Sweep<T>& sweep, index_t column, Indices<s...>) {
  constexpr int kLast = sizeof...(s);  // s are the band's rows before it
  constexpr IndicesTo<kVectors> v;
  const Plane<const T> band = sweep.band;
  const Plane<T> y = sweep.y;
  const Range wanted = sweep.wanted;
  const Range held{wanted.begin, std::min(wanted.end, sweep.fresh)};
  const StripColumns<T, kVectors> columns = strip_columns<T>(column, y.columns, v);

  StripRow<T, kVectors> sums[kLast + 1];
  const T* row = sweep.image;
  index_t top = sweep.rows.begin + sweep.offset;  // y's row of the first sums
  (open<T, kEdge, kVectors>(y, held, top + s, columns, v, sums[s]), ...);
  for (index_t r = sweep.rows.begin; r < sweep.rows.end; ++r, ++top, row += sweep.image_stride) {
    prefetch<T, kVectors>(row, sweep.image_stride, y.data + column + top * y.row_stride,
                          y.row_stride);
    open<T, kEdge, kVectors>(y, held, top + kLast, columns, v, sums[kLast]);
    for (index_t q = 0; q < band.columns; ++q) {
      StripRow<T, kVectors> image;
      load_image<T, kVectors>(row - q, v, image);
      (multiply_add<T, kVectors>(band(s, q), image, v, sums[s]), ...);
      multiply_add<T, kVectors>(band(kLast, q), image, v, sums[kLast]);
    }
    close<T, kEdge, kVectors>(sums[0], wanted, top, columns, v, y);
    (copy<T, kVectors>(sums[s + 1], v, sums[s]), ...);
  }
  (close<T, kEdge, kVectors>(sums[s], wanted, top + s, columns, v, y), ...);
}

template <class T, int kRows, int kVectors, bool kEdge>
void sweep_strip(const Sweep<T>& sweep, index_t column) {
  sweep_rows<T, kEdge, kVectors>(sweep, column, IndicesTo<kRows - 1>{});
}

template <class T>
using SweepStrip = void (*)(const Sweep<T>& sweep, index_t column);

/// By rows of the band and vectors of the strip, each less one.
template <class T, bool kEdge>
constexpr auto kVariants = [] {
  std::array<std::array<SweepStrip<T>, kMostVectors>, kMostBandRows> table{};
  const auto fill_band = [&]<int band, int... v>(Indices<band>, Indices<v...>) {
    ((table[band][v] = sweep_strip<T, band + 1, v + 1, kEdge>), ...);
  };
  [&]<int... band>(Indices<band...>) {
    (fill_band(Indices<band>{}, IndicesTo<widest_strip(band + 1)>{}), ...);
  }
  (IndicesTo<kMostBandRows>{});
  return table;
}();

/// The columns [begin, begin + pitch) of some image rows, zero where there is no image. Strips at
/// the edges are swept on such a copy, and so need no masks.
template <class T>
void stage(const Plane<const T>& x, Range rows, index_t begin, index_t pitch, T* staged) {
  const Tag<T> d;
  for (index_t r = rows.begin; r < rows.end; ++r, staged += pitch) {
    for (index_t j = 0; j < pitch; j += kLanes<T>) {
      const index_t column = begin + j;
      if (column >= 0 && column + kLanes<T> <= x.columns) {
        hn::Store(hn::LoadU(d, x.row(r) + column), d, staged + j);
      } else {
        hn::Store(load_inside<T>(x.row(r), column, x.columns, lanes_inside<T>(column, x.columns)),
                  d, staged + j);
      }
    }
  }
}

template <class T>
bool all_finite(const Plane<const T>& k) {
  const Tag<T> d;
  for (index_t p = 0; p < k.rows; ++p) {
    for (index_t q = 0; q < k.columns; q += kLanes<T>) {
      const Vector<T> taps = load_inside<T>(k.row(p), q, k.columns, lanes_inside<T>(q, k.columns));
      if (!hn::AllTrue(d, hn::IsFinite(taps))) return false;
    }
  }
  return true;
}

/// For kernels with taps that must not meet the zeros around an image: 0·Inf is NaN.
template <class T>
void convolve_rows_by_tap(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                          Range wanted, bool add) {
  for (index_t i = wanted.begin; i < wanted.end; ++i) {
    if (!add) std::fill_n(y.row(i), y.columns, T{0});
    const Range taps = intersection({0, k.rows}, {i - x.rows + 1, i + 1});
    for (index_t p = taps.begin; p < taps.end; ++p) {
      for (index_t q = 0; q < k.columns; ++q) {
        add_scaled_row(k(p, q), x.row(i - p), y.row(i) + q, x.columns);
      }
    }
  }
}

/// How a plane is cut: the kernel into bands of rows, y into strips of vectors.
template <class T>
struct Cut {
  index_t kernel_rows, bands, vectors, strips;

  Cut(index_t h, index_t output_columns)
      : kernel_rows(h),
        bands(ceil_divide(h, kMostBandRows)),
        vectors(ceil_divide(output_columns, kLanes<T>)),
        strips(ceil_divide(vectors, widest_strip(static_cast<int>(ceil_divide(h, bands))))) {}

  Range band(index_t b) const { return {b * kernel_rows / bands, (b + 1) * kernel_rows / bands}; }
  /// In vectors.
  Range strip(index_t s) const { return {s * vectors / strips, (s + 1) * vectors / strips}; }
};

/// So many image rows at once that they and their outputs stay in the second-level cache while
/// strip after strip is swept; but as many as the kernel has, since a chunk adds to h − 1 rows of y
/// below its own.
template <class T>
index_t chunk_rows(index_t kernel_rows, index_t image_columns) {
  constexpr index_t kChunkBytes = 256 * 1024;
  const index_t cached = kChunkBytes / (image_columns * static_cast<index_t>(sizeof(T)));
  return std::max({index_t{16}, cached, kernel_rows});
}

/// y's rows `wanted` = x ∗ k, or += where `add`; k is finite, and its rows no longer than
/// kMostColumns.
template <class T>
void sweep_plane(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y, Range wanted,
                 bool add) {
  const index_t rows_at_once = chunk_rows<T>(k.rows, x.columns);
  HWY_ALIGN T staged[kStagedElements<T>];

  const Cut<T> cut(k.rows, y.columns);
  const Range needed{std::max<index_t>(0, wanted.begin - k.rows + 1), std::min(x.rows, wanted.end)};
  const auto sweep_strip = [&](Range chunk, Range strip, const T* image, index_t image_stride) {
    const index_t column = strip.begin * kLanes<T>;
    const bool edge = strip.end * kLanes<T> > y.columns;
    for (index_t b = 0; b < cut.bands; ++b) {
      const Range band = cut.band(b);
      const Range rows =
          intersection(chunk, {wanted.begin - band.end + 1, wanted.end - band.begin});
      if (rows.empty()) continue;
      // Earlier chunks and bands have left their sums in y's rows up to here.
      index_t fresh = chunk.begin == needed.begin ? wanted.begin : chunk.begin + k.rows - 1;
      if (b > 0) fresh = std::max(fresh, chunk.end + band.begin - 1);
      if (add) fresh = wanted.end;
      const Sweep<T> sweep{
          .image = image + (rows.begin - chunk.begin) * image_stride,
          .image_stride = image_stride,
          .band = {k.row(band.begin), band.end - band.begin, k.columns, k.row_stride},
          .y = y,
          .rows = rows,
          .offset = band.begin,
          .wanted = wanted,
          .fresh = fresh};
      const auto& variants = edge ? kVariants<T, true> : kVariants<T, false>;
      variants[static_cast<std::size_t>(sweep.band.rows - 1)]
              [static_cast<std::size_t>(strip.end - strip.begin - 1)](sweep, column);
    }
  };

  for (index_t first = needed.begin; first < needed.end; first += rows_at_once) {
    const Range chunk{first, std::min(first + rows_at_once, needed.end)};
    for (index_t s = 0; s < cut.strips; ++s) {
      const Range strip = cut.strip(s);
      const index_t begin = strip.begin * kLanes<T> - k.columns + 1;
      const index_t end = strip.end * kLanes<T>;
      if (begin >= 0 && end <= x.columns) {
        sweep_strip(chunk, strip, x.row(first) + strip.begin * kLanes<T>, x.row_stride);
        continue;
      }
      const index_t pitch = ceil_divide(end - begin, kLanes<T>) * kLanes<T>;
      const index_t at_once = kStagedElements<T> / pitch;
      for (index_t r = chunk.begin; r < chunk.end; r += at_once) {
        const Range part{r, std::min(r + at_once, chunk.end)};
        stage(x, part, begin, pitch, staged);
        sweep_strip(part, strip, staged + k.columns - 1, pitch);
      }
    }
  }
}

/// y's rows `wanted` = x ∗ k, or += where `add`.
template <class T>
void convolve_plane(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                    Range wanted, bool add) {
  if (!all_finite(k)) {
    convolve_rows_by_tap(x, k, y, wanted, add);
    return;
  }
  // What one image row of a strip at an edge takes is bounded by what is set aside for it.
  for (index_t q = 0; q < k.columns; q += kMostColumns<T>) {
    const index_t columns = std::min<index_t>(kMostColumns<T>, k.columns - q);
    sweep_plane<T>(x, {k.data + q, k.rows, columns, k.row_stride},
                   {y.data + q, y.rows, x.columns + columns - 1, y.row_stride}, wanted,
                   add || q > 0);
  }
}

/// The time of one plane, in seconds. Next to 1800 measured times, of problems of all shapes, it is
/// off by 10 %.
template <class T>
double plane_seconds(index_t H, index_t W, index_t h, index_t w) {
  const Cut<T> cut(h, W + w - 1);
  const auto strips = static_cast<double>(cut.strips);
  const auto bands = static_cast<double>(cut.bands);
  const auto rows = static_cast<double>(H);
  const auto taps = static_cast<double>(w);
  const double band = static_cast<double>(h) / bands;
  const double width = static_cast<double>(cut.vectors) / strips;
  const double a_tap = width * (band * 0.082 + 0.154) + band * 0.091 + 0.2;
  const double a_row = 1.2 + width * 0.49;
  const double chunks = std::ceil(rows / static_cast<double>(chunk_rows<T>(h, W)));
  const double sweeps = strips * bands * (rows * (taps * a_tap + a_row) + chunks * 17);

  // At the left, and at the right, where the last vector's columns don't all exist.
  const double lanes = kLanes<T>;
  const double columns = width * lanes;
  const double beyond = static_cast<double>(cut.vectors) * lanes - static_cast<double>(W);
  const double staged =
      std::min(strips, std::ceil((taps - 1) / columns) + std::ceil(beyond / columns));
  const double staging = staged * rows * (width + taps / lanes) * 1.26;

  const double bytes =
      sizeof(T) * (rows * static_cast<double>(W) +
                   static_cast<double>(H + h - 1) * static_cast<double>(W + w - 1));
  const double memory = bytes * std::sqrt(bands) *
                        (0.003 * distance(bytes, 0x1p15, 8) + 0.015 * distance(bytes, 0x1.8p20, 4));
  return 1e-9 * (44 + sweeps + staging + memory);
}

double plane_seconds_f32(index_t H, index_t W, index_t h, index_t w) {
  return plane_seconds<float>(H, W, h, w);
}
double plane_seconds_f64(index_t H, index_t W, index_t h, index_t w) {
  return plane_seconds<double>(H, W, h, w);
}

void convolve_plane_f32(const Plane<const float>& x, const Plane<const float>& k,
                        const Plane<float>& y, Range wanted, bool add) {
  convolve_plane(x, k, y, wanted, add);
}
void convolve_plane_f64(const Plane<const double>& x, const Plane<const double>& k,
                        const Plane<double>& y, Range wanted, bool add) {
  convolve_plane(x, k, y, wanted, add);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fullconv {
namespace {

HWY_EXPORT(convolve_plane_f32);
HWY_EXPORT(convolve_plane_f64);
HWY_EXPORT(plane_seconds_f32);
HWY_EXPORT(plane_seconds_f64);

}  // namespace

template <>
void convolve_rows<float>(const Plane<const float>& x, const Plane<const float>& k,
                          const Plane<float>& y, Range wanted, bool add) {
  HWY_DYNAMIC_DISPATCH(convolve_plane_f32)(x, k, y, wanted, add);
}
template <>
void convolve_rows<double>(const Plane<const double>& x, const Plane<const double>& k,
                           const Plane<double>& y, Range wanted, bool add) {
  HWY_DYNAMIC_DISPATCH(convolve_plane_f64)(x, k, y, wanted, add);
}

template <>
double convolve_seconds<float>(index_t H, index_t W, index_t h, index_t w) {
  return HWY_DYNAMIC_DISPATCH(plane_seconds_f32)(H, W, h, w);
}
template <>
double convolve_seconds<double>(index_t H, index_t W, index_t h, index_t w) {
  return HWY_DYNAMIC_DISPATCH(plane_seconds_f64)(H, W, h, w);
}

namespace {

template <class T>
class DirectSimdPlan final : public Plan<T> {
 public:
  DirectSimdPlan(const Problem& problem, const PlanOptions& options)
      : Plan<T>(problem),
        threads_(useful_threads(problem, options, problem.N * problem.C * problem.output_rows())),
        blocks_(problem.N * problem.C % threads_ == 0 ? 1 : threads_) {}

  int threads() const override { return threads_; }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const auto& [N, K, C, H, W, h, w] = this->problem();
    parallel_for(threads_, N * C * blocks_, [&, K = K, C = C](index_t part, int) {
      const PhaseTimer timing(Phase::direct);
      const index_t block = part % blocks_;
      const index_t c = part / blocks_ % C;
      const index_t n = part / (blocks_ * C);
      const Plane<T> sums = plane(y, n, c);
      const Range wanted{block * sums.rows / blocks_, (block + 1) * sums.rows / blocks_};
      for (index_t o = 0; o < K; ++o) {
        convolve_rows(plane(x, n, o), plane(k, o, c), sums, wanted, o > 0);
      }
    });
  }

 private:
  int threads_;
  index_t blocks_;  // of rows, so that there are planes' parts for all threads
};

std::optional<Forecast> forecast_direct_simd(const Problem& problem, const PlanOptions& options,
                                             std::size_t scalar_size) {
  const auto& [N, K, C, H, W, h, w] = problem;
  const auto planes = static_cast<double>(N * K * C);
  const double a_plane = scalar_size == sizeof(float) ? convolve_seconds<float>(H, W, h, w)
                                                      : convolve_seconds<double>(H, W, h, w);
  const int threads = useful_threads(problem, options, N * C * problem.output_rows());
  return Forecast{shared_out({{"planes", planes * a_plane}}, threads)};
}

template <class T>
Planned<T> plan_direct_simd(const Problem& problem, const PlanOptions& options) {
  return std::make_unique<DirectSimdPlan<T>>(problem, options);
}

}  // namespace

constinit const Algorithm builtin::direct_simd{
    .name = "direct_simd",
    .summary = "sums of a strip's output rows kept in vector registers, image rows loaded once",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .forecast = forecast_direct_simd,
    .plan_f32 = plan_direct_simd<float>,
    .plan_f64 = plan_direct_simd<double>,
};

}  // namespace fullconv
#endif
