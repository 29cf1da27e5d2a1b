// Deliberately wrong convolutions. Faithful is the definition cut into pieces; a mutation replaces
// one of them, the way that people get it wrong.

#include "mutants/mutants.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "support/tensor.h"

namespace fullconv::testing {
namespace {

template <class T>
using In = TensorView<const T>;
template <class T>
using Out = TensorView<T>;

template <class T>
struct Faithful {
  // The taps first … last of each axis.
  index_t first_row(const Problem& s, index_t i) { return std::max<index_t>(0, i - s.H + 1); }
  index_t last_row(const Problem& s, index_t i) { return std::min(i, s.h - 1); }
  index_t first_column(const Problem& s, index_t j) { return std::max<index_t>(0, j - s.W + 1); }
  index_t last_column(const Problem& s, index_t j) { return std::min(j, s.w - 1); }
  index_t channels(const Problem& s) { return s.K; }

  T sample(const In<T>& x, index_t n, index_t o, index_t r, index_t s) { return x(n, o, r, s); }
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) { return k(o, c, p, q); }
  T initial() { return 0; }
  T rounded(T sum) { return sum; }

  bool writes(const Problem&, index_t, index_t) { return true; }
  T& target(const Out<T>& y, index_t n, index_t c, index_t i, index_t j) { return y(n, c, i, j); }
  void store(T& y, T sum) { y = sum; }

  void before(const In<T>&, const In<T>&, const Out<T>&) {}
  void after(const In<T>&, const In<T>&, const Out<T>&) {}
  int threads() const { return 1; }
};

template <class T, class Mutation>
class MutantPlan final : public Plan<T> {
 public:
  explicit MutantPlan(const Problem& problem) : Plan<T>(problem) {}
  int threads() const override { return mutation_.threads(); }

 protected:
  void run(const In<T>& x, const In<T>& k, const Out<T>& y) override {
    Mutation& m = mutation_;
    const Problem& s = this->problem();
    m.before(x, k, y);
    for_each_index(s.y_extents(), [&](index_t n, index_t c, index_t i, index_t j) {
      if (!m.writes(s, i, j)) return;
      T sum = m.initial();
      for (index_t o = 0; o < m.channels(s); ++o)
        for (index_t p = m.first_row(s, i); p <= m.last_row(s, i); ++p)
          for (index_t q = m.first_column(s, j); q <= m.last_column(s, j); ++q)
            sum = m.rounded(sum + m.sample(x, n, o, i - p, j - q) * m.weight(k, o, c, p, q));
      m.store(m.target(y, n, c, i, j), sum);
    });
    m.after(x, k, y);
  }

 private:
  Mutation mutation_;
};

/// Element `at` of a plane, counted row by row.
template <class T>
T flat(const In<T>& tensor, index_t a, index_t b, index_t at) {
  return tensor(a, b, at / tensor.extents[3], at % tensor.extents[3]);
}

template <class T>
index_t dense_offset(const TensorView<T>& tensor, index_t a, index_t b, index_t i, index_t j) {
  const Extents strides = dense_strides(tensor.extents);
  return a * strides[0] + b * strides[1] + i * strides[2] + j;
}

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
  void after(const In<T>&, const In<T>&, const Out<T>& y) {
    const auto& [N, C, I, J] = y.extents;
    for_each_index({N, C, 1, J}, [&](index_t n, index_t c, index_t i, index_t j) {
      y(n, c, i, j) += y(n, c, y.extents[2] - 1, j);
    });
  }
};

