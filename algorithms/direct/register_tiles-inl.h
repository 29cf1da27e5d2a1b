// Register tiling: the sums of a tile of y, some rows by some vectors, stay in registers until they
// are complete. Each vector of the image is loaded once for all the rows of the tile that it
// enters. A tile goes along its rows, from vector to vector, so that rows come from the cache in
// order. Rows outside of the image are left out by the bounds of loops; where columns are outside,
// at the left and at the right, strips of the image are staged, with zeros around or rolled up.
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
#include <cmath>

#include "core/forecast.h"
#include "direct/strips-inl.h"

#ifndef FULLCONV_REGISTER_TILES_ONCE
#define FULLCONV_REGISTER_TILES_ONCE
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

/// For kernels of so few rows there are tiles of their own: they go over taps column by column, and
/// have all rows of a column in registers.
constexpr int kLowRows = kRollingPays ? 0 : 7;

/// Whether rows of an image share the places that a first-level cache has for eight of them: those
/// that are a multiple of 4 KiB apart.
constexpr index_t kPlacesApart = 4096;
template <class T>
constexpr bool rows_share_places(index_t image_stride) {
  constexpr index_t kNear = 12;
  const index_t bytes = image_stride * static_cast<index_t>(sizeof(T));
  return bytes >= kPlacesApart - kNear && (bytes + kNear) % kPlacesApart < 2 * kNear;
}

/// Whether to go by those. Each column of taps would load all of a tile's ten rows anew, if they
/// share places: 512x512_k7x7 in double took 1.2 times as long as by other tiles, in float
/// 1024x1024_k7x7 1.3.
template <class T>
constexpr bool is_low(index_t kernel_rows, index_t image_stride) {
  return kernel_rows <= kLowRows - (rows_share_places<T>(image_stride) ? 1 : 0);
}

/// Other tiles rely upon it that no lower kernel comes to them.
constexpr int kFewestRows = (kRollingPays ? kMostRollingRows : kLowRows - 1) + 1;
static_assert(kFewestRows >= kTileRows - 1);

