// oneDNN's convolutions, in two ways. `onednn` is the one that frameworks use for a layer's
// gradient: backward by data, where x is the gradient at the layer's output, k its weights (OIHW)
// unchanged, and y the gradient at its input. `onednn_forward` is a forward convolution, hence a
// correlation, of x padded by h−1 and w−1 with the flipped weights: oneDNN 2.6 has more care for
// few channels there. Each tensor is in the layout that oneDNN likes best for the problem, with
// reorders inside execute() where that is not ours.

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "peers/dense_plan.h"
#include "peers/onednn_api.h"
#include "peers/registry.h"

namespace fullconv::bench {
namespace {

using dnnl::memory;
using Forward = dnnl::convolution_forward;
using Backward = dnnl::convolution_backward_data;

constexpr auto kAnyLayout = memory::format_tag::any;
constexpr auto kDense = memory::format_tag::abcd;

memory::desc tensor(const Extents& extents, memory::format_tag layout) {
  return {{extents.begin(), extents.end()}, memory::data_type::f32, layout};
}

/// While this lives, oneDNN finds so many threads: it asks OpenMP.
class OpenMpThreads {
 public:
  explicit OpenMpThreads(int threads) : before_(omp_get_max_threads()) {
    omp_set_num_threads(threads);
  }
  ~OpenMpThreads() { omp_set_num_threads(before_); }
  OpenMpThreads(const OpenMpThreads&) = delete;
  OpenMpThreads& operator=(const OpenMpThreads&) = delete;

 private:
  int before_;
};

/// oneDNN's primitives that lead from x and k to y.
class OneDnnPlan : public DensePlan<float> {
 public:
  std::size_t workspace_bytes() const override { return bytes_; }
  int threads() const override { return threads_; }
  std::string implementation() const override { return implementation_; }

 protected:
  OneDnnPlan(const Problem& problem, int threads)
      : DensePlan<float>(problem),
        x_(tensor(problem.x_extents(), kDense), engine_, DNNL_MEMORY_NONE),
        y_(tensor(problem.y_extents(), kDense), engine_, DNNL_MEMORY_NONE),
        threads_(threads) {
    attributes_.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  }

  memory allocate(const memory::desc& description) {
    require_memory<std::byte>(static_cast<double>(description.get_size()));
    bytes_ += description.get_size();
    return {description, engine_};
  }

  /// Adds the convolution, and reorders around it. The roles are those that its arguments have.
  template <class Convolution>
  void add_convolution(const typename Convolution::primitive_desc& description, int x_role,
                       int k_role, int y_role) {
    const auto as_it_likes = [&](int role, const memory& ours) {
      const memory::desc layout = description.query_md(dnnl::query::exec_arg_md, role);
      return layout == ours.get_desc() ? ours : allocate(layout);
    };
    const memory x = as_it_likes(x_role, x_);
    const memory k = as_it_likes(k_role, k_);
    const memory y = as_it_likes(y_role, y_);
    if (x != x_) add_reorder(x_, x);
    k_step_ = steps_.size();
    if (k != k_) add_reorder(k_, k);
    k_role_ = k_role;
    convolution_ = steps_.size();
    add<Convolution>(description, {{x_role, x}, {k_role, k}, {y_role, y}});
    if (y != y_) add_reorder(y, y_);
    implementation_ = description.impl_info_str();
    for (const auto& [name, reordered] :
         {std::pair{"x", x != x_}, {"k", k != k_}, {"y", y != y_}}) {
      if (reordered) implementation_ += std::string(", ") + name + " reordered";
    }
  }

  /// Makes k_ hold the weights.
  virtual void take_weights(const float* k) = 0;

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::primitive_attr attributes_;
  memory x_, k_, y_;  // dense

 private:
  using Arguments = std::unordered_map<int, memory>;

  struct Step {
    dnnl::primitive primitive;
    Arguments arguments;
  };

  template <class Primitive>
  void add(const typename Primitive::primitive_desc& description, Arguments arguments) {
    arguments.insert({DNNL_ARG_SCRATCHPAD, allocate(description.scratchpad_desc())});
    steps_.push_back({Primitive(description), std::move(arguments)});
  }

