// Channels that are convolved by themselves, as they lie: direct/channel_rows.h, for each
// instruction set.

#include "direct/channel_rows.h"

#include <algorithm>
#include <array>

#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "direct/channel_rows.cpp"
#include <hwy/foreach_target.h>

#include "core/simd-inl.h"
#include "core/staging-inl.h"
#include "core/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

template <class T>
bool is_finite(const Plane<const T>& k) {
  const bool is_dense = k.row_stride == k.columns;
  const index_t rows = is_dense ? 1 : k.rows, columns = is_dense ? k.rows * k.columns : k.columns;
  Vector<T> sum = hn::Zero(Tag<T>());
  for (index_t p = 0; p < rows; ++p) {
    for (index_t q = 0; q < columns; q += kLanes<T>) {
      const index_t count = std::min(kLanes<T>, columns - q);
      note_non_finite<T>(load_lanes<T>(k.row(p) + q, 0, count, lanes_of<T>(0, count)), sum);
    }
  }
  return all_noted_finite<T>(sum);
}

/// A tile of so many pairs of rows, and of a vector of pairs of columns: its sums, some taps of
/// each of the kernel's rows and a vector of samples are in registers.
template <int kTapsOf, int kResidue, int kPairsOf>
struct Shape {
  static constexpr int kTaps = kTapsOf, kPairs = kPairsOf;
  static constexpr int kBefore = (kTaps - 1 - kResidue) / 2;
  static constexpr int kSampleRows = kBefore + kPairs + kResidue;
  static constexpr int kRows = 2 * kPairs;

  /// The tap with which row r takes the tile's e-th row of samples, if there is such a tap.
  static constexpr int tap(int r, int e) { return kResidue + r % 2 - 2 * (e - kBefore - r / 2); }
};

/// Both columns of a pair, row after row.
template <class T, class Shape>
using Sums = Vector<T>[2 * Shape::kRows];

/// Taps for one or both columns of a pair, row after row.
template <class T, class Shape, int kColumns>
using Taps = Vector<T>[Shape::kTaps * kColumns];

/// To the i-th sum of those of columns [kFirst, kFirst + kColumns) of the pairs.
template <class T, class Shape, int e, int kFirst, int kColumns, int i>
HWY_INLINE void add_product(Vector<T> samples, const Taps<T, Shape, kColumns>& taps,
                            Sums<T, Shape>& sums) {
  constexpr int r = i / kColumns, b = i % kColumns, p = Shape::tap(r, e);
  if constexpr (0 <= p && p < Shape::kTaps) {
    Vector<T>& sum = sums[2 * r + kFirst + b];
    sum = hn::MulAdd(samples, taps[p * kColumns + b], sum);
  }
}

template <class T, class Shape, int e, int kFirst, int kColumns, int... i>
HWY_INLINE void add_row(const T* from, const Taps<T, Shape, kColumns>& taps, Sums<T, Shape>& sums,
                        Indices<i...>) {
  Vector<T> samples = hn::LoadU(Tag<T>(), from);
  keep_in_register(samples);
  (add_product<T, Shape, e, kFirst, kColumns, i>(samples, taps, sums), ...);
}

/// What a vector of samples of each row adds: column kFirst of the pairs takes tap q of it, the
/// next one q + 1.
template <class T, class Shape, int kFirst, int kColumns, int... t, int... e>
HWY_INLINE void add_column(const T* samples, index_t pitch, const Plane<const T>& k, index_t q,
                           Sums<T, Shape>& sums, Indices<t...>, Indices<e...>) {
  constexpr Tag<T> d;
  Vector<T> taps[] = {hn::Set(d, k(t / kColumns, q + t % kColumns))...};
  (keep_in_register(taps[t]), ...);
  constexpr IndicesTo<Shape::kRows * kColumns> i;
  (add_row<T, Shape, e, kFirst, kColumns>(samples + (e - Shape::kBefore) * pitch, taps, sums, i),
   ...);
}

template <class T, class Shape, int kFirst, int kColumns>
HWY_INLINE void add_column(const T* samples, index_t pitch, const Plane<const T>& k, index_t q,
                           Sums<T, Shape>& sums) {
  add_column<T, Shape, kFirst, kColumns>(samples, pitch, k, q, sums,
                                         IndicesTo<Shape::kTaps * kColumns>(),
                                         IndicesTo<Shape::kSampleRows>());
}

