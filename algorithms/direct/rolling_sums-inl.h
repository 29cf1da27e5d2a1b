// Rolling sums: in a strip of columns, some vectors wide, the sums of as many rows of y as the
// kernel has stay in registers. Each row of the image enters all of them, and is loaded once for
// that; then the first sum is complete and makes room for another. No row needs an exception,
// neither the first nor the last. Rows go by blocks, each strip after strip, so that the image's
// come from the cache in order; sums that a block leaves incomplete wait in y for the next one.
// Vectors that ask for columns outside of the image are loaded by lanes, or staged, with zeros
// there.
//
// 2·H·W·h·w flops and, with v vectors, 1/h + 1/v loads an FMA; no workspace.

#if defined(FULLCONV_ROLLING_SUMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_ROLLING_SUMS_INL_H
#undef FULLCONV_ROLLING_SUMS_INL_H
#else
#define FULLCONV_ROLLING_SUMS_INL_H
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/staging-inl.h"
#include "direct/strips-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// The widest strip for which there are registers. More vectors gain nothing: with eight, no FMA
/// waits for another even of one row of taps.
constexpr int widest_rolling_strip(int kernel_rows) {
  constexpr int kWidest = 8;
  return widest_row(kernel_rows, kWidest);
}

/// Which lanes of a vector are in the image, as bits.
template <class T>
using LaneBits = std::conditional_t<kLanes<T> == 16, std::uint16_t, std::uint8_t>;

/// A strip of some rows of the image. Rows of y are counted from the one that the first of these
/// rows enters with the kernel's first row.
template <class T>
struct RollingStrip {
  const T* image;  // where the first tap meets the strip's first column
  index_t image_stride;
  const T* staged;  // the same with zeros around the image, for vectors other than `from_image`
  index_t staged_stride;
  Range from_image;
  const LaneBits<T>* of_first;  // the same by lanes of the first and of the last vector, which
  const LaneBits<T>* of_last;  // overlaps the one before rather than end beyond y; by taps' columns
  const T* taps;               // column after column
  index_t taps_columns;
  T* y;
  index_t y_stride;
  index_t outputs;  // of a row, from y on
  index_t rows;     // of the image
  Range wanted;     // rows of y to be written, counted from the first
  Range opened;     // rows of y that have sums to begin with
  bool prefetches;  // what the next strip asks for, which begins so far from this one:
  index_t next_image, next_y;
};

/// Rows of an image that has all columns, and of y.
template <class T, int kVectors>
class WholeRows {
 public:
  explicit WholeRows(const RollingStrip<T>& strip)
      : image_(strip.image), stride_(strip.image_stride) {}

  void next() { image_ += stride_; }
  template <int v>
  HWY_INLINE Vector<T> load_image(index_t q) const {
    return hn::LoadU(Tag<T>(), image_ + v * kLanes<T> - q);
  }
  template <int v>
  HWY_INLINE Vector<T> load(const T* y) const {
    return hn::LoadU(Tag<T>(), y + v * kLanes<T>);
  }
  template <int v>
  HWY_INLINE void store(Vector<T> sum, T* y) const {
    hn::StoreU(sum, Tag<T>(), y + v * kLanes<T>);
  }

 private:
  const T* image_;
  index_t stride_;
};

/// Pointers to rows of vectors of which some are staged: for the first, for each of the last two,
/// and for all between.
constexpr int kMostPlaces = 4;
inline bool places_suffice(index_t vectors, Range from_image) {
  return vectors <= kMostPlaces || (from_image.begin <= 1 && from_image.end >= vectors - 2);
}

/// Rows of which the outermost vectors may be staged, and of y, which may have fewer columns.
template <class T, int kVectors>
class EdgeRows {
 public:
  explicit EdgeRows(const RollingStrip<T>& strip)
      : outputs_(strip.outputs - (kVectors - 1) * kLanes<T>), inside_(lanes_of<T>(0, outputs_)) {
    for (int v = 0; v < kVectors; ++v) {
      const bool whole = strip.from_image.contains(v);
      rows_[place(v)] = whole ? strip.image : strip.staged;
      strides_[place(v)] = whole ? strip.image_stride : strip.staged_stride;
    }
  }

