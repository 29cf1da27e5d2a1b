// Winograd's convolution of kernels up to 5×5: each tile of m×m' outputs takes n·n' products for
// every two channels instead of h·w·m·m', with n = m + h − 1 and n' = m' + w − 1. Images, kernels
// and sums are transformed for that, as winograd/cook_toom.h says, and the products of all channels
// are a matrix product for each of the n·n' points. 2·n·n'/(m·m') flops an output and two channels:
// with 3×3 taps and m = 4 4.5 where the definition has 18, with 2×2 and m = 5 2.9 where it has 8,
// with 5×5 and m = 2 18 where it has 50; rounding errors grow with n. Where outputs do not fill
// whole tiles, some have an output and a point less. Where one of h and w is 1 the other axis alone
// is transformed. A layer of stride 2 has four residues whose samples are transformed once, with
// half as many taps each. Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR
// 2016.

#include "costs/winograd.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/buffer.h"
#include "core/forecast.h"
#include "core/interleave.h"
#include "core/parallel.h"
#include "core/plane.h"
#include "core/prepared_kernel.h"
#include "core/recompute.h"
#include "core/registry.h"
#include "core/simd_target.h"
#include "core/steps.h"
#include "gemm/product.h"
#include "winograd/blocking.h"

namespace fullconv {
namespace {

using namespace winograd;  // NOLINT(google-build-using-namespace): names of this algorithm's own

template <class T>
class WinogradPlan final : public Plan<T> {
 public:
  WinogradPlan(const Problem& problem, int threads)
      : Plan<T>(problem),
        threads_(threads),
        blocking_(best_blocking<T>(problem, threads)),
        transforms_(transforms<T>()),
        room_(blocking_, threads),
        images_(room_.images),
        sums_(room_.sums),
        kernels_(room_.kernels),
        staged_(room_.staged),
        to_recompute_(problem.N * problem.C) {}

