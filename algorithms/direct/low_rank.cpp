// Low rank: a kernel that is a sum of r products of a column and a row, as a Gaussian with r = 1,
// is convolved with in passes: down the columns of the image into some rows that stay in the cache,
// along these rows into y. Whether a kernel is one is seen when it is there, by cross approximation
// (Gaussian elimination with complete pivoting: Bebendorf, Numer. Math. 86, 2000); a few of its
// elements tell most of those that are not. For them, the direct form.
// 2·r·HW(h + w) flops, x read and y written r times; workspace of some rows a thread, and of a
// kernel.

#include "direct/low_rank.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/buffer.h"
#include "core/forecast.h"
#include "core/operand_range.h"
#include "core/parallel.h"
#include "core/rates.h"
#include "core/recompute.h"
#include "core/registry.h"
#include "core/shortcut.h"
#include "core/steps.h"
#include "direct/separable_passes.h"

namespace fullconv {
namespace {

// What is left of a kernel.

/// Elements that are looked at together, each in its lane, so that compilers make vectors of them.
constexpr index_t kSums = 8;

/// The largest magnitude among some numbers, and the sum of their squares. Where one of them is not
/// finite, neither is the sum.
struct Size {
  double largest = 0;
  double squares = 0;
};

/// That of element(j) for j < count.
template <class Element>
Size size_of(index_t count, const Element& element) {
  double largest[kSums] = {}, squares[kSums] = {};
  const auto take = [&](index_t j, index_t lane) {
    const double value = element(j);
    largest[lane] = std::max(largest[lane], std::abs(value));
    squares[lane] += value * value;
  };
  index_t j = 0;
  for (; j + kSums <= count; j += kSums) {
    for (index_t lane = 0; lane < kSums; ++lane) take(j + lane, lane);
  }
  for (; j < count; ++j) take(j, 0);
  Size size;
  for (index_t lane = 0; lane < kSums; ++lane) {
    size.largest = std::max(size.largest, largest[lane]);
    size.squares += squares[lane];
  }
  return size;
}

/// k − Σ column·rowᵀ in double precision, with as many terms as have been taken.
class Residual {
 public:
  /// Of k with no terms, kept in `elements`, as many as k has.
  template <class T>
  Residual(const Plane<const T>& k, double* elements)
      : elements_{elements, k.rows, k.columns, k.columns} {
    update([&](index_t p, index_t q) { return static_cast<double>(k(p, q)); });
  }

  double norm() const { return std::sqrt(squares_); }
  double largest() const { return largest_; }

  /// Takes the cross of the row and the column with the largest element for one more term.
  template <class T>
  void take_cross(T* column, T* row) {
    const Plane<double>& left = elements_;
    const double* pivots = left.row(pivot_row_);
    const index_t pivot_column =
        std::find_if(pivots, pivots + left.columns,
                     [&](double value) { return std::abs(value) == largest_; }) -
        pivots;
    const double pivot = largest_ == 0 ? 1 : pivots[pivot_column];
    for (index_t p = 0; p < left.rows; ++p) column[p] = static_cast<T>(left(p, pivot_column));
    for (index_t q = 0; q < left.columns; ++q) row[q] = static_cast<T>(pivots[q] / pivot);
    // As rounded: so the next term makes up for that.
    update([&](index_t p, index_t q) {
      return left(p, q) - static_cast<double>(column[p]) * static_cast<double>(row[q]);
    });
  }

 private:
  /// elements[p,q] = element(p, q).
  template <class Element>
  void update(const Element& element) {
    largest_ = squares_ = 0;
    for (index_t p = 0; p < elements_.rows; ++p) {
      const Size size = size_of(elements_.columns, [&, row = elements_.row(p)](index_t q) {
        return row[q] = element(p, q);
      });
      squares_ += size.squares;
      if (size.largest > largest_) {
        largest_ = size.largest;
        pivot_row_ = p;
      }
    }
  }