  void next() {
    for (int place = 0; place < kPlaces; ++place) rows_[place] += strides_[place];
  }
  template <int v>
  HWY_INLINE Vector<T> load_image(index_t q) const {
    return hn::LoadU(Tag<T>(), rows_[place(v)] + v * kLanes<T> - q);
  }
  template <int v>
  HWY_INLINE Vector<T> load(const T* y) const {
    const Tag<T> d;
    const T* from = y + v * kLanes<T>;
    if constexpr (v < kVectors - 1) return hn::LoadU(d, from);
    return load_lanes<T>(from, 0, outputs_, inside_);
  }
  template <int v>
  HWY_INLINE void store(Vector<T> sum, T* y) const {
    const Tag<T> d;
    T* to = y + v * kLanes<T>;
    if constexpr (v < kVectors - 1) return hn::StoreU(sum, d, to);
    hn::BlendedStore(sum, inside_, d, to);
  }

 private:
  static constexpr int kPlaces = std::min(kVectors, kMostPlaces);
  static constexpr int place(int v) { return v == 0 ? 0 : std::max(1, kPlaces - kVectors + v); }

  const T* rows_[kPlaces];
  index_t strides_[kPlaces];
  index_t outputs_;  // of the last vector
  Mask<T> inside_;
};

/// Where a strip's last vector begins, if none may end beyond y.
template <class T>
constexpr index_t last_vector(index_t outputs, index_t vectors) {
  return std::min(vectors * kLanes<T>, outputs) - kLanes<T>;
}

/// The same of several vectors by lanes: what is beside the image is zero and is not touched. Only
/// the outermost vectors may ask for that.
template <class T, int kVectors>
class MaskedRows {
 public:
  explicit MaskedRows(const RollingStrip<T>& strip)
      : image_(strip.image),
        stride_(strip.image_stride),
        of_first_(strip.of_first),
        of_last_(strip.of_last),
        last_(last_vector<T>(strip.outputs, kVectors)) {}

  void next() { image_ += stride_; }
  template <int v>
  HWY_INLINE Vector<T> load_image(index_t q) const {
    const T* from = image_ + begin<v>() - q;
    if constexpr (v == 0) return load_inside(from, of_first_ + q);
    if constexpr (v == kVectors - 1) return load_inside(from, of_last_ + q);
    return hn::LoadU(Tag<T>(), from);
  }
  template <int v>
  HWY_INLINE Vector<T> load(const T* y) const {
    return hn::LoadU(Tag<T>(), y + begin<v>());
  }
  template <int v>
  HWY_INLINE void store(Vector<T> sum, T* y) const {
    hn::StoreU(sum, Tag<T>(), y + begin<v>());
  }

 private:
  static HWY_INLINE Vector<T> load_inside(const T* from, const LaneBits<T>* inside) {
    const Tag<T> d;
    const auto* bits = reinterpret_cast<const std::uint8_t*>(inside);
    return hn::MaskedLoad(hn::LoadMaskBits(d, bits), d, from);
  }
  template <int v>
  index_t begin() const {
    return v == kVectors - 1 ? last_ : v * kLanes<T>;
  }

  const T* image_;
  index_t stride_;
  const LaneBits<T>* of_first_;
  const LaneBits<T>* of_last_;
  index_t last_;
};

template <class T, int kVectors, class Rows, int... v>
HWY_INLINE void open_sums(const Rows& rows, bool opened, const T* y, Indices<v...>,
                          Vector<T> (&sums)[kVectors]) {
  if (opened) {
    ((sums[v] = rows.template load<v>(y)), ...);
  } else {
    ((sums[v] = hn::Zero(Tag<T>())), ...);
  }
}

template <class T, int kVectors, class Rows, int... v>
HWY_INLINE void close_sums(const Rows& rows, const Vector<T> (&sums)[kVectors], Indices<v...>,
                           T* y) {
  (rows.template store<v>(sums[v], y), ...);
}

