// Overlap-save: the output is cut into tiles, and each is what a small circular convolution gives
// where it does not wrap around: of a P×Q piece of the image, (P−h+1)×(Q−w+1) outputs; in an axis
// where all of the image fits into a tile, only what is not wanted does. The operands are real, so
// half as many complex points do: either two tiles go through one transform, as its real and its
// imaginary part, and come apart by themselves; or the halves of one tile do, and the kernel's, at
// right angles. About 2.2·P·Q·log₂(PQ) flops each way for a tile of a channel; a workspace of
// P·Q·(K·C + (K + 1)·threads) scalars at right angles, or 2·P·Q·threads for a single plane, and
// twice that for two tiles, where a tile's stay in a cache and whole images do not. Threads take
// pieces of their own; where there are few, each takes one of every piece's residues, and they meet
// only to join those. A tile that is so large or small that its spectrum would overflow or lose
// digits is scaled by a power of two; what is not finite counts as 0 and has its products added
// afterwards. Oppenheim and Schafer, Discrete-Time Signal Processing, 3rd ed., 8.7.3.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/buffer.h"
#include "core/forecast.h"
#include "core/operand_range.h"
#include "core/parallel.h"
#include "core/plane.h"
#include "core/registry.h"
#include "core/simd_target.h"
#include "core/steps.h"
#include "direct/convolve_rows.h"
#include "fft/tile_transform.h"

namespace fullconv {
namespace {

/// A side of a transform, and the nanoseconds that a strip takes for each of its rows: along rows
/// with gathering and transposition, and along columns.
struct Side {
  struct Costs {
    double down, across;
  };
  index_t length;
  Costs wide, narrow;  // with vectors of 64 bytes, of 32
};

/// Measured on processors with AVX-512 and with AVX2. A strip that leaves the first-level cache
/// takes longer.
constexpr Side kSides[] = {{16, {3, 0.7}, {5.8, 2.2}},         {32, {3.9, 1.6}, {5.7, 2.4}},
                           {48, {5.1, 2.6}, {5.9, 3.1}},       {64, {5, 2.3}, {6, 3.1}},
                           {80, {6.2, 3.2}, {6.4, 3.4}},       {96, {6.4, 3.3}, {6.5, 3.4}},
                           {128, {7, 3.4}, {6.8, 3.4}},        {160, {7.9, 3.8}, {7.3, 3.8}},
                           {192, {8.5, 3.8}, {7.6, 4.4}},      {240, {10, 4.9}, {8.2, 4.6}},
                           {256, {9.2, 4}, {8, 4.4}},          {320, {10.3, 4.7}, {9.6, 4.7}},
                           {384, {14.5, 9.2}, {9.9, 4.7}},     {480, {16.2, 9.9}, {10.9, 5.5}},
                           {512, {12.6, 6}, {10.5, 5.3}},      {640, {16.1, 9.7}, {12.5, 7.3}},
                           {768, {16.2, 9.3}, {14.3, 9.6}},    {960, {17.6, 10.5}, {16.1, 11.3}},
                           {1024, {17.4, 10.6}, {16.8, 11.3}}, {1280, {17.8, 10.3}, {18.4, 14.1}},
                           {1536, {18.2, 10.7}, {19.3, 13.7}}, {2048, {19.1, 11.1}, {22, 17}},
                           {2560, {22.3, 11.7}, {24.6, 18.9}}, {3072, {22.4, 13.9}, {31.5, 24.9}},
                           {4096, {25.7, 12.2}, {29.1, 23}},   {5120, {25.4, 16.1}, {39.1, 31.5}},
                           {6144, {27.4, 14.8}, {36.8, 29}},   {8192, {33.3, 16.5}, {39.9, 31.2}}};

/// What else there is to do, in seconds.
struct OtherCosts {
  // Of a row of a strip.
  double clear;      // one that is empty
  double store;      // one that is stored to y
  double far_store;  // what that takes more outside of caches
  double far;        // a vector of a spectrum that passes the second-level cache
  // Of memory.
  double near_row;      // of a tile of x or y, however short,
  double far_row;       // and what that takes more outside of caches
  double far_byte;      // of x or y, eight times farther than the second-level cache
  double far_spectrum;  // a byte of one that does not fit into several of those
};
constexpr OtherCosts kWideCosts{.clear = 1.4e-9,
                                .store = 2.7e-9,
                                .far_store = 2e-9,
                                .far = 1.6e-9,
                                .near_row = 0.5e-9,
                                .far_row = 4e-9,
                                .far_byte = 0.0097e-9,
                                .far_spectrum = 0.078e-9};
constexpr OtherCosts kNarrowCosts{.clear = 0.7e-9,
                                  .store = 0.7e-9,
                                  .far_store = 1e-9,
                                  .far = 0.8e-9,
                                  .near_row = 0,
                                  .far_row = 0,
                                  .far_byte = 0.027e-9,
                                  .far_spectrum = 0};

bool has_wide_vectors() { return TileTransform<float>::lanes() * sizeof(float) >= 64; }
const OtherCosts& other_costs() { return has_wide_vectors() ? kWideCosts : kNarrowCosts; }

/// An axis: its wanted outputs among those of the full output.
struct Axis {
  index_t size, taps;  // of the image, of the kernel
  Range wanted;

