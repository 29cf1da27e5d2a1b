#include "core/layer_plan.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/buffer.h"
#include "core/interleave.h"
#include "core/layer_sharing.h"
#include "core/parallel.h"
#include "core/plane.h"
#include "core/reduction.h"
#include "core/staged_plan.h"

namespace fullconv {
namespace {

template <class T>
using PlanPointer = std::unique_ptr<Plan<T>>;

/// Runs a plan for the whole output and copies the window that is wanted: for algorithms that know
/// no window.
template <class T>
class CroppedPlan final : public Plan<T> {
 public:
  CroppedPlan(const Problem& problem, PlanPointer<T> whole)
      : Plan<T>(problem),
        whole_(std::move(whole)),
        y_(element_count(whole_->problem().y_extents())) {}

  std::size_t workspace_bytes() const override { return whole_->workspace_bytes() + y_.bytes(); }
  int threads() const override { return whole_->threads(); }
  std::string algorithm() const override { return whole_->algorithm(); }
  std::string implementation() const override { return whole_->implementation(); }
  bool takes_any_strides() const override { return whole_->takes_any_strides(); }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    whole_->execute(x, k, whole_y());
    copy_window(y);
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    return this->prepare_by(*whole_, k);
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    this->execute_prepared_by(*whole_, x, k, whole_y());
    copy_window(y);
  }

 private:
  TensorView<T> whole_y() const { return {y_.data(), whole_->problem().y_extents()}; }

  void copy_window(const TensorView<T>& y) const {
    const Padding& crop = this->problem().padding;
    const TensorView<T> whole = whole_y();
    copy_elements(TensorView<T>{&whole(0, 0, crop.top, crop.left), y.extents, whole.strides}, y);
  }

  PlanPointer<T> whole_;
  Buffer<T> y_;
};

/// `algorithm`'s own plan of a dense problem.
template <class T>
Planned<T> plan_dense(const Algorithm& algorithm, const Problem& problem,
                      const PlanOptions& options) {
  if (problem.is_whole() || algorithm.crops) return algorithm.plan_alone<T>(problem, options);
  Planned<T> planned = algorithm.plan_alone<T>(whole_of(problem), options);
  if (auto* whole = std::get_if<PlanPointer<T>>(&planned)) {
    return std::make_unique<CroppedPlan<T>>(problem, std::move(*whole));
  }
  return planned;
}

/// Writes rows of y whose columns belong to several parts, or to none.
template <class T>
class RowWriter {
 public:
  explicit RowWriter(const AxisReduction& columns) : columns_(columns) {}

  /// `sources`: of each part its row; `step`: elements between columns of y.
  void write(T* y, index_t step, index_t outputs, const T* const* sources) const {
    if (columns_.output_step == 2 && step == 1 && writes_in_pairs(outputs)) {
      write_pairs(y, outputs, sources);
      return;
    }
    if (!columns_.reaches_all) {
      for (index_t j = 0; j < outputs; ++j) y[j * step] = T{0};
    }
    for (std::size_t part = 0; part < columns_.parts.size(); ++part) {
      const AxisPart& across = columns_.parts[part];
      T* to = y + across.first_output * step;
      for (index_t j = 0; j < across.window.size(); ++j) {
        to[j * columns_.output_step * step] = sources[part][j];
      }
    }
  }

 private:
  /// Whether each part has all even or all odd columns.
  bool writes_in_pairs(index_t outputs) const {
    return std::ranges::all_of(columns_.parts, [&](const AxisPart& part) {
      return part.first_output < 2 && part.window.size() == (outputs + 1 - part.first_output) / 2;
    });
  }

  void write_pairs(T* y, index_t outputs, const T* const* sources) const {
    const T* of[2] = {nullptr, nullptr};  // even and odd columns
    for (std::size_t part = 0; part < columns_.parts.size(); ++part) {
      of[columns_.parts[part].first_output] = sources[part];
    }
    interleave(of[0], of[1], outputs, y);
  }

