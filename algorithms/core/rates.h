#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fullconv/algorithm.h"
#include "fullconv/calibration.h"

namespace fullconv {

/// By how much the parts of one algorithm's executions take longer here than where the seconds of
/// costs/ are from.
class TermFactors {
 public:
  /// 1 where nothing is known.
  double of(std::string_view term) const;

  /// What terms take together at these rates.
  double seconds(const std::vector<Forecast::Term>& terms) const;

 private:
  friend class Rates;
  std::vector<std::pair<std::string, double>> factors_;
};

/// By how much the parts of an execution take longer here than where the seconds of costs/ are
/// from.
class Rates {
 public:
  /// Those of this kind of processor: costs/built_in_rates.cpp has its table.
  static Rates built_in();
  /// Whether that has one, fitted to many more times than a calibration measures.
  static bool know_processor();

  /// 1 where nothing is known.
  double factor(std::size_t scalar_size, std::string_view algorithm, std::string_view term) const;
  void set(std::size_t scalar_size, std::string_view algorithm, std::string_view term,
           double factor);

  /// Those of one algorithm, for who asks often.
  TermFactors of(std::size_t scalar_size, std::string_view algorithm) const;

  /// The algorithm's forecast at these rates.
  std::optional<Forecast> forecast(const Algorithm& algorithm, const Problem& problem,
                                   const PlanOptions& options, std::size_t scalar_size) const;

  /// By "<scalar> <algorithm> <term>".
  const std::map<std::string, double>& factors() const { return factors_; }

 private:
  std::map<std::string, double> factors_;
};

/// The rates in use for plans of at most so many threads.
std::shared_ptr<const Rates> rates_in_use(int threads);

/// Makes them those in use, and keeps them if that can be done.
Calibration use_and_keep(Rates rates, int threads);

/// Where rates are kept; empty where there is no place.
std::filesystem::path cache_directory();

}  // namespace fullconv
