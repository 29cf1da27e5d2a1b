// Deliberately wrong gradients of layers: padding, stride, dilation, groups and output padding, the
// way that people get them wrong. As in mutants.cpp, a mutation replaces a piece of the definition.

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>

#include "mutants/mutants.h"
#include "support/tensor.h"

namespace fullconv::testing {
namespace {

/// The definition, gathered: sample r and tap p meet at row i where r·s + p·d = i + top.
template <class T>
struct Layer {
  index_t top(const Problem& l) { return l.padding.top; }
  index_t left(const Problem& l) { return l.padding.left; }
  PerAxis stride(const Problem& l) { return l.stride; }
  PerAxis dilation(const Problem& l) { return l.dilation; }
  // Of x and k.
  index_t rows(const Problem& l) { return l.H; }
  index_t kernel_rows(const Problem& l) { return l.h; }

  /// The sample that is as far from the first as `distance`, if any; else one that does not exist.
  index_t sample_at(index_t distance, index_t step) {
    if (step == 1) return distance;  // no division, since this is what is asked most
    return distance % step == 0 ? distance / step : -1;
  }
  /// Whether row p of the kernel counts for an output, of which `first` is the first that does.
  bool takes(const Problem&, index_t, index_t) { return true; }

  // Of y's channel c: the first of x's, from there to the next, how many, and its place in k.
  index_t first_input(const Problem& l, index_t c) {
    return c / (l.C / l.groups) * (l.K / l.groups);
  }
  index_t input_step(const Problem&) { return 1; }
  index_t kernel_output(const Problem& l, index_t c) { return c % (l.C / l.groups); }
  index_t inputs(const Problem& l) { return l.K / l.groups; }

  T weight(const TensorView<const T>& k, index_t o, index_t c, index_t p, index_t q) {
    return k(o, c, p, q);
  }

