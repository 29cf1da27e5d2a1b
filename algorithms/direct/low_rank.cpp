// Low rank: some kernels are the sum of r products of a column and a row; a Gaussian has r = 1. The
// image is convolved with each product in two passes: down its columns into some rows that stay in
// the cache, then along these rows into y. Whether a kernel is of low rank is decided in execute(),
// by direct/cross_approximation.cpp; for most kernels that are not, a few elements are enough to
// see that. They take the direct form. 2·r·HW(h + w) flops, x read and y written r times; workspace
// of some rows a thread, and of a kernel.

#include <algorithm>
#include <cmath>

#include "core/buffer.h"
#include "core/forecast.h"
#include "core/operand_range.h"
#include "core/parallel.h"
#include "core/rates.h"
#include "core/recompute.h"
#include "core/registry.h"
#include "core/shortcut.h"
#include "core/steps.h"
#include "direct/cross_approximation.h"
#include "direct/separable_passes.h"

namespace fullconv {
namespace {

/// The plane's rows [begin, end).
template <class T>
Plane<T> rows_of(const Plane<T>& plane, Range rows) {
  return {plane.row(rows.begin), rows.end - rows.begin, plane.columns, plane.row_stride};
}

template <class T>
bool is_finite(const Plane<const T>& plane) {
  for (index_t i = 0; i < plane.rows; ++i) {
    if (!std::isfinite(largest_magnitude(plane.row(i), plane.columns))) return false;
  }
  return true;
}

/// How y is cut into blocks of rows, and for how many threads.
template <class T>
struct Blocks {
  FramedRows<T> framed;  // between the passes
  index_t rows, count;   // of an output plane
  int threads;

  Blocks(const Problem& problem, const PlanOptions& options) : framed(problem.W, problem.w) {
    // Such a block stays in the second-level cache beside its rows of x and y.
    constexpr index_t kBlockBytes = 256 * 1024;
    constexpr index_t kLeastRows = 16;
    const index_t planes = problem.N * problem.C;
    const index_t most_rows =
        std::max(kLeastRows, kBlockBytes / (framed.row_stride * static_cast<index_t>(sizeof(T))));
    threads = useful_threads(problem, options, planes * problem.output_rows());
    count = ceil_divide(problem.output_rows(), most_rows);
    if (planes * count < 4 * threads) count = ceil_divide(count, threads) * threads;
    rows = ceil_divide(problem.output_rows(), count);
    count = ceil_divide(problem.output_rows(), rows);
  }

  /// Elements to set aside for each thread between the passes.
  index_t elements() const { return share_of_thread(framed.elements(rows), sizeof(T)); }
};

template <class T>
class SeparablePasses final : public Shortcut<T> {
 public:
  SeparablePasses(const Problem& problem, const Blocks<T>& blocks, int most_rank)
      : problem_(problem),
        blocks_(blocks),
        most_rank_(most_rank),
        passes_(separable_passes<T>()),
        ranks_(problem.K * problem.C),
        residual_(problem.h * problem.w),
        terms_(problem.K * problem.C * most_rank * (problem.h + problem.w)),
        between_(blocks.threads * blocks.elements()) {}

  /// The workspace of an object with these parameters.
  static double workspace_bytes(const Problem& problem, const Blocks<T>& blocks, int most_rank) {
    const index_t K = problem.K, C = problem.C, h = problem.h, w = problem.w;
    const auto kernels = static_cast<double>(K * C);
    return kernels * sizeof(int) + sizeof(double) * static_cast<double>(h * w) +
           sizeof(T) *
               (kernels * most_rank * static_cast<double>(h + w) +
                static_cast<double>(blocks.threads) * static_cast<double>(blocks.elements()));
  }

  std::size_t workspace_bytes() const override {
    return ranks_.bytes() + residual_.bytes() + terms_.bytes() + between_.bytes();
  }
  int threads() const override { return blocks_.threads; }