template <class T, int kVectors, int... v>
HWY_INLINE void move_sums(const Vector<T> (&from)[kVectors], Indices<v...>,
                          Vector<T> (&to)[kVectors]) {
  ((to[v] = from[v]), ...);
}

/// Asks for vectors of x to be read, or of y to be written to.
template <class T, int... v>
HWY_INLINE void prefetch(T* vectors, Indices<v...>) {
  (__builtin_prefetch(vectors + v * kLanes<std::remove_const_t<T>>, std::is_const_v<T> ? 0 : 1),
   ...);
}

/// A row of the image by a column of taps.
template <class T, int kVectors, int kKernelRows, class Rows, int... v, int... p>
HWY_INLINE void add_column(const Rows& rows, index_t q, const T* taps, Indices<v...> vectors,
                           Indices<p...>, Vector<T> (&sums)[kKernelRows][kVectors]) {
  Vector<T> image[] = {rows.template load_image<v>(q)...};
  (keep_in_register(image[v]), ...);
  (multiply_add<T, kVectors>(taps[p], image, vectors, sums[p]), ...);
}

/// s counts the kernel's rows but the last.
template <class T, template <class, int> class Rows, int kVectors, int... p, int... s>
HWY_INLINE void roll_rows(const RollingStrip<T>& strip, Indices<p...> all, Indices<s...>) {
  constexpr IndicesTo<kVectors> v;
  constexpr int kKernelRows = sizeof...(p);
  Rows<T, kVectors> rows(strip);
  const T* image = strip.image;
  T* y = strip.y;
  Vector<T> sums[kKernelRows][kVectors];
  (open_sums<T, kVectors>(rows, strip.opened.contains(p), y + p * strip.y_stride, v, sums[p]), ...);
  index_t row = 0;
  for (; row < strip.rows; ++row) {
    if (strip.prefetches) {
      prefetch(image + strip.next_image, v);
      prefetch(y + strip.next_y, v);
    }
    const T* taps = strip.taps;
    for (index_t q = 0; q < strip.taps_columns; ++q, taps += kKernelRows) {
      add_column<T, kVectors>(rows, q, taps, v, all, sums);
    }
    if (row >= strip.wanted.begin) close_sums<T, kVectors>(rows, sums[0], v, y);
    (move_sums<T, kVectors>(sums[s + 1], v, sums[s]), ...);
    open_sums<T, kVectors>(rows, strip.opened.contains(row + kKernelRows),
                           y + kKernelRows * strip.y_stride, v, sums[kKernelRows - 1]);
    rows.next();
    image += strip.image_stride;
    y += strip.y_stride;
  }
  ((strip.wanted.contains(row + s)
        ? close_sums<T, kVectors>(rows, sums[s], v, y + s * strip.y_stride)
        : void()),
   ...);
}

template <class T, template <class, int> class Rows, int kKernelRows, int kVectors>
void roll(const RollingStrip<T>& strip) {
  roll_rows<T, Rows, kVectors>(strip, IndicesTo<kKernelRows>(), IndicesTo<kKernelRows - 1>());
}

template <class T>
using Roll = void (*)(const RollingStrip<T>& strip);

/// By rows of the kernel and vectors, less one each.
template <class T, template <class, int> class Rows, int kMostRows = kMostRollingRows>
constexpr auto kRolls = [] {
  std::array<std::array<Roll<T>, widest_rolling_strip(1)>, kMostRows> table{};
  const auto fill = [&]<int p, int... v>(Indices<p>, Indices<v...>) {
    ((table[p][v] = roll<T, Rows, p + 1, v + 1>), ...);
  };
  [&]<int... p>(Indices<p...>) {
    (fill(Indices<p>{}, IndicesTo<widest_rolling_strip(p + 1)>{}), ...);
  }
  (IndicesTo<kMostRows>{});
  return table;
}();

