// Where rates come from and go to: text, one file for each processor, build and number of threads.

#include "core/rates.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "core/layer_plan.h"

namespace fullconv {
namespace fs = std::filesystem;

fs::path cache_directory() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value == nullptr ? "" : value);
  };
  if (const fs::path own = variable("FULLCONV_CACHE_DIR"); !own.empty()) return own;
  // As the XDG base directory specification has it: relative ones are to be ignored.
  if (const fs::path cache = variable("XDG_CACHE_HOME"); cache.is_absolute()) {
    return cache / "fullconv";
  }
  if (const fs::path home = variable("HOME"); home.is_absolute()) {
    return home / ".cache" / "fullconv";
  }
  return {};
}

namespace {

std::string key(std::size_t scalar_size, std::string_view algorithm, std::string_view term) {
  std::string text = scalar_size == sizeof(float) ? "f32 " : "f64 ";
  return text.append(algorithm).append(" ").append(term);
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

/// What rates are good for; the first lines of a file of them.
std::vector<std::string> conditions(int threads) {
  return {"fullconv rates, format 2", "version " FULLCONV_VERSION, "build " FULLCONV_BUILD,
          "processor " + processor(), "threads " + std::to_string(threads)};
}
constexpr std::string_view kLastLine = "end";

fs::path rates_file(int threads) {
  const fs::path directory = cache_directory();
  if (directory.empty()) return {};
  // FNV-1a, so that machines that share a home do not overwrite each other's.
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::string& condition : conditions(threads)) {
    for (const char c : condition) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  std::ostringstream name;
  name << "rates-" << std::hex << hash << ".txt";
  return directory / name.str();
}

/// A line of a file that may hold anything, fit to be shown.
std::string shown(const std::string& line) {
  constexpr std::size_t kMost = 100;
  std::string text = line.substr(0, kMost);
  std::ranges::replace_if(
      text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return '\'' + text + '\'';
}

/// Throws std::runtime_error, saying why, where the file is not whole or not for these conditions.
Rates read_rates(std::istream& in, int threads) {
  const auto next_line = [&] {
    std::string line;
    if (!std::getline(in, line)) throw std::runtime_error("ends too early");
    return line;
  };
  for (const std::string& condition : conditions(threads)) {
    if (const std::string line = next_line(); line != condition) {
      throw std::runtime_error(shown(line) + " where '" + condition + "' was expected");
    }
  }
  Rates rates;
  for (std::string line = next_line(); line != kLastLine; line = next_line()) {
    constexpr double kMost = 1000;
    std::istringstream fields(line);
    std::string scalar, algorithm, term;
    double factor = 0;
    const bool known = static_cast<bool>(fields >> scalar >> algorithm >> term >> factor) &&
                       (scalar == "f32" || scalar == "f64") && (fields >> std::ws).eof() &&
                       factor > 1 / kMost && factor < kMost;
    if (!known) throw std::runtime_error(shown(line) + " is no rate");
    rates.set(scalar == "f32" ? sizeof(float) : sizeof(double), algorithm, term, factor);
  }
  return rates;
}

void write_rates(std::ostream& out, const Rates& rates, int threads) {
  for (const std::string& condition : conditions(threads)) out << condition << '\n';
  for (const auto& [name, factor] : rates.factors()) out << name << ' ' << factor << '\n';
  out << kLastLine << '\n';
}

/// Replaces the file as a whole: who reads it meanwhile sees the old one or the new one. Returns
/// why that cannot be done, or nothing.
std::string keep(const Rates& rates, const fs::path& file, int threads) {
  if (file.empty()) return "there is no cache directory: neither XDG_CACHE_HOME nor HOME is set";
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  fs::path temporary = file;
  temporary += '.' + std::to_string(::getpid());
  std::ofstream out(temporary);
  write_rates(out, rates, threads);
  out.close();
  if (out) {
    fs::rename(temporary, file, error);
    if (!error) return {};
  }
  fs::remove(temporary, error);
  return std::string("cannot write ").append(file.string());
}

struct InUse {
  std::shared_ptr<const Rates> rates;
  Calibration calibration;
};

InUse load(int threads) {
  InUse in_use{std::make_shared<Rates>(Rates::built_in()), {false, rates_file(threads), {}}};
  auto& [measured, file, remark] = in_use.calibration;
  if (file.empty()) {
    remark = "there is no cache directory";
    return in_use;
  }
  std::ifstream in(file);
  if (!in) {
    remark = "nothing is measured yet";
    return in_use;
  }
  try {
    in_use.rates = std::make_shared<Rates>(read_rates(in, threads));
    measured = true;
  } catch (const std::runtime_error& error) {
    remark = file.string() + ": " + error.what();
  }
  return in_use;
}

std::mutex in_use_mutex;

std::map<int, InUse>& in_use_by_threads() {
  static std::map<int, InUse> all;
  return all;
}

InUse in_use_for(int threads) {
  const std::lock_guard lock(in_use_mutex);
  auto [entry, is_new] = in_use_by_threads().try_emplace(threads);
  if (is_new) entry->second = load(threads);
  return entry->second;
}

}  // namespace

double Rates::factor(std::size_t scalar_size, std::string_view algorithm,
                     std::string_view term) const {
  const auto found = factors_.find(key(scalar_size, algorithm, term));
  return found == factors_.end() ? 1 : found->second;
}

void Rates::set(std::size_t scalar_size, std::string_view algorithm, std::string_view term,
                double factor) {
  factors_[key(scalar_size, algorithm, term)] = factor;
}

double TermFactors::of(std::string_view term) const {
  for (const auto& [name, factor] : factors_) {
    if (name == term) return factor;
  }
  return 1;
}

double TermFactors::seconds(const std::vector<Forecast::Term>& terms) const {
  double sum = 0;
  for (const Forecast::Term& term : terms) sum += term.seconds * of(term.name);
  return sum;
}

TermFactors Rates::of(std::size_t scalar_size, std::string_view algorithm) const {
  TermFactors mine;
  const std::string first = key(scalar_size, algorithm, "");
  for (auto entry = factors_.lower_bound(first);
       entry != factors_.end() && entry->first.starts_with(first); ++entry) {
    mine.factors_.emplace_back(entry->first.substr(first.size()), entry->second);
  }
  return mine;
}

std::optional<Forecast> Rates::forecast(const Algorithm& algorithm, const Problem& problem,
                                        const PlanOptions& options, std::size_t scalar_size) const {
  auto forecast = forecast_of(algorithm, problem, options, scalar_size);
  if (!forecast) return forecast;
  const TermFactors factors = of(scalar_size, algorithm.name);
  for (auto& term : forecast->terms) term.seconds *= factors.of(term.name);
  return forecast;
}

std::shared_ptr<const Rates> rates_in_use(int threads) { return in_use_for(threads).rates; }

Calibration calibration(int threads) { return in_use_for(threads).calibration; }

Calibration use_and_keep(Rates rates, int threads) {
  const fs::path file = rates_file(threads);
  InUse in_use{std::make_shared<Rates>(std::move(rates)), {true, file, {}}};
  in_use.calibration.remark = keep(*in_use.rates, file, threads);
  const std::lock_guard lock(in_use_mutex);
  return (in_use_by_threads()[threads] = std::move(in_use)).calibration;
}

}  // namespace fullconv
