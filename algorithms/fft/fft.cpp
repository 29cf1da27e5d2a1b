// Convolution theorem: the transform of x ∗ k is the product of the transforms, once both are
// padded to at least (H+h−1)×(W+w−1), where the circular convolution no longer wraps around. A
// layer sums over its channels in frequency space, so it costs N·K + K·C + N·C transforms and not
// N·K·C. Rows that are all padding are not transformed, and rows of the result that nobody wants
// neither: an image as large as the kernel spares a quarter. At most 2.5·P·log₂P flops a real
// transform of P points; a workspace of P·(min(N,C)·(K+1) + 2) scalars. Frigo and Johnson, The
// Design and Implementation of FFTW3, Proc. IEEE 93(2), 2005.

#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/buffer.h"
#include "core/forecast.h"
#include "core/phases.h"
#include "core/plane.h"
#include "core/registry.h"
#include "fft/fftw.h"

namespace fullconv {
namespace {

/// The smallest 2^a·3^b·5^c·7^d from `size` on that FFTW's vector codelets take: a multiple of 8
/// above 64 and of 4 above 16. Measured f32, forward and back, next to the nearest sizes without:
/// 72² 15 µs, 70² 22 µs; 144² 57 µs, 140² 77 µs; 1120² 5.9 ms, 1092² 8.1 ms, 1125² 14.7 ms.
index_t fast_transform_size(index_t size) {
  const index_t step = size > 64 ? 8 : size > 16 ? 4 : 1;
  for (index_t candidate = ceil_divide(size, step) * step;; candidate += step) {
    index_t rest = candidate;
    for (const index_t factor : {2, 3, 5, 7}) {
      while (rest % factor == 0) rest /= factor;
    }
    if (rest == 1) return candidate;
  }
}

template <class T>
class FftPlan final : public Plan<T> {
 public:
  FftPlan(const Problem& problem, Effort effort)
      : Plan<T>(problem),
        rows_(fast_transform_size(problem.output_rows())),
        columns_(fast_transform_size(problem.output_columns())),
        frequencies_(columns_ / 2 + 1),
        spectrum_size_(rows_ * frequencies_),
        spectrum_stride_((spectrum_size_ + kAlignment - 1) / kAlignment * kAlignment),
        kept_side_(problem.N <= problem.C ? Side::images : Side::kernels),
        kept_(std::min(problem.N, problem.C)),
        samples_(problem.output_rows() * columns_),
        kept_spectra_(kept_ * problem.K * spectrum_stride_),
        sums_(kept_ * spectrum_stride_),
        spectrum_(spectrum_stride_) {
    const unsigned rigor = effort == Effort::measure ? FFTW_MEASURE : FFTW_ESTIMATE;
    const int along[] = {static_cast<int>(columns_)};
    const int down[] = {static_cast<int>(rows_)};
    const auto samples = static_cast<int>(columns_);
    const auto frequencies = static_cast<int>(frequencies_);
    auto* spectrum = as_fftw(spectrum_.data());
    const auto rows_forward = [&](index_t count) {
      return Fftw<T>::plan_r2c(1, along, static_cast<int>(count), samples_.data(), nullptr, 1,
                               samples, spectrum, nullptr, 1, frequencies, rigor);
    };
    const auto columns = [&](int sign) {
      return Fftw<T>::plan_c2c(1, down, frequencies, spectrum, nullptr, frequencies, 1, spectrum,
                               nullptr, frequencies, 1, sign, rigor);
    };
    const std::unique_lock lock(fftw_planner_mutex());
    image_rows_.reset(rows_forward(problem.H));
    kernel_rows_.reset(rows_forward(problem.h));
    columns_forward_.reset(columns(FFTW_FORWARD));
    columns_back_.reset(columns(FFTW_BACKWARD));
    rows_back_.reset(Fftw<T>::plan_c2r(1, along, static_cast<int>(problem.output_rows()), spectrum,
                                       nullptr, 1, frequencies, samples_.data(), nullptr, 1,
                                       samples, rigor));
    if (!image_rows_ || !kernel_rows_ || !columns_forward_ || !columns_back_ || !rows_back_) {
      throw std::runtime_error("FFTW made no plan");
    }
  }

  std::size_t workspace_bytes() const override {
    return samples_.bytes() + kept_spectra_.bytes() + sums_.bytes() + spectrum_.bytes();
  }
  bool takes_any_strides() const override { return true; }

