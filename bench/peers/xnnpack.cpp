// XNNPACK's deconvolution operator, by which TensorFlow Lite and PyTorch on phones compute a
// transposed convolution. Channels are last in x, k and y: [N,H,W,K], [C,h,w,K/g], [N,H',W',C]. An
// operator owns packed weights, so that one is made in each call, since training changes weights;
// prepared weights keep theirs.

#include <pthreadpool.h>
#include <xnnpack.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "peers/dense_plan.h"
#include "peers/registry.h"

namespace fullconv::bench {
namespace {

struct DeleteOperator {
  void operator()(xnn_operator_t op) const { xnn_delete_operator(op); }
};
using Operator = std::unique_ptr<xnn_operator, DeleteOperator>;

struct DestroyPool {
  void operator()(pthreadpool_t pool) const { pthreadpool_destroy(pool); }
};
using Pool = std::unique_ptr<pthreadpool, DestroyPool>;

void require(xnn_status status, const char* what) {
  if (status == xnn_status_success) return;
  throw std::runtime_error(std::string("XNNPACK: ") + what + " gives status " +
                           std::to_string(static_cast<int>(status)));
}

/// to[a,c,b] = from[a,b,c]
void transpose(const float* from, index_t A, index_t B, index_t C, float* to) {
  for (index_t a = 0; a < A; ++a, from += B * C, to += B * C)
    for (index_t b = 0; b < B; ++b)
      for (index_t c = 0; c < C; ++c) to[c * B + b] = from[b * C + c];
}

/// Bytes of its indirection buffer: where each tap of each output finds the channels of its pixel.
/// With a stride fewer taps meet each output.
double pointer_bytes(const Problem& p) {
  const auto outputs =
      static_cast<double>(p.output_rows()) * static_cast<double>(p.output_columns());
  const auto taps = std::ceil(static_cast<double>(p.h) / static_cast<double>(p.stride.y)) *
                    std::ceil(static_cast<double>(p.w) / static_cast<double>(p.stride.x));
  return outputs * taps * sizeof(void*);
}
constexpr double kMostPointerBytes = 0x1p32;

/// It computes with subnormals as zeros: each product and each sum may lose as much as the smallest
/// normal number, and each subnormal operand with it as much times the other, which is taken to be
/// at most 1.
long double bound_with_flushing(const ErrorTerms& t) {
  return bound_of_sums(t) + 3 * t.products * std::numeric_limits<float>::min();
}

class DeconvolutionPlan final : public DensePlan<float> {
 public:
  DeconvolutionPlan(const Problem& problem, int threads)
      : DensePlan<float>(problem),
        threads_(threads),
        pool_(threads > 1 ? pthreadpool_create(static_cast<std::size_t>(threads)) : nullptr),
        // It may read behind the end.
        x_(count(problem.x_extents()) + XNN_EXTRA_BYTES / sizeof(float)),
        k_(count(problem.k_extents())),
        y_(count(problem.y_extents())) {}

  std::size_t workspace_bytes() const override {
    // The packed weights are as large as k.
    return (x_.size() + 2 * k_.size() + y_.size()) * sizeof(float) +
           static_cast<std::size_t>(pointer_bytes(problem()));
  }
  int threads() const override { return threads_; }

 protected:
  void run_dense(const float* x, const float* k, float* y) override {
    const Operator op = make_operator(k);
    convolve(op.get(), x, y);
  }

  std::unique_ptr<PreparedKernel<float>> prepare_dense(const float* k) override {
    auto prepared = std::make_unique<PackedWeights>();
    prepared->op = make_operator(k);
    prepared->size = k_.size() * sizeof(float);
    return prepared;
  }

  void run_dense_prepared(const float* x, const PreparedKernel<float>& k, float* y) override {
    convolve(static_cast<const PackedWeights&>(k).op.get(), x, y);
  }

 private:
  struct PackedWeights final : PreparedKernel<float> {
    Operator op;
    std::size_t size = 0;
    std::size_t bytes() const override { return size; }
  };

  static std::uint32_t narrow(index_t size) { return static_cast<std::uint32_t>(size); }

