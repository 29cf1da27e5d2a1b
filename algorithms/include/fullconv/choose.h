#pragma once

#include <string>
#include <vector>

#include "fullconv/algorithm.h"

namespace fullconv {

/// An algorithm that `auto` considers for a problem.
struct Candidate {
  const Algorithm* algorithm;
  Forecast forecast;     ///< meaningless where it is excluded for want of one
  std::string excluded;  ///< why it is not for `auto` to choose, empty where it is
};

/// What `auto` chooses from, the fastest by forecast first, the excluded last.
///
/// Throws std::invalid_argument if the problem makes no sense.
template <class T>
std::vector<Candidate> candidates(const Problem& problem, const PlanOptions& options = {});

extern template std::vector<Candidate> candidates<float>(const Problem&, const PlanOptions&);
extern template std::vector<Candidate> candidates<double>(const Problem&, const PlanOptions&);

/// What `auto` chooses, or null where nothing takes the problem within the limits given. With
/// Effort::measure it times the candidates once: until that is forgotten, plans of the same problem
/// and options are of the same algorithm.
///
/// Throws std::invalid_argument if the problem makes no sense.
template <class T>
const Algorithm* chosen(const Problem& problem, const PlanOptions& options = {});

extern template const Algorithm* chosen<float>(const Problem&, const PlanOptions&);
extern template const Algorithm* chosen<double>(const Problem&, const PlanOptions&);

}  // namespace fullconv