  const AxisReduction& columns_;
};

/// Runs the dense problems of a layer, one after the other; threads share groups.
template <class T>
class LayerPlan final : public Plan<T> {
 public:
  /// `plans`: of each thread that takes groups, of each row shape, of each column shape.
  LayerPlan(const Problem& problem, Reduction reduction, std::vector<PlanPointer<T>> plans,
            const Sharing& sharing, const LayerRoom& room, bool any_strides)
      : Plan<T>(problem),
        reduction_(std::move(reduction)),
        plans_(std::move(plans)),
        threads_of_groups_(sharing.plans),
        any_strides_(any_strides),
        spread_(reduction_.columns.output_step > 1),
        staged_elements_(room.staged_elements),
        staged_(threads_of_groups_ * staged_elements_),
        rows_of_parts_(room.row_pointers) {}

  std::size_t workspace_bytes() const override {
    std::size_t bytes = staged_.bytes() + rows_of_parts_.bytes();
    for (const PlanPointer<T>& plan : plans_) bytes += plan->workspace_bytes();
    return bytes;
  }
  int threads() const override { return std::max(threads_of_groups_, threads_of_plans()); }
  std::string algorithm() const override {
    return joined([](const Plan<T>& plan) { return plan.algorithm(); });
  }
  std::string implementation() const override {
    return joined([](const Plan<T>& plan) { return plan.implementation(); });
  }
  bool takes_any_strides() const override { return any_strides_; }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    run_groups(x, y,
               [&](const Part& part, Plan<T>& plan, const TensorView<const T>& samples,
                   const TensorView<T>& outputs) {
                 this->execute_by(plan, samples, taps_of(part, k), outputs);
               });
  }

  std::unique_ptr<PreparedKernel<T>> run_prepare(const TensorView<const T>& k) override {
    auto prepared = std::make_unique<PreparedParts>();
    prepared->kernels.resize(static_cast<std::size_t>(this->problem().groups) * parts());
    for_each_part([&](const Part& part) {
      prepared->kernels[place_of(part)] = this->prepare_by(plan_of(part, 0), taps_of(part, k));
    });
    return prepared;
  }
  void run_prepared(const TensorView<const T>& x, const PreparedKernel<T>& k,
                    const TensorView<T>& y) override {
    const auto& kernels = static_cast<const PreparedParts&>(k).kernels;
    run_groups(x, y,
               [&](const Part& part, Plan<T>& plan, const TensorView<const T>& samples,
                   const TensorView<T>& outputs) {
                 this->execute_prepared_by(plan, samples, *kernels[place_of(part)], outputs);
               });
  }

 private:
  /// What the plans say, each thing once, with commas.
  template <class Ask>
  std::string joined(const Ask& ask) const {
    std::vector<std::string> said;
    std::string text;
    for (const PlanPointer<T>& plan : plans_) {
      std::string answer = ask(*plan);
      if (answer.empty() || std::ranges::find(said, answer) != said.end()) continue;
      text += (text.empty() ? "" : ", ") + answer;
      said.push_back(std::move(answer));
    }
    return text;
  }

  /// A dense problem of a group.
  struct Part {
    index_t group;
    std::size_t down, across;  // of the parts of the reduction
  };

  /// What the dense problems keep of their kernels.
  struct PreparedParts final : PreparedKernel<T> {
    std::vector<std::unique_ptr<PreparedKernel<T>>> kernels;

    std::size_t bytes() const override {
      std::size_t sum = 0;
      for (const auto& kernel : kernels) sum += kernel->bytes();
      return sum;
    }
  };

  std::size_t parts() const {
    return reduction_.rows.parts.size() * reduction_.columns.parts.size();
  }

  std::size_t place_of(const Part& part) const {
    return static_cast<std::size_t>(part.group) * parts() +
           part.down * reduction_.columns.parts.size() + part.across;
  }

  template <class Visit>
  void for_each_part(const Visit& visit) const {
    for (index_t group = 0; group < this->problem().groups; ++group)
      for (std::size_t down = 0; down < reduction_.rows.parts.size(); ++down)
        for (std::size_t across = 0; across < reduction_.columns.parts.size(); ++across) {
          visit(Part{group, down, across});
        }
  }

