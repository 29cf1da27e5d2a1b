// PyTorch's ways to a full convolution, in a Python of its own. Weights of its transposed
// convolution are laid out [K,C,h,w], as ours. `torch_conv2d_input` is the gradient as training
// runs it: autograd's backward of conv2d, which is other code. `torch_conv2d_flipped` is conv2d,
// hence a correlation, of the image padded by h−1 and w−1 with the flipped kernel. `_nhwc` are the
// same where all of a program's tensors are laid out channels last. To which of its libraries
// PyTorch hands the work depends on its version, on the type, and on the sizes.

#include "peers/registry.h"
#include "peers/remote.h"

namespace fullconv::bench {
namespace {

// PyTorch's threads call OpenBLAS, which forks once more: 0.3.34 waits forever for threads that it
// was not given.
std::vector<std::string> start_worker() {
  return python_worker("torch", "OMP_MAX_ACTIVE_LEVELS=2");
}
constexpr Library kTorch{.name = "PyTorch", .worker = start_worker};

double output(const Problem& problem) { return elements(problem.y_extents()); }

/// Elements of the matrix that the product of weights and an image gives.
double columns(const Problem& problem) {
  return static_cast<double>(problem.h * problem.w) *
         static_cast<double>(problem.C * problem.H * problem.W);
}

/// Elements of the matrix that all images are lowered to.
double lowered(const Problem& problem) {
  return static_cast<double>(problem.h * problem.w * problem.N * problem.K) *
         static_cast<double>(problem.output_rows()) * static_cast<double>(problem.output_columns());
}

double scratch_of_columns(const Problem& problem) { return columns(problem) + output(problem); }
double scratch_of_lowered(const Problem& problem) { return lowered(problem) + output(problem); }

/// Its padding has one width for both sides. For other layers the caller would have to pad or cut.
std::string uneven(const Problem& problem) {
  const auto& [top, left, bottom, right] = problem.padding;
  return top == bottom && left == right ? "" : "takes the same padding on both sides only";
}

/// The size of the gradient is a parameter, but the layer has to take an input of that size.
std::string no_input(const Problem& problem) {
  const bool fits =
      problem.output_padding.y < problem.stride.y && problem.output_padding.x < problem.stride.x;
  return fits ? uneven(problem) : "output padding: a layer with such an input has more outputs";
}

std::string not_forward(const Problem& problem) {
  if (problem.stride != PerAxis{1, 1}) return "a forward convolution has no stride of its input";
  if (problem.output_padding != PerAxis{0, 0}) return "takes no output padding";
  if (problem.padding.top > (problem.h - 1) * problem.dilation.y ||
      problem.padding.left > (problem.w - 1) * problem.dilation.x) {
    return "padding beyond the kernel would be a negative one";
  }
  return uneven(problem);
}

constexpr RemoteFunction kConvTranspose2d{kTorch, "conv_transpose2d", scratch_of_columns, uneven};
constexpr RemoteFunction kConv2dInput{kTorch, "conv2d_input", scratch_of_columns, no_input};
constexpr RemoteFunction kConv2dInputNhwc{kTorch, "conv2d_input_nhwc", scratch_of_columns,
                                          no_input};
constexpr RemoteFunction kConv2dFlipped{kTorch, "conv2d_flipped", scratch_of_lowered, not_forward};
constexpr RemoteFunction kConv2dFlippedNhwc{kTorch, "conv2d_flipped_nhwc", scratch_of_lowered,
                                            not_forward};

template <const RemoteFunction& function>
constexpr Algorithm row(std::string_view name, std::string_view summary, NonFinite non_finite,
                        OperationCount operations) {
  return {.name = name,
          .summary = summary,
          .error_model = ErrorModel::componentwise,
          .non_finite = non_finite,
          .threaded = true,
          .layers = Layers::native,
          .operations = operations,
          .plan_f32 = plan<float, function>,
          .plan_f64 = plan<double, function>};
}

constinit const Algorithm kConvTranspose2dRow =
    row<kConvTranspose2d>("torch_conv_transpose2d", "PyTorch's transposed convolution",
                          NonFinite::as_defined, nominal_operations);
constinit const Algorithm kConv2dInputRow = row<kConv2dInput>(
    "torch_conv2d_input", "PyTorch's gradient of conv2d with respect to its input, as autograd's",
    NonFinite::as_defined, nominal_operations);
constinit const Algorithm kConv2dInputNhwcRow =
    row<kConv2dInputNhwc>("torch_conv2d_input_nhwc", "as torch_conv2d_input, channels last",
                          NonFinite::as_defined, nominal_operations);
// Whether padding is multiplied depends on the type, the batch and the sizes.
constinit const Algorithm kConv2dFlippedRow = row<kConv2dFlipped>(
    "torch_conv2d_flipped", "PyTorch's conv2d of the padded image with the flipped kernel",
    NonFinite::unspecified, padded_operations);
constinit const Algorithm kConv2dFlippedNhwcRow =
    row<kConv2dFlippedNhwc>("torch_conv2d_flipped_nhwc", "as torch_conv2d_flipped, channels last",
                            NonFinite::unspecified, padded_operations);

constexpr std::string_view kThreads =
    "inference_mode, set_num_threads(T); threads are started before the clock and ended after it, "
    "in between they spin as PyTorch has them";

constexpr Contender contender(const Algorithm& row, std::string_view note) {
  return {.algorithm = &row,
          .kind = Kind::peer,
          .ledger = {.plan = Inclusion::inside,
                     .allocation = Inclusion::inside,
                     .layout_change = Inclusion::inside,
                     .language_call = Inclusion::inside,
                     .note = note},
          .version = version<kTorch>,
          .remote = true};
}

}  // namespace

constinit const Contender peer::torch_conv_transpose2d = contender(kConvTranspose2dRow, kThreads);
constinit const Contender peer::torch_conv2d_input =
    contender(kConv2dInputRow,
              "the backward of conv2d for its input alone; threads as torch_conv_transpose2d's");
constinit const Contender peer::torch_conv2d_input_nhwc =
    contender(kConv2dInputNhwcRow,
              "operands are channels last before the clock starts, and so is the output; threads "
              "as torch_conv_transpose2d's");
constinit const Contender peer::torch_conv2d_flipped =
    contender(kConv2dFlippedRow,
              "weights are flipped and their channels swapped in each call; threads as "
              "torch_conv_transpose2d's");
constinit const Contender peer::torch_conv2d_flipped_nhwc =
    contender(kConv2dFlippedNhwcRow,
              "as torch_conv2d_flipped; operands are channels last before the clock starts, and so "
              "is the output");

}  // namespace fullconv::bench