  /// Points of a circular convolution of all samples whose wanted outputs nothing wraps around to:
  /// those beyond them may meet those before them.
  index_t unwrapped_points() const {
    return std::max({size, taps, wanted.end, size + taps - 1 - wanted.begin});
  }
  /// Points of the shortest transform that has all wanted outputs.
  index_t points_of_all() const {
    return std::min(unwrapped_points(), std::max(taps, taps - 1 + wanted.size()));
  }
};

Axis rows_of(const Problem& problem) { return {problem.H, problem.h, problem.window().rows}; }
Axis columns_of(const Problem& problem) { return {problem.W, problem.w, problem.window().columns}; }

/// How an axis of y is cut.
struct Cut {
  index_t length;  // of a transform
  index_t first;   // output of a tile; points before wrap around, or are not wanted
  index_t outputs;
  index_t tiles;
  Range samples;  // of a tile, where there is one

  Cut(index_t transform, const Axis& axis)
      : length(transform),
        first(axis.unwrapped_points() <= length ? axis.wanted.begin : axis.taps - 1),
        outputs(std::min(axis.wanted.size(), length - first)),
        tiles(ceil_divide(axis.wanted.size(), outputs)),
        samples(intersection({0, length},
                             {first - axis.wanted.begin, first - axis.wanted.begin + axis.size})) {}
};

/// Into how many parts, each as long as a transform, a tile's rows are cut.
int row_parts(Packing packing, int residues) {
  return packing == Packing::right_angle ? 2 * residues : residues;
}

/// How an output is cut.
struct Tiling {
  Packing packing;
  int residues;
  index_t transform_rows;  // of each residue
  Cut rows, columns;

  Tiling(const Problem& problem, Packing how, int count, index_t P, index_t Q)
      : packing(how),
        residues(count),
        transform_rows(P),
        rows(row_parts(how, count) * P, rows_of(problem)),
        columns(Q, columns_of(problem)) {}

  index_t points() const { return transform_rows * columns.length; }
  index_t tiles() const { return rows.tiles * columns.tiles; }
  /// Of a plane, what goes through one transform each: two tiles of one plane, since one image's
  /// rounding errors and NaNs are not to reach another's output.
  index_t pieces() const {
    return packing == Packing::right_angle ? tiles() : ceil_divide(tiles(), 2);
  }
  /// Of a residue's spectrum, and of all.
  double bytes(std::size_t scalar_size) const {
    return 2 * static_cast<double>(points()) * static_cast<double>(scalar_size);
  }
  double piece_bytes(std::size_t scalar_size) const { return residues * bytes(scalar_size); }
  /// Of a thread, a cache line of columns at once, and another one for other residues.
  index_t scratch_bytes() const {
    return share_of_thread((residues > 1 ? 2 : 1) * 2 * 64 * transform_rows, 1);
  }

