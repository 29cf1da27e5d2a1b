#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mutants/candidates.h"
#include "mutants/truth.h"

namespace fullconv::testing {

/// Mistakes that account for a result, tried one after the other on a sample of its outputs, and
/// what fits there on all.
class Search {
 public:
  /// `wrong`: of each output of the result, whether it is.
  Search(const Operands<double>& operands, const OwnResult& result, const Truth& truth,
         const std::vector<char>& wrong);

  /// A known mistake that the result is to the precision of sums.
  std::vector<Explanation> find_exact();

  /// A known mistake that it is to any precision that a right result might have, or several that
  /// come together; empty where it is nothing known.
  std::vector<Explanation> find();

 private:
  struct Evaluation {
    std::vector<double> values, bounds;
    std::vector<char> computed;  ///< whether a value is a sum of products
    bool known = false;          ///< whether some value is a sum of products
    bool differs = false;        ///< whether some value is not the definition's
  };
  /// An output of a candidate that stands out.
  struct Anchor {
    index_t i, j;
    double value, bound;
  };
  struct Offset {
    index_t a, b;
  };

  std::size_t size() const { return result_.values.size(); }
  Output output(std::size_t place) const;
  std::size_t place_of(const Output& output) const;
  double products() const;
  std::size_t wrong_outputs() const;
  void take_samples();

  Evaluation evaluate(const Candidate& candidate, std::span<const std::size_t> places) const;
  bool is_close(std::size_t place, double value, double bound) const;
  template <class Visit>
  bool for_all(const Visit& visit) const;
  /// Whether the result is nothing but that.
  bool is(const Candidate& candidate) const;
  std::vector<Explanation> explained(const Candidate& candidate) const;

  std::optional<Candidate> find_known() const;
  /// A candidate to whose outputs something is done.
  std::optional<Candidate> find_changed(const Candidate& candidate) const;
  std::optional<Candidate> find_scaled(const Candidate& candidate) const;
  Mistake factor_mistake(double factor) const;
  std::optional<Candidate> find_coarse() const;
  std::vector<Explanation> find_several() const;

  // In placement.cpp: outputs in another place.
  std::vector<Anchor> anchors(const Candidate& candidate, index_t rows, index_t columns) const;
  template <class Place>
  std::vector<Offset> offsets(const std::vector<Anchor>& anchors, Range rows, Range columns,
                              const Place& place) const;
  std::optional<Candidate> find_rolled(const Candidate& candidate) const;
  std::optional<Candidate> find_placed(const Candidate& candidate) const;
  std::optional<Candidate> find_turned(const Candidate& candidate) const;
  std::vector<Offset> crops() const;
  Mistake placement(Offset offset) const;

  const Operands<double>& operands_;
  const Operands<double> absolute_;
  const Problem problem_;
  const OwnResult& result_;
  const Truth& truth_;
  const std::vector<char>& wrong_;
  const bool same_extents_;
  bool widened_ = true;  ///< whether bounds are those of transforms, too
  std::vector<std::size_t> samples_;
  std::vector<Candidate> candidates_;
};

}  // namespace fullconv::testing