/// Writes the first `count` elements of a[0], b[0], a[1], b[1] and so on, at least a vector.
template <class T>
class Pairing {
 public:
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  static constexpr bool kStoresParts = true;

  // Highway's way takes six permutations where two will do.
  Pairing(index_t count, bool whole_lines)
      : last_(count - kLanes<T>),
        whole_lines_(whole_lines),
        first_from_(from(0)),
        last_from_(from(last_)) {}

  HWY_INLINE void store(Vector<T> a, Vector<T> b, T* to) const {
    constexpr Tag<T> d;
    const Vector<T> first = permuted(a, first_from_, b), last = permuted(a, last_from_, b);
    if (whole_lines_) {
      hn::Stream(first, d, to);
      hn::Stream(last, d, to + last_);
    } else {
      hn::StoreU(first, d, to);
      hn::StoreU(last, d, to + last_);
    }
  }

 private:
  static __m512i from(index_t first) {
    alignas(64) std::array<hwy::MakeUnsigned<T>, static_cast<size_t>(kLanes<T>)> lanes;
    for (index_t i = 0; i < kLanes<T>; ++i) {
      lanes[static_cast<size_t>(i)] =
          static_cast<hwy::MakeUnsigned<T>>((first + i) / 2 + (first + i) % 2 * kLanes<T>);
    }
    return _mm512_load_si512(lanes.data());
  }
  HWY_INLINE static Vector<float> permuted(Vector<float> a, __m512i from, Vector<float> b) {
    return Vector<float>{_mm512_permutex2var_ps(a.raw, from, b.raw)};
  }
  HWY_INLINE static Vector<double> permuted(Vector<double> a, __m512i from, Vector<double> b) {
    return Vector<double>{_mm512_permutex2var_pd(a.raw, from, b.raw)};
  }

  index_t last_;
  bool whole_lines_;
  __m512i first_from_, last_from_;
#else
  static constexpr bool kStoresParts = false;

  Pairing(index_t count, bool) : count_(count) {}

  HWY_INLINE void store(Vector<T> a, Vector<T> b, T* to) const {
    constexpr Tag<T> d;
    if (count_ == 2 * kLanes<T>) return hn::StoreInterleaved2(a, b, d, to);
    HWY_ALIGN T pairs[2 * kLanes<T>];
    hn::StoreInterleaved2(a, b, d, pairs);
    hn::StoreU(hn::Load(d, pairs), d, to);
    copy_few(pairs + kLanes<T>, count_ - kLanes<T>, to + kLanes<T>);
  }

 private:
  index_t count_;
#endif
};

template <class T, class Shape, int... i, int... r>
HWY_INLINE void sum_tile(const T* samples, index_t pitch, const Plane<const T>& k,
                         const PairedAxis& columns, const Pairing<T>& pairing, const Plane<T>& y,
                         Indices<i...>, Indices<r...>) {
  Sums<T, Shape> sums;
  ((sums[i] = hn::Zero(Tag<T>())), ...);
  index_t q = columns.residue;
  if (q > 0) add_column<T, Shape, 1, 1>(samples + 1, pitch, k, 0, sums);
  for (; q + 1 < columns.taps; q += 2, --samples) {
    add_column<T, Shape, 0, 2>(samples, pitch, k, q, sums);
  }
  if (q < columns.taps) add_column<T, Shape, 0, 1>(samples, pitch, k, q, sums);
  const auto store = [&](int row)
                         HWY_ATTR { pairing.store(sums[2 * row], sums[2 * row + 1], y.row(row)); };
  // The last row of a pair may not exist.
  ((r + 1 < Shape::kRows || Shape::kRows <= y.rows ? store(r) : void()), ...);
}

