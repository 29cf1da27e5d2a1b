// OpenCV's filter2D, which correlates and gives as many outputs as it gets samples: the kernel is
// flipped, the image is given the h−1 rows and w−1 columns below and to its right, and the anchor
// in the kernel's last element lets BORDER_CONSTANT supply those above and to the left. Channels
// are summed plane by plane.

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <opencv2/imgproc.hpp>

#include "peers/dense_plan.h"
#include "peers/opencv.h"
#include "peers/registry.h"

namespace fullconv::bench {
namespace {

template <class T>
class Filter2dPlan final : public DensePlan<T> {
 public:
  explicit Filter2dPlan(const Problem& problem)
      : DensePlan<T>(problem),
        padded_(opencv::zeros<T>(problem.output_rows(), problem.output_columns())),
        image_(padded_(cv::Rect(0, 0, static_cast<int>(problem.W), static_cast<int>(problem.H)))),
        flipped_(opencv::zeros<T>(problem.h, problem.w)),
        anchor_(flipped_.cols - 1, flipped_.rows - 1) {
    if (problem.K > 1) term_ = opencv::zeros<T>(padded_.rows, padded_.cols);
  }

  std::size_t workspace_bytes() const override {
    return (padded_.total() + flipped_.total() + term_.total()) * sizeof(T);
  }

  /// filter2D() has two algorithms and does not tell which it takes. A transform spreads one NaN
  /// further than a kernel reaches.
  std::string implementation() const override {
    cv::Mat image = opencv::zeros<T>(padded_.rows, padded_.cols);
    cv::Mat result = image.clone();
    const cv::Mat kernel(flipped_.size(), flipped_.type(), cv::Scalar(1));
    image.at<T>(0, 0) = std::numeric_limits<T>::quiet_NaN();
    cv::filter2D(image, result, -1, kernel, anchor_, 0, cv::BORDER_CONSTANT);
    // OpenCV 4.6's `result != result` finds NaN in the last few elements only.
    const auto nans = std::count_if(result.begin<T>(), result.end<T>(),
                                    [](T value) { return std::isnan(value); });
    return nans > kernel.rows * kernel.cols ? "DFT" : "sums of products";
  }

 protected:
  void run_dense(const T* x, const T* k, T* y) override {
    const Problem& problem = this->problem();
    const index_t N = problem.N, K = problem.K, C = problem.C, H = problem.H, W = problem.W,
                  h = problem.h, w = problem.w;
    const index_t outputs = this->problem().output_rows() * this->problem().output_columns();
    for (index_t n = 0; n < N; ++n)
      for (index_t o = 0; o < K; ++o) {
        opencv::as_matrix(x + (n * K + o) * H * W, H, W).copyTo(image_);
        for (index_t c = 0; c < C; ++c) {
          cv::flip(opencv::as_matrix(k + (o * C + c) * h * w, h, w), flipped_, -1);
          cv::Mat sum = opencv::as_matrix(y + (n * C + c) * outputs, padded_.rows, padded_.cols);
          cv::Mat& target = o == 0 ? sum : term_;
          cv::filter2D(padded_, target, -1, flipped_, anchor_, 0, cv::BORDER_CONSTANT);
          if (o > 0) cv::add(sum, term_, sum);
        }
      }
  }

 private:
  cv::Mat padded_;
  cv::Mat image_;  // the part of padded_ that is not zero
  cv::Mat flipped_;
  cv::Mat term_;  // what one channel adds
  cv::Point anchor_;
};

template <class T>
Planned<T> plan_filter2d(const Problem& problem, const PlanOptions&) {
  opencv::use_one_thread();
  if (!opencv::can_count(problem))
    return Declined{"has more rows or columns than OpenCV can count"};
  require_memory<T>(2.0 * static_cast<double>(problem.output_rows()) *
                    static_cast<double>(problem.output_columns()));
  return std::make_unique<Filter2dPlan<T>>(problem);
}

/// filter2D() leaves kernels of 50 taps (double) or 130 (float) on to a transform.
double filter2d_operations(const Problem& problem) {
  constexpr double kMostTaps = 130;
  const double taps = static_cast<double>(problem.h * problem.w);
  return padded_operations(problem) * std::min(1.0, kMostTaps / taps);
}

constinit const Algorithm kAlgorithm{
    .name = "opencv_filter2d",
    .summary = "OpenCV's filter2D on the zero-padded image, channels summed plane by plane",
    // What holds for its transform holds for its sums of n < 130 products as well: y then has
    // P > 4·(n − √n) points or so, and n ≤ 16·log₂P.
    .error_model = ErrorModel::normwise,
    // A tap of zero is left out, whatever it would meet.
    .non_finite = NonFinite::unspecified,
    .layers = Layers::none,
    .operations = filter2d_operations,
    .plan_f32 = plan_filter2d<float>,
    .plan_f64 = plan_filter2d<double>,
};

}  // namespace

constinit const Contender peer::opencv_filter2d{
    .algorithm = &kAlgorithm,
    .kind = Kind::peer,
    .ledger = everything_inside(
        Inclusion::inside,
        "output and padded image are reused; filter2D makes its own scratch, skips "
        "zero taps, and turns to a DFT from 130 taps on (f64: 50)",
        "as the operands; its transform in f64"),
    .version = opencv::version,
};

}  // namespace fullconv::bench
