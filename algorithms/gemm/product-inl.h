// The matrix product's inner loops. Sums of a tile of C, some rows by some vectors, stay in
// registers for the whole depth; each step loads the vectors of a row of B and one element of A for
// each row of the tile: with 14×2 vectors 16 loads for 28 FMAs. Goto and van de Geijn, Anatomy of
// High-Performance Matrix Multiplication, ACM TOMS 34(3), 2008.

#if defined(FULLCONV_PRODUCT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_PRODUCT_INL_H
#undef FULLCONV_PRODUCT_INL_H
#else
#define FULLCONV_PRODUCT_INL_H
#endif

#include <hwy/cache_control.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/plane.h"
#include "core/simd-inl.h"
#include "core/transpose-inl.h"
#include "gemm/product.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// Rows of a tile, at most: with so many and two vectors, the sums, a row of B and an element of A
/// fill the registers.
constexpr int kMostProductRows = kRegisters == 32 ? 14 : 6;

/// Vectors of a tile of so many rows, at most. More than eight would serve nothing: so many hide
/// the latency of an FMA even where there is one row.
constexpr int most_vectors(int rows) { return widest_row(rows, 8); }

/// One tile of C, and what it is a product of.
template <class T>
struct ProductTile {
  index_t depth;
  std::span<const Tap> taps;
  const T* a;
  index_t a_row, a_depth, a_tap;
  const T* b;
  index_t b_depth;
  T* c;
  index_t c_row;
  bool add;
};

template <class T>
using MultiplyTile = void (*)(const ProductTile<T>&);

template <class T, int... v>
HWY_INLINE void load_row(const T* b, Indices<v...>, Vector<T> (&row)[sizeof...(v)]) {
  ((row[v] = hn::LoadU(Tag<T>(), b + v * kLanes<T>)), ...);
  (keep_in_register(row[v]), ...);
}

template <class T, int... v>
HWY_INLINE void add_row_product(const T* a, const Vector<T> (&row)[sizeof...(v)], Indices<v...>,
                                Vector<T> (&sums)[sizeof...(v)]) {
  Vector<T> factor = hn::Set(Tag<T>(), *a);
  keep_in_register(factor);
  ((sums[v] = hn::MulAdd(factor, row[v], sums[v])), ...);
}

/// What the next tile is going to read beside this one's rows of A, up to the last line of it. Rows
/// of the depth are far apart, so that no core sees by itself which lines come next:
/// n8_i96_o16_112x112_k1x1 took 1.8 times as long without, n8_i256_o64_56x56_k1x1 1.16 times on a
/// Zen 4; what is in a near cache takes as long as before.
template <int kRows, class T>
HWY_INLINE void prefetch_next_rows(const T* a) {
  constexpr int kLine = 64 / sizeof(T), kLast = 2 * kRows - 1;
  if constexpr (kRows > kLine) hwy::Prefetch(a + kLast - kLine);
  hwy::Prefetch(a + kLast);
}

/// Steps of the depth from which on rows of an operand are asked for that lie so far apart that no
/// core sees by itself which come next. On a Xeon with AVX-512, whose products are bound by
/// loads from the second-level cache, n1_i256_o512_28x28_k1x1 took 1.10 times as long without,
/// n8_i256_o64_56x56_k1x1 1.19 times; with 8 steps 0.98 to 1.07 times as long as with 4.
constexpr index_t kStepsAhead = 4;

