// ONNX Runtime's ConvTranspose, as a program runs a model that has been exported: a session with
// one node. Its weights are laid out [K,C/g,h,w], as ours, and are an input like x, since training
// changes them; prepared ones are constants of a session of their own, which may pack them.

#include <fcntl.h>
#include <onnxruntime_cxx_api.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "peers/dense_plan.h"
#include "peers/onnx_model.h"
#include "peers/registry.h"

namespace fullconv::bench {
namespace {

Ort::SessionOptions options_for(int threads) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(threads);
  options.SetInterOpNumThreads(1);
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  return options;
}

/// Sends standard error nowhere while it is there.
class SilentStandardError {
 public:
  SilentStandardError() : kept_(::dup(STDERR_FILENO)) {
    if (const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC); nowhere >= 0) {
      ::dup2(nowhere, STDERR_FILENO);
      ::close(nowhere);
    }
  }
  SilentStandardError(const SilentStandardError&) = delete;
  SilentStandardError& operator=(const SilentStandardError&) = delete;
  ~SilentStandardError() {
    if (kept_ < 0) return;
    ::dup2(kept_, STDERR_FILENO);
    ::close(kept_);
  }

 private:
  int kept_;
};

/// With a first session behind it: that one registers the operators of the ONNX library, in
/// Debian's 1.23.2 twice, and writes a thousand lines about it. What it complains of otherwise is
/// an exception as well.
Ort::Env make_environment() {
  const SilentStandardError silent;
  Ort::Env environment(ORT_LOGGING_LEVEL_FATAL, "fullconv");
  const std::string model = onnx::conv_transpose({});
  Ort::Session(environment, model.data(), model.size(), options_for(1));
  return environment;
}

Ort::Env& environment() {
  static Ort::Env environment = make_environment();
  return environment;
}

std::string make_temporary_folder() {
  std::string folder = std::filesystem::temp_directory_path() / "fullconv-profile-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), folder);
  }
  return folder;
}

/// Operators and the provider that ran each, by the events of a profile.
std::string nodes_of(const std::string& profile) {
  std::ifstream file(profile);
  std::string nodes;
  for (const auto& event : nlohmann::json::parse(file)) {
    const auto args = event.find("args");
    if (args == event.end() || !args->contains("op_name") || !args->contains("provider")) continue;
    if (!nodes.empty()) nodes += ", ";
    nodes +=
        args->at("op_name").get<std::string>() + " by " + args->at("provider").get<std::string>();
  }
  return nodes;
}

/// Elements of the matrix that the product of weights and an image gives.
double columns(const Problem& problem) {
  return static_cast<double>(problem.h * problem.w) *
         static_cast<double>(problem.C * problem.H * problem.W);
}

