#pragma once

#include <Eigen/Core>
#include <array>

namespace fullconv::bench {

/// Major, minor, patch. Eigen 3.4.0 has them in the macros called world, major and minor. Since 5.0
/// its macros are called major, minor and patch, and world stays 3.
constexpr std::array<int, 3> kEigenVersion =
#if EIGEN_MAJOR_VERSION >= 5
    {EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION, EIGEN_PATCH_VERSION};
#else
    {EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION};
#endif

}  // namespace fullconv::bench
