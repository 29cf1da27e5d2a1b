// PyTorch's transposed convolution, in a Python of its own. Its weights are laid out [K,C,h,w], as
// ours, and without stride and padding it is the full convolution. On the processor it multiplies
// weights and image to a matrix of h·w·C rows and H·W columns, image by image, and adds the rows
// where they belong (col2im).

#include "peers/registry.h"
#include "peers/remote.h"

namespace fullconv::bench {
namespace {

std::vector<std::string> start_worker() { return python_worker("torch", ""); }
constexpr Library kTorch{.name = "PyTorch", .worker = start_worker};

/// Elements of the matrix of one image.
double columns(const Problem& problem) {
  const auto& [N, K, C, H, W, h, w] = problem;
  return static_cast<double>(h * w) * static_cast<double>(C * H * W);
}

double scratch(const Problem& problem) { return columns(problem) + elements(problem.y_extents()); }

/// The product, and an addition for each element of its matrix.
double operations(const Problem& problem) {
  return nominal_operations(problem) + static_cast<double>(problem.N) * columns(problem);
}

constexpr RemoteFunction kConvTranspose2d{kTorch, "conv_transpose2d", scratch};

constinit const Algorithm kRow{
    .name = "torch_conv_transpose2d",
    .summary = "PyTorch's transposed convolution: a product for each image, then col2im",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .operations = operations,
    .plan_f32 = plan<float, kConvTranspose2d>,
    .plan_f64 = plan<double, kConvTranspose2d>,
};

}  // namespace

constinit const Contender peer::torch_conv_transpose2d{
    .algorithm = &kRow,
    .kind = Kind::peer,
    .ledger = {.plan = Inclusion::none,
               .allocation = Inclusion::inside,
               .layout_change = Inclusion::inside,
               .language_call = Inclusion::inside,
               .note = "inference_mode, set_num_threads(T); threads are started before the clock "
                       "and ended after it, in between they spin as PyTorch has them"},
    .version = version<kTorch>,
    .remote = true,
};

}  // namespace fullconv::bench
