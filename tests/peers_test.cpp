// The peers, held to the same promises as our own algorithms: this program's registry is theirs, so
// that the files it is linked with test them. Those that run in another process are checked here,
// where they may be missing.

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "bench/contender.h"
#include "contender.h"
#include "support/conformance.h"
#include "support/trial.h"

namespace fullconv {

/// The peers that are linked.
std::span<const Algorithm* const> algorithms() {
  static const std::vector<const Algorithm*> linked = [] {
    std::vector<const Algorithm*> found;
    for (const bench::Contender& peer : bench::peers()) {
      if (peer.ledger.language_call == bench::Inclusion::none) found.push_back(peer.algorithm);
    }
    return found;
  }();
  return linked;
}

const Algorithm* find_algorithm(std::string_view name) {
  const auto found = std::ranges::find(algorithms(), name, &Algorithm::name);
  return found == algorithms().end() ? nullptr : *found;
}

namespace testing {
namespace {

// A build may have no peers, or none that is linked.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Accumulates);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ComponentwiseRange);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Conformance);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(NonFiniteValues);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Prepared);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RemotePeers);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Threads);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Views);

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

TEST(Peers, HaveNamesVersionsAndLedgers) {
  if (bench::peers().empty()) GTEST_SKIP() << "this build has no peers: CMake says why";
  std::set<std::string_view> names;
  for (const bench::Contender& peer : bench::peers()) {
    SCOPED_TRACE(peer.algorithm->name);
    EXPECT_TRUE(names.insert(peer.algorithm->name).second) << "is there twice";
    const bool is_ours = peer.algorithm->name == "fullconv_python";
    EXPECT_EQ(peer.kind, is_ours ? bench::Kind::binding : bench::Kind::peer);
    EXPECT_FALSE(peer.algorithm->summary.empty());
    EXPECT_TRUE(peer.algorithm->plan_f32 || peer.algorithm->plan_f64);
    ASSERT_NE(peer.version, nullptr);
    const std::string version = peer.version();
    EXPECT_FALSE(version.empty());
    EXPECT_EQ(version.find('\n'), std::string::npos);
    std::cout << peer.algorithm->name << ": " << version << '\n';
    for (const char* text : {"8x8_k5x5", "512x512_k31x31", "n8_i64_o32_56x56_k3x3"}) {
      EXPECT_GT(peer.algorithm->operations(parse_problem(text)), 0) << text;
    }
  }
}

TEST(Peers, EigenIsOfTheVersionThatItsPackageNames) {
  const auto found = std::ranges::find(bench::peers(), std::string_view("eigen_tensor"),
                                       [](const auto& peer) { return peer.algorithm->name; });
  if (found == bench::peers().end()) GTEST_SKIP() << "this build has no Eigen";
  EXPECT_EQ(found->version(), "Eigen " FULLCONV_EIGEN_VERSION " (its own threads)");
}

TEST(Peers, WriteNothingToStandardError) {
  const Problem problem = parse_problem("8x8_k5x5");
  for (const Algorithm* algorithm : algorithms()) {
    ::testing::internal::CaptureStderr();
    if (algorithm->plan_f32) static_cast<void>(algorithm->plan<float>(problem));
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "") << algorithm->name;
  }
}

/// oneDNN 3.7 would take 4 TB of scratch for this by its forward convolution.
TEST(Peers, DeclineWhatTakesThemMoreMemoryThanThereIs) {
  const Problem problem = parse_problem("512x512_k600x600");
  for (const Algorithm* peer : algorithms()) {
    SCOPED_TRACE(peer->name);
    EXPECT_NO_THROW({
      const auto planned = peer->plan<float>(problem);
      const auto* declined = std::get_if<Declined>(&planned);
      if (declined) std::cout << peer->name << " declined: " << declined->reason << '\n';
    });
  }
}

/// Long transforms, whose roots of unity not everybody has to the last digit.
TEST(Peers, AreRightOnLongImages) {
  const Problem problem = parse_problem("1x65536_k1x63");
  const Trial<double> trial({problem});
  int checked = 0;
  for (const Algorithm* algorithm : algorithms()) {
    SCOPED_TRACE(algorithm->name);
    const Contender<double> contender{*algorithm, 1};
    if (!algorithm->plan_f64) continue;
    const auto plan = contender.plan(problem);
    if (!plan) continue;
    Tensor<double> y(problem.y_extents());
    plan->execute(trial.x(), trial.k(), y.view());
    contender.expect_right(trial.oracle, y.view());
    ++checked;
  }
  if (checked == 0) GTEST_SKIP() << "no peer that takes this is linked";
}

/// What a peer says that it runs on a problem, or why it doesn't.
std::string implementation_of(const bench::Contender& peer, const char* problem) {
  auto planned = peer.algorithm->plan<float>(parse_problem(problem));
  if (auto* declined = std::get_if<Declined>(&planned)) return "declined: " + declined->reason;
  return std::get<std::unique_ptr<Plan<float>>>(planned)->implementation();
}

TEST(Peers, SayWhatTheyRun) {
  for (const char* problem : {"64x64_k5x5", "n1_i16_o16_20x20_k3x3"}) {
    for (const bench::Contender& peer : bench::peers()) {
      const std::string said = implementation_of(peer, problem);
      EXPECT_EQ(said.find('\n'), std::string::npos) << peer.algorithm->name;
      std::cout << problem << ", " << peer.algorithm->name << ": " << said << '\n';
    }
  }
}

/// Of those that this build has and that can run here.
TEST(Peers, AreAskedWhatTheyRun) {
  constexpr std::tuple<std::string_view, const char*, std::string_view> kKnown[] = {
      {"opencv_filter2d", "64x64_k5x5", "sums of products"},
      {"opencv_filter2d", "64x64_k15x15", "DFT"},
      {"armadillo_conv2", "64x64_k5x5", "header compiled here for "},
      {"onnxruntime_conv_transpose", "64x64_k5x5", "ConvTranspose by CPUExecutionProvider"},
      {"scipy_convolve2d", "64x64_k5x5", "no transforms"},
      {"scipy_fftconvolve", "60x60_k5x5", "rfftn 64x64, rfftn 64x64, irfftn 64x64"},
      {"scipy_fftconvolve", "n1_i4_o2_60x60_k5x5", "rfftn 4 of 64x64"},
  };
  for (const auto& [name, problem, words] : kKnown) {
    for (const bench::Contender& peer : bench::peers()) {
      if (peer.algorithm->name != name) continue;
      const std::string said = implementation_of(peer, problem);
      if (said.starts_with("declined")) {
        std::cout << name << ' ' << said << '\n';
      } else {
        EXPECT_NE(said.find(words), std::string::npos) << name << ", " << problem << ": " << said;
      }
    }
  }
}

// --- peers that run in another process ---

struct Remote {
  bench::Contender peer;
  int threads;
};

void PrintTo(const Remote& remote, std::ostream* out) { *out << remote.peer.algorithm->name; }

std::vector<Remote> remotes() {
  std::vector<Remote> found;
  for (const bench::Contender& peer : bench::peers()) {
    if (peer.ledger.language_call == bench::Inclusion::none) continue;
    for (const int threads : {1, 2}) {
      if (threads == 1 || peer.algorithm->threaded) found.push_back({peer, threads});
    }
  }
  return found;
}

class RemotePeers : public ::testing::TestWithParam<Remote> {
 protected:
  /// Why it declines whatever it is given, if it does.
  template <class T>
  static std::string why_not() {
    const auto& [peer, threads] = GetParam();
    const auto planned = peer.algorithm->plan<T>(parse_problem("8x8_k5x5"), {.threads = threads});
    const auto* declined = std::get_if<Declined>(&planned);
    return declined ? declined->reason : "";
  }

