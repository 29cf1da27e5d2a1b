// Convolution theorem: the transform of x ∗ k is the product of the transforms, once both are
// padded to at least (H+h−1)×(W+w−1), where the circular convolution no longer wraps around; where
// y is a window of that, to so many less that only what is not wanted does. A
// layer sums over its channels in frequency space, so it costs N·K + K·C + N·C transforms and not
// N·K·C. Rows that are all padding are not transformed, and rows of the result that nobody wants
// neither: an image as large as the kernel spares a quarter. Where workspace is limited, by blocks
// of the image's rows, whose results overlap and add up. At most 2.5·P·log₂P flops a real transform
// of P points; in place, in a workspace of P·(min(N,C)·(K+1) + 1) scalars, of 2·P for a plane.
// Frigo and Johnson, The Design and Implementation of FFTW3, Proc. IEEE 93(2), 2005.

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <stdexcept>

#include "core/buffer.h"
#include "core/definition.h"
#include "core/forecast.h"
#include "core/operand_range.h"
#include "core/plane.h"
#include "core/registry.h"
#include "core/steps.h"
#include "core/transposed_plan.h"
#include "fft/fftw.h"

namespace fullconv {
namespace {

/// Sides that FFTW plans well without timing them, and above the last of them multiples of 64
/// without factors above 7. Most between them take longer than the next of them: in float, rows of
/// 40 columns of complex points five times as long as of 64, columns of 60 twice as long as of 64.
constexpr index_t kFastRows[] = {1,  2,  3,  4,  5,   6,   7,   8,   9,   10,  12,  14,
                                 15, 20, 32, 64, 128, 160, 200, 256, 320, 384, 400, 512};
constexpr index_t kFastColumns[] = {1,   2,   3,   4,   5,   6,   7,   8,   9,   10,  12,
                                    15,  16,  20,  32,  40,  48,  64,  112, 128, 144, 160,
                                    192, 200, 256, 288, 320, 384, 400, 448, 512};

index_t fast_side(index_t least, std::span<const index_t> fast) {
  if (least <= fast.back()) return *std::ranges::lower_bound(fast, least);
  constexpr index_t kStep = 64;
  for (index_t side = ceil_divide(least, kStep) * kStep;; side += kStep) {
    index_t rest = side;
    for (const index_t factor : {2, 3, 5, 7}) {
      while (rest % factor == 0) rest /= factor;
    }
    if (rest == 1) return side;
  }
}

constexpr index_t kNarrowColumns = 128;

/// What is long and narrow lies along the rows, for FFTW plans few long columns badly: from 160
/// rows on and up to 128 columns 1.0 to 2.4 times as fast, and as often slower as faster where
/// either is not so. Transposed operands make y's transpose.
Problem oriented(const Problem& problem) {
  const bool is_long = problem.output_rows() > kNarrowColumns;
  return is_long && problem.output_columns() <= kNarrowColumns ? transposed(problem) : problem;
}

/// Points of a circular convolution whose `wanted` outputs nothing wraps around to: those beyond
/// them may meet those before them.
index_t unwrapped_points(index_t size, index_t taps, Range wanted) {
  return std::max({size, taps, wanted.end, size + taps - 1 - wanted.begin});
}

/// A single product takes the place of one of its factors.
bool in_place(const Problem& problem) {
  return problem.K == 1 && std::min(problem.N, problem.C) == 1;
}

/// The spectra of images are kept, and those of kernels made one at a time; or the other way round.
bool keeps_images(const Problem& problem) { return problem.N < problem.C; }

/// Whether FFTW can count the points of its sides.
bool counts(const Problem& problem) {
  constexpr index_t kMostPoints = std::numeric_limits<int>::max() / 2;
  return std::max(problem.full_rows(), problem.full_columns()) <= kMostPoints;
}

/// What is transformed at once: blocks of the image's rows, with all of the kernel.
struct Sizes {
  index_t image_rows, blocks;
  Range result_rows;      // of a block's full output, that are transformed back
  index_t rows, columns;  // of a transform

  Sizes(const Problem& problem, index_t block_count)
      : image_rows(ceil_divide(problem.H, block_count)),
        blocks(ceil_divide(problem.H, image_rows)),
        result_rows(blocks == 1 ? problem.window().rows : Range{0, image_rows + problem.h - 1}),
        rows(fast_side(unwrapped_points(image_rows, problem.h, result_rows), kFastRows)),
        columns(fast_side(unwrapped_points(problem.W, problem.w, problem.window().columns),
                          kFastColumns)) {}

