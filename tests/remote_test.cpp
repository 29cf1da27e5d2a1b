// Peers in processes of their own: what they compute and time, and that nothing which may happen to
// such a process ends or stops the program.

#include "bench/peers/remote.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <stdexcept>
#include <thread>

#include "contender.h"
#include "expect_error.h"
#include "support/trial.h"

namespace fullconv::testing {
namespace {

using bench::Library;
using bench::RemoteFunction;
using bench::RemotePlan;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// --- a library that is a shell script ---

std::vector<std::string> shell(const char* script) { return {"/bin/sh", "-c", script}; }

double no_scratch(const Problem&) { return 0; }

const Problem kProblem = parse_problem("8x8_k5x5");

Planned<float> plan_on(const Library& library) {
  return bench::plan_remote<float>({library, "f", no_scratch}, kProblem, {});
}

std::unique_ptr<Plan<float>> make_plan_on(const Library& library) {
  auto planned = plan_on(library);
  const auto* declined = std::get_if<Declined>(&planned);
  if (declined != nullptr) throw std::runtime_error("declined: " + declined->reason);
  return std::get<std::unique_ptr<Plan<float>>>(std::move(planned));
}

void execute(Plan<float>& plan) {
  const auto operands = make_operands<float>({plan.problem()});
  Tensor<float> y(plan.problem().y_extents());
  plan.execute(operands.x_view(), operands.k_view(), y.view());
}

/// Why the library cannot be used: the same when asked again.
void expect_declined(const Library& library, std::string_view version,
                     std::initializer_list<std::string_view> parts) {
  EXPECT_EQ(bench::version_of(library), version);
  for (int time = 0; time < 2; ++time) {
    const auto planned = plan_on(library);
    const auto* declined = std::get_if<Declined>(&planned);
    ASSERT_NE(declined, nullptr);
    expect_one_line(declined->reason, parts);
  }
}

TEST(RemoteStart, OfWhatIsMissing) {
  static const Library says_so{.name = "Fake", .worker = [] { return shell("echo missing"); }};
  expect_declined(says_so, "not installed", {"Fake is not installed"});
  static const Library no_command{.name = "Fake", .worker = [] {
                                    return std::vector<std::string>{"there-is-no-such-command"};
                                  }};
  expect_declined(no_command, "not installed", {"Fake is not installed"});
}

TEST(RemoteStart, ThatFails) {
  static const Library says_why{.name = "Fake",
                                .worker = [] { return shell("echo failed ImportError: too old"); }};
  expect_declined(says_why, "does not start: ImportError: too old",
                  {"Fake does not start: ImportError: too old"});
  static const Library traceback{
      .name = "Fake",
      .worker = [] { return shell("printf 'Traceback:\\n  line 1\\nError: bad\\n\\n' >&2"); }};
  expect_declined(traceback, "does not start: Error: bad", {"Fake does not start: Error: bad"});
  static const Library silent{.name = "Fake", .worker = [] { return shell("exit 3"); }};
  expect_declined(silent, "does not start: its worker ended with exit code 3", {"exit code 3"});
  static const Library babbling{.name = "Fake", .worker = [] { return shell("echo hello you"); }};
  expect_declined(babbling, "does not start: hello you", {"hello you"});
}

TEST(RemoteStart, ThatHangs) {
  static const Library hanging{.name = "Fake",
                               .worker = [] { return shell("sleep 100"); },
                               .patience = std::chrono::milliseconds(200)};
  const auto start = Clock::now();
  expect_declined(hanging, "does not start", {"Fake's worker did not answer within 0.2 s"});
  EXPECT_LT(seconds_since(start), 20);
}

TEST(RemoteStart, HappensOnce) {
  const auto counter =
      std::filesystem::temp_directory_path() / ("fullconv_starts_" + std::to_string(getpid()));
  setenv("FULLCONV_TEST_COUNTER", counter.c_str(), 1);
  static const Library counting{
      .name = "Fake", .worker = [] {
        return shell(
            "echo started >> \"$FULLCONV_TEST_COUNTER\"; echo ready Fake 1.0;"
            "while read -r line; do echo ok; done");
      }};
  EXPECT_EQ(bench::version_of(counting), "Fake 1.0");
  const auto first = make_plan_on(counting);
  const auto second = make_plan_on(counting);
  EXPECT_NE(first, nullptr);
  EXPECT_EQ(std::filesystem::file_size(counter), std::string_view("started\n").size());
  std::filesystem::remove(counter);
}

TEST(RemoteWorker, ThatIsKilledIsReportedAndReplaced) {
  static const Library mortal{.name = "Fake", .worker = [] {
                                return shell(
                                    "echo ready Fake 1.0; read -r plan; echo ok;"
                                    "read -r execute; kill -9 $$");
                              }};
  for (int life = 0; life < 2; ++life) {
    const auto plan = make_plan_on(mortal);
    for (int time = 0; time < 2; ++time) {
      expect_error<std::runtime_error>([&] { execute(*plan); },
                                       {"Fake's worker was killed by signal 9"});
    }
  }
}

TEST(RemoteWorker, OutlivesTheThreadThatStartedIt) {
  static const Library ready{
      .name = "Fake",
      .worker = [] { return shell("echo ready Fake 1.0; while read -r line; do echo ok; done"); }};
  std::unique_ptr<Plan<float>> plan;
  std::thread([&] { plan = make_plan_on(ready); }).join();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_NO_THROW(execute(*plan));
}

TEST(RemoteWorker, ThatEndsLeavesItsLastWords) {
  static const Library mortal{.name = "Fake", .worker = [] {
                                return shell(
                                    "echo ready Fake 1.0; read -r plan; echo ok;"
                                    "echo 'RuntimeError: no luck' >&2; exit 5");
                              }};
  const auto plan = make_plan_on(mortal);
  expect_error<std::runtime_error>([&] { execute(*plan); },
                                   {"Fake's worker ended with exit code 5", "no luck"});
}

TEST(RemoteWorker, ThatRefusesGoesOn) {
  static const Library refusing{.name = "Fake", .worker = [] {
                                  return shell(
                                      "echo ready Fake 1.0; read -r plan; echo ok;"
                                      "read -r execute; echo failed ValueError: no;"
                                      "read -r execute; echo memory MemoryError: 3 GiB;"
                                      "while read -r line; do echo ok; done");
                                }};
  const auto plan = make_plan_on(refusing);
  expect_error<std::runtime_error>([&] { execute(*plan); }, {"Fake: ValueError: no"});
  expect_error<std::bad_alloc>([&] { execute(*plan); }, {"Fake: MemoryError: 3 GiB"});
  EXPECT_NO_THROW(execute(*plan));
}

TEST(RemoteWorker, ThatAnswersSomethingElseIsNotListenedTo) {
  static const Library confused{.name = "Fake", .worker = [] {
                                  return shell(
                                      "echo ready Fake 1.0; read -r plan; echo ok;"
                                      "read -r execute; echo 42; read -r more");
                                }};
  const auto plan = make_plan_on(confused);
  expect_error<std::runtime_error>([&] { execute(*plan); }, {"Fake's worker answered '42'"});
  expect_error<std::runtime_error>([&] { execute(*plan); }, {"Fake's worker"});
}

TEST(RemoteWorker, IsNotAskedForMoreMemoryThanThereIs) {
  static const Library ready{
      .name = "Fake",
      .worker = [] { return shell("echo ready Fake 1.0; while read -r line; do echo ok; done"); }};
  const RemoteFunction greedy{ready, "f", [](const Problem&) { return 1e15; }};
  const auto planned = bench::plan_remote<double>(greedy, kProblem, {});
  const auto* declined = std::get_if<Declined>(&planned);
  ASSERT_NE(declined, nullptr);
  expect_one_line(declined->reason, {"Fake would take 762939453", "MiB of memory: 4096 allowed"});
}

// --- the libraries themselves, where they are installed ---

const bench::Contender* find_peer(std::string_view name) {
  const auto found = std::ranges::find(
      bench::peers(), name, [](const bench::Contender& peer) { return peer.algorithm->name; });
  return found == bench::peers().end() ? nullptr : &*found;
}

class RemoteLibrary : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (find_peer(GetParam()) == nullptr) GTEST_SKIP() << "this build has no such peer";
    const auto planned = algorithm().plan<float>(kProblem);
    if (const auto* declined = std::get_if<Declined>(&planned)) GTEST_SKIP() << declined->reason;
  }

