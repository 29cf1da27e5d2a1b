// Eigen's unsupported Tensor module: convolve(), a valid correlation, of the image surrounded by
// h−1 and w−1 zeros with the flipped kernel. The channels of x are a further axis of both. Axes are
// innermost first, as is Eigen's default, so that its loops run along rows.

#define EIGEN_USE_THREADS
#ifndef __clang__
// GCC 12 takes its own AVX-512 intrinsics, inlined here, for uninitialized.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <memory>
#include <optional>
#include <string>
#include <unsupported/Eigen/CXX11/Tensor>

#include "peers/dense_plan.h"
#include "peers/eigen_version.h"
#include "peers/registry.h"

namespace fullconv::bench {
namespace {

template <class T>
using Tensor3 = Eigen::Tensor<T, 3>;
template <class T>
using Tensor3Map = Eigen::TensorMap<Tensor3<T>>;
using Sizes3 = Eigen::array<Eigen::Index, 3>;

template <class T>
class EigenTensorPlan final : public DensePlan<T> {
 public:
  EigenTensorPlan(const Problem& problem, int threads)
      : DensePlan<T>(problem),
        threads_(threads),
        padded_(problem.W + 2 * (problem.w - 1), problem.H + 2 * (problem.h - 1), problem.K),
        flipped_(problem.w, problem.h, problem.K) {
    padded_.setZero();
    if (threads_ > 1) {
      pool_.emplace(threads_);
      device_.emplace(&*pool_, threads_);
    }
  }

  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(padded_.size() + flipped_.size()) * sizeof(T);
  }
  int threads() const override { return threads_; }
  std::string implementation() const override { return Eigen::SimdInstructionSetsInUse(); }

 protected:
  void run_dense(const T* x, const T* k, T* y) override {
    const Problem& problem = this->problem();
    const index_t N = problem.N, K = problem.K, C = problem.C, H = problem.H, W = problem.W,
                  h = problem.h, w = problem.w;
    const index_t rows = this->problem().output_rows();
    const index_t columns = this->problem().output_columns();
    const Eigen::TensorMap<Eigen::Tensor<const T, 4>> kernels(k, w, h, C, K);
    for (index_t n = 0; n < N; ++n) {
      const Tensor3Map<const T> image(x + n * K * H * W, W, H, K);
      padded_.slice(Sizes3{w - 1, h - 1, 0}, Sizes3{W, H, K}) = image;
      for (index_t c = 0; c < C; ++c) {
        flipped_ = kernels.chip(c, 2).reverse(Eigen::array<bool, 3>{true, true, false});
        convolve(Tensor3Map<T>(y + (n * C + c) * rows * columns, columns, rows, 1));
      }
    }
  }

 private:
  void convolve(Tensor3Map<T> y) {
    const auto sum = padded_.convolve(flipped_, Sizes3{0, 1, 2});
    if (device_) {
      y.device(*device_) = sum;
    } else {
      y = sum;
    }
  }

  int threads_;
  Tensor3<T> padded_;
  Tensor3<T> flipped_;
  std::optional<Eigen::ThreadPool> pool_;
  std::optional<Eigen::ThreadPoolDevice> device_;
};

template <class T>
Planned<T> plan_eigen_tensor(const Problem& problem, const PlanOptions& options) {
  require_memory<T>(static_cast<double>(problem.K) *
                    static_cast<double>(problem.H + 2 * (problem.h - 1)) *
                    static_cast<double>(problem.W + 2 * (problem.w - 1)));
  return std::make_unique<EigenTensorPlan<T>>(problem, options.threads);
}

std::string version() {
  const auto& [major, minor, patch] = kEigenVersion;
  return "Eigen " + std::to_string(major) + '.' + std::to_string(minor) + '.' +
         std::to_string(patch) + " (its own threads)";
}

constinit const Algorithm kAlgorithm{
    .name = "eigen_tensor",
    .summary = "Eigen's Tensor::convolve on the zero-padded image with the flipped kernel",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::multiplies_padding,
    .threaded = true,
    .layers = Layers::none,
    .operations = padded_operations,
    .plan_f32 = plan_eigen_tensor<float>,
    .plan_f64 = plan_eigen_tensor<double>,
};

}  // namespace

constinit const Contender peer::eigen_tensor{
    .algorithm = &kAlgorithm,
    .kind = Kind::peer,
    .ledger = {.kernel_transform = Inclusion::inside,
               .layout_change = Inclusion::inside,
               .note = "an unsupported module of Eigen; padded image and flipped kernel are "
                       "reused, the threads of a plan live as long as it does"},
    .version = version,
};

}  // namespace fullconv::bench