/// Whether lanes are loaded, and not staged. That takes two cycles more for each row and column of
/// taps on a Zen 4, and staging twenty for a row: n1_i128_o128_56x56_k3x3_p1x1x1x1_g128 takes 0.77
/// times as long by lanes, n64_i1_o1_8x8_k5x5 1.05 times, and in double 1.1 times.
constexpr index_t kMostMaskedTaps = 3;
constexpr bool loads_by_lanes(index_t vectors, index_t kernel_rows, index_t kernel_columns) {
  return vectors > 1 && std::max(kernel_rows, kernel_columns) <= kMostMaskedTaps;
}

/// What a strip has to do with an image and a kernel, both so many columns wide.
template <class T>
struct Reach {
  Range taps;        // that meet the image
  index_t column;    // of the image, that the first of these meets in the strip's first
  Range from_image;  // vectors; others lack columns

  Reach(index_t first, index_t vectors, index_t image_columns, index_t kernel_columns)
      : taps(intersection({first - image_columns + 1, first + vectors * kLanes<T>},
                          {0, kernel_columns})),
        column(first - taps.begin) {
    const index_t left = ceil_divide(taps.size() - 1 - column, kLanes<T>);
    const index_t right = (image_columns - column) / kLanes<T>;
    from_image.begin = std::clamp<index_t>(left, 0, vectors);
    from_image.end = std::clamp(right, from_image.begin, vectors);
    if (from_image.empty() || !places_suffice(vectors, from_image)) from_image = {vectors, vectors};
  }

  bool is_inside(index_t vectors) const { return from_image.size() == vectors; }
  /// Whether only the outermost vectors lack some.
  bool has_all_inner(index_t vectors) const {
    return vectors == 2 || (from_image.begin <= 1 && from_image.end >= vectors - 1);
  }

  /// Columns to the left of a vector that its taps ask for, in whole vectors.
  index_t edge() const { return ceil_divide(taps.size() - 1, kLanes<T>) * kLanes<T>; }
};

/// Rows of the image in a block. Far from caches few, since processors follow only so many and
/// fetch them ahead, but no fewer than the kernel has, since sums that a block leaves go to y and
/// back: with 16 rows 512x512_k3x3 took 1.07 times as long as with 8, with 8 rows
/// 512x512_k11x11 1.05 times as long as with 16; in caches 128x128_k3x3 took 1.05 times as long
/// with 16 as with 32.
constexpr index_t kMostBlockRows = 32;
inline index_t rolling_block_rows(bool far, index_t kernel_rows) {
  if (!far) return kMostBlockRows;
  return kernel_rows <= 8 ? 8 : 16;
}

/// A plane's convolution with a finite kernel of few rows, and few enough columns to be staged.
template <class T>
class RollingConvolution {
 public:
  RollingConvolution(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                     Range columns, bool add, bool far)
      : x_(x),
        y_(y),
        k_(k),
        columns_(columns),
        add_(add),
        strips_(widest_rolling_strip(static_cast<int>(k.rows)), columns, true),
        far_(far) {
    for (index_t q = 0; q < k.columns; ++q) {
      for (index_t p = 0; p < k.rows; ++p) taps_[q * k.rows + p] = k(p, q);
    }
  }

  void compute(Range wanted) const {
    if (wanted.empty()) return;
    const Range image = intersection({wanted.begin - k_.rows + 1, wanted.end}, {0, x_.rows});
    const index_t at_once = rolling_block_rows(far_, k_.rows);
    Range opened{wanted.begin, add_ ? wanted.end : wanted.begin};
    for (index_t begin = image.begin; begin < image.end; begin += at_once) {
      const Range rows{begin, std::min(begin + at_once, image.end)};
      for (index_t s = 0; s < strips_.count; ++s) compute_strip(s, rows, wanted, opened);
      opened.end = std::clamp(rows.end + k_.rows - 1, opened.end, wanted.end);
    }
  }