template <class T>
struct WrapsColumns : Faithful<T> {
  void after(const In<T>&, const In<T>&, const Out<T>& y) {
    const auto& [N, C, I, J] = y.extents;
    for_each_index({N, C, I, 1}, [&](index_t n, index_t c, index_t i, index_t j) {
      y(n, c, i, j) += y(n, c, i, y.extents[3] - 1);
    });
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
  void after(const In<T>&, const In<T>&, const Out<T>& y) {
    for_each_index(
        {y.extents[0], y.extents[1], 1, y.extents[3]},
        [&](index_t n, index_t c, index_t, index_t j) { y(n, c, y.extents[2] - 1, j) = 0; });
  }
};

template <class T>
struct Accumulates : Faithful<T> {
  void store(T& y, T sum) { y += sum; }
};

/// Scales y by β = 0 instead of overwriting it, which keeps a NaN.
template <class T>
struct MultipliesByZero : Faithful<T> {
  void store(T& y, T sum) { y = y * 0 + sum; }
};

// --- memory that is not its own ---

template <class T>
struct WritesBefore : Faithful<T> {
  void after(const In<T>&, const In<T>&, const Out<T>& y) { (&y(0, 0, 0, 0))[-1] = 0; }
};

template <class T>
struct WritesWholeVectors : Faithful<T> {
  void before(const In<T>&, const In<T>&, const Out<T>& y) {
    const auto& [N, C, I, J] = y.extents;
    for_each_index({N, C, I, (8 - J % 8) % 8}, [&](index_t n, index_t c, index_t i, index_t j) {
      y(n, c, i, y.extents[3] + j) = 0;
    });
  }
};

template <class T>
struct AssumesDenseOutput : Faithful<T> {
  T& target(const Out<T>& y, index_t n, index_t c, index_t i, index_t j) {
    return y.data[dense_offset(y, n, c, i, j)];
  }
};

template <class T>
struct AssumesDenseImage : Faithful<T> {
  T sample(const In<T>& x, index_t n, index_t o, index_t r, index_t s) {
    return x.data[dense_offset(x, n, o, r, s)];
  }
};

/// Turns the kernel round in place, then correlates: the right numbers, and a changed k.
template <class T>
struct FlipsKernelInPlace : Faithful<T> {
  void before(const In<T>&, const In<T>& k, const Out<T>&) {
    const auto& [K, C, h, w] = k.extents;
    for_each_index({K, C, h, w / 2}, [&](index_t o, index_t c, index_t p, index_t q) {
      std::swap(const_cast<T&>(k(o, c, p, q)), const_cast<T&>(k(o, c, p, k.extents[3] - 1 - q)));
    });
  }
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    return k(o, c, p, k.extents[3] - 1 - q);
  }
};

template <class T>
struct UsesImageAsScratch : Faithful<T> {
  void after(const In<T>& x, const In<T>&, const Out<T>&) { const_cast<T&>(x(0, 0, 0, 0)) = 0; }
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
  bool writes(const Problem& s, index_t, index_t) {
    panels.emplace(s);
    return true;
  }
  void after(const In<T>&, const In<T>&, const Out<T>& y) {
    const auto& [N, C, I, J] = y.extents;
    if (panels->pitch != J || panels->columns == J) return;
    for_each_index({N, C, I - 1, panels->columns},
                   [&](index_t n, index_t c, index_t i, index_t j) { y(n, c, i + 1, j) = 0; });
  }
  std::optional<Panels> panels;
};

