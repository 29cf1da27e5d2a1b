// Convolutions that do what they must not, and whose outputs are right when they are executed once,
// into dense memory of their own that holds zeros.

#include <optional>
#include <utility>

#include "mutants/faithful.h"

namespace fullconv::testing {
namespace {

// --- what y held before ---

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

/// Writes whole rows of a panel to y where the distance of y's rows is as long.
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

constinit const Algorithm kMutants[] = {
    mutant<Accumulates>("accumulates", "It is added to what y held before.").algorithm,
    mutant<MultipliesByZero>(
        "multiplies_old_output_by_zero",
        "What y held before is multiplied by zero instead of being overwritten.")
        .algorithm,
    mutant<WritesBefore>("writes_before_output", "Memory before y is written.").algorithm,
    mutant<WritesWholeVectors>("writes_whole_vectors", "Memory behind the rows of y is written.")
        .algorithm,
    mutant<AssumesDenseOutput>("assumes_dense_output", "The strides of y are ignored.").algorithm,
    mutant<AssumesDenseImage>("assumes_dense_image", "The strides of x are ignored.").algorithm,
    mutant<FlipsKernelInPlace>("flips_kernel_in_place", "The kernel is changed.").algorithm,
    mutant<UsesImageAsScratch>("image_as_scratch", "The image is changed.").algorithm,
    mutant<PanelsFillGaps>("panels_fill_gaps", "The memory between rows of y is written.")
        .algorithm,
    mutant<KeepsFirstKernel>("keeps_first_kernel",
                             "The kernel of the first execution is kept for later ones.")
        .algorithm,
    mutant<CarriesLastSum>("carries_last_sum",
                           "The last sum of an execution is added to the first of the next.")
        .algorithm,
    mutant<TakesMoreThreads>("takes_more_threads", "More threads are used than allowed.").algorithm,
};

}  // namespace

std::span<const Algorithm> hidden_mutants() { return kMutants; }

std::vector<const Algorithm*> mutants() {
  std::vector<const Algorithm*> all;
  for (const auto& some : {dense_mutants(), layer_mutants()}) {
    for (const Mutant& mutant : some) all.push_back(&mutant.algorithm);
  }
  for (const auto& some : {hidden_mutants(), number_mutants()}) {
    for (const Algorithm& mutant : some) all.push_back(&mutant);
  }
  return all;
}

}  // namespace fullconv::testing