 private:
  void compute_strip(index_t s, Range rows, Range wanted, Range opened) const {
    const index_t first = strips_.begin(s);
    const index_t vectors = strips_.vectors(s);
    const Reach<T> reach(first, vectors, x_.columns, k_.columns);
    // The one beside it, or the first of the rows below, which in the last rows is in the plane
    // that lies behind this one. Its edges are taken row by row, out of the order that cores
    // follow: of planes beyond all caches n8_i32_o32_112x112_k3x3_g32 took 1.9 times as long
    // without, on a Zen 4, and n8_i128_o128_56x56_k3x3_g128 1.6 times.
    const bool is_last = s + 1 == strips_.count;
    const index_t across = (is_last ? strips_.begin(0) : strips_.begin(s + 1)) - first;
    const index_t down = is_last ? rows.size() : 0;
    RollingStrip<T> strip{.image = x_.row(rows.begin) + reach.column,
                          .image_stride = x_.row_stride,
                          .staged = nullptr,
                          .staged_stride = 0,
                          .from_image = reach.from_image,
                          .of_first = nullptr,
                          .of_last = nullptr,
                          .taps = taps_ + reach.taps.begin * k_.rows,
                          .taps_columns = reach.taps.size(),
                          .y = y_.row(rows.begin) + first,
                          .y_stride = y_.row_stride,
                          .outputs = columns_.end - first,
                          .rows = rows.size(),
                          .wanted = {wanted.begin - rows.begin, wanted.end - rows.begin},
                          .opened = {opened.begin - rows.begin, opened.end - rows.begin},
                          .prefetches = far_,
                          .next_image = down * x_.row_stride + across,
                          .next_y = down * y_.row_stride + across};
    const auto width = static_cast<std::size_t>(vectors - 1);
    const auto height = static_cast<std::size_t>(k_.rows - 1);
    if (reach.is_inside(vectors) && first + vectors * kLanes<T> <= columns_.end) {
      return kRolls<T, WholeRows>[height][width](strip);
    }
    if (loads_by_lanes(vectors, k_.rows, k_.columns) && reach.has_all_inner(vectors)) {
      LaneBits<T> of_first[kMostMaskedTaps], of_last[kMostMaskedTaps];
      const index_t last = reach.column + last_vector<T>(strip.outputs, vectors);
      for (index_t q = 0; q < reach.taps.size(); ++q) {
        of_first[q] = lanes_inside(reach.column - q);
        of_last[q] = lanes_inside(last - q);
      }
      strip.of_first = of_first;
      strip.of_last = of_last;
      return kRolls<T, MaskedRows, kMostMaskedTaps>[height][width](strip);
    }
    HWY_ALIGN T staged[kStagedElements];
    const index_t edge = reach.edge();
    const index_t pitch = edge + vectors * kLanes<T>;
    const auto stage_vectors = [&](index_t begin, index_t end) HWY_ATTR {
      if (begin == end) return;
      for (index_t at = begin * kLanes<T>; at < edge + end * kLanes<T>; at += kLanes<T>) {
        stage_vector(x_, rows, reach.column - edge + at, staged + at, pitch);
      }
    };
    stage_vectors(0, reach.from_image.begin);
    stage_vectors(reach.from_image.end, vectors);
    strip.staged = staged + edge;
    strip.staged_stride = pitch;
    kRolls<T, EdgeRows>[height][width](strip);
  }

  /// Of a vector from this column on.
  LaneBits<T> lanes_inside(index_t column) const {
    constexpr unsigned kAll = (1U << static_cast<unsigned>(kLanes<T>)) - 1;
    const index_t before = std::clamp<index_t>(-column, 0, kLanes<T>);
    const index_t beyond = std::clamp<index_t>(column + kLanes<T> - x_.columns, 0, kLanes<T>);
    return static_cast<LaneBits<T>>((kAll << before) & (kAll >> beyond));
  }

  static constexpr index_t kStagedElements =
      kMostBlockRows * (widest_rolling_strip(1) * kLanes<T> + kMostKernelColumns);

  const Plane<const T> x_;
  const Plane<T> y_;
  const Plane<const T> k_;
  const Range columns_;  // of y that are wanted
  const bool add_;
  const Strips<T> strips_;
  const bool far_;
  T taps_[kMostRollingRows * kMostKernelColumns];
};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