template <class T, bool kDenseRows, int kVectors, int... r>
HWY_INLINE void multiply_tile_rows(const ProductTile<T>& tile, Indices<r...>) {
  constexpr int kRows = sizeof...(r);
  constexpr IndicesTo<kVectors> v;
  using Row = Vector<T>[kVectors];
  const auto start = [&](Row& sums, const T* c) HWY_ATTR {
    if (tile.add) {
      load_row(c, v, sums);
    } else {
      [&]<int... i>(Indices<i...>) HWY_ATTR { ((sums[i] = hn::Zero(Tag<T>())), ...); }
      (v);
    }
  };
  Row sums[kRows];
  (start(sums[r], tile.c + r * tile.c_row), ...);
  const index_t depth = tile.depth, a_depth = tile.a_depth, b_depth = tile.b_depth;
  const index_t a_row = kDenseRows ? 1 : tile.a_row;
  const bool is_a_far = kDenseRows && a_depth > b_depth;
  const index_t far_step = is_a_far ? a_depth : b_depth;
  const index_t far_last = (is_a_far ? kRows : kVectors * kLanes<T>)-1;
  for (const Tap& tap : tile.taps) {
    const T* a = tile.a + tap.factor * tile.a_tap;
    const T* b = tile.b + tap.offset;
    const T* far = (is_a_far ? a : b) + kStepsAhead * far_step;
    for (index_t d = 0; d < depth; ++d, a += a_depth, b += b_depth, far += far_step) {
      Row row;
      load_row(b, v, row);
      hwy::Prefetch(far);
      hwy::Prefetch(far + far_last);
      if constexpr (kDenseRows) prefetch_next_rows<kRows>(a);
      (add_row_product(a + r * a_row, row, v, sums[r]), ...);
    }
  }
  const auto store_row = [&](const Row& row, T* c) HWY_ATTR {
    [&]<int... i>(Indices<i...>) HWY_ATTR {
      (hn::StoreU(row[i], Tag<T>(), c + i * kLanes<T>), ...);
    }
    (v);
  };
  (store_row(sums[r], tile.c + r * tile.c_row), ...);
}

template <class T, bool kDenseRows, int kRows, int kVectors>
void multiply_tile(const ProductTile<T>& tile) {
  multiply_tile_rows<T, kDenseRows, kVectors>(tile, IndicesTo<kRows>());
}

/// Functions for tiles by rows and vectors, less one each.
template <class T>
using TileFunctions = std::array<std::array<MultiplyTile<T>, 8>, kMostProductRows>;

template <class T, bool kDenseRows, int kRows, int... v>
constexpr std::array<MultiplyTile<T>, 8> tile_functions_of_rows(Indices<v...>) {
  return {multiply_tile<T, kDenseRows, kRows, v + 1>...};
}
template <class T, bool kDenseRows, int... r>
constexpr TileFunctions<T> tile_functions(Indices<r...>) {
  return {tile_functions_of_rows<T, kDenseRows, r + 1>(IndicesTo<most_vectors(r + 1)>())...};
}
template <class T, bool kDenseRows>
constexpr TileFunctions<T> kTileFunctions =
    tile_functions<T, kDenseRows>(IndicesTo<kMostProductRows>());

/// Goes over tiles: strips of columns, and the rows of each, so that a strip of B stays in the
/// first-level cache while the whole of A passes by.
template <class T>
class TiledProduct {
 public:
  explicit TiledProduct(const MatrixProduct<T>& product)
      : product_(product),
        vectors_(ceil_divide(product.columns, kLanes<T>)),
        tiles_(ceil_divide(product.rows, most_rows())),
        strips_(ceil_divide(vectors_,
                            most_vectors(static_cast<int>(ceil_divide(product.rows, tiles_))))),
        functions_(product.a_row == 1 ? kTileFunctions<T, true> : kTileFunctions<T, false>) {}

  void compute() const {
    const index_t readable = product_.b_columns / kLanes<T>;  // vectors
    for (index_t s = 0; s < strips_; ++s) {
      const Range strip = rows_of_tile(vectors_, strips_, s);
      const index_t whole = std::min(strip.end, readable);
      if (whole > strip.begin) compute_strip({strip.begin, whole});
      if (whole < strip.end) compute_staged(std::max(whole, strip.begin));
    }
  }

 private:
  /// Of a tile. Three vectors go side by side where A is not packed for other tiles: one of them
  /// alone would load as often as it multiplies.
  index_t most_rows() const {
    constexpr int kRowsOfThree = (kRegisters - 1) / 3 - 1;
    return vectors_ == 3 && product_.a_tile == 0 ? kRowsOfThree : kMostProductRows;
  }

