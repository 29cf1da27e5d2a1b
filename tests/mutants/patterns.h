#pragma once

#include <optional>
#include <vector>

#include "mutants/truth.h"

namespace fullconv::testing {

/// Whole rows, columns, channels or images that are wrong, where nothing else is.
std::optional<Explanation> wrong_lines(const OwnResult& result, const std::vector<char>& wrong);

/// One number in all outputs, as where nothing was written.
std::optional<Explanation> all_alike(const OwnResult& result, const std::vector<char>& wrong);

/// What became of right numbers afterwards: an integer type was too narrow, a constant was added.
std::optional<Explanation> conversion(const OwnResult& result, const Truth& truth);

/// Nothing but NaN and Inf where the definition has numbers.
std::optional<Explanation> not_finite(const OwnResult& result, const std::vector<char>& wrong);

/// "0.25", as in a sentence.
std::string to_text(double value);

}  // namespace fullconv::testing
