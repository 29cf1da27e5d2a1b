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
#include <utility>

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
  Plane<const T> x;
  Plane<const T> band;
  Plane<T> y;
  Range rows;      // of x
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
HWY_INLINE void store_inside(Vector<T> v, T* row, index_t column, index_t columns) {
  const Tag<T> d;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(v, lanes_inside<T>(column, columns), d, row + column);
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

/// Sums from y where it holds some.
template <class T, bool kEdge, int kVectors, int... v>
HWY_INLINE void open(const Plane<T>& y, Range held, index_t i, index_t column, Indices<v...>,
                     StripRow<T, kVectors>& sums) {
  const Tag<T> d;
  if (!held.contains(i)) {
    ((sums[v] = hn::Zero(d)), ...);
  } else if constexpr (kEdge) {
    ((sums[v] = load_inside<T>(y.row(i), column + v * kLanes<T>, y.columns,
                               lanes_inside<T>(column + v * kLanes<T>, y.columns))),
     ...);
  } else {
    ((sums[v] = hn::LoadU(d, y.row(i) + column + v * kLanes<T>)), ...);
  }
}

/// Sums to y where somebody wants them.
template <class T, bool kEdge, int kVectors, int... v>
HWY_INLINE void close(const StripRow<T, kVectors>& sums, Range wanted, index_t i, index_t column,
                      Indices<v...>, const Plane<T>& y) {
  if (!wanted.contains(i)) return;
  const Tag<T> d;
  if constexpr (kEdge) {
    (store_inside<T>(sums[v], y.row(i), column + v * kLanes<T>, y.columns), ...);
  } else {
    (hn::StoreU(sums[v], d, y.row(i) + column + v * kLanes<T>), ...);
  }
}

template <class T, bool kEdge, int kVectors, int... v>
HWY_INLINE void load_image(const T* row, index_t column, index_t columns, Indices<v...>,
                           StripRow<T, kVectors>& image,
                           [[maybe_unused]] Mask<T> (&inside)[kVectors]) {
  if constexpr (kEdge) {
    ((inside[v] = lanes_inside<T>(column + v * kLanes<T>, columns)), ...);
    ((image[v] = load_inside<T>(row, column + v * kLanes<T>, columns, inside[v])), ...);
  } else {
    ((image[v] = hn::LoadU(Tag<T>(), row + column + v * kLanes<T>)), ...);
  }
  (keep_in_register(image[v]), ...);
}

/// sums += tap·image, but where there is no image, since 0·Inf is NaN.
template <class T, bool kEdge, int kVectors, int... v>
HWY_INLINE void multiply_add(T tap, const StripRow<T, kVectors>& image,
                             [[maybe_unused]] const Mask<T> (&inside)[kVectors], Indices<v...>,
                             StripRow<T, kVectors>& sums) {
  Vector<T> taps = hn::Set(Tag<T>(), tap);
  keep_in_register(taps);
  if constexpr (kEdge) {
    ((sums[v] = hn::IfThenElse(inside[v], hn::MulAdd(taps, image[v], sums[v]), sums[v])), ...);
  } else {
    ((sums[v] = hn::MulAdd(taps, image[v], sums[v])), ...);
  }
}

template <class T, int kVectors, int... v>
HWY_INLINE void copy(const StripRow<T, kVectors>& from, Indices<v...>, StripRow<T, kVectors>& to) {
  ((to[v] = from[v]), ...);
}

/// y's columns [column, column + kVectors vectors) += image rows ∗ band. At an edge some of those
/// columns, or of the image's that they ask for, don't exist.
template <class T, bool kEdge, int kVectors, int... s>
HWY_INLINE void sweep_rows(const Sweep<T>& sweep, index_t column, Indices<s...>) {
  constexpr int kLast = sizeof...(s);  // s are the band's rows before it
  constexpr IndicesTo<kVectors> v;
  const Plane<const T> x = sweep.x;
  const Plane<const T> band = sweep.band;
  const Plane<T> y = sweep.y;
  const Range wanted = sweep.wanted;
  const Range held{wanted.begin, std::min(wanted.end, sweep.fresh)};
  const index_t q_begin = kEdge ? std::max<index_t>(0, column - x.columns + 1) : 0;
  const index_t q_end =
      kEdge ? std::min(band.columns, column + kVectors * kLanes<T>) : band.columns;

  StripRow<T, kVectors> sums[kLast + 1];
  index_t top = sweep.rows.begin + sweep.offset;  // y's row of the first sums
  (open<T, kEdge, kVectors>(y, held, top + s, column, v, sums[s]), ...);
  for (index_t r = sweep.rows.begin; r < sweep.rows.end; ++r, ++top) {
    open<T, kEdge, kVectors>(y, held, top + kLast, column, v, sums[kLast]);
    const T* const row = x.row(r);
    for (index_t q = q_begin; q < q_end; ++q) {
      StripRow<T, kVectors> image;
      Mask<T> inside[kVectors];
      load_image<T, kEdge, kVectors>(row, column - q, x.columns, v, image, inside);
      (multiply_add<T, kEdge, kVectors>(band(s, q), image, inside, v, sums[s]), ...);
      multiply_add<T, kEdge, kVectors>(band(kLast, q), image, inside, v, sums[kLast]);
    }
    close<T, kEdge, kVectors>(sums[0], wanted, top, column, v, y);
    (copy<T, kVectors>(sums[s + 1], v, sums[s]), ...);
  }
  (close<T, kEdge, kVectors>(sums[s], wanted, top + s, column, v, y), ...);
}

template <class T, int kRows, int kVectors, bool kEdge>
void sweep_strip(const Sweep<T>& sweep, index_t column) {
  sweep_rows<T, kEdge, kVectors>(sweep, column, IndicesTo<kRows - 1>{});
}

template <class T>
using SweepStrip = void (*)(const Sweep<T>& sweep, index_t column);

template <class T>
struct StripVariants {
  SweepStrip<T> inner;
  SweepStrip<T> edge;
};

/// By rows of the band and vectors of the strip, each less one.
template <class T>
constexpr auto kVariants = [] {
  std::array<std::array<StripVariants<T>, kMostVectors>, kMostBandRows> table{};
  [&]<int... b>(std::integer_sequence<int, b...>) {
    const auto fill = [&]<int band, int... v>(std::integral_constant<int, band>,
                                              std::integer_sequence<int, v...>) {
      ((table[band][v] = {sweep_strip<T, band + 1, v + 1, false>,
                          sweep_strip<T, band + 1, v + 1, true>}),
       ...);
    };
    (fill(std::integral_constant<int, b>{}, std::make_integer_sequence<int, widest_strip(b + 1)>{}),
     ...);
  }
  (std::make_integer_sequence<int, kMostBandRows>{});
  return table;
}();

template <class T>
void sweep_plane(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y, Range wanted,
                 bool add) {
  // So many image rows at once that they and their outputs stay in the second-level cache while
  // strip after strip is swept.
  constexpr index_t kChunkBytes = 256 * 1024;
  const index_t chunk_rows =
      std::max<index_t>(16, kChunkBytes / (x.columns * static_cast<index_t>(sizeof(T))));

  const index_t bands = ceil_divide(k.rows, kMostBandRows);
  const auto band_begin = [&](index_t b) { return b * k.rows / bands; };
  const index_t vectors = ceil_divide(y.columns, kLanes<T>);
  const index_t strips =
      ceil_divide(vectors, widest_strip(static_cast<int>(ceil_divide(k.rows, bands))));
  const auto strip_begin = [&](index_t s) { return s * vectors / strips; };

  const Range needed{std::max<index_t>(0, wanted.begin - k.rows + 1), std::min(x.rows, wanted.end)};
  for (index_t first = needed.begin; first < needed.end; first += chunk_rows) {
    const Range chunk{first, std::min(first + chunk_rows, needed.end)};
    for (index_t s = 0; s < strips; ++s) {
      const index_t column = strip_begin(s) * kLanes<T>;
      const index_t width = strip_begin(s + 1) - strip_begin(s);
      const bool inner = column >= k.columns - 1 && column + width * kLanes<T> <= x.columns;
      for (index_t b = 0; b < bands; ++b) {
        const Range band{band_begin(b), band_begin(b + 1)};
        const Range rows =
            intersection(chunk, {wanted.begin - band.end + 1, wanted.end - band.begin});
        if (rows.empty()) continue;
        // Earlier chunks and bands have left their sums in y's rows up to here.
        index_t fresh = first == needed.begin ? wanted.begin : first + k.rows - 1;
        if (b > 0) fresh = std::max(fresh, chunk.end + band.begin - 1);
        if (add) fresh = wanted.end;
        const Sweep<T> sweep{
            .x = x,
            .band = {k.row(band.begin), band.end - band.begin, k.columns, k.row_stride},
            .y = y,
            .rows = rows,
            .offset = band.begin,
            .wanted = wanted,
            .fresh = fresh};
        const auto& variants = kVariants<T>[static_cast<std::size_t>(sweep.band.rows - 1)]
                                           [static_cast<std::size_t>(width - 1)];
        (inner ? variants.inner : variants.edge)(sweep, column);
      }
    }
  }
}

/// The time of one plane, in seconds.
template <class T>
double plane_seconds(index_t H, index_t W, index_t h, index_t w) {
  const index_t bands = ceil_divide(h, kMostBandRows);
  const auto band = static_cast<double>(h) / static_cast<double>(bands);
  const index_t vectors = ceil_divide(W + w - 1, kLanes<T>);
  const index_t strips =
      ceil_divide(vectors, widest_strip(static_cast<int>(ceil_divide(h, bands))));
  const double width = static_cast<double>(vectors) / static_cast<double>(strips);
  // So many strips of a wide plane tell enough.
  const index_t looked_at = std::min<index_t>(strips, 64);
  const double apart = static_cast<double>(vectors) / static_cast<double>(looked_at);
  double nanoseconds = 0;
  for (index_t s = 0; s < looked_at; ++s) {
    const index_t begin = static_cast<index_t>(static_cast<double>(s) * apart) * kLanes<T>;
    const index_t end = begin + vectors / strips * kLanes<T>;
    const bool inner = begin >= w - 1 && end <= W;
    const index_t taps = std::min(w, end) - std::max<index_t>(0, begin - W + 1);
    const double a_tap = width * (band * 0.11 + 0.18) + band * 0.06;
    const double a_row = 2.4 + width * (1.2 + band * 0.12);
    nanoseconds += static_cast<double>(H) * static_cast<double>(bands) * (inner ? 1.0 : 1.5) *
                   (static_cast<double>(taps) * a_tap + a_row);
  }
  return 30e-9 + nanoseconds * 1e-9 * static_cast<double>(strips) / static_cast<double>(looked_at);
}

double plane_seconds_f32(index_t H, index_t W, index_t h, index_t w) {
  return plane_seconds<float>(H, W, h, w);
}
double plane_seconds_f64(index_t H, index_t W, index_t h, index_t w) {
  return plane_seconds<double>(H, W, h, w);
}

void sweep_plane_f32(const Plane<const float>& x, const Plane<const float>& k,
                     const Plane<float>& y, Range wanted, bool add) {
  sweep_plane(x, k, y, wanted, add);
}
void sweep_plane_f64(const Plane<const double>& x, const Plane<const double>& k,
                     const Plane<double>& y, Range wanted, bool add) {
  sweep_plane(x, k, y, wanted, add);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fullconv {
namespace {

HWY_EXPORT(sweep_plane_f32);
HWY_EXPORT(sweep_plane_f64);
HWY_EXPORT(plane_seconds_f32);
HWY_EXPORT(plane_seconds_f64);

}  // namespace

template <>
void convolve_rows<float>(const Plane<const float>& x, const Plane<const float>& k,
                          const Plane<float>& y, Range wanted, bool add) {
  HWY_DYNAMIC_DISPATCH(sweep_plane_f32)(x, k, y, wanted, add);
}
template <>
void convolve_rows<double>(const Plane<const double>& x, const Plane<const double>& k,
                           const Plane<double>& y, Range wanted, bool add) {
  HWY_DYNAMIC_DISPATCH(sweep_plane_f64)(x, k, y, wanted, add);
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
  const double a_plane = scalar_size == sizeof(float)
                             ? HWY_DYNAMIC_DISPATCH(plane_seconds_f32)(H, W, h, w)
                             : HWY_DYNAMIC_DISPATCH(plane_seconds_f64)(H, W, h, w);
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