  /// Output channels whose kernels' spectra are kept at once, while all of x passes by. With fewer
  /// than C of them, x passes by, and is transformed, more than once.
  index_t kept_channels(const Problem& problem, std::size_t scalar_size) const {
    constexpr double kKeptBytes = 64 << 20;
    const double fitting = kKeptBytes / (piece_bytes(scalar_size) * static_cast<double>(problem.K));
    return fitting >= static_cast<double>(problem.C)
               ? problem.C
               : std::max<index_t>(1, static_cast<index_t>(fitting));
  }
};

/// Seconds of what there is to do to one piece, or to a residue of one.
struct TileTimes {
  double forward, kernel, backward;
};

/// Counts strips, and rows of those. Next to 8000 measured times of two tiles to a piece, of
/// problems of all shapes, it is off by 8 %. What residues add was fitted to 60 of two threads.
TileTimes tile_times(const Problem& problem, const Tiling& tiling, const Side& rows,
                     const Side& columns, std::size_t scalar_size) {
  constexpr double kTile = 56e-9;
  // Of a row of a strip.
  constexpr double kWeight = 0.4e-9;
  constexpr double kFold = 4e-9;  // another part to a residue
  constexpr double kJoin = 3e-9;  // a residue to a result
  // Of a row of y: the line of a cache that has columns of two threads.
  constexpr double kSharedLine = 15e-9;
  const index_t H = problem.H, W = problem.W, h = problem.h, w = problem.w;
  const index_t lanes =
      scalar_size == sizeof(float) ? TileTransform<float>::lanes() : TileTransform<double>::lanes();
  const bool wide = has_wide_vectors();
  const OtherCosts& costs = other_costs();
  const auto P = static_cast<double>(rows.length);
  const double strips = static_cast<double>(columns.length / lanes);  // of columns
  const auto strips_of = [lanes](index_t begin, index_t end) {
    return static_cast<double>(ceil_divide(end, lanes) - begin / lanes);
  };
  // Of two tiles what either of them has, since of the outermost ones only one is half full; of one
  // what an inner one has.
  const Cut& cut = tiling.columns;
  const double filled = cut.tiles == 1
                            ? strips_of(cut.samples.begin, cut.samples.end)
                            : strips_of(0, std::min(columns.length, problem.output_columns()));
  const double wanted = strips_of(cut.first, cut.tiles == 1 ? cut.first + cut.outputs : cut.length);
  const double taps = strips_of(0, w);
  const bool right_angle = tiling.packing == Packing::right_angle;
  const int residues = tiling.residues;
  const double stored =
      static_cast<double>(tiling.rows.outputs) / row_parts(tiling.packing, residues);

  const double operands =
      static_cast<double>(scalar_size) *
      static_cast<double>(H * W + problem.output_rows() * problem.output_columns());
  const double a_row =
      1e-9 * (wide ? rows.wide : rows.narrow).down + (right_angle || residues > 1 ? kWeight : 0);
  const double store = costs.store + costs.far_store * distance(operands, 0x1p17, 16);
  const double across = 1e-9 * strips * P * (wide ? columns.wide : columns.narrow).across;
  const double bytes = tiling.bytes(scalar_size);
  const double memory = 4 * strips * P * costs.far * distance(bytes, 0x1p20, 8) +
                        bytes * costs.far_spectrum * distance(bytes, 0x1p23, 4);
  const double tile_row = costs.near_row + costs.far_row * distance(operands, 0x1p20, 64);
  const auto tiles = right_angle ? 1.0 : 2.0;  // of a piece
  const double gathered = tiles * static_cast<double>(std::min(H, tiling.rows.length)) * tile_row;
  const double scattered = tiles * static_cast<double>(tiling.rows.outputs) *
                           (tile_row + (residues > 1 ? kSharedLine : 0));
  const auto forward = [&](double full, index_t plane_rows) {
    const index_t others = std::min<index_t>(ceil_divide(plane_rows, rows.length), residues) - 1;
    const double row = a_row + static_cast<double>(others) * kFold;
    return full * P * row + (strips - full) * P * costs.clear + across + memory;
  };
  const double join = residues > 1 ? residues * kJoin : 0;
  return {.forward = forward(filled, H) + gathered + kTile,
          .kernel = forward(taps, h),
          .backward =
              across + wanted * (P * (a_row + join) + stored * store) + memory + scattered + kTile};
}

/// With one input and one output channel a tile becomes its own result. Otherwise there are tiles
/// of all input channels, and a sum.
bool in_place(const Problem& problem) { return problem.K == 1 && problem.C == 1; }
index_t tiles_of_a_thread(const Problem& problem) { return in_place(problem) ? 1 : problem.K + 1; }

/// Threads have spectra of their residues, and each its own where there is a single one: to
/// transform that takes no longer than to wait for it and to fetch it from another core's cache.
int kernel_copies(const Problem& problem, const Tiling& tiling, int threads) {
  return tiling.residues > 1 || in_place(problem) ? threads : 1;
}

/// Seconds of what there is to do.
struct Times {
  double tiles, kernels, memory, forking;
  double sum() const { return tiles + kernels + memory + forking; }
};

Times times(const Problem& problem, const Tiling& tiling, const TileTimes& tile, int threads,
            std::size_t scalar_size) {
  // Of a layer, a byte of a kernel's spectrum: to multiply and add it up out of a cache, what
  // memory adds to that, and to write it there.
  constexpr double kProductByte = 0.04e-9;
  constexpr double kFarProductByte = 0.06e-9;
  constexpr double kFarKernelByte = 0.25e-9;
  constexpr double kRound = 0.6e-6;
  // From one core's cache to another's: a kernel's spectrum to all threads; and what a residue
  // leaves to others, which it also has to win back.
  constexpr double kHandedByte = 0.07e-9;
  constexpr double kLeftByte = 0.16e-9;
  constexpr double kCall = 60e-9;
  const OtherCosts& costs = other_costs();
  const index_t N = problem.N, K = problem.K, C = problem.C, H = problem.H, W = problem.W;
  const index_t kept = tiling.kept_channels(problem, scalar_size);
  const auto passages = static_cast<double>(ceil_divide(C, kept));
  const auto images = static_cast<double>(K);
  const auto outputs = static_cast<double>(C);
  const double spectra = tiling.bytes(scalar_size) * images * outputs;
  const double product_byte = kProductByte + kFarProductByte * distance(spectra, 0x1p22, 32);
  const double products = K == 1 ? 0 : product_byte * spectra;
  const double writing =
      kFarKernelByte * tiling.bytes(scalar_size) *
      distance(tiling.bytes(scalar_size) * static_cast<double>(K * kept), 0x1p20, 16);
  const double piece = tile.forward * images * passages + products + tile.backward * outputs;
  const int sharing = tiling.residues > 1 ? 1 : threads;  // the pieces
  const auto shared_pieces = static_cast<double>(ceil_divide(N * tiling.pieces(), sharing));
  const bool copied = kernel_copies(problem, tiling, threads) > 1;
  const auto shared_kernels =
      passages * static_cast<double>(ceil_divide(K * kept, copied ? 1 : sharing));
  const double operands =
      static_cast<double>(scalar_size) * static_cast<double>(N) *
      static_cast<double>(K * H * W + C * problem.output_rows() * problem.output_columns());
  double forking = 0;
  if (sharing > 1) {
    forking = copied ? passages * kForkingSeconds
                     : 2 * passages * kForkingSeconds + spectra * kHandedByte;
  } else if (threads > 1) {
    const double left = tiling.bytes(scalar_size) * (threads - 1) / threads;
    forking =
        passages * kForkingSeconds + shared_pieces * outputs * (2 * kRound + left * kLeftByte);
  }
  return {.tiles = shared_pieces * piece + kCall,
          .kernels = shared_kernels * (tile.kernel + (K * C == 1 ? 0 : writing)),
          .memory = operands * costs.far_byte * 2 * distance(operands, 0x1p21, 64),
          .forking = forking};
}

/// How a problem is cut into tiles and dealt out to threads.
struct Decomposition {
  Tiling tiling;
  int threads;  // which take pieces of their own, or each a residue of all of them
  Times seconds;
};

/// Of a tile: those of one transform at right angles, so that no problem is declined for its
/// threads.
constexpr index_t kMostRows = 2 * std::end(kSides)[-1].length;

/// Of an axis in so many parts: sides that hold the kernel, up to some half as long again as what
/// holds all, since 384 and 480 take longer than 512 with vectors of 64 bytes.
std::span<const Side> sides_for(const Axis& axis, index_t parts) {
  const auto holding = [](index_t points) {
    return std::ranges::lower_bound(kSides, points, {}, &Side::length);
  };
  const index_t all = ceil_divide(axis.points_of_all(), parts);
  const auto first = holding(ceil_divide(axis.taps, parts));
  const auto last = holding(all + all / 2);
  return {first, last == std::end(kSides) ? last : last + 1};
}

/// Of a plane that is computed directly, what a thread takes at a time.
constexpr index_t kDirectRows = 64;

/// Each reads all of x and k, and joins a line of a cache of columns at least. More than two were
/// never timed.
constexpr index_t kMostResidues = 8;

/// What takes the least time with spectra of at most so many bytes, if there is anything.
std::optional<Decomposition> best_decomposition_within(double most_bytes, const Problem& problem,
                                                       const PlanOptions& options,
                                                       std::size_t scalar_size) {
  std::optional<Decomposition> best;
  const auto consider = [&](const Tiling& tiling, const TileTimes& tile, int threads) {
    const Times seconds = times(problem, tiling, tile, threads, scalar_size);
    if (!best || seconds.sum() < best->seconds.sum()) best = {tiling, threads, seconds};
  };
  const auto consider_tiles = [&](Packing packing, int residues) {
    const index_t parts = row_parts(packing, residues);
    for (const Side& rows : sides_for(rows_of(problem), parts)) {
      for (const Side& columns : sides_for(columns_of(problem), 1)) {
        const Tiling tiling(problem, packing, residues, rows.length, columns.length);
        if (tiling.rows.length > kMostRows || tiling.piece_bytes(scalar_size) > most_bytes)
          continue;
        const TileTimes tile = tile_times(problem, tiling, rows, columns, scalar_size);
        consider(tiling, tile, residues);
        if (residues > 1) continue;
        const int threads = useful_threads(problem, options, problem.N * tiling.pieces());
        if (threads > 1) consider(tiling, tile, threads);
      }
    }
  };
  const index_t lines =
      std::max<index_t>(1, problem.output_columns() / static_cast<index_t>(64 / scalar_size));
  const int most_residues = useful_threads(problem, options, std::min(kMostResidues, lines));
  for (const Packing packing : {Packing::two_tiles, Packing::right_angle}) {
    for (int residues = 1; residues <= most_residues; residues *= 2) {
      consider_tiles(packing, residues);
    }
  }
  return best;
}

/// The same; a kernel may need more than is usual. Nothing where it is larger than any transform.
std::optional<Decomposition> best_decomposition(const Problem& problem, const PlanOptions& options,
                                                std::size_t scalar_size) {
  constexpr double kUsualBytes = 128 << 20;
  const auto usual = best_decomposition_within(kUsualBytes, problem, options, scalar_size);
  if (usual) return usual;
  return best_decomposition_within(std::numeric_limits<double>::infinity(), problem, options,
                                   scalar_size);
}

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
        kernel_copies_(kernel_copies(problem, tiling_, threads_)),
        kernel_states_(kernel_copies_ * problem.C),
        image_states_(threads_ * problem.N),
        likely_exponents_(problem.N),
        piece_exponents_(threads_) {
    for (int residue = 0; residue < tiling_.residues; ++residue) {
      transforms_.emplace_back(tiling_.transform_rows, tiling_.columns.length, tiling_.packing,
                               Residue{residue, tiling_.residues});
    }
    kernels_ = Buffer<T>(kernel_copies_ * share_of_kernels());
    tiles_ = Buffer<T>(threads_ * share_of_tiles());
    scratch_ = Buffer<T>(threads_ * transform(0).scratch_size());
  }

