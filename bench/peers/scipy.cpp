// SciPy's three ways to a full convolution, in a Python of their own. convolve2d is a double loop
// in C; fftconvolve multiplies transforms of the whole image; oaconvolve adds overlapping blocks,
// each transformed by itself.

#include <algorithm>
#include <cmath>

#include "peers/registry.h"
#include "peers/remote.h"

namespace fullconv::bench {
namespace {

std::vector<std::string> start_worker() {
  // Nothing here calls BLAS, but NumPy loads it.
  return python_worker("scipy", "OPENBLAS_NUM_THREADS=1");
}
constexpr Library kScipy{.name = "SciPy", .worker = start_worker};

/// The least number from `size` on without prime factors above `largest`: what next_fast_len gives.
double fast_length(index_t size, index_t largest) {
  for (;; ++size) {
    index_t rest = size;
    for (const index_t factor : {2, 3, 5, 7, 11}) {
      while (factor <= largest && rest % factor == 0) rest /= factor;
    }
    if (rest == 1) return static_cast<double>(size);
  }
}

/// Points that fftconvolve transforms along an axis; one of one element it only multiplies.
double whole_points(index_t image, index_t kernel) {
  const index_t size = image + kernel - 1;
  return std::min(image, kernel) == 1 ? static_cast<double>(size) : fast_length(size, 5);
}

/// Points that oaconvolve transforms along an axis, in all blocks together. Its blocks have the
/// size N at which N·log₂(2N)/(N−overlap) is least: N = overlap·ln(2eN).
double block_points(index_t image, index_t kernel) {
  const auto [shorter, longer] = std::minmax(image, kernel);
  if (shorter == 1 || 2 * shorter >= longer) return whole_points(image, kernel);
  const auto overlap = static_cast<double>(shorter - 1);
  double size = 8 * overlap;
  for (int step = 0; step < 30; ++step) size = overlap * (std::log(2 * size) + 1);
  const double block = fast_length(static_cast<index_t>(std::ceil(size)), 11);
  const auto length = static_cast<double>(longer);
  if (block >= length) return whole_points(image, kernel);
  return std::ceil((length + overlap) / (block - overlap)) * block;
}

template <double (*points_along)(index_t image, index_t kernel)>
struct Transforms {
  static double points(const Problem& problem) {
    return points_along(problem.H, problem.h) * points_along(problem.W, problem.w);
  }

  /// All planes are transformed there, and all products back; channels are summed last.
  static double operations(const Problem& problem) {
    const index_t N = problem.N, K = problem.K, C = problem.C;
    const double P = points(problem);
    const auto products = static_cast<double>(N * K * C);
    return (static_cast<double>(N * K + K * C) + products) * 2.5 * P * std::log2(P) +
           products * 4 * P;
  }

  /// Spectra of the operands, their products twice, and those transformed back.
  static double scratch(const Problem& problem) {
    const index_t N = problem.N, K = problem.K, C = problem.C;
    return static_cast<double>(N * K + K * C + 3 * N * K * C) * points(problem) +
           elements(problem.y_extents());
  }
};
using Whole = Transforms<whole_points>;
using Blocks = Transforms<block_points>;

constexpr RemoteFunction kConvolve2d{kScipy, "convolve2d", scratch_of_planes};
constexpr RemoteFunction kFftconvolve{kScipy, "fftconvolve", Whole::scratch};
constexpr RemoteFunction kOaconvolve{kScipy, "oaconvolve", Blocks::scratch};

constinit const Algorithm kConvolve2dRow{
    .name = "scipy_convolve2d",
    .summary = "SciPy's double loop, channels summed plane by plane",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::multiplies_padding,
    .layers = Layers::none,
    .operations = padded_operations,
    .plan_f32 = plan<float, kConvolve2d>,
    .plan_f64 = plan<double, kConvolve2d>,
};

constinit const Algorithm kFftconvolveRow{
    .name = "scipy_fftconvolve",
    .summary = "SciPy's product of pocketfft's transforms of the whole image, channels summed last",
    .error_model = ErrorModel::normwise,
    .non_finite = NonFinite::spreads,
    .threaded = true,
    .layers = Layers::none,
    .operations = Whole::operations,
    .plan_f32 = plan<float, kFftconvolve>,
    .plan_f64 = plan<double, kFftconvolve>,
};

constinit const Algorithm kOaconvolveRow{
    .name = "scipy_oaconvolve",
    .summary = "SciPy's overlap-add of transformed blocks, channels summed last",
    .error_model = ErrorModel::normwise,
    .non_finite = NonFinite::spreads,
    .threaded = true,
    .layers = Layers::none,
    .operations = Blocks::operations,
    .plan_f32 = plan<float, kOaconvolve>,
    .plan_f64 = plan<double, kOaconvolve>,
};

constexpr Ledger kOfTransforms{
    .allocation = Inclusion::inside,
    .kernel_transform = Inclusion::inside,
    .layout_change = Inclusion::inside,
    .language_call = Inclusion::inside,
    .note = "set_workers(T); layers broadcast over all pairs of channels, then .sum()",
};

}  // namespace

constinit const Contender peer::scipy_convolve2d{
    .algorithm = &kConvolve2dRow,
    .kind = Kind::peer,
    .ledger = {.plan = Inclusion::none,
               .allocation = Inclusion::inside,
               .kernel_transform = Inclusion::none,
               .language_call = Inclusion::inside,
               .note = "layers are a loop over planes in Python"},
    .version = version<kScipy>,
    .remote = true,
};

constinit const Contender peer::scipy_fftconvolve{
    .algorithm = &kFftconvolveRow,
    .kind = Kind::peer,
    .ledger = kOfTransforms,
    .version = version<kScipy>,
    .remote = true,
};

constinit const Contender peer::scipy_oaconvolve{
    .algorithm = &kOaconvolveRow,
    .kind = Kind::peer,
    .ledger = kOfTransforms,
    .version = version<kScipy>,
    .remote = true,
};

}  // namespace fullconv::bench
