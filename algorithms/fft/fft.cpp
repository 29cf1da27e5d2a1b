// Convolution theorem: the transform of x ∗ k is the product of the transforms, if both are padded
// to at least (H+h−1)×(W+w−1), so that the circular convolution does not wrap around. If y is a
// window of that, less padding is enough: only outputs that are not wanted may wrap around. A layer
// sums over its channels in frequency space, so it costs N·K + K·C + N·C transforms and not N·K·C.
// Rows that are all padding are not transformed, and neither are rows of the result that are not
// wanted: with an image as large as the kernel this saves a quarter. If workspace is limited, the
// image is cut into blocks of rows, whose results overlap and are added. At most 2.5·P·log₂P flops
// for a real transform of P points, in place. Workspace of P·(min(N,C)·(K+1) + 1) scalars, of 2·P
// for a plane. Frigo and Johnson, The Design and Implementation of FFTW3, Proc. IEEE 93(2), 2005.

#include "costs/fft.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/buffer.h"
#include "core/forecast.h"
#include "core/operand_range.h"
#include "core/plane.h"
#include "core/prepared_kernel.h"
#include "core/recompute.h"
#include "core/registry.h"
#include "core/scratch.h"
#include "core/steps.h"
#include "fft/fft_sizes.h"
#include "fft/fftw.h"

