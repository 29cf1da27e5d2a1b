// Overlap-save: the output is cut into tiles. A small circular convolution computes each: from a
// P×Q piece of the image, the (P−h+1)×(Q−w+1) outputs where it does not wrap around. If the whole
// image fits into a tile along one axis, only outputs that are not wanted wrap around there. The
// operands are real, so half as many complex points are enough. There are two ways. Two tiles: they
// go through one transform, as its real and its imaginary part, and the result separates by itself.
// At right angles: the two halves of one tile do, and those of the kernel. About 2.2·P·Q·log₂(PQ)
// flops for the forward and again for the inverse transform of a tile of a channel. Workspace of
// P·Q·(K·C + (K + 1)·threads) scalars at right angles, or 2·P·Q·threads for a single plane, and
// twice that for two tiles; the data of a tile stay in a cache, those of whole images do not. Each
// thread takes its own pieces. If there are few pieces, each thread takes one residue of every
// piece, and the threads meet only to join the residues. A tile whose values are so large or small
// that its spectrum would overflow or lose digits is scaled by a power of two. NaN and Inf count as
// 0, and their products are added afterwards. Oppenheim and Schafer, Discrete-Time Signal
// Processing, 3rd ed., 8.7.3.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/buffer.h"
#include "core/operand_range.h"
#include "core/parallel.h"
#include "core/plane.h"
#include "core/prepared_kernel.h"
#include "core/recompute.h"
#include "core/registry.h"
#include "core/simd_target.h"
#include "core/steps.h"
#include "fft/decomposition.h"
#include "fft/tile_transform.h"
#include "fft/tiling.h"

namespace fullconv {
namespace {

/// Rows that a thread takes at a time when a plane is completed by sums of products. Each such part
/// reads h − 1 more rows of the image.
index_t completed_rows(const Problem& problem) { return std::max<index_t>(64, 4 * problem.h); }

/// Whether spectra of all channels of x take no more than is reasonable at once. A layer with more
/// has small kernels, which tiles are not for.
bool spectra_fit(const Problem& problem, const Tiling& tiling, std::size_t scalar_size) {
  constexpr double kMostSpectraBytes = 256 << 20;
  return static_cast<double>(problem.K) * tiling.piece_bytes(scalar_size) <= kMostSpectraBytes;
}

template <class T>
class OverlapSavePlan final : public Plan<T> {
 public:
  OverlapSavePlan(const Problem& problem, const Decomposition& chosen)
      : Plan<T>(problem),
        tiling_(chosen.tiling),
        threads_(chosen.threads),
        kept_channels_(tiling_.kept_channels(problem, sizeof(T))),
        layout_(problem, tiling_, threads_, sizeof(T)),
        own_kernels_(problem, layout_),
        image_states_(threads_ * problem.N),
        likely_exponents_(problem.N),
        piece_exponents_(threads_),
        tiles_(threads_ * layout_.tiles),
        scratch_(threads_ * layout_.scratch) {
    for (int residue = 0; residue < tiling_.residues; ++residue) {
      transforms_.emplace_back(tiling_.transform_rows, tiling_.columns.length, tiling_.packing,
                               Residue{residue, tiling_.residues});
    }
  }

