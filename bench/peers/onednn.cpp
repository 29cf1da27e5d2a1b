// oneDNN's convolutions, in two ways. `onednn` is the one that frameworks use for a layer's
// gradient: backward by data, where x is the gradient at the layer's output, k its weights (OIHW)
// unchanged, and y the gradient at its input. `onednn_forward` is a forward convolution, hence a
// correlation, of x padded by h−1 and w−1 with the flipped weights: oneDNN 2.6 has more care for
// few channels there. Each tensor is in the layout that oneDNN likes best for the problem, with
// reorders inside execute() where that is not ours.

#include <omp.h>

#include <algorithm>
#include <memory>
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
    if (k != k_) add_reorder(k_, k);
    add<Convolution>(description, {{x_role, x}, {k_role, k}, {y_role, y}});
    if (y != y_) add_reorder(y, y_);
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

  void run_dense(const float* x, const float* k, float* y) final {
    const OpenMpThreads in_this_scope(threads_);
    x_.set_data_handle(const_cast<float*>(x));
    take_weights(k);
    y_.set_data_handle(y);
    for (const Step& step : steps_) step.primitive.execute(stream_, step.arguments);
    stream_.wait();
  }

  dnnl::stream stream_{engine_};
  std::vector<Step> steps_;
  int threads_;
  std::size_t bytes_ = 0;
};

class BackwardPlan final : public OneDnnPlan {
 public:
  BackwardPlan(const Problem& problem, int threads) : OneDnnPlan(problem, threads) {
    k_ = {tensor(problem.k_extents(), kDense), engine_, DNNL_MEMORY_NONE};
    const memory::desc x = tensor(problem.x_extents(), kAnyLayout);
    const memory::desc k = tensor(problem.k_extents(), kAnyLayout);
    const memory::desc y = tensor(problem.y_extents(), kAnyLayout);
    const ConvolutionAxes axes{
        .strides = {1, 1}, .padding_before = {0, 0}, .padding_after = {0, 0}};
    const auto forward =
        describe_forward(engine_, dnnl::prop_kind::forward_training, y, k, x, axes, {});
    add_convolution<Backward>(describe_backward(engine_, y, k, x, axes, forward, attributes_),
                              DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC);
  }

 private:
  void take_weights(const float* k) override { k_.set_data_handle(const_cast<float*>(k)); }
};

class ForwardPlan final : public OneDnnPlan {
 public:
  ForwardPlan(const Problem& problem, int threads) : OneDnnPlan(problem, threads) {
    const index_t K = problem.K, C = problem.C, h = problem.h, w = problem.w;
    const Extents weights{C, K, h, w};
    k_ = allocate(tensor(weights, kDense));
    const memory::dims padding{h - 1, w - 1};
    add_convolution<Forward>(
        describe_forward(
            engine_, dnnl::prop_kind::forward_inference, tensor(problem.x_extents(), kAnyLayout),
            tensor(weights, kAnyLayout), tensor(problem.y_extents(), kAnyLayout),
            {.strides = {1, 1}, .padding_before = padding, .padding_after = padding}, attributes_),
        DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST);
  }

 private:
  /// Flips both axes and swaps the channels.
  void take_weights(const float* k) override {
    const Problem& problem = this->problem();
    const index_t K = problem.K, C = problem.C, h = problem.h, w = problem.w;
    auto* weights = static_cast<float*>(k_.get_data_handle());
    for (index_t o = 0; o < K; ++o)
      for (index_t c = 0; c < C; ++c) {
        const float* taps = k + (o * C + c) * h * w;
        std::reverse_copy(taps, taps + h * w, weights + (c * K + o) * h * w);
      }
  }
};

template <class SomePlan>
Planned<float> plan_onednn(const Problem& problem, const PlanOptions& options) {
  // It cuts the work for the threads that it finds when the primitive is made.
  const OpenMpThreads in_this_scope(options.threads);
  try {
    return std::make_unique<SomePlan>(problem, options.threads);
  } catch (const dnnl::error& error) {
    return Declined{std::string("oneDNN: ") + error.what()};
  } catch (const InsufficientMemory& error) {
    // Of its own choosing: for a kernel larger than the image some versions lower the whole layer.
    return Declined{std::string("oneDNN: ") + error.what()};
  }
}

index_t whole_vectors(index_t channels) {
  constexpr index_t kBlock = 16;
  return (channels + kBlock - 1) / kBlock * kBlock;
}

/// Its kernels want whole vectors of channels, with zeros where there are none: forward those of y,
double forward_operations(const Problem& problem) {
  Problem blocked = problem;
  blocked.C = whole_vectors(problem.C);
  return padded_operations(blocked);
}

/// backward those of x, too.
double backward_operations(const Problem& problem) {
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
    .layers = Layers::none,
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
    .layers = Layers::none,
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
