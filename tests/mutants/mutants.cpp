// Deliberately wrong convolutions of dense problems, whose outputs show it.

#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "mutants/faithful.h"

namespace fullconv::testing {
namespace {

// --- the kernel the wrong way round ---

template <class T>
struct FlippedRows : Faithful<T> {
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    return k(o, c, k.extents[2] - 1 - p, q);
  }
};

template <class T>
struct FlippedColumns : Faithful<T> {
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    return k(o, c, p, k.extents[3] - 1 - q);
  }
};

template <class T>
struct Correlation : Faithful<T> {
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    return k(o, c, k.extents[2] - 1 - p, k.extents[3] - 1 - q);
  }
};

// --- head, middle and tail of each axis by if/else, as they are written by hand ---

/// Multiplies slices element by element: the kernel's taps in the image's order, which in the head
/// are those from its front.
template <class T>
struct SlicesFromFront : Faithful<T> {
  static index_t tap(index_t size, index_t i, index_t p) {
    return i < size - 1 ? i - p : size - 1 - p;
  }
  index_t row_tap(const Problem& s, index_t i, index_t p) { return tap(s.h, i, p); }
  index_t column_tap(const Problem& s, index_t j, index_t q) { return tap(s.w, j, q); }
};

/// The same with the kernel flipped before: right but in the head.
template <class T>
struct SlicesFlippedFromFront : SlicesFromFront<T> {
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    return k(o, c, k.extents[2] - 1 - p, k.extents[3] - 1 - q);
  }
};

// --- a border off by one: a tap is missing where the kernel enters or leaves the image ---

template <class T>
struct FirstRowAtHead : Faithful<T> {
  index_t first_row(const Problem& s, index_t i) {
    return i < s.H ? 1 : Faithful<T>::first_row(s, i);
  }
};

template <class T>
struct FirstRowAtTail : Faithful<T> {
  index_t first_row(const Problem& s, index_t i) { return std::max<index_t>(0, i - s.H + 2); }
};

template <class T>
struct LastRowAtHead : Faithful<T> {
  index_t last_row(const Problem& s, index_t i) { return i < s.h ? i - 1 : s.h - 1; }
};

template <class T>
struct LastRowAtTail : Faithful<T> {
  index_t last_row(const Problem& s, index_t i) { return i < s.h ? i : s.h - 2; }
};

template <class T>
struct FirstColumnAtHead : Faithful<T> {
  index_t first_column(const Problem& s, index_t j) {
    return j < s.W ? 1 : Faithful<T>::first_column(s, j);
  }
};

template <class T>
struct FirstColumnAtTail : Faithful<T> {
  index_t first_column(const Problem& s, index_t j) { return std::max<index_t>(0, j - s.W + 2); }
};

template <class T>
struct LastColumnAtHead : Faithful<T> {
  index_t last_column(const Problem& s, index_t j) { return j < s.w ? j - 1 : s.w - 1; }
};

template <class T>
struct LastColumnAtTail : Faithful<T> {
  index_t last_column(const Problem& s, index_t j) { return j < s.w ? j : s.w - 2; }
};

// --- a tap too many, so that the cell beside a row is taken for a sample ---

template <class T>
struct ReachesBeforeRow : Faithful<T> {
  index_t last_column(const Problem& s, index_t j) { return std::min(j + 1, s.w - 1); }
};

template <class T>
struct ReachesPastRow : Faithful<T> {
  index_t first_column(const Problem& s, index_t j) { return std::max<index_t>(0, j - s.W); }
};

// --- a circular convolution whose period is one short ---

template <class T>
struct WrapsRows : Faithful<T> {
  template <class SumAt>
  T value(const Problem& s, index_t i, index_t j, const SumAt& sum_at) {
    return sum_at(i, j) + (i == 0 ? sum_at(s.output_rows() - 1, j) : 0);
  }
};

template <class T>
struct WrapsColumns : Faithful<T> {
  template <class SumAt>
  T value(const Problem& s, index_t i, index_t j, const SumAt& sum_at) {
    return sum_at(i, j) + (j == 0 ? sum_at(i, s.output_columns() - 1) : 0);
  }
};

