#pragma once

#include <limits>
#include <opencv2/core.hpp>
#include <string>

#include "fullconv/algorithm.h"

// What the peers of OpenCV share.
namespace fullconv::bench::opencv {

/// OpenCV's number of threads is a setting of the whole process, and setting it is no safe thing to
/// do in two threads at once: it crashes inside its pool.
inline void use_one_thread() {
  static const bool done = (cv::setNumThreads(1), true);
  static_cast<void>(done);
}

/// One channel of T.
template <class T>
constexpr int kType = cv::DataType<T>::type;

/// A matrix header over a dense plane; it owns nothing, and what is const stays so.
template <class T>
cv::Mat as_matrix(const T* plane, index_t rows, index_t columns) {
  return {static_cast<int>(rows), static_cast<int>(columns), kType<T>, const_cast<T*>(plane)};
}

template <class T>
cv::Mat zeros(index_t rows, index_t columns) {
  return cv::Mat::zeros(static_cast<int>(rows), static_cast<int>(columns), kType<T>);
}

inline bool can_count(const Problem& problem) {
  constexpr index_t kMost = std::numeric_limits<int>::max() / 2;
  return problem.output_rows() <= kMost && problem.output_columns() <= kMost;
}

/// With the framework of its threads, which only the build information tells.
inline std::string version() {
  const std::string build = cv::getBuildInformation();
  const std::string key = "Parallel framework:";
  std::string framework = "no threads";
  if (const auto at = build.find(key); at != std::string::npos) {
    const auto begin = build.find_first_not_of(' ', at + key.size());
    framework = build.substr(begin, build.find_first_of(" \n", begin) - begin);
  }
  return "OpenCV " + cv::getVersionString() + " (" + framework + ")";
}

}  // namespace fullconv::bench::opencv