 protected:
  // Convolution commutes, so images and kernels play the same part: the spectra of the side with
  // fewer planes a channel are kept, those of the other are made one at a time and used at once.
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const Problem& problem = this->problem();
    const bool keep_images = kept_side_ == Side::images;
    const index_t passing = keep_images ? problem.C : problem.N;

    for (index_t s = 0; s < kept_; ++s) {
      for (index_t o = 0; o < problem.K; ++o) {
        transform(keep_images ? strided_plane(x, s, o) : strided_plane(k, o, s),
                  keep_images ? image_rows_ : kernel_rows_, kept_spectrum(s, o));
      }
    }
    for (index_t t = 0; t < passing; ++t) {
      for (index_t o = 0; o < problem.K; ++o) {
        transform(keep_images ? strided_plane(k, o, t) : strided_plane(x, t, o),
                  keep_images ? kernel_rows_ : image_rows_, spectrum_.data());
        for (index_t s = 0; s < kept_; ++s) add_product(o == 0, kept_spectrum(s, o), sum(s));
      }
      for (index_t s = 0; s < kept_; ++s) {
        transform_back(sum(s), keep_images ? strided_plane(y, s, t) : strided_plane(y, t, s));
      }
    }
  }

 private:
  using Complex = std::complex<T>;
  enum class Side { images, kernels };

  /// Spectra start where FFTW's SIMD codelets want them, as the plan was made for.
  static constexpr index_t kAlignment = 64 / static_cast<index_t>(sizeof(Complex));

  template <class U>
  struct StridedPlane {
    U* data;
    index_t rows, columns, row_stride, column_stride;
  };

  template <class U>
  static StridedPlane<U> strided_plane(const TensorView<U>& tensor, index_t a, index_t b) {
    return {&tensor(a, b, 0, 0), tensor.extents[2], tensor.extents[3], tensor.strides[2],
            tensor.strides[3]};
  }

  static typename Fftw<T>::Complex* as_fftw(Complex* spectrum) {
    return reinterpret_cast<typename Fftw<T>::Complex*>(spectrum);
  }

  Complex* kept_spectrum(index_t s, index_t o) const {
    return kept_spectra_.data() + (s * this->problem().K + o) * spectrum_stride_;
  }
  Complex* sum(index_t s) const { return sums_.data() + s * spectrum_stride_; }

  void transform(const StridedPlane<const T>& plane, const FftwPlan<T>& rows, Complex* spectrum) {
    PhaseTimer timing(Phase::copies);
    for (index_t i = 0; i < plane.rows; ++i) {
      const T* from = plane.data + i * plane.row_stride;
      T* to = samples_.data() + i * columns_;
      for (index_t j = 0; j < plane.columns; ++j) to[j] = from[j * plane.column_stride];
      std::fill(to + plane.columns, to + columns_, T{0});
    }
    std::fill(spectrum + plane.rows * frequencies_, spectrum + spectrum_size_, Complex{0});
    timing.enter(Phase::transforms);
    Fftw<T>::execute_r2c(rows.get(), samples_.data(), as_fftw(spectrum));
    Fftw<T>::execute_c2c(columns_forward_.get(), as_fftw(spectrum), as_fftw(spectrum));
  }

  /// sum = (first ? 0 : sum) + spectrum ⊙ kept, with FFTW's missing factor 1/P.
  void add_product(bool first, const Complex* kept, Complex* sum) const {
    const PhaseTimer timing(Phase::products);
    const T scale = T{1} / static_cast<T>(rows_ * columns_);
    const Complex* passing = spectrum_.data();
    for (index_t f = 0; f < spectrum_size_; ++f) {
      // Spelled out: std::complex's product tests for NaN and calls a function.
      const T re = passing[f].real() * kept[f].real() - passing[f].imag() * kept[f].imag();
      const T im = passing[f].real() * kept[f].imag() + passing[f].imag() * kept[f].real();
      const Complex product(re * scale, im * scale);
      sum[f] = first ? product : sum[f] + product;
    }
  }

  void transform_back(Complex* spectrum, const StridedPlane<T>& plane) {
    PhaseTimer timing(Phase::transforms);
    Fftw<T>::execute_c2c(columns_back_.get(), as_fftw(spectrum), as_fftw(spectrum));
    Fftw<T>::execute_c2r(rows_back_.get(), as_fftw(spectrum), samples_.data());
    timing.enter(Phase::copies);
    for (index_t i = 0; i < plane.rows; ++i) {
      const T* from = samples_.data() + i * columns_;
      T* to = plane.data + i * plane.row_stride;
      for (index_t j = 0; j < plane.columns; ++j) to[j * plane.column_stride] = from[j];
    }
  }

