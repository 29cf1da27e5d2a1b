#pragma once

#include <fmt/format.h>
#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <random>

#include "fullconv/fullconv.h"
#include "support/case.h"
#include "support/expectation.h"
#include "support/operands.h"
#include "support/oracle.h"

namespace fullconv::bench {

/// A dense tensor that starts at a cache line. Times depend on how operands lie to each other: it
/// is the same in every run, until they are moved.
template <class T>
class Tensor {
 public:
  explicit Tensor(const Extents& extents)
      : extents_(extents), elements_(hwy::AllocateAligned<T>(size() + kSlack)) {
    if (!elements_) throw std::bad_alloc();
  }

  std::size_t size() const { return static_cast<std::size_t>(element_count(extents_)); }
  T* data() { return elements_.get() + offset_; }
  TensorView<T> view() const { return {elements_.get() + offset_, extents_}; }

  /// Moves the elements to another cache line of the same memory.
  template <class Random>
  void move(Random& random) {
    std::uniform_int_distribution<std::size_t> lines(0, kSlack / kLine);
    const std::size_t offset = kLine * lines(random);
    std::memmove(elements_.get() + offset, data(), size() * sizeof(T));
    offset_ = offset;
  }

 private:
  static constexpr std::size_t kLine = 64 / sizeof(T);
  // Sixteen pages: all distances modulo a page, by which loads wait for stores.
  static constexpr std::size_t kSlack = 65536 / sizeof(T);

  Extents extents_;
  std::size_t offset_ = 0;
  hwy::AlignedFreeUniquePtr<T[]> elements_;
};

/// What all contenders of one case share: operands, output and oracle.
template <class T>
class Workload {
 public:
  explicit Workload(const testing::Case& c)
      : problem_(checked_to_fit(c.problem)),
        x_(problem_.x_extents()),
        k_(problem_.k_extents()),
        y_(problem_.y_extents()) {
    const auto operands = testing::make_operands<T>(c);
    std::ranges::copy(operands.x, x_.data());
    std::ranges::copy(operands.k, k_.data());
  }

  TensorView<const T> x() const { return x_.view(); }
  TensorView<const T> k() const { return k_.view(); }
  TensorView<T> y() const { return y_.view(); }

  void execute(Plan<T>& plan) { plan.execute(x_.view(), k_.view(), y_.view()); }
  void execute_prepared(Plan<T>& plan) { plan.execute_prepared(x_.view(), y_.view()); }

  /// Has the plan executed by `execute` and compares with what the algorithm's row promises.
  template <class Execute>
  testing::Accuracy verify(const Algorithm& algorithm, const Execute& execute) {
    if (!expectation_) expectation_.emplace(problem_, x_.view(), k_.view());
    std::fill_n(y_.data(), y_.size(), std::numeric_limits<T>::quiet_NaN());
    execute();
    return expectation_->measure(algorithm, y_.view());
  }

  /// Lays the operands elsewhere.
  template <class Random>
  void move(Random& random) {
    x_.move(random);
    k_.move(random);
    y_.move(random);
  }

 private:
  static const Problem& checked_to_fit(const Problem& problem) {
    const auto size = [](const Extents& extents) {
      return static_cast<double>(element_count(extents));
    };
    const bool whole_oracle = problem.multiply_adds() <= testing::kWholeOracleLimit;
    const double oracle_bytes = whole_oracle ? sizeof(testing::Wide<T>) + sizeof(double) : 0;
    const double bytes = 2 * sizeof(T) * (size(problem.x_extents()) + size(problem.k_extents())) +
                         (sizeof(T) + oracle_bytes) * size(problem.y_extents());
    if (const auto available = static_cast<double>(available_memory()); bytes > available) {
      throw InsufficientMemory(fmt::format("operands and oracle of {:.0f} MiB: {:.0f} available",
                                           bytes / 0x1p20, available / 0x1p20));
    }
    return problem;
  }

  Problem problem_;
  Tensor<T> x_, k_, y_;
  std::optional<testing::Expectation<T>> expectation_;
};

}  // namespace fullconv::bench
