// Register tiling: the sums of a tile of y, some rows by some vectors, stay in registers until they
// are complete. Each vector of the image is loaded once for all the rows of the tile that it
// enters. A tile goes along its rows, from vector to vector, so that rows come from the cache in
// order. Rows outside of the image are left out by the bounds of loops; columns outside of it, at
// the left and at the right, by masks where those are cheap, or else strips of the image are
// staged, with zeros around or rolled up.
//
// 2·H·W·h·w flops; for kernels that are not small, and tiles of r×v, 1/r + 1/v loads an FMA; no
// workspace. SIMD by Highway: one source for all instruction sets. Goto and van de Geijn, Anatomy
// of High-Performance Matrix Multiplication, ACM TOMS 34(3), 2008, on why registers hold the
// results.

#if defined(FULLCONV_REGISTER_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_REGISTER_TILES_INL_H
#undef FULLCONV_REGISTER_TILES_INL_H
#else
#define FULLCONV_REGISTER_TILES_INL_H
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <type_traits>
#include <utility>

#include "core/forecast.h"
#include "core/simd-inl.h"
#include "direct/flat_plane-inl.h"
#include "direct/register_tiles.h"

#ifndef FULLCONV_REGISTER_TILES_ONCE
#define FULLCONV_REGISTER_TILES_ONCE
namespace fullconv {
namespace {

/// Columns beside the image that a tile may leave out by masks.
constexpr index_t kMostMasked = 16;

/// The operands of a run of tiles, side by side or one below the other.
template <class T>
struct Tiles {
  index_t count;
  const T* image;  // x(i, j) for a tile that begins with y(i, j)
  index_t image_stride;
  Range rows;        // that the image has, counted from i
  uint64_t columns;  // that it has: bit b is set where it has the column j + b − kMostMasked
  Plane<const T> k;
  T* y;
  index_t y_stride;
  bool add;  // to y
  // From a tile to the next one.
  index_t rows_step, columns_step;
};

}  // namespace
}  // namespace fullconv
#endif

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// Rows of a tile. With these, 4×3 vectors of sums, 3 of the image and a tap take all of 16
/// registers, or 8×3, 3 and a tap 28 of 32.
constexpr int kTileRows = kRegisters / 4;
constexpr int kMostVectors = 3;

/// For kernels of so few rows there are tiles of their own: they go over taps column by column, and
/// have all rows of a column in registers, beside two vectors of sums for each row of the tile.
constexpr int kLowRows = kRegisters == 32 ? 14 : 7;

/// Whether rows of an image share the places that a first-level cache has for eight of them: those
/// that are a multiple of 4 KiB apart.
template <class T>
constexpr bool rows_share_places(index_t image_stride) {
  constexpr index_t kApart = 4096, kNear = 12;
  const index_t bytes = image_stride * static_cast<index_t>(sizeof(T));
  return bytes >= kApart - kNear && (bytes + kNear) % kApart < 2 * kNear;
}

/// So few where rows do share places: each column of taps would load all rows of a tile anew, up to
/// ten at a time: 512x512_k7x7 in double took 1.2 times as long as by other tiles, in float
/// 1024x1024_k7x7 1.3.
constexpr int kLowRowsSharing = kRegisters == 32 ? 7 : 6;

/// Of a tile of one vector, for low kernels: with fewer sums, FMAs would wait for each other.
constexpr int kTallRows = 2 * kTileRows;

/// Of the last tile, where no more are left: 0.81 to 1.01 times as long as a whole one that
/// computes some rows once more. With 16 registers its sums are so few that FMAs would wait for
/// each other, up to 1.35 times as long.
constexpr int kHalfTileRows = kRegisters == 32 ? kTileRows / 2 : 0;

/// The widest tile whose sums fit into registers beside a column of taps, a vector of the image and
/// one to spare, without which GCC moves sums about; but for seven rows two vectors, which fit.
constexpr int widest_low_tile(int kernel_rows) {
  return std::clamp((kRegisters - 2 - kernel_rows) / kTileRows, 2, kMostVectors);
}

constexpr index_t widest_tile(bool low, index_t kernel_rows) {
  return low ? widest_low_tile(static_cast<int>(kernel_rows)) : kMostVectors;
}

/// For strips of the image at its edges.
template <class T>
constexpr index_t kStagedElements = 64 * 1024 / sizeof(T);

/// Larger kernels are cut, so that such a strip has at least as many rows for y as for the kernel.
constexpr index_t kMostKernelColumns = 128;
template <class T>
constexpr index_t most_kernel_rows(index_t kernel_columns) {
  return kStagedElements<T> / (2 * ((kMostVectors + 1) * kLanes<T> + kernel_columns));
}

/// Makes the compiler load a value once, and not in each of the instructions that use it.
template <class V>
HWY_INLINE void keep_in_register([[maybe_unused]] V& v) {
#if HWY_ARCH_X86
  asm("" : "+v"(v.raw));
#endif
}

/// Loads lanes of a row, at `column` and on, that are inside, and touches no others.
template <class T>
HWY_INLINE Vector<T> load_inside(const T* row, index_t column, index_t columns, Mask<T> inside) {
  return load_lanes<T>(row + column, -column, columns - column, inside);
}

/// What a strip has of one row.
template <class T, int kVectors>
using StripRow = Vector<T>[kVectors];

/// Sums from y, or zero.
template <class T, int kVectors, int... v>
HWY_INLINE void open(bool add, const T* y, Indices<v...>, StripRow<T, kVectors>& sums) {
  const Tag<T> d;
  if (add) {
    ((sums[v] = hn::LoadU(d, y + v * kLanes<T>)), ...);
  } else {
    ((sums[v] = hn::Zero(d)), ...);
  }
}

template <class T, int kVectors, int... v>
HWY_INLINE void close(const StripRow<T, kVectors>& sums, Indices<v...>, T* y) {
  (hn::StoreU(sums[v], Tag<T>(), y + v * kLanes<T>), ...);
}