/// All tiles of some channels. The last ones may compute again what those before have computed.
template <class T, class Shape>
void sum_tiles(const StagedChannels<T>& channels) {
  const index_t rows = channels.rows.outputs, columns = channels.columns.outputs;
  const index_t row_pairs = channels.rows.pairs(), column_pairs = channels.columns.pairs();
  const T* samples = channels.samples;
  Plane<const T> k = channels.k;
  Plane<T> y = channels.y;
  const bool lines = channels.past_caches && columns % kLanes<T> == 0 &&
                     are_lines(y.data, channels.y_step) && are_lines(y.data, y.row_stride);
  const Pairing<T> whole(2 * kLanes<T>, lines);
  const Pairing<T> last(std::min(columns, 2 * kLanes<T> - columns % 2), lines);
  for (index_t c = 0; c < channels.count; ++c) {
    for (index_t i = 0; i < row_pairs; i += Shape::kPairs) {
      const index_t row = std::min<index_t>(i, row_pairs - Shape::kPairs);
      const auto sum = [&](index_t column, const Pairing<T>& pairing) HWY_ATTR {
        const Plane<T> to{y.row(2 * row) + 2 * column, rows - 2 * row, columns, y.row_stride};
        sum_tile<T, Shape>(samples + row * channels.pitch + column, channels.pitch, k,
                           channels.columns, pairing, to, IndicesTo<2 * Shape::kRows>(),
                           IndicesTo<Shape::kRows>());
      };
      const index_t last_column = std::max<index_t>(0, column_pairs - kLanes<T>);
      for (index_t j = 0; j < last_column; j += kLanes<T>) sum(j, whole);
      sum(last_column, last);
    }
    samples += channels.samples_step;
    k.data += channels.k_step;
    y.data += channels.y_step;
  }
  if (lines) hwy::FlushStream();
}

template <class T>
struct TileFunction {
  index_t pairs;
  void (*sum)(const StagedChannels<T>& channels);
};

/// By pairs of rows, fewer and fewer.
template <class T>
using TileFunctions = std::array<TileFunction<T>, 4>;

template <class T, int kTaps, int kResidue, int... pairs>
constexpr TileFunctions<T> tiles_of(Indices<pairs...>) {
  return {TileFunction<T>{pairs, sum_tiles<T, Shape<kTaps, kResidue, pairs>>}...};
}

/// By residues.
template <class T, int kTaps>
constexpr auto kTiles = [](auto pairs) {
  return std::array{tiles_of<T, kTaps, 0>(pairs), tiles_of<T, kTaps, 1>(pairs)};
}(Indices<kRegisters / 8, 3, 2, 1>());

/// Those that compute the fewest rows in all; the highest of them.
template <class T>
const TileFunction<T>& best_of(const TileFunctions<T>& functions, index_t pairs) {
  const auto computed = [pairs](const TileFunction<T>& tile) {
    return tile.pairs > pairs ? index_t{1} << 62
                              : ceil_divide(pairs, tile.pairs) * (tile.pairs + 1);
  };
  return *std::ranges::min_element(functions, {}, computed);
}

template <class T>
void convolve(const StagedChannels<T>& channels) {
  const PairedAxis& rows = channels.rows;
  const auto residue = static_cast<size_t>(rows.residue);
  const TileFunctions<T>& functions = rows.taps == 3   ? kTiles<T, 3>[residue]
                                      : rows.taps == 5 ? kTiles<T, 5>[residue]
                                                       : kTiles<T, 7>[residue];
  best_of(functions, rows.pairs()).sum(channels);
}

template <class T>
constexpr ChannelRows<T> kChannelRows{.lanes = kLanes<T>,
                                      .stores_parts = Pairing<T>::kStoresParts,
                                      .stage = stage<T>,
                                      .is_finite = is_finite<T>,
                                      .convolve = convolve<T>};

const ChannelRows<float>* rows_f32() { return &kChannelRows<float>; }
const ChannelRows<double>* rows_f64() { return &kChannelRows<double>; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fullconv {
namespace {

HWY_EXPORT(rows_f32);
HWY_EXPORT(rows_f64);

}  // namespace

template <>
const ChannelRows<float>& channel_rows<float>() {
  return *HWY_DYNAMIC_DISPATCH(rows_f32)();
}
template <>
const ChannelRows<double>& channel_rows<double>() {
  return *HWY_DYNAMIC_DISPATCH(rows_f64)();
}

}  // namespace fullconv
#endif