  double workspace_bytes(const Problem& problem, std::size_t scalar_size) const {
    const index_t N = problem.N, K = problem.K, C = problem.C;
    const index_t spectra = in_place(problem) ? 2 : std::min(N, C) * (K + 1) + 1;
    return static_cast<double>(scalar_size) * static_cast<double>(spectra) *
           (static_cast<double>(rows) * static_cast<double>(columns + 2) + 16);
  }
};

/// As few blocks as the workspace has room for: y's rows that two of them share are made twice. One
/// block where not even many would do, or where spectra of images are to be kept.
Sizes sizes_for(const Problem& problem, const PlanOptions& options, std::size_t scalar_size) {
  constexpr index_t kMostBlocks = 32;
  const Sizes whole(problem, 1);
  if (!options.workspace_limit || keeps_images(problem)) return whole;
  const auto limit = static_cast<double>(*options.workspace_limit);
  for (index_t count = 1; count <= std::min(kMostBlocks, problem.H); ++count) {
    const Sizes sizes(problem, count);
    if (sizes.workspace_bytes(problem, scalar_size) <= limit) return sizes;
  }
  return whole;
}

std::vector<Boundary> boundaries_of_fft(const Problem& standing, const PlanOptions& options,
                                        std::size_t scalar_size) {
  const Problem problem = oriented(standing);
  const Sizes sizes = sizes_for(problem, options, scalar_size);
  std::vector<Boundary> boundaries = {{Boundary::output_rows, sizes.rows},
                                      {Boundary::output_columns, sizes.columns},
                                      {Boundary::image_rows, sizes.image_rows}};
  if (problem != standing) {
    boundaries = {{Boundary::output_columns, sizes.rows},
                  {Boundary::output_rows, sizes.columns},
                  {Boundary::image_columns, sizes.image_rows}};
  }
  boundaries.push_back({Boundary::output_rows, kNarrowColumns});
  boundaries.push_back({Boundary::output_columns, kNarrowColumns});
  return boundaries;
}

template <class T>
class FftPlan final : public Plan<T> {
 public:
  FftPlan(const Problem& problem, const Sizes& sizes, Effort effort)
      : Plan<T>(problem),
        oriented_(oriented(problem)),
        sizes_(sizes),
        frequencies_(sizes.columns / 2 + 1),
        spectrum_size_(sizes.rows * frequencies_),
        spectrum_stride_((spectrum_size_ + kAlignment - 1) / kAlignment * kAlignment),
        kept_(std::min(problem.N, problem.C)),
        kept_spectra_(kept_ * problem.K * spectrum_stride_),
        sums_(in_place(problem) ? 0 : kept_ * spectrum_stride_),
        spectrum_(spectrum_stride_),
        out_of_range_(problem.N + problem.C) {
    const unsigned rigor = effort == Effort::measure ? FFTW_MEASURE : FFTW_ESTIMATE;
    const int along[] = {static_cast<int>(sizes.columns)};
    const int down[] = {static_cast<int>(sizes.rows)};
    const auto frequencies = static_cast<int>(frequencies_);
    auto* spectrum = as_fftw(spectrum_.data());
    const auto rows_forward = [&](index_t count) {
      return Fftw<T>::plan_r2c(1, along, static_cast<int>(count), samples(spectrum_.data()),
                               nullptr, 1, 2 * frequencies, spectrum, nullptr, 1, frequencies,
                               rigor);
    };
    const auto columns = [&](int sign) {
      return Fftw<T>::plan_c2c(1, down, frequencies, spectrum, nullptr, frequencies, 1, spectrum,
                               nullptr, frequencies, 1, sign, rigor);
    };
    const std::unique_lock lock(fftw_planner_mutex());
    image_rows_.reset(rows_forward(sizes.image_rows));
    kernel_rows_.reset(rows_forward(oriented_.h));
    columns_forward_.reset(columns(FFTW_FORWARD));
    columns_back_.reset(columns(FFTW_BACKWARD));
    // From where they lie, since FFTW's plans are for one alignment.
    Complex* const results = result_rows(spectrum_.data());
    rows_back_.reset(Fftw<T>::plan_c2r(1, along, static_cast<int>(sizes.result_rows.size()),
                                       as_fftw(results), nullptr, 1, frequencies, samples(results),
                                       nullptr, 1, 2 * frequencies, rigor));
    if (!image_rows_ || !kernel_rows_ || !columns_forward_ || !columns_back_ || !rows_back_) {
      throw std::runtime_error("FFTW made no plan");
    }
  }