  /// The tile of rows t, less the vectors of C.
  ProductTile<T> tile_of_rows(index_t t, Range rows) const {
    const index_t a_offset =
        product_.a_tile > 0 ? t * product_.a_tile : rows.begin * product_.a_row;
    return {.depth = product_.depth,
            .taps = product_.taps,
            .a = product_.a + a_offset,
            .a_row = product_.a_row,
            .a_depth = product_.a_depth,
            .a_tap = product_.a_tap,
            .b = product_.b,
            .b_depth = product_.b_depth,
            .c = product_.c + rows.begin * product_.c_row,
            .c_row = product_.c_row,
            .add = product_.add};
  }

  /// Columns of whole vectors, of which all can be read.
  void compute_strip(Range vectors) const {
    const index_t first = vectors.begin * kLanes<T>;
    const index_t end = std::min(vectors.end * kLanes<T>, product_.columns);
    const bool is_whole = end == vectors.end * kLanes<T>;
    for (index_t t = 0; t < tiles_; ++t) {
      const Range rows = rows_of_tile(product_.rows, tiles_, t);
      ProductTile<T> tile = tile_of_rows(t, rows);
      tile.b += first;
      tile.c += first;
      compute_tile(tile, rows.size(), vectors.size(), is_whole ? -1 : end - first);
    }
  }

  /// One tile, of which C has `columns` only unless that is negative.
  void compute_tile(ProductTile<T>& tile, index_t rows, index_t vectors, index_t columns) const {
    const MultiplyTile<T> multiply =
        functions_[static_cast<size_t>(rows - 1)][static_cast<size_t>(vectors - 1)];
    if (columns < 0) return multiply(tile);
    constexpr index_t kMostOfTile = kRegisters * kLanes<T>;
    HWY_ALIGN T sums[kMostOfTile];
    T* const c = tile.c;
    const index_t c_row = tile.c_row, width = vectors * kLanes<T>;
    if (tile.add) {
      for (index_t r = 0; r < rows; ++r) std::copy_n(c + r * c_row, columns, sums + r * width);
    }
    tile.c = sums;
    tile.c_row = width;
    multiply(tile);
    for (index_t r = 0; r < rows; ++r) std::copy_n(sums + r * width, columns, c + r * c_row);
  }

  /// The columns from a vector on that cannot be read whole: B's are put into rows of a vector
  /// first, some of the depth at a time.
  void compute_staged(index_t vector) const {
    constexpr index_t kMostStaged = 16 * 1024 / sizeof(T);
    HWY_ALIGN T staged[kMostStaged];
    const index_t first = vector * kLanes<T>;
    const index_t columns = product_.columns - first;
    const index_t width = ceil_divide(columns, kLanes<T>) * kLanes<T>;
    const index_t at_once = std::min(kMostStaged / width, product_.depth);
    std::fill_n(staged, at_once * width, T{0});
    bool add = product_.add;
    for (const Tap& tap : product_.taps)
      for (index_t begin = 0; begin < product_.depth; begin += at_once) {
        const index_t depth = std::min(at_once, product_.depth - begin);
        const T* from = product_.b + begin * product_.b_depth + tap.offset + first;
        for (index_t d = 0; d < depth; ++d) {
          std::copy_n(from + d * product_.b_depth, columns, staged + d * width);
        }
        for (index_t t = 0; t < tiles_; ++t) {
          const Range rows = rows_of_tile(product_.rows, tiles_, t);
          ProductTile<T> tile = tile_of_rows(t, rows);
          tile.a += begin * tile.a_depth + tap.factor * tile.a_tap;
          tile.depth = depth;
          tile.taps = kOnlyTap;
          tile.b = staged;
          tile.b_depth = width;
          tile.c += first;
          tile.add = add;
          compute_tile(tile, rows.size(), width / kLanes<T>, columns);
        }
        add = true;
      }
  }

  const MatrixProduct<T>& product_;
  index_t vectors_, tiles_, strips_;
  const TileFunctions<T>& functions_;
};

