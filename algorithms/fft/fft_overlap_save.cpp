// Overlap-save: the output is cut into tiles, and each is what a small circular convolution gives
// where it does not wrap around: of a P×Q piece of the image, (P−h+1)×(Q−w+1) outputs. The kernel
// is real, so two pieces go through one complex transform, as its real and its imaginary part, and
// come apart by themselves. About 5·P·Q·log₂(PQ) flops each way for two tiles; a workspace of
// P·Q·(K + 2·threads) complex numbers, which stay in a cache where whole images do not.
// Oppenheim and Schafer, Discrete-Time Signal Processing, 3rd ed., 8.7.3.

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>

#include "core/buffer.h"
#include "core/parallel.h"
#include "core/phases.h"
#include "core/plane.h"
#include "core/registry.h"
#include "fft/fftw.h"

namespace fullconv {
namespace {

/// How an output is cut.
struct Tiling {
  index_t rows, columns;                // of a transform
  index_t output_rows, output_columns;  // of a tile: what does not wrap around
  index_t down, across;                 // tiles of a plane

  Tiling(const Problem& problem, index_t transform_rows, index_t transform_columns)
      : rows(transform_rows),
        columns(transform_columns),
        output_rows(rows - problem.h + 1),
        output_columns(columns - problem.w + 1),
        down(ceil_divide(problem.output_rows(), output_rows)),
        across(ceil_divide(problem.output_columns(), output_columns)) {}

  index_t points() const { return rows * columns; }
  /// Of tiles of one plane: one image's rounding errors and NaNs are not to reach another's output.
  index_t pairs() const { return ceil_divide(down * across, 2); }

  double transforms(const Problem& problem) const {
    const auto& [N, K, C, H, W, h, w] = problem;
    return static_cast<double>(C * (N * pairs() * (K + 1) + K));
  }
  double transform_operations() const {
    const auto count = static_cast<double>(points());
    return 5 * count * std::log2(count);
  }
};

/// The time of one transform of a tile, with its share of gathering, multiplying and scattering.
double tile_seconds(const Tiling& tiling, std::size_t scalar_size) {
  const auto points = static_cast<double>(tiling.points());
  const auto bytes = static_cast<double>(scalar_size);
  const double memory = 2 * points * bytes > 0x1p20 ? 1.5 : 1.0;
  return bytes / 4 * 1e-9 * points * (memory * 0.16 * std::log2(points) + 0.5);
}

/// Sides of transforms that FFTW is fast at.
constexpr index_t kSides[] = {8,   12,  16,  24,  32,  48,   64,   96,  128,
                              192, 256, 384, 512, 768, 1024, 1536, 2048};

/// The tiling with the least work, or none where the kernel is larger than any transform.
std::optional<Tiling> best_tiling(const Problem& problem) {
  // Outside the second-level cache a transform takes half as long again.
  constexpr double kCachePoints = 128 * 128;
  std::optional<Tiling> best;
  double least = std::numeric_limits<double>::max();
  for (const index_t rows : kSides) {
    for (const index_t columns : kSides) {
      if (rows < problem.h || columns < problem.w) continue;
      const Tiling tiling(problem, rows, columns);
      const auto points = static_cast<double>(tiling.points());
      const double memory = points > kCachePoints ? 1.5 : 1.0;
      // Twenty operations a point for gathering, multiplying and scattering.
      const double work =
          tiling.transforms(problem) * (memory * tiling.transform_operations() + 20 * points);
      if (work < least) {
        least = work;
        best = tiling;
      }
    }
  }
  return best;
}

template <class T>
class OverlapSavePlan final : public Plan<T> {
 public:
  OverlapSavePlan(const Problem& problem, const Tiling& tiling, const PlanOptions& options)
      : Plan<T>(problem),
        tiling_(tiling),
        threads_(useful_threads(problem, options, problem.N * tiling_.pairs())),
        kernels_(problem.K * tiling_.points()),
        tiles_(2 * threads_ * tiling_.points()) {
    const unsigned rigor = options.effort == Effort::measure ? FFTW_MEASURE : FFTW_ESTIMATE;
    const auto rows = static_cast<int>(tiling_.rows);
    const auto columns = static_cast<int>(tiling_.columns);
    auto* tile = reinterpret_cast<typename Fftw<T>::Complex*>(tiles_.data());
    const std::unique_lock lock(fftw_planner_mutex());
    forward_.reset(Fftw<T>::plan_complex(rows, columns, tile, tile, FFTW_FORWARD, rigor));
    inverse_.reset(Fftw<T>::plan_complex(rows, columns, tile, tile, FFTW_BACKWARD, rigor));
    if (!forward_ || !inverse_) throw std::runtime_error("FFTW made no plan");
  }