  std::size_t workspace_bytes() const override {
    return kept_spectra_.bytes() + sums_.bytes() + spectrum_.bytes() + out_of_range_.bytes();
  }
  std::string implementation() const override { return describe_fftw(); }
  bool takes_any_strides() const override { return true; }

 protected:
  // Convolution commutes, so images and kernels play the same part: the spectra of the side with
  // fewer planes a channel are kept, those of the other are made one at a time and used at once.
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    image_range_ = {.exponent =
                        likely_exponent(StridedPlane(x, 0, 0), this->problem().K, x.strides[1])};
    kernel_range_ = {.exponent =
                         likely_exponent(StridedPlane(k, 0, 0), this->problem().K, k.strides[0])};
    std::ranges::fill(out_of_range_.elements(), 0);
    convolve(x, k, y);
    if (std::ranges::count(out_of_range_.elements(), 0) == std::ssize(out_of_range_.elements()))
      return;
    image_range_ = scanned_range(x);
    kernel_range_ = scanned_range(k);
    std::ranges::fill(out_of_range_.elements(), 0);
    convolve(x, k, y);
    complete(x, k, y);
  }

 private:
  using Complex = std::complex<T>;

  static IntoRange scanned_range(const TensorView<const T>& operand) {
    OperandScan<T> scan;
    scan.include(operand);
    return scan.into_range();
  }

  void convolve(const TensorView<const T>& x, const TensorView<const T>& k,
                const TensorView<T>& y) {
    const index_t N = oriented_.N, K = oriented_.K, C = oriented_.C, H = oriented_.H;
    if (keeps_images(oriented_)) {
      for (index_t n = 0; n < N; ++n) {
        for (index_t o = 0; o < K; ++o) {
          transform(strided_plane(x, n, o), image_range_, n, image_rows_, kept_spectrum(n, o));
        }
      }
      for (index_t c = 0; c < C; ++c) {
        for (index_t o = 0; o < K; ++o) {
          transform(strided_plane(k, o, c), kernel_range_, N + c, kernel_rows_, spectrum_.data());
          add_products(o);
        }
        for (index_t n = 0; n < N; ++n) transform_back(sum(n), strided_plane(y, n, c), 0);
      }
      return;
    }
    for (index_t c = 0; c < C; ++c) {
      for (index_t o = 0; o < K; ++o) {
        transform(strided_plane(k, o, c), kernel_range_, N + c, kernel_rows_, kept_spectrum(c, o));
      }
    }
    for (index_t n = 0; n < N; ++n) {
      for (index_t begin = 0; begin < H; begin += sizes_.image_rows) {
        const index_t rows = std::min(sizes_.image_rows, H - begin);
        for (index_t o = 0; o < K; ++o) {
          transform(strided_plane(x, n, o).rows_from(begin, rows), image_range_, n, image_rows_,
                    spectrum_.data());
          add_products(o);
        }
        for (index_t c = 0; c < C; ++c) transform_back(sum(c), strided_plane(y, n, c), begin);
      }
    }
  }

  /// Adds the products of what is not finite, and convolves by definition the planes of images or
  /// kernels that are too far from others for one range.
  void complete(const TensorView<const T>& x, const TensorView<const T>& k,
                const TensorView<T>& y) {
    const Problem& problem = this->problem();
    const bool all_finite = image_range_.all_finite && kernel_range_.all_finite;
    for (index_t n = 0; n < problem.N; ++n)
      for (index_t c = 0; c < problem.C; ++c) {
        bool few = out_of_range_[n] == 0 && out_of_range_[problem.N + c] == 0;
        for (index_t o = 0; o < problem.K && few && !all_finite; ++o) {
          few = add_non_finite_products(StridedPlane(x, n, o), StridedPlane(k, o, c),
                                        in_full_output(StridedPlane(y, n, c), problem.window()),
                                        problem.window());
        }
        if (!few) convolve_by_tap(problem, x, k, n, c, y);
      }
  }

  /// Spectra start where FFTW's SIMD codelets want them, as the plan was made for.
  static constexpr index_t kAlignment = 64 / static_cast<index_t>(sizeof(Complex));

  template <class U>
  StridedPlane<U> strided_plane(const TensorView<U>& tensor, index_t a, index_t b) const {
    const StridedPlane<U> plane(tensor, a, b);
    return oriented_ == this->problem() ? plane : plane.transposed();
  }

  static typename Fftw<T>::Complex* as_fftw(Complex* spectrum) {
    return reinterpret_cast<typename Fftw<T>::Complex*>(spectrum);
  }

  Complex* kept_spectrum(index_t s, index_t o) const {
    return kept_spectra_.data() + (s * this->problem().K + o) * spectrum_stride_;
  }
  Complex* sum(index_t s) const {
    return in_place(this->problem()) ? spectrum_.data() : sums_.data() + s * spectrum_stride_;
  }

