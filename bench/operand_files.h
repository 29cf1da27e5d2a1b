#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "layer_flags.h"
#include "npy.h"
#include "support/operands.h"

namespace fullconv::cli {

/// Which axis of a file is each of a tensor's four, or none: `[H,W]`, `[N,K,H,W]`, and with the
/// channels last `[H,W,K]` and `[N,H,W,K]`.
struct AxesOfFile {
  static constexpr int kNone = -1;
  std::array<int, 4> axes;
  std::size_t rank;

  /// The tensor's extents or strides, given those of a file; `missing` where it has no such axis.
  Extents of_tensor(const std::vector<index_t>& of_file, index_t missing) const;
  /// A file's, given the tensor's.
  std::vector<index_t> of_file(const Extents& of_tensor) const;
};

/// Image and kernel in two .npy files that make a problem together, with the flags of a layer;
/// their headers are read. A kernel of two axes is applied to each plane of the image by itself,
/// as if these were a batch.
///
/// Throws UsageError, in one line that names the file or flag at fault.
class OperandFiles {
 public:
  OperandFiles(const std::string& image, const std::string& kernel, const LayerFlags& flags,
               bool channels_last = false);

  const Problem& problem() const { return problem_; }
  Scalar scalar() const { return common_scalar(image_.type(), kernel_.type()); }
  /// Whether both hold integers, or bool.
  bool hold_integers() const;

  /// The shape of y's file, of the rank and order of axes that the image's has.
  std::vector<index_t> output_shape() const;

  /// Whether the files of image and kernel have their elements as the tensors do, row by row.
  bool in_order_of_memory() const;

  /// To read the image piece by piece, where they have.
  NpyReader& image() { return image_; }

  template <class T>
  std::vector<T> read_kernel() {
    return kernel_.read<T>();
  }

  /// The elements, once, of the type that scalar() says.
  template <class T>
  testing::Operands<T> read() {
    return {problem_, read_tensor<T>(image_, image_axes_), read_tensor<T>(kernel_, kernel_axes_)};
  }

  /// The elements of a dense y in the order of its file.
  template <class T>
  std::vector<T> in_order_of_file(std::vector<T> y) const;

  /// A file with a result: its extents as those of a y, if it has as many axes as the image, and
  /// its elements, once, dense in the order of y.
  std::optional<Extents> result_extents(const NpyReader& result) const;
  std::vector<double> read_result(NpyReader& result) const;

 private:
  template <class T>
  static std::vector<T> read_tensor(NpyReader& file, const AxesOfFile& axes);
  /// What y is before the planes of an image are taken for a batch.
  Extents output_extents() const;

  NpyReader image_;
  NpyReader kernel_;
  AxesOfFile image_axes_, kernel_axes_;
  Problem problem_;
};

}  // namespace fullconv::cli