  void add_reorder(const memory& from, const memory& to) {
    add<dnnl::reorder>({from, to, attributes_}, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  }

  /// Weights in the layout that the convolution takes.
  struct Weights final : PreparedKernel<float> {
    Arguments of_convolution;
    std::size_t size = 0;
    std::size_t bytes() const override { return size; }
  };

  void run_dense(const float* x, const float* k, float* y) final {
    const OpenMpThreads in_this_scope(threads_);
    take_weights(k);
    run_steps(x, y, [this](std::size_t step) { return &steps_[step].arguments; });
  }

  std::unique_ptr<PreparedKernel<float>> prepare_dense(const float* k) final {
    const OpenMpThreads in_this_scope(threads_);
    auto prepared = std::make_unique<Weights>();
    prepared->of_convolution = steps_[convolution_].arguments;
    memory& weights = prepared->of_convolution.at(k_role_);
    prepared->size = weights.get_desc().get_size();
    const memory copy(weights.get_desc(), engine_);
    take_weights(k);
    if (k_step_ != convolution_) {
      Arguments arguments = steps_[k_step_].arguments;
      arguments.at(DNNL_ARG_TO) = copy;
      steps_[k_step_].primitive.execute(stream_, arguments);
      stream_.wait();
    } else {
      std::memcpy(copy.get_data_handle(), weights.get_data_handle(), prepared->size);
    }
    weights = copy;
    return prepared;
  }

  void run_dense_prepared(const float* x, const PreparedKernel<float>& k, float* y) final {
    const OpenMpThreads in_this_scope(threads_);
    const auto& prepared = static_cast<const Weights&>(k);
    run_steps(x, y, [&](std::size_t step) -> const Arguments* {
      if (step == convolution_) return &prepared.of_convolution;
      return step == k_step_ ? nullptr : &steps_[step].arguments;
    });
  }

  /// Runs each step with the arguments that arguments_of(step) points to; null leaves it out.
  template <class ArgumentsOf>
  void run_steps(const float* x, float* y, const ArgumentsOf& arguments_of) {
    x_.set_data_handle(const_cast<float*>(x));
    y_.set_data_handle(y);
    for (std::size_t step = 0; step < steps_.size(); ++step) {
      if (const Arguments* arguments = arguments_of(step)) {
        steps_[step].primitive.execute(stream_, *arguments);
      }
    }
    stream_.wait();
  }

  dnnl::stream stream_{engine_};
  std::vector<Step> steps_;
  std::size_t k_step_ = 0, convolution_ = 0;  // of those; the same where k is not reordered
  int k_role_ = 0;
  std::string implementation_;
  int threads_;
  std::size_t bytes_ = 0;
};

/// Weights of G groups of channels each, [G, of x, of y, h, w] or with the channels in the other
/// order; without groups four axes.
memory::desc weights(index_t groups, index_t outer, index_t inner, index_t h, index_t w,
                     bool any_layout) {
  if (groups == 1) return tensor({outer, inner, h, w}, any_layout ? kAnyLayout : kDense);
  return {{groups, outer, inner, h, w},
          memory::data_type::f32,
          any_layout ? kAnyLayout : memory::format_tag::abcde};
}

class BackwardPlan final : public OneDnnPlan {
 public:
  BackwardPlan(const Problem& problem, int threads) : OneDnnPlan(problem, threads) {
    const Problem& p = problem;
    const auto k_in = [&](bool any_layout) {
      return weights(p.groups, p.K / p.groups, p.C / p.groups, p.h, p.w, any_layout);
    };
    k_ = {k_in(false), engine_, DNNL_MEMORY_NONE};
    const memory::desc x = tensor(p.x_extents(), kAnyLayout);
    const memory::desc k = k_in(true);
    const memory::desc y = tensor(p.y_extents(), kAnyLayout);
    // Rows that output padding adds are those that the layer's stride leaves over.
    const ConvolutionAxes axes{.strides = {p.stride.y, p.stride.x},
                               .dilations = {p.dilation.y - 1, p.dilation.x - 1},
                               .padding_before = {p.padding.top, p.padding.left},
                               .padding_after = {p.padding.bottom - p.output_padding.y,
                                                 p.padding.right - p.output_padding.x}};
    const auto forward =
        describe_forward(engine_, dnnl::prop_kind::forward_training, y, k, x, axes, {});
    add_convolution<Backward>(describe_backward(engine_, y, k, x, axes, forward, attributes_),
                              DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC);
  }

  static std::optional<Declined> declines(const Problem& problem) {
    if (problem.output_padding.y < problem.stride.y &&
        problem.output_padding.x < problem.stride.x) {
      return std::nullopt;
    }
    return Declined{"output padding: a layer with such an input has more outputs"};
  }

 private:
  void take_weights(const float* k) override { k_.set_data_handle(const_cast<float*>(k)); }
};

class ForwardPlan final : public OneDnnPlan {
 public:
  ForwardPlan(const Problem& problem, int threads) : OneDnnPlan(problem, threads) {
    const Problem& p = problem;
    const auto k_in = [&](bool any_layout) {
      return weights(p.groups, p.C / p.groups, p.K / p.groups, p.h, p.w, any_layout);
    };
    k_ = allocate(k_in(false));
    const index_t rows = (p.h - 1) * p.dilation.y;
    const index_t columns = (p.w - 1) * p.dilation.x;
    add_convolution<Forward>(
        describe_forward(engine_, dnnl::prop_kind::forward_inference,
                         tensor(p.x_extents(), kAnyLayout), k_in(true),
                         tensor(p.y_extents(), kAnyLayout),
                         {.strides = {1, 1},
                          .dilations = {p.dilation.y - 1, p.dilation.x - 1},
                          .padding_before = {rows - p.padding.top, columns - p.padding.left},
                          .padding_after = {rows - p.padding.bottom + p.output_padding.y,
                                            columns - p.padding.right + p.output_padding.x}},
                         attributes_),
        DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST);
  }