  std::size_t workspace_bytes() const override { return kernels_.bytes() + tiles_.bytes(); }
  int threads() const override { return threads_; }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const Problem& problem = this->problem();
    for (index_t c = 0; c < problem.C; ++c) {
      for (index_t o = 0; o < problem.K; ++o) transform_kernel(plane(k, o, c), kernel(o));
      parallel_for(threads_, problem.N * tiling_.pairs(),
                   [&](index_t pair, int thread) { compute_pair(pair, c, thread, x, y); });
    }
  }

 private:
  using Complex = std::complex<T>;

  /// The first output of a tile of a plane.
  struct Corner {
    index_t i, j;
  };

  Corner corner(index_t tile) const {
    return {tile / tiling_.across * tiling_.output_rows,
            tile % tiling_.across * tiling_.output_columns};
  }

  Complex* kernel(index_t o) const { return kernels_.data() + o * tiling_.points(); }

  /// With FFTW's missing factor 1/(P·Q).
  void transform_kernel(const Plane<const T>& k, Complex* spectrum) const {
    PhaseTimer timing(Phase::copies);
    const T scale = T{1} / static_cast<T>(tiling_.points());
    std::fill_n(spectrum, tiling_.points(), Complex{});
    for (index_t p = 0; p < k.rows; ++p) {
      for (index_t q = 0; q < k.columns; ++q) spectrum[p * tiling_.columns + q] = k(p, q) * scale;
    }
    timing.enter(Phase::transforms);
    Fftw<T>::complex(forward_.get(), spectrum);
  }

  void compute_pair(index_t pair, index_t c, int thread, const TensorView<const T>& x,
                    const TensorView<T>& y) const {
    const index_t n = pair / tiling_.pairs();
    const index_t first = 2 * (pair % tiling_.pairs());
    const bool two = first + 1 < tiling_.down * tiling_.across;
    const Corner corners[2] = {corner(first), corner(first + 1)};
    Complex* tile = tiles_.data() + 2 * thread * tiling_.points();
    Complex* sum = this->problem().K == 1 ? tile : tile + tiling_.points();

    PhaseTimer timing(Phase::copies);
    for (index_t o = 0; o < this->problem().K; ++o) {
      if (o > 0) timing.enter(Phase::copies);
      gather(plane(x, n, o), corners[0], reinterpret_cast<T*>(tile));
      gather(two ? plane(x, n, o) : Plane<const T>{}, corners[1], reinterpret_cast<T*>(tile) + 1);
      timing.enter(Phase::transforms);
      Fftw<T>::complex(forward_.get(), tile);
      timing.enter(Phase::products);
      add_product(o == 0, tile, kernel(o), sum);
    }
    timing.enter(Phase::transforms);
    Fftw<T>::complex(inverse_.get(), sum);
    timing.enter(Phase::copies);
    scatter(reinterpret_cast<const T*>(sum), corners[0], plane(y, n, c));
    if (two) scatter(reinterpret_cast<const T*>(sum) + 1, corners[1], plane(y, n, c));
  }

  /// The piece of the image that a tile's outputs see, zeros around it, into every other element.
  void gather(const Plane<const T>& x, const Corner& at, T* parts) const {
    const index_t top = at.i - this->problem().h + 1;
    const index_t left = at.j - this->problem().w + 1;
    const index_t begin = std::clamp<index_t>(-left, 0, tiling_.columns);
    const index_t end = std::clamp<index_t>(x.columns - left, begin, tiling_.columns);
    for (index_t t = 0; t < tiling_.rows; ++t) {
      T* to = parts + 2 * t * tiling_.columns;
      const index_t r = top + t;
      if (r < 0 || r >= x.rows) {
        for (index_t s = 0; s < tiling_.columns; ++s) to[2 * s] = 0;
        continue;
      }
      const T* from = x.row(r) + left;
      for (index_t s = 0; s < begin; ++s) to[2 * s] = 0;
      for (index_t s = begin; s < end; ++s) to[2 * s] = from[s];
      for (index_t s = end; s < tiling_.columns; ++s) to[2 * s] = 0;
    }
  }