  Operator make_operator(const float* k) {
    const Problem& p = problem();
    const index_t inputs = p.K / p.groups, outputs = p.C / p.groups, taps = p.h * p.w;
    // [K/g, C/g·h·w] of each group becomes [C/g·h·w, K/g].
    transpose(k, p.groups, inputs, outputs * taps, k_.data());
    constexpr float kAny = std::numeric_limits<float>::infinity();
    xnn_operator_t op = nullptr;
    require(xnn_create_deconvolution2d_nhwc_f32(
                narrow(p.padding.top), narrow(p.padding.right), narrow(p.padding.bottom),
                narrow(p.padding.left), narrow(p.h), narrow(p.w), narrow(p.stride.y),
                narrow(p.stride.x), narrow(p.dilation.y), narrow(p.dilation.x), narrow(p.groups),
                static_cast<std::size_t>(inputs), static_cast<std::size_t>(outputs),
                static_cast<std::size_t>(p.K), static_cast<std::size_t>(p.C), k_.data(), nullptr,
                -kAny, kAny, 0, nullptr, nullptr, &op),
            "xnn_create_deconvolution2d_nhwc_f32");
    return Operator(op);
  }

  void convolve(xnn_operator_t op, const float* x, float* y) {
    const Problem& p = problem();
    transpose(x, p.N, p.K, p.H * p.W, x_.data());
    std::size_t rows = 0, columns = 0;
    require(xnn_reshape_deconvolution2d_nhwc_f32(
                op, static_cast<std::size_t>(p.N), static_cast<std::size_t>(p.H),
                static_cast<std::size_t>(p.W), narrow(p.output_padding.y),
                narrow(p.output_padding.x), &rows, &columns, pool_.get()),
            "xnn_reshape_deconvolution2d_nhwc_f32");
    require(xnn_setup_deconvolution2d_nhwc_f32(op, x_.data(), y_.data()),
            "xnn_setup_deconvolution2d_nhwc_f32");
    require(xnn_run_operator(op, pool_.get()), "xnn_run_operator");
    transpose(y_.data(), p.N, p.output_rows() * p.output_columns(), p.C, y);
  }

  int threads_;
  Pool pool_;
  std::vector<float> x_, k_, y_;  // channels last
};

Planned<float> plan_deconvolution(const Problem& problem, const PlanOptions& options) {
  if (has_wide_output_padding(problem)) {
    return Declined{"has output padding that is not below the stride"};
  }
  // The library counts in 32 bits.
  double elements = 0;
  for (const Extents& extents : {problem.x_extents(), problem.k_extents(), problem.y_extents()}) {
    double count = 1;
    for (const index_t extent : extents) count *= static_cast<double>(extent);
    if (count > std::numeric_limits<std::int32_t>::max()) {
      return Declined{"has more elements than XNNPACK can count"};
    }
    elements += count;
  }
  if (pointer_bytes(problem) > kMostPointerBytes) {
    return Declined{"would take XNNPACK more than 4 GiB of pointers"};
  }
  require_memory<float>(2 * elements + pointer_bytes(problem) / sizeof(float));
  static const xnn_status initialized = xnn_initialize(nullptr);
  if (initialized != xnn_status_success) return Declined{"XNNPACK has no code for this processor"};
  return std::make_unique<DeconvolutionPlan>(problem, options.threads);
}

std::string version() { return "XNNPACK (it does not tell which; channels last)"; }

constinit const Algorithm kAlgorithm{
    .name = "xnnpack_deconvolution",
    .summary = "XNNPACK's deconvolution, channels last",
    .error_model = {.name = "componentwise_flushed",
                    .exact_on_integers = true,
                    .local = true,
                    .bound = bound_with_flushing},
    // NaN becomes Inf.
    .non_finite = NonFinite::unspecified,
    .threaded = true,
    .layers = Layers::native,
    .prepares = true,
    .plan_f32 = plan_deconvolution,
};

}  // namespace

constinit const Contender peer::xnnpack_deconvolution{
    .algorithm = &kAlgorithm,
    .kind = Kind::peer,
    .ledger = everything_inside(
        Inclusion::inside,
        "x, k and y are brought into its layout and back by plain loops; an operator "
        "packs its weights, so it is made anew in each call"),
    .version = version,
};

}  // namespace fullconv::bench
