#pragma once

#include <cstddef>

namespace fullconv {

/// What FFTW allocates while it executes, at most: it buffers up to 65536 complex points, and up to
/// twice that to divide a size evenly. No algorithm takes more, and so neither does `auto`.
inline constexpr std::size_t kFftwScratchBytes = 2 * 65536 * 2 * sizeof(double);

}  // namespace fullconv
