#pragma once

#include <string>

#include "layer_flags.h"
#include "npy.h"
#include "support/operands.h"

namespace fullconv::cli {

/// Image and kernel in two .npy files that make a problem together, with the flags of a layer;
/// their headers are read.
///
/// Throws UsageError, in one line that names the file or flag at fault.
class OperandFiles {
 public:
  OperandFiles(const std::string& image, const std::string& kernel, const LayerFlags& flags);

  const Problem& problem() const { return problem_; }
  Scalar scalar() const { return image_.scalar(); }

  /// The shape of y, of the rank that the files have.
  std::vector<index_t> output_shape() const;

  /// To read the image piece by piece.
  NpyReader& image() { return image_; }

  template <class T>
  std::vector<T> read_kernel() {
    return kernel_.read<T>();
  }

  /// The elements, once, of the type that scalar() says.
  template <class T>
  testing::Operands<T> read() {
    return {problem_, image_.read<T>(), kernel_.read<T>()};
  }

 private:
  NpyReader image_;
  NpyReader kernel_;
  Problem problem_;
};

}  // namespace fullconv::cli
