#include "strips.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "errors.h"
#include "interruption.h"
#include "memory.h"
#include "registry.h"

namespace fullconv::cli {
namespace {

/// Strips that are larger are not faster, and fall out of the caches of the operating system.
constexpr double kMostBytes = 0x1p28;

/// Tells how far a long computation is, where standard error is a terminal.
class Progress {
 public:
  explicit Progress(index_t total) : total_(total), shown_(::isatty(STDERR_FILENO) == 1) {
    if (shown_) clear_line_when_interrupted(true);
  }
  ~Progress() {
    if (!shown_) return;
    fmt::print(stderr, "\r\x1b[K");
    clear_line_when_interrupted(false);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(index_t done) const {
    if (!shown_) return;
    const std::chrono::duration<double> passed = Clock::now() - begin_;
    const double share = static_cast<double>(done) / static_cast<double>(total_);
    fmt::print(stderr, "\r\x1b[K{:.0f} %, {:.0f} s left", 100 * share,
               passed.count() * (1 - share) / share);
  }

 private:
  using Clock = std::chrono::steady_clock;
  index_t total_;
  bool shown_;
  Clock::time_point begin_ = Clock::now();
};

/// What image and output of a strip of so many rows take.
template <class T>
double strip_bytes(const Problem& problem, index_t rows) {
  const double x_rows = static_cast<double>(std::min(problem.H, rows + problem.h - 1));
  return sizeof(T) * (x_rows * static_cast<double>(problem.W) +
                      static_cast<double>(rows) * static_cast<double>(problem.output_columns()));
}

}  // namespace

bool is_divisible(const Problem& problem) {
  return problem.N * problem.K * problem.C == 1 && problem.is_dense() && problem.h <= problem.H &&
         problem.w <= problem.W;
}

Strip strip_of(const Problem& problem, Range rows) {
  // As rows of the full output.
  const Range full{rows.begin + problem.padding.top, rows.end + problem.padding.top};
  const Range x{std::max<index_t>(full.begin - problem.h + 1, 0), std::min(full.end, problem.H)};
  Problem strip = problem;
  strip.H = x.size();
  strip.padding.top = full.begin - x.begin;
  strip.padding.bottom = x.end + problem.h - 1 - full.end;
  return {rows, x, strip};
}

template <class T>
StripConvolution<T>::StripConvolution(const Problem& problem, const Algorithm& algorithm,
                                      const PlanOptions& options, double memory)
    : problem_(problem), algorithm_(algorithm), options_(options) {
  const index_t all = problem.output_rows();
  // Half for the strip, half for the workspace; more of either where the other takes less.
  const double row = strip_bytes<T>(problem, 2) - strip_bytes<T>(problem, 1);
  const double overlap = strip_bytes<T>(problem, 1) - row;
  const double kernel = tensor_bytes<T>(problem.k_extents());
  const double room = std::min((memory - kernel) / 2, kMostBytes + overlap) - overlap;
  rows_ = std::clamp<index_t>(static_cast<index_t>(std::max(room / row, 0.0)), 1, all);
  for (;; rows_ = rows_ / 2) {
    const double left = memory - kernel - strip_bytes<T>(problem, rows_);
    options_.workspace_limit = static_cast<std::size_t>(std::max(left, 0.0));
    const index_t begin = std::min(problem.h, all - rows_);
    const Plan<T>* plan = plan_for(strip_of(problem, {begin, begin + rows_}).problem);
    if (plan != nullptr && static_cast<double>(plan->workspace_bytes()) <= left) return;
    if (rows_ > 1) continue;
    if (plan == nullptr) return;
    throw UsageError(fmt::format(
        "{} takes {} for a single row: expected at most the {} of --memory", to_string(problem),
        bytes_as_text(kernel + strip_bytes<T>(problem, 1) +
                      static_cast<double>(plan->workspace_bytes())),
        bytes_as_text(memory)));
  }
}

template <class T>
double StripConvolution<T>::expected_seconds() const {
  return static_cast<double>(count()) *
         forecast_of<T>(algorithm_, plan_->problem(), options_).seconds();
}

template <class T>
double StripConvolution<T>::expected_seconds_as_a_whole() const {
  PlanOptions options = options_;
  options.workspace_limit.reset();
  return forecast_of<T>(algorithm_, problem_, options).seconds();
}

template <class T>
Plan<T>* StripConvolution<T>::plan_for(const Problem& strip) {
  if (plan_ && plan_->problem() == strip) return plan_.get();
  plan_.reset();
  declined_.clear();
  Planned<T> planned = make_plan<T>(algorithm_, strip, options_);
  if (auto* declined = std::get_if<Declined>(&planned)) {
    declined_ = std::move(declined->reason);
    return nullptr;
  }
  plan_ = std::move(std::get<0>(planned));
  return plan_.get();
}

template <class T>
void StripConvolution<T>::run(NpyReader& image, const std::vector<T>& k, OutputFile& y) {
  const index_t all = problem_.output_rows(), W = problem_.W, columns = problem_.output_columns();
  const Progress progress(all);
  const auto elements = [](index_t count) { return static_cast<std::size_t>(count); };
  std::vector<T> x_rows(elements(std::min(problem_.H, rows_ + problem_.h - 1) * W));
  std::vector<T> y_rows(elements(rows_ * columns));
  Range held{0, 0};  // rows of x, at the front of x_rows
  for (index_t begin = 0; begin < all; begin += rows_) {
    const Strip strip = strip_of(problem_, {begin, std::min(begin + rows_, all)});
    const Range kept = intersection(held, strip.x);
    if (!kept.empty()) {
      const auto from = x_rows.begin() + (kept.begin - held.begin) * W;
      std::copy(from, from + kept.size() * W, x_rows.begin());
    } else {
      image.skip<T>((strip.x.begin - held.end) * W);
    }
    const index_t held_rows = kept.empty() ? 0 : kept.size();
    image.read(std::span(x_rows).subspan(elements(held_rows * W),
                                         elements((strip.x.size() - held_rows) * W)));
    held = strip.x;

    const std::span result = std::span(y_rows).first(elements(strip.y.size() * columns));
    plan_for(strip.problem)
        ->execute({x_rows.data(), strip.problem.x_extents()}, {k.data(), problem_.k_extents()},
                  {result.data(), strip.problem.y_extents()});
    y.write(std::as_bytes(result));
    progress.show(strip.y.end);
  }
  image.skip<T>((problem_.H - held.end) * W);
  image.expect_end();
}

template class StripConvolution<float>;
template class StripConvolution<double>;

}  // namespace fullconv::cli