  T written(const Problem&, index_t, index_t, T sum) { return sum; }
  bool writes_unreached() { return true; }
};

/// y[n,c,i,j] by way of a mutation, or none where it is left as it was.
template <class T, class Mutation>
std::optional<T> value_at(Mutation& m, const Problem& l, const TensorView<const T>& x,
                          const TensorView<const T>& k, const Output& at) {
  const auto& [n, c, i, j] = at;
  const PerAxis stride = m.stride(l), dilation = m.dilation(l);
  T sum = 0;
  bool reached = false;
  index_t first = -1;
  for (index_t p = 0; p < m.kernel_rows(l); ++p) {
    const index_t r = m.sample_at(i + m.top(l) - p * dilation.y, stride.y);
    if (r < 0 || r >= m.rows(l)) continue;
    if (first < 0) first = p;
    if (!m.takes(l, p, first)) continue;
    for (index_t q = 0; q < l.w; ++q) {
      const index_t s = m.sample_at(j + m.left(l) - q * dilation.x, stride.x);
      if (s < 0 || s >= l.W) continue;
      reached = true;
      for (index_t input = 0; input < m.inputs(l); ++input) {
        const index_t o = m.first_input(l, c) + input * m.input_step(l);
        sum += x(n, o, r, s) * m.weight(k, o, m.kernel_output(l, c), p, q);
      }
    }
  }
  if (!reached && !m.writes_unreached()) return {};
  return m.written(l, i, j, sum);
}

template <class T, class Mutation>
class LayerMutantPlan final : public Plan<T> {
 public:
  explicit LayerMutantPlan(const Problem& problem) : Plan<T>(problem) {}
  bool takes_any_strides() const override { return true; }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    Mutation m;
    const Problem& l = this->problem();
    for_each_index(l.y_extents(), [&](index_t n, index_t c, index_t i, index_t j) {
      if (const auto value = value_at<T>(m, l, x, k, {n, c, i, j})) y(n, c, i, j) = *value;
    });
  }
};

// --- the kernel the wrong way round, and channels ---

template <class T>
struct FlippedRows : Layer<T> {
  T weight(const TensorView<const T>& k, index_t o, index_t c, index_t p, index_t q) {
    return k(o, c, k.extents[2] - 1 - p, q);
  }
};

template <class T>
struct FlippedColumns : Layer<T> {
  T weight(const TensorView<const T>& k, index_t o, index_t c, index_t p, index_t q) {
    return k(o, c, p, k.extents[3] - 1 - q);
  }
};

template <class T>
struct Correlation : Layer<T> {
  T weight(const TensorView<const T>& k, index_t o, index_t c, index_t p, index_t q) {
    return k(o, c, k.extents[2] - 1 - p, k.extents[3] - 1 - q);
  }
};

template <class T>
struct SwapsKernelChannels : Layer<T> {
  T weight(const TensorView<const T>& k, index_t o, index_t c, index_t p, index_t q) {
    const index_t at = c * k.extents[0] + o;
    return k(at / k.extents[1], at % k.extents[1], p, q);
  }
};

template <class T>
struct IgnoresLastChannel : Layer<T> {
  index_t inputs(const Problem& l) { return std::max<index_t>(1, l.K / l.groups - 1); }
};

// --- padding ---

template <class T>
struct TopForBottom : Layer<T> {
  index_t top(const Problem& l) { return l.padding.bottom; }
};

template <class T>
struct LeftForRight : Layer<T> {
  index_t left(const Problem& l) { return l.padding.right; }
};

template <class T>
struct SwapsPaddingAxes : Layer<T> {
  index_t top(const Problem& l) { return l.padding.left; }
  index_t left(const Problem& l) { return l.padding.top; }
};

/// Cuts y at its end only.
template <class T>
struct IgnoresPadding : Layer<T> {
  index_t top(const Problem&) { return 0; }
};

/// As if it were that of the image: h − 1 − p is what a correlation pads by.
template <class T>
struct PadsTheImage : Layer<T> {
  index_t top(const Problem& l) { return (l.h - 1) * l.dilation.y - l.padding.top; }
};

template <class T>
struct CountsPaddingInSamples : Layer<T> {
  index_t top(const Problem& l) { return l.padding.top * l.stride.y; }
};

template <class T>
struct CountsPaddingInTaps : Layer<T> {
  index_t left(const Problem& l) { return l.padding.left * l.dilation.x; }
};

/// Takes padding beyond the kernel for as much as the kernel reaches.
template <class T>
struct LimitsPadding : Layer<T> {
  index_t top(const Problem& l) { return std::min(l.padding.top, (l.h - 1) * l.dilation.y); }
};

// --- stride and dilation ---

template <class T>
struct SwapsStrideAxes : Layer<T> {
  PerAxis stride(const Problem& l) { return {l.stride.x, l.stride.y}; }
};

template <class T>
struct SwapsDilationAxes : Layer<T> {
  PerAxis dilation(const Problem& l) { return {l.dilation.x, l.dilation.y}; }
};

template <class T>
struct SwapsStrideAndDilation : Layer<T> {
  PerAxis stride(const Problem& l) { return l.dilation; }
  PerAxis dilation(const Problem& l) { return l.stride; }
};

template <class T>
struct IgnoresStride : Layer<T> {
  PerAxis stride(const Problem&) { return {1, 1}; }
};

template <class T>
struct IgnoresDilation : Layer<T> {
  PerAxis dilation(const Problem&) { return {1, 1}; }
};

template <class T>
struct KnowsStrideTwoOnly : Layer<T> {
  PerAxis stride(const Problem& l) {
    return {std::min<index_t>(l.stride.y, 2), std::min<index_t>(l.stride.x, 2)};
  }
};

/// As pointwise layers without stride are computed.
template <class T>
struct IgnoresStrideOfPoints : Layer<T> {
  PerAxis stride(const Problem& l) { return l.h * l.w == 1 ? PerAxis{1, 1} : l.stride; }
};

/// Takes a kernel smaller than the stride for one that fills it.
template <class T>
struct LimitsStrideToKernel : Layer<T> {
  PerAxis stride(const Problem& l) {
    return {std::min(l.stride.y, l.h), std::min(l.stride.x, l.w)};
  }
};

// --- residues ---

template <class T>
struct ShiftsResidue : Layer<T> {
  index_t sample_at(index_t distance, index_t step) {
    return step == 1 ? distance : Layer<T>::sample_at(distance + 1, step);
  }
};

/// Rounds down where no sample is.
template <class T>
struct RoundsToSample : Layer<T> {
  index_t sample_at(index_t distance, index_t step) { return distance < 0 ? -1 : distance / step; }
};

/// Counts residues from y's first row, which padding has moved.
template <class T>
struct CountsResidueFromPadding : Layer<T> {
  index_t top(const Problem& l) { return l.padding.top / l.stride.y * l.stride.y; }
};

/// Of rows that are taken by turns, forgets those that do not fill a turn.
template <class T>
struct ForgetsLastSamples : Layer<T> {
  index_t rows(const Problem& l) {
    const index_t turn = l.dilation.y / std::gcd(l.stride.y, l.dilation.y);
    return l.H < turn ? l.H : l.H / turn * turn;
  }
};

template <class T>
struct ForgetsLastTaps : Layer<T> {
  index_t kernel_rows(const Problem& l) {
    const index_t turn = l.stride.y / std::gcd(l.stride.y, l.dilation.y);
    return l.h < turn ? l.h : l.h / turn * turn;
  }
};

/// Takes stride and dilation for coprime: parts that meet in an output overwrite each other.
template <class T>
struct TakesStepsForCoprime : Layer<T> {
  bool takes(const Problem& l, index_t p, index_t first) {
    return p % l.stride.y == first % l.stride.y;
  }
};

/// Leaves out taps that lie farther apart than the image is high.
template <class T>
struct LimitsDilationToImage : Layer<T> {
  bool takes(const Problem& l, index_t p, index_t) {
    return l.dilation.y == 1 || p * l.dilation.y < l.H * l.stride.y;
  }
};

template <class T>
struct LeavesUnreached : Layer<T> {
  bool writes_unreached() { return false; }
};

// --- output padding ---

template <class T>
struct PadsOutputAtTop : Layer<T> {
  index_t top(const Problem& l) { return l.padding.top - l.output_padding.y; }
};

/// It is not: padding may have left out what it brings back.
template <class T>
struct TakesOutputPaddingForZero : Layer<T> {
  T written(const Problem& l, index_t, index_t j, T sum) {
    return j < l.output_columns() - l.output_padding.x ? sum : T{0};
  }
};

// --- groups ---

template <class T>
struct TakesFirstGroupForAll : Layer<T> {
  index_t first_input(const Problem&, index_t) { return 0; }
};

template <class T>
struct InterleavesInputs : Layer<T> {
  index_t first_input(const Problem& l, index_t c) { return c / (l.C / l.groups); }
  index_t input_step(const Problem& l) { return l.groups; }
};

template <class T>
struct InterleavesOutputs : Layer<T> {
  index_t first_input(const Problem& l, index_t c) { return c % l.groups * (l.K / l.groups); }
  index_t kernel_output(const Problem& l, index_t c) { return c / l.groups; }
};

/// Takes groups of y for as large as those of x.
template <class T>
struct TakesGroupsForAlike : Layer<T> {
  index_t first_input(const Problem& l, index_t c) {
    const index_t inputs = l.K / l.groups;
    return std::min(c / inputs, l.groups - 1) * inputs;
  }
};

/// As if each input had one output.
template <class T>
struct IgnoresMultiplier : Layer<T> {
  index_t kernel_output(const Problem& l, index_t c) {
    return l.K == l.groups ? 0 : Layer<T>::kernel_output(l, c);
  }
};

template <class T, template <class> class Mutation>
Planned<T> plan_layer_mutant(const Problem& problem, const PlanOptions&) {
  return std::make_unique<LayerMutantPlan<T, Mutation<T>>>(problem);
}

template <template <class> class Mutation>
void values_at(const Problem& problem, const TensorView<const double>& x,
               const TensorView<const double>& k, std::span<const Output> outputs,
               std::span<double> values) {
  Mutation<double> m;
  for (std::size_t at = 0; at < outputs.size(); ++at) {
    const auto value = value_at<double>(m, problem, x, k, outputs[at]);
    if (value) values[at] = *value;
  }
}

template <template <class> class Mutation>
constexpr Mutant mutant(std::string_view name, std::string_view sentence) {
  return mutant_row(name, sentence, Layers::native, plan_layer_mutant<float, Mutation>,
                    plan_layer_mutant<double, Mutation>, values_at<Mutation>);
}

constinit const Mutant kUnmutated = mutant<Layer>("unmutated_layer", "It is right.");

constinit const Mutant kMutants[] = {
    mutant<FlippedRows>("layer_kernel_flipped_in_rows",
                        "The kernel is flipped in columns only: its rows are not."),
    mutant<FlippedColumns>("layer_kernel_flipped_in_columns",
                           "The kernel is flipped in rows only: its columns are not."),
    mutant<Correlation>("layer_kernel_flipped_in_both",
                        "It is a correlation: the kernel is not flipped."),
    mutant<SwapsKernelChannels>("layer_kernel_channels_swapped",
                                "The kernel's channels are swapped: [C,K] for [K,C]."),
    mutant<IgnoresLastChannel>("last_channel_of_group_ignored",
                               "The last channel of each group of x is ignored."),
    mutant<TopForBottom>("padding_bottom_at_top",
                         "The padding of the bottom is taken for that of the top."),
    mutant<LeftForRight>("padding_right_at_left",
                         "The padding of the right is taken for that of the left."),
    mutant<SwapsPaddingAxes>("padding_axes_swapped",
                             "The paddings of rows and columns are swapped."),
    mutant<IgnoresPadding>("padding_at_end_only", "Padding is cut off below only, not above."),
    mutant<PadsTheImage>("padding_of_the_image",
                         "The padding is taken for that of the image, as a forward layer pads it."),
    mutant<CountsPaddingInSamples>("padding_times_stride",
                                   "The padding at the top is multiplied by the stride."),
    mutant<CountsPaddingInTaps>("padding_times_dilation",
                                "The padding at the left is multiplied by the dilation."),
    mutant<LimitsPadding>("padding_within_kernel_only", "Padding beyond the kernel is ignored."),
    mutant<SwapsStrideAxes>("stride_axes_swapped", "The strides of rows and columns are swapped."),
    mutant<SwapsDilationAxes>("dilation_axes_swapped",
                              "The dilations of rows and columns are swapped."),
    mutant<IgnoresStride>("stride_ignored", "The stride is ignored."),
    mutant<IgnoresDilation>("dilation_ignored", "The dilation is ignored."),
    mutant<SwapsStrideAndDilation>("stride_and_dilation_swapped",
                                   "Stride and dilation are swapped."),
    mutant<KnowsStrideTwoOnly>("right_for_stride_2_only",
                               "A stride of more than 2 is taken for 2."),
    mutant<IgnoresStrideOfPoints>("stride_of_1x1_ignored",
                                  "The stride of a 1x1 kernel is ignored."),
    mutant<LimitsStrideToKernel>("stride_within_kernel_only",
                                 "A stride larger than the kernel is taken for the kernel's size."),
    mutant<ShiftsResidue>("residue_off_by_one",
                          "Samples are off by one output against the stride."),
    mutant<RoundsToSample>("residues_all_alike",
                           "Samples are repeated instead of being spread by the stride."),
    mutant<CountsResidueFromPadding>("residue_without_padding",
                                     "The remainder of the padding by the stride is ignored."),
    mutant<ForgetsLastSamples>(
        "last_remainder_row_missing",
        "The last rows of x, which do not fill a turn of the dilation, are left out."),
    mutant<ForgetsLastTaps>(
        "last_remainder_tap_missing",
        "The last rows of the kernel, which do not fill a turn of the stride, are left out."),
    mutant<TakesStepsForCoprime>(
        "common_factor_ignored",
        "Stride and dilation are taken for coprime: parts that meet in an output overwrite "
        "each other."),
    mutant<LimitsDilationToImage>(
        "dilation_within_image_only",
        "Taps that lie farther apart than the image is high are left out."),
    mutant<LeavesUnreached>("unreached_stale", "Outputs that nothing reaches are not written."),
    mutant<PadsOutputAtTop>("output_padding_at_top", "The output padding is added at the top."),
    mutant<TakesOutputPaddingForZero>(
        "output_padding_zero", "The output padding is taken for 0, though samples reach it."),
    mutant<TakesFirstGroupForAll>("groups_ignored", "The first group of x is taken for all."),
    mutant<InterleavesInputs>("inputs_of_groups_interleaved",
                              "The channels of x are dealt out to groups by turns."),
    mutant<InterleavesOutputs>("outputs_of_groups_interleaved",
                               "The channels of y are dealt out to groups by turns."),
    mutant<TakesGroupsForAlike>("groups_as_large_as_those_of_x",
                                "Groups of y are taken for as large as those of x."),
    mutant<IgnoresMultiplier>(
        "multiplier_ignored",
        "Of the channels that each group of x has in y, the first is taken for all."),
};

}  // namespace

const Mutant& unmutated_layer() { return kUnmutated; }

std::span<const Mutant> layer_mutants() { return kMutants; }

}  // namespace fullconv::testing