/// Of a tile of one vector, for low kernels: with fewer sums, FMAs would wait for each other.
constexpr int kTallRows = 2 * kTileRows;

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
template <class T>
constexpr index_t most_kernel_rows(index_t kernel_columns) {
  return kStagedElements<T> / (2 * ((kMostVectors + 1) * kLanes<T> + kernel_columns));
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

// Tiles of wrapped columns. Roll the image up, its last column beside its first one: then y's last
// w − 1 columns lie on its first ones. Of two that meet, the first takes those taps of the image
// that do not reach beyond its left edge, the other takes the rest. So one lane has both sums, one
// after the other, and W columns of the image cost W lanes, where W + w − 1 would multiply zeros.

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

/// y's columns: wrapped ones, of which negative ones lie before the image's end, and others.
template <class T>
struct Columns {
  Range wrapped{0, 0};
  Range others;

  /// None are wrapped for low kernels, where it does not pay, nor where rows share places: there,
  /// while neighbours slowed memory, 512x512_k11x11 in double took 1.7 times as long with one.
  /// Nor where only some of y's columns are `wanted`.
  Columns(bool low, index_t image_columns, index_t kernel_columns, index_t image_stride,
          Range wanted)
      : others(wanted) {
    const auto vectors = [](index_t columns) { return ceil_divide(columns, kLanes<T>); };
    const index_t edge = kernel_columns - 1;
    if (low || image_columns < edge || rows_share_places<T>(image_stride) ||
        wanted.size() < image_columns + edge) {
      return;
    }
    const auto beside = [&](index_t wrapped_vectors) {  // vectors, too
      return vectors(image_columns - wrapped_vectors * kLanes<T>);
    };
    const auto tiles = [&](index_t wrapped_vectors) {
      return ceil_divide(wrapped_vectors, kMostVectors) +
             ceil_divide(beside(wrapped_vectors), kMostVectors);
    };
    const index_t whole = (image_columns - edge) / kLanes<T> * kLanes<T>;
    // At least two, for which no FMA waits for another.
    index_t wrapped_vectors = std::max<index_t>(vectors(image_columns - whole), 2);
    if (tiles(wrapped_vectors + 1) < tiles(wrapped_vectors)) ++wrapped_vectors;
    const index_t wrapped_columns = wrapped_vectors * kLanes<T>;
    const index_t spared = vectors(others.end) - beside(wrapped_vectors) - wrapped_vectors;
    // One vector spared makes not up for what wrapping costs: 0.94 to 1.03 times as fast. With two
    // and more it is 0.98 to 1.25 times, up to 130 columns.
    if (spared < 2 || wrapped_columns > image_columns) return;
    others = {edge, edge + beside(wrapped_vectors) * kLanes<T>};
    wrapped = {others.end - image_columns, others.end - image_columns + wrapped_columns};
  }
};

/// A plane's convolution with a kernel that is one piece, finite, and too high to roll.
template <class T>
class TiledConvolution {
 public:
  TiledConvolution(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                   Range wanted_columns, bool add)
      : x_(x),
        k_(k),
        y_(y),
        wanted_columns_(wanted_columns),
        add_(add),
        low_(is_low<T>(k.rows, x.row_stride)),
        columns_(low_, x.columns, k.columns, x.row_stride, wanted_columns),
        strips_(widest_tile(low_, k.rows), columns_.others, false) {}

  void compute(Range wanted) const {
    if (!columns_.wrapped.empty()) compute_wrapped(wanted);
    // Strips that need no columns beside the image's. They are one run.
    Range inner{0, strips_.count};
    const auto fits = [&](index_t s) {
      return strips_.begin(s) - k_.columns + 1 >= 0 &&
             strips_.begin(s + 1) <= std::min(x_.columns, wanted_columns_.end);
    };
    while (!inner.empty() && !fits(inner.begin)) ++inner.begin;
    while (!inner.empty() && !fits(inner.end - 1)) --inner.end;
    for (index_t s = 0; s < inner.begin; ++s) compute_staged(s, wanted);
    compute_inner(inner, wanted);
    for (index_t s = inner.end; s < strips_.count; ++s) compute_staged(s, wanted);
  }

 private:
  /// Tiles that begin with one row, or that lie one below the other and are alike.
  struct Rows {
    index_t begin;
    index_t of_a_tile, tiles;
    bool whole;  // every row of the image exists that they ask for
    index_t end() const { return begin + of_a_tile * tiles; }
  };

  /// Those from row i of `wanted` on, for a strip of so many vectors.
  Rows rows_from(index_t i, Range wanted, index_t vectors) const {
    const index_t left = wanted.end - i;
    if (left < kTileRows) {
      // Some rows once more, or one after the other.
      if (add_ || wanted.end - wanted.begin < kTileRows) return {i, 1, left, false};
      return rows_from(wanted.end - kTileRows, wanted, vectors);
    }
    if (!low_) return {i, kTileRows, left / kTileRows, false};
    const index_t whole = i < k_.rows - 1 ? 0 : std::min(left, x_.rows - i);
    if (vectors == 1 && whole >= kTallRows) return {i, kTallRows, whole / kTallRows, true};
    if (whole >= kTileRows) return {i, kTileRows, whole / kTileRows, true};
    return {i, kTileRows, 1, false};
  }

  ConvolveTiles<T> tiles_function(const Rows& rows, index_t vectors) const {
    const auto width = static_cast<std::size_t>(vectors - 1);
    if (rows.of_a_tile == 1) return kTiles<T, 1>[width];
    if constexpr (kLowRows > 0) {
      if (low_) {
        const auto height = static_cast<std::size_t>(k_.rows - 1);
        if (rows.of_a_tile == kTallRows) return kTallTiles<T>[height];
        return rows.whole ? kLowTiles<T, true>[height][width] : kLowTiles<T, false>[height][width];
      }
    }
    return kTiles<T, kTileRows>[width];
  }

  /// Blocks of columns, so that the rows that a row of tiles needs stay in the second-level cache.
  /// Between 96 and 256 KiB no difference was found, up to 2048x2048_k7x7.
  void compute_inner(Range inner, Range wanted) const {
    if (inner.empty()) return;
    constexpr index_t kBlockBytes = 96 * 1024;
    const index_t strip_bytes =
        (kTileRows + k_.rows) * strips_.width * kLanes<T> * static_cast<index_t>(sizeof(T));
    const index_t at_once = std::max<index_t>(1, kBlockBytes / strip_bytes);
    for (index_t first = inner.begin; first < inner.end; first += at_once) {
      const Range block{first, std::min(first + at_once, inner.end)};
      const Range wide = intersection(block, {0, strips_.wide});
      const Range narrow = intersection(block, {strips_.wide, strips_.count});
      for (index_t i = wanted.begin; i < wanted.end;) {
        const Rows rows = rows_from(i, wanted, strips_.width);
        for (index_t t = 0; t < rows.tiles; ++t) {
          compute_run(wide, rows, rows.begin + t * rows.of_a_tile);
          compute_run(narrow, rows, rows.begin + t * rows.of_a_tile);
        }
        i = rows.end();
      }
    }
  }

  /// Tiles of strips of one width, at y's row i.
  void compute_run(Range strips, const Rows& rows, index_t i) const {
    if (strips.empty()) return;
    const index_t column = strips_.begin(strips.begin);
    const index_t vectors = strips_.vectors(strips.begin);
    tiles_function(rows, vectors)({.count = strips.end - strips.begin,
                                   .image = x_.row(i) + column,
                                   .image_stride = x_.row_stride,
                                   .rows = {-i, x_.rows - i},
                                   .k = k_,
                                   .y = y_.row(i) + column,
                                   .y_stride = y_.row_stride,
                                   .add = add_,
                                   .rows_step = 0,
                                   .image_step = vectors * kLanes<T>,
                                   .y_step = vectors * kLanes<T>});
  }

  /// A strip that asks for columns beside the image's, or has some beyond y's.
  void compute_staged(index_t s, Range wanted) const {
    const index_t vectors = strips_.vectors(s);
    const index_t width = vectors * kLanes<T>;
    index_t column = strips_.begin(s);
    bool beyond = column + width > wanted_columns_.end;
    if (beyond && !add_ && width <= wanted_columns_.size()) {  // some columns once more
      column = wanted_columns_.end - width;
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
      const auto convolve = tiles_function(rows, vectors);
      tiles.image += k.columns - 1;
      tiles.y += column;
      if (!beyond) {
        convolve(tiles);
        return;
      }
      for (; tiles.count > 0; next(tiles)) {
        HWY_ALIGN T sums[kMostOfTile];
        convolve(apart(tiles, sums, width));
        unstage(sums, width, rows.of_a_tile, wanted_columns_.end - column, add_, tiles.y,
                tiles.y_stride);
      }
    });
  }

  void compute_wrapped(Range wanted) const {
    const Strips<T> strips(kMostVectors, columns_.wrapped, false);
    for (index_t s = 0; s < strips.count; ++s) {
      compute_wrapped_strip({strips.begin(s), strips.begin(s + 1)}, wanted);
    }
  }

  void compute_wrapped_strip(Range strip, Range wanted) const {
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
          const auto& functions =
              rows.of_a_tile == 1 ? kWrappedTiles<T, 1> : kWrappedTiles<T, kTileRows>;
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
                       .k = k,
                       .y = y_.row(rows.begin),
                       .y_stride = y_.row_stride,
                       .add = add_,
                       .rows_step = rows.of_a_tile,
                       .image_step = rows.of_a_tile * pitch,
                       .y_step = rows.of_a_tile * y_.row_stride};
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
  const Range wanted_columns_;
  const bool add_;
  const bool low_;
  const Columns<T> columns_;
  const Strips<T> strips_;
};