  /// Whether one call takes so long that several of them would take the time of all other cases.
  /// With one thread and channels-last data PyTorch 1.13 has oneDNN's reference code compute the
  /// gradient of 7x6_k300x280: 20 s, where two threads take 6 ms.
  template <class T>
  static bool is_slow(const Problem& problem) {
    constexpr std::chrono::seconds kLongest{2};
    const auto& [peer, threads] = GetParam();
    const auto planned = peer.algorithm->plan<T>(problem, {.threads = threads});
    const auto* plan = std::get_if<std::unique_ptr<Plan<T>>>(&planned);
    if (plan == nullptr) return false;
    const auto operands = make_operands<T>({problem});
    Tensor<T> y(problem.y_extents());
    const auto start = std::chrono::steady_clock::now();
    (*plan)->execute(operands.x_view(), operands.k_view(), y.view());
    return std::chrono::steady_clock::now() - start > kLongest;
  }

  /// Returns how many cases were left out, since the time was over.
  template <class T>
  static std::size_t expect_right(std::chrono::steady_clock::time_point deadline) {
    const auto& [peer, threads] = GetParam();
    std::map<std::string, int> declined;
    int checked = 0;
    std::size_t left = conformance_cases().size();
    for (const Case& c : conformance_cases()) {
      if (std::chrono::steady_clock::now() > deadline) break;
      --left;
      if (is_slow<T>(c.problem)) {
        ++declined["a call takes more than 2 s"];
        continue;
      }
      const ConformanceResult found =
          check_conformance<T>(*peer.algorithm, c, {.threads = threads});
      if (found.declined.empty()) {
        ++checked;
        EXPECT_TRUE(found.violations.empty()) << to_string(c) << " in " << kScalarName<T> << ":\n"
                                              << joined(found.violations);
      } else {
        ++declined[found.declined];
      }
    }
    std::cout << checked << " cases checked in " << kScalarName<T> << '\n';
    for (const auto& [reason, count] : declined) {
      std::cout << count << " cases declined: " << reason << '\n';
    }
    return left;
  }
};
INSTANTIATE_TEST_SUITE_P(, RemotePeers, ::testing::ValuesIn(remotes()),
                         [](const ::testing::TestParamInfo<Remote>& it) {
                           return std::string(it.param.peer.algorithm->name) + "_" +
                                  std::to_string(it.param.threads);
                         });

TEST_P(RemotePeers, ConformOnEveryShape) {
  // A library's threads that wait for each other can take milliseconds for a call where other
  // processes use the cores. What was checked counts; ctest would end all of it after 300 s, and
  // the last case may take long, too.
  constexpr std::chrono::seconds kTime{120};
  const auto deadline = std::chrono::steady_clock::now() + kTime;
  const std::string in_float = why_not<float>();
  const std::string in_double = why_not<double>();
  if (!in_float.empty() && !in_double.empty()) GTEST_SKIP() << "declined: " << in_double;
  std::size_t left = 0;
  if (in_float.empty()) left += expect_right<float>(deadline);
  if (in_double.empty()) left += expect_right<double>(deadline);
  if (left > 0) {
    GTEST_SKIP() << left << " cases not checked: " << kTime.count() << " s were over";
  }
}

// --- peers used wrongly, as people use them wrongly ---

/// Calls a peer with the kernel the wrong way round, so that it correlates.
struct Correlates {
  template <class T>
  static void run(Plan<T>& peer, const TensorView<const T>& x, const TensorView<const T>& k,
                  const TensorView<T>& y) {
    Tensor<T> flipped(k.extents);
    for_each_index(k.extents, [&](index_t o, index_t c, index_t p, index_t q) {
      flipped(o, c, p, q) = k(o, c, k.extents[2] - 1 - p, k.extents[3] - 1 - q);
    });
    peer.execute(x, std::as_const(flipped).view(), y);
  }
};

/// Takes what an anchor one row further gives.
struct AnchorsOneRowOff {
  template <class T>
  static void run(Plan<T>& peer, const TensorView<const T>& x, const TensorView<const T>& k,
                  const TensorView<T>& y) {
    Tensor<T> right(y.extents);
    peer.execute(x, k, right.view());
    for_each_index(y.extents, [&](index_t n, index_t c, index_t i, index_t j) {
      y(n, c, i, j) = i == 0 ? T{0} : right(n, c, i - 1, j);
    });
  }
};

template <class T, class Mistake>
class MistakenPlan final : public Plan<T> {
 public:
  explicit MistakenPlan(std::unique_ptr<Plan<T>> peer)
      : Plan<T>(peer->problem()), peer_(std::move(peer)) {}

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    Mistake::run(*peer_, x, k, y);
  }

