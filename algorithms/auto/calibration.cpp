// Calibration: on a few problems each algorithm's time is measured, and the terms of its forecasts
// are multiplied by the factors that fit best: least squares of logarithms, large errors counting
// less, with a penalty on leaving what is built in by more than a factor for all.

#include "fullconv/calibration.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "core/buffer.h"
#include "core/rates.h"

namespace fullconv {
namespace fs = std::filesystem;
namespace {

// Measuring.

/// Small and large images and kernels, wide and narrow, and layers.
constexpr Problem kPlanes[] = {
    {.H = 8, .W = 8, .h = 5, .w = 5},         {.H = 32, .W = 32, .h = 3, .w = 3},
    {.H = 64, .W = 64, .h = 9, .w = 9},       {.H = 200, .W = 200, .h = 3, .w = 3},
    {.H = 256, .W = 256, .h = 7, .w = 7},     {.H = 300, .W = 300, .h = 15, .w = 15},
    {.H = 1024, .W = 1024, .h = 3, .w = 3},   {.H = 700, .W = 500, .h = 5, .w = 11},
    {.H = 50, .W = 1500, .h = 15, .w = 2},    {.H = 1500, .W = 50, .h = 2, .w = 15},
    {.H = 128, .W = 128, .h = 31, .w = 31},   {.H = 512, .W = 512, .h = 31, .w = 31},
    {.H = 64, .W = 64, .h = 64, .w = 64},     {.H = 256, .W = 256, .h = 100, .w = 100},
    {.H = 512, .W = 512, .h = 300, .w = 300}, {.H = 400, .W = 400, .h = 200, .w = 10},
    {.H = 12, .W = 1000, .h = 5, .w = 600},   {.H = 1000, .W = 12, .h = 600, .w = 5},
    {.H = 900, .W = 700, .h = 400, .w = 150},
};
constexpr Problem kLayers[] = {
    {.N = 1, .K = 64, .C = 64, .H = 14, .W = 14, .h = 3, .w = 3},
    {.N = 2, .K = 16, .C = 16, .H = 28, .W = 28, .h = 3, .w = 3},
    {.N = 4, .K = 8, .C = 8, .H = 16, .W = 16, .h = 7, .w = 7},
    {.N = 1, .K = 3, .C = 40, .H = 100, .W = 30, .h = 5, .w = 5},
    {.N = 6, .K = 30, .C = 2, .H = 60, .W = 25, .h = 1, .w = 1},
    {.N = 12, .K = 20, .C = 1, .H = 24, .W = 24, .h = 1, .w = 1},
    {.N = 2, .K = 100, .C = 150, .H = 10, .W = 12, .h = 1, .w = 1},
    {.N = 1, .K = 40, .C = 30, .H = 3, .W = 4, .h = 3, .w = 3},
    {.N = 9, .K = 7, .C = 7, .H = 2, .W = 3, .h = 9, .w = 9},
    {.N = 15, .K = 5, .C = 3, .H = 1, .W = 9, .h = 1, .w = 1},
    {.N = 1, .K = 25, .C = 90, .H = 2, .W = 2, .h = 2, .w = 2},
    {.N = 3, .K = 2, .C = 12, .H = 5, .W = 120, .h = 12, .w = 12},
    {.N = 1, .K = 120, .C = 60, .H = 20, .W = 18, .h = 2, .w = 2},
};

/// Longer ones, by forecast, would leave no time for the others.
constexpr double kLongest = 25e-3;

/// One algorithm on one problem.
struct Observation {
  std::vector<Forecast::Term> terms;
  /// Of one execution, the shortest seen. What others do on the machine only adds to it, and not to
  /// all algorithms alike: medians put rates out of proportion by up to a third.
  double seconds = std::numeric_limits<double>::infinity();
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Operands of ordinary values, as large as any of the problems asks for.
template <class T>
class Operands {
 public:
  explicit Operands(std::span<const Problem> problems)
      : x_(most(problems, &Problem::x_extents)),
        k_(most(problems, &Problem::k_extents)),
        y_(most(problems, &Problem::y_extents)) {
    for (Buffer<T>* buffer : {&x_, &k_}) {
      int i = 0;
      for (T& value : buffer->elements()) value = static_cast<T>(i++ % 13 - 6) / 8;
    }
  }