  static std::optional<Declined> declines(const Problem& problem) {
    const auto& [top, left, bottom, right] = problem.padding;
    if (problem.stride != PerAxis{1, 1}) {
      return Declined{"a forward convolution has no stride of its input"};
    }
    if (std::max(top, bottom) > (problem.h - 1) * problem.dilation.y ||
        std::max(left, right) > (problem.w - 1) * problem.dilation.x) {
      return Declined{"padding beyond the kernel would be a negative one"};
    }
    return std::nullopt;
  }

 private:
  /// Flips both axes and swaps the channels of each group.
  void take_weights(const float* k) override {
    const Problem& p = problem();
    const index_t K = p.K / p.groups, C = p.C / p.groups, taps = p.h * p.w;
    auto* weights = static_cast<float*>(k_.get_data_handle());
    for (index_t g = 0; g < p.groups; ++g)
      for (index_t o = 0; o < K; ++o)
        for (index_t c = 0; c < C; ++c) {
          const float* from = k + ((g * K + o) * C + c) * taps;
          std::reverse_copy(from, from + taps, weights + ((g * C + c) * K + o) * taps);
        }
  }
};

template <class SomePlan>
Planned<float> plan_onednn(const Problem& problem, const PlanOptions& options) {
  // It cuts the work for the threads that it finds when the primitive is made.
  const OpenMpThreads in_this_scope(options.threads);
  if (auto declined = SomePlan::declines(problem)) return *std::move(declined);
  try {
    return std::make_unique<SomePlan>(problem, options.threads);
  } catch (const dnnl::error& error) {
    return Declined{std::string("oneDNN: ") + error.what()};
  } catch (const InsufficientMemory& error) {
    // The memory of the algorithm that it chose: for a kernel larger than the image some versions
    // lower the whole layer.
    return Declined{std::string("oneDNN: ") + error.what()};
  }
}

index_t whole_vectors(index_t channels) {
  constexpr index_t kBlock = 16;
  return (channels + kBlock - 1) / kBlock * kBlock;
}

/// Its kernels want whole vectors of channels, with zeros where there are none: forward those of y,
double forward_operations(const Problem& problem) {
  if (problem.groups > 1) return padded_operations(problem);
  Problem blocked = problem;
  blocked.C = whole_vectors(problem.C);
  return padded_operations(blocked);
}

/// backward those of x, too.
double backward_operations(const Problem& problem) {
  if (problem.stride != PerAxis{1, 1} || problem.groups > 1) return nominal_operations(problem);
  Problem blocked = problem;
  blocked.K = whole_vectors(problem.K);
  return forward_operations(blocked);
}

/// oneDNN keeps the code that it has generated.
void forget_primitives() {
  const int capacity = dnnl::get_primitive_cache_capacity();
  dnnl::set_primitive_cache_capacity(0);
  dnnl::set_primitive_cache_capacity(capacity);
}

std::string version() {
  const dnnl_version_t& v = *dnnl::version();
  return "oneDNN " + std::to_string(v.major) + '.' + std::to_string(v.minor) + '.' +
         std::to_string(v.patch) + " (OpenMP)";
}

constinit const Algorithm kBackward{
    .name = "onednn",
    .summary = "oneDNN's direct convolution, backward by data, in the layouts that it likes best",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .layers = Layers::native,
    .prepares = true,
    .operations = backward_operations,
    .forget = forget_primitives,
    .plan_f32 = plan_onednn<BackwardPlan>,
};

constinit const Algorithm kForward{
    .name = "onednn_forward",
    .summary = "oneDNN's direct convolution, forward, of the padded image with flipped weights",
    .error_model = ErrorModel::componentwise,
    // Where there is AVX-512 padding is left out, with AVX2 it is multiplied.
    .non_finite = NonFinite::unspecified,
    .threaded = true,
    .layers = Layers::native,
    .prepares = true,
    .operations = forward_operations,
    .forget = forget_primitives,
    .plan_f32 = plan_onednn<ForwardPlan>,
};

}  // namespace

constinit const Contender peer::onednn{
    .algorithm = &kBackward,
    .kind = Kind::peer,
    .ledger = {.kernel_transform = Inclusion::inside,
               .layout_change = Inclusion::inside,
               .note = "code is generated when planning; blocked layouts, with channels padded to "
                       "whole vectors, are reordered to and from in each call; no Winograd"},
    .version = version,
};

constinit const Contender peer::onednn_forward{
    .algorithm = &kForward,
    .kind = Kind::peer,
    .ledger = {.kernel_transform = Inclusion::inside,
               .layout_change = Inclusion::inside,
               .note = "as onednn; weights are flipped and their channels swapped in each call"},
    .version = version,
};

}  // namespace fullconv::bench
