// What all kernels have in common that Highway compiles once for each instruction set: for
// inclusion after <hwy/foreach_target.h>, each time anew.

#if defined(FULLCONV_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FULLCONV_SIMD_INL_H
#undef FULLCONV_SIMD_INL_H
#else
#define FULLCONV_SIMD_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <utility>

#include "fullconv/view.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vector = hn::Vec<Tag<T>>;
template <class T>
using Mask = hn::Mask<Tag<T>>;

template <class T>
constexpr index_t kLanes = static_cast<index_t>(hn::MaxLanes(Tag<T>()));

#if HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3
constexpr int kRegisters = 16;
#else
constexpr int kRegisters = 32;
#endif

/// Vectors of a row, at most `most` and at least one, such that the sums of so many rows fit into
/// registers beside one more row and a factor.
constexpr int widest_row(int rows, int most) {
  return std::clamp((kRegisters - 1) / (rows + 1), 1, most);
}

/// Whether a vector is as long as a line of the caches: most loads then cross from one to the next.
constexpr bool kVectorsAreLines = kLanes<float> * sizeof(float) == 64;

// Packs of indices, and not loops or lambdas, go over arrays of vectors: only so GCC 12 keeps them
// in registers.
template <int... i>
using Indices = std::integer_sequence<int, i...>;
template <int kCount>
using IndicesTo = std::make_integer_sequence<int, kCount>;

/// Makes the compiler load a value once, and not in each of the instructions that use it.
template <class V>
HWY_INLINE void keep_in_register([[maybe_unused]] V& v) {
#if HWY_ARCH_X86
  asm("" : "+v"(v.raw));
#endif
}

/// Lanes [begin, end) of a vector, of which there may be none.
template <class T>
HWY_INLINE Mask<T> lanes_of(index_t begin, index_t end) {
  const Tag<T> d;
  const auto first = [&](index_t count) HWY_ATTR {
    return hn::FirstN(d, static_cast<size_t>(std::clamp<index_t>(count, 0, kLanes<T>)));
  };
  return hn::AndNot(first(begin), first(end));
}

/// Loads lanes [begin, end), of which `mask` is made, and touches no others: those are zero.
template <class T>
HWY_INLINE Vector<T> load_lanes(const T* from, [[maybe_unused]] index_t begin,
                                [[maybe_unused]] index_t end, [[maybe_unused]] Mask<T> mask) {
  const Tag<T> d;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(mask, d, from);
#else
  HWY_ALIGN T lanes[kLanes<T>] = {};
  for (index_t i = std::max<index_t>(0, begin); i < std::min(end, kLanes<T>); ++i) {
    lanes[i] = from[i];
  }
  return hn::Load(d, lanes);
#endif
}

/// Notes in `sum`, zero at first, whether all of x is finite: 0·x is 0, but NaN where x is not.
template <class T>
HWY_INLINE void note_non_finite(Vector<T> x, Vector<T>& sum) {
  sum = hn::MulAdd(x, hn::Zero(Tag<T>()), sum);
}
/// Whether all that was noted there, or in what was added to it, is finite.
template <class T>
HWY_INLINE bool all_noted_finite(Vector<T> sum) {
  const Tag<T> d;
  return hn::AllTrue(d, hn::Eq(sum, hn::Zero(d)));
}

/// Copies `count` elements, fewer than a vector's: two parts, of the largest power of two that
/// fits, which may overlap. AMD's processors take some twelve cycles to store by a mask.
template <class T, index_t kPart = kLanes<T> / 2>
HWY_INLINE void copy_few(const T* from, index_t count, T* to) {
  if constexpr (kPart > 0) {
    if (count < kPart) return copy_few<T, kPart / 2>(from, count, to);
    const hn::CappedTag<T, kPart> d;
    const index_t last = count - kPart;
    hn::StoreU(hn::LoadU(d, from), d, to);
    hn::StoreU(hn::LoadU(d, from + last), d, to + last);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#endif
