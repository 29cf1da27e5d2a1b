#pragma once

#include <limits>
#include <opencv2/core.hpp>
#include <sstream>
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

/// The first word behind `key` in the build information, or nothing.
inline std::string build_information(const std::string& key) {
  const std::string build = cv::getBuildInformation();
  const auto at = build.find(key);
  if (at == std::string::npos) return {};
  const auto begin = build.find_first_not_of(' ', at + key.size());
  return build.substr(begin, build.find_first_of(" \n", begin) - begin);
}

/// The last of the instruction sets that it was built for and that this processor has. In the line
/// that it tells them in, those that the processor lacks have a question mark.
inline std::string instruction_set() {
  std::istringstream line(cv::getCPUFeaturesLine());
  std::string best = "baseline";
  for (std::string feature; line >> feature;) {
    if (!feature.ends_with('?')) best = feature.substr(feature.find_first_not_of('*'));
  }
  return best;
}

/// With the framework of its threads, the instruction set in use, and whether Intel's IPP is.
inline std::string version() {
  const std::string threads = build_information("Parallel framework:");
  return "OpenCV " + cv::getVersionString() + " (" + (threads.empty() ? "no threads" : threads) +
         ", " + instruction_set() + ", " + (cv::ipp::useIPP() ? "with" : "without") + " IPP)";
}

}  // namespace fullconv::bench::opencv
