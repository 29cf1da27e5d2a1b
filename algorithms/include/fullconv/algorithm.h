#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fullconv/error_model.h"
#include "fullconv/memory.h"
#include "fullconv/problem.h"
#include "fullconv/view.h"

namespace fullconv {

/// What an algorithm does where operands hold NaN or ±Inf.
enum class NonFinite {
  as_defined,          ///< a tap outside the image does not exist
  multiplies_padding,  ///< as if the image were surrounded by zeros, so that 0·Inf = NaN appears
  spreads,      ///< each output plane that a non-finite operand plane enters may be NaN throughout
  unspecified,  ///< even a finite value may come out where the definition has none
};

/// How much time planning may take to make executing faster.
enum class Effort {
  estimate,  ///< decide from the sizes alone: microseconds
  measure,   ///< time the alternatives: up to seconds
};

struct PlanOptions {
  int threads = 1;                   ///< use at most this many threads
  Effort effort = Effort::estimate;  ///< what to spend on planning
  /// Book room so that operands may have any strides, beside the workspace that is limited below.
  /// Without it, an algorithm that needs innermost stride 1 refuses other views in execute().
  bool any_strides = false;
  /// The error bound that `auto` has to promise: componentwise rules out transforms. The other
  /// algorithms promise what their row says.
  ErrorModel accuracy = ErrorModel::normwise;
  /// A relative tolerance, for `auto`: it takes only algorithms that bound each error of y[n,c] by
  /// this times Σ_o‖x[n,o]‖₂‖k[o,c]‖₂ + ‖y[n,c]‖₂, see relative_bound(). Results of whole numbers
  /// then need not be whole numbers.
  std::optional<double> tolerance = {};
  /// The same bits for any number of threads, and for either effort: on one thread, by what is
  /// chosen by estimate.
  bool reproducible = false;
  /// How much workspace `auto` may plan for; unless told, as much as x, k and y together and 64
  /// MiB. Others may go slower to keep to it, but need not.
  std::optional<std::size_t> workspace_limit = {};
};

/// Why an algorithm does not take a problem: an answer, not an error.
struct Declined {
  std::string reason;
};

/// Whether y is overwritten or added to.
enum class Accumulate { no, yes };

/// What a plan keeps of a kernel between prepare() and execute_prepared().
template <class T>
class PreparedKernel {
 public:
  virtual ~PreparedKernel() = default;
  PreparedKernel(const PreparedKernel&) = delete;
  PreparedKernel& operator=(const PreparedKernel&) = delete;

  virtual std::size_t bytes() const = 0;

 protected:
  PreparedKernel() = default;
};

/// A problem made ready to run: owns workspace, twiddles and library handles.
///
/// One plan serves one thread at a time; different plans are independent. A debug build of the
/// library throws std::logic_error from execute() where two threads share one.
template <class T>
class Plan {
 public:
  virtual ~Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  const Problem& problem() const { return problem_; }

  /// Bytes that this plan holds beside the operands.
  virtual std::size_t workspace_bytes() const { return 0; }

  /// Threads that execute() uses: at most what was asked for.
  virtual int threads() const { return 1; }

  /// The name of the algorithm whose code execute() runs. With `auto` it is the algorithm that was
  /// chosen, or the one whose shortcut the last execution took. Several names, with commas, where
  /// the dense problems of a layer are computed by different ones.
  virtual std::string algorithm() const { return std::string(algorithm_); }

  /// The code that execute() runs, as far as the algorithm's name leaves that open: what a library
  /// chose for this problem, the instruction set in use. One line, in the words of the library that
  /// was asked; empty where nothing is known.
  virtual std::string implementation() const { return {}; }

  /// Whether execute() takes operands of any strides, or only those with innermost stride 1.
  virtual bool takes_any_strides() const { return false; }

  /// Whether the kernel may have any strides; it may where all operands may.
  virtual bool takes_any_kernel_strides() const { return takes_any_strides(); }

  /// Overwrites y[N,C,H+h−1,W+w−1] with x[N,K,H,W] ∗ k[K,C,h,w], the shapes of a layer being those
  /// of its problem. Allocates nothing.
  ///
  /// Accumulate::yes adds to y instead, with one more rounding of each element. Only the first such
  /// call may allocate: where an algorithm can't add in place, a room as large as y.
  ///
  /// Throws std::invalid_argument, with y untouched, if a shape or stride is not what the plan was
  /// made for, if elements of y could share memory, or if the memory that y spans overlaps that of
  /// x or k.
  void execute(const TensorView<const T>& x, const TensorView<const T>& k, const TensorView<T>& y,
               Accumulate accumulate = Accumulate::no);

  /// Does once what depends on the values of k[K,C,h,w], for weights that stay as they are: packs
  /// or transforms them where the algorithm can use that, else copies them. What is kept is
  /// allocated here, holds until the next prepare(), and execute() does not touch it; k may change.
  ///
  /// Throws std::invalid_argument if a shape or stride is not what the plan was made for, and
  /// InsufficientMemory.
  void prepare(const TensorView<const T>& k);