// --- axes mixed up ---

template <class T>
struct SwapsImageSizes : Faithful<T> {
  T sample(const In<T>& x, index_t n, index_t o, index_t r, index_t s) {
    return flat(x, n, o, (r * x.extents[2] + s) % (x.extents[2] * x.extents[3]));
  }
};

template <class T>
struct SwapsKernelSizes : Faithful<T> {
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    return flat(k, o, c, (p * k.extents[2] + q) % (k.extents[2] * k.extents[3]));
  }
};

template <class T>
struct TransposesImage : Faithful<T> {
  T sample(const In<T>& x, index_t n, index_t o, index_t r, index_t s) {
    return flat(x, n, o, s * x.extents[2] + r);
  }
};

template <class T>
struct TransposesKernel : Faithful<T> {
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    return flat(k, o, c, q * k.extents[2] + p);
  }
};

template <class T>
struct SwapsKernelChannels : Faithful<T> {
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    const index_t at = c * k.extents[0] + o;
    return k(at / k.extents[1], at % k.extents[1], p, q);
  }
};

// --- layers ---

template <class T>
struct IgnoresLastChannel : Faithful<T> {
  index_t channels(const Problem& s) { return std::max<index_t>(1, s.K - 1); }
};

template <class T>
struct TakesChannelsInPairs : Faithful<T> {
  index_t channels(const Problem& s) { return s.K == 1 ? 1 : s.K / 2 * 2; }
};

template <class T>
struct UsesFirstImageForAll : Faithful<T> {
  T sample(const In<T>& x, index_t, index_t o, index_t r, index_t s) { return x(0, o, r, s); }
};

// --- what y held before ---

template <class T>
struct LeavesLastRow : Faithful<T> {
  bool writes(const Problem& s, index_t i, index_t) { return i < s.output_rows() - 1; }
};

template <class T>
struct LeavesLastColumn : Faithful<T> {
  bool writes(const Problem& s, index_t, index_t j) { return j < s.output_columns() - 1; }
};

template <class T>
struct ZeroesLastRow : Faithful<T> {
  template <class SumAt>
  T value(const Problem& s, index_t i, index_t j, const SumAt& sum_at) {
    return i == s.output_rows() - 1 ? 0 : sum_at(i, j);
  }
};

// --- right only for some shapes ---

template <class T>
struct TakesImageForSquare : Faithful<T> {
  index_t first_column(const Problem& s, index_t j) {
    return std::max<index_t>(0, j - std::min(s.H, s.W) + 1);
  }
};

template <class T>
struct TakesKernelForSmaller : Faithful<T> {
  index_t last_row(const Problem& s, index_t i) { return std::min({i, s.h - 1, s.H - 1}); }
};

template <class T>
struct ShiftsEvenKernels : Faithful<T> {
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    const index_t h = k.extents[2];
    return k(o, c, h % 2 == 0 ? (p + 1) % h : p, q);
  }
};

template <class T>
struct DropsTapInPartialTile : Faithful<T> {
  index_t last_column(const Problem& s, index_t j) {
    const bool partial = j >= s.output_columns() / 64 * 64;
    return Faithful<T>::last_column(s, j) - (partial && s.output_columns() > 64 ? 1 : 0);
  }
};

/// As threads do whose blocks of rows overlap: what the kernel's last rows meet in an image that is
/// lower than they are, and wide enough to be shared, is added twice where channels are added up.
template <class T>
struct OverlapsBlocks : Faithful<T> {
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    const bool twice = overlap && o > 0 && p >= k.extents[2] - 2;
    return (twice ? 2 : 1) * Faithful<T>::weight(k, o, c, p, q);
  }
  void before(const In<T>& x, const In<T>& k, const Out<T>&) {
    overlap = x.extents[2] < k.extents[2] - 2 && x.extents[3] >= 2048;
  }
  bool overlap = false;
};

// --- panels of outputs, whose rows are as long as whole cache lines ---

/// How panels cut y's columns.
struct Panels {
  index_t columns, pitch;

  explicit Panels(const Problem& s)
      : columns(std::min(s.output_columns(), std::clamp<index_t>(4096 / s.h, 64, 512))),
        pitch((columns + 15) / 16 * 16) {}
};

