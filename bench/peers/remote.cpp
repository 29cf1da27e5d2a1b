#include "peers/remote.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

#include "fullconv/memory.h"

namespace fullconv::bench {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void throw_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int number) : number_(number) {}
  ~FileDescriptor() {
    if (number_ >= 0) close(number_);
  }
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  int number() const { return number_; }

 private:
  int number_;
};

FileDescriptor make_memory_file(const char* name) {
  FileDescriptor file(memfd_create(name, MFD_CLOEXEC));
  if (file.number() < 0) throw_errno("memfd_create");
  return file;
}

/// The last line in a file that is not empty.
std::string last_line(const FileDescriptor& file) {
  std::array<char, 4096> tail;
  const off_t size = lseek(file.number(), 0, SEEK_END);
  const ssize_t got = pread(file.number(), tail.data(), tail.size(),
                            std::max<off_t>(0, size - static_cast<off_t>(tail.size())));
  std::string_view text(tail.data(), static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  if (last == std::string_view::npos) return {};
  text = text.substr(0, last + 1);
  return std::string(text.substr(text.rfind('\n') + 1));
}

/// Between fork and exec: only what signal handlers may do, too.
[[noreturn]] void become(char* const* command, int connection, int errors, pid_t parent,
                         bool of_main_thread) {
  // The signal comes when the thread ends that made this process. Where that may be before the
  // program does, the end of the input has to do.
  if (of_main_thread && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)) _exit(126);
  // An interrupt from the keyboard is for the program.
  std::signal(SIGINT, SIG_IGN);
  if (dup2(connection, 0) < 0 || dup2(connection, 1) < 0 || dup2(errors, 2) < 0) _exit(126);
  execvp(command[0], command);
  _exit(errno == ENOENT ? 127 : 126);
}

