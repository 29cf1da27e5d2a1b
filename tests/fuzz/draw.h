#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <utility>

#include "fuzz/attempt.h"

namespace fullconv::testing {

/// Draws what to try: sizes that are log-uniform from 1, as large as an oracle has time for, half
/// of them then moved to where some algorithm changes its ways or cuts a problem, and half made a
/// layer with padding, stride, dilation, groups, output padding; all families, scalars, up to five
/// threads, limits of workspace, and layouts of any strides.
class Drawing {
 public:
  Drawing(std::span<const Algorithm* const> algorithms, std::uint64_t seed)
      : algorithms_(algorithms), engine_(seed) {}

  Attempt next();

 private:
  index_t below(index_t limit);
  bool chance(double probability);
  /// Log-uniform in [1, most].
  index_t size(index_t most);

  Problem problem();
  Problem dense_problem();
  /// The problem with one of its sizes just below, at or just above a boundary of an algorithm, or
  /// of a multiple of that.
  Problem moved_to_boundary(Problem problem);
  /// A layer that falls into dense problems like this one.
  Problem layer_of(Problem dense);
  PerAxis step();
  /// Rows or columns to leave out, of so many before and behind.
  std::pair<index_t, index_t> padding(index_t outputs);
  Layout layout();
  Family family();

  std::span<const Algorithm* const> algorithms_;
  std::mt19937_64 engine_;
};

}  // namespace fullconv::testing
