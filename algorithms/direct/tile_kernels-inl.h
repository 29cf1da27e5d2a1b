// Register tiling: the sums of a tile of y, some rows by some vectors, stay in registers until they
// are complete. Each vector of the image is loaded once for all the rows of the tile that it
// enters. Here are the tiles; direct/register_tiles-inl.h covers a plane by them.
//
// 2·H·W·h·w flops; for kernels that are not small, and tiles of r×v, 1/r + 1/v loads an FMA; no
// workspace. SIMD by Highway: one source for all instruction sets. Goto and van de Geijn, Anatomy
// of High-Performance Matrix Multiplication, ACM TOMS 34(3), 2008, on why registers hold the
// results.

#if defined(FULLCONV_TILE_KERNELS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_TILE_KERNELS_INL_H
#undef FULLCONV_TILE_KERNELS_INL_H
#else
#define FULLCONV_TILE_KERNELS_INL_H
#endif

#include <algorithm>
#include <array>

#include "direct/strips-inl.h"

#ifndef FULLCONV_TILE_KERNELS_ONCE
#define FULLCONV_TILE_KERNELS_ONCE
namespace fullconv {
namespace {

/// The operands of a run of tiles, side by side or one below the other.
template <class T>
struct Tiles {
  index_t count;
  const T* image;  // x(i, j) for a tile that begins with y(i, j)
  index_t image_stride;
  Range rows;  // that the image has, counted from i
  Plane<const T> k;
  T* y;
  index_t y_stride;
  bool add;  // to y
  // From a tile to the next one.
  index_t rows_step, image_step, y_step;
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

/// Kernels with at most so many rows have tiles of their own, which go over taps column by column
/// and keep all taps of a column in registers.
constexpr int kLowRows = kRollingPays ? 0 : 7;

/// Whether rows of an image compete for the same eight places of a first-level cache: rows that are
/// a multiple of 4 KiB apart do.
constexpr index_t kPlacesApart = 4096;
template <class T>
constexpr bool rows_share_places(index_t image_stride) {
  constexpr index_t kNear = 12;
  const index_t bytes = image_stride * static_cast<index_t>(sizeof(T));
  return bytes >= kPlacesApart - kNear && (bytes + kNear) % kPlacesApart < 2 * kNear;
}

/// Whether to use the tiles for low kernels. If rows share places, each column of taps loads all
/// ten rows of a tile anew: 512x512_k7x7 in double took 1.2 times as long as with other tiles,
/// 1024x1024_k7x7 in float 1.3 times.
template <class T>
constexpr bool is_low(index_t kernel_rows, index_t image_stride) {
  return kernel_rows <= kLowRows - (rows_share_places<T>(image_stride) ? 1 : 0);
}

/// The other tiles rely on this: kernels with fewer rows never come to them.
constexpr int kFewestRows = (kRollingPays ? kMostRollingRows : kLowRows - 1) + 1;
static_assert(kFewestRows >= kTileRows - 1);

/// Rows of a tile of one vector, for low kernels: with fewer sums, FMAs would wait for each other.
constexpr int kTallRows = 2 * kTileRows;

/// Vectors of the widest tile for a low kernel. Its sums must fit into registers, together with a
/// column of taps, a vector of the image and one spare register: without the spare one GCC moves
/// sums around. For seven rows this gives less than two vectors, but two do fit.
constexpr int widest_low_tile(int kernel_rows) {
  return std::clamp((kRegisters - 2 - kernel_rows) / kTileRows, 2, kMostVectors);
}

constexpr index_t widest_tile(bool low, index_t kernel_rows) {
  return low ? widest_low_tile(static_cast<int>(kernel_rows)) : kMostVectors;
}

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

template <class T, int kVectors, int... v>
HWY_INLINE void load_image(const T* image, Indices<v...>, StripRow<T, kVectors>& loaded) {
  ((loaded[v] = hn::LoadU(Tag<T>(), image + v * kLanes<T>)), ...);
  (keep_in_register(loaded[v]), ...);
}

template <class T>
HWY_INLINE void next(Tiles<T>& tile) {
  --tile.count;
  tile.rows = {tile.rows.begin - tile.rows_step, tile.rows.end - tile.rows_step};
  tile.image += tile.image_step;
  tile.y += tile.y_step;
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

/// All image rows that enter a tile; for kernels of at least as many rows as it, less one.
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

// Tiles of wrapped columns. The image is rolled up, with its last column beside its first one: then
// y's last w − 1 columns lie on its first ones. Where two columns of y lie on one another, the sum
// of the first takes the taps that do not reach beyond the image's left edge, and the sum of the
// other takes the rest. So one lane has both sums, one after the other, and W columns of the image
// cost W lanes, where W + w − 1 would multiply zeros.

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
HWY_INLINE void convolve_wrapped_of_tile(const Tiles<T>& tile, index_t column, T* ended, T* begun,
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
void convolve_wrapped_tile(const Tiles<T>& tile, index_t column, T* ended, T* begun) {
  constexpr IndicesTo<kRows> rows;
  if (tile.rows.begin <= 1 - tile.k.rows && kRows <= tile.rows.end) {
    convolve_wrapped_of_tile<T, true, kVectors>(tile, column, ended, begun, rows);
  } else {
    convolve_wrapped_of_tile<T, false, kVectors>(tile, column, ended, begun, rows);
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

template <class T, int kOffset, int v, int kKernelRows, int kRows, int kVectors, int... s>
HWY_INLINE void multiply_add_vector(const T* image, const Vector<T> (&taps)[kKernelRows],
                                    Indices<s...>, StripRow<T, kVectors> (&sums)[kRows]) {
  Vector<T> loaded = hn::LoadU(Tag<T>(), image + v * kLanes<T>);
  keep_in_register(loaded);
  (multiply_add_row<T, kOffset, kKernelRows, kRows, kVectors, v, s>(loaded, taps, sums), ...);
}

template <class T, bool kWhole, int kOffset, int kKernelRows, int kRows, int kVectors, int... v>
HWY_INLINE void multiply_add_image_row(const Tiles<T>& tile, const T* image,
                                       const Vector<T> (&taps)[kKernelRows], Indices<v...>,
                                       StripRow<T, kVectors> (&sums)[kRows]) {
  if (!kWhole && !tile.rows.contains(-kOffset)) return;
  (multiply_add_vector<T, kOffset, v>(image - kOffset * tile.image_stride, taps, IndicesTo<kRows>(),
                                      sums),
   ...);
}

/// e counts the image rows that enter, of which the first is kKernelRows − 1 above the tile.
template <class T, bool kWhole, int kVectors, int... s, int... p, int... e>
HWY_INLINE void convolve_columns_of_tile(const Tiles<T>& tile, Indices<s...>, Indices<p...>,
                                         Indices<e...>) {
  constexpr int kRows = sizeof...(s);
  constexpr int kKernelRows = sizeof...(p);
  constexpr IndicesTo<kVectors> v;
  StripRow<T, kVectors> sums[kRows];
  (open<T, kVectors>(tile.add, tile.y + s * tile.y_stride, v, sums[s]), ...);
  for (index_t q = 0; q < tile.k.columns; ++q) {
    Vector<T> taps[kKernelRows] = {hn::Set(Tag<T>(), tile.k(p, q))...};
    (keep_in_register(taps[p]), ...);
    (multiply_add_image_row<T, kWhole, kKernelRows - 1 - e>(tile, tile.image - q, taps, v, sums),
     ...);
  }
  (close<T, kVectors>(sums[s], v, tile.y + s * tile.y_stride), ...);
}

template <class T, bool kWhole, int kKernelRows, int kRows, int kVectors>
void convolve_low_tiles(const Tiles<T>& tiles) {
  Tiles<T> tile = tiles;
  for (; tile.count > 0; next(tile)) {
    convolve_columns_of_tile<T, kWhole, kVectors>(
        tile, IndicesTo<kRows>{}, IndicesTo<kKernelRows>{}, IndicesTo<kRows + kKernelRows - 1>{});
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
constexpr auto kWrappedTiles = []<int... v>(Indices<v...>) {
  return std::array{convolve_wrapped_tile<T, kRows, v + 1>...};
}
(IndicesTo<kMostVectors>{});

/// By rows of the kernel, less one.
template <class T, bool kWhole>
constexpr auto kLowTiles = [] {
  std::array<Widths<T>, kLowRows> table{};
  const auto fill = [&]<int p, int... v>(Indices<p>, Indices<v...>) {
    ((table[p][v] = convolve_low_tiles<T, kWhole, p + 1, kTileRows, v + 1>), ...);
  };
  [&]<int... p>(Indices<p...>) { (fill(Indices<p>{}, IndicesTo<widest_low_tile(p + 1)>{}), ...); }
  (IndicesTo<kLowRows>{});
  return table;
}();

template <class T>
constexpr auto kTallTiles = []<int... p>(Indices<p...>) {
  return std::array<ConvolveTiles<T>, kLowRows>{
      convolve_low_tiles<T, true, p + 1, kTallRows, 1>...};
}
(IndicesTo<kLowRows>{});

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
