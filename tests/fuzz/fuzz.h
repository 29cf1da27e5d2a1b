#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "fuzz/attempt.h"

namespace fullconv::testing {

/// How long to go on: whichever comes first.
struct Limits {
  double seconds = std::numeric_limits<double>::infinity();
  std::int64_t problems = std::numeric_limits<std::int64_t>::max();
};

/// A wrong answer, with the smallest attempt found that has one, too.
struct WrongAnswer {
  const Algorithm* algorithm;
  Attempt attempt;
  std::string violation;
};

/// What has been tried, and what came of it.
struct Tally {
  struct OfAlgorithm {
    std::int64_t checked = 0, declined = 0;
  };
  std::int64_t problems = 0;
  std::map<std::string_view, OfAlgorithm> algorithms;
  std::vector<WrongAnswer> wrong;
};

/// Told of each attempt before an algorithm makes it.
using Announce = std::function<void(const std::string& arguments)>;

/// Tries problem after problem with all of the algorithms. One that is wrong is out.
Tally fuzz(
    std::span<const Algorithm* const> algorithms, std::uint64_t seed, const Limits& limits,
    const Announce& announce = [](const std::string&) {});

/// The smallest attempt found that an algorithm fails as it does the one given: every size, thread
/// and stride is tried with less for as long as that still is wrong.
WrongAnswer shrink(
    const Algorithm& algorithm, const Attempt& attempt,
    const Announce& announce = [](const std::string&) {});

}  // namespace fullconv::testing
