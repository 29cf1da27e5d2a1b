#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "mutants/truth.h"

namespace fullconv::testing {

/// What a result would be with some mistakes, at any of its outputs.
struct Candidate {
  /// As ValuesAt, for operands of the problem that the candidate was made for.
  using At = std::function<void(const Operands<double>& operands, std::span<const Output> outputs,
                                std::span<double> values)>;

  std::vector<Mistake> mistakes;  ///< none: the definition
  At values_at;
  // Unit roundoffs, where they are coarser than the result's.
  double unit = 0;          ///< of its sums
  double operand_unit = 0;  ///< of operands that are rounded, and not so by values_at
  double output_unit = 0;   ///< of what its outputs are rounded to
  double slack = 1;         ///< by how much its bounds grow
};

/// The definition.
Candidate definition(const Problem& problem);

/// The same with kernels the wrong way round: in rows, in columns, in both.
std::vector<Candidate> correlations(const Problem& problem);

/// All that has the extents of a result: the mutants, channels that are left out or reversed,
/// layers of other parameters, circular convolutions, images that are continued beyond their
/// borders.
std::vector<Candidate> candidates(const Problem& problem, const Extents& result);

/// The definition by operands that are rounded to fewer digits than `unit` has, and so are outputs.
std::vector<Candidate> roundings(const Problem& problem, double unit);

/// A candidate to whose outputs something is done.
Candidate scaled(const Candidate& candidate, double factor, const Mistake& mistake);

/// `from` says where the candidate has what an output of the result is, or that it is 0.
using Origin = std::function<bool(const Output& at, Output& from)>;
Candidate moved(const Candidate& candidate, const Origin& from, const Mistake& mistake);

/// A candidate of a coarser precision.
Candidate coarsened(Candidate candidate, double unit, const Mistake& mistake);

}  // namespace fullconv::testing