  /// sum = (first ? 0 : sum) + tile ⊙ kernel. `sum` may be `tile` where it is the first.
  void add_product(bool first, const Complex* tile, const Complex* kernel, Complex* sum) const {
    for (index_t f = 0; f < tiling_.points(); ++f) {
      // Spelled out: std::complex's product tests for NaN and calls a function.
      const T re = tile[f].real() * kernel[f].real() - tile[f].imag() * kernel[f].imag();
      const T im = tile[f].real() * kernel[f].imag() + tile[f].imag() * kernel[f].real();
      sum[f] = first ? Complex(re, im) : sum[f] + Complex(re, im);
    }
  }

  void scatter(const T* parts, const Corner& at, const Plane<T>& y) const {
    const index_t top = this->problem().h - 1;
    const index_t left = this->problem().w - 1;
    const index_t rows = std::min(tiling_.output_rows, y.rows - at.i);
    const index_t columns = std::min(tiling_.output_columns, y.columns - at.j);
    for (index_t t = 0; t < rows; ++t) {
      const T* from = parts + 2 * ((top + t) * tiling_.columns + left);
      T* to = y.row(at.i + t) + at.j;
      for (index_t s = 0; s < columns; ++s) to[s] = from[2 * s];
    }
  }

  Tiling tiling_;
  int threads_;
  Buffer<Complex> kernels_, tiles_;
  FftwPlan<T> forward_, inverse_;
};

double overlap_save_operations(const Problem& problem) {
  const std::optional<Tiling> tiling = best_tiling(problem);
  if (!tiling) return 0;
  const auto products = static_cast<double>(problem.N * problem.C * problem.K * tiling->pairs());
  return tiling->transforms(problem) * tiling->transform_operations() +
         8 * products * static_cast<double>(tiling->points());
}

std::optional<Forecast> forecast_overlap_save(const Problem& problem, const PlanOptions& options,
                                              std::size_t scalar_size) {
  const std::optional<Tiling> tiling = best_tiling(problem);
  if (!tiling) return std::nullopt;
  const auto& [N, K, C, H, W, h, w] = problem;
  const auto bytes = static_cast<double>(scalar_size);
  const auto points = static_cast<double>(tiling->points());
  const int threads = useful_threads(problem, options, N * tiling->pairs());
  const double kernels = static_cast<double>(K * C);
  const double tiles = tiling->transforms(problem) - kernels;
  const double a_transform = tile_seconds(*tiling, scalar_size);
  auto shares = shared_out({{"tiles", tiles * a_transform}}, threads);
  shares.push_back({"kernels", 0.4 * kernels * a_transform});
  return Forecast{.shares = std::move(shares),
                  .workspace_bytes = static_cast<std::size_t>(
                      2 * bytes * points * static_cast<double>(K + 2 * threads))};
}

template <class T>
Planned<T> plan_overlap_save(const Problem& problem, const PlanOptions& options) {
  // For all channels of x at once. A layer with more has small kernels, which tiles are not for.
  constexpr double kMostSpectraBytes = 256 << 20;
  const std::optional<Tiling> tiling = best_tiling(problem);
  if (!tiling) return Declined{"kernel has a side above 2048, the largest tile's"};
  const double spectra_bytes = static_cast<double>(problem.K) *
                               static_cast<double>(tiling->points()) * sizeof(std::complex<T>);
  if (spectra_bytes > kMostSpectraBytes) {
    return Declined{"spectra of the kernels of one output channel take more than 256 MiB"};
  }
  return std::make_unique<OverlapSavePlan<T>>(problem, *tiling, options);
}

}  // namespace

constinit const Algorithm builtin::fft_overlap_save{
    .name = "fft_overlap_save",
    .summary = "output tiles by FFTW's complex transforms, two real tiles in each",
    .error_model = ErrorModel::normwise,
    .non_finite = NonFinite::spreads,
    .threaded = true,
    .operations = overlap_save_operations,
    // FFTW buffers up to 65536 complex points, and up to twice that to divide a size evenly.
    .scratch_bytes = 2 * 65536 * sizeof(std::complex<double>),
    .forget = forget_fftw_wisdom,
    .forecast = forecast_overlap_save,
    .plan_f32 = plan_overlap_save<float>,
    .plan_f64 = plan_overlap_save<double>,
};

}  // namespace fullconv
