#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "support/conformance.h"

namespace fullconv::testing {

enum class Scalar { f32, f64 };

/// What one problem is tried with.
struct Attempt {
  Case c;
  Scalar scalar = Scalar::f32;
  PlanOptions options;  ///< any_strides goes by the placement
  Placement placement;
  std::uint64_t operands = 1;  ///< their seed

  bool operator==(const Attempt&) const;
};

/// The arguments of fullconv_fuzz that try it again, with one algorithm.
std::string to_arguments(const Attempt& attempt, const Algorithm& algorithm);

/// An attempt with its operands and what has to come out of them, for any number of algorithms.
class PreparedAttempt {
 public:
  explicit PreparedAttempt(const Attempt& attempt);

  /// Of a serial algorithm one thread is asked for.
  ConformanceResult check_conformance(const Algorithm& algorithm);

 private:
  Attempt attempt_;
  std::variant<Examination<float>, Examination<double>> examination_;
};

}  // namespace fullconv::testing