  index_t rows_, columns_;
  index_t frequencies_;  // of a row
  index_t spectrum_size_, spectrum_stride_;
  Side kept_side_;
  index_t kept_;
  Buffer<T> samples_;
  Buffer<Complex> kept_spectra_, sums_, spectrum_;
  FftwPlan<T> image_rows_, kernel_rows_, columns_forward_, columns_back_, rows_back_;
};

/// The logarithms of sides that all transforms have together, of a full 2-D transform log₂(P·Q): a
/// row that is left out does not count.
double logarithms(const Problem& problem, double rows, double columns) {
  const auto& [N, K, C, H, W, h, w] = problem;
  const auto of_transforms = [&](index_t count, index_t rows_along) {
    const double share = static_cast<double>(rows_along) / rows;
    return static_cast<double>(count) * (share * std::log2(columns) + std::log2(rows));
  };
  return of_transforms(N * K, H) + of_transforms(K * C, h) +
         of_transforms(N * C, problem.output_rows());
}

double fft_operations(const Problem& problem) {
  const auto& [N, K, C, H, W, h, w] = problem;
  const auto rows = static_cast<double>(fast_transform_size(problem.output_rows()));
  const auto columns = static_cast<double>(fast_transform_size(problem.output_columns()));
  // A complex multiply-add is eight operations, for half of the points.
  return rows * columns *
         (2.5 * logarithms(problem, rows, columns) + 4 * static_cast<double>(N * K * C));
}

/// Transforms take some 0.22 ns for each point and its logarithm, a fifth more in double, and half
/// as long again once they leave the caches; copies and products 0.2 ns a point. Narrow planes take
/// up to a third longer, low ones up to a quarter less. Next to 3033 times it is off by 20 %
/// (median), since FFTW plans by estimate.
std::optional<Forecast> forecast_fft(const Problem& problem, const PlanOptions&,
                                     std::size_t scalar_size) {
  const auto& [N, K, C, H, W, h, w] = problem;
  const double rows = static_cast<double>(fast_transform_size(problem.output_rows()));
  const double columns = static_cast<double>(fast_transform_size(problem.output_columns()));
  const double points = rows * columns;
  const auto transforms = static_cast<double>(N * K + K * C + N * C);
  const auto kept = static_cast<double>(std::min(N, C) * (K + 1) + 1);
  const auto bytes = static_cast<double>(scalar_size);
  const double memory = 1 + 0.55 * distance(points * bytes, 0x1p17, 256);
  const double shape = (0.97 + 0.36 * (1 - distance(columns, 48, 4))) *
                       (1 - 0.27 * (1 - distance(rows, 16, 4)) * distance(columns, 64, 4));
  const double unit = 1e-9 * (0.8 + 0.05 * bytes) * points * shape;
  return Forecast{
      .shares = {{"transforms", unit * memory * 0.22 * logarithms(problem, rows, columns)},
                 {"copies", unit * transforms * 0.1},
                 {"products", unit * static_cast<double>(N * K * C) * 0.1}},
      .workspace_bytes =
          static_cast<std::size_t>(bytes * (static_cast<double>(problem.output_rows()) * columns +
                                            kept * (rows * (columns + 2) + 16)))};
}

template <class T>
Planned<T> plan_fft(const Problem& problem, const PlanOptions& options) {
  constexpr index_t kMostPoints = std::numeric_limits<int>::max() / 2;
  if (std::max(problem.output_rows(), problem.output_columns()) > kMostPoints) {
    return Declined{"has a side with more points than FFTW can count"};
  }
  return std::make_unique<FftPlan<T>>(problem, options.effort);
}

}  // namespace

constinit const Algorithm builtin::fft{
    .name = "fft",
    .summary = "product of FFTW's real transforms of the whole image, channels summed as spectra",
    .error_model = ErrorModel::normwise,
    .non_finite = NonFinite::spreads,
    .operations = fft_operations,
    // FFTW buffers up to 65536 complex points, and up to twice that to divide a size evenly.
    .scratch_bytes = 2 * 65536 * sizeof(std::complex<double>),
    .forget = forget_fftw_wisdom,
    .forecast = forecast_fft,
    .plan_f32 = plan_fft<float>,
    .plan_f64 = plan_fft<double>,
};

}  // namespace fullconv