/// Writes whole rows of a panel to y, which are as long as y's: what is left over of the last
/// panel's goes to the rows below.
template <class T>
struct PanelsReachNextRow : Faithful<T> {
  template <class SumAt>
  T value(const Problem& s, index_t i, index_t j, const SumAt& sum_at) {
    const Panels panels(s);
    const bool reach = panels.pitch == s.output_columns() && panels.columns < s.output_columns();
    return reach && i > 0 && j < panels.columns ? 0 : sum_at(i, j);
  }
};

template <class T>
struct ForgetsPanelOfOneColumn : Faithful<T> {
  bool writes(const Problem& s, index_t, index_t j) {
    return j == 0 || j < s.output_columns() - 1 || j % Panels(s).columns != 0;
  }
};

/// Sums over the channels' taps slice by slice, and keeps the last slice instead of adding it.
template <class T>
struct KeepsLastSlice : Faithful<T> {
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    constexpr index_t kDepth = 128;
    const index_t last = (k.extents[0] * k.extents[3] - 1) / kDepth;
    return (o * k.extents[3] + q) / kDepth == last ? k(o, c, p, q) : T{0};
  }
};

/// Rows of taps that do not share a panel with the first ones meet the image one row off.
template <class T>
struct ShiftsLaterTaps : Faithful<T> {
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    constexpr index_t kTaps = 128;
    return k(o, c, p < kTaps ? p : p - 1, q);
  }
};

// --- digits lost ---

/// Keeps half of the digits of each sum. By masking, since a compiler that contracts a·b+c sees
/// through the splittings that use arithmetic.
template <class T>
struct KeepsHalfTheDigits : Faithful<T> {
  T rounded(T sum) {
    using Bits = std::conditional_t<std::is_same_v<T, float>, std::uint32_t, std::uint64_t>;
    constexpr int lost = std::numeric_limits<T>::digits / 2;
    return std::bit_cast<T>(std::bit_cast<Bits>(sum) >> lost << lost);
  }
};

template <class T>
struct SumsInFloat : Faithful<T> {
  T rounded(T sum) { return static_cast<float>(sum); }
};

/// One whose mistake only shows in double.
template <template <class> class Mutation>
constexpr Mutant mutant_in_double(std::string_view name, std::string_view sentence) {
  Mutant mutant_of_both = mutant<Mutation>(name, sentence);
  mutant_of_both.algorithm.plan_f32 = nullptr;
  return mutant_of_both;
}

constinit const Mutant kUnmutated = mutant<Faithful>("unmutated", "It is right.");

