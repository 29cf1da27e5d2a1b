// A plane covered by register tiles. A run of tiles goes along the rows, from vector to vector, so
// that rows come from the cache in order. Loop bounds leave out rows outside of the image. For
// columns outside of it, at the left and at the right, strips of the image are copied: with zeros
// around them, or with the image's last and first columns next to each other (wrapped).

#if defined(FULLCONV_REGISTER_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_REGISTER_TILES_INL_H
#undef FULLCONV_REGISTER_TILES_INL_H
#else
#define FULLCONV_REGISTER_TILES_INL_H
#endif

#include <algorithm>

#include "core/staging-inl.h"
#include "direct/tile_kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// For strips of the image at its edges.
template <class T>
constexpr index_t kStagedElements = 64 * 1024 / sizeof(T);

/// Larger kernels are cut, so that such a strip has at least as many rows for y as for the kernel.
template <class T>
constexpr index_t most_kernel_rows(index_t kernel_columns) {
  return kStagedElements<T> / (2 * ((kMostVectors + 1) * kLanes<T> + kernel_columns));
}

/// y's columns in two parts. Wrapped columns are computed on the image's last and first columns,
/// copied next to each other: there a column j < 0 is column j + image_columns. The others are
/// computed on the image as it is.
template <class T>
struct Columns {
  Range wrapped{0, 0};
  Range others;

  /// No column is wrapped where that does not pay: for low kernels; where only some of y's columns
  /// are `wanted`; and where rows share places in the cache. With such rows, while other processes
  /// slowed memory, 512x512_k11x11 in double took 1.7 times as long with wrapped columns.
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
    // At least two vectors: with these no FMA waits for another.
    index_t wrapped_vectors = std::max<index_t>(vectors(image_columns - whole), 2);
    if (tiles(wrapped_vectors + 1) < tiles(wrapped_vectors)) ++wrapped_vectors;
    const index_t wrapped_columns = wrapped_vectors * kLanes<T>;
    const index_t spared = vectors(others.end) - beside(wrapped_vectors) - wrapped_vectors;
    // If wrapping saves one vector, it does not pay: 0.94 to 1.03 times as fast. If it saves two or
    // more, it is 0.98 to 1.25 times as fast, up to 130 columns.
    if (spared < 2 || wrapped_columns > image_columns) return;
    others = {edge, edge + beside(wrapped_vectors) * kLanes<T>};
    wrapped = {others.end - image_columns, others.end - image_columns + wrapped_columns};
  }
};

/// A plane's convolution with a kernel in one piece, finite, and too high for rolling sums.
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
    // Strips that need no columns outside of the image. They lie next to each other.
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
  /// Tiles with the same first row, or equal tiles one below the other.
  struct Rows {
    index_t begin;
    index_t of_a_tile, tiles;
    bool whole;  // every row of the image exists that they ask for
    index_t end() const { return begin + of_a_tile * tiles; }
  };

  /// The tiles from row i of `wanted` on, for a strip of so many vectors.
  Rows rows_from(index_t i, Range wanted, index_t vectors) const {
    const index_t left = wanted.end - i;
    if (left < kTileRows) {
      // Compute some rows a second time, or one row after the other.
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

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