  std::size_t workspace_bytes() const override {
    return images_.bytes() + sums_.bytes() + kernels_.bytes() + staged_.bytes() +
           to_recompute_.bytes();
  }
  int threads() const override { return threads_; }
  bool takes_any_kernel_strides() const override { return true; }
  std::string implementation() const override { return simd_target(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    if (blocking_.keeps_kernels) transform_all_kernels(k, kernels_.data());
    compute(x, k, blocking_.keeps_kernels ? kernels_.data() : nullptr, y);
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    const Blocking& b = blocking_;
    auto prepared = std::make_unique<TransformedKernel>(
        k, b.channel_blocks * b.depth_blocks * b.kernel_block());
    transform_all_kernels(k, prepared->transformed.data());
    return prepared;
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    const auto& prepared = static_cast<const TransformedKernel&>(k);
    compute(x, prepared.view(), prepared.transformed.data(), y);
  }

 private:
  struct TransformedKernel final : KernelCopy<T> {
    Buffer<T> transformed;  // by blocks of channels of y, then of x

    TransformedKernel(const TensorView<const T>& k, index_t elements)
        : KernelCopy<T>(k), transformed(elements) {}
    std::size_t bytes() const override { return KernelCopy<T>::bytes() + transformed.bytes(); }
  };

  void transform_all_kernels(const TensorView<const T>& k, T* to) {
    const Blocking& b = blocking_;
    // Each block is cut into so many pieces that threads have about the same to do.
    const index_t pieces = threads_ == 1 ? 1 : 4 * threads_;
    for_each_block(
        threads_, std::array{b.channel_blocks, b.depth_blocks, pieces},
        [&](index_t c, index_t part, index_t piece, int) {
          const Range depth = depth_of(part);
          const Range within{piece * depth.size() / pieces, (piece + 1) * depth.size() / pieces};
          if (within.empty()) return;
          transform_kernels(k, c, {depth.begin + within.begin, depth.begin + within.end},
                            to + (c * b.depth_blocks + part) * b.kernel_block() +
                                within.begin * b.block_channels);
        });
  }

  /// `kernels`: all of them, transformed; null where each is transformed when it is met.
  void compute(const TensorView<const T>& x, const TensorView<const T>& k, const T* kernels,
               const TensorView<T>& y) {
    const Blocking& b = blocking_;
    std::ranges::fill(to_recompute_.elements(), char{0});
    if (b.keeps_kernels) {
      parallel_for(threads_, b.blocks, [&](index_t block, int thread) {
        T* images = images_.data() + thread * room_.image_share;
        for (index_t row = 0; row < b.rows_of(block).size(); ++row) {
          transform_images(x, block, row, {0, vectors_of(this->problem().K)}, images);
        }
        for (index_t c = 0; c < b.channel_blocks; ++c) {
          T* sums = sums_.data() + thread * room_.sums_share;
          multiply_points(block, c, 0, images, kernels + c * b.kernel_block(), sums);
          transform_outputs(block, c, sums, thread, y);
        }
      });
    } else {
      for (index_t block = 0; block < b.blocks; ++block) compute_block(block, x, k, kernels, y);
    }
    recompute_marked(x, k, y);
  }

  index_t vectors_of(index_t channels) const { return ceil_divide(channels, transforms_.lanes); }

  /// Channels of y.
  Range channels_of(index_t channel_block) const {
    const index_t first = channel_block * blocking_.block_channels;
    return {first, std::min(first + blocking_.block_channels, this->problem().C)};
  }

  /// One block of images whose channels of y are shared out to threads.
  void compute_block(index_t block, const TensorView<const T>& x, const TensorView<const T>& k,
                     const T* kernels, const TensorView<T>& y) {
    const Blocking& b = blocking_;
    const index_t vectors = vectors_of(this->problem().K);
    parallel_for(threads_, vectors, [&](index_t v, int) {
      for (index_t row = 0; row < b.rows_of(block).size(); ++row) {
        transform_images(x, block, row, {v, v + 1}, images_.data());
      }
    });
    parallel_for(threads_, b.channel_blocks, [&](index_t c, int thread) {
      T* own_kernels = kernels_.data() + thread * room_.kernel_share;
      T* sums = sums_.data() + thread * room_.sums_share;
      for (index_t part = 0; part < b.depth_blocks; ++part) {
        const Range depth = depth_of(part);
        if (kernels == nullptr) transform_kernels(k, c, depth, own_kernels);
        multiply_points(block, c, depth.begin, images_.data(),
                        kernels == nullptr
                            ? own_kernels
                            : kernels + (c * b.depth_blocks + part) * b.kernel_block(),
                        sums);
      }
      transform_outputs(block, c, sums, thread, y);
    });
  }

  /// Channels of x.
  Range depth_of(index_t depth_block) const {
    const index_t first = depth_block * blocking_.depth;
    return {first, std::min(first + blocking_.depth, this->problem().K)};
  }

  /// Transforms the kernels of some channels of x.
  void transform_kernels(const TensorView<const T>& k, index_t channel_block, Range depth, T* to) {
    const StepTimer timing(Step::transforms);
    const Blocking& b = blocking_;
    const Range channels = channels_of(channel_block);
    transforms_.kernels(b.tile, b.rows, b.columns, &k(depth.begin, channels.begin, 0, 0),
                        {k.strides[0], k.strides[1], k.strides[2], k.strides[3]}, depth.size(),
                        this->problem().K - depth.begin, channels.size(), to, b.kernel_residue(),
                        b.kernel_point, b.block_channels);
  }

  /// A row of tiles of the block, for so many vectors of channels.
  void transform_images(const TensorView<const T>& x, index_t block, index_t row, Range vectors,
                        T* to) {
    const StepTimer timing(Step::transforms);
    const Blocking& b = blocking_;
    const index_t lanes = transforms_.lanes;
    const TileRow tiles = b.tile_row(block, b.rows_of(block).begin + row);
    const index_t first_row = b.rows.numbers.begin + tiles.outputs.begin - (b.rows.taps - 1);
    const index_t first_column = b.columns.numbers.begin - (b.columns.taps - 1);
    for (const Run& run : tiles.runs) {
      if (run.tiles == 0) continue;
      T* of_run = to + run.first_point * b.image_point + run.place * b.image_tile;
      for (index_t v = vectors.begin; v < vectors.end; ++v) {
        transforms_.images(run.tile, plane(x, tiles.image, v * lanes), x.strides[1],
                           std::min(lanes, this->problem().K - v * lanes), first_row,
                           first_column + run.first_output, run.tiles, of_run + v * lanes,
                           b.point_strides(b.image_point), b.image_tile);
      }
    }
  }

  void multiply_points(index_t block, index_t channel_block, index_t o, const T* images,
                       const T* kernels, T* sums) {
    const StepTimer timing(Step::products);
    const Blocking& b = blocking_;
    const index_t columns = vectors_of(channels_of(channel_block).size()) * transforms_.lanes;
    const TilePlaces places = b.places_of(block);
    for (index_t residue = 0; residue < b.residues(); ++residue) {
      // Where the first tap of a residue is a zero, the last point of its kernels is, too, and the
      // sums of that are never written.
      const index_t row = residue / b.columns.count, column = residue % b.columns.count;
      const index_t point_rows = b.tile.rows.points() - (row < b.rows.zeros ? 1 : 0);
      const index_t point_columns = b.tile.columns.points() - (column < b.columns.zeros ? 1 : 0);
      const T* of_kernels = kernels + residue * b.kernel_residue();
      T* to = sums + residue * b.sums_residue();
      for (index_t i = 0; i < point_rows; ++i)
        for (index_t j = 0; j < point_columns; ++j) {
          const index_t point = i * b.tile.columns.points() + j;
          const Range tiles = places.having(i == 0, j == 0);
          if (tiles.empty()) continue;
          multiply<T>({.rows = tiles.size(),
                       .columns = columns,
                       .depth = std::min(b.depth, this->problem().K - o),
                       .a = images + point * b.image_point + tiles.begin * b.image_tile + o,
                       .a_row = b.image_tile,
                       .a_depth = 1,
                       .b = of_kernels + point * b.kernel_point,
                       .b_depth = b.block_channels,
                       .b_columns = columns,
                       .c = to + point * b.sums_point + tiles.begin * b.block_channels,
                       .c_row = b.block_channels,
                       .add = o > 0});
        }
    }
  }

  void transform_outputs(index_t block, index_t channel_block, const T* sums, int thread,
                         const TensorView<T>& y) {
    const StepTimer timing(Step::transforms);
    const Blocking& b = blocking_;
    const index_t lanes = transforms_.lanes;
    const Range channels = channels_of(channel_block);
    const Range rows = b.rows_of(block);
    for (index_t row = rows.begin; row < rows.end; ++row) {
      const TileRow tiles = b.tile_row(block, row);
      const index_t n = tiles.image;
      for (index_t c = 0; c < channels.size(); c += lanes) {
        const T* from = sums + c;
        const index_t begin = channels.begin + c, count = std::min(lanes, channels.size() - c);
        bool finite = true;
        if (b.residues() == 1) {
          Plane<T> to = plane(y, n, begin);
          to.data = to.row(tiles.outputs.begin);
          to.rows = tiles.outputs.size();
          finite = transform_row(tiles, from, count, to, y.strides[1]);
        } else {
          for (index_t residue = 0; residue < b.rows.count; ++residue) {
            finite &= transform_residues(tiles, from, residue, count, thread, plane(y, n, begin),
                                         y.strides[1]);
          }
        }
        if (!finite) mark_for_recompute(n, {begin, begin + count});
      }
    }
  }

  /// One residue of a row of tiles, for so many channels.
  bool transform_row(const TileRow& tiles, const T* sums, index_t channels, const Plane<T>& to,
                     index_t channel_stride) {
    const Blocking& b = blocking_;
    bool finite = true;
    for (const Run& run : tiles.runs) {
      if (run.tiles == 0) continue;
      Plane<T> of_run = to;
      of_run.data += run.first_output;
      of_run.columns -= run.first_output;
      finite &= transforms_.outputs(
          run.tile, sums + run.first_point * b.sums_point + run.place * b.block_channels,
          b.point_strides(b.sums_point), b.block_channels, run.tiles, channels, of_run,
          channel_stride);
    }
    return finite;
  }

  /// All residues of columns of one residue of rows, of a row of tiles.
  bool transform_residues(const TileRow& tiles, const T* sums, index_t row_residue,
                          index_t channels, int thread, const Plane<T>& y, index_t channel_stride) {
    const Blocking& b = blocking_;
    const Residues &down = b.rows, &along = b.columns;
    const index_t width = along.numbers.size();
    const index_t rows = tiles.outputs.size();
    T* staged = staged_.data() + thread * room_.staged_share;
    const index_t staged_residue = transforms_.lanes * b.staged_channel();
    bool finite = true;
    for (index_t residue = 0; residue < along.count; ++residue) {
      finite &= transform_row(
          tiles, sums + (row_residue * along.count + residue) * b.sums_residue(), channels,
          {staged + residue * staged_residue, rows, width, width}, b.staged_channel());
    }
    // Outputs of y begin with this residue.
    const index_t leading = along.outputs.begin % along.count;
    for (index_t c = 0; c < channels; ++c)
      for (index_t i = 0; i < rows; ++i) {
        const index_t output =
            (down.numbers.begin + tiles.outputs.begin + i) * down.count + row_residue;
        if (output < down.outputs.begin || output >= down.outputs.end) continue;
        const T* of_first = staged + c * b.staged_channel() + i * width;
        T* to = y.row(output - down.outputs.begin) + c * channel_stride;
        if (along.count == 1) {
          std::copy_n(of_first, y.columns, to);
        } else if (leading == 0) {
          interleave(of_first, of_first + staged_residue, y.columns, to);
        } else {
          interleave(of_first + staged_residue, of_first + 1, y.columns, to);
        }
      }
    return finite;
  }

  void mark_for_recompute(index_t n, Range channels) {
    for (index_t c = channels.begin; c < channels.end; ++c) {
      std::atomic_ref(to_recompute_[n * this->problem().C + c]).store(1, std::memory_order_relaxed);
    }
  }

  /// NaN or Inf in a tile, from operands or by an overflow, can make any of the tile's outputs NaN
  /// or Inf, even those that it does not enter by definition. Planes with such tiles are computed
  /// again by the definition.
  void recompute_marked(const TensorView<const T>& x, const TensorView<const T>& k,
                        const TensorView<T>& y) {
    const index_t C = this->problem().C;
    const auto marks = to_recompute_.elements();
    if (std::ranges::find(marks, 1) == marks.end()) return;
    for_each_block(threads_, std::array{this->problem().N, C}, [&](index_t n, index_t c, int) {
      if (to_recompute_[n * C + c]) recompute(this->problem(), x, k, n, c, y);
    });
  }

  int threads_;
  Blocking blocking_;
  const Transforms<T>& transforms_;
  Room<T> room_;
  Buffer<T> images_, sums_, kernels_, staged_;
  Buffer<char> to_recompute_;  // 1 for planes of y that have to be computed again
};

Tile largest_tile(const Problem& problem) {
  const auto axis = [](const Residues& residues) {
    const auto taps = static_cast<int>(residues.taps);
    return TileAxis{tile_sizes(taps).most, taps};
  };
  return {.rows = axis(Residues::of_rows(problem)), .columns = axis(Residues::of_columns(problem))};
}

/// Why a problem is not taken, or null.
const char* objection(const Problem& problem) {
  const auto rows = Residues::of_rows(problem), columns = Residues::of_columns(problem);
  if (std::max(rows.taps, columns.taps) > kMostTaps) {
    return "kernel has more than 5×5 taps, or residues of it have";
  }
  // Everything that is transformed is at most so many times as large.
  constexpr double kMostElements = 0x1p56;
  const auto elements = [](const Extents& e) {
    return static_cast<double>(e[0]) * static_cast<double>(e[1]) * static_cast<double>(e[2]) *
           static_cast<double>(e[3]);
  };
  if (elements(problem.x_extents()) + elements(problem.k_extents()) +
          elements(problem.y_extents()) >
      kMostElements) {
    return "has more samples than transforms of them could be counted";
  }
  // The most bytes of the transforms of one row of the largest tiles, with one channel of y.
  constexpr double kMostRowBytes = 0x1p27;
  const Tile tile = largest_tile(problem);
  if (static_cast<double>(tile.points()) * sizeof(double) * static_cast<double>(problem.K + 1) *
          static_cast<double>(problem.output_columns()) / tile.columns.outputs >
      kMostRowBytes) {
    return "has so wide an image that transforms of a row of tiles fill memory";
  }
  return nullptr;
}

template <class T>
Planned<T> plan_winograd(const Problem& problem, const PlanOptions& options) {
  if (const char* reason = objection(problem)) return Declined{reason};
  const int threads = useful_threads(problem, options, options.threads);
  return std::make_unique<WinogradPlan<T>>(problem, threads);
}

template <class T>
Forecast forecast(const Problem& problem, const PlanOptions& options) {
  const int threads = useful_threads(problem, options, options.threads);
  const Blocking b = best_blocking<T>(problem, threads);
  const double planes = static_cast<double>(problem.N * problem.C);
  return {.terms = divided_among_threads(winograd_terms<T>(problem, b), threads),
          .workspace_bytes = static_cast<std::size_t>(Room<T>(b, threads).bytes() + planes)};
}

std::optional<Forecast> forecast_winograd(const Problem& problem, const PlanOptions& options,
                                          std::size_t scalar_size) {
  if (objection(problem) != nullptr) return std::nullopt;
  // Vectors would be all but empty.
  constexpr index_t kFewestChannels = 4;
  if (std::min(problem.K, problem.C) < kFewestChannels) return std::nullopt;
  return scalar_size == sizeof(float) ? forecast<float>(problem, options)
                                      : forecast<double>(problem, options);
}

template <class T>
std::vector<Boundary> boundaries(const Problem& problem, const PlanOptions& options) {
  if (objection(problem) != nullptr) {
    return {{Boundary::kernel_rows, kMostTaps}, {Boundary::kernel_columns, kMostTaps}};
  }
  const Blocking b = best_blocking<T>(problem, useful_threads(problem, options, options.threads));
  const index_t rows = b.tile.rows.outputs;
  return {{Boundary::output_rows, rows},
          {Boundary::output_rows, rows * b.block_rows},
          {Boundary::output_columns, b.tile.columns.outputs},
          {Boundary::output_columns, vector_lanes<T>()},
          {Boundary::x_channels, b.depth},
          {Boundary::x_channels, vector_lanes<T>()},
          {Boundary::y_channels, b.block_channels},
          {Boundary::y_channels, vector_lanes<T>()}};
}

std::vector<Boundary> boundaries_of_winograd(const Problem& problem, const PlanOptions& options,
                                             std::size_t scalar_size) {
  return scalar_size == sizeof(float) ? boundaries<float>(problem, options)
                                      : boundaries<double>(problem, options);
}

bool takes_strides(const Problem& problem) {
  return std::max(problem.stride.y, problem.stride.x) <= kMostStride;
}

/// The operations of the products, for the largest tiles. Those of transforms depend on how they
/// are cut.
double operations(const Problem& problem) {
  if (objection(problem) != nullptr) return nominal_operations(problem);
  const Blocking b(problem, largest_tile(problem));
  return 2.0 * static_cast<double>(b.products()) *
         static_cast<double>(problem.N * problem.K * problem.C);
}

}  // namespace

constinit const Algorithm builtin::winograd{
    .name = "winograd",
    .summary = "tiles of outputs of kernels up to 5×5 by up to four times fewer products",
    .error_model = ErrorModel::winograd,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .same_bits = true,
    .crops = true,
    .takes_strides = takes_strides,
    .vectorized = true,
    .any_kernel_strides = true,
    .prepares = true,
    .operations = operations,
    .forecast = forecast_winograd,
    .boundaries = boundaries_of_winograd,
    .plan_f32 = plan_winograd<float>,
    .plan_f64 = plan_winograd<double>,
};

}  // namespace fullconv