/// The first `columns` of them.
template <class T, int kVectors, int... v>
HWY_INLINE void close_inside(const StripRow<T, kVectors>& sums, index_t columns, Indices<v...>,
                             T* y) {
  (hn::BlendedStore(sums[v], lanes_of<T>(0, columns - v * kLanes<T>), Tag<T>(), y + v * kLanes<T>),
   ...);
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

template <class T>
HWY_INLINE void next(Tiles<T>& tile) {
  --tile.count;
  tile.rows = {tile.rows.begin - tile.rows_step, tile.rows.end - tile.rows_step};
  tile.image += tile.rows_step * tile.image_stride + tile.columns_step;
  tile.y += tile.rows_step * tile.y_stride + tile.columns_step;
}

// Tiles for any kernel: image row after image row, tap after tap.

/// The sums of the tile's rows s += an image row times one tap for each, from `taps` on.
template <class T, int kVectors, int kRows, int... s>
HWY_INLINE void add_products(const T* image, const T* taps, index_t taps_stride, Indices<s...>,
                             StripRow<T, kVectors> (&sums)[kRows]) {
  constexpr IndicesTo<kVectors> v;
  StripRow<T, kVectors> loaded;
  load_image<T, kVectors>(image, v, loaded);
  (multiply_add<T, kVectors>(taps[s * taps_stride], loaded, v, sums[s]), ...);
}

/// An image row and the kernel row that the first of some sums takes of it.
template <class T>
struct RowPair {
  const T* image;
  const T* taps;

  /// For the kernel's row p in the first row of the tile.
  RowPair(const Tiles<T>& tile, index_t p)
      : image(tile.image - p * tile.image_stride), taps(tile.k.data + p * tile.k.row_stride) {}
};

/// Indices [kFirst, kEnd).
template <int kFirst, int... i>
Indices<kFirst + i...> shifted(Indices<i...>);
template <int kFirst, int kEnd>
using IndicesFrom = decltype(shifted<kFirst>(IndicesTo<kEnd - kFirst>()));

/// An image row that enters the sums [kFirst, kEnd); the first row of the tile would take the
/// kernel's row p of it.
template <class T, int kVectors, int kFirst, int kEnd, int kRows>
HWY_INLINE void add_image_row(const Tiles<T>& tile, index_t p,
                              StripRow<T, kVectors> (&sums)[kRows]) {
  const RowPair<T> row(tile, p);
  for (index_t q = 0; q < tile.k.columns; ++q) {
    add_products<T, kVectors>(row.image - q, row.taps + q, tile.k.row_stride,
                              IndicesFrom<kFirst, kEnd>(), sums);
  }
}

/// The image row that enters the first kSplit sums only, and the one that enters the others only:
/// together, so that no FMA waits for the one before. One by one, 11×11 kernels took 1.01 to 1.05
/// times as long. kWhole: the image has every row that the tile asks for.
template <class T, bool kWhole, int kVectors, int kSplit, int kRows>
HWY_INLINE void add_outer_rows(const Tiles<T>& tile, StripRow<T, kVectors> (&sums)[kRows]) {
  if constexpr (kSplit > 0) {
    const index_t upper_p = tile.k.rows - kSplit, lower_p = -kSplit;
    const bool has_upper = kWhole || tile.rows.contains(-upper_p);
    const bool has_lower = kWhole || tile.rows.contains(-lower_p);
    if (has_upper && has_lower) {
      const RowPair<T> upper(tile, upper_p), lower(tile, lower_p);
      for (index_t q = 0; q < tile.k.columns; ++q) {
        add_products<T, kVectors>(upper.image - q, upper.taps + q, tile.k.row_stride,
                                  IndicesFrom<0, kSplit>(), sums);
        add_products<T, kVectors>(lower.image - q, lower.taps + q, tile.k.row_stride,
                                  IndicesFrom<kSplit, kRows>(), sums);
      }
    } else if (has_upper) {
      add_image_row<T, kVectors, 0, kSplit>(tile, upper_p, sums);
    } else if (has_lower) {
      add_image_row<T, kVectors, kSplit, kRows>(tile, lower_p, sums);
    }
  }
}

/// All image rows that enter a tile; for kernels with at least as many rows as it.
template <class T, bool kWhole, int kVectors, int... s>
HWY_INLINE void add_image_rows(const Tiles<T>& tile, Indices<s...>,
                               StripRow<T, kVectors> (&sums)[sizeof...(s)]) {
  constexpr int kRows = sizeof...(s);
  (add_outer_rows<T, kWhole, kVectors, s>(tile, sums), ...);
  const Range inner{kRows - tile.k.rows, 1};
  const Range all = kWhole ? inner : intersection(inner, tile.rows);
  for (index_t r = all.begin; r < all.end; ++r) {
    add_image_row<T, kVectors, 0, kRows>(tile, -r, sums);
  }
}

template <class T, int kVectors, int... s>
HWY_INLINE void convolve_rows_of_tile(const Tiles<T>& tile, Indices<s...> rows) {
  constexpr IndicesTo<kVectors> v;
  StripRow<T, kVectors> sums[sizeof...(s)];
  (open<T, kVectors>(tile.add, tile.y + s * tile.y_stride, v, sums[s]), ...);
  add_image_rows<T, false, kVectors>(tile, rows, sums);
  (close<T, kVectors>(sums[s], v, tile.y + s * tile.y_stride), ...);
}

template <class T, int kRows, int kVectors>
void convolve_tiles(const Tiles<T>& tiles) {
  Tiles<T> tile = tiles;
  for (; tile.count > 0; next(tile)) convolve_rows_of_tile<T, kVectors>(tile, IndicesTo<kRows>{});
}

// Tiles of the seam. Roll the image up, its last column beside its first one: then y's last w − 1
// columns lie on its first ones. Of two that meet, the first takes those taps of the image that do
// not reach beyond its left edge, the other takes the rest. So one lane has both sums, one after
// the other, and W columns of the image cost W lanes, where W + w − 1 would multiply zeros.

/// Moves the sum in a lane to `ended` and begins another.
template <class T, int kVectors, int... v>
HWY_INLINE void end_sum(index_t lane, Indices<v...>, T* ended, StripRow<T, kVectors>& sums) {
  const Tag<T> d;
  const Mask<T> mask = hn::Eq(hn::Iota(d, 0), hn::Set(d, static_cast<T>(lane % kLanes<T>)));
  const auto end = [&](Vector<T>& sum, T* to) HWY_ATTR {
    hn::Store(hn::IfThenElse(mask, sum, hn::Load(d, to)), d, to);
    sum = hn::IfThenZeroElse(mask, sum);
  };
  ((v == lane / kLanes<T> ? end(sums[v], ended + v * kLanes<T>) : void()), ...);
}

template <class T, bool kWhole, int kVectors, int... s>
HWY_INLINE void convolve_seam_of_tile(const Tiles<T>& tile, index_t column, T* ended, T* begun,
                                      Indices<s...> rows) {
  constexpr IndicesTo<kVectors> v;
  constexpr index_t kWidth = kVectors * kLanes<T>;
  StripRow<T, kVectors> sums[sizeof...(s)];
  (open<T, kVectors>(false, begun, v, sums[s]), ...);
  Tiles<T> taps = tile;
  taps.k.columns = 1;
  for (index_t q = 0; q < tile.k.columns; ++q, --taps.image, ++taps.k.data) {
    add_image_rows<T, kWhole, kVectors>(taps, rows, sums);
    const index_t lane = q - column;
    if (0 <= lane && lane < kWidth) {
      (end_sum<T, kVectors>(lane, v, ended + s * kWidth, sums[s]), ...);
    }
  }
  (close<T, kVectors>(sums[s], v, begun + s * kWidth), ...);
}

/// The first tile, from y's column `column` on, or −column before the image's end: sums that do not
/// reach beyond its left edge to `ended`, and the others to `begun`, in rows as wide as the tile.
template <class T, int kRows, int kVectors>
void convolve_seam_tile(const Tiles<T>& tile, index_t column, T* ended, T* begun) {
  constexpr IndicesTo<kRows> rows;
  if (tile.rows.begin <= 1 - tile.k.rows && kRows <= tile.rows.end) {
    convolve_seam_of_tile<T, true, kVectors>(tile, column, ended, begun, rows);
  } else {
    convolve_seam_of_tile<T, false, kVectors>(tile, column, ended, begun, rows);
  }
}

// Tiles for low kernels: column of taps after column of taps, image row after image row.

/// One vector of the image, that enters the tile's row s with the tap s + kOffset of a column.
template <class T, int kOffset, int kKernelRows, int kRows, int kVectors, int v, int s>
HWY_INLINE void multiply_add_row(Vector<T> image, const Vector<T> (&taps)[kKernelRows],
                                 StripRow<T, kVectors> (&sums)[kRows]) {
  constexpr int p = s + kOffset;
  if constexpr (0 <= p && p < kKernelRows) sums[s][v] = hn::MulAdd(taps[p], image, sums[s][v]);
}

/// Loads what a tile takes of a row of the image.
template <class T>
struct WholeLoads {
  template <int v>
  HWY_INLINE Vector<T> load(const T* image) const {
    return hn::LoadU(Tag<T>(), image + v * kLanes<T>);
  }
};

/// The same, without columns that the image does not have; where masks are cheap.
template <class T>
struct MaskedLoads {
  uint64_t columns;  // as of a tile

  template <int v>
  HWY_INLINE Mask<T> lanes() const {
    return {static_cast<decltype(Mask<T>::raw)>(columns >> (kMostMasked + v * kLanes<T>))};
  }
  template <int v>
  HWY_INLINE Vector<T> load(const T* image) const {
    return hn::MaskedLoad(lanes<v>(), Tag<T>(), image + v * kLanes<T>);
  }
};

template <class T, int kOffset, int v, int kKernelRows, int kRows, int kVectors, class Loads,
          int... s>
HWY_INLINE void multiply_add_vector(const T* image, const Loads& loads,
                                    const Vector<T> (&taps)[kKernelRows], Indices<s...>,
                                    StripRow<T, kVectors> (&sums)[kRows]) {
  Vector<T> loaded = loads.template load<v>(image);
  keep_in_register(loaded);
  (multiply_add_row<T, kOffset, kKernelRows, kRows, kVectors, v, s>(loaded, taps, sums), ...);
}

/// An image row, if there is one, that enters the tile's row s with the tap s + kOffset of a
/// column.
template <class T, bool kExists, int kOffset, int kKernelRows, int kRows, int kVectors, class Loads,
          int... v>
HWY_INLINE void multiply_add_image_row(const T* row, index_t q, const Loads& loads,
                                       const Vector<T> (&taps)[kKernelRows], Indices<v...>,
                                       StripRow<T, kVectors> (&sums)[kRows]) {
  if (!kExists && row == nullptr) return;
  (multiply_add_vector<T, kOffset, v>(row - q, loads, taps, IndicesTo<kRows>(), sums), ...);
}

template <class T, bool kExists, class Loads, int... v, int kKernelRows, int kRows, int kVectors,
          int... e>
HWY_INLINE void multiply_add_image_rows(const T* const (&rows)[sizeof...(e)], index_t q,
                                        const Loads& loads, const Vector<T> (&taps)[kKernelRows],
                                        Indices<v...> vectors, Indices<e...>,
                                        StripRow<T, kVectors> (&sums)[kRows]) {
  (multiply_add_image_row<T, kExists, kKernelRows - 1 - e>(rows[e], q, loads, taps, vectors, sums),
   ...);
}

/// One vector of each; a load by a mask takes the time of an FMA more, so where the image has all
/// lanes there is none.
template <class T, bool kExists, int v, int kKernelRows, int kRows, int kVectors, int... e>
HWY_INLINE void multiply_add_edge(const T* const (&rows)[sizeof...(e)], index_t q,
                                  const MaskedLoads<T>& loads, const Vector<T> (&taps)[kKernelRows],
                                  Indices<e...> all, StripRow<T, kVectors> (&sums)[kRows]) {
  if (hn::AllTrue(Tag<T>(), loads.template lanes<v>())) {
    multiply_add_image_rows<T, kExists>(rows, q, WholeLoads<T>(), taps, Indices<v>(), all, sums);
  } else {
    multiply_add_image_rows<T, kExists>(rows, q, loads, taps, Indices<v>(), all, sums);
  }
}

template <class T, bool kExists, int kKernelRows, int kRows, int kVectors, int... v, int... e>
HWY_INLINE void multiply_add_edges(const T* const (&rows)[sizeof...(e)], index_t q,
                                   const MaskedLoads<T>& loads,
                                   const Vector<T> (&taps)[kKernelRows], Indices<v...>,
                                   Indices<e...> all, StripRow<T, kVectors> (&sums)[kRows]) {
  (multiply_add_edge<T, kExists, v>(rows, q, loads, taps, all, sums), ...);
}

/// Columns of y from the tile's first one on, or more than any tile has.
template <class T>
index_t output_columns(const Tiles<T>& tile) {
  return static_cast<index_t>(std::bit_width(tile.columns)) - kMostMasked + tile.k.columns - 1;
}

/// What low tiles may rely upon, and what they do besides.
struct Kind {
  bool whole_rows, whole_columns;  // the image has every one that a tile asks for
  bool prefetches = false;         // what the next tile asks for
};

/// The image row r of a tile, null where there is none.
template <class T, bool kExists>
HWY_INLINE const T* image_row(const Tiles<T>& tile, index_t r) {
  if (!kExists && !tile.rows.contains(r)) return nullptr;
  return tile.image + r * tile.image_stride;
}

/// Asks for vectors of x to be read, or of y to be written to.
template <class T, int... v>
HWY_INLINE void prefetch_row(T* row, Indices<v...>) {
  (__builtin_prefetch(row + v * kLanes<std::remove_const_t<T>>, std::is_const_v<T> ? 0 : 1), ...);
}

/// e counts the image rows that enter, of which the first is kKernelRows − 1 above the tile.
template <class T, Kind kKind, int kVectors, int... s, int... p, int... e>
HWY_INLINE void convolve_columns_of_tile(const Tiles<T>& tile, Indices<s...>, Indices<p...>,
                                         Indices<e...> all) {
  constexpr int kRows = sizeof...(s);
  constexpr int kKernelRows = sizeof...(p);
  constexpr IndicesTo<kVectors> v;
  const T* rows[] = {image_row<T, kKind.whole_rows>(tile, e - (kKernelRows - 1))...};
  StripRow<T, kVectors> sums[kRows];
  (open<T, kVectors>(tile.add, tile.y + s * tile.y_stride, v, sums[s]), ...);
  if constexpr (kKind.prefetches) {
    Tiles<T> next_tile = tile;
    next(next_tile);
    (prefetch_row(next_tile.image + s * tile.image_stride, v), ...);
    (prefetch_row(next_tile.y + s * tile.y_stride, v), ...);
  }
  for (index_t q = 0; q < tile.k.columns; ++q) {
    Vector<T> taps[kKernelRows] = {hn::Set(Tag<T>(), tile.k(p, q))...};
    (keep_in_register(taps[p]), ...);
    if constexpr (kKind.whole_columns) {
      multiply_add_image_rows<T, kKind.whole_rows>(rows, q, WholeLoads<T>(), taps, v, all, sums);
    } else {
      multiply_add_edges<T, kKind.whole_rows>(rows, q, MaskedLoads<T>{tile.columns << q}, taps, v,
                                              all, sums);
    }
  }
  const index_t columns = kKind.whole_columns ? kVectors * kLanes<T> : output_columns(tile);
  if (columns >= kVectors * kLanes<T>) {
    (close<T, kVectors>(sums[s], v, tile.y + s * tile.y_stride), ...);
  } else {
    (close_inside<T, kVectors>(sums[s], columns, v, tile.y + s * tile.y_stride), ...);
  }
}

template <class T, Kind kKind, int kKernelRows, int kRows, int kVectors>
void convolve_low_tiles(const Tiles<T>& tiles) {
  Tiles<T> tile = tiles;
  for (; tile.count > 0; next(tile)) {
    convolve_columns_of_tile<T, kKind, kVectors>(tile, IndicesTo<kRows>{}, IndicesTo<kKernelRows>{},
                                                 IndicesTo<kRows + kKernelRows - 1>{});
  }
}

template <class T>
using ConvolveTiles = void (*)(const Tiles<T>& tiles);

/// By vectors, less one.
template <class T>
using Widths = std::array<ConvolveTiles<T>, kMostVectors>;

template <class T, int kRows>
constexpr Widths<T> kTiles = []<int... v>(Indices<v...>) {
  return Widths<T>{convolve_tiles<T, kRows, v + 1>...};
}
(IndicesTo<kMostVectors>{});

template <class T, int kRows>
constexpr auto kSeamTiles = []<int... v>(Indices<v...>) {
  return std::array{convolve_seam_tile<T, kRows, v + 1>...};
}
(IndicesTo<kMostVectors>{});

/// By rows of the kernel, less one.
template <class T, Kind kKind, int kRows = kTileRows>
constexpr auto kLowTiles = [] {
  std::array<Widths<T>, kLowRows> table{};
  const auto fill = [&]<int p, int... v>(Indices<p>, Indices<v...>) {
    ((table[p][v] = convolve_low_tiles<T, kKind, p + 1, kRows, v + 1>), ...);
  };
  [&]<int... p>(Indices<p...>) { (fill(Indices<p>{}, IndicesTo<widest_low_tile(p + 1)>{}), ...); }
  (IndicesTo<kLowRows>{});
  return table;
}();

template <class T, Kind kKind>
constexpr auto kTallTiles = []<int... p>(Indices<p...>) {
  return std::array<ConvolveTiles<T>, kLowRows>{
      convolve_low_tiles<T, kKind, p + 1, kTallRows, 1>...};
}
(IndicesTo<kLowRows>{});

/// Whole vectors of the columns [begin, end) of some rows, zero where there are none. By blocks of
/// rows: a cache of 8 ways holds no more, where rows are a power of two apart.
template <class T>
void stage(const Plane<const T>& x, Range rows, Range columns, T* staged, index_t pitch) {
  constexpr index_t kBlock = 8;
  const Tag<T> d;
  for (index_t first = rows.begin; first < rows.end; first += kBlock, staged += kBlock * pitch) {
    const index_t end = std::min(first + kBlock, rows.end);
    T* first_to = staged;
    for (index_t column = columns.begin; column < columns.end; column += kLanes<T>) {
      T* to = first_to;
      first_to += kLanes<T>;
      if (column >= 0 && column + kLanes<T> <= x.columns) {
        for (index_t r = first; r < end; ++r, to += pitch) {
          hn::StoreU(hn::LoadU(d, x.row(r) + column), d, to);
        }
      } else {
        const Mask<T> inside = lanes_of<T>(-column, x.columns - column);
        for (index_t r = first; r < end; ++r, to += pitch) {
          hn::StoreU(load_inside<T>(x.row(r), column, x.columns, inside), d, to);
        }
      }
    }
  }
}

/// Columns of what is staged to rows of y, or += where `add`.
template <class T>
void unstage(const T* staged, index_t pitch, index_t rows, index_t columns, bool add, T* y,
             index_t y_stride) {
  const Tag<T> d;
  const index_t whole = columns / kLanes<T> * kLanes<T>;
  const index_t rest = columns - whole;
  for (index_t i = 0; i < rows; ++i, staged += pitch, y += y_stride) {
    for (index_t j = 0; j < whole; j += kLanes<T>) {
      const Vector<T> sums = hn::LoadU(d, staged + j);
      hn::StoreU(add ? hn::Add(sums, hn::LoadU(d, y + j)) : sums, d, y + j);
    }
    if (!add) {
      copy_few(staged + whole, rest, y + whole);
    } else {
      for (index_t j = whole; j < columns; ++j) y[j] += staged[j];
    }
  }
}

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

/// Columns of y, cut into strips of vectors: first wide ones, then some that are a vector less
/// wide.
template <class T>
struct Strips {
  index_t first;  // column
  index_t count, wide;
  index_t width;  // of a wide one, in vectors

  Strips(index_t widest, Range columns, bool may_end_beyond) : first(columns.begin) {
    const index_t all = columns.end - columns.begin;
    const index_t vectors = ceil_divide(all, kLanes<T>);
    count = ceil_divide(vectors, widest);
    // Where no strip may end beyond y, two may overlap.
    if (!may_end_beyond && count == 1 && vectors > 1 && all % kLanes<T> != 0) count = 2;
    width = ceil_divide(vectors, std::max<index_t>(count, 1));
    wide = vectors - count * (width - 1);
  }

  index_t vectors(index_t s) const { return s < wide ? width : width - 1; }
  /// In columns.
  index_t begin(index_t s) const {
    return first + (s * width - std::max<index_t>(0, s - wide)) * kLanes<T>;
  }
};

/// y's columns: those of the seam, of which negative ones lie before the image's end, and others.
template <class T>
struct Columns {
  Range seam{0, 0};
  Range others;
  index_t spared = 0;  // vectors

  Columns(index_t image_columns, index_t kernel_columns)
      : others{0, image_columns + kernel_columns - 1} {}

  /// The same with a seam, where it spares more than it costs.
  Columns with_seam(index_t image_columns, index_t kernel_columns) const {
    const auto vectors = [](index_t columns) { return ceil_divide(columns, kLanes<T>); };
    const index_t edge = kernel_columns - 1;
    if (image_columns < edge) return *this;
    const auto beside = [&](index_t seam_vectors) {  // vectors, too
      return vectors(image_columns - seam_vectors * kLanes<T>);
    };
    const auto tiles = [&](index_t seam_vectors) {
      return ceil_divide(seam_vectors, kMostVectors) +
             ceil_divide(beside(seam_vectors), kMostVectors);
    };
    const index_t whole = (image_columns - edge) / kLanes<T> * kLanes<T>;
    // At least two, for which no FMA waits for another.
    index_t seam_vectors = std::max<index_t>(vectors(image_columns - whole), 2);
    if (tiles(seam_vectors + 1) < tiles(seam_vectors)) ++seam_vectors;
    const index_t seam_columns = seam_vectors * kLanes<T>;
    const index_t spared_vectors = vectors(others.end) - beside(seam_vectors) - seam_vectors;
    // One vector spared makes not up for what the seam costs: 0.94 to 1.03 times as fast. With two
    // and more it is 0.98 to 1.25 times, up to 130 columns.
    if (spared_vectors < 2 || seam_columns > image_columns) return *this;
    Columns columns = *this;
    columns.others = {edge, edge + beside(seam_vectors) * kLanes<T>};
    columns.seam = {columns.others.end - image_columns,
                    columns.others.end - image_columns + seam_columns};
    columns.spared = spared_vectors;
    return columns;
  }
};

/// By which tiles a plane is convolved.
template <class T>
struct Way {
  bool low;
  Columns<T> columns;

  /// No seam for low kernels, which it does not pay for, nor where rows share places: there, while
  /// neighbours slowed memory, 512x512_k11x11 in double took 1.7 times as long with one.
  Way(index_t kernel_rows, index_t kernel_columns, index_t image_columns, index_t image_stride)
      : low(false), columns(image_columns, kernel_columns) {
    constexpr index_t kLowWithoutSeam = 7;
    constexpr index_t kWorthASeam = 9;  // of so many vectors one spared, for kernels of more rows
    if (rows_share_places<T>(image_stride)) {
      low = kernel_rows <= kLowRowsSharing;
      return;
    }
    low = kernel_rows <= kLowRows;
    if (kernel_rows <= kLowWithoutSeam) return;
    const Columns<T> seam = columns.with_seam(image_columns, kernel_columns);
    low &= seam.spared * kWorthASeam < ceil_divide(columns.others.end, kLanes<T>);
    if (!low) columns = seam;
  }
};

/// Whether a plane's edges are left out by masks, and not staged. Of more rows, next to more FMAs,
/// staging counts less and masks the same: up to 64x64 masks took 0.82 to 1.08 times as long with 5
/// and 6 rows, 0.99 to 1.2 times with 7 to 11.
template <class T>
bool masks_pay(bool low, index_t H, index_t W, index_t h, index_t w) {
  constexpr index_t kFewRows = 6;
  constexpr index_t kNear = 16 * 1024 / sizeof(T);
  return kMasksAreCheap && low && w <= kMostMasked + 1 && (h <= kFewRows || H * W > kNear);
}

/// A kernel's pieces, each small enough for its strips to be staged.
template <class T>
struct Pieces {
  index_t down, across;

  Pieces(index_t kernel_rows, index_t kernel_columns)
      : across(ceil_divide(kernel_columns, kMostKernelColumns)) {
    const index_t columns = ceil_divide(kernel_columns, across);
    down = ceil_divide(kernel_rows, most_kernel_rows<T>(columns));
  }
  index_t count() const { return down * across; }
};

/// A plane's convolution with a kernel that is one piece, and finite.
template <class T>
class PlaneConvolution {
 public:
  PlaneConvolution(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y, bool add)
      : x_(x),
        k_(k),
        y_(y),
        add_(add),
        way_(k.rows, k.columns, x.columns, x.row_stride),
        masks_(!add && masks_pay<T>(way_.low, x.rows, x.columns, k.rows, k.columns)),
        strips_(widest_tile(way_.low, k.rows), way_.columns.others, masks_),
        goes_down_(going_down_pays(x, y)),
        prefetches_(prefetching_pays(x, k, y)) {}

  void compute(Range wanted) const {
    if (!way_.columns.seam.empty()) compute_seam(wanted);
    // Strips that need no columns beside the image's.
    Range whole{0, strips_.count};
    const auto fits = [&](index_t s) {
      return strips_.begin(s) - k_.columns + 1 >= 0 && strips_.begin(s + 1) <= x_.columns;
    };
    while (!whole.empty() && !fits(whole.begin)) ++whole.begin;
    while (!whole.empty() && !fits(whole.end - 1)) --whole.end;
    Range unstaged = whole;
    if (masks_ && wanted.size() >= kTileRows) unstaged = {0, strips_.count};
    for (index_t s = 0; s < unstaged.begin; ++s) compute_staged(s, wanted);
    compute_unstaged(unstaged, whole, wanted);
    for (index_t s = unstaged.end; s < strips_.count; ++s) compute_staged(s, wanted);
  }

 private:
  /// Tiles that begin with one row, or that lie one below the other and are alike.
  struct Rows {
    index_t begin;
    index_t of_a_tile, tiles;
    bool whole;  // every row of the image exists that they ask for
    index_t end() const { return begin + of_a_tile * tiles; }
    Rows tile(index_t t) const { return {begin + of_a_tile * t, of_a_tile, 1, whole}; }
  };

  /// Those from row i of `wanted` on, for a strip of so many vectors.
  Rows rows_from(index_t i, Range wanted, index_t vectors) const {
    const index_t left = wanted.end - i;
    if (left < kTileRows) {
      // Some rows once more, or one after the other.
      if (add_ || wanted.end - wanted.begin < kTileRows) return {i, 1, left, false};
      if (way_.low && left <= kHalfTileRows) {
        return {wanted.end - kHalfTileRows, kHalfTileRows, 1, false};
      }
      return rows_from(wanted.end - kTileRows, wanted, vectors);
    }
    if (!way_.low) return {i, kTileRows, left / kTileRows, false};
    const index_t whole = i < k_.rows - 1 ? 0 : std::min(left, x_.rows - i);
    if (vectors == 1 && whole >= kTallRows) return {i, kTallRows, whole / kTallRows, true};
    if (whole >= kTileRows) return {i, kTileRows, whole / kTileRows, true};
    return {i, kTileRows, 1, false};
  }

  /// whole_columns: every column exists that the tiles ask for.
  ConvolveTiles<T> tiles_function(const Rows& rows, index_t vectors, bool whole_columns) const {
    const auto width = static_cast<std::size_t>(vectors - 1);
    if (rows.of_a_tile == 1) return kTiles<T, 1>[width];
    if (!way_.low) return kTiles<T, kTileRows>[width];
    if constexpr (kMasksAreCheap) {
      if (!whole_columns) return low_tiles_function<false>(rows, width);
    }
    return low_tiles_function<true>(rows, width);
  }

  template <bool kWholeColumns>
  ConvolveTiles<T> low_tiles_function(const Rows& rows, std::size_t width) const {
    const auto height = static_cast<std::size_t>(k_.rows - 1);
    if constexpr (kHalfTileRows > 0) {
      if (rows.of_a_tile == kHalfTileRows) {
        return kLowTiles<T, Kind{false, kWholeColumns}, kHalfTileRows>[height][width];
      }
    }
    if (!rows.whole) return kLowTiles<T, Kind{false, kWholeColumns}>[height][width];
    if (rows.of_a_tile == kTallRows) return kTallTiles<T, Kind{true, kWholeColumns}>[height];
    if constexpr (kVectorsAreLines && kWholeColumns) {
      if (prefetches_) return kLowTiles<T, Kind{true, true, true}>[height][width];
    }
    return kLowTiles<T, Kind{true, kWholeColumns}>[height][width];
  }

  /// Blocks of columns, so that the rows that a row of tiles needs stay in the second-level cache.
  /// Between 96 and 256 KiB no difference was found, up to 2048x2048_k7x7; where that cache has 2
  /// MiB, 4096x4096_k3x3 took 0.78 times as long in one block as in two.
  void compute_unstaged(Range strips, Range whole, Range wanted) const {
    if (strips.empty()) return;
    constexpr index_t kBlockBytes = (kVectorsAreLines ? 512 : 96) * 1024;
    const index_t strip_bytes =
        (kTileRows + k_.rows) * strips_.width * kLanes<T> * static_cast<index_t>(sizeof(T));
    const index_t at_once = std::max<index_t>(1, kBlockBytes / strip_bytes);
    // The end of strips that are like s; the last one may not begin where the one before it ends.
    const auto alike_end = [&](index_t s, index_t end) {
      for (const index_t change : {whole.begin, whole.end, strips_.wide, strips_.count - 1}) {
        if (s < change && change < end) end = change;
      }
      return end;
    };
    for (index_t first = strips.begin; first < strips.end; first += at_once) {
      const Range block = intersection({first, first + at_once}, strips);
      for (index_t i = wanted.begin; i < wanted.end;) {
        const Rows rows = rows_from(i, wanted, strips_.width);
        const auto compute_rows = [&](const Rows& part) {
          for (index_t s = block.begin; s < block.end;) {
            const Range alike{s, alike_end(s, block.end)};
            compute_alike(alike, whole.contains(s), part);
            s = alike.end;
          }
        };
        if (goes_down_) {
          compute_rows(rows);
        } else {
          for (index_t t = 0; t < rows.tiles; ++t) compute_rows(rows.tile(t));
        }
        i = rows.end();
      }
    }
  }

  /// Tiles of strips that are alike: along a row of tiles, where there is but one and no column is
  /// left out, else down each strip.
  void compute_alike(Range strips, bool whole_columns, const Rows& rows) const {
    const index_t vectors = strips_.vectors(strips.begin);
    const index_t width = vectors * kLanes<T>;
    const auto convolve = tiles_function(rows, vectors, whole_columns);
    const bool along = rows.tiles == 1 && whole_columns;
    const index_t i = rows.begin;
    for (index_t s = strips.begin; s < strips.end; s += along ? strips.size() : 1) {
      const index_t column = std::clamp<index_t>(y_.columns - width, 0, strips_.begin(s));
      const Range inside{-column, x_.columns - column};
      convolve({.count = along ? strips.size() : rows.tiles,
                .image = x_.row(i) + column,
                .image_stride = x_.row_stride,
                .rows = {-i, x_.rows - i},
                .columns = whole_columns ? 0 : bits_below(inside.end) & ~bits_below(inside.begin),
                .k = k_,
                .y = y_.row(i) + column,
                .y_stride = y_.row_stride,
                .add = add_,
                .rows_step = along ? 0 : rows.of_a_tile,
                .columns_step = along ? width : 0});
    }
  }

  /// For columns counted from a tile's first one, those below.
  static uint64_t bits_below(index_t column) {
    const index_t bit = std::clamp<index_t>(column + kMostMasked, 0, 64);
    return bit == 64 ? ~uint64_t{0} : (uint64_t{1} << bit) - 1;
  }

  /// A strip that asks for columns beside the image's, or has some beyond y's.
  void compute_staged(index_t s, Range wanted) const {
    const index_t vectors = strips_.vectors(s);
    const index_t width = vectors * kLanes<T>;
    index_t column = strips_.begin(s);
    bool beyond = column + width > y_.columns;
    if (beyond && !add_ && width <= y_.columns) {  // some columns once more
      column = y_.columns - width;
      beyond = false;
    }
    // Taps that meet the image.
    const Range meet = intersection({column - x_.columns + 1, column + width}, {0, k_.columns});
    const Plane<const T> k{k_.data + meet.begin, k_.rows, meet.end - meet.begin, k_.row_stride};
    const index_t begin = column - meet.end + 1;
    const index_t pitch = ceil_divide(width + k.columns - 1, kLanes<T>) * kLanes<T>;
    const auto stage_rows = [&](Range rows, T* staged) {
      stage(x_, rows, {begin, begin + pitch}, staged, pitch);
    };
    for_staged_tiles(k, vectors, wanted, pitch, stage_rows, [&](const Rows& rows, Tiles<T>& tiles) {
      const auto convolve = tiles_function(rows, vectors, true);
      tiles.image += k.columns - 1;
      tiles.y += column;
      if (!beyond) {
        convolve(tiles);
        return;
      }
      for (; tiles.count > 0; next(tiles)) {
        HWY_ALIGN T sums[kMostOfTile];
        convolve(apart(tiles, sums, width));
        unstage(sums, width, rows.of_a_tile, y_.columns - column, add_, tiles.y, tiles.y_stride);
      }
    });
  }

  /// Whether operands are so small that tiles go down their strips, since runs along the rows are
  /// short: otherwise 46x46_k3x3 took 1.2 times as long, 512x512_k3x3 0.85 times; with vectors half
  /// as long 128x128_k3x3 0.8 times.
  static bool going_down_pays(const Plane<const T>& x, const Plane<T>& y) {
    constexpr index_t kNear = (1 << 19) / sizeof(T);
    return kVectorsAreLines && x.rows * x.columns + y.rows * y.columns <= kNear;
  }

  /// Where operands are in no second-level cache, and FMAs are so few that they do not hide it:
  /// from 400x400_k3x3 to 4096x4096_k3x3 what is fetched ahead gains 8 to 26 %, in caches it costs
  /// 4 to 14, with 5×5 taps from −8 to +8 %.
  static bool prefetching_pays(const Plane<const T>& x, const Plane<const T>& k,
                               const Plane<T>& y) {
    constexpr index_t kFewTaps = 16;
    constexpr index_t kFar = (1 << 20) / sizeof(T);
    return kVectorsAreLines && k.rows * k.columns <= kFewTaps &&
           x.rows * x.columns + y.rows * y.columns > kFar;
  }

  void compute_seam(Range wanted) const {
    const Strips<T> strips(kMostVectors, way_.columns.seam, false);
    for (index_t s = 0; s < strips.count; ++s) {
      compute_seam_strip({strips.begin(s), strips.begin(s + 1)}, wanted);
    }
  }

  void compute_seam_strip(Range strip, Range wanted) const {
    const index_t width = strip.end - strip.begin;
    const index_t vectors = width / kLanes<T>;
    const index_t edge = k_.columns - 1;
    const Range ending = intersection(strip, {0, edge});
    const Range beginning = intersection(strip, {strip.begin, edge});
    const index_t at_end = edge - strip.begin;  // columns of the image
    const index_t pitch = (ceil_divide(width + edge, kLanes<T>) + 1) * kLanes<T>;
    const auto stage_rows = [&](Range rows, T* staged) {
      stage(x_, rows, {x_.columns - at_end, x_.columns}, staged, pitch);
      stage(x_, rows, {0, strip.end}, staged + at_end, pitch);
    };
    for_staged_tiles(
        k_, vectors, wanted, pitch, stage_rows, [&](const Rows& rows, Tiles<T>& tiles) {
          const auto& functions = rows.of_a_tile == 1 ? kSeamTiles<T, 1> : kSeamTiles<T, kTileRows>;
          const auto convolve = functions[static_cast<std::size_t>(vectors - 1)];
          tiles.image += edge;
          for (; tiles.count > 0; next(tiles)) {
            HWY_ALIGN T ended[kMostOfTile], begun[kMostOfTile];
            convolve(tiles, strip.begin, ended, begun);
            unstage(ended + ending.begin - strip.begin, width, rows.of_a_tile,
                    ending.end - ending.begin, add_, tiles.y + ending.begin, tiles.y_stride);
            unstage(begun, width, rows.of_a_tile, beginning.end - beginning.begin, add_,
                    tiles.y + x_.columns + strip.begin, tiles.y_stride);
          }
        });
  }

  /// Calls stage_rows(rows of the image, to) and convolve(rows, tiles) for as many rows of y at a
  /// time as can be staged. The tiles begin with the first columns of what is staged and of y.
  template <class StageRows, class Convolve>
  HWY_INLINE void for_staged_tiles(const Plane<const T>& k, index_t vectors, Range wanted,
                                   index_t pitch, const StageRows& stage_rows,
                                   const Convolve& convolve) const {
    HWY_ALIGN T staged[kStagedElements<T>];
    const index_t at_once = kStagedElements<T> / pitch - k_.rows + 1;
    for (index_t first = wanted.begin; first < wanted.end; first += at_once) {
      const Range part{first, std::min(first + at_once, wanted.end)};
      const Range image = intersection({part.begin - k_.rows + 1, part.end}, {0, x_.rows});
      stage_rows(image, staged);
      for (index_t i = part.begin; i < part.end;) {
        const Rows rows = rows_from(i, part, vectors);
        i = rows.end();
        Tiles<T> tiles{.count = rows.tiles,
                       .image = staged + (rows.begin - image.begin) * pitch,
                       .image_stride = pitch,
                       .rows = {image.begin - rows.begin, image.end - rows.begin},
                       .columns = 0,
                       .k = k,
                       .y = y_.row(rows.begin),
                       .y_stride = y_.row_stride,
                       .add = add_,
                       .rows_step = rows.of_a_tile,
                       .columns_step = 0};
        convolve(rows, tiles);
      }
    }
  }

  static constexpr index_t kMostOfTile = kTileRows * kMostVectors * kLanes<T>;

  /// The first tile, with sums of its own.
  static Tiles<T> apart(const Tiles<T>& tiles, T* sums, index_t width) {
    Tiles<T> tile = tiles;
    tile.count = 1;
    tile.y = sums;
    tile.y_stride = width;
    tile.add = false;
    return tile;
  }

  const Plane<const T> x_;
  const Plane<const T> k_;
  const Plane<T> y_;
  const bool add_;
  const Way<T> way_;
  const bool masks_;
  const Strips<T> strips_;
  const bool goes_down_, prefetches_;
};

/// y's rows `wanted` = x ∗ k, or += where `add`.
template <class T>
void convolve_plane(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                    Range wanted, bool add) {
  if (!all_finite(k)) {
    convolve_rows_by_tap(x, k, y, wanted, add);
    return;
  }
  if (y.row_stride == y.columns && FlatPlane<T>::suits(k.rows, k.columns, y.columns)) {
    FlatPlane<T>(x, k, y, add).compute(wanted);
    return;
  }
  const Pieces<T> pieces(k.rows, k.columns);
  if (pieces.count() == 1) {
    PlaneConvolution<T>(x, k, y, add).compute(wanted);
    return;
  }
  if (!add) {
    for (index_t i = wanted.begin; i < wanted.end; ++i) std::fill_n(y.row(i), y.columns, T{0});
  }
  const auto& [down, across] = pieces;
  for (index_t a = 0; a < down; ++a) {
    const Range rows{a * k.rows / down, (a + 1) * k.rows / down};
    for (index_t b = 0; b < across; ++b) {
      const Range columns{b * k.columns / across, (b + 1) * k.columns / across};
      const Plane<const T> part{k.row(rows.begin) + columns.begin, rows.end - rows.begin,
                                columns.end - columns.begin, k.row_stride};
      const Plane<T> sums{y.row(rows.begin) + columns.begin, x.rows + part.rows - 1,
                          x.columns + part.columns - 1, y.row_stride};
      PlaneConvolution<T>(x, part, sums, true)
          .compute(
              intersection({wanted.begin - rows.begin, wanted.end - rows.begin}, {0, sums.rows}));
    }
  }
}

/// Nanoseconds of what there is to do.
struct Costs {
  double call = 0;
  double fma;
  double seam = 0;       // times as long as that
  double load = 0;       // of a low kernel's tap, or of the image for one
  double tile = 0;       // its sums, in and out,
  double store = 0;      // and what each vector of a row of tiles adds
  double staged;         // a vector
  double masked = 0;     // a tap of a tile that leaves columns out
  double run = 0;        // of tiles
  double row = 0;        // of the image that meets a tile,
  double short_row = 0;  // and what that takes more unless taps hide it
  double latency;        // what a row and tap wait for, where a tile has fewer than two vectors
  struct Memory {        // a byte of x and y where a cache does not hold them, but `factor` would
    double byte, cache, factor;
  } near, far;
};

/// For low kernels and others. Next to 6500 times measured with AVX2, of problems of all shapes,
/// they are off by 7 and 3.5 % (medians).
constexpr Costs kNarrowCosts[] = {{.call = 84,
                                   .fma = 0.0819,
                                   .load = 0.153,
                                   .tile = 3.6,
                                   .staged = 0.99,
                                   .run = 5.5,
                                   .latency = 0.19,
                                   .near = {0.0061, 0x1p17, 8},
                                   .far = {0.035, 0x1p23, 8}},
                                  {.call = 42,
                                   .fma = 0.166,
                                   .seam = 1.25,
                                   .tile = 6.9,
                                   .staged = 1.06,
                                   .run = 12.2,
                                   .short_row = 0.25,
                                   .latency = 0.345,
                                   .near = {0.0049, 0x1p17, 8},
                                   .far = {0.086, 0x1p23, 8}}};

/// The same with AVX-512, next to 5000 times, off by 6 and 4 %.
constexpr Costs kWideCosts[] = {{.call = 42,
                                 .fma = 0.104,
                                 .load = 0.212,
                                 .store = 4.77,
                                 .staged = 1.3,
                                 .masked = 1.8,
                                 .latency = 0.116,
                                 .near = {0.007, 0x1p15, 4},
                                 .far = {0.0169, 0x1p20, 16}},
                                {.fma = 0.172,
                                 .seam = 1.27,
                                 .tile = 5.35,
                                 .staged = 1.83,
                                 .row = 0.41,
                                 .latency = 0.266,
                                 .near = {0.0082, 0x1p15, 4},
                                 .far = {0.0318, 0x1p20, 16}}};

/// The time of one plane, in seconds.
template <class T>
double plane_seconds(index_t H, index_t W, index_t h, index_t w) {
  if (FlatPlane<T>::suits(h, w, W + w - 1)) return 1e-9 * FlatPlane<T>::nanoseconds(H, W, h, w);
  const Pieces<T> pieces(h, w);
  const double kernel_rows = static_cast<double>(h) / static_cast<double>(pieces.down);
  const double taps = static_cast<double>(w) / static_cast<double>(pieces.across);
  const auto whole_rows = static_cast<index_t>(std::ceil(kernel_rows));
  const auto& [low, from] = Way<T>(whole_rows, static_cast<index_t>(taps), W, W);
  const Costs& cost = (kVectorsAreLines ? kWideCosts : kNarrowCosts)[low ? 0 : 1];

  const auto rows = static_cast<double>(H);
  const auto columns = static_cast<double>(W);
  const double output_rows = rows + kernel_rows - 1;
  const bool masks = pieces.count() == 1 && masks_pay<T>(low, H, W, h, w);
  const Strips<T> cut(widest_tile(low, whole_rows), from.others, masks);
  const Strips<T> seam(kMostVectors, from.seam, false);
  const auto strips = static_cast<double>(cut.count);
  const double width =  // in columns
      static_cast<double>(cut.begin(cut.count) - cut.first) / std::max(strips, 1.0);
  const double vectors = width / kLanes<T>;
  const double seam_vectors = static_cast<double>(from.seam.end - from.seam.begin) / kLanes<T>;
  const auto seam_strips = static_cast<double>(seam.count);
  const double parts = low && kHalfTileRows > 0 ? 2 : 1;  // of a tile
  const double tile_rows = std::ceil(output_rows * parts / kTileRows) / parts;
  const double image_rows = kernel_rows + kTileRows - 1;  // that meet a tile

  // Strips beside the image meet some of the taps only.
  const double met_strips = from.seam.empty() ? std::min(strips, columns / width + 1) : strips;
  const double met_vectors = met_strips * vectors + cost.seam * seam_vectors;
  const double fmas = rows * kernel_rows * taps * met_vectors;
  const double a_tile = tile_rows * met_strips;
  const double loads = low ? a_tile * taps * (kernel_rows + image_rows * vectors) : 0;
  const double visits = a_tile * (low ? kernel_rows : image_rows);
  const double waits = visits * taps * std::max(0.0, 2 - vectors);
  const double left = std::ceil((taps - 1) / width);
  const double right = std::ceil((strips * width - columns) / width);
  const double staged = from.seam.empty() ? std::min(strips, left + right) : seam_strips;
  const double edges = masks ? 0 : staged;
  const double staging = output_rows * (2 * seam_vectors + edges * (vectors + taps / kLanes<T>));
  const double masked = masks ? tile_rows * staged * taps : 0;
  const double runs = staged + (staged < strips + seam_strips ? tile_rows : 0);

  const double bytes = sizeof(T) * (rows * columns + static_cast<double>(H + h - 1) *
                                                         static_cast<double>(W + w - 1));
  const auto memory = [bytes](const Costs::Memory& m) {
    return bytes * m.byte * distance(bytes, m.cache, m.factor);
  };
  const double a_piece =
      fmas * cost.fma + loads * cost.load + tile_rows * (strips + seam_strips) * cost.tile +
      tile_rows * strips * vectors * cost.store + staging * cost.staged + masked * cost.masked +
      runs * cost.run + visits * cost.row + visits / (taps * taps) * cost.short_row +
      waits * cost.latency + memory(cost.near) + memory(cost.far);
  return 1e-9 * (cost.call + static_cast<double>(pieces.count()) * a_piece);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