/// Nanoseconds of what there is to do.
struct Costs {
  double call;
  double fma;
  double wrapped = 0;    // times as long as that
  double load = 0;       // of a low kernel's tap, or of the image for one
  double tile;           // its sums, in and out
  double staged;         // a vector
  double run = 0;        // of tiles
  double row = 0;        // of the image that meets a tile,
  double short_row = 0;  // and what that takes more unless taps hide it
  double latency;        // what a row and tap wait for, where a tile has fewer than two vectors
  FarByte near, far;     // of x and y
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
                                   .wrapped = 1.25,
                                   .tile = 6.9,
                                   .staged = 1.06,
                                   .run = 12.2,
                                   .short_row = 0.25,
                                   .latency = 0.345,
                                   .near = {0.0049, 0x1p17, 8},
                                   .far = {0.086, 0x1p23, 8}}};

/// The same with AVX-512, where there are no low kernels: off by 4 %.
constexpr Costs kWideCosts{.call = 0,
                           .fma = 0.172,
                           .wrapped = 1.27,
                           .tile = 5.35,
                           .staged = 1.83,
                           .row = 0.41,
                           .latency = 0.266,
                           .near = {0.0082, 0x1p15, 4},
                           .far = {0.0318, 0x1p20, 16}};

/// The nanoseconds of one plane, with a kernel that is one piece.
template <class T>
double tiled_nanoseconds(index_t H, index_t W, index_t h, index_t w) {
  const bool low = is_low<T>(h, W);
  const Costs& cost = kVectorsAreLines ? kWideCosts : kNarrowCosts[low ? 0 : 1];
  const auto rows = static_cast<double>(H);
  const auto columns = static_cast<double>(W);
  const auto kernel_rows = static_cast<double>(h);
  const auto taps = static_cast<double>(w);
  const auto output_rows = static_cast<double>(H + h - 1);
  const Columns<T> from(low, W, w, W, {0, W + w - 1});
  const Strips<T> cut(widest_tile(low, h), from.others, false);
  const Strips<T> wrapped(kMostVectors, from.wrapped, false);
  const auto strips = static_cast<double>(cut.count);
  const double width =  // in columns
      static_cast<double>(cut.begin(cut.count) - cut.first) / std::max(strips, 1.0);
  const double vectors = width / kLanes<T>;
  const double wrapped_vectors =
      static_cast<double>(from.wrapped.end - from.wrapped.begin) / kLanes<T>;
  const auto wrapped_strips = static_cast<double>(wrapped.count);
  const double tile_rows = std::ceil(output_rows / kTileRows);
  const double image_rows = kernel_rows + kTileRows - 1;  // that meet a tile

  // Strips beside the image meet some of the taps only.
  const double met_strips = from.wrapped.empty() ? std::min(strips, columns / width + 1) : strips;
  const double met_vectors = met_strips * vectors + cost.wrapped * wrapped_vectors;
  const double fmas = rows * kernel_rows * taps * met_vectors;
  const double a_tile = tile_rows * met_strips;
  const double loads = low ? a_tile * taps * (kernel_rows + image_rows * vectors) : 0;
  const double visits = a_tile * (low ? kernel_rows : image_rows);
  const double waits = visits * taps * std::max(0.0, 2 - vectors);
  const double left = std::ceil((taps - 1) / width);
  const double right = std::ceil((strips * width - columns) / width);
  const double staged = from.wrapped.empty() ? std::min(strips, left + right) : wrapped_strips;
  const double staging =
      output_rows * (2 * wrapped_vectors + staged * (vectors + taps / kLanes<T>));
  const double runs = staged + (staged < strips + wrapped_strips ? tile_rows : 0);
  const double bytes = sizeof(T) * (rows * columns + output_rows * static_cast<double>(W + w - 1));
  return cost.call + fmas * cost.fma + loads * cost.load +
         tile_rows * (strips + wrapped_strips) * cost.tile + staging * cost.staged +
         runs * cost.run + visits * cost.row + visits / (taps * taps) * cost.short_row +
         waits * cost.latency + cost.near.of(bytes) + cost.far.of(bytes);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