 private:
  std::unique_ptr<Plan<T>> peer_;
};

/// The first peer that takes both scalars, or null.
const Algorithm* first_peer() {
  const auto found = std::ranges::find_if(
      algorithms(), [](const Algorithm* peer) { return peer->plan_f32 && peer->plan_f64; });
  return found == algorithms().end() ? nullptr : *found;
}

template <class T, class Mistake>
Planned<T> plan_mistaken(const Problem& problem, const PlanOptions& options) {
  auto planned = first_peer()->plan<T>(problem, options);
  if (auto* plan = std::get_if<std::unique_ptr<Plan<T>>>(&planned)) {
    return std::make_unique<MistakenPlan<T, Mistake>>(std::move(*plan));
  }
  return planned;
}

/// How many of three cases the conformance check rejects of that peer with that mistake.
template <class T, class Mistake>
int rejections() {
  Algorithm mistaken = *first_peer();
  mistaken.plan_f32 = plan_mistaken<float, Mistake>;
  mistaken.plan_f64 = plan_mistaken<double, Mistake>;
  int rejected = 0;
  for (const char* text : {"8x8_k5x5", "5x3_k7x9", "n2_i3_o4_17x13_k3x5_ints"}) {
    rejected += !check_conformance<T>(mistaken, parse_case(text)).violations.empty();
  }
  return rejected;
}

TEST(Peers, AreRejectedWhenUsedWrongly) {
  if (!first_peer()) GTEST_SKIP() << "no peer that takes both scalars is linked";
  EXPECT_EQ((rejections<float, Correlates>()), 3);
  EXPECT_EQ((rejections<double, Correlates>()), 3);
  EXPECT_EQ((rejections<float, AnchorsOneRowOff>()), 3);
  EXPECT_EQ((rejections<double, AnchorsOneRowOff>()), 3);
}

}  // namespace
}  // namespace testing
}  // namespace fullconv
