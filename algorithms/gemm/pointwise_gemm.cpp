// Layers whose kernels do not overlap in y: 1×1, or no larger than the stride. Each output belongs
// to one tap or none, and a layer is a matrix product of the operands as they lie in memory. Its
// columns, which fill vectors, are the weights, taps of channels of y, or the pixels:
//
//     pixels × depth of x  times  depth × weights of k
//     weights × depth of k  times  depth × pixels of x
//
// In the first way images of a few pixels leave no lanes empty. The weights of some channels of y
// are copied into a near cache, where all pixels find them, and the sums are put where they belong
// when they are complete. In the second way sums of a channel come as they lie in y, and nothing is
// copied: the faster one where channels are few. 2·H·W·N·K·C·h·w flops. Goto and van de Geijn,
// Anatomy of High-Performance Matrix Multiplication, ACM TOMS 34(3), 2008.

#include "costs/pointwise_gemm.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/buffer.h"
#include "core/forecast.h"
#include "core/interleave.h"
#include "core/parallel.h"
#include "core/past_caches.h"
#include "core/plane.h"
#include "core/registry.h"
#include "core/simd_target.h"
#include "core/steps.h"
#include "gemm/pointwise_blocking.h"
#include "gemm/product.h"

namespace fullconv {
namespace {

using namespace pointwise;  // NOLINT(google-build-using-namespace): names of this algorithm's own

/// Copies `pieces` of kCount elements, `from_step` and `to_step` elements apart.
template <int kCount, class T>
void copy_pieces(const T* from, index_t from_step, index_t pieces, T* to, index_t to_step) {
  for (index_t i = 0; i < pieces; ++i) std::copy_n(from + i * from_step, kCount, to + i * to_step);
}

template <class T>
using CopyPieces = void (*)(const T*, index_t, index_t, T*, index_t);

template <class T, int... i>
constexpr std::array<CopyPieces<T>, sizeof...(i)> piece_copies(std::integer_sequence<int, i...>) {
  return {copy_pieces<i + 1, T>...};
}
/// By elements, less one. A count that is known is a move or two, and no call.
template <class T>
constexpr auto kPieceCopies = piece_copies<T>(std::make_integer_sequence<int, 32>());

template <class T>
class PointwiseGemmPlan final : public Plan<T> {
 public:
  PointwiseGemmPlan(const Problem& problem, int threads)
      : Plan<T>(problem),
        threads_(threads),
        layer_(problem),
        blocking_(choose_blocking<T>(problem, threads)),
        room_(problem, blocking_),
        past_caches_(leaves_caches<T>(problem)),
        weights_(threads * room_.weights),
        sums_(threads * room_.sums),
        rows_(threads * room_.row),
        staged_(threads * room_.staged),
        held_(threads) {}