  /// Rows of samples are where their spectra will be.
  static T* samples(Complex* spectrum) { return reinterpret_cast<T*>(spectrum); }

  /// Marks `operand` where that is not in range.
  void transform(const StridedPlane<const T>& plane, IntoRange range, index_t operand,
                 const FftwPlan<T>& rows, Complex* spectrum) {
    StepTimer timing(Step::copies);
    OperandScan<T> scan;
    for (index_t i = 0; i < plane.rows; ++i) {
      const T* from = plane.row(i);
      T* to = samples(spectrum + i * frequencies_);
      for (index_t j = 0; j < plane.columns; ++j) to[j] = from[j * plane.column_stride];
      if (!range.is_neutral()) bring_into_range(range, to, plane.columns);
      scan.include(to, plane.columns);
      std::fill(to + plane.columns, to + sizes_.columns, T{0});
    }
    const T most = scan.largest() * static_cast<T>(plane.rows * plane.columns);
    if (!scan.all_finite() || !is_in_range(scan.largest()) || !is_in_range(most)) {
      out_of_range_[operand] = 1;
    }
    std::fill(spectrum + plane.rows * frequencies_, spectrum + spectrum_size_, Complex{0});
    timing.enter(Step::transforms);
    Fftw<T>::execute_r2c(rows.get(), samples(spectrum), as_fftw(spectrum));
    Fftw<T>::execute_c2c(columns_forward_.get(), as_fftw(spectrum), as_fftw(spectrum));
  }

  /// Of channel o, to all sums.
  void add_products(index_t o) const {
    for (index_t s = 0; s < kept_; ++s) add_product(o == 0, kept_spectrum(s, o), sum(s));
  }

  /// sum = (first ? 0 : sum) + spectrum ⊙ kept, with FFTW's missing factor 1/P.
  void add_product(bool first, const Complex* kept, Complex* sum) const {
    const StepTimer timing(Step::products);
    const T scale = T{1} / static_cast<T>(sizes_.rows * sizes_.columns);
    const Complex* passing = spectrum_.data();
    for (index_t f = 0; f < spectrum_size_; ++f) {
      // Spelled out: std::complex's product tests for NaN and calls a function.
      const T re = passing[f].real() * kept[f].real() - passing[f].imag() * kept[f].imag();
      const T im = passing[f].real() * kept[f].imag() + passing[f].imag() * kept[f].real();
      const Complex product(re * scale, im * scale);
      sum[f] = first ? product : sum[f] + product;
    }
  }

  /// The results of the block that begins with so many rows of the image. The last one has written
  /// the first h − 1 of them: these add up.
  void transform_back(Complex* spectrum, const StridedPlane<T>& plane, index_t begin) {
    StepTimer timing(Step::transforms);
    Complex* const results = result_rows(spectrum);
    Fftw<T>::execute_c2c(columns_back_.get(), as_fftw(spectrum), as_fftw(spectrum));
    Fftw<T>::execute_c2r(rows_back_.get(), as_fftw(results), samples(results));
    timing.enter(Step::copies);
    const Window window = oriented_.window();
    const index_t block_end = std::min(begin + sizes_.image_rows, oriented_.H) + oriented_.h - 1;
    const Range wanted = intersection({begin, block_end}, window.rows);
    const index_t added_end = begin == 0 ? 0 : begin + oriented_.h - 1;
    for (index_t i = wanted.begin; i < wanted.end; ++i) {
      T* from = samples(spectrum + (i - begin) * frequencies_) + window.columns.begin;
      for_each_factor<T>(-image_range_.exponent - kernel_range_.exponent, [&](T factor) {
        for (index_t j = 0; j < plane.columns; ++j) from[j] *= factor;
      });
      T* to = plane.row(i - window.rows.begin);
      for (index_t j = 0; j < plane.columns; ++j) {
        T& sum = to[j * plane.column_stride];
        sum = i < added_end ? sum + from[j] : from[j];
      }
    }
  }

  /// Where a spectrum has the rows that are transformed back.
  Complex* result_rows(Complex* spectrum) const {
    return spectrum + sizes_.result_rows.begin * frequencies_;
  }

  Problem oriented_;
  Sizes sizes_;
  index_t frequencies_;  // of a row
  index_t spectrum_size_, spectrum_stride_;
  index_t kept_;
  Buffer<Complex> kept_spectra_, sums_, spectrum_;
  IntoRange image_range_, kernel_range_;
  Buffer<char> out_of_range_;  // image n, at N + c kernel c, as scaled
  FftwPlan<T> image_rows_, kernel_rows_, columns_forward_, columns_back_, rows_back_;
};

/// Rows that are transformed: those that are all padding are not. For the columns, planes.
struct Transforms {
  double rows, planes;