  bool try_execute(const TensorView<const T>& x, const TensorView<const T>& k,
                   const TensorView<T>& y) override {
    if (!all_of_low_rank(k) || !keeps_whole_numbers(x, k)) return false;
    for_each_block(blocks_.threads, std::array{problem_.N, problem_.C, blocks_.count},
                   [&](index_t n, index_t c, index_t block, int thread) {
                     const StepTimer timing(Step::direct);
                     const index_t first = block * blocks_.rows;
                     const index_t end = std::min(first + blocks_.rows, problem_.output_rows());
                     convolve_block(x, k, y, n, c, {first, end},
                                    between_.data() + thread * blocks_.elements());
                   });
    return true;
  }

 private:
  CrossTerms<T> terms(index_t kernel) const {
    return {terms_.data() + kernel * most_rank_ * (problem_.h + problem_.w), problem_.h,
            problem_.w};
  }

  bool all_of_low_rank(const TensorView<const T>& k) {
    for (index_t o = 0; o < problem_.K; ++o) {
      for (index_t c = 0; c < problem_.C; ++c) {
        const index_t kernel = o * problem_.C + c;
        const auto rank =
            cross_approximate(plane(k, o, c), most_rank_, residual_.data(), terms(kernel));
        if (!rank) return false;
        ranks_[kernel] = *rank;
      }
    }
    return true;
  }

  /// Whether sums in two passes are of whole numbers, too, where operands are, or seem to be.
  bool keeps_whole_numbers(const TensorView<const T>& x, const TensorView<const T>& k) const {
    for (index_t o = 0; o < problem_.K; ++o)
      for (index_t c = 0; c < problem_.C; ++c)
        for (index_t p = 0; p < problem_.h; ++p)
          if (!std::all_of(&k(o, c, p, 0), &k(o, c, p, 0) + problem_.w, is_whole<T>)) return true;
    if (!samples_are_whole(StridedPlane<const T>(x, 0, 0), problem_.K, x.strides[1])) return true;
    for (index_t kernel = 0; kernel < problem_.K * problem_.C; ++kernel) {
      const T* elements = terms(kernel).data;
      if (!std::all_of(elements, elements + ranks_[kernel] * (problem_.h + problem_.w),
                       is_whole<T>))
        return false;
    }
    return true;
  }

  /// y's rows `rows` in its plane [n,c].
  void convolve_block(const TensorView<const T>& x, const TensorView<const T>& k,
                      const TensorView<T>& y, index_t n, index_t c, Range rows, T* between) {
    const Window window = problem_.window();
    const Range wanted{window.rows.begin + rows.begin, window.rows.begin + rows.end};
    const Plane<T> block = rows_of(plane(y, n, c), rows);
    for (index_t o = 0; o < problem_.K; ++o) {
      const index_t kernel = o * problem_.C + c;
      for (index_t term = 0; term < ranks_[kernel]; ++term) {
        add_term(plane(x, n, o), terms(kernel).column(term), terms(kernel).row(term), between,
                 block, wanted, o + term > 0);
      }
    }
    // If x has NaN or Inf, or a pass overflowed, y is not finite there. Such blocks are computed
    // again by the definition: only outputs that x's NaN or Inf enter by definition stay not
    // finite.
    if (is_finite<T>(block)) return;
    recompute(problem_, x, k, n, c, {wanted, window.columns}, y);
  }

  /// block = x ∗ column ∗ row, or += where `add`, of the full output's rows `wanted`.
  void add_term(const Plane<const T>& x, const T* column, const T* row, T* between,
                const Plane<T>& block, Range wanted, bool add) const {
    const Plane<T> narrow = blocks_.framed.plane(between, block.rows);
    passes_.convolve_columns(x, column, problem_.h, wanted, narrow);
    // From y's first column on.
    const Plane<const T> shifted{narrow.data + problem_.window().columns.begin, narrow.rows,
                                 narrow.columns, narrow.row_stride};
    passes_.convolve_rows(shifted, row, problem_.w, block, add);
  }