  Plane<double> elements_;
  double largest_ = 0;
  double squares_ = 0;
  index_t pivot_row_ = 0;
};

template <class T>
constexpr double kUnitRoundoff = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;

template <class T>
double norm(const T* elements, index_t count) {
  return std::sqrt(
      size_of(count, [&](index_t j) { return static_cast<double>(elements[j]); }).squares);
}

/// Whether some evenly spaced rows and columns of k, one or two more than `most`, leave the rank
/// open. That of a random kernel they do not, whatever its size: this takes 0.2 to 0.5 µs.
template <class T>
bool may_be_of_rank(const Plane<const T>& k, int most) {
  constexpr index_t kMostSamples = kMostRank + 2;
  const index_t rows = std::min<index_t>(most + 2, k.rows);
  const index_t columns = std::min<index_t>(most + 2, k.columns);
  const auto spaced = [](index_t i, index_t samples, index_t size) {
    return (2 * i + 1) * size / (2 * samples);
  };
  T samples[kMostSamples * kMostSamples];
  for (index_t i = 0; i < rows; ++i) {
    for (index_t j = 0; j < columns; ++j) {
      samples[i * columns + j] = k(spaced(i, rows, k.rows), spaced(j, columns, k.columns));
    }
  }
  double elements[kMostSamples * kMostSamples];
  T column[kMostSamples], row[kMostSamples];
  Residual left(Plane<const T>{samples, rows, columns, columns}, elements);
  // Far above what rounding leaves, far below what is left of random numbers.
  const double tolerance = std::sqrt(kUnitRoundoff<T>) * left.norm();
  for (int term = 0; term < most; ++term) {
    if (left.norm() <= tolerance) return true;
    left.take_cross(column, row);
  }
  return left.norm() <= tolerance;
}

}  // namespace

template <class T>
std::optional<int> cross_approximate(const Plane<const T>& k, int most, double* residual,
                                     const CrossTerms<T>& terms) {
  // Rounding the elements of a product leaves 5·u·‖k‖₂ of it at most; found are 1.6·u·‖k‖₂, for
  // sums of up to four products of random columns and rows, whose terms grow to 2.6·‖k‖₂.
  constexpr double kTolerance = 8 * kUnitRoundoff<T>;
  constexpr double kMostGrowth = 3;
  // Squares of elements neither overflow nor lose digits to underflow.
  constexpr int kReach = std::numeric_limits<T>::max_exponent * 2 / 5;

  if (!may_be_of_rank(k, most)) return std::nullopt;
  Residual left(k, residual);
  const double whole = left.norm();
  const bool usual = left.largest() == 0 || (left.largest() > std::ldexp(1.0, -kReach) &&
                                             left.largest() < std::ldexp(1.0, kReach));
  if (!usual) return std::nullopt;
  double growth = 0;
  for (int rank = 1; rank <= most; ++rank) {
    T* column = terms.column(rank - 1);
    T* row = terms.row(rank - 1);
    left.take_cross(column, row);
    growth += norm(column, terms.h) * norm(row, terms.w);
    // Neither holds for NaN.
    if (left.norm() <= kTolerance * whole && growth <= kMostGrowth * whole) return rank;
  }
  return std::nullopt;
}

template std::optional<int> cross_approximate(const Plane<const float>&, int, double*,
                                              const CrossTerms<float>&);
template std::optional<int> cross_approximate(const Plane<const double>&, int, double*,
                                              const CrossTerms<double>&);

namespace {

// Two passes a term.

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

  /// Of one with these parameters.
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
    // Of x, what is not finite has made y so wherever it enters. What it enters by definition, and
    // what has overflowed on the way only, comes out here.
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
  // Passes have no rate of their own: they are sums by vectors, as the direct form's are.
  const double rate = rates_in_use(blocks.threads)->factor(sizeof(T), "direct_simd", "planes");
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
    .summary = "a pass down and a pass along for each term of a kernel that has few, else direct",
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