  std::size_t workspace_bytes() const override {
    return weights_.bytes() + sums_.bytes() + rows_.bytes() + staged_.bytes() + held_.bytes();
  }
  int threads() const override { return threads_; }
  std::string implementation() const override { return simd_target(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    if (!is_dense_problem()) clear_unreached(y);
    std::ranges::fill(held_.elements(), kNone);
    for_each_block(threads_, std::array{blocking_.weight_blocks, blocking_.pixel_blocks},
                   [&](index_t weight_block, index_t pixel_block, int thread) {
                     const Range pixels =
                         blocking_.pixels_of(pixel_block, this->problem().N, layer_.pixels());
                     if (blocking_.pixels_across) {
                       compute_pixels_across(pixels, thread, x, k, y);
                     } else {
                       compute_weights_across(pixels, weight_block, thread, x, k, y);
                     }
                   });
  }

 private:
  /// The weights as factors of rows: of each of the depth they lie `row` elements apart.
  struct Factors {
    const T* data;
    index_t row, depth;
  };

  void compute_pixels_across(Range pixels, int thread, const TensorView<const T>& x,
                             const TensorView<const T>& k, const TensorView<T>& y) const {
    StepTimer timing(Step::copies);
    const Factors factors = factors_of(k, thread);
    timing.enter(Step::gemm);
    const index_t columns = layer_.columns.size();
    if (is_dense_problem()) {
      const bool is_dense = x.strides[2] == columns && y.strides[2] == columns;
      for (index_t c = 0; c < layer_.weights; c += blocking_.rows_at_once) {
        const Range rows{c, std::min(c + blocking_.rows_at_once, layer_.weights)};
        for_each_run(pixels, is_dense, [&](index_t n, index_t row, index_t column, Range run) {
          multiply_run(factors, rows, x, n, row, column, run.size(),
                       &y(n, c, row - layer_.rows.begin, column - layer_.columns.begin),
                       y.strides[1]);
        });
      }
      return;
    }
    T* const staged = staged_.data() + thread * room_.staged;
    for_each_run(pixels, x.strides[2] == columns,
                 [&](index_t n, index_t row, index_t column, Range run) {
                   multiply_run(factors, {0, layer_.weights}, x, n, row, column, run.size(),
                                staged + run.begin - pixels.begin, room_.pitch);
                 });
    timing.enter(Step::copies);
    put_pairs(staged, {0, layer_.weights}, pixels, y);
  }

  /// The weights as they are, or copied once by each thread.
  Factors factors_of(const TensorView<const T>& k, int thread) const {
    if (layer_.taps == 1) return {k.data, k.strides[1], k.strides[0]};
    if (are_rows(k)) return {k.data, 1, k.strides[0]};
    T* const copied = weights_.data() + thread * room_.weights;
    if (std::exchange(held_[thread], 0) == kNone) {
      copy_weights(k, 0, this->problem().K, {0, layer_.weights}, rows_.data() + thread * room_.row,
                   copied);
    }
    return {copied, 1, layer_.weights};
  }

  /// The sums of some pixels that lie one behind the other, in rows of so many elements.
  void multiply_run(const Factors& factors, Range rows, const TensorView<const T>& x, index_t n,
                    index_t row, index_t column, index_t pixels, T* sums, index_t sums_row) const {
    const Problem& p = this->problem();
    const auto multiply_columns = [&](Range depth, index_t first, index_t columns,
                                      index_t readable) {
      multiply<T>({.rows = rows.size(),
                   .columns = columns,
                   .depth = depth.size(),
                   .a = factors.data + rows.begin * factors.row + depth.begin * factors.depth,
                   .a_row = factors.row,
                   .a_depth = factors.depth,
                   .b = &x(n, depth.begin, row, column) + first,
                   .b_depth = x.strides[1],
                   .b_columns = readable,
                   .c = sums + first,
                   .c_row = sums_row,
                   .add = depth.begin > 0});
    };
    const index_t lanes = vector_lanes<T>(), whole = pixels / lanes * lanes;
    const index_t rows_behind = x.strides[2] > 0 ? p.H - row - 1 : 0;
    const index_t readable = rows_behind * x.strides[2] + p.W - column;
    const Range all{0, p.K};
    if (whole == pixels || whole + lanes <= readable) {
      multiply_columns(all, 0, pixels, readable);
    } else if (whole > 0) {  // nothing behind the last vector can be read: it begins earlier
      multiply_columns(all, 0, whole, readable);
      multiply_columns(all, pixels - lanes, lanes, lanes);
    } else {  // what is behind the pixels of one channel are the next ones', except at the end
      const index_t at_end =
          x.strides[1] > 0 ? std::min(ceil_divide(lanes - readable, x.strides[1]), p.K) : p.K;
      const Range others{0, p.K - at_end};
      if (!others.empty()) multiply_columns(others, 0, pixels, lanes);
      multiply_columns({others.end, p.K}, 0, pixels, readable);
    }
  }

  void compute_weights_across(Range pixels, index_t weight_block, int thread,
                              const TensorView<const T>& x, const TensorView<const T>& k,
                              const TensorView<T>& y) const {
    const Problem& p = this->problem();
    const Blocking& b = blocking_;
    const index_t first = weight_block * b.block_weights;
    const Range columns{first, std::min(first + b.block_weights, layer_.weights)};
    const index_t begin = pixels.begin;
    const bool copied = std::exchange(held_[thread], weight_block) == weight_block;
    T* weights = weights_.data() + thread * room_.weights;
    T* sums = sums_.data() + thread * room_.sums;
    StepTimer timing(Step::copies);
    for (index_t o = 0; o < p.K; o += b.depth) {
      const index_t depth = std::min(b.depth, p.K - o);
      T* of_depth = weights + (b.holds_weights() ? o * b.block_weights : 0);
      timing.enter(Step::copies);
      if (!copied) copy_weights(k, o, depth, columns, rows_.data() + thread * room_.row, of_depth);
      timing.enter(Step::gemm);
      const bool is_dense = x.strides[2] == layer_.columns.size();
      for_each_run(pixels, is_dense, [&](index_t n, index_t row, index_t column, Range run) {
        for (index_t c = 0; c < columns.size(); c += b.strip) {
          multiply<T>({.rows = run.size(),
                       .columns = columns_of(columns.size() - c),
                       .depth = depth,
                       .a = &x(n, o, row, column),
                       .a_depth = x.strides[1],
                       .b = of_depth + c * depth,
                       .b_depth = b.strip,
                       .b_columns = b.strip,
                       .c = sums + c * b.block_pixels + (run.begin - begin) * b.strip,
                       .c_row = b.strip,
                       .add = o > 0});
        }
      });
    }
    timing.enter(Step::copies);
    if (!is_dense_problem() && puts_pairs<T>(p)) {
      T* const staged = staged_.data() + thread * room_.staged;
      const index_t lanes = vector_lanes<T>();
      for (index_t c = 0; c < columns.size(); c += lanes) {
        const Range vector{first + c, std::min(first + c + lanes, columns.end)};
        transpose(sums + c / b.strip * b.strip * b.block_pixels + c % b.strip, b.strip,
                  pixels.size(), vector.size(), staged, room_.pitch, false);
        put_pairs(staged, vector, pixels, y);
      }
      return;
    }
    const bool is_dense = is_dense_problem() && y.strides[2] == layer_.columns.size();
    for_each_run(pixels, is_dense, [&](index_t n, index_t row, index_t column, Range run) {
      for (index_t c = 0; c < columns.size(); c += b.strip) {
        const T* of_run = sums + c * b.block_pixels + (run.begin - begin) * b.strip;
        const Range strip{first + c, std::min(first + c + b.strip, columns.end)};
        if (is_dense_problem()) {
          transpose(of_run, b.strip, run.size(), strip.size(),
                    &y(n, strip.begin, row - layer_.rows.begin, column - layer_.columns.begin),
                    y.strides[1], past_caches_);
        } else {
          put_taps(of_run, strip, n, row, {column, column + run.size()}, y);
        }
      }
    });
  }

  /// Whether the weights of several taps lie in rows, as they are multiplied.
  bool are_rows(const TensorView<const T>& k) const {
    const Problem& p = this->problem();
    return k.strides[1] == layer_.taps && (p.h == 1 || k.strides[2] == p.w);
  }

  /// Whole vectors of a strip.
  index_t columns_of(index_t columns) const {
    const index_t lanes = vector_lanes<T>();
    return std::min(blocking_.strip, ceil_divide(columns, lanes) * lanes);
  }

  bool is_dense_problem() const { return this->problem().is_dense(); }

  /// Some columns of the weights, strip by strip, to depth × strip of each. `row`: room for them.
  void copy_weights(const TensorView<const T>& k, index_t o, index_t depth, Range columns, T* row,
                    T* to) const {
    const Problem& p = this->problem();
    const index_t strip = blocking_.strip;
    const bool is_one_tap = layer_.taps == 1;
    PackedFactors<T> factors{.rows = columns.size(),
                             .depth = depth,
                             .taps = 1,
                             .available = p.K - o,
                             .from = &k(o, 0, 0, 0),
                             .row_stride = is_one_tap ? k.strides[1] : 1,
                             .depth_stride = k.strides[0],
                             .to = to,
                             .pitch = strip,
                             .tap_stride = 0,
                             .tile_stride = depth * strip};
    if (is_one_tap || are_rows(k)) {
      factors.from += columns.begin * factors.row_stride;
      pack<T>(factors);
      return;
    }
    factors.depth = factors.available = 1;
    factors.from = row;
    for (index_t d = 0; d < depth; ++d, factors.to += strip) {
      for (index_t j = columns.begin; j < columns.end; ++j) {
        const index_t tap = j % layer_.taps;
        row[j - columns.begin] = k(o + d, j / layer_.taps, tap / p.w, tap % p.w);
      }
      pack<T>(factors);
    }
  }

  /// Calls visit(image, row, column, pixels) for runs of pixels that lie one behind the other,
  /// which those of several rows do where an image is dense.
  template <class Visit>
  void for_each_run(Range pixels, bool is_dense, const Visit& visit) const {
    const index_t rows = layer_.rows.size(), columns = layer_.columns.size();
    const index_t at_once = is_dense || rows == 1 ? rows * columns : columns;
    for (index_t begin = pixels.begin; begin < pixels.end;) {
      const index_t end = std::min((begin / at_once + 1) * at_once, pixels.end);
      visit(begin / (rows * columns), layer_.rows.begin + begin / columns % rows,
            layer_.columns.begin + begin % columns, Range{begin, end});
      begin = end;
    }
  }

  /// Puts sums of a strip of the weights and some pixels of a row to the outputs that they are.
  void put_taps(const T* sums, Range strip, index_t n, index_t row, Range pixels,
                const TensorView<T>& y) const {
    for (; !pixels.empty();
         pixels.begin += kPixelsPutAtOnce, sums += kPixelsPutAtOnce * blocking_.strip) {
      const Range some{pixels.begin, std::min(pixels.begin + kPixelsPutAtOnce, pixels.end)};
      for (index_t j = strip.begin; j < strip.end;) {
        const index_t tap = j % layer_.taps, w = this->problem().w;
        const index_t count = std::min(w - tap % w, strip.end - j);
        put_row_of_taps(sums + j - strip.begin, j / layer_.taps, tap, count, n, row, some, y);
        j += count;
      }
    }
  }

  /// Those of `count` taps of a kernel's row, from `tap` on.
  void put_row_of_taps(const T* sums, index_t c, index_t tap, index_t count, index_t n, index_t row,
                       Range pixels, const TensorView<T>& y) const {
    const Problem& p = this->problem();
    const index_t i = row * p.stride.y + tap / p.w - p.padding.top;
    if (i < 0 || i >= y.extents[2]) return;
    T* const to = &y(n, c, i, 0);
    const index_t strip = blocking_.strip, step = p.stride.x;
    // Pixel u's outputs begin at u·step − before.
    const index_t before = p.padding.left - tap % p.w;
    const index_t last = y.extents[3] + before - count;
    const Range whole = intersection(
        pixels, {ceil_divide(std::max<index_t>(before, 0), step), last < 0 ? 0 : last / step + 1});
    const auto put_some = [&](Range some) {
      for (index_t u = some.begin; u < some.end; ++u) {
        for (index_t q = 0; q < count; ++q) {
          const index_t j = u * step - before + q;
          if (j >= 0 && j < y.extents[3]) to[j] = sums[(u - pixels.begin) * strip + q];
        }
      }
    };
    if (whole.empty()) return put_some(pixels);
    put_some({pixels.begin, whole.begin});
    const T* from = sums + (whole.begin - pixels.begin) * strip;
    T* first = to + whole.begin * step - before;
    if (count <= static_cast<index_t>(kPieceCopies<T>.size())) {
      kPieceCopies<T>[static_cast<std::size_t>(count - 1)](from, strip, whole.size(), first, step);
    } else {
      for (index_t u = 0; u < whole.size(); ++u) {
        std::copy_n(from + u * strip, count, first + u * step);
      }
    }
    put_some({whole.end, pixels.end});
  }

  /// Puts rows of sums, one for each of some columns of the weights, to the outputs that they are
  /// and zeros between them.
  void put_pairs(const T* sums, Range weights, Range pixels, const TensorView<T>& y) const {
    const Problem& p = this->problem();
    const index_t pitch = room_.pitch;
    for_each_run(pixels, false, [&](index_t n, index_t row, index_t column, Range run) {
      const Range outputs = intersection({2 * column, 2 * (column + run.size())},
                                         {p.padding.left, p.padding.left + y.extents[3]});
      if (outputs.empty()) return;
      const bool begins_odd = outputs.begin % 2 != 0;
      for (index_t j = weights.begin; j < weights.end; j += p.w) {
        const index_t c = j / layer_.taps, row_of_taps = j % layer_.taps / p.w;
        const index_t i = row * p.stride.y + row_of_taps - p.padding.top;
        const T* first = sums + (j - weights.begin) * pitch + run.begin - pixels.begin;
        const T* second = p.w == 2 ? first + pitch : nullptr;
        if (begins_odd) std::swap(first, second), second += 1;
        const auto put = [&](index_t to, const T* even, const T* odd) {
          if (to >= 0 && to < y.extents[2]) {
            interleave(even, odd, outputs.size(), &y(n, c, to, outputs.begin - p.padding.left));
          }
        };
        put(i, first, second);
        if (row_of_taps + 1 < p.h) continue;
        for (index_t z = 1; z < p.stride.y - row_of_taps; ++z) put(i + z, nullptr, nullptr);
      }
    });
  }

  /// Zeros where no pixel puts anything.
  void clear_unreached(const TensorView<T>& y) const {
    const Problem& p = this->problem();
    const Window window = p.window();
    const Range rows{layer_.rows.begin * p.stride.y, layer_.rows.end * p.stride.y};
    const Range columns{layer_.columns.begin * p.stride.x, layer_.columns.end * p.stride.x};
    const bool in_pairs = puts_pairs<T>(p);  // with all zeros between them
    const bool puts_rows = in_pairs || p.h == p.stride.y;
    const Range none{window.columns.begin, window.columns.begin};
    const Range put = in_pairs || p.w == p.stride.x ? intersection(columns, window.columns) : none;
    if (puts_rows && intersection(rows, window.rows) == window.rows && put == window.columns)
      return;
    parallel_for(threads_, p.N * p.C, [&](index_t plane, int) {
      for (index_t row = window.rows.begin; row < window.rows.end; ++row) {
        const bool is_put = rows.contains(row) && (puts_rows || row % p.stride.y < p.h);
        const Range kept = is_put && !put.empty() ? put : none;
        T* const to = &y(plane / p.C, plane % p.C, row - window.rows.begin, 0);
        std::fill(to, to + kept.begin - window.columns.begin, T{0});
        std::fill(to + kept.end - window.columns.begin, to + y.extents[3], T{0});
      }
    });
  }

  static constexpr index_t kNone = -1;

  int threads_;
  Layer layer_;
  Blocking blocking_;
  Room<T> room_;
  bool past_caches_;
  Buffer<T> weights_, sums_, rows_, staged_;
  Buffer<index_t> held_;  // by thread: the block of weights that it has
};

/// Layers whose stride keeps kernels apart.
bool takes_strides(const Problem& p) { return p.h <= p.stride.y && p.w <= p.stride.x; }

/// Why a problem is not taken, or null.
const char* objection(const Problem& p) {
  if (p.is_dense() && (p.h != 1 || p.w != 1)) return "kernel is not 1×1";
  if (Layer(p).pixels() == 0) return "no output meets a sample";
  return nullptr;
}

template <class T>
Planned<T> plan_pointwise_gemm(const Problem& problem, const PlanOptions& options) {
  if (const char* reason = objection(problem)) return Declined{reason};
  const int threads = useful_threads(problem, options, options.threads);
  return std::make_unique<PointwiseGemmPlan<T>>(problem, threads);
}

template <class T>
Forecast forecast(const Problem& p, const PlanOptions& options) {
  const int threads = useful_threads(p, options, options.threads);
  const Blocking b = choose_blocking<T>(p, threads);
  const Room<T> room(p, b);
  const double bytes = static_cast<double>(room.elements()) * sizeof(T) + sizeof(index_t);
  return {.terms = divided_among_threads(pointwise_gemm_terms<T>(p, b), threads),
          .workspace_bytes = static_cast<std::size_t>(threads * bytes)};
}

std::optional<Forecast> forecast_pointwise_gemm(const Problem& problem, const PlanOptions& options,
                                                std::size_t scalar_size) {
  if (objection(problem) != nullptr) return std::nullopt;
  return scalar_size == sizeof(float) ? forecast<float>(problem, options)
                                      : forecast<double>(problem, options);
}

template <class T>
std::vector<Boundary> boundaries(const Problem& problem, const PlanOptions& options) {
  std::vector<Boundary> all{{Boundary::kernel_rows, 1}, {Boundary::kernel_columns, 1}};
  if (objection(problem) != nullptr) return all;
  const Blocking b = choose_blocking<T>(problem, useful_threads(problem, options, options.threads));
  all.insert(all.end(),
             {{Boundary::x_channels, b.depth},
              {Boundary::y_channels, b.strip},
              {Boundary::y_channels, b.block_weights},
              {Boundary::y_channels, vector_lanes<T>()},
              {Boundary::output_rows, ceil_divide(b.block_pixels, problem.output_columns())},
              {Boundary::batch, ceil_divide(b.block_pixels, Layer(problem).pixels())}});
  return all;
}

std::vector<Boundary> boundaries_of_pointwise_gemm(const Problem& problem,
                                                   const PlanOptions& options,
                                                   std::size_t scalar_size) {
  return scalar_size == sizeof(float) ? boundaries<float>(problem, options)
                                      : boundaries<double>(problem, options);
}

}  // namespace

constinit const Algorithm builtin::pointwise_gemm{
    .name = "pointwise_gemm",
    .summary = "kernels that do not overlap as one product of the operands",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .same_bits = true,
    .crops = true,
    .takes_strides = takes_strides,
    .vectorized = true,
    .forecast = forecast_pointwise_gemm,
    .boundaries = boundaries_of_pointwise_gemm,
    .plan_f32 = plan_pointwise_gemm<float>,
    .plan_f64 = plan_pointwise_gemm<double>,
};

}  // namespace fullconv
