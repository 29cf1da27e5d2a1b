#pragma once

#include <string>

#include "fullconv/problem.h"

namespace CLI {
class App;
}

namespace fullconv::cli {

/// The flags that make a layer, or SciPy's modes, of an image and a kernel.
class LayerFlags {
 public:
  void add_to(CLI::App& command);

  /// Whether any of them was given.
  bool given() const;

  /// The layer that they make of `dense`, the shapes of image and kernel; of a single plane if
  /// `is_plane`.
  ///
  /// Throws UsageError, in one line that names the flag at fault, and std::invalid_argument where
  /// the layer makes no sense.
  Problem layer_of(Problem dense, bool is_plane) const;

 private:
  std::string stride_, padding_, dilation_, groups_, output_padding_, output_size_, mode_;
};

}  // namespace fullconv::cli