  Plan<T>& plan_of(const Part& part, int thread) const {
    const auto& [rows, columns] = reduction_;
    const std::size_t of_thread = static_cast<std::size_t>(thread) * rows.shapes.size();
    return *plans_[(of_thread + rows.parts[part.down].shape) * columns.shapes.size() +
                   columns.parts[part.across].shape];
  }

  TensorView<const T> samples_of(const Part& part, const TensorView<const T>& x) const {
    const auto& [rows, columns] = reduction_;
    const index_t o = part.group * (this->problem().K / this->problem().groups);
    const AxisPart &down = rows.parts[part.down], &across = columns.parts[part.across];
    return every(rows.sample_step, columns.sample_step,
                 &x(0, o, down.first_sample, across.first_sample),
                 plan_of(part, 0).problem().x_extents(), x.strides);
  }

  TensorView<const T> taps_of(const Part& part, const TensorView<const T>& k) const {
    const auto& [rows, columns] = reduction_;
    const index_t o = part.group * (this->problem().K / this->problem().groups);
    const AxisPart &down = rows.parts[part.down], &across = columns.parts[part.across];
    return every(rows.tap_step, columns.tap_step, &k(o, 0, down.first_tap, across.first_tap),
                 plan_of(part, 0).problem().k_extents(), k.strides);
  }

  index_t parts_across() const { return static_cast<index_t>(reduction_.columns.parts.size()); }

  int threads_of_plans() const {
    int most = 1;
    for (const PlanPointer<T>& plan : plans_) most = std::max(most, plan->threads());
    return most;
  }

  /// Calls run(part, its plan, its samples, where its outputs go) for all.
  template <class Run>
  void run_groups(const TensorView<const T>& x, const TensorView<T>& y, const Run& run) {
    parallel_for(threads_of_groups_, this->problem().groups,
                 [&](index_t group, int thread) { run_group(group, thread, x, y, run); });
    if (!reduction_.rows.reaches_all) clear_unreached_rows(y);
  }

  template <class Run>
  void run_group(index_t group, int thread, const TensorView<const T>& x, const TensorView<T>& y,
                 const Run& run) {
    const auto& [rows, columns] = reduction_;
    const Problem& layer = this->problem();
    const index_t c = group * (layer.C / layer.groups);
    for (std::size_t down = 0; down < rows.parts.size(); ++down) {
      const TensorView<T> y_rows{
          &y(0, c, rows.parts[down].first_output, 0),
          {layer.N, layer.C / layer.groups, rows.parts[down].window.size(), y.extents[3]},
          {y.strides[0], y.strides[1], y.strides[2] * rows.output_step, y.strides[3]}};
      T* staged = staged_.data() + thread * staged_elements_;
      for (std::size_t across = 0; across < columns.parts.size(); ++across) {
        const Part part{group, down, across};
        Plan<T>& plan = plan_of(part, thread);
        const Extents extents = plan.problem().y_extents();
        run(part, plan, samples_of(part, x), spread_ ? TensorView<T>(staged, extents) : y_rows);
        staged += element_count(extents);
      }
      if (spread_) write_rows(thread, y_rows);
    }
  }

  /// Spreads what the column parts have left in a thread's room.
  void write_rows(int thread, const TensorView<T>& y) {
    const RowWriter<T> writer(reduction_.columns);
    const index_t rows = y.extents[2];
    const index_t of_all_planes = y.extents[0] * y.extents[1] * rows;
    const int threads = threads_of_groups_ > 1 ? 1 : threads_of_plans();
    parallel_for(threads, y.extents[0] * y.extents[1], [&](index_t plane, int copier) {
      const T** sources = rows_of_parts_.data() + (thread + copier) * parts_across();
      for (index_t i = 0; i < rows; ++i) {
        const T* staged = staged_.data() + thread * staged_elements_;
        for (index_t part = 0; part < parts_across(); ++part) {
          const index_t width =
              reduction_.columns.parts[static_cast<std::size_t>(part)].window.size();
          sources[part] = staged + (plane * rows + i) * width;
          staged += of_all_planes * width;
        }
        writer.write(&y(plane / y.extents[1], plane % y.extents[1], i, 0), y.strides[3],
                     y.extents[3], sources);
      }
    });
  }

