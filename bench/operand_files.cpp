#include "operand_files.h"

#include <fmt/format.h>

#include "errors.h"

namespace fullconv::cli {
namespace {

const char* name(Scalar scalar) { return scalar == Scalar::f32 ? "float32" : "float64"; }

Problem make_problem(const NpyReader& image, const NpyReader& kernel) {
  const auto& x = image.shape();
  const auto& k = kernel.shape();
  const auto fail = [&](const std::string& what) {
    return file_error(kernel.path(), fmt::format("{} as in {}", what, image.path()));
  };
  if (k.size() != x.size()) {
    throw fail(
        fmt::format("is {}-D with shape {}: expected {}-D", k.size(), to_string(k), x.size()));
  }
  if (kernel.scalar() != image.scalar()) {
    throw fail(fmt::format("holds {}: expected {}", name(kernel.scalar()), name(image.scalar())));
  }
  if (x.size() == 2) return {.H = x[0], .W = x[1], .h = k[0], .w = k[1]};
  if (k[0] != x[1]) {
    throw fail(
        fmt::format("has shape {} for [K,C,h,w]: expected K to be {}, the channels of [N,K,H,W],",
                    to_string(k), x[1]));
  }
  return {.N = x[0], .K = x[1], .C = k[1], .H = x[2], .W = x[3], .h = k[2], .w = k[3]};
}

}  // namespace

OperandFiles::OperandFiles(const std::string& image, const std::string& kernel,
                           const LayerFlags& flags)
    : image_(image),
      kernel_(kernel),
      problem_(flags.layer_of(make_problem(image_, kernel_), image_.shape().size() == 2)) {
  validate(problem_);
}

std::vector<index_t> OperandFiles::output_shape() const {
  const Extents extents = problem_.y_extents();
  return {extents.end() - static_cast<index_t>(image_.shape().size()), extents.end()};
}

}  // namespace fullconv::cli