/// Packs rows of A that are next to each other. False where an element is not finite.
template <class T>
bool pack_dense_rows(const PackedFactors<T>& factors) {
  constexpr Tag<T> d;
  constexpr index_t kLine = 64 / sizeof(T), kAhead = 12;
  Vector<T> sum = hn::Zero(d), other = hn::Zero(d);
  for (index_t i = 0; i < factors.depth; ++i) {
    const T* from = factors.from + i * factors.depth_stride;
    if (i + kAhead < factors.available) {
      const T* next = from + kAhead * factors.depth_stride;
      for (index_t e = 0; e < factors.rows; e += kLine) hwy::Prefetch(next + e);
    }
    T* tile = factors.to + i * factors.pitch;
    for (index_t r = 0, of_tile = 0; r < factors.rows; r += kLanes<T>) {
      const index_t count = std::min(kLanes<T>, factors.rows - r);
      const Vector<T> row = count == kLanes<T>
                                ? hn::LoadU(d, from + r)
                                : load_lanes(from + r, 0, count, lanes_of<T>(0, count));
      note_non_finite<T>(row, sum);
      std::swap(sum, other);  // so that neither waits for the one before
      hn::StoreU(row, d, tile + of_tile);
      of_tile += kLanes<T>;
      if (of_tile == factors.pitch) of_tile = 0, tile += factors.tile_stride;
    }
  }
  return all_noted_finite<T>(hn::Add(sum, other));
}

template <class T, int... i>
bool pack_by_squares(const PackedFactors<T>& factors, Indices<i...> indices) {
  constexpr Tag<T> d;
  constexpr index_t kLine = 64 / sizeof(T), kAhead = 6;
  Vector<T> sums[] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (index_t o = 0; o < factors.depth; ++o) {
    const T* from = factors.from + o * factors.depth_stride;
    if (o + kAhead < factors.available) {  // from line to line there, which no core sees by itself
      const T* next = from + kAhead * factors.depth_stride;
      // As one row, where hardly a line lies between the rows.
      const bool is_row = factors.row_stride < factors.taps + kLine;
      const index_t rows = is_row ? 1 : factors.rows;
      const index_t row =
          is_row ? (factors.rows - 1) * factors.row_stride + factors.taps : factors.taps;
      for (index_t r = 0; r < rows; ++r) {
        for (index_t e = 0; e < row; e += kLine) hwy::Prefetch(next + r * factors.row_stride + e);
      }
    }
    T* tile = factors.to + o * factors.pitch;
    for (index_t r = 0, of_tile = 0; r < factors.rows; r += kLanes<T>) {
      for (index_t t = 0; t < factors.taps; t += kLanes<T>) {
        Square<T> square;
        load_square(from + r * factors.row_stride + t, factors.row_stride,
                    std::min(kLanes<T>, factors.rows - r), std::min(kLanes<T>, factors.taps - t),
                    indices, square);
        (note_non_finite<T>(square[i], sums[i % 4]), ...);
        transpose_square<T>(square);
        T* to = tile + of_tile + t * factors.tap_stride;
        ((t + i < factors.taps ? hn::StoreU(square[i], d, to + i * factors.tap_stride) : void()),
         ...);
      }
      of_tile += kLanes<T>;
      if (of_tile == factors.pitch) of_tile = 0, tile += factors.tile_stride;
    }
  }
  return all_noted_finite<T>(hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3])));
}

/// One tile of few rows, without writing beyond them.
template <class T>
bool pack_one_by_one(const PackedFactors<T>& factors) {
  T sum = 0;
  for (index_t o = 0; o < factors.depth; ++o) {
    for (index_t r = 0; r < factors.rows; ++r) {
      const T* from = factors.from + o * factors.depth_stride + r * factors.row_stride;
      for (index_t t = 0; t < factors.taps; ++t) {
        sum += T{0} * from[t];
        factors.to[t * factors.tap_stride + o * factors.pitch + r] = from[t];
      }
    }
  }
  return sum == T{0};
}

template <class T>
bool pack_factors(const PackedFactors<T>& factors) {
  if (factors.pitch % kLanes<T> != 0) return pack_one_by_one(factors);
  if (factors.taps == 1 && factors.row_stride == 1) return pack_dense_rows(factors);
  return pack_by_squares(factors, SquareIndices<T>());
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