  std::size_t workspace_bytes() const override {
    return kernel_states_.bytes() + image_states_.bytes() + likely_exponents_.bytes() +
           piece_exponents_.bytes() + kernels_.bytes() + tiles_.bytes() + scratch_.bytes();
  }
  int threads() const override { return threads_; }
  std::string implementation() const override { return simd_target(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const Problem& problem = this->problem();
    const index_t C = problem.C;
    std::ranges::fill(kernel_states_.elements(), State{});
    std::ranges::fill(image_states_.elements(), State{});
    for (index_t n = 0; n < problem.N; ++n) {
      likely_exponents_[n] = likely_exponent(StridedPlane(x, n, 0), problem.K, x.strides[1]);
    }
    for (index_t first = 0; first < C; first += kept_channels_) {
      const Range channels{first, std::min(first + kept_channels_, C)};
      if (tiling_.residues == 1) {
        share_pieces(channels, x, k, y);
      } else {
        share_residues(channels, x, k, y);
      }
    }
    complete(x, k, y);
  }

 private:
  /// What was found out about k[:,c] or x[n].
  struct State {
    int exponent = 0;
    bool all_in_range = true, all_finite = true;
  };

  /// By any of so many, whose states lie `apart`: a thread that takes no piece finds out nothing.
  static State by_any(const State* states, int count, index_t apart) {
    State all;
    for (int i = 0; i < count; ++i) {
      all.all_in_range &= states[i * apart].all_in_range;
      all.all_finite &= states[i * apart].all_finite;
    }
    return all;
  }
  State image_state(index_t n) const {
    return by_any(&image_states_[n], threads_, this->problem().N);
  }
  State kernel_state(index_t c) const {
    return by_any(&kernel_states_[c], kernel_copies_, this->problem().C);
  }

  void share_pieces(Range channels, const TensorView<const T>& x, const TensorView<const T>& k,
                    const TensorView<T>& y) {
    const bool shared = kernel_copies_ == 1;
    const auto prepare = [&](int thread) {
      if (!shared) transform_kernels(k, channels, thread);
    };
    if (shared) {
      const index_t kernels = this->problem().K * channels.size();
      parallel_for(threads_, kernels, [&](index_t i, int thread) {
        transform_kernel(k, channels.begin, i, {}, thread);
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
      if (round == 0) transform_kernels(k, channels, thread);
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
  int kernel_copy(int thread) const { return kernel_copies_ == 1 ? 0 : thread; }
  const TileTransform<T>& transform(int thread) const {
    return transforms_[static_cast<std::size_t>(residue(thread))];
  }

  index_t spectrum_size() const { return transform(0).spectrum_size(); }
  index_t share_of_kernels() const {
    return share_of_thread(this->problem().K * kept_channels_ * spectrum_size(), sizeof(T));
  }
  index_t share_of_tiles() const {
    return share_of_thread(tiles_of_a_thread(this->problem()) * spectrum_size(), sizeof(T));
  }
  T* kernel(int thread, index_t i) const {
    return kernels_.data() + kernel_copy(thread) * share_of_kernels() + i * spectrum_size();
  }
  T* tile(int thread, index_t i) const {
    return tiles_.data() + thread * share_of_tiles() + i * spectrum_size();
  }
  /// Where a thread has what combine() needs.
  T* half(int thread) const { return tile(thread, tiles_of_a_thread(this->problem()) - 1); }
  T* scratch(int thread) const { return scratch_.data() + thread * transform(0).scratch_size(); }

  bool right_angle() const { return tiling_.packing == Packing::right_angle; }

  template <class U>
  TileWindow<U> lower_half(TileWindow<U> window) const {
    window.top += tiling_.residues * tiling_.transform_rows;
    return window;
  }

  /// Of the output channels that are kept.
  void transform_kernels(const TensorView<const T>& k, Range channels, int thread) {
    const index_t kernels = this->problem().K * channels.size();
    for (index_t i = 0; i < kernels; ++i) transform_kernel(k, channels.begin, i, {}, thread);
    bring_kernels_into_range(k, channels, thread);
  }

  /// Of the output channels that need it, all together, since their products are summed.
  void bring_kernels_into_range(const TensorView<const T>& k, Range channels, int thread) {
    const index_t K = this->problem().K;
    for (index_t c = channels.begin; c < channels.end; ++c) {
      State& state = kernel_state(thread, c);
      if (state.all_in_range) continue;
      OperandScan<T> scan;
      for (index_t o = 0; o < K; ++o) scan.include(StridedPlane(k, o, c));
      const IntoRange range = scan.into_range();
      state = {range.exponent, true, range.all_finite};
      for (index_t o = 0; o < K; ++o) {
        transform_kernel(k, channels.begin, (c - channels.begin) * K + o, range, thread);
      }
    }
  }

  State& kernel_state(int thread, index_t c) const {
    return kernel_states_[kernel_copy(thread) * this->problem().C + c];
  }

  /// The i-th of those that are kept, with the inverse's factor.
  void transform_kernel(const TensorView<const T>& k, index_t first, index_t i, IntoRange range,
                        int thread) {
    const StepTimer timing(Step::transforms);
    const Problem& problem = this->problem();
    const index_t K = problem.K;
    const TileWindow<const T> taps{plane(k, i % K, first + i / K), 0, 0};
    const TileWindow<const T> im = right_angle() ? lower_half(taps) : TileWindow<const T>{};
    const T magnitudes = transform(thread).forward(transform(thread).scale(), range, taps, im,
                                                   scratch(thread), kernel(thread, i));
    if (is_in_range(magnitudes)) return;
    // Threads share the channels of one state.
    std::atomic_ref(kernel_state(thread, first + i / K).all_in_range).store(false);
  }

  /// What a tile covers of a plane of x.
  TileWindow<const T> covered(const Plane<const T>& x, index_t tile) const {
    const auto [i, j] = first_output(tile);
    const Window window = this->problem().window();
    return {x, window.rows.begin + i - tiling_.rows.first,
            window.columns.begin + j - tiling_.columns.first};
  }

  /// Of a part's plane, what a transform sees of it.
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
    // Whether all channels are in range, which is enough: their products are summed.
    const auto transform_images = [&](IntoRange range) {
      bool all_in_range = true;
      for (index_t o = 0; o < problem.K; ++o) {
        const auto [re, im] = image_parts(o);
        all_in_range &= is_in_range(
            in_place(problem)
                ? transform(thread).convolve(range, re, im, kernel(thread, 0), scratch(thread),
                                             half(thread))
                : transform(thread).forward(1, range, re, im, scratch(thread), tile(thread, o)));
      }
      return all_in_range;
    };
    StepTimer timing(Step::transforms);
    if (c == first) {
      IntoRange range{.exponent = likely_exponents_[n]};
      if (!transform_images(range)) {
        OperandScan<T> scan;
        for (index_t o = 0; o < problem.K; ++o) {
          const auto [re, im] = image_parts(o);
          for (const auto& part : {re, im}) scan.include(covered_rows(part));
        }
        range = scan.into_range();
        State& state = image_states_[thread * problem.N + n];
        state.all_finite &= range.all_finite;
        state.all_in_range &= transform_images(range);
      }
      piece_exponents_[thread] = range.exponent;
    }
    if (in_place(problem)) return;
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
    transform(thread).combine(half(thread - residue(thread)), share_of_tiles(), -exponent, re, im,
                              scratch(thread));
  }

  auto output_parts(index_t index, index_t c, const TensorView<T>& y) const {
    const Plane<T> outputs = plane(y, index / tiling_.pieces(), c);
    return parts(index % tiling_.pieces(), [&](index_t tile) { return computed(outputs, tile); });
  }

  /// Adds the products of what is not finite, and computes directly the output planes of images or
  /// kernels whose channels are too far apart for one range.
  void complete(const TensorView<const T>& x, const TensorView<const T>& k,
                const TensorView<T>& y) {
    const Problem& problem = this->problem();
    const index_t N = problem.N, K = problem.K, C = problem.C;
    const auto is_complete = [](const State& state) {
      return state.all_finite && state.all_in_range;
    };
    bool complete = true;
    for (index_t n = 0; n < N; ++n) complete &= is_complete(image_state(n));
    for (index_t c = 0; c < C; ++c) complete &= is_complete(kernel_state(c));
    if (complete) return;
    const Window window = problem.window();
    const index_t blocks = ceil_divide(problem.output_rows(), kDirectRows);
    parallel_for(threads_, N * C * blocks, [&](index_t part, int) {
      const index_t c = part / blocks % C;
      const index_t n = part / (blocks * C);
      const State image = image_state(n), kernel = kernel_state(c);
      if (is_complete(image) && is_complete(kernel)) return;
      const StepTimer timing(Step::direct);
      const Plane<T> sums = in_full_output(plane(y, n, c), window);
      const index_t first = window.rows.begin + part % blocks * kDirectRows;
      const Window wanted{{first, std::min(first + kDirectRows, window.rows.end)}, window.columns};
      bool few = image.all_in_range && kernel.all_in_range;
      for (index_t o = 0; o < K && few; ++o) {
        few = add_non_finite_products(StridedPlane(x, n, o), StridedPlane(k, o, c),
                                      StridedPlane<T>(sums), wanted);
      }
      for (index_t o = 0; o < K && !few; ++o) {
        convolve_rows(plane(x, n, o), plane(k, o, c), sums, wanted, o > 0);
      }
    });
  }

  Tiling tiling_;
  int threads_;
  std::vector<TileTransform<T>> transforms_;  // of the residues
  index_t kept_channels_;
  int kernel_copies_;
  Buffer<State> kernel_states_;   // of a copy's k[:,c], at copy·C + c
  Buffer<State> image_states_;    // of x[n], as a thread has seen it, at thread·N + n
  Buffer<int> likely_exponents_;  // of x[n]
  Buffer<int> piece_exponents_;   // of what a thread is at
  Buffer<T> kernels_, tiles_, scratch_;
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
  const index_t spectrum = 2 * tiling.points() * static_cast<index_t>(scalar_size);
  const index_t kernels =
      share_of_thread(problem.K * tiling.kept_channels(problem, scalar_size) * spectrum, 1);
  const index_t tiles = share_of_thread(tiles_of_a_thread(problem) * spectrum, 1);
  const index_t bytes = kernel_copies(problem, tiling, threads) * kernels +
                        threads * (tiles + tiling.scratch_bytes());
  Forecast forecast{
      .terms = {{"tiles", seconds.tiles}, {"kernels", seconds.kernels}, {"memory", seconds.memory}},
      .workspace_bytes = static_cast<std::size_t>(bytes)};
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
          {Boundary::output_rows, kDirectRows}};
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
    .operations = overlap_save_operations,
    .forecast = forecast_overlap_save,
    .boundaries = boundaries_of_overlap_save,
    .plan_f32 = plan_overlap_save<float>,
    .plan_f64 = plan_overlap_save<double>,
};

}  // namespace fullconv