  void convolve(Plan<T>& plan) const {
    const Problem& problem = plan.problem();
    plan.execute({x_.data(), problem.x_extents()}, {k_.data(), problem.k_extents()},
                 {y_.data(), problem.y_extents()});
  }

 private:
  static index_t most(std::span<const Problem> problems, Extents (Problem::*extents)() const) {
    index_t size = 0;
    for (const Problem& problem : problems) {
      const Extents shape = (problem.*extents)();
      size = std::max(size, std::accumulate(shape.begin(), shape.end(), index_t{1},
                                            std::multiplies<index_t>()));
    }
    return size;
  }

  Buffer<T> x_, k_, y_;
};

/// An algorithm's plan for a problem, and what it took.
template <class T>
struct Subject {
  const Algorithm* algorithm;
  std::unique_ptr<Plan<T>> plan;
  int repetitions;  // so many take long enough for the clock
  Observation observation;
};

template <class T>
std::vector<Subject<T>> make_subjects(std::span<const Problem> problems, int threads,
                                      const Rates& rates) {
  constexpr double kLongEnough = 1e-4;
  std::vector<Subject<T>> subjects;
  for (const Algorithm* algorithm : algorithms()) {
    if (algorithm->forecast == nullptr) continue;
    const PlanOptions options{.threads = algorithm->threaded ? threads : 1};
    for (const Problem& problem : problems) {
      auto forecast = rates.forecast(*algorithm, problem, options, sizeof(T));
      if (!forecast || forecast->seconds() > kLongest) continue;
      auto planned = algorithm->plan<T>(problem, options);
      if (auto* plan = std::get_if<0>(&planned)) {
        const int repetitions = 1 + static_cast<int>(kLongEnough / forecast->seconds());
        subjects.push_back(
            {algorithm, std::move(*plan), repetitions, {std::move(forecast->terms)}});
      }
    }
  }
  return subjects;
}

/// Measures all subjects once.
template <class T>
void measure(std::vector<Subject<T>>& subjects, const Operands<T>& operands) {
  for (Subject<T>& subject : subjects) {
    operands.convolve(*subject.plan);  // brings plan and operands into the cache
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < subject.repetitions; ++i) operands.convolve(*subject.plan);
    subject.observation.seconds =
        std::min(subject.observation.seconds, seconds_since(start) / subject.repetitions);
  }
}

// Fitting.

using ByAlgorithm = std::map<std::string_view, std::vector<Observation>>;

/// The factors of the terms of algorithms, by both names.
using Factors = std::map<std::pair<std::string_view, std::string_view>, double>;

/// An observation as the factors have it.
struct Residual {
  double sum;     // seconds
  double error;   // the logarithm of what was measured over the sum
  double weight;  // less where the error is large: what a model lacks is not to bend its rates

