// Armadillo's conv2(x, k), which is a full convolution unless asked for less. Its matrices are
// column by column, so it sees each plane transposed, and gives y transposed: which is y row by
// row. Channels are summed plane by plane.

// This needs only the headers: no BLAS gets into the program.
#define ARMA_DONT_USE_WRAPPER
#define ARMA_DONT_USE_BLAS
#define ARMA_DONT_USE_LAPACK
#define ARMA_DONT_USE_ARPACK
#define ARMA_DONT_USE_SUPERLU
#define ARMA_DONT_USE_HDF5
#define ARMA_DONT_USE_OPENMP
#define ARMA_WARN_LEVEL 0
#include <armadillo>
#include <memory>
#include <string>

#include "peers/dense_plan.h"
#include "peers/registry.h"

namespace fullconv::bench {
namespace {

/// The widest that the compiler was allowed.
#if defined(__AVX512F__)
constexpr const char* kInstructionSet = "AVX-512";
#elif defined(__AVX2__)
constexpr const char* kInstructionSet = "AVX2";
#elif defined(__AVX__)
constexpr const char* kInstructionSet = "AVX";
#else
constexpr const char* kInstructionSet = "the baseline";
#endif

/// A matrix over a dense plane, without a copy; what is const stays so.
template <class T>
arma::Mat<T> as_matrix(const T* plane, index_t rows, index_t columns) {
  constexpr bool kCopy = false;
  constexpr bool kFixedSize = true;
  return {const_cast<T*>(plane), static_cast<arma::uword>(columns), static_cast<arma::uword>(rows),
          kCopy, kFixedSize};
}

template <class T>
class Conv2Plan final : public DensePlan<T> {
 public:
  explicit Conv2Plan(const Problem& problem) : DensePlan<T>(problem) {
    if (problem.K > 1) {
      term_.zeros(static_cast<arma::uword>(problem.output_columns()),
                  static_cast<arma::uword>(problem.output_rows()));
    }
  }

  std::size_t workspace_bytes() const override { return term_.n_elem * sizeof(T); }
  std::string implementation() const override {
    return std::string("header compiled here for ") + kInstructionSet;
  }

 protected:
  void run_dense(const T* x, const T* k, T* y) override {
    const Problem& problem = this->problem();
    const index_t N = problem.N, K = problem.K, C = problem.C, H = problem.H, W = problem.W,
                  h = problem.h, w = problem.w;
    const index_t rows = this->problem().output_rows();
    const index_t columns = this->problem().output_columns();
    for (index_t n = 0; n < N; ++n)
      for (index_t c = 0; c < C; ++c) {
        arma::Mat<T> sum = as_matrix(y + (n * C + c) * rows * columns, rows, columns);
        for (index_t o = 0; o < K; ++o) {
          const arma::Mat<T> image = as_matrix(x + (n * K + o) * H * W, H, W);
          const arma::Mat<T> kernel = as_matrix(k + (o * C + c) * h * w, h, w);
          (o == 0 ? sum : term_) = arma::conv2(image, kernel);
          if (o > 0) sum += term_;
        }
      }
  }

 private:
  arma::Mat<T> term_;  // what one channel adds
};

template <class T>
Planned<T> plan_conv2(const Problem& problem, const PlanOptions&) {
  require_memory<T>(static_cast<double>(problem.H + 2 * (problem.h - 1)) *
                        static_cast<double>(problem.W + 2 * (problem.w - 1)) +
                    static_cast<double>(problem.output_rows()) *
                        static_cast<double>(problem.output_columns()));
  return std::make_unique<Conv2Plan<T>>(problem);
}

std::string version() { return "Armadillo " + arma::arma_version::as_string(); }

constinit const Algorithm kAlgorithm{
    .name = "armadillo_conv2",
    .summary = "Armadillo's conv2 on transposed views, channels summed plane by plane",
    .error_model = ErrorModel::componentwise,
    // It surrounds the larger operand with zeros, be that image or kernel.
    .non_finite = NonFinite::spreads,
    .layers = Layers::none,
    .operations = padded_operations,
    .plan_f32 = plan_conv2<float>,
    .plan_f64 = plan_conv2<double>,
};

}  // namespace

constinit const Contender peer::armadillo_conv2{
    .algorithm = &kAlgorithm,
    .kind = Kind::peer,
    .ledger = everything_inside(
        Inclusion::none,
        "the output is reused; conv2 makes a padded image and a flipped kernel of "
        "its own in each call"),
    .version = version,
};

}  // namespace fullconv::bench