  const Algorithm& algorithm() const { return *find_peer(GetParam())->algorithm; }

  /// As the worker's command names it.
  static std::string_view library() {
    const std::string_view name = GetParam();
    return name.substr(0, name.find('_'));
  }

  template <class T>
  std::unique_ptr<Plan<T>> make_plan(const Problem& problem) const {
    return std::get<std::unique_ptr<Plan<T>>>(algorithm().plan<T>(problem));
  }

  template <class T>
  void expect_right(Plan<T>& plan, std::uint64_t seed, const Layout& layout = {}) const {
    const Trial<T> trial({plan.problem()}, seed);
    Tensor<T> y(plan.problem().y_extents(), layout);
    plan.execute(trial.x(), trial.k(), y.view());
    const Accuracy accuracy = measure_accuracy<T>(trial.oracle, algorithm().error_model, y.view());
    EXPECT_TRUE(accuracy.within_bound()) << accuracy.worst;
    EXPECT_TRUE(y.guards_intact());
  }
};
INSTANTIATE_TEST_SUITE_P(, RemoteLibrary,
                         ::testing::Values("scipy_convolve2d", "scipy_fftconvolve",
                                           "scipy_oaconvolve", "torch_conv_transpose2d",
                                           "torch_conv2d_input", "torch_conv2d_input_nhwc",
                                           "torch_conv2d_flipped", "torch_conv2d_flipped_nhwc",
                                           "octave_conv2"),
                         [](const auto& it) { return std::string(it.param); });