/// The same where only the rows' distance is as long.
template <class T>
struct PanelsFillGaps : Faithful<T> {
  void after(const In<T>&, const In<T>&, const Out<T>& y) {
    const auto& [N, C, I, J] = y.extents;
    if (y.strides[2] != (J + 15) / 16 * 16) return;
    for_each_index({N, C, I, y.strides[2] - J}, [&](index_t n, index_t c, index_t i, index_t j) {
      y(n, c, i, y.extents[3] + j) = 0;
    });
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

// --- state that outlives an execution ---

template <class T>
struct KeepsFirstKernel : Faithful<T> {
  std::optional<Tensor<T>> kept;
  void before(const In<T>&, const In<T>& k, const Out<T>&) {
    if (!kept) kept.emplace(k);
  }
  T weight(const In<T>&, index_t o, index_t c, index_t p, index_t q) { return (*kept)(o, c, p, q); }
};

template <class T>
struct CarriesLastSum : Faithful<T> {
  T carried = 0;
  T last = 0;
  void before(const In<T>&, const In<T>&, const Out<T>&) { carried = last; }
  T initial() { return std::exchange(carried, T{0}); }
  void store(T& y, T sum) { y = last = sum; }
};

// --- a promise about threads broken ---

template <class T>
struct TakesMoreThreads : Faithful<T> {
  int threads() const { return 2; }
};

template <class T, template <class> class Mutation>
Planned<T> plan_mutant(const Problem& problem, const PlanOptions&) {
  return std::make_unique<MutantPlan<T, Mutation<T>>>(problem);
}

template <template <class> class Mutation>
constexpr Algorithm mutant(std::string_view name) {
  return {.name = name,
          .summary = "wrong on purpose",
          .error_model = ErrorModel::componentwise,
          .non_finite = NonFinite::as_defined,
          .plan_f32 = plan_mutant<float, Mutation>,
          .plan_f64 = plan_mutant<double, Mutation>};
}

/// One whose mistake only shows in double.
template <template <class> class Mutation>
constexpr Algorithm mutant_in_double(std::string_view name) {
  Algorithm algorithm = mutant<Mutation>(name);
  algorithm.plan_f32 = nullptr;
  return algorithm;
}

constinit const Algorithm kUnmutated = mutant<Faithful>("unmutated");

constinit const Algorithm kMutants[] = {
    mutant<FlippedRows>("kernel_flipped_in_rows"),
    mutant<FlippedColumns>("kernel_flipped_in_columns"),
    mutant<Correlation>("kernel_flipped_in_both"),
    mutant<FirstRowAtHead>("first_row_off_by_one_at_head"),
    mutant<FirstRowAtTail>("first_row_off_by_one_at_tail"),
    mutant<LastRowAtHead>("last_row_off_by_one_at_head"),
    mutant<LastRowAtTail>("last_row_off_by_one_at_tail"),
    mutant<FirstColumnAtHead>("first_column_off_by_one_at_head"),
    mutant<FirstColumnAtTail>("first_column_off_by_one_at_tail"),
    mutant<LastColumnAtHead>("last_column_off_by_one_at_head"),
    mutant<LastColumnAtTail>("last_column_off_by_one_at_tail"),
    mutant<ReachesBeforeRow>("reads_before_a_row"),
    mutant<ReachesPastRow>("reads_past_a_row"),
    mutant<WrapsRows>("wraps_around_in_rows"),
    mutant<WrapsColumns>("wraps_around_in_columns"),
    mutant<SwapsImageSizes>("image_sizes_swapped"),
    mutant<SwapsKernelSizes>("kernel_sizes_swapped"),
    mutant<TransposesImage>("image_transposed"),
    mutant<TransposesKernel>("kernel_transposed"),
    mutant<SwapsKernelChannels>("kernel_channels_swapped"),
    mutant<IgnoresLastChannel>("last_channel_ignored"),
    mutant<TakesChannelsInPairs>("odd_channel_ignored"),
    mutant<UsesFirstImageForAll>("first_image_for_all"),
    mutant<LeavesLastRow>("last_row_stale"),
    mutant<LeavesLastColumn>("last_column_stale"),
    mutant<ZeroesLastRow>("last_row_missing"),
    mutant<Accumulates>("accumulates"),
    mutant<MultipliesByZero>("multiplies_old_output_by_zero"),
    mutant<WritesBefore>("writes_before_output"),
    mutant<WritesWholeVectors>("writes_whole_vectors"),
    mutant<AssumesDenseOutput>("assumes_dense_output"),
    mutant<AssumesDenseImage>("assumes_dense_image"),
    mutant<FlipsKernelInPlace>("flips_kernel_in_place"),
    mutant<UsesImageAsScratch>("image_as_scratch"),
    mutant<TakesImageForSquare>("right_for_square_images_only"),
    mutant<TakesKernelForSmaller>("right_for_smaller_kernels_only"),
    mutant<ShiftsEvenKernels>("right_for_odd_kernels_only"),
    mutant<DropsTapInPartialTile>("wrong_in_partial_tiles"),
    mutant<OverlapsBlocks>("blocks_overlap"),
    mutant<PanelsReachNextRow>("panels_reach_next_row"),
    mutant<PanelsFillGaps>("panels_fill_gaps"),
    mutant<ForgetsPanelOfOneColumn>("panel_of_one_column_stale"),
    mutant<KeepsLastSlice>("keeps_last_slice_of_channels"),
    mutant<ShiftsLaterTaps>("later_taps_off_by_one"),
    mutant<KeepsHalfTheDigits>("keeps_half_the_digits"),
    mutant_in_double<SumsInFloat>("sums_in_float"),
    mutant<KeepsFirstKernel>("keeps_first_kernel"),
    mutant<CarriesLastSum>("carries_last_sum"),
    mutant<TakesMoreThreads>("takes_more_threads"),
};

}  // namespace

const Algorithm& unmutated() { return kUnmutated; }

std::span<const Algorithm> dense_mutants() { return kMutants; }

}  // namespace fullconv::testing
