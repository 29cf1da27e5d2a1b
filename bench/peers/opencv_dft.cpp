// OpenCV's transforms as its manual shows them for convolution: image and kernel zero-padded to
// getOptimalDFTSize, mulSpectrums, and back. Channels are summed as spectra. OpenCV has no plans:
// every dft() computes its twiddles anew.

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "peers/dense_plan.h"
#include "peers/opencv.h"
#include "peers/registry.h"

namespace fullconv::bench {
namespace {

template <class T>
class DftPlan final : public DensePlan<T> {
 public:
  DftPlan(const Problem& problem, int rows, int columns)
      : DensePlan<T>(problem), weights_(opencv::zeros<T>(rows, columns)), term_(weights_.clone()) {
    for (index_t i = 0; i < problem.N * problem.K; ++i) images_.push_back(weights_.clone());
    for (index_t n = 0; n < problem.N; ++n) sums_.push_back(weights_.clone());
  }

  std::size_t workspace_bytes() const override {
    return (images_.size() + sums_.size() + 2) * weights_.total() * sizeof(T);
  }

 protected:
  void run_dense(const T* x, const T* k, T* y) override {
    const Problem& problem = this->problem();
    const index_t N = problem.N, K = problem.K, C = problem.C, H = problem.H, W = problem.W,
                  h = problem.h, w = problem.w;
    const index_t rows = this->problem().output_rows();
    const index_t columns = this->problem().output_columns();
    for (std::size_t i = 0; i < images_.size(); ++i) {
      transform(opencv::as_matrix(x + static_cast<index_t>(i) * H * W, H, W), images_[i]);
    }
    for (index_t c = 0; c < C; ++c) {
      for (index_t o = 0; o < K; ++o) {
        transform(opencv::as_matrix(k + (o * C + c) * h * w, h, w), weights_);
        for (index_t n = 0; n < N; ++n) {
          cv::Mat& sum = sums_[static_cast<std::size_t>(n)];
          const cv::Mat& image = images_[static_cast<std::size_t>(n * K + o)];
          cv::mulSpectrums(image, weights_, o == 0 ? sum : term_, 0);
          if (o > 0) cv::add(sum, term_, sum);
        }
      }
      for (index_t n = 0; n < N; ++n) {
        cv::Mat& sum = sums_[static_cast<std::size_t>(n)];
        cv::dft(sum, sum, cv::DFT_INVERSE | cv::DFT_SCALE,
                rows_that_matter(sum, static_cast<int>(rows)));
        cv::Mat target = opencv::as_matrix(y + (n * C + c) * rows * columns, rows, columns);
        sum(cv::Rect({}, target.size())).copyTo(target);
      }
    }
  }

 private:
  /// The spectrum of `plane` surrounded by zeros.
  static void transform(const cv::Mat& plane, cv::Mat& spectrum) {
    cv::copyMakeBorder(plane, spectrum, 0, spectrum.rows - plane.rows, 0,
                       spectrum.cols - plane.cols, cv::BORDER_CONSTANT);
    cv::dft(spectrum, spectrum, 0, rows_that_matter(spectrum, plane.rows));
  }

  /// The rows to tell dft(): 0 stands for all, and it refuses other numbers for a single column.
  static int rows_that_matter(const cv::Mat& spectrum, int rows) {
    return spectrum.cols == 1 ? 0 : rows;
  }

  cv::Mat weights_, term_;
  std::vector<cv::Mat> images_, sums_;
};

int transform_size(index_t outputs) { return cv::getOptimalDFTSize(static_cast<int>(outputs)); }

template <class T>
Planned<T> plan_dft(const Problem& problem, const PlanOptions&) {
  opencv::use_one_thread();
  if (!opencv::can_count(problem))
    return Declined{"has more rows or columns than OpenCV can count"};
  const int rows = transform_size(problem.output_rows());
  const int columns = transform_size(problem.output_columns());
  if (rows < 0 || columns < 0) return Declined{"has a side longer than any size of OpenCV's dft"};
  require_memory<T>(static_cast<double>(problem.N * (problem.K + 1) + 2) * rows * columns);
  return std::make_unique<DftPlan<T>>(problem, rows, columns);
}

double dft_operations(const Problem& problem) {
  const index_t N = problem.N, K = problem.K, C = problem.C;
  const double points =
      static_cast<double>(problem.output_rows()) * static_cast<double>(problem.output_columns());
  const double transforms = static_cast<double>(N * K + K * C + N * C);
  return transforms * 2.5 * points * std::log2(points + 1) +
         static_cast<double>(N * K * C) * 4 * points;
}

/// As bound_of_transforms, where η is larger by what the roots of unity are off. OpenCV computes
/// them by a recurrence in double, so that the j-th is off by some j·2⁻⁵³, as long as a side of the
/// transform at most, which is less than twice as long as y's: 65536x1_k63x1 in double is off by 5
/// times the bound of exact roots (OpenCV 4.6 and 4.10; findings/).
long double bound_of_recurrence(const ErrorTerms& t) {
  const Problem& p = t.problem;
  const index_t rows = p.H + p.h - 1, columns = p.W + p.w - 1;
  const long double roots = 0x1p-53L * 2 * static_cast<long double>(std::max(rows, columns));
  const long double stages = std::max(1.0L, std::log2(static_cast<long double>(rows * columns)));
  return bound_of_transforms(t) + roots * stages * (2 * t.operand_norms + t.output_norm);
}

constinit const Algorithm kAlgorithm{
    .name = "opencv_dft",
    .summary = "product of OpenCV's transforms of the whole image, channels summed as spectra",
    .error_model = {.name = "normwise_by_recurrence", .bound = bound_of_recurrence},
    .non_finite = NonFinite::spreads,
    .layers = Layers::none,
    .operations = dft_operations,
    .plan_f32 = plan_dft<float>,
    .plan_f64 = plan_dft<double>,
};

}  // namespace

constinit const Contender peer::opencv_dft{
    .algorithm = &kAlgorithm,
    .kind = Kind::peer,
    .ledger = everything_inside(
        Inclusion::inside,
        "output and spectra are reused; dft() has no plans, so each call computes "
        "twiddles and makes scratch"),
    .version = opencv::version,
};

}  // namespace fullconv::bench