  Residual(const Observation& observation, std::string_view algorithm, const Factors& factors,
           double common)
      : sum(0) {
    for (const auto& term : observation.terms) {
      sum += common * factors.at({algorithm, term.name}) * term.seconds;
    }
    constexpr double kUsual = 0.2;
    error = std::log(observation.seconds / sum);
    weight = 1 / std::sqrt(1 + error * error / (kUsual * kUsual));
  }
};

/// The factors that make the sums of terms fit the times best. One of them is common to all terms;
/// what a term differs by from that costs as if its rate had been seen so often to be as built in:
/// few measurements, of problems that a model is off by 20 % for, say little of one term. With one
/// instead of 15, and without the common one and the weights, choices for 160 random layers on a
/// Zen 4 lost 30 % in float and 54 % in double in 95 of 100; this way 25 and 21 %. A table of this
/// kind of processor has seen far more: with 15 there 173 layers of networks lost 7.7 % by choices,
/// with 200 0.2 %, as by the table alone, and 150 random ones in double 16 and 12 %.
Factors fit(const ByAlgorithm& observations) {
  const double seen_as_built_in = Rates::know_processor() ? 200 : 15;
  constexpr int kSweeps = 100;
  Factors factors;
  for (const auto& [algorithm, of_algorithm] : observations) {
    for (const Observation& observation : of_algorithm) {
      for (const auto& term : observation.terms) factors[{algorithm, term.name}] = 1;
    }
  }
  double common = 1;
  // Gauss–Newton, one logarithm of a factor after the other.
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    double errors = 0, weights = 0;
    for (const auto& [algorithm, of_algorithm] : observations) {
      for (const Observation& observation : of_algorithm) {
        const Residual residual(observation, algorithm, factors, common);
        errors += residual.weight * residual.error;
        weights += residual.weight;
      }
    }
    if (weights > 0) common *= std::exp(errors / weights);
    for (auto& [names, factor] : factors) {
      const auto& [algorithm, term_name] = names;
      double gradient = -seen_as_built_in * std::log(factor);
      double curvature = seen_as_built_in;
      for (const Observation& observation : observations.at(algorithm)) {
        const auto term = std::ranges::find(observation.terms, term_name, &Forecast::Term::name);
        if (term == observation.terms.end()) continue;
        const Residual residual(observation, algorithm, factors, common);
        // ∂ log sum / ∂ log factor
        const double share = common * factor * term->seconds / residual.sum;
        gradient += residual.weight * share * residual.error;
        curvature += residual.weight * share * share;
      }
      factor *= std::exp(gradient / curvature);
    }
  }
  for (auto& [names, factor] : factors) factor *= common;
  return factors;
}

template <class T>
void fit_rates(std::vector<Subject<T>>& subjects, Rates& rates) {
  ByAlgorithm observations;
  for (Subject<T>& subject : subjects) {
    observations[subject.algorithm->name].push_back(std::move(subject.observation));
  }
  for (const auto& [names, factor] : fit(observations)) {
    const auto& [algorithm, term] = names;
    rates.set(sizeof(T), algorithm, term, factor * rates.factor(sizeof(T), algorithm, term));
  }
}

Rates measure_rates(int threads, double seconds) {
  std::vector<Problem> problems(std::begin(kPlanes), std::end(kPlanes));
  problems.insert(problems.end(), std::begin(kLayers), std::end(kLayers));
  const Operands<float> operands_f32(problems);
  const Operands<double> operands_f64(problems);
  Rates rates = Rates::built_in();
  auto subjects_f32 = make_subjects<float>(problems, threads, rates);
  auto subjects_f64 = make_subjects<double>(problems, threads, rates);
  const auto start = std::chrono::steady_clock::now();
  do {
    measure(subjects_f32, operands_f32);
    measure(subjects_f64, operands_f64);
  } while (seconds_since(start) < seconds);
  fit_rates(subjects_f32, rates);
  fit_rates(subjects_f64, rates);
  return rates;
}

/// Lets one process at a time measure: two would slow each other down.
class Turn {
 public:
  explicit Turn(const fs::path& directory) {
    if (directory.empty()) return;
    std::error_code error;
    fs::create_directories(directory, error);
    descriptor_ = ::open((directory / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    // Without a lock, where there is no place for one, measuring is only less exact.
    if (descriptor_ >= 0) [[maybe_unused]]
      const int locked = ::flock(descriptor_, LOCK_EX);
  }
  ~Turn() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace

Calibration calibrate(int threads, double seconds) {
  if (threads < 1) throw std::invalid_argument("threads must be at least 1");
  if (!(seconds > 0)) {
    throw std::invalid_argument("seconds are " + std::to_string(seconds) +
                                ": they must be more than 0");
  }
  const Turn turn(cache_directory());
  return use_and_keep(measure_rates(threads, seconds), threads);
}

}  // namespace fullconv
