#include "contender.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "fullconv/instruction_sets.h"

namespace fullconv::bench {
namespace {

/// What execute() costs around the algorithm: its checks and a virtual call.
template <class T>
class EmptyCall final : public Plan<T> {
 public:
  explicit EmptyCall(const Problem& problem) : Plan<T>(problem) {}

 protected:
  void run(const TensorView<const T>&, const TensorView<const T>&, const TensorView<T>&) override {}
};

/// Reads each element of x and k and writes each of y, at least once.
template <class T>
class CopyOperands final : public Plan<T> {
 public:
  explicit CopyOperands(const Problem& problem) : Plan<T>(problem) {}

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    std::size_t written = copy(x, y, 0);
    written += copy(k, y, written);
    // An output is larger than the image: the rest comes from what has just been read.
    while (written < elements(y)) written += copy(x, y, written, elements(y) - written);
  }

 private:
  static std::size_t elements(const auto& view) {
    return static_cast<std::size_t>(element_count(view.extents));
  }

  /// Copies up to `most` elements to places from `at` on, wrapping around where y is the smaller.
  static std::size_t copy(const TensorView<const T>& from, const TensorView<T>& to, std::size_t at,
                          std::size_t most = SIZE_MAX) {
    const std::size_t count = std::min(elements(from), most);
    for (std::size_t done = 0; done < count;) {
      const std::size_t place = (at + done) % elements(to);
      const std::size_t step = std::min(count - done, elements(to) - place);
      std::memcpy(to.data + place, from.data + done, step * sizeof(T));
      done += step;
    }
    return count;
  }
};

template <class T, template <class> class SomePlan>
Planned<T> plan_floor(const Problem& problem, const PlanOptions&) {
  return std::make_unique<SomePlan<T>>(problem);
}

template <template <class> class SomePlan>
constexpr Algorithm floor_row(std::string_view name, std::string_view summary) {
  return {.name = name,
          .summary = summary,
          .error_model = ErrorModel::componentwise,
          .non_finite = NonFinite::as_defined,
          .layers = Layers::native,
          .operations = [](const Problem&) { return 0.0; },
          .plan_f32 = plan_floor<float, SomePlan>,
          .plan_f64 = plan_floor<double, SomePlan>};
}

constexpr Algorithm kEmptyCall =
    floor_row<EmptyCall>("empty_call", "execute() without an algorithm");
constexpr Algorithm kCopyOperands =
    floor_row<CopyOperands>("copy_operands", "x and k read and y written once, by memcpy");

constexpr Ledger kNothing{.plan = Inclusion::none,
                          .allocation = Inclusion::none,
                          .kernel_transform = Inclusion::none,
                          .layout_change = Inclusion::none,
                          .note = "no convolution"};
constexpr Contender kFloors[] = {
    {.algorithm = &kEmptyCall, .kind = Kind::floor, .ledger = kNothing},
    {.algorithm = &kCopyOperands, .kind = Kind::floor, .ledger = kNothing}};

}  // namespace

std::span<const Contender> ours() {
  static const std::vector<Contender> contenders = [] {
    std::vector<Contender> list;
    constexpr Ledger kEverything{.kernel_transform = Inclusion::inside,
                                 .layout_change = Inclusion::inside,
                                 .note = "whatever it does with x and k is inside"};
    for (const Algorithm* algorithm : algorithms()) {
      list.push_back({.algorithm = algorithm, .ledger = kEverything});
    }
    return list;
  }();
  return contenders;
}

std::span<const Contender> variants() {
  // Deques, since contenders point to algorithms, and those to names.
  static std::deque<std::string> names;
  static std::deque<Algorithm> rows;
  static const std::vector<std::string> sets = instruction_sets();
  static const std::vector<Contender> contenders = [] {
    std::vector<Contender> list;
    for (const Contender& contender : ours()) {
      if (!contender.algorithm->vectorized) continue;
      for (const std::string& set : sets) {
        Algorithm& row = rows.emplace_back(*contender.algorithm);
        row.name = names.emplace_back(row.name).append("@").append(set);
        list.push_back(contender);
        list.back().algorithm = &row;
        list.back().instruction_set = set;
      }
    }
    return list;
  }();
  return contenders;
}

std::span<const Contender> floors() { return kFloors; }

}  // namespace fullconv::bench