class ConvTransposePlan final : public DensePlan<float> {
 public:
  ConvTransposePlan(const Problem& problem, int threads)
      : DensePlan<float>(problem), model_(onnx::conv_transpose(problem)), threads_(threads) {
    session_ = Ort::Session(environment(), model_.data(), model_.size(), options_for(threads));
  }

  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(columns(problem())) * sizeof(float);
  }
  int threads() const override { return threads_; }

  /// The nodes of its graph as its profile of a run names them: "ConvTranspose by
  /// CPUExecutionProvider". An optimised graph may have other ones than the model.
  std::string implementation() const override {
    const std::string folder = make_temporary_folder();
    Ort::SessionOptions options = options_for(threads_);
    options.EnableProfiling((folder + "/profile").c_str());
    Ort::Session session(environment(), model_.data(), model_.size(), options);
    std::vector<float> x(count(problem().x_extents())), k(count(problem().k_extents())),
        y(count(problem().y_extents()));
    run(session,
        std::array{as_tensor(x.data(), problem().x_extents()),
                   as_tensor(k.data(), problem().k_extents())},
        y.data());
    Ort::AllocatorWithDefaultOptions allocator;
    const std::string nodes = nodes_of(session.EndProfilingAllocated(allocator).get());
    std::filesystem::remove_all(folder);
    return nodes;
  }

 protected:
  void run_dense(const float* x, const float* k, float* y) override {
    run(session_,
        std::array{as_tensor(x, problem().x_extents()), as_tensor(k, problem().k_extents())}, y);
  }

  std::unique_ptr<PreparedKernel<float>> prepare_dense(const float* k) override {
    auto prepared = std::make_unique<ConstantWeights>();
    prepared->model = onnx::conv_transpose(problem(), k);
    prepared->session = Ort::Session(environment(), prepared->model.data(), prepared->model.size(),
                                     options_for(threads_));
    return prepared;
  }

  void run_dense_prepared(const float* x, const PreparedKernel<float>& k, float* y) override {
    auto& session = const_cast<Ort::Session&>(static_cast<const ConstantWeights&>(k).session);
    run(session, std::array{as_tensor(x, problem().x_extents())}, y);
  }

 private:
  struct ConstantWeights final : PreparedKernel<float> {
    std::string model;
    Ort::Session session{nullptr};
    std::size_t bytes() const override { return model.size(); }
  };

  /// `operands`: x, and k where it is an input.
  template <std::size_t count>
  void run(Ort::Session& session, const std::array<Ort::Value, count>& operands, float* y) const {
    Ort::Value result = as_tensor(y, problem().y_extents());
    constexpr std::array kInputs{"x", "k"};
    constexpr std::array kOutputs{"y"};
    session.Run(Ort::RunOptions(nullptr), kInputs.data(), operands.data(), count, kOutputs.data(),
                &result, 1);
  }

  Ort::Value as_tensor(const float* data, const Extents& extents) const {
    std::array<std::int64_t, 4> shape{};
    for (std::size_t axis = 0; axis < shape.size(); ++axis) shape[axis] = extents[axis];
    return Ort::Value::CreateTensor<float>(memory_, const_cast<float*>(data), count(extents),
                                           shape.data(), shape.size());
  }

  std::string model_;
  Ort::Session session_{nullptr};
  Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  int threads_;
};

Planned<float> plan_conv_transpose(const Problem& problem, const PlanOptions& options) {
  // Where dilation alone allows so much, 1.21 and 1.23 take it and give wrong outputs.
  if (has_wide_output_padding(problem)) {
    return Declined{"has output padding that is not below the stride"};
  }
  try {
    require_memory<float>(columns(problem));
    return std::make_unique<ConvTransposePlan>(problem, options.threads);
  } catch (const Ort::Exception& error) {
    std::string reason = std::string("ONNX Runtime: ") + error.what();
    return Declined{reason.substr(0, reason.find('\n'))};
  } catch (const InsufficientMemory& error) {
    return Declined{std::string("ONNX Runtime: ") + error.what()};
  }
}

/// The product, and an addition for each element of its matrix.
double operations(const Problem& problem) {
  return nominal_operations(problem) + static_cast<double>(problem.N) * columns(problem);
}

std::string version() { return "ONNX Runtime " + Ort::GetVersionString() + " (its own threads)"; }

constinit const Algorithm kAlgorithm{
    .name = "onnxruntime_conv_transpose",
    .summary = "ONNX Runtime's ConvTranspose, a session of one node",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .layers = Layers::native,
    .prepares = true,
    // Weights that are constants are packed, and summed in another order.
    .prepared_bits = false,
    .operations = operations,
    .plan_f32 = plan_conv_transpose,
};

}  // namespace

constinit const Contender peer::onnxruntime_conv_transpose{
    .algorithm = &kAlgorithm,
    .kind = Kind::peer,
    .ledger = {.allocation = Inclusion::inside,
               .kernel_transform = Inclusion::inside,
               .layout_change = Inclusion::inside,
               .note =
                   "x, k and y are used where they are; scratch comes from its arena; weights "
                   "are an input, not constants; the threads of a plan live as long as it does"},
    .version = version,
};

}  // namespace fullconv::bench