/// A process with a line to it.
class Process {
 public:
  Process(std::vector<std::string> command)  // NOLINT(google-explicit-constructor)
      : errors_(make_memory_file("errors of a worker")) {
    std::vector<char*> arguments;
    for (std::string& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("socketpair");
    connection_ = FileDescriptor(ends[0]);
    const FileDescriptor other_end(ends[1]);
    const pid_t parent = getpid();
    const bool is_main_thread = gettid() == parent;
    id_ = fork();
    if (id_ < 0) throw_errno("fork");
    if (id_ == 0) {
      become(arguments.data(), other_end.number(), errors_.number(), parent, is_main_thread);
    }
  }
  ~Process() { end(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// False where the process does not listen any more.
  bool send(std::string line) {
    line += '\n';
    for (std::string_view rest = line; !rest.empty();) {
      const ssize_t sent = ::send(connection_.number(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return false;
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  enum class Silence { ended, too_long };

  /// The next line, or why there is none.
  std::variant<std::string, Silence> receive(std::optional<Clock::time_point> deadline) {
    for (;;) {
      if (const std::size_t end = received_.find('\n'); end != std::string::npos) {
        std::string line = received_.substr(0, end);
        received_.erase(0, end + 1);
        return line;
      }
      if (!wait_for_input(deadline)) return Silence::too_long;
      std::array<char, 512> piece;
      const ssize_t got = read(connection_.number(), piece.data(), piece.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return Silence::ended;
      received_.append(piece.data(), static_cast<std::size_t>(got));
    }
  }

  struct End {
    int status = 0;
    std::string last_words;

    bool command_not_found() const { return WIFEXITED(status) && WEXITSTATUS(status) == 127; }
    std::string describe() const {
      if (WIFSIGNALED(status)) return fmt::format("was killed by signal {}", WTERMSIG(status));
      std::string text = fmt::format("ended with exit code {}", WEXITSTATUS(status));
      return last_words.empty() ? text : text + ": " + last_words;
    }
  };

  /// Ends it if it has not ended yet.
  const End& end() {
    if (end_) return *end_;
    end_ = End{};
    // One that is about to end keeps its status.
    kill(id_, SIGKILL);
    while (waitpid(id_, &end_->status, 0) < 0 && errno == EINTR) {
    }
    end_->last_words = last_line(errors_);
    return *end_;
  }
  bool has_ended() const { return end_.has_value(); }

 private:
  bool wait_for_input(std::optional<Clock::time_point> deadline) const {
    for (;;) {
      int milliseconds = -1;
      if (deadline) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
        milliseconds = static_cast<int>(std::max<std::int64_t>(0, left.count()));
      }
      pollfd waiting{.fd = connection_.number(), .events = POLLIN, .revents = 0};
      const int ready = poll(&waiting, 1, milliseconds);
      if (ready > 0) return true;
      if (ready == 0) return false;
      if (errno != EINTR) throw_errno("poll");
    }
  }

  FileDescriptor errors_;  // where it writes what we only look at when it has ended
  FileDescriptor connection_{-1};
  pid_t id_ = -1;
  std::string received_;
  std::optional<End> end_;
};

/// Why a library cannot be used.
struct Unusable {
  std::string version;   ///< what stands for its version: "not installed"
  std::string sentence;  ///< "PyTorch is not installed"
};

/// A library in its process.
class Worker {
 public:
  explicit Worker(const Library& library) : library_(library), process_(library.worker()) {
    const auto [word, rest] = split(begin());
    if (word == "missing") throw not_installed();
    if (word != "ready") throw does_not_start(word == "failed" ? rest : word + ' ' + rest);
    version_ = rest;
  }

  const std::string& version() const { return version_; }
  bool has_ended() const {
    const std::lock_guard lock(mutex_);
    return process_.has_ended();
  }
  std::string new_id() {
    const std::lock_guard lock(mutex_);
    return std::to_string(++plans_);
  }

  enum class Computes { no, yes };

  /// What it answers after "ok". One that computes may take its time, but not for ever: the bench
  /// leaves out calls of more than seconds.
  std::string ask(std::string request, Computes computes = Computes::no) {
    const std::lock_guard lock(mutex_);
    if (process_.has_ended()) throw std::runtime_error(obituary());
    constexpr int kWhileComputing = 60;
    const auto patience = library_.patience * (computes == Computes::yes ? kWhileComputing : 1);
    const auto deadline = Clock::now() + patience;
    if (!process_.send(std::move(request))) {
      process_.end();
      throw std::runtime_error(obituary());
    }
    const auto answer = process_.receive(deadline);
    if (const auto* silence = std::get_if<Process::Silence>(&answer)) {
      process_.end();
      throw std::runtime_error(*silence == Process::Silence::ended ? obituary()
                                                                   : too_long(patience));
    }
    const auto [word, rest] = split(std::get<std::string>(answer));
    if (word == "ok") return rest;
    if (word == "memory") throw InsufficientMemory(fmt::format("{}: {}", library_.name, rest));
    if (word == "failed") throw std::runtime_error(fmt::format("{}: {}", library_.name, rest));
    process_.end();  // no longer knowing what it will answer to what
    throw std::runtime_error(
        fmt::format("{}'s worker answered '{}'", library_.name, std::get<std::string>(answer)));
  }

 private:
  static std::pair<std::string, std::string> split(const std::string& line) {
    const std::size_t space = std::min(line.find(' '), line.size());
    return {line.substr(0, space), line.substr(std::min(space + 1, line.size()))};
  }

  /// The first line, with which it says that it is there.
  std::string begin() {
    const auto line = process_.receive(Clock::now() + library_.patience);
    if (const auto* text = std::get_if<std::string>(&line)) return *text;
    const Process::End& end = process_.end();
    if (std::get<Process::Silence>(line) == Process::Silence::too_long) {
      throw Unusable{"does not start", too_long(library_.patience)};
    }
    if (end.command_not_found()) throw not_installed();
    throw does_not_start(end.last_words.empty() ? "its worker " + end.describe() : end.last_words);
  }

  Unusable not_installed() const {
    return {"not installed", fmt::format("{} is not installed", library_.name)};
  }
  Unusable does_not_start(const std::string& why) const {
    return {"does not start: " + why, fmt::format("{} does not start: {}", library_.name, why)};
  }
  std::string obituary() {
    return fmt::format("{}'s worker {}", library_.name, process_.end().describe());
  }
  std::string too_long(std::chrono::milliseconds patience) const {
    return fmt::format("{}'s worker did not answer within {} s", library_.name,
                       std::chrono::duration<double>(patience).count());
  }

  const Library& library_;
  mutable std::mutex mutex_;
  Process process_;
  std::string version_;
  std::int64_t plans_ = 0;
};

using WorkerOrNot = std::variant<std::shared_ptr<Worker>, Unusable>;

/// The worker of a library: started by the first who asks, and anew after one that has ended. A
/// library that could not be used is not tried again.
WorkerOrNot worker_of(const Library& library) {
  static std::mutex mutex;
  static std::map<const Library*, WorkerOrNot> workers;
  const std::lock_guard lock(mutex);
  WorkerOrNot& worker = workers[&library];
  const auto* running = std::get_if<std::shared_ptr<Worker>>(&worker);
  if (running != nullptr && (*running == nullptr || (*running)->has_ended())) {
    try {
      worker = std::make_shared<Worker>(library);
    } catch (Unusable& why) {
      worker = std::move(why);
    }
  }
  return worker;
}

/// Zeros that another process can open as a file.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes)
      : file_(make_memory_file("operands of a plan")), bytes_(bytes) {
    // Taken now, since to find out when writing that there is none means to be killed.
    if (posix_fallocate(file_.number(), 0, static_cast<off_t>(bytes)) != 0) {
      throw InsufficientMemory(fmt::format("{} MiB to share were refused", bytes >> 20));
    }
    data_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.number(), 0);
    if (data_ == MAP_FAILED) throw_errno("mmap");
  }
  ~SharedMemory() { munmap(data_, bytes_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  void* data() const { return data_; }
  std::string path() const { return fmt::format("/proc/{}/fd/{}", getpid(), file_.number()); }

 private:
  FileDescriptor file_;
  std::size_t bytes_;
  void* data_;
};

double operand_count(const Problem& problem) {
  return elements(problem.x_extents()) + elements(problem.k_extents()) +
         elements(problem.y_extents());
}

template <class T>
class WorkerPlan final : public RemotePlan<T> {
 public:
  WorkerPlan(std::shared_ptr<Worker> worker, const RemoteFunction& function, const Problem& problem,
             int threads)
      : RemotePlan<T>(problem),
        worker_(std::move(worker)),
        id_(worker_->new_id()),
        threads_(threads),
        scratch_bytes_(static_cast<std::size_t>(function.scratch(problem)) * sizeof(T)),
        memory_(static_cast<std::size_t>(operand_count(problem)) * sizeof(T)),
        x_(static_cast<T*>(memory_.data()), problem.x_extents()),
        k_(x_.data + element_count(x_.extents), problem.k_extents()),
        y_(k_.data + element_count(k_.extents), problem.y_extents()) {
    const Problem& p = problem;
    const index_t numbers[] = {p.N,
                               p.K,
                               p.C,
                               p.H,
                               p.W,
                               p.h,
                               p.w,
                               p.padding.top,
                               p.padding.left,
                               p.padding.bottom,
                               p.padding.right,
                               p.stride.y,
                               p.stride.x,
                               p.dilation.y,
                               p.dilation.x,
                               p.groups,
                               p.output_padding.y,
                               p.output_padding.x};
    worker_->ask(fmt::format("plan {} {} {} {} {} {}", id_, function.name,
                             std::is_same_v<T, float> ? "f32" : "f64", threads,
                             fmt::join(numbers, " "), memory_.path()));
  }

  ~WorkerPlan() override {
    try {
      if (!worker_->has_ended()) worker_->ask("drop " + id_);
    } catch (const std::exception&) {
      // Gone with its worker.
    }
  }

  /// What the library makes room for in each call; the copies of the operands are our doing.
  std::size_t workspace_bytes() const override { return scratch_bytes_; }
  int threads() const override { return threads_; }
  std::string implementation() const override {
    return worker_->ask("describe " + id_, Worker::Computes::yes);
  }
  bool takes_any_strides() const override { return true; }

  double time(index_t iterations) override {
    if (!executed_) throw std::logic_error("time() before execute()");
    const std::string answer =
        worker_->ask(fmt::format("time {} {}", id_, iterations), Worker::Computes::yes);
    double seconds = 0;
    std::from_chars(answer.data(), answer.data() + answer.size(), seconds);
    return seconds;
  }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    copy_elements(x, x_);
    copy_elements(k, k_);
    worker_->ask("execute " + id_, Worker::Computes::yes);
    copy_elements<T>(y_, y);
    executed_ = true;
  }

 private:
  std::shared_ptr<Worker> worker_;
  std::string id_;
  int threads_;
  std::size_t scratch_bytes_;
  SharedMemory memory_;
  TensorView<T> x_, k_, y_;
  bool executed_ = false;
};

}  // namespace

std::vector<std::string> python_worker(std::string_view library, std::string_view variables) {
  // -B: nothing is written into the sources.
  constexpr std::string_view kScript = R"(python=$("$0") && exec env {} "$python" -B "$@")";
  return {"/bin/sh",
          "-c",
          fmt::format(kScript, variables),
          FULLCONV_FIND_PYTHON,
          FULLCONV_WORKERS "/worker.py",
          std::string(library)};
}

double elements(const Extents& extents) {
  double count = 1;
  for (const index_t extent : extents) count *= static_cast<double>(extent);
  return count;
}

double scratch_of_planes(const Problem& problem) {
  const auto planes = static_cast<double>(problem.N * problem.C);
  const double output = elements(problem.y_extents());
  return problem.K * problem.C * problem.N == 1 ? output : output + output / planes;
}

std::string version_of(const Library& library) {
  const WorkerOrNot worker = worker_of(library);
  const auto* why = std::get_if<Unusable>(&worker);
  return why != nullptr ? why->version : std::get<std::shared_ptr<Worker>>(worker)->version();
}

template <class T>
Planned<T> plan_remote(const RemoteFunction& function, const Problem& problem,
                       const PlanOptions& options) {
  if (function.refusal != nullptr) {
    if (std::string reason = function.refusal(problem); !reason.empty()) {
      return Declined{std::move(reason)};
    }
  }
  WorkerOrNot worker = worker_of(function.library);
  if (const auto* why = std::get_if<Unusable>(&worker)) return Declined{why->sentence};
  // Operands are there twice: shared, and as the library's own.
  const double bytes = sizeof(T) * (function.scratch(problem) + 2 * operand_count(problem));
  // Filling 11 GiB with a lowered image takes PyTorch half a minute, and memory from all others.
  constexpr double kMost = 0x1p32;
  const auto available = static_cast<double>(available_memory());
  if (bytes > std::min(available, kMost)) {
    return Declined{fmt::format(
        "{} would take {:.0f} MiB of memory: {:.0f} {}", function.library.name, bytes / 0x1p20,
        std::min(available, kMost) / 0x1p20, available < kMost ? "available" : "allowed")};
  }
  return std::make_unique<WorkerPlan<T>>(std::get<std::shared_ptr<Worker>>(std::move(worker)),
                                         function, problem, options.threads);
}

template Planned<float> plan_remote(const RemoteFunction&, const Problem&, const PlanOptions&);
template Planned<double> plan_remote(const RemoteFunction&, const Problem&, const PlanOptions&);

}  // namespace fullconv::bench
