#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "mutants/mutants.h"
#include "support/operands.h"

namespace fullconv::testing {

/// What a result's elements are rounded to.
struct ResultType {
  double unit;      ///< unit roundoff; 0 for integers
  double least;     ///< smallest subnormal number; 0 for integers
  double smallest;  ///< finite number
  double largest;
  double half_step;  ///< ½ for integers, else 0

  bool is_integer() const { return unit == 0; }
};

/// Of floating-point numbers of 2, 4 or 8 bytes, or of integers.
ResultType floating_type(std::size_t bytes);
ResultType integer_type(std::size_t bytes, bool is_signed);

/// A mistake by name, and what the result is, in a sentence for people.
struct Mistake {
  std::string name;
  std::string sentence;
};

/// One that accounts for so many of the wrong outputs of a result.
struct Explanation {
  Mistake mistake;
  std::size_t outputs;
};

/// Somebody's result, dense, in the order of y's axes.
struct OwnResult {
  Extents extents;
  std::vector<double> values;
  ResultType type;
};

/// The place of an element of a dense tensor.
Output output_at(const Extents& extents, std::size_t place);

/// The definition's y, and how far a right result of a type may be from it.
class Truth {
 public:
  Truth(const Operands<double>& operands, const ResultType& type);

  std::size_t size() const { return values_.size(); }
  double value(std::size_t output) const { return values_[output]; }

  /// |error| of a value in units of a bound; 0 where it is right though it is no finite number.
  double error(std::size_t output, double value, double bound) const;
  /// Bounds for sums in any order, and for all error models.
  double componentwise(std::size_t output) const { return componentwise_[output]; }
  double widest(std::size_t output) const;

  /// n·u of the result's type for the most products that an output has, u no less than double's.
  double sum_unit(double unit) const;
  /// n times the smallest number, and half a step.
  double absolute() const;
  /// What transforms may err by in a plane, beside that.
  double normwise(std::size_t plane) const { return normwise_[plane] - absolute(); }
  bool finite_operands() const { return finite_operands_; }

  /// The error model that the whole of a result is within, and by how much.
  struct Fit {
    std::string_view model;  ///< empty where it is within none; then as for componentwise
    double error_in_bounds;
  };
  Fit fit(const std::vector<double>& result) const;
  double worst_componentwise(const std::vector<double>& result) const {
    return worst(result, componentwise_);
  }

 private:
  void take_oracle(const Operands<double>& operands);
  void compute(const Operands<double>& operands);
  double worst(const std::vector<double>& result, const std::vector<double>& bounds) const;
  double worst_normwise(const std::vector<double>& result) const;

  Problem problem_;
  ResultType type_;
  bool finite_operands_ = true;
  double products_;  // the most of an output
  std::size_t plane_size_;
  std::vector<double> values_, magnitudes_;
  std::vector<double> componentwise_, low_rank_, winograd_;  // bounds; the latter may be empty
  std::vector<double> normwise_;                             // of each plane
};

}  // namespace fullconv::testing
