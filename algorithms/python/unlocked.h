#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>

#include "fullconv/fullconv.h"

namespace fullconv::python {

/// Below this a call takes less than the 2 µs that other Python threads would gain by.
inline constexpr std::int64_t kWorthReleasing = 20'000;

/// Runs `body` without the interpreter's lock, where the work is worth giving it up.
template <class Body>
void unlocked(const Problem& problem, const Body& body) {
  if (problem.multiply_adds() < kWorthReleasing) return body();
  const pybind11::gil_scoped_release released;
  body();
}

}  // namespace fullconv::python