namespace fullconv {
namespace {

std::vector<Boundary> boundaries_of_fft(const Problem& given, const PlanOptions& options,
                                        std::size_t scalar_size) {
  const Problem problem = oriented(given);
  const FftSizes sizes = sizes_for(problem, options, scalar_size);
  std::vector<Boundary> boundaries = {{Boundary::output_rows, sizes.rows},
                                      {Boundary::output_columns, sizes.columns},
                                      {Boundary::image_rows, sizes.image_rows}};
  if (problem != given) {
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
  FftPlan(const Problem& problem, const FftSizes& sizes, Effort effort)
      : Plan<T>(problem),
        oriented_(oriented(problem)),
        sizes_(sizes),
        room_(problem, sizes, sizeof(T)),
        frequencies_(sizes.frequencies()),
        spectrum_size_(sizes.rows * frequencies_),
        spectrum_stride_(room_.spectrum),
        kept_spectra_(room_.kept * spectrum_stride_),
        sums_(room_.sums * spectrum_stride_),
        spectrum_(spectrum_stride_),
        image_states_(problem.N),
        kernel_states_(problem.C) {
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
    return kept_spectra_.bytes() + sums_.bytes() + spectrum_.bytes() + image_states_.bytes() +
           kernel_states_.bytes();
  }
  std::string implementation() const override { return describe_fftw(); }
  bool takes_any_strides() const override { return true; }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    run_with(nullptr, likely_exponent(StridedPlane(k, 0, 0), this->problem().K, k.strides[0]), x, k,
             y);
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    auto prepared = std::make_unique<Prepared>(k);
    // Not of layers whose spectra are many times as large as their kernels.
    constexpr double kMostBytes = 256 << 20;
    const index_t kernels = oriented_.K * oriented_.C;
    if (static_cast<double>(kernels) * static_cast<double>(spectrum_.bytes()) > kMostBytes) {
      return prepared;
    }
    kernel_exponent_ = likely_exponent(StridedPlane(k, 0, 0), oriented_.K, k.strides[0]);
    std::ranges::fill(kernel_states_.elements(), OperandState{});
    Buffer<Complex> spectra(kernels * spectrum_stride_);
    for (index_t kernel = 0; kernel < kernels; ++kernel) {
      transform(strided_plane(prepared->view(), kernel % oriented_.K, kernel / oriented_.K),
                kernel_exponent_, kernel_states_[kernel / oriented_.K], kernel_rows_,
                spectra.data() + kernel * spectrum_stride_);
    }
    // Kernels that are out of range have to be scaled, by an exponent that depends on all of them:
    // only the copy of such kernels is of use.
    if (!all_in_range(kernel_states_)) return prepared;
    prepared->spectra = std::move(spectra);
    prepared->exponent = kernel_exponent_;
    prepared->all_finite = all_finite(kernel_states_);
    return prepared;
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    const auto& prepared = static_cast<const Prepared&>(k);
    if (prepared.spectra.bytes() == 0) return run(x, prepared.view(), y);
    run_with(&prepared, prepared.exponent, x, prepared.view(), y);
  }

 private:
  using Complex = std::complex<T>;

  /// A kernel as it is, and the spectra of k[o,c], scaled by 2^exponent, at c·K + o.
  struct Prepared final : KernelCopy<T> {
    using KernelCopy<T>::KernelCopy;
    std::size_t bytes() const override { return KernelCopy<T>::bytes() + spectra.bytes(); }

    Buffer<Complex> spectra;
    int exponent = 0;
    bool all_finite = true;
  };

  static bool all_in_range(const Buffer<OperandState>& states) {
    return std::ranges::all_of(states.elements(), &OperandState::all_in_range);
  }
  static bool all_finite(const Buffer<OperandState>& states) {
    return std::ranges::all_of(states.elements(), &OperandState::all_finite);
  }

  void run_with(const Prepared* prepared, int kernel_exponent, const TensorView<const T>& x,
                const TensorView<const T>& k, const TensorView<T>& y) {
    kernel_exponent_ = kernel_exponent;
    image_exponent_ = likely_exponent(StridedPlane(x, 0, 0), this->problem().K, x.strides[1]);
    convolve(prepared, x, k, y);
    if (!all_in_range(image_states_) || !all_in_range(kernel_states_)) {
      image_exponent_ = scanned_exponent(x);
      if (prepared == nullptr) kernel_exponent_ = scanned_exponent(k);
      convolve(prepared, x, k, y);
    }
    const Problem& problem = this->problem();
    for (index_t n = 0; n < problem.N; ++n)
      for (index_t c = 0; c < problem.C; ++c) {
        complete(problem, x, k, n, c, image_states_[n], kernel_states_[c], problem.window(), y);
      }
  }

  static int scanned_exponent(const TensorView<const T>& operand) {
    OperandScan<T> scan;
    scan.include(operand);
    return scan.exponent();
  }

  // Convolution commutes, so images and kernels play the same part: the spectra of the side with
  // fewer planes a channel are kept, those of the other are made one at a time and used at once.
  void convolve(const Prepared* prepared, const TensorView<const T>& x,
                const TensorView<const T>& k, const TensorView<T>& y) {
    const index_t N = oriented_.N, K = oriented_.K, C = oriented_.C, H = oriented_.H;
    std::ranges::fill(image_states_.elements(), OperandState{});
    std::ranges::fill(kernel_states_.elements(),
                      OperandState{.all_finite = prepared == nullptr || prepared->all_finite});
    const auto prepared_spectrum = [&](index_t o, index_t c) {
      return prepared->spectra.data() + (c * K + o) * spectrum_stride_;
    };
    if (keeps_images(oriented_)) {
      for (index_t n = 0; n < N; ++n) {
        for (index_t o = 0; o < K; ++o) {
          transform(strided_plane(x, n, o), image_exponent_, image_states_[n], image_rows_,
                    kept_spectrum(n, o));
        }
      }
      for (index_t c = 0; c < C; ++c) {
        for (index_t o = 0; o < K; ++o) {
          const Complex* passing = spectrum_.data();
          if (prepared != nullptr) {
            passing = prepared_spectrum(o, c);
          } else {
            transform(strided_plane(k, o, c), kernel_exponent_, kernel_states_[c], kernel_rows_,
                      spectrum_.data());
          }
          for (index_t n = 0; n < N; ++n) {
            add_product(o == 0, passing, kept_spectrum(n, o), sum(n));
          }
        }
        for (index_t n = 0; n < N; ++n) transform_back(sum(n), strided_plane(y, n, c), 0);
      }
      return;
    }
    for (index_t c = 0; c < C && prepared == nullptr; ++c) {
      for (index_t o = 0; o < K; ++o) {
        transform(strided_plane(k, o, c), kernel_exponent_, kernel_states_[c], kernel_rows_,
                  kept_spectrum(c, o));
      }
    }
    for (index_t n = 0; n < N; ++n) {
      for (index_t begin = 0; begin < H; begin += sizes_.image_rows) {
        const index_t rows = std::min(sizes_.image_rows, H - begin);
        for (index_t o = 0; o < K; ++o) {
          transform(strided_plane(x, n, o).rows_from(begin, rows), image_exponent_,
                    image_states_[n], image_rows_, spectrum_.data());
          for (index_t c = 0; c < C; ++c) {
            const Complex* kernel =
                prepared == nullptr ? kept_spectrum(c, o) : prepared_spectrum(o, c);
            add_product(o == 0, spectrum_.data(), kernel, sum(c));
          }
        }
        for (index_t c = 0; c < C; ++c) transform_back(sum(c), strided_plane(y, n, c), begin);
      }
    }
  }

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
    return multiplies_in_place(this->problem()) ? spectrum_.data()
                                                : sums_.data() + s * spectrum_stride_;
  }

  /// Rows of samples are stored where their spectra will be.
  static T* samples(Complex* spectrum) { return reinterpret_cast<T*>(spectrum); }

