// Convolutions that are wrong on unusual numbers only: NaN and infinities, subnormal ones, and both
// ends of the range.

#include <cmath>
#include <limits>

#include "mutants/faithful.h"

namespace fullconv::testing {
namespace {

// --- NaN and infinities ---

template <class T>
bool has_non_finite(const In<T>& tensor) {
  bool found = false;
  for_each_index(tensor.extents, [&](index_t a, index_t b, index_t i, index_t j) {
    found = found || !std::isfinite(tensor(a, b, i, j));
  });
  return found;
}

/// As a transform does that nobody completes.
template <class T>
struct SpreadsNaN : Faithful<T> {
  bool spreads = false;
  void before(const In<T>& x, const In<T>& k, const Out<T>&) {
    spreads = has_non_finite(x) || has_non_finite(k);
  }
  template <class SumAt>
  T value(const Problem&, index_t i, index_t j, const SumAt& sum_at) {
    return spreads ? std::numeric_limits<T>::quiet_NaN() : sum_at(i, j);
  }
};

/// The same for one element more than the NaN reaches.
template <class T>
struct SpreadsNaNToTheNext : Faithful<T> {
  template <class SumAt>
  T value(const Problem&, index_t i, index_t j, const SumAt& sum_at) {
    const T sum = sum_at(i, j);
    if (j == 0 || !std::isnan(sum_at(i, j - 1))) return sum;
    return std::numeric_limits<T>::quiet_NaN();
  }
};

template <class T>
struct DropsNaN : Faithful<T> {
  T sample(const In<T>& x, index_t n, index_t o, index_t r, index_t s) {
    return std::isnan(x(n, o, r, s)) ? T{0} : x(n, o, r, s);
  }
};

/// What comes of Inf·0 where everything but NaN is taken for a number.
template <class T>
struct TakesInfinityForLarge : Faithful<T> {
  T sample(const In<T>& x, index_t n, index_t o, index_t r, index_t s) {
    constexpr T most = std::numeric_limits<T>::max();
    return std::isinf(x(n, o, r, s)) ? std::copysign(most, x(n, o, r, s)) : x(n, o, r, s);
  }
};

template <class T>
struct MultipliesPadding : Faithful<T> {
  index_t first_row(const Problem&, index_t) { return 0; }
  index_t last_row(const Problem& s, index_t) { return s.h - 1; }
  index_t first_column(const Problem&, index_t) { return 0; }
  index_t last_column(const Problem& s, index_t) { return s.w - 1; }
  T sample(const In<T>& x, index_t n, index_t o, index_t r, index_t s) {
    const bool exists = r >= 0 && s >= 0 && r < x.extents[2] && s < x.extents[3];
    return exists ? x(n, o, r, s) : T{0};
  }
};

// --- subnormal numbers, flushed to zero ---

template <class T>
T flushed(T value) {
  return std::abs(value) < std::numeric_limits<T>::min() ? T{0} : value;
}

template <class T>
struct FlushesImages : Faithful<T> {
  T sample(const In<T>& x, index_t n, index_t o, index_t r, index_t s) {
    return flushed(x(n, o, r, s));
  }
};

template <class T>
struct FlushesKernels : Faithful<T> {
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    return flushed(k(o, c, p, q));
  }
};

template <class T>
struct FlushesSums : Faithful<T> {
  T rounded(T sum) { return flushed(sum); }
};

// --- both ends of the range: scaled by a power of two without a look at what becomes of it ---

template <class T, int direction>
struct Scales : Faithful<T> {
  T factor = std::ldexp(T{1}, direction* std::numeric_limits<T>::max_exponent / 4);
  T weight(const In<T>& k, index_t o, index_t c, index_t p, index_t q) {
    return k(o, c, p, q) * factor;
  }
  template <class SumAt>
  T value(const Problem&, index_t i, index_t j, const SumAt& sum_at) {
    return sum_at(i, j) / factor;
  }
};
template <class T>
using ScalesUp = Scales<T, 1>;
template <class T>
using ScalesDown = Scales<T, -1>;

template <template <class> class Mutation>
constexpr Algorithm algorithm(std::string_view name, std::string_view sentence) {
  return mutant<Mutation>(name, sentence).algorithm;
}

constinit const Algorithm kMutants[] = {
    algorithm<SpreadsNaN>("spreads_nan", "One NaN in x or k makes all of y NaN."),
    algorithm<SpreadsNaNToTheNext>("spreads_nan_to_the_next",
                                   "A NaN reaches one column more than its taps."),
    algorithm<DropsNaN>("drops_nan", "A NaN in x is taken for 0."),
    algorithm<TakesInfinityForLarge>("takes_infinity_for_large",
                                     "Infinity is taken for the largest number."),
    algorithm<MultipliesPadding>("multiplies_padding",
                                 "The image is surrounded by zeros that are multiplied."),
    algorithm<FlushesImages>("flushes_images_to_zero", "Subnormal numbers in x are taken for 0."),
    algorithm<FlushesKernels>("flushes_kernels_to_zero", "Subnormal numbers in k are taken for 0."),
    algorithm<FlushesSums>("flushes_sums_to_zero", "Sums that are subnormal become 0."),
    algorithm<ScalesUp>("scales_up", "Kernels are scaled up, whether or not sums overflow."),
    algorithm<ScalesDown>("scales_down", "Kernels are scaled down, whether or not sums underflow."),
};

}  // namespace

std::span<const Algorithm> number_mutants() { return kMutants; }

}  // namespace fullconv::testing
