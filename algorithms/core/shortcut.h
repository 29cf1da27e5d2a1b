#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "fullconv/algorithm.h"

namespace fullconv {

/// A plan, and before it a shortcut where the kernel allows that.
template <class T>
class PlanWithShortcut final : public Plan<T> {
 public:
  /// `name`: of the algorithm that the shortcut is from.
  PlanWithShortcut(std::string_view name, std::unique_ptr<Shortcut<T>> shortcut,
                   std::unique_ptr<Plan<T>> otherwise)
      : Plan<T>(otherwise->problem()),
        name_(name),
        shortcut_(std::move(shortcut)),
        otherwise_(std::move(otherwise)) {}

  std::size_t workspace_bytes() const override {
    return shortcut_->workspace_bytes() + otherwise_->workspace_bytes();
  }
  int threads() const override { return std::max(shortcut_->threads(), otherwise_->threads()); }
  std::string algorithm() const override {
    return taken_ ? std::string(name_) : otherwise_->algorithm();
  }
  std::string implementation() const override { return otherwise_->implementation(); }

  /// The shortcut's name if the last execution took it, else empty.
  std::string_view taken() const { return taken_ ? name_ : std::string_view{}; }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    taken_ = shortcut_->try_execute(x, k, y);
    if (!taken_) otherwise_->execute(x, k, y);
  }

 private:
  std::string_view name_;
  std::unique_ptr<Shortcut<T>> shortcut_;
  std::unique_ptr<Plan<T>> otherwise_;
  bool taken_ = false;
};

}  // namespace fullconv
