#include "operand_files.h"

#include <fmt/format.h>

#include "errors.h"
#include "support/tensor.h"

namespace fullconv::cli {
namespace {

AxesOfFile axes_of(const NpyReader& file, bool channels_last) {
  constexpr int kNone = AxesOfFile::kNone;
  const std::size_t rank = file.shape().size();
  if (rank == 2) return {{kNone, kNone, 0, 1}, rank};
  if (rank == 4) return {channels_last ? std::array{0, 3, 1, 2} : std::array{0, 1, 2, 3}, rank};
  if (rank == 3 && channels_last) return {{kNone, 2, 0, 1}, rank};
  throw file_error(file.name(), fmt::format("is {}-D with shape {}: expected 2-D or 4-D{}", rank,
                                            shortened(to_string(file.shape())),
                                            rank == 3 ? ", or an image with --channels-last" : ""));
}

Problem make_problem(const NpyReader& image, const AxesOfFile& image_axes, const NpyReader& kernel,
                     const AxesOfFile& kernel_axes) {
  const Extents x = image_axes.of_tensor(image.shape(), 1);
  const Extents k = kernel_axes.of_tensor(kernel.shape(), 1);
  if (kernel_axes.rank == 2) {
    return {.N = x[0] * x[1], .H = x[2], .W = x[3], .h = k[2], .w = k[3]};
  }
  const auto fail = [&](const std::string& what) {
    return file_error(kernel.name(), fmt::format("{} as in {}", what, image.name()));
  };
  if (image_axes.rank == 2) {
    throw fail(fmt::format("is 4-D with shape {}: expected 2-D", to_string(kernel.shape())));
  }
  if (k[0] != x[1]) {
    throw fail(fmt::format("has shape {} for [K,C,h,w]: expected K to be {}, the channels of {},",
                           to_string(kernel.shape()), x[1],
                           image_axes.axes[1] == 1 ? "[N,K,H,W]" : "[H,W,K]"));
  }
  return {.N = x[0], .K = x[1], .C = k[1], .H = x[2], .W = x[3], .h = k[2], .w = k[3]};
}

/// `image`, unless both are standard input.
const std::string& of_which_one_is_a_path(const std::string& image, const std::string& kernel) {
  if (image == kStandardStream && kernel == kStandardStream) {
    throw UsageError("standard input given for image and kernel: expected the path of one of them");
  }
  return image;
}

/// Whether the elements of a tensor lie in memory as if it had those strides.
bool same_order(const Extents& extents, const Extents& a, const Extents& b) {
  for (std::size_t axis = 0; axis < extents.size(); ++axis) {
    if (extents[axis] > 1 && a[axis] != b[axis]) return false;
  }
  return true;
}

/// The elements of a tensor, moved from where `from` has them to where `to` has them.
template <class T>
std::vector<T> reordered(std::vector<T> elements, const Extents& extents, const Extents& from,
                         const Extents& to) {
  if (same_order(extents, from, to)) return elements;
  std::vector<T> moved(elements.size());
  const TensorView<const T> source(elements.data(), extents, from);
  const TensorView<T> target(moved.data(), extents, to);
  testing::for_each_index(extents, [&](auto... at) { target(at...) = source(at...); });
  return moved;
}

/// The strides of a file in C order.
std::vector<index_t> dense_strides(const std::vector<index_t>& shape) {
  std::vector<index_t> strides(shape.size(), 1);
  for (std::size_t axis = shape.size() - 1; axis-- > 0;) {
    strides[axis] = strides[axis + 1] * shape[axis + 1];
  }
  return strides;
}

}  // namespace

Extents AxesOfFile::of_tensor(const std::vector<index_t>& of_file, index_t missing) const {
  Extents values;
  for (std::size_t axis = 0; axis < values.size(); ++axis) {
    values[axis] = axes[axis] == kNone ? missing : of_file[static_cast<std::size_t>(axes[axis])];
  }
  return values;
}

std::vector<index_t> AxesOfFile::of_file(const Extents& of_tensor) const {
  std::vector<index_t> values(rank);
  for (std::size_t axis = 0; axis < of_tensor.size(); ++axis) {
    if (axes[axis] != kNone) values[static_cast<std::size_t>(axes[axis])] = of_tensor[axis];
  }
  return values;
}

OperandFiles::OperandFiles(const std::string& image, const std::string& kernel,
                           const LayerFlags& flags, bool channels_last)
    : image_(of_which_one_is_a_path(image, kernel)),
      kernel_(kernel),
      image_axes_(axes_of(image_, channels_last)),
      kernel_axes_(axes_of(kernel_, false)),
      problem_(flags.layer_of(make_problem(image_, image_axes_, kernel_, kernel_axes_),
                              kernel_axes_.rank == 2)) {
  validate(problem_);
}

bool OperandFiles::hold_integers() const {
  return image_.type().kind != ElementType::floating &&
         kernel_.type().kind != ElementType::floating;
}

bool OperandFiles::in_order_of_memory() const {
  const auto in_order = [](const NpyReader& file, const AxesOfFile& axes) {
    const Extents extents = axes.of_tensor(file.shape(), 1);
    return same_order(extents, axes.of_tensor(file.strides(), 0), fullconv::dense_strides(extents));
  };
  return in_order(image_, image_axes_) && in_order(kernel_, kernel_axes_);
}

Extents OperandFiles::output_extents() const {
  Extents extents = problem_.y_extents();
  if (kernel_axes_.rank == 2) {
    const Extents x = image_axes_.of_tensor(image_.shape(), 1);
    extents[0] = x[0];
    extents[1] = x[1];
  }
  return extents;
}

std::vector<index_t> OperandFiles::output_shape() const {
  return image_axes_.of_file(output_extents());
}

template <class T>
std::vector<T> OperandFiles::read_tensor(NpyReader& file, const AxesOfFile& axes) {
  const Extents extents = axes.of_tensor(file.shape(), 1);
  return reordered(file.read<T>(), extents, axes.of_tensor(file.strides(), 0),
                   fullconv::dense_strides(extents));
}

template <class T>
std::vector<T> OperandFiles::in_order_of_file(std::vector<T> y) const {
  const Extents extents = output_extents();
  return reordered(std::move(y), extents, fullconv::dense_strides(extents),
                   image_axes_.of_tensor(dense_strides(output_shape()), 0));
}

std::optional<Extents> OperandFiles::result_extents(const NpyReader& result) const {
  if (result.shape().size() != image_axes_.rank) return {};
  Extents extents = image_axes_.of_tensor(result.shape(), 1);
  if (kernel_axes_.rank == 2) {
    extents[0] *= extents[1];
    extents[1] = 1;
  }
  return extents;
}

std::vector<double> OperandFiles::read_result(NpyReader& result) const {
  return read_tensor<double>(result, image_axes_);
}

template std::vector<float> OperandFiles::read_tensor(NpyReader&, const AxesOfFile&);
template std::vector<double> OperandFiles::read_tensor(NpyReader&, const AxesOfFile&);
template std::vector<float> OperandFiles::in_order_of_file(std::vector<float>) const;
template std::vector<double> OperandFiles::in_order_of_file(std::vector<double>) const;

}  // namespace fullconv::cli