  Transforms(const Problem& problem, const Sizes& sizes) {
    const index_t N = problem.N, K = problem.K, C = problem.C, h = problem.h;
    // Not as integers: rows that blocks share could be too many to count.
    const auto blocks = static_cast<double>(N * sizes.blocks);
    const double images = blocks * static_cast<double>(K), kernels = static_cast<double>(K * C),
                 results = blocks * static_cast<double>(C);
    planes = images + kernels + results;
    rows = images * static_cast<double>(sizes.image_rows) + kernels * static_cast<double>(h) +
           results * static_cast<double>(sizes.result_rows.size());
  }
};

double fft_operations(const Problem& given) {
  const Problem problem = oriented(given);
  const Sizes sizes(problem, 1);
  const Transforms transforms(problem, sizes);
  const auto rows = static_cast<double>(sizes.rows);
  const auto columns = static_cast<double>(sizes.columns);
  // A complex multiply-add is eight operations, for half of the points.
  return 2.5 * columns *
             (transforms.rows * std::log2(columns) + transforms.planes * rows * std::log2(rows)) +
         4 * rows * columns * static_cast<double>(problem.N * problem.K * problem.C);
}

/// In nanoseconds for each point and its logarithm, a row takes 0.27 to 0.21, more from 1500 points
/// on, and some 7 a call, a column 0.12 up to 128 points, 0.17 beyond, and more where it is long;
/// all else is hidden, but for memory, once planes leave a cache of a megabyte. Next to 1800 times
/// measured, of planes for which another is not twice as fast, it is off by 10 % (median).
std::optional<Forecast> forecast_fft(const Problem& given, const PlanOptions& options,
                                     std::size_t scalar_size) {
  const Problem problem = oriented(given);
  if (!counts(problem)) return std::nullopt;
  const Sizes sizes = sizes_for(problem, options, scalar_size);
  const Transforms transforms(problem, sizes);
  const auto rows = static_cast<double>(sizes.rows);
  const auto columns = static_cast<double>(sizes.columns);
  const bool single = scalar_size == sizeof(float);
  const double bytes = static_cast<double>(scalar_size) * rows * columns;

  const double along = (0.265 - 0.06 * distance(columns, 64, 32)) * (single ? 1 : 1.34);
  const double long_row = 1 + 0.65 * distance(columns, 1500, 8);
  const double a_row = 7 + along * long_row * columns * std::log2(columns);
  const double long_columns = (single ? 0.172 : 0.222) * (1 + 0.62 * distance(rows, 512, 16));
  const double down = rows <= 128 ? 0.12 : long_columns;
  const double a_plane = down * rows * columns * std::log2(rows);
  const double products =
      0.1 * rows * columns * static_cast<double>(problem.N * problem.K * problem.C * sizes.blocks);
  const double memory = 0.37 * bytes * distance(bytes, 0x1p20, 64);
  return Forecast{
      .terms = {{"rows", 1e-9 * transforms.rows * a_row},
                {"columns", 1e-9 * transforms.planes * a_plane},
                {"products", 1e-9 * products},
                {"memory", 1e-9 * transforms.planes * memory}},
      .workspace_bytes = static_cast<std::size_t>(sizes.workspace_bytes(problem, scalar_size))};
}

template <class T>
Planned<T> plan_fft(const Problem& problem, const PlanOptions& options) {
  if (!counts(problem)) {
    return Declined{"has a side with more points than FFTW can count"};
  }
  return std::make_unique<FftPlan<T>>(problem, sizes_for(oriented(problem), options, sizeof(T)),
                                      options.effort);
}

}  // namespace

constinit const Algorithm builtin::fft{
    .name = "fft",
    .summary = "product of FFTW's real transforms of the whole image, channels summed as spectra",
    .error_model = ErrorModel::normwise,
    .non_finite = NonFinite::as_defined,
    .crops = true,
    .operations = fft_operations,
    // FFTW buffers up to 65536 complex points, and up to twice that to divide a size evenly.
    .scratch_bytes = 2 * 65536 * sizeof(std::complex<double>),
    .forget = forget_fftw_wisdom,
    .forecast = forecast_fft,
    .boundaries = boundaries_of_fft,
    .plan_f32 = plan_fft<float>,
    .plan_f64 = plan_fft<double>,
};

}  // namespace fullconv
