// Small planes as one long row: each row of the image gets w − 1 zeros behind it, and rows of zeros
// above and below the image are added. Then image and y have rows of the same pitch, and y = x ∗ k
// is the convolution of long rows with the taps k(p, q) at p·pitch + q. No vector ends at the edge
// of a plane, and the loop has no branches; but each FMA needs a load, and the zeros above and
// below are multiplied, too.

#if defined(FULLCONV_FLAT_PLANE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_FLAT_PLANE_INL_H
#undef FULLCONV_FLAT_PLANE_INL_H
#else
#define FULLCONV_FLAT_PLANE_INL_H
#endif

#include <algorithm>
#include <array>

#include "core/plane.h"
#include "core/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

/// The vectors of y from `y` on = the taps of some rows of k, or += where `add`. For the first
/// output the tap (0, 0) meets the image at `image`.
template <class T, int... v>
HWY_INLINE void add_taps(const T* image, index_t pitch, const Plane<const T>& k, Range rows,
                         bool add, T* y, Indices<v...>) {
  const Tag<T> d;
  Vector<T> sums[] = {(add ? hn::LoadU(d, y + v * kLanes<T>) : hn::Zero(d))...};
  for (index_t p = rows.begin; p < rows.end; ++p) {
    const T* taps = k.row(p);
    const T* at = image - p * pitch;
    for (index_t q = 0; q < k.columns; ++q, --at) {
      const Vector<T> tap = hn::Set(d, taps[q]);
      ((sums[v] = hn::MulAdd(tap, hn::LoadU(d, at + v * kLanes<T>), sums[v])), ...);
    }
  }
  (hn::StoreU(sums[v], d, y + v * kLanes<T>), ...);
}

/// A plane's convolution with a finite kernel, where there are no gaps between the rows of y.
template <class T>
class FlatPlane {
 public:
  static constexpr index_t kMostColumns = 16;
  /// Vectors of sums: enough to hide an FMA's latency, with registers left for a tap.
  static constexpr int kMostVectors = 12;

  /// Whether this is faster than tiles, which leave lanes idle at the end of short rows. With AVX2
  /// it is 1.2 to 1.9 times as fast up to 15 columns, and slower from 16 or 17 on; with AVX-512
  /// rolling sums are 0.98 to 1.8 times as fast from 10 columns on.
  static bool suits(index_t kernel_rows, index_t kernel_columns, index_t output_columns) {
    return output_columns < kMostColumns &&
           length(output_columns, kernel_rows, kernel_columns, kernel_rows) <= kMostElements;
  }

  FlatPlane(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y, bool add)
      : x_(x), k_(k), y_(y), pitch_(x.columns + k.columns - 1), add_(add) {}

  /// y's rows `wanted` = x ∗ k, or += where `add`.
  void compute(Range wanted) const {
    const index_t at_once =
        k_.rows + (kMostElements - length(pitch_, k_.rows, k_.columns, k_.rows)) / pitch_;
    for (index_t i = wanted.begin; i < wanted.end; i += at_once) {
      compute_rows({i, std::min(i + at_once, wanted.end)});
    }
  }

 private:
  static constexpr index_t kMostElements = 16 * 1024 / sizeof(T);
  using AddTaps = void (*)(const T* image, index_t pitch, const Plane<const T>& k, Range rows,
                           bool add, T* y);
  /// By vectors, less one.
  static constexpr auto kRuns = []<int... n>(Indices<n...>) {
    return std::array<AddTaps, sizeof...(n)>{
        [](const T* image, index_t pitch, const Plane<const T>& k, Range rows, bool add, T* y)
            HWY_ATTR { add_taps(image, pitch, k, rows, add, y, IndicesTo<n + 1>{}); }...};
  }
  (IndicesTo<kMostVectors>{});

  /// Elements of the long row: zeros, the image rows that so many of y ask for, a vector.
  static index_t length(index_t pitch, index_t kernel_rows, index_t kernel_columns,
                        index_t output_rows) {
    return kernel_columns - 1 + (output_rows + kernel_rows - 1) * pitch + kLanes<T>;
  }

  void compute_rows(Range wanted) const {
    HWY_ALIGN T image[kMostElements];
    flatten(wanted, image);
    const T* first_meeting = image + (k_.rows - 1) * pitch_ + k_.columns - 1;
    const index_t outputs = (wanted.end - wanted.begin) * pitch_;
    const index_t vectors = ceil_divide(outputs, kLanes<T>);
    const index_t runs = ceil_divide(vectors, kMostVectors);
    for (index_t run = 0; run < runs; ++run) {
      const index_t first = run * vectors / runs;
      const index_t end = (run + 1) * vectors / runs;
      const index_t begin = first * kLanes<T>;
      const index_t count = std::min(end * kLanes<T>, outputs) - begin;
      const Range rows{wanted.begin + begin / pitch_,
                       wanted.begin + (begin + count - 1) / pitch_ + 1};
      const Range taps = intersection({rows.begin - x_.rows + 1, rows.end}, {0, k_.rows});
      const auto add_to = [&](T* y) {
        kRuns[static_cast<std::size_t>(end - first - 1)](first_meeting + begin, pitch_, k_, taps,
                                                         add_, y);
      };
      T* y = y_.row(wanted.begin) + begin;
      if (count == (end - first) * kLanes<T>) {
        add_to(y);
      } else {  // the last vector has lanes beyond y
        HWY_ALIGN T sums[kMostVectors * kLanes<T>];
        if (add_) std::copy_n(y, count, sums);
        add_to(sums);
        std::copy_n(sums, count, y);
      }
    }
  }

  /// Writes the long row. core/staging-inl.h cannot: it goes down the columns, where a vector that
  /// ends beyond its row would overwrite the next one's beginning.
  void flatten(Range wanted, T* image) const {
    const Tag<T> d;
    const index_t first = wanted.begin - k_.rows + 1;  // row of the image
    const Range rows = intersection({first, wanted.end}, {0, x_.rows});
    T* to = image;
    const auto fill_zero_to = [&](index_t end) HWY_ATTR {
      for (; to < image + end; to += kLanes<T>) hn::StoreU(hn::Zero(d), d, to);
      to = image + end;
    };
    const index_t whole = x_.columns / kLanes<T> * kLanes<T>;
    const index_t rest = x_.columns - whole;
    const Mask<T> mask = lanes_of<T>(0, rest);
    fill_zero_to(k_.columns - 1 + (rows.begin - first) * pitch_);
    // A vector may end beyond its row, where the next one or zeros will be.
    for (index_t r = rows.begin; r < rows.end; ++r) {
      const T* row = x_.row(r);
      index_t j = 0;
      for (; j < whole; j += kLanes<T>) hn::StoreU(hn::LoadU(d, row + j), d, to + j);
      if (rest > 0) {
        hn::StoreU(load_lanes<T>(row + j, 0, rest, mask), d, to + j);
        j += kLanes<T>;
      }
      for (; j < pitch_; j += kLanes<T>) hn::StoreU(hn::Zero(d), d, to + j);
      to += pitch_;
    }
    fill_zero_to(length(pitch_, k_.rows, k_.columns, wanted.end - wanted.begin) - kLanes<T>);
    hn::StoreU(hn::Zero(d), d, to);
  }

  const Plane<const T> x_;
  const Plane<const T> k_;
  const Plane<T> y_;
  const index_t pitch_;  // of both long rows
  const bool add_;
};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