  /// Transforms a plane times 2^exponent, with 0 in place of NaN and Inf.
  void transform(const StridedPlane<const T>& plane, int exponent, OperandState& state,
                 const FftwPlan<T>& rows, Complex* spectrum) {
    StepTimer timing(Step::copies);
    const index_t pitch = 2 * frequencies_;
    // Among short rows all zeros are written first, and they are looked at as one, where they lie
    // or with the zeros: row by row 8x8_k5x5 took 1.05 times as long. Long ones are finished as
    // long as they are in the first cache: 512x512_k7x7 took 1.08 times as long with a second pass.
    constexpr index_t kLong = 128;
    const bool has_long_rows = plane.columns >= kLong;
    const bool is_one_row = plane.column_stride == 1 && plane.row_stride == plane.columns;
    T largest = 0;
    if (!has_long_rows) std::fill(spectrum, spectrum + spectrum_size_, Complex{0});
    for (index_t i = 0; i < plane.rows; ++i) {
      const T* from = plane.row(i);
      T* to = samples(spectrum + i * frequencies_);
      for (index_t j = 0; j < plane.columns; ++j) to[j] = from[j * plane.column_stride];
      if (!has_long_rows) continue;
      std::fill(to + plane.columns, to + pitch, T{0});
      largest = larger_magnitude(largest, largest_magnitude(to, plane.columns));
    }
    if (has_long_rows) {
      std::fill(spectrum + plane.rows * frequencies_, spectrum + spectrum_size_, Complex{0});
    } else {
      largest = is_one_row ? largest_magnitude(plane.data, plane.rows * plane.columns)
                           : largest_magnitude(samples(spectrum), plane.rows * pitch);
    }
    bring_plane_into_range(exponent, largest, samples(spectrum), plane.rows * pitch,
                           plane.rows * plane.columns, state);
    timing.enter(Step::transforms);
    Fftw<T>::execute_r2c(rows.get(), samples(spectrum), as_fftw(spectrum));
    Fftw<T>::execute_c2c(columns_forward_.get(), as_fftw(spectrum), as_fftw(spectrum));
  }

  /// `count` values with zeros among them, of which `samples` are a plane's.
  static void bring_plane_into_range(int exponent, T largest, T* values, index_t count,
                                     index_t samples, OperandState& state) {
    if (exponent != 0 || !std::isfinite(largest)) {
      state.all_finite &= std::isfinite(largest);
      bring_into_range(exponent, values, count);
      largest = largest_magnitude(values, count);
    }
    const T most = largest * static_cast<T>(samples);
    state.all_in_range &= is_in_range(largest) && is_in_range(most);
  }

  /// sum = (first ? 0 : sum) + passing ⊙ kept, with FFTW's missing factor 1/P.
  void add_product(bool first, const Complex* passing, const Complex* kept, Complex* sum) const {
    const StepTimer timing(Step::products);
    const T scale = T{1} / static_cast<T>(sizes_.rows * sizes_.columns);
    const auto* a = reinterpret_cast<const T*>(passing);
    const auto* b = reinterpret_cast<const T*>(kept);
    T* s = samples(sum);
    // A block at a time goes through an array that nothing else is: a compiler that has to expect
    // sums to be the spectra, as they may, takes one frequency after the other.
    constexpr index_t kBlock = 64;
    T products[2 * kBlock];
    for (index_t begin = 0; begin < 2 * spectrum_size_; begin += 2 * kBlock) {
      const index_t count = std::min(2 * kBlock, 2 * spectrum_size_ - begin);
      for (index_t f = 0; f < count; f += 2) {
        const index_t re = begin + f, im = re + 1;
        products[f] = (a[re] * b[re] - a[im] * b[im]) * scale;
        products[f + 1] = (a[re] * b[im] + a[im] * b[re]) * scale;
      }
      if (first) {
        std::copy_n(products, count, s + begin);
      } else {
        for (index_t f = 0; f < count; ++f) s[begin + f] += products[f];
      }
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
      const int exponent = -image_exponent_ - kernel_exponent_;
      if (exponent != 0) scale(exponent, from, plane.columns);
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
  FftSizes sizes_;
  FftRoom room_;
  index_t frequencies_;  // of a row
  index_t spectrum_size_, spectrum_stride_;
  Buffer<Complex> kept_spectra_, sums_, spectrum_;
  int image_exponent_ = 0, kernel_exponent_ = 0;  // by which operands are scaled
  Buffer<OperandState> image_states_, kernel_states_;
  FftwPlan<T> image_rows_, kernel_rows_, columns_forward_, columns_back_, rows_back_;
};

double fft_operations(const Problem& given) {
  const Problem problem = oriented(given);
  const FftSizes sizes(problem, 1);
  const FftCounts transforms(problem, sizes);
  const auto rows = static_cast<double>(sizes.rows);
  const auto columns = static_cast<double>(sizes.columns);
  // A complex multiply-add is eight operations, for half of the points.
  return 2.5 * columns *
             (transforms.rows * std::log2(columns) + transforms.planes * rows * std::log2(rows)) +
         4 * rows * columns * static_cast<double>(problem.N * problem.K * problem.C);
}

std::optional<Forecast> forecast_fft(const Problem& given, const PlanOptions& options,
                                     std::size_t scalar_size) {
  const Problem problem = oriented(given);
  if (!counts(problem)) return std::nullopt;
  const FftSizes sizes = sizes_for(problem, options, scalar_size);
  return Forecast{.terms = fft_terms(problem, sizes, scalar_size),
                  .workspace_bytes = static_cast<std::size_t>(
                      FftRoom(problem, sizes, scalar_size).bytes(scalar_size))};
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
    .same_bits = true,
    .crops = true,
    .any_strides = true,
    .prepares = true,
    .operations = fft_operations,
    .scratch_bytes = kFftwScratchBytes,
    .forget = forget_fftw_wisdom,
    .forecast = forecast_fft,
    .boundaries = boundaries_of_fft,
    .plan_f32 = plan_fft<float>,
    .plan_f64 = plan_fft<double>,
};

}  // namespace fullconv
