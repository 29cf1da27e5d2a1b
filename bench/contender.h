#pragma once

#include <span>
#include <string>
#include <string_view>

#include "fullconv/algorithm.h"

// What the programs know of a contender beside its algorithm.
namespace fullconv::bench {

enum class Kind {
  ours,     ///< of this library
  peer,     ///< another library, behind the same interface
  binding,  ///< this library, called from another language
  floor,    ///< no convolution, but a time that none can go below
};

/// Whether a part of the work is inside the time of `execute`.
enum class Inclusion {
  none,     ///< there is no such work
  outside,  ///< done before, once
  inside,
};

/// What the time of one `execute` includes: one line of the fairness ledger.
struct Ledger {
  Inclusion plan = Inclusion::outside;             ///< choosing, generating code, making handles
  Inclusion allocation = Inclusion::outside;       ///< of output and scratch
  Inclusion kernel_transform = Inclusion::inside;  ///< flipping, packing or transforming k
  Inclusion layout_change = Inclusion::none;  ///< reordering or padding x, cropping or reordering y
  Inclusion language_call = Inclusion::none;  ///< an interpreter between the clock and the library
  std::string_view precision = "as the operands";  ///< what it computes in
  std::string_view note = {};                      ///< what else a reader should know; one line
};

/// The ledger of a library that keeps nothing from call to call: each call makes its scratch and
/// its own form of x and k. `plan`: none where there is nothing to plan.
constexpr Ledger everything_inside(Inclusion plan, std::string_view note,
                                   std::string_view precision = Ledger{}.precision) {
  return {.plan = plan,
          .allocation = Inclusion::inside,
          .kernel_transform = Inclusion::inside,
          .layout_change = Inclusion::inside,
          .precision = precision,
          .note = note};
}

struct Contender {
  const Algorithm* algorithm;
  Kind kind = Kind::ours;
  Ledger ledger = {};
  /// Name and version of the library behind it, as it says itself, or why it cannot be used; null
  /// for ours.
  std::string (*version)() = nullptr;
  /// Runs in another process: its plans are RemotePlans.
  bool remote = false;
  /// With which its plans are made and executed; empty for the best.
  std::string_view instruction_set = {};
};

/// A plan that runs in another process, which reads the clock itself, so that the way there and
/// back is not measured.
template <class T>
class RemotePlan : public Plan<T> {
 public:
  /// Repeats the last execute() `iterations` times, without moving operands; seconds of all.
  virtual double time(index_t iterations) = 0;

 protected:
  using Plan<T>::Plan;
};

/// The peers that this build has, in the order of bench/peers/CMakeLists.txt. Those that run in
/// another process are here also where their library is missing: they decline, saying so.
std::span<const Contender> peers();

/// Every algorithm of the library as a contender.
std::span<const Contender> ours();

/// Our algorithms that have code for several instruction sets, once for each set that this
/// processor has: `direct_simd@AVX2`. They show what it costs to do without the best sets.
std::span<const Contender> variants();

/// `empty_call` and `copy_operands`.
std::span<const Contender> floors();

}  // namespace fullconv::bench
