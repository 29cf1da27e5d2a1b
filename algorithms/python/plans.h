#pragma once

#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "fullconv/fullconv.h"

namespace fullconv::python {

/// All that decides what a plan is.
struct Request {
  Problem problem;
  const Algorithm* algorithm;
  PlanOptions options;

  bool operator==(const Request& other) const {
    return problem == other.problem && algorithm == other.algorithm &&
           options.threads == other.options.threads && options.effort == other.options.effort &&
           options.any_strides == other.options.any_strides &&
           options.accuracy == other.options.accuracy &&
           options.tolerance == other.options.tolerance &&
           options.reproducible == other.options.reproducible &&
           options.workspace_limit == other.options.workspace_limit;
  }
};

/// The plan, or std::invalid_argument with the reason why there is none.
template <class T>
std::unique_ptr<Plan<T>> make_plan(const Request& request) {
  auto planned = request.algorithm->plan<T>(request.problem, request.options);
  if (const auto* declined = std::get_if<Declined>(&planned)) {
    throw std::invalid_argument(std::string(request.algorithm->name) + " declined " +
                                to_string(request.problem) + ": " + declined->reason);
  }
  return std::move(std::get<0>(planned));
}

/// Plans that are kept from call to call. A plan serves one thread at a time, so whoever executes
/// one takes it out and gives it back.
template <class T>
class PlanStore {
 public:
  /// The one of this process.
  static PlanStore& get() {
    static PlanStore store;
    return store;
  }

  /// Held while plans come and go.
  std::mutex& mutex() { return mutex_; }

  /// Null where none is kept.
  std::unique_ptr<Plan<T>> take(const Request& request) {
    const std::lock_guard lock(mutex_);
    for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
      if (!(entry->request == request)) continue;
      std::unique_ptr<Plan<T>> plan = std::move(entry->plan);
      bytes_ -= plan->workspace_bytes();
      entries_.erase(std::next(entry).base());
      return plan;
    }
    return nullptr;
  }

  /// Keeps the plan, at the cost of those that were not used for longest.
  void give_back(const Request& request, std::unique_ptr<Plan<T>> plan) {
    const std::size_t bytes = plan->workspace_bytes();
    if (bytes > kMostBytes) return;
    const std::lock_guard lock(mutex_);
    while (entries_.size() >= kMostPlans || bytes_ + bytes > kMostBytes) {
      bytes_ -= entries_.front().plan->workspace_bytes();
      entries_.erase(entries_.begin());
    }
    bytes_ += bytes;
    entries_.push_back({request, std::move(plan)});
  }

 private:
  static constexpr std::size_t kMostPlans = 32;
  static constexpr std::size_t kMostBytes = std::size_t{64} << 20;

  struct Entry {
    Request request;
    std::unique_ptr<Plan<T>> plan;
  };

  std::mutex mutex_;
  std::vector<Entry> entries_;  // the one used last is the last
  std::size_t bytes_ = 0;       // workspace of all
};

/// A plan on loan from the store.
template <class T>
class LentPlan {
 public:
  explicit LentPlan(const Request& request)
      : request_(request), plan_(PlanStore<T>::get().take(request)) {}
  ~LentPlan() {
    if (plan_) PlanStore<T>::get().give_back(request_, std::move(plan_));
  }
  LentPlan(const LentPlan&) = delete;
  LentPlan& operator=(const LentPlan&) = delete;

  /// Executes, and makes the plan first where none was kept.
  void execute(const TensorView<const T>& x, const TensorView<const T>& k, const TensorView<T>& y) {
    if (!plan_) plan_ = make_plan<T>(request_);
    plan_->execute(x, k, y);
  }

 private:
  const Request& request_;
  std::unique_ptr<Plan<T>> plan_;
};

}  // namespace fullconv::python
