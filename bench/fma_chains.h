#pragma once

#include <cstdint>

namespace fullconv::bench {

/// Multiply-adds on registers alone, by the best instruction set that this build has code for: so
/// many steps of as many independent chains as hide their latency. The result depends on all of
/// them, so that compilers leave none out.
template <class T>
T run_fma_chains(std::int64_t steps, T factor, T term);

/// The multiply-adds of one step.
template <class T>
std::int64_t multiply_adds_of_a_step();

}  // namespace fullconv::bench