TEST_P(RemoteLibrary, KeepsPlansApart) {
  const auto plane = make_plan<float>(kProblem);
  const auto layer = make_plan<double>(parse_problem("n2_i3_o4_17x13_k3x5"));
  const auto twin = make_plan<float>(kProblem);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    expect_right(*plane, seed);
    expect_right(*layer, seed + 10, kGapped);
    expect_right(*twin, seed + 20);
  }
}

TEST_P(RemoteLibrary, TakesLargePlanes) {
  expect_right(*make_plan<float>(parse_problem("1024x1024_k7x7")), 1);
}

/// Times of a call that does not move the operands: the more calls the longer, and no longer than
/// we have waited for them.
TEST_P(RemoteLibrary, TimesItsCalls) {
  const auto plan = make_plan<float>(parse_problem("64x64_k9x9"));
  auto& remote = dynamic_cast<RemotePlan<float>&>(*plan);
  EXPECT_THROW(remote.time(1), std::logic_error);
  expect_right(*plan, 1);
  const auto start = Clock::now();
  const double few = remote.time(20);
  const double many = remote.time(400);
  EXPECT_GT(few, 0);
  EXPECT_GT(many, 5 * few);
  EXPECT_LE(few + many, seconds_since(start));
  expect_right(*plan, 2);
}

/// Processes that this one has started and not yet waited for, with that word in their command.
std::set<pid_t> children_of(std::string_view word) {
  std::set<pid_t> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream list(task.path() / "children");
    for (pid_t child; list >> child;) {
      std::ifstream file("/proc/" + std::to_string(child) + "/cmdline");
      const std::string command(std::istreambuf_iterator<char>(file), {});
      if (command.find(word) != std::string::npos) found.insert(child);
    }
  }
  return found;
}

bool runs(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string number, name, state;
  return file >> number >> name >> state && state != "Z";
}

/// Whether it has ended after some seconds at most.
bool ends(pid_t process) {
  const auto start = Clock::now();
  while (runs(process) && seconds_since(start) < 20) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return !runs(process);
}

TEST_P(RemoteLibrary, IsReplacedAfterItWasKilled) {
  const auto plan = make_plan<float>(kProblem);
  expect_right(*plan, 1);
  const auto workers = children_of(library());
  ASSERT_EQ(workers.size(), 1U) << "one process for each library";
  kill(*workers.begin(), SIGKILL);
  ASSERT_TRUE(ends(*workers.begin()));
  expect_error<std::runtime_error>([&] { expect_right(*plan, 1); },
                                   {"worker was killed by signal 9"});
  expect_right(*make_plan<float>(kProblem), 2);
  EXPECT_EQ(children_of(library()).size(), 1U);
  EXPECT_NE(children_of(library()), workers);
}

/// Also in the middle of a long call, of which it is not told that nobody waits for it.
TEST(RemoteWorker, EndsWithTheProgram) {
  // Not the one of the peers, which this program may be running already.
  static const Library scipy{.name = "SciPy", .worker = [] {
                               return bench::python_worker("scipy", "OPENBLAS_NUM_THREADS=1");
                             }};
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t program = fork();
  if (program == 0) {
    auto planned = bench::plan_remote<float>({scipy, "convolve2d", no_scratch}, kProblem, {});
    auto& plan = *std::get<std::unique_ptr<Plan<float>>>(planned);
    execute(plan);
    const auto workers = children_of("scipy");
    const pid_t worker = workers.size() == 1 ? *workers.begin() : 0;
    if (write(pipe_ends[1], &worker, sizeof(worker)) != sizeof(worker)) _exit(1);
    dynamic_cast<RemotePlan<float>&>(plan).time(1'000'000'000);
    _exit(0);
  }
  close(pipe_ends[1]);
  pid_t worker = 0;
  const auto got = read(pipe_ends[0], &worker, sizeof(worker));
  close(pipe_ends[0]);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(runs(worker));
  kill(program, SIGKILL);
  waitpid(program, nullptr, 0);
  ASSERT_EQ(got, static_cast<ssize_t>(sizeof(worker)));
  EXPECT_TRUE(ends(worker));
}

}  // namespace
}  // namespace fullconv::testing
