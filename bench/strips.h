#pragma once

#include "fullconv/algorithm.h"
#include "npy.h"
#include "output_file.h"

namespace fullconv::cli {

/// Some rows of y, and the rows of x that they depend on.
struct Strip {
  Range y;
  Range x;
  Problem problem;  ///< of these rows alone
};

/// Whether y can be computed strip by strip: of a single plane, with stride and dilation 1, and a
/// kernel that is no larger than the image.
bool is_divisible(const Problem& problem);

/// The strip of some rows of y, at least one.
Strip strip_of(const Problem& problem, Range rows);

/// A convolution whose image and output need not fit into memory: the image is read, convolved and
/// written in strips of rows, with the h−1 rows before a strip kept from the one before.
template <class T>
class StripConvolution {
 public:
  /// Decides how many rows a strip has, so that image, output and workspace of one and the kernel
  /// take at most `memory` bytes. The problem is divisible.
  ///
  /// Throws UsageError where one row takes more.
  StripConvolution(const Problem& problem, const Algorithm& algorithm, const PlanOptions& options,
                   double memory);

  index_t rows() const { return rows_; }
  /// How many strips there are.
  index_t count() const { return (problem_.output_rows() + rows_ - 1) / rows_; }

  /// The plan of the strip that was convolved last; before that, of one from the middle.
  const Plan<T>& plan() const { return *plan_; }

  /// The expected time of the arithmetic, and what it would be with memory for the whole; 0 where
  /// nothing is known of the algorithm.
  double expected_seconds() const;
  double expected_seconds_as_a_whole() const;

  /// Why the algorithm does not take the strips, if so.
  const std::string& declined() const { return declined_; }

  /// Writes the elements of y, with progress on a terminal. Throws UsageError.
  void run(NpyReader& image, const std::vector<T>& k, OutputFile& y);

 private:
  /// Makes the plan for strips of this problem, and not another one beside it.
  Plan<T>* plan_for(const Problem& strip);

  Problem problem_;
  const Algorithm& algorithm_;
  PlanOptions options_;
  index_t rows_ = 0;
  std::string declined_;
  std::unique_ptr<Plan<T>> plan_;
};

}  // namespace fullconv::cli
