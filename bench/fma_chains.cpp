#include "fma_chains.h"

#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fma_chains.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace fullconv::bench {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Each sum = sum · factor + term: as many independent chains as there are sums.
template <class V, class... Sums>
HWY_INLINE void multiply_add(V factor, V term, Sums&... sums) {
  ((sums = hn::MulAdd(sums, factor, term)), ...);
}

/// Twelve chains hide the latency of two units with up to six cycles each, and with the factor and
/// the term fit the 16 registers of AVX2.
constexpr int kChains = 12;

template <class T>
T run_chains(std::int64_t steps, T factor_value, T term_value) {
  const hn::ScalableTag<T> d;
  const auto factor = hn::Set(d, factor_value);
  const auto term = hn::Set(d, term_value);
  // Different starts, or the compiler would see that all chains are one.
  auto a = hn::Iota(d, 1), b = hn::Iota(d, 2), c = hn::Iota(d, 3), e = hn::Iota(d, 4);
  auto f = hn::Iota(d, 5), g = hn::Iota(d, 6), h = hn::Iota(d, 7), i = hn::Iota(d, 8);
  auto j = hn::Iota(d, 9), k = hn::Iota(d, 10), l = hn::Iota(d, 11), m = hn::Iota(d, 12);
  for (std::int64_t step = 0; step < steps; ++step) {
    multiply_add(factor, term, a, b, c, e, f, g, h, i, j, k, l, m);
  }
  a = hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), hn::Add(hn::Add(f, g), hn::Add(h, i)));
  a = hn::Add(a, hn::Add(hn::Add(j, k), hn::Add(l, m)));
  return hn::GetLane(hn::SumOfLanes(d, a));
}

float run_f32(std::int64_t steps, float factor, float term) {
  return run_chains(steps, factor, term);
}
double run_f64(std::int64_t steps, double factor, double term) {
  return run_chains(steps, factor, term);
}

std::int64_t lanes_f32() { return static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>())); }
std::int64_t lanes_f64() { return static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<double>())); }
std::int64_t chains() { return kChains; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fullconv::bench {
namespace {

HWY_EXPORT(run_f32);
HWY_EXPORT(run_f64);
HWY_EXPORT(lanes_f32);
HWY_EXPORT(lanes_f64);
HWY_EXPORT(chains);

}  // namespace

template <>
float run_fma_chains(std::int64_t steps, float factor, float term) {
  return HWY_DYNAMIC_DISPATCH(run_f32)(steps, factor, term);
}
template <>
double run_fma_chains(std::int64_t steps, double factor, double term) {
  return HWY_DYNAMIC_DISPATCH(run_f64)(steps, factor, term);
}

template <>
std::int64_t multiply_adds_of_a_step<float>() {
  return HWY_DYNAMIC_DISPATCH(chains)() * HWY_DYNAMIC_DISPATCH(lanes_f32)();
}
template <>
std::int64_t multiply_adds_of_a_step<double>() {
  return HWY_DYNAMIC_DISPATCH(chains)() * HWY_DYNAMIC_DISPATCH(lanes_f64)();
}

}  // namespace fullconv::bench
#endif