  void clear_unreached_rows(const TensorView<T>& y) const {
    const AxisReduction& rows = reduction_.rows;
    for (index_t i = 0; i < y.extents[2]; ++i) {
      const bool reached = std::ranges::any_of(rows.parts, [&](const AxisPart& part) {
        const index_t from_first = i - part.first_output;
        return from_first >= 0 && from_first % rows.output_step == 0 &&
               from_first / rows.output_step < part.window.size();
      });
      if (reached && !reduction_.columns.parts.empty()) continue;
      for (index_t n = 0; n < y.extents[0]; ++n)
        for (index_t c = 0; c < y.extents[1]; ++c)
          for (index_t j = 0; j < y.extents[3]; ++j) y(n, c, i, j) = T{0};
    }
  }

  /// A view of every so-manieth row and column. Where there is one only, its stride is that of a
  /// dense view, for whoever is faster on these: n1_i1024_o512_14x14_k1x1_s2x2 took `auto` 2.2
  /// times as long.
  static TensorView<const T> every(index_t row_step, index_t column_step, const T* first,
                                   const Extents& extents, const Extents& strides) {
    const Extents dense = dense_strides(extents);
    return {first,
            extents,
            {strides[0], strides[1], extents[2] > 1 ? strides[2] * row_step : dense[2],
             extents[3] > 1 ? strides[3] * column_step : dense[3]}};
  }

  Reduction reduction_;
  std::vector<PlanPointer<T>> plans_;
  int threads_of_groups_;
  bool any_strides_;
  bool spread_;                     // the columns of a part are not neighbours in y
  index_t staged_elements_;         // of a thread
  Buffer<T> staged_;                // outputs of column parts, one behind the other
  Buffer<const T*> rows_of_parts_;  // a thread's sources of a row of y
};

}  // namespace

bool takes_as_it_is(const Algorithm& algorithm, const Problem& problem) {
  if (algorithm.layers == Layers::native) return true;
  if (problem.is_dense()) {
    return problem.is_whole() || (algorithm.crops && Reduction(problem).is_trivial(problem));
  }
  return algorithm.takes_strides != nullptr && problem.groups == 1 &&
         problem.dilation == PerAxis{1, 1} && algorithm.takes_strides(problem);
}

template <class T>
Planned<T> plan_adapted(const Algorithm& algorithm, const Problem& problem,
                        const PlanOptions& options) {
  Reduction reduction(problem);
  if (reduction.is_trivial(problem)) {
    return with_any_strides<T>(plan_dense<T>(algorithm, problem, options), options);
  }
  const Sharing sharing = sharing_of(problem, options);
  const LayerRoom room(problem, reduction, sharing);
  const AnyStrides strided = strided_operands(reduction, options);
  const PlanOptions for_dense = dense_options(problem, reduction, sharing, options, sizeof(T));
  bool any_strides = true;
  std::vector<PlanPointer<T>> plans;
  for (int copy = 0; copy < sharing.plans; ++copy) {
    for (const AxisPart& rows : reduction.rows.shapes) {
      for (const AxisPart& columns : reduction.columns.shapes) {
        Planned<T> planned =
            plan_dense<T>(algorithm, Reduction::part(problem, rows, columns), for_dense);
        auto* plan = std::get_if<PlanPointer<T>>(&planned);
        if (plan == nullptr) return planned;
        if (!(*plan)->takes_any_strides()) {
          any_strides = options.any_strides;
          AnyStrides copied = strided;
          copied.k = copied.k && !(*plan)->takes_any_kernel_strides();
          if (copied.any()) *plan = std::make_unique<StagedPlan<T>>(std::move(*plan), copied);
        }
        plans.push_back(std::move(*plan));
      }
    }
  }
  return std::make_unique<LayerPlan<T>>(problem, std::move(reduction), std::move(plans), sharing,
                                        room, any_strides);
}

template Planned<float> plan_adapted(const Algorithm&, const Problem&, const PlanOptions&);
template Planned<double> plan_adapted(const Algorithm&, const Problem&, const PlanOptions&);

}  // namespace fullconv
