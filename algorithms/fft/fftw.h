#pragma once

#include <fftw3.h>

#include <complex>
#include <memory>
#include <mutex>
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

template <class T>
struct Fftw;

template <>
struct Fftw<float> {
  using Handle = fftwf_plan;
  using Complex = fftwf_complex;
  static constexpr auto plan_forward = fftwf_plan_dft_r2c_2d;
  static constexpr auto plan_inverse = fftwf_plan_dft_c2r_2d;
  static constexpr auto destroy = fftwf_destroy_plan;
  static void forward(Handle plan, float* in, std::complex<float>* out) {
    fftwf_execute_dft_r2c(plan, in, reinterpret_cast<Complex*>(out));
  }
  static void inverse(Handle plan, std::complex<float>* in, float* out) {
    fftwf_execute_dft_c2r(plan, reinterpret_cast<Complex*>(in), out);
  }
};

template <>
struct Fftw<double> {
  using Handle = fftw_plan;
  using Complex = fftw_complex;
  static constexpr auto plan_forward = fftw_plan_dft_r2c_2d;
  static constexpr auto plan_inverse = fftw_plan_dft_c2r_2d;
  static constexpr auto destroy = fftw_destroy_plan;
  static void forward(Handle plan, double* in, std::complex<double>* out) {
    fftw_execute_dft_r2c(plan, in, reinterpret_cast<Complex*>(out));
  }
  static void inverse(Handle plan, std::complex<double>* in, double* out) {
    fftw_execute_dft_c2r(plan, reinterpret_cast<Complex*>(in), out);
  }
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