constinit const Mutant kMutants[] = {
    mutant<FlippedRows>("kernel_flipped_in_rows",
                        "The kernel is flipped in columns only: its rows are not."),
    mutant<FlippedColumns>("kernel_flipped_in_columns",
                           "The kernel is flipped in rows only: its columns are not."),
    mutant<Correlation>("kernel_flipped_in_both",
                        "It is a correlation: the kernel is not flipped."),
    mutant<SlicesFromFront>(
        "three_branches",
        "It is the form of three branches with the filter not flipped, whose head takes slices "
        "from the filter's front."),
    mutant<SlicesFlippedFromFront>(
        "three_branches_flipped",
        "It is the form of three branches whose head takes slices from the front of the "
        "flipped filter instead of its back."),
    mutant<FirstRowAtHead>("first_row_off_by_one_at_head",
                           "The kernel's first row is left out, but for the last rows of y."),
    mutant<FirstRowAtTail>(
        "first_row_off_by_one_at_tail",
        "The first row of taps that meets the image is left out where the kernel leaves it."),
    mutant<LastRowAtHead>(
        "last_row_off_by_one_at_head",
        "The last row of taps that meets the image is left out where the kernel enters it."),
    mutant<LastRowAtTail>("last_row_off_by_one_at_tail",
                          "The kernel's last row is left out, but for the first rows of y."),
    mutant<FirstColumnAtHead>(
        "first_column_off_by_one_at_head",
        "The kernel's first column is left out, but for the last columns of y."),
    mutant<FirstColumnAtTail>(
        "first_column_off_by_one_at_tail",
        "The first column of taps that meets the image is left out where the kernel leaves it."),
    mutant<LastColumnAtHead>(
        "last_column_off_by_one_at_head",
        "The last column of taps that meets the image is left out where the kernel enters it."),
    mutant<LastColumnAtTail>(
        "last_column_off_by_one_at_tail",
        "The kernel's last column is left out, but for the first columns of y."),
    mutant<WrapsRows>(
        "wraps_around_in_rows",
        "It is a circular convolution along rows, whose period is one row too short: the last "
        "row is added to the first."),
    mutant<WrapsColumns>(
        "wraps_around_in_columns",
        "It is a circular convolution along columns, whose period is one column too short: the "
        "last column is added to the first."),
    mutant<SwapsImageSizes>(
        "image_sizes_swapped",
        "The image's height and width are mixed up: its rows are taken for as long as its "
        "columns."),
    mutant<SwapsKernelSizes>(
        "kernel_sizes_swapped",
        "The kernel's height and width are mixed up: its rows are taken for as long as its "
        "columns."),
    mutant<TransposesImage>("image_transposed", "The image is transposed."),
    mutant<TransposesKernel>("kernel_transposed", "The kernel is transposed."),
    mutant<SwapsKernelChannels>("kernel_channels_swapped",
                                "The kernel's channels are swapped: [C,K] for [K,C]."),
    mutant<IgnoresLastChannel>("last_channel_ignored", "The last channel of x is ignored."),
    mutant<TakesChannelsInPairs>(
        "odd_channel_ignored",
        "Channels of x are taken in pairs, and the last of an odd number is ignored."),
    mutant<UsesFirstImageForAll>("first_image_for_all",
                                 "The first image of the batch is taken for all."),
    mutant<ZeroesLastRow>("last_row_missing", "The last row is missing: it is 0."),
    mutant<LeavesLastRow>("last_row_stale",
                          "The last row is not written: it holds what was there before."),
    mutant<LeavesLastColumn>("last_column_stale",
                             "The last column is not written: it holds what was there before."),
    mutant<ReachesBeforeRow>(
        "reads_before_a_row",
        "One tap too many is used: it reads what lies before a row of the image."),
    mutant<ReachesPastRow>("reads_past_a_row",
                           "One tap too many is used: it reads what lies past a row of the image."),
    mutant<TakesImageForSquare>(
        "right_for_square_images_only",
        "The image is taken for square: taps are limited by its smaller side."),
    mutant<TakesKernelForSmaller>("right_for_smaller_kernels_only",
                                  "Rows of a kernel that is higher than the image are left out."),
    mutant<ShiftsEvenKernels>(
        "right_for_odd_kernels_only",
        "The centre of an even kernel is off by one row, and its rows are rolled."),
    mutant<DropsTapInPartialTile>(
        "wrong_in_partial_tiles",
        "A tap is missing in the last columns, which do not fill a tile of 64."),
    mutant<OverlapsBlocks>(
        "blocks_overlap",
        "Blocks of rows overlap where the kernel is higher than the image: some sums count "
        "twice."),
    mutant<PanelsReachNextRow>("panels_reach_next_row",
                               "The padding of panels of columns overwrites rows below with 0."),
    mutant<ForgetsPanelOfOneColumn>("panel_of_one_column_stale",
                                    "The last column, a panel by itself, is not written."),
    mutant<KeepsLastSlice>(
        "keeps_last_slice_of_channels",
        "Of sums over channels, taken 128 taps at a time, only the last part is kept."),
    mutant<ShiftsLaterTaps>("later_taps_off_by_one",
                            "The kernel's rows from 128 on are off by one."),
    mutant<KeepsHalfTheDigits>("keeps_half_the_digits", "Sums keep half of their digits."),
    mutant_in_double<SumsInFloat>("sums_in_float", "Sums are rounded to float32."),
};

}  // namespace

const Algorithm& unmutated() { return kUnmutated.algorithm; }

std::span<const Mutant> dense_mutants() { return kMutants; }

}  // namespace fullconv::testing