  /// As execute(), by the kernel that was prepared last. Throws std::logic_error if none was.
  void execute_prepared(const TensorView<const T>& x, const TensorView<T>& y,
                        Accumulate accumulate = Accumulate::no);

  /// Bytes that prepare() keeps, beside the workspace.
  std::size_t prepared_bytes() const { return prepared_ ? prepared_->bytes() : 0; }

 protected:
  explicit Plan(const Problem& problem)
      : problem_(problem),
        dense_x_(nullptr, problem.x_extents()),
        dense_k_(nullptr, problem.k_extents()),
        dense_y_(nullptr, problem.y_extents()) {}

  /// What execute() does once the operands are known to fit.
  virtual void run(const TensorView<const T>& x, const TensorView<const T>& k,
                   const TensorView<T>& y) = 0;

  /// Adds x ∗ k to y and returns true, or does nothing and returns false.
  virtual bool run_adding(const TensorView<const T>& x, const TensorView<const T>& k,
                          const TensorView<T>& y);

  /// What run_prepared() needs of k: unless told, a KernelCopy.
  virtual std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k);

  /// As run(), by what run_prepare() returned.
  virtual void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                            const TensorView<T>& y);

  /// For plans around others, of operands that they have checked: execute() would once more, 12 %
  /// of n1_i512_o512_14x14_k3x3_p1x1x1x1_g512 by planes.
  static void execute_by(Plan& plan, const TensorView<const T>& x, const TensorView<const T>& k,
                         const TensorView<T>& y) {
    plan.run(x, k, y);
  }
  static std::unique_ptr<PreparedKernel<T>> prepare_by(Plan& plan, const TensorView<const T>& k) {
    return plan.run_prepare(k);
  }
  static void execute_prepared_by(Plan& plan, const TensorView<const T>& x,
                                  const PreparedKernel<T>& k, const TensorView<T>& y) {
    plan.run_prepared(x, k, y);
  }

 private:
  /// Throws where the operands do not fit.
  void check(const TensorView<const T>& x, const TensorView<const T>& k,
             const TensorView<T>& y) const;
  void check_operand(char name, const TensorView<const T>& operand, const Extents& expected) const;
  void check_output(const TensorView<T>& y) const;

  /// Calls run(y), or with what it writes elsewhere adds that to y.
  template <class Run>
  void add(const TensorView<T>& y, const Run& run);

  friend struct Algorithm;

  Problem problem_;
  std::string_view algorithm_;  // who planned it; whoever runs other plans asks them instead
  TensorView<const T> dense_x_, dense_k_;  // shapes and strides
  TensorView<T> dense_y_;
  std::atomic<bool> running_ = false;
  std::unique_ptr<PreparedKernel<T>> prepared_;
  std::shared_ptr<T> sums_;  // room for what is to be added to y
};

/// A faster method for some kernels, planned together with a plan for all others. Whether a kernel
/// is one of them is decided when it is executed.
template <class T>
class Shortcut {
 public:
  virtual ~Shortcut() = default;
  Shortcut(const Shortcut&) = delete;
  Shortcut& operator=(const Shortcut&) = delete;

  virtual std::size_t workspace_bytes() const = 0;
  virtual int threads() const = 0;

  /// Overwrites y with x ∗ k, or leaves it as it is and returns false. Operands are those of
  /// Plan::execute(), with innermost stride 1. Allocates nothing.
  virtual bool try_execute(const TensorView<const T>& x, const TensorView<const T>& k,
                           const TensorView<T>& y) = 0;

 protected:
  Shortcut() = default;
};

/// Makes a shortcut for a problem that takes so many seconds without it. Null where it would not be
/// faster, or would need more workspace than the options allow.
template <class T>
using ShortcutPlanner = std::unique_ptr<Shortcut<T>> (*)(const Problem&, const PlanOptions&,
                                                         double seconds);

/// One plane of a tensor whose rows are dense: core/plane.h.
template <class T>
struct Plane;

/// A window of x ∗ k, or += where `add`: y(i, j) is the full output's, and what is not wanted of it
/// is neither read nor written, and need not be there.
template <class T>
using WindowSums = void (*)(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y,
                            const Window& wanted, bool add);

template <class T>
using Planned = std::variant<std::unique_ptr<Plan<T>>, Declined>;

template <class T>
using Planner = Planned<T> (*)(const Problem&, const PlanOptions&);

/// The operations that an algorithm performs, as opposed to the nominal 2·multiply_adds.
using OperationCount = double (*)(const Problem&);

/// What is known of a plan before it is made.
struct Forecast {
  /// A part of what execute() does, and its time at the rates built in. Parts of one name are
  /// bound by the same thing, and calibrate() finds out how much longer they take elsewhere.
  struct Term {
    std::string_view name;  ///< one word
    double seconds;
  };
  std::vector<Term> terms;
  std::size_t workspace_bytes = 0;

  double seconds() const {
    double sum = 0;
    for (const Term& term : terms) sum += term.seconds;
    return sum;
  }
};

/// The forecast for scalars of `scalar_size` bytes, or none for a problem that is declined. Takes
/// no longer for large problems than for small ones.
using Forecaster = std::optional<Forecast> (*)(const Problem&, const PlanOptions&,
                                               std::size_t scalar_size);

