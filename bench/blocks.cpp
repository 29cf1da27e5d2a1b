#include "blocks.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>

#include "google_benchmark.h"
#include "interval.h"
#include "report.h"

namespace fullconv::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Runs = std::vector<benchmark::BenchmarkReporter::Run>;

// The fewest blocks of a contender. Fewer say too little about how much times vary. In simulations,
// intervals of contenders that stop as soon as possible miss the truth more often than they claim
// with 3 blocks, and not with 8.
constexpr std::size_t kFewestBlocks = 8;

// A contender that is not surely far off (below) gets at least so many blocks, and so much of the
// cell's time, whatever its share is. Measured with all peers on unstable: contenders that had to
// stop after 8 blocks were known to within 5 to 17 %, with two threads after 24 blocks to within
// 5.5 %. One that is still known to no more than three times what is wanted, one in twenty, goes
// on.
constexpr std::size_t kFewestOfNear = 24;
constexpr double kTimeOfNear = 0.15, kMostTimeOfNear = 0.5;
constexpr double kEnoughOfNear = 3;

// A contender is far off if it surely takes more than this many times as long as the fastest.
// Nobody would choose it, so the time to measure it more precisely is better spent on the others.
// It has to be sure, by the whole interval and not by the estimate, so that this rule does not
// create differences: a contender as fast as the fastest stops early only if its interval misses
// the truth by this whole factor.
constexpr double kFarOff = 1.2;

/// Takes what Google Benchmark reports of one benchmark.
class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& report) override { run = report.front(); }

  std::optional<Run> run;
};

/// One repetition of so many calls, or of as many as Google Benchmark finds where it is skipped.
benchmark::BenchmarkReporter::Run run_once(Cell& cell, std::int64_t calls) {
  Collector collector;
  benchmark::ClearRegisteredBenchmarks();
  cell.add()->Iterations(calls)->Repetitions(1);
  benchmark::RunSpecifiedBenchmarks(&collector, ".");
  benchmark::ClearRegisteredBenchmarks();
  if (!collector.run) throw std::runtime_error(cell.name() + ": Google Benchmark did not run it");
  return *collector.run;
}