  Problem problem_;
  Blocks<T> blocks_;
  int most_rank_;
  const Passes<T>& passes_;
  Buffer<int> ranks_;
  Buffer<double> residual_;  // of one kernel
  Buffer<T> terms_;
  Buffer<T> between_;  // x ∗ column, a block a thread
};

/// The ranks with which this is surely faster than what takes so many seconds.
template <class T>
int most_rank_that_pays(const Problem& problem, const Blocks<T>& blocks, double seconds) {
  constexpr double kMargin = 1.1;  // as much as forecasts are off
  const double plane = separable_passes<T>().seconds(
      problem.output_rows(), problem.W, problem.output_columns(), problem.h, problem.w);
  // Passes have no rate of their own: they load and store more than they multiply.
  const double rate = rates_in_use(blocks.threads)->factor(sizeof(T), "direct_simd", "others");
  const double passes = rate * static_cast<double>(problem.N * problem.K * problem.C) * plane;
  const Forecast term{divided_among_threads({{"passes", passes}}, blocks.threads)};
  return static_cast<int>(std::clamp<double>(seconds / (kMargin * term.seconds()), 0, kMostRank));
}

template <class T>
std::unique_ptr<Shortcut<T>> plan_passes(const Problem& problem, const PlanOptions& options,
                                         double seconds) {
  // Longer rows fit no memory, and the sizes of their frames no integer.
  constexpr index_t kMostColumns = index_t{1} << 48;
  if (problem.output_columns() > kMostColumns) return nullptr;
  // One row or column: the direct form is a pass.
  if (problem.h == 1 || problem.w == 1) return nullptr;
  const Blocks<T> blocks(problem, options);
  const int most_rank = most_rank_that_pays(problem, blocks, seconds);
  if (most_rank < 1) return nullptr;
  const double bytes = SeparablePasses<T>::workspace_bytes(problem, blocks, most_rank);
  if (options.workspace_limit && bytes > static_cast<double>(*options.workspace_limit)) {
    return nullptr;
  }
  return std::make_unique<SeparablePasses<T>>(problem, blocks, most_rank);
}

template <class T>
std::vector<Boundary> boundaries(const Problem& problem, const PlanOptions& options) {
  using Framed = FramedRows<T>;
  const Blocks<T> blocks(problem, options);
  return {
      {Boundary::output_rows, blocks.rows},         {Boundary::output_rows, Framed::kRowsAtOnce},
      {Boundary::kernel_rows, Framed::kRowsAtOnce}, {Boundary::image_columns, Framed::kLine},
      {Boundary::output_columns, Framed::kLine},    {Boundary::kernel_columns, Framed::kLine + 1}};
}

std::vector<Boundary> boundaries_of_low_rank(const Problem& problem, const PlanOptions& options,
                                             std::size_t scalar_size) {
  return scalar_size == sizeof(float) ? boundaries<float>(problem, options)
                                      : boundaries<double>(problem, options);
}

template <class T>
Planned<T> plan_low_rank(const Problem& problem, const PlanOptions& options) {
  const Algorithm* direct_simd = find_algorithm("direct_simd");
  if (direct_simd == nullptr) {
    return Declined{"takes kernels of high rank by direct_simd, which this build goes without"};
  }
  PlanOptions dense = options;
  dense.any_strides = false;
  auto direct = direct_simd->plan<T>(problem, dense);
  const auto forecast = direct_simd->forecast(problem, dense, sizeof(T));
  auto shortcut = plan_passes<T>(problem, options, forecast->seconds());
  if (!shortcut) return direct;
  return std::make_unique<PlanWithShortcut<T>>(builtin::low_rank.name, std::move(shortcut),
                                               std::move(std::get<0>(direct)));
}

}  // namespace

constinit const Algorithm builtin::low_rank{
    .name = "low_rank",
    .summary = "a vertical and a horizontal pass for each term of a low-rank kernel, else direct",
    .error_model = ErrorModel::low_rank,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .crops = true,
    .vectorized = true,
    .delegates = Delegates::sometimes,
    .boundaries = boundaries_of_low_rank,
    .plan_f32 = plan_low_rank<float>,
    .plan_f64 = plan_low_rank<double>,
    .shortcut_f32 = plan_passes<float>,
    .shortcut_f64 = plan_passes<double>,
};

}  // namespace fullconv