/// Two for each product that exists.
constexpr double nominal_operations(const Problem& problem) {
  return 2.0 * static_cast<double>(problem.multiply_adds());
}

/// Two for each output and tap, inside the image or not.
constexpr double padded_operations(const Problem& problem) {
  const index_t N = problem.N, K = problem.K, C = problem.C, h = problem.h, w = problem.w;
  return 2.0 * static_cast<double>(N * K * (C / problem.groups)) * static_cast<double>(h * w) *
         static_cast<double>(problem.output_rows() * problem.output_columns());
}

/// A size at which an algorithm changes its method, or the size of the pieces that it cuts a
/// problem into: a panel, a tile, a strip, a block. Tests try problems just below, at and just
/// above it.
struct Boundary {
  enum Of {
    batch,
    x_channels,
    y_channels,
    image_rows,
    image_columns,
    kernel_rows,
    kernel_columns,
    output_rows,
    output_columns
  };
  Of of;
  index_t at;
};

/// The boundaries for dense problems of about these sizes, without padding, for scalars of
/// `scalar_size` bytes.
using BoundaryList = std::vector<Boundary> (*)(const Problem&, const PlanOptions&,
                                               std::size_t scalar_size);

/// How an algorithm takes padding, stride, dilation, groups and output padding.
enum class Layers {
  adapted,  ///< as dense problems, to which the library reduces every layer
  native,   ///< by its own code
  none,     ///< not at all: it declines them
};

/// How often an algorithm runs another's code, so that it is no way of computing of its own.
enum class Delegates { never, sometimes, always };

/// One row of the registry.
struct Algorithm {
  std::string_view name;
  std::string_view summary;  ///< one line
  ErrorModel error_model;
  NonFinite non_finite;
  bool threaded = false;  ///< takes more than one thread
  /// Gives the same bits for any number of threads, if planned by estimate.
  bool same_bits = false;
  Layers layers = Layers::adapted;
  /// Computes a window of a dense problem's output alone. Without it the whole is computed, in room
  /// that the plan owns, and the window is copied.
  bool crops = false;
  /// Which layers with strides, but neither dilation nor groups, it takes by its own code; null for
  /// none.
  bool (*takes_strides)(const Problem&) = nullptr;
  /// Has code for several instruction sets, of which a portable build takes the best that the
  /// processor has.
  bool vectorized = false;
  /// Its plans take operands of any strides, or only kernels: samples or taps of a layer's dense
  /// problems are not gathered for it.
  bool any_strides = false;
  bool any_kernel_strides = false;
  /// Plan::prepare() does part of the work, not just a copy of the kernel.
  bool prepares = false;
  /// With a kernel that was prepared a plan gives the bits of execute().
  bool prepared_bits = true;
  Delegates delegates = Delegates::never;
  /// The operations of a problem that the planners below take; operations_of() is for any problem.
  OperationCount operations = nominal_operations;
  /// What the libraries beneath may allocate by themselves within execute(), and give back, in
  /// each thread.
  std::size_t scratch_bytes = 0;
  /// Forgets what planning has taught the library behind it, as FFTW's wisdom, so that the next
  /// plan is made as if it were the first; null where nothing is remembered.
  void (*forget)() = nullptr;
  /// By which `auto` considers it; null where it is not for `auto` to choose.
  Forecaster forecast = nullptr;
  /// Null where it has none, or leaves them to whom it delegates.
  BoundaryList boundaries = nullptr;
  Planner<float> plan_f32 = nullptr;   ///< null where float is not offered
  Planner<double> plan_f64 = nullptr;  ///< null where double is not offered
  /// What `auto` may try first, where errors need not be bounded componentwise; null where there is
  /// none. Its errors are bounded as error_model says, and it does with NaN and ±Inf what the
  /// definition does.
  ShortcutPlanner<float> shortcut_f32 = nullptr;
  ShortcutPlanner<double> shortcut_f64 = nullptr;
  /// Sums of products by which others recompute what they can't be trusted with, or null.
  WindowSums<float> window_sums_f32 = nullptr;
  WindowSums<double> window_sums_f64 = nullptr;

  /// Makes `problem` ready to run, or says why not.
  ///
  /// Throws std::invalid_argument if the problem or the options make no sense, and
  /// InsufficientMemory if the workspace would not fit into this machine.
  template <class T>
  Planned<T> plan(const Problem& problem, const PlanOptions& options = {}) const;

  /// The planner's own plan, around which plan() puts what all algorithms share. The planner must
  /// be there.
  template <class T>
  Planned<T> plan_alone(const Problem& problem, const PlanOptions& options) const;
};

/// The operations that `algorithm` performs on any problem that it takes.
double operations_of(const Algorithm& algorithm, const Problem& problem);

/// All algorithms that this build has, in the order of algorithms/CMakeLists.txt.
std::span<const Algorithm* const> algorithms();

/// The algorithm of that name, or null.
const Algorithm* find_algorithm(std::string_view name);

extern template class Plan<float>;
extern template class Plan<double>;

}  // namespace fullconv