/// NaN of none.
double median_of(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// A cell with what was measured of it.
struct Series {
  Cell* cell;
  std::int64_t calls;
  std::map<std::size_t, double> log_seconds = {};  // by block
  double spent = 0;                                // seconds, planning included
  bool stopped = false;                            // could not go on

  int threads() const { return cell->settings().threads; }
  bool is_floor() const { return cell->kind() == Kind::floor; }

  double median() const {
    std::vector<double> values;
    for (const auto& [block, value] : log_seconds) values.push_back(value);
    return median_of(values);
  }

  /// log(time) − log(time of the other), in the blocks of both.
  std::vector<double> differences_to(const Series& other) const {
    std::vector<double> differences;
    for (const auto& [block, value] : log_seconds) {
      const auto found = other.log_seconds.find(block);
      if (found != other.log_seconds.end()) differences.push_back(value - found->second);
    }
    return differences;
  }

  /// Whether enough is known of how much longer this takes than the other: that it is far off, or
  /// by how much, to within `wanted` for each 10 % that it is off.
  bool is_known_to(const Series& other, double wanted, double confidence) const {
    const std::vector<double> differences = differences_to(other);
    const double reach = half_width(differences, confidence);
    const double middle = median_of(differences);
    if (middle - reach > std::log(kFarOff)) return true;
    return reach <= std::log1p(wanted) * std::max(1.0, std::abs(middle) / std::log(1.1));
  }
};

class Field {
 public:
  Field(const std::vector<std::unique_ptr<Cell>>& cells, const BlockSettings& settings)
      : settings_(settings), random_(settings.seed), time_left_(settings.cell_time) {
    for (const auto& cell : cells) {
      if (interruption() == 0) enter(*cell);
    }
    for (Series& series : series_) active_.push_back(&series);
  }

  Runs run() {
    while (!active_.empty() && interruption() == 0) {
      const auto orders = balanced_orders(active_.size(), random_);
      const std::vector<Series*> active = active_;
      for (const auto& order : orders) {
        run_block(active, order);
        bool some_left = false;
        while (remove_finished()) some_left = true;  // the fastest, too, once the others have
        if (some_left) break;                        // the square was for more
        if (interruption() != 0) break;
      }
    }
    return std::move(done_);
  }

 private:
  /// Verifies; one that has no time is reported at once.
  void enter(Cell& cell) {
    double seconds = 0;
    if (cell.runs()) seconds = cell.seconds_per_call();
    if (!cell.runs()) {
      done_.push_back(run_once(cell, 1));
      return;
    }
    // A handicap of whole per cents comes out even after a hundred calls.
    const std::int64_t unit = cell.settings().entrant->handicap == 0 ? 1 : 100;
    const double units = settings_.repetition / (seconds * static_cast<double>(unit));
    series_.push_back({&cell, unit * std::max<std::int64_t>(1, std::llround(std::ceil(units)))});
  }

  void run_block(const std::vector<Series*>& active, const std::vector<std::size_t>& order) {
    for (std::size_t position = 0; position < order.size(); ++position) {
      if (interruption() != 0) return;
      Series& series = *active[order[position]];
      const auto start = Clock::now();
      series.cell->renew();
      auto run = run_once(*series.cell, series.calls);
      series.spent += std::chrono::duration<double>(Clock::now() - start).count();
      series.stopped = was_skipped(run);
      if (!was_skipped(run)) {
        const double seconds = run.real_accumulated_time / static_cast<double>(run.iterations);
        series.log_seconds[block_] = std::log(seconds);
      }
      run.counters["block"] = static_cast<double>(block_);
      run.counters["position"] = static_cast<double>(position);
      done_.push_back(run);
    }
    ++block_;
  }

  /// Whom others are measured against: of those who still run, the fastest with at most so many
  /// threads. A floor does not compete.
  struct Leader {
    const Series* series;
    int threads;
  };

  std::vector<Leader> leaders() const {
    std::set<int> counts;
    for (const Series* series : active_) counts.insert(series->threads());
    std::vector<Leader> found;
    for (const int threads : counts) {
      const Series* fastest = nullptr;
      for (const Series* series : active_) {
        if (series->is_floor() || series->threads() > threads) continue;
        if (series->log_seconds.empty()) continue;
        if (fastest == nullptr || series->median() < fastest->median()) fastest = series;
      }
      if (fastest != nullptr) found.push_back({fastest, threads});
    }
    return found;
  }

  /// Removes series that are measured well enough, or stopped. Returns whether there were any.
  bool remove_finished() {
    const std::vector<Leader> ahead = leaders();
    const auto leads = [&](const Series* series) {
      return std::ranges::find(ahead, series, &Leader::series) != ahead.end();
    };
    const bool all_lead = std::ranges::all_of(active_, leads);
    const double budget = time_left_ / static_cast<double>(active_.size());
    const auto is_known = [&](const Series* series, double half_width) {
      return std::ranges::all_of(ahead, [&](const Leader& leader) {
        if (series == leader.series || series->threads() > leader.threads) return true;
        return series->is_known_to(*leader.series, half_width, settings_.confidence);
      });
    };
    const auto is_spent = [&](const Series* series) {
      if (series->log_seconds.size() < kFewestOfNear) return false;
      const double spent = series->spent / settings_.cell_time;
      if (series->spent <= budget || spent <= kTimeOfNear) return false;
      return spent > kMostTimeOfNear || is_known(series, kEnoughOfNear * settings_.half_width);
    };
    const auto is_finished = [&](const Series* series) {
      if (series->stopped) return true;
      if (series->log_seconds.size() < kFewestBlocks) return false;
      if (leads(series) && !all_lead) return false;  // the others are measured against it
      return series->is_floor() || is_spent(series) || is_known(series, settings_.half_width);
    };
    const auto finished = std::ranges::stable_partition(active_, std::not_fn(is_finished));
    // What they did not need is for the others; what a slow one took beyond its budget is not
    // theirs.
    for (const Series* series : finished) time_left_ -= std::min(series->spent, budget);
    const bool some_left = !finished.empty();
    active_.erase(finished.begin(), finished.end());
    return some_left;
  }

  const BlockSettings& settings_;
  std::mt19937_64 random_;
  double time_left_;  // seconds, for those who are active
  Runs done_;
  std::vector<Series> series_;
  std::vector<Series*> active_;
  std::size_t block_ = 0;
};

}  // namespace

std::vector<std::vector<std::size_t>> balanced_orders(std::size_t n, std::mt19937_64& random) {
  std::vector<std::size_t> labels(n);
  std::iota(labels.begin(), labels.end(), std::size_t{0});
  std::ranges::shuffle(labels, random);

  std::vector<std::vector<std::size_t>> rows;
  for (std::size_t shift = 0; shift < n; ++shift) {
    std::vector<std::size_t> row(n);
    for (std::size_t j = 0; j < n; ++j) {
      // 0, 1, n−1, 2, n−2, …: all differences of neighbours are different.
      const std::size_t zigzag = j % 2 == 1 ? (j + 1) / 2 : (n - j / 2) % n;
      row[j] = labels[(zigzag + shift) % n];
    }
    rows.push_back(row);
    if (n % 2 == 1) rows.emplace_back(row.rbegin(), row.rend());
  }
  std::ranges::shuffle(rows, random);
  return rows;
}

Runs run_in_blocks(const std::vector<std::unique_ptr<Cell>>& cells, const BlockSettings& settings) {
  return Field(cells, settings).run();
}

}  // namespace fullconv::bench
