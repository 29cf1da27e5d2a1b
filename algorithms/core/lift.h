#pragma once

#include <memory>
#include <stdexcept>

#include "core/plane.h"
#include "core/steps.h"
#include "fullconv/algorithm.h"

namespace fullconv {

/// Lifts an algorithm for single planes over batch and channels: y[n,c] = Σ_o x[n,o] ∗ k[o,c].
///
/// `PlaneAlgorithm` is constructed from a Problem, and has
///   void load(Plane<const T> x)              takes an image; kernels follow
///   void add(Plane<const T> k, Plane<T> y)   y += (the loaded image) ∗ k
///   std::size_t workspace_bytes() const
template <class T, class PlaneAlgorithm>
class LiftedPlan final : public Plan<T> {
 public:
  explicit LiftedPlan(const Problem& problem) : Plan<T>(problem), algorithm_(problem) {}

  std::size_t workspace_bytes() const override { return algorithm_.workspace_bytes(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    for (index_t n = 0; n < this->problem().N; ++n) {
      for (index_t c = 0; c < this->problem().C; ++c) fill_zero(plane(y, n, c));
      add_image(n, x, k, y);
    }
  }

  bool run_adding(const TensorView<const T>& x, const TensorView<const T>& k,
                  const TensorView<T>& y) override {
    for (index_t n = 0; n < this->problem().N; ++n) add_image(n, x, k, y);
    return true;
  }

 private:
  void add_image(index_t n, const TensorView<const T>& x, const TensorView<const T>& k,
                 const TensorView<T>& y) {
    const Problem& problem = this->problem();
    for (index_t o = 0; o < problem.K; ++o) {
      algorithm_.load(plane(x, n, o));
      for (index_t c = 0; c < problem.C; ++c) algorithm_.add(plane(k, o, c), plane(y, n, c));
    }
  }

  PlaneAlgorithm algorithm_;
};

/// An algorithm for single planes that is one function, y += x ∗ k, without workspace.
template <class T>
using AddPlane = void (*)(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y);

/// One that computes no more than a window of the full output: y(i, j) is the full output's, and
/// what is outside of the window is not there.
template <class T>
using AddWindow = void (*)(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                           const Window& window);

/// The planner of a class that LiftedPlan lifts.
template <class T, class PlaneAlgorithm>
Planned<T> plan_lifted(const Problem& problem, const PlanOptions&) {
  return std::make_unique<LiftedPlan<T, PlaneAlgorithm>>(problem);
}

namespace internal {

template <class T, AddPlane<T> add_plane>
class PlaneFunction {
 public:
  explicit PlaneFunction(const Problem&) {}
  void load(const Plane<const T>& x) { x_ = x; }
  void add(const Plane<const T>& k, const Plane<T>& y) {
    const StepTimer timing(Step::direct);
    add_plane(x_, k, y);
  }
  std::size_t workspace_bytes() const { return 0; }

 private:
  Plane<const T> x_{};
};

template <class T, AddWindow<T> add_window>
class WindowFunction {
 public:
  explicit WindowFunction(const Problem& problem) : window_(problem.window()) {}
  void load(const Plane<const T>& x) { x_ = x; }
  void add(const Plane<const T>& k, const Plane<T>& y) {
    const StepTimer timing(Step::direct);
    add_window(x_, k, in_full_output(y, window_), window_);
  }
  std::size_t workspace_bytes() const { return 0; }

 private:
  Window window_;
  Plane<const T> x_{};
};

}  // namespace internal

/// The planner of a function that computes windows: its row says `crops`.
template <class T, AddWindow<T> add_window>
Planned<T> plan_lifted(const Problem& problem, const PlanOptions& options) {
  return plan_lifted<T, internal::WindowFunction<T, add_window>>(problem, options);
}

/// The planner of a function that computes whole planes. Throws std::logic_error where a row says
/// `crops` all the same: the function would write beside a window.
template <class T, AddPlane<T> add_plane>
Planned<T> plan_lifted(const Problem& problem, const PlanOptions& options) {
  if (!problem.is_whole()) throw std::logic_error("a function of whole planes got a window of y");
  return plan_lifted<T, internal::PlaneFunction<T, add_plane>>(problem, options);
}

}  // namespace fullconv
