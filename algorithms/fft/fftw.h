#pragma once

#include <fftw3.h>

#include <complex>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>

#include "fullconv/view.h"

// FFTW's two precisions under one name: Fftw<float> and Fftw<double>.
namespace fullconv {

/// Planning and destroying share FFTW's global state; only executing is thread-safe.
inline std::mutex& fftw_planner_mutex() {
  static std::mutex mutex;
  return mutex;
}

/// Makes the next plan of any size the first one.
inline void forget_fftw_wisdom() {
  const std::lock_guard lock(fftw_planner_mutex());
  fftwf_forget_wisdom();
  fftw_forget_wisdom();
}

// The functions are not constexpr: GCC 16 warns of a lambda that calls a constexpr one.
template <class T>
struct Fftw;

/// "FFTW 3.3.10-sse2-avx": the instruction sets that it was built for, of which it tries each.
inline std::string describe_fftw() {
  return "FFTW " + std::string(::fftw_version).substr(std::string_view("fftw-").size());
}

template <>
struct Fftw<float> {
  using Handle = fftwf_plan;
  using Complex = fftwf_complex;
  static inline const auto plan_r2c = fftwf_plan_many_dft_r2c;
  static inline const auto plan_c2c = fftwf_plan_many_dft;
  static inline const auto plan_c2r = fftwf_plan_many_dft_c2r;
  static inline const auto execute_r2c = fftwf_execute_dft_r2c;
  static inline const auto execute_c2c = fftwf_execute_dft;
  static inline const auto execute_c2r = fftwf_execute_dft_c2r;
  static inline const auto destroy = fftwf_destroy_plan;
};

template <>
struct Fftw<double> {
  using Handle = fftw_plan;
  using Complex = fftw_complex;
  static inline const auto plan_r2c = fftw_plan_many_dft_r2c;
  static inline const auto plan_c2c = fftw_plan_many_dft;
  static inline const auto plan_c2r = fftw_plan_many_dft_c2r;
  static inline const auto execute_r2c = fftw_execute_dft_r2c;
  static inline const auto execute_c2c = fftw_execute_dft;
  static inline const auto execute_c2r = fftw_execute_dft_c2r;
  static inline const auto destroy = fftw_destroy_plan;
};

/// Owns an FFTW plan.
template <class T>
struct FftwDestroy {
  using pointer = typename Fftw<T>::Handle;
  void operator()(pointer plan) const {
    const std::lock_guard lock(fftw_planner_mutex());
    Fftw<T>::destroy(plan);
  }
};

template <class T>
using FftwPlan = std::unique_ptr<std::remove_pointer_t<typename Fftw<T>::Handle>, FftwDestroy<T>>;

}  // namespace fullconv