  std::size_t workspace_bytes() const override {
    return own_kernels_.bytes() + image_states_.bytes() + likely_exponents_.bytes() +
           piece_exponents_.bytes() + tiles_.bytes() + scratch_.bytes();
  }
  int threads() const override { return threads_; }
  std::string implementation() const override { return simd_target(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    run_with(own_kernels_, false, x, k, y);
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    // Kernels that are not all kept at once have to be transformed again in each call.
    if (!keeps_all_channels()) return Plan<T>::run_prepare(k);
    auto prepared = std::make_unique<Prepared>(k, Kernels(this->problem(), layout_));
    kernels_ = &prepared->kernels;
    for (int copy = 0; copy < layout_.copies; ++copy) {
      transform_kernels(prepared->view(), {0, this->problem().C}, copy);
    }
    return prepared;
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    if (!keeps_all_channels()) return Plan<T>::run_prepared(x, k, y);
    const auto& prepared = static_cast<const Prepared&>(k);
    run_with(prepared.kernels, true, x, prepared.view(), y);
  }

 private:
  /// The spectra of kernels, and what was found out about k[:,c], at copy·C + c.
  struct Kernels {
    Buffer<T> spectra;
    Buffer<OperandState> states;

    Kernels(const Problem& problem, const OverlapSaveLayout& layout)
        : spectra(layout.copies * layout.kernels), states(layout.copies * problem.C) {
      std::ranges::fill(states.elements(), OperandState{});
    }
    std::size_t bytes() const { return spectra.bytes() + states.bytes(); }
  };

  /// A kernel as it is, and its spectra.
  struct Prepared final : KernelCopy<T> {
    Kernels kernels;

    Prepared(const TensorView<const T>& k, Kernels of_k)
        : KernelCopy<T>(k), kernels(std::move(of_k)) {}
    std::size_t bytes() const override { return KernelCopy<T>::bytes() + kernels.bytes(); }
  };

  bool keeps_all_channels() const { return kept_channels_ == this->problem().C; }

  void run_with(const Kernels& kernels, bool ready, const TensorView<const T>& x,
                const TensorView<const T>& k, const TensorView<T>& y) {
    const Problem& problem = this->problem();
    kernels_ = &kernels;
    kernels_are_ready_ = ready;
    if (!ready) std::ranges::fill(kernels.states.elements(), OperandState{});
    std::ranges::fill(image_states_.elements(), OperandState{});
    for (index_t n = 0; n < problem.N; ++n) {
      likely_exponents_[n] = likely_exponent(StridedPlane(x, n, 0), problem.K, x.strides[1]);
    }
    for (index_t first = 0; first < problem.C; first += kept_channels_) {
      const Range channels{first, std::min(first + kept_channels_, problem.C)};
      if (tiling_.residues == 1) {
        share_pieces(channels, x, k, y);
      } else {
        share_residues(channels, x, k, y);
      }
    }
    complete_all(x, k, y);
  }

  /// By any of so many, whose states lie `apart`: a thread that takes no piece finds out nothing.
  static OperandState by_any(const OperandState* states, int count, index_t apart) {
    OperandState all;
    for (int i = 0; i < count; ++i) {
      all.all_in_range &= states[i * apart].all_in_range;
      all.all_finite &= states[i * apart].all_finite;
    }
    return all;
  }
  OperandState image_state(index_t n) const {
    return by_any(&image_states_[n], threads_, this->problem().N);
  }
  OperandState kernel_state(index_t c) const {
    return by_any(&kernels_->states[c], layout_.copies, this->problem().C);
  }

  void share_pieces(Range channels, const TensorView<const T>& x, const TensorView<const T>& k,
                    const TensorView<T>& y) {
    const bool shared = layout_.copies == 1;
    const auto prepare = [&](int thread) {
      if (!shared && !kernels_are_ready_) transform_kernels(k, channels, thread);
    };
    if (shared && !kernels_are_ready_) {
      const index_t kernels = this->problem().K * channels.size();
      parallel_for(threads_, kernels, [&](index_t i, int thread) {
        transform_kernel(k, channels.begin, i, 0, thread);
      });
      bring_kernels_into_range(k, channels, 0);
    }
    parallel_for(threads_, pieces(), prepare, [&](index_t piece, int thread) {
      for (index_t c = channels.begin; c < channels.end; ++c) {
        convolve(x, piece, c, channels.begin, thread);
        combine(piece, c, thread, y);
      }
    });
  }

  void share_residues(Range channels, const TensorView<const T>& x, const TensorView<const T>& k,
                      const TensorView<T>& y) {
    parallel_rounds(threads_, 2 * pieces() * channels.size(), [&](index_t round, int thread) {
      const index_t piece = round / 2 / channels.size();
      const index_t c = channels.begin + round / 2 % channels.size();
      if (round == 0 && !kernels_are_ready_) transform_kernels(k, channels, thread);
      if (round % 2 == 0) {
        convolve(x, piece, c, channels.begin, thread);
        publish(piece, c, thread, y);
      } else {
        combine(piece, c, thread, y);
      }
    });
  }

  index_t pieces() const { return this->problem().N * tiling_.pieces(); }

  int residue(int thread) const { return tiling_.residues == 1 ? 0 : thread; }
  int kernel_copy(int thread) const { return layout_.copies == 1 ? 0 : thread; }
  const TileTransform<T>& transform(int thread) const {
    return transforms_[static_cast<std::size_t>(residue(thread))];
  }

  T* kernel(int thread, index_t i) const {
    return kernels_->spectra.data() + kernel_copy(thread) * layout_.kernels + i * layout_.spectrum;
  }
  T* tile(int thread, index_t i) const {
    return tiles_.data() + thread * layout_.tiles + i * layout_.spectrum;
  }
  /// Where a thread has what combine() needs.
  T* half(int thread) const { return tile(thread, tiles_of_a_thread(this->problem()) - 1); }
  T* scratch(int thread) const { return scratch_.data() + thread * layout_.scratch; }

  bool right_angle() const { return tiling_.packing == Packing::right_angle; }

  template <class U>
  TileWindow<U> lower_half(TileWindow<U> window) const {
    window.top += tiling_.residues * tiling_.transform_rows;
    return window;
  }

  /// Transforms the kernels of the output channels that are kept.
  void transform_kernels(const TensorView<const T>& k, Range channels, int thread) {
    const index_t kernels = this->problem().K * channels.size();
    for (index_t i = 0; i < kernels; ++i) transform_kernel(k, channels.begin, i, 0, thread);
    bring_kernels_into_range(k, channels, thread);
  }

  /// Transforms kernels that are out of range again, scaled: all kernels of an output channel by
  /// the same factor, since their products are summed.
  void bring_kernels_into_range(const TensorView<const T>& k, Range channels, int thread) {
    const index_t K = this->problem().K;
    for (index_t c = channels.begin; c < channels.end; ++c) {
      OperandState& state = kernel_state(thread, c);
      if (state.all_in_range) continue;
      OperandScan<T> scan;
      for (index_t o = 0; o < K; ++o) scan.include(StridedPlane(k, o, c));
      state.exponent = scan.exponent();
      state.all_in_range = true;
      for (index_t o = 0; o < K; ++o) {
        transform_kernel(k, channels.begin, (c - channels.begin) * K + o, state.exponent, thread);
      }
    }
  }

  OperandState& kernel_state(int thread, index_t c) const {
    return kernels_->states[kernel_copy(thread) * this->problem().C + c];
  }

  /// The i-th of those that are kept, with the inverse's factor.
  void transform_kernel(const TensorView<const T>& k, index_t first, index_t i, int exponent,
                        int thread) {
    const StepTimer timing(Step::transforms);
    const Problem& problem = this->problem();
    const index_t K = problem.K;
    const TileWindow<const T> taps{plane(k, i % K, first + i / K), 0, 0};
    const TileWindow<const T> im = right_angle() ? lower_half(taps) : TileWindow<const T>{};
    const Gathered<T> gathered = transform(thread).forward(
        transform(thread).scale(), exponent, taps, im, scratch(thread), kernel(thread, i));
    // Threads share the channels of one state.
    OperandState& state = kernel_state(thread, first + i / K);
    if (!is_in_range(gathered.magnitudes)) std::atomic_ref(state.all_in_range).store(false);
    if (!gathered.all_finite) std::atomic_ref(state.all_finite).store(false);
  }

  /// What a tile covers of a plane of x.
  TileWindow<const T> covered(const Plane<const T>& x, index_t tile) const {
    const auto [i, j] = first_output(tile);
    const Window window = this->problem().window();
    return {x, window.rows.begin + i - tiling_.rows.first,
            window.columns.begin + j - tiling_.columns.first};
  }

  /// The part of its plane that a transform reads.
  Plane<const T> covered_rows(const TileWindow<const T>& part) const {
    const auto overlap = [](index_t first, index_t length, index_t size) {
      const Range seen = intersection({first, first + length}, {0, size});
      return seen.empty() ? Range{0, 0} : seen;
    };
    const index_t length = tiling_.residues * tiling_.transform_rows;
    const Range rows = overlap(part.top, length, part.plane.rows);
    const Range columns = overlap(part.left, tiling_.columns.length, part.plane.columns);
    return {part.plane.row(rows.begin) + columns.begin, rows.size(), columns.size(),
            part.plane.row_stride};
  }

  /// What it has of a plane of y, which it is shown from its first output on.
  TileWindow<T> computed(const Plane<T>& y, index_t tile) const {
    const auto [i, j] = first_output(tile);
    return {{y.row(i) + j, y.rows - i, y.columns - j, y.row_stride},
            -tiling_.rows.first,
            -tiling_.columns.first};
  }

  std::pair<index_t, index_t> first_output(index_t tile) const {
    return {tile / tiling_.columns.tiles * tiling_.rows.outputs,
            tile % tiling_.columns.tiles * tiling_.columns.outputs};
  }

  /// The real and the imaginary part of a piece: windows of two tiles, the last of which there may
  /// not be, or of one tile's halves.
  template <class WindowOf>
  auto parts(index_t piece, const WindowOf& window_of) const {
    using Part = std::invoke_result_t<WindowOf, index_t>;
    if (right_angle()) {
      const Part tile = window_of(piece);
      return std::pair{tile, lower_half(tile)};
    }
    const index_t second = 2 * piece + 1;
    return std::pair{window_of(2 * piece), second < tiling_.tiles() ? window_of(second) : Part{}};
  }

  /// What a thread has of a piece's output channel c, but for what combine() does; for the first
  /// one of those that are kept it transforms the images.
  void convolve(const TensorView<const T>& x, index_t index, index_t c, index_t first, int thread) {
    const Problem& problem = this->problem();
    const index_t n = index / tiling_.pieces();
    const index_t piece = index % tiling_.pieces();
    const auto image_parts = [&](index_t o) {
      const Plane<const T> image = plane(x, n, o);
      return parts(piece, [&](index_t tile) { return covered(image, tile); });
    };
    OperandState& state = image_states_[thread * problem.N + n];
    // Whether all channels are in range, which is enough: their products are summed.
    const auto transform_images = [&](int exponent) {
      bool all_in_range = true;
      for (index_t o = 0; o < problem.K; ++o) {
        const auto [re, im] = image_parts(o);
        const Gathered<T> gathered =
            is_single_plane(problem)
                ? transform(thread).convolve(exponent, re, im, kernel(thread, 0), scratch(thread),
                                             half(thread))
                : transform(thread).forward(1, exponent, re, im, scratch(thread), tile(thread, o));
        all_in_range &= is_in_range(gathered.magnitudes);
        state.all_finite &= gathered.all_finite;
      }
      return all_in_range;
    };
    StepTimer timing(Step::transforms);
    if (c == first) {
      int exponent = likely_exponents_[n];
      if (!transform_images(exponent)) {
        OperandScan<T> scan;
        for (index_t o = 0; o < problem.K; ++o) {
          const auto [re, im] = image_parts(o);
          for (const auto& part : {re, im}) scan.include(covered_rows(part));
        }
        exponent = scan.exponent();
        state.all_in_range &= transform_images(exponent);
      }
      piece_exponents_[thread] = exponent;
    }
    if (is_single_plane(problem)) return;
    timing.enter(Step::products);
    transform(thread).sum_products(tile(thread, 0), kernel(thread, (c - first) * problem.K),
                                   problem.K, half(thread));
  }

  /// For other threads to combine.
  void publish(index_t index, index_t c, int thread, const TensorView<T>& y) const {
    const StepTimer timing(Step::transforms);
    const auto [re, im] = output_parts(index, c, y);
    transform(thread).publish(re, im, scratch(thread), half(thread));
  }

  void combine(index_t index, index_t c, int thread, const TensorView<T>& y) const {
    const StepTimer timing(Step::transforms);
    const auto [re, im] = output_parts(index, c, y);
    const int exponent = kernel_state(thread, c).exponent + piece_exponents_[thread];
    transform(thread).combine(half(thread - residue(thread)), layout_.tiles, -exponent, re, im,
                              scratch(thread));
  }

  auto output_parts(index_t index, index_t c, const TensorView<T>& y) const {
    const Plane<T> outputs = plane(y, index / tiling_.pieces(), c);
    return parts(index % tiling_.pieces(), [&](index_t tile) { return computed(outputs, tile); });
  }

  /// Adds the products of NaN and Inf, and computes by the definition where channels of images or
  /// kernels differ too much for one range.
  void complete_all(const TensorView<const T>& x, const TensorView<const T>& k,
                    const TensorView<T>& y) {
    const Problem& problem = this->problem();
    const index_t N = problem.N, C = problem.C;
    bool is_complete = true;
    for (index_t n = 0; n < N; ++n) is_complete &= image_state(n).is_plain();
    for (index_t c = 0; c < C; ++c) is_complete &= kernel_state(c).is_plain();
    if (is_complete) return;
    const Window window = problem.window();
    const index_t rows = completed_rows(problem);
    const index_t blocks = ceil_divide(window.rows.size(), rows);
    for_each_block(
        threads_, std::array{N, C, blocks}, [&](index_t n, index_t c, index_t block, int) {
          const StepTimer timing(Step::direct);
          const index_t first = window.rows.begin + block * rows;
          const Range part{first, std::min(first + rows, window.rows.end)};
          complete(problem, x, k, n, c, image_state(n), kernel_state(c), {part, window.columns}, y);
        });
  }

  Tiling tiling_;
  int threads_;
  std::vector<TileTransform<T>> transforms_;  // of the residues
  index_t kept_channels_;
  OverlapSaveLayout layout_;
  Kernels own_kernels_;
  const Kernels* kernels_ = nullptr;  // that are used: own ones, or prepared ones
  bool kernels_are_ready_ = false;
  Buffer<OperandState> image_states_;  // of x[n], as a thread has seen it, at thread·N + n
  Buffer<int> likely_exponents_;       // of x[n]
  Buffer<int> piece_exponents_;        // of what a thread is at
  Buffer<T> tiles_, scratch_;
};

double overlap_save_operations(const Problem& problem) {
  const std::optional<Decomposition> chosen = best_decomposition(problem, {}, sizeof(float));
  if (!chosen) return 0;
  const Tiling& tiling = chosen->tiling;
  const index_t N = problem.N, K = problem.K, C = problem.C;
  const auto passages =
      static_cast<double>(ceil_divide(C, tiling.kept_channels(problem, sizeof(float))));
  const auto points = static_cast<double>(tiling.points());
  const auto pieces = static_cast<double>(N * tiling.pieces());
  const auto images = static_cast<double>(K);
  const auto outputs = static_cast<double>(C);
  const double transforms = pieces * (images * passages + outputs) + images * outputs;
  return points * (transforms * 4.4 * std::log2(points) + 8 * pieces * images * outputs);
}

std::optional<Forecast> forecast_overlap_save(const Problem& problem, const PlanOptions& options,
                                              std::size_t scalar_size) {
  const std::optional<Decomposition> chosen = best_decomposition(problem, options, scalar_size);
  if (!chosen || !spectra_fit(problem, chosen->tiling, scalar_size)) return std::nullopt;
  const auto& [tiling, threads, seconds] = *chosen;
  Forecast forecast{.terms = {{"tiles", seconds.tiles},
                              {"products", seconds.products},
                              {"kernels", seconds.kernels},
                              {"memory", seconds.memory}},
                    .workspace_bytes = static_cast<std::size_t>(
                        OverlapSaveLayout(problem, tiling, threads, scalar_size).bytes())};
  if (threads > 1) forecast.terms.push_back({"forking", seconds.forking});
  return forecast;
}

std::vector<Boundary> boundaries_of_overlap_save(const Problem& problem, const PlanOptions& options,
                                                 std::size_t scalar_size) {
  const std::optional<Decomposition> chosen = best_decomposition(problem, options, scalar_size);
  if (!chosen) return {};
  const Tiling& tiling = chosen->tiling;
  return {{Boundary::output_rows, tiling.rows.outputs},
          {Boundary::output_rows, tiling.rows.length},
          {Boundary::output_columns, tiling.columns.outputs},
          {Boundary::output_columns, tiling.columns.length},
          {Boundary::kernel_rows, tiling.transform_rows},
          {Boundary::kernel_columns, tiling.columns.length},
          {Boundary::y_channels, tiling.kept_channels(problem, scalar_size)},
          {Boundary::output_rows, completed_rows(problem)}};
}

template <class T>
Planned<T> plan_overlap_save(const Problem& problem, const PlanOptions& options) {
  const std::optional<Decomposition> chosen = best_decomposition(problem, options, sizeof(T));
  if (!chosen) return Declined{"kernel larger than the largest tile, of 16384×8192"};
  if (!spectra_fit(problem, chosen->tiling, sizeof(T))) {
    return Declined{"spectra of the kernels of one output channel take more than 256 MiB"};
  }
  return std::make_unique<OverlapSavePlan<T>>(problem, *chosen);
}

}  // namespace

constinit const Algorithm builtin::fft_overlap_save{
    .name = "fft_overlap_save",
    .summary = "output tiles by complex transforms across SIMD vectors, of half their points",
    .error_model = ErrorModel::normwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .crops = true,
    .vectorized = true,
    .prepares = true,
    .operations = overlap_save_operations,
    .forecast = forecast_overlap_save,
    .boundaries = boundaries_of_overlap_save,
    .plan_f32 = plan_overlap_save<float>,
    .plan_f64 = plan_overlap_save<double>,
};

}  // namespace fullconv
