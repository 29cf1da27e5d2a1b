#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "../contender.h"  // the tests have one of that name, too

// Peers in other languages. The library runs in a worker: a process that is started when it is
// first needed, serves all plans of that library, and ends with this program however that ends.
//
// Worker and program exchange lines. The worker begins, once its library is loaded, with
//
//   ready <name and version>      or      missing      or      failed <why>
//
// and then answers requests, one after the other:
//
//   plan <id> <function> <f32|f64> <threads> <N> <K> <C> <H> <W> <h> <w> <top> <left> <bottom>
//     <right> <stride> <stride> <dilation> <dilation> <groups> <output padding> <output padding>
//     <file>                      ok             rows first, where there are two of a kind
//   execute <id>                  ok             reads x and k from the file, writes y to it
//   time <id> <iterations>        ok <seconds>   of so many calls on what execute has read
//   describe <id>                 ok <text>      what those calls run, or nothing
//   drop <id>                     ok
//
// or with `memory <why>` where there is not enough, or `failed <why>`. The file holds x, k and y,
// dense and one behind the other. The end of its input ends the worker.
namespace fullconv::bench {

/// A library that runs in a worker.
struct Library {
  std::string_view name;                 ///< as messages call it: "PyTorch"
  std::vector<std::string> (*worker)();  ///< the command that starts its worker
  /// How long the worker may take to load the library, or to answer where it computes nothing.
  std::chrono::milliseconds patience = std::chrono::minutes(1);
};

/// The command that starts workers/worker.py, in the Python that the scripts use and with further
/// variables in its environment, on one of its libraries.
std::vector<std::string> python_worker(std::string_view library, std::string_view variables);

/// A function of a library.
struct RemoteFunction {
  const Library& library;
  std::string_view name;  ///< as the worker knows it
  /// The scalars for which the library will make room during a call, the output being among them.
  double (*scratch)(const Problem&);
  /// Why it does not take a problem; empty where it does. Null: it takes all that arrive here.
  std::string (*refusal)(const Problem&) = nullptr;
};

/// The elements of a tensor. Not an integer, since sums and multiples of it must not overflow.
double elements(const Extents& extents);

/// The scratch of a loop over planes: the output, and one plane more where it adds up several.
double scratch_of_planes(const Problem& problem);

/// What the library says of itself, or why it cannot be used: "not installed".
std::string version_of(const Library& library);

/// Declines where the library cannot be used, or would need more memory than there is.
template <class T>
Planned<T> plan_remote(const RemoteFunction& function, const Problem& problem,
                       const PlanOptions& options);

/// The two as plain functions, for the rows.
template <const Library& library>
std::string version() {
  return version_of(library);
}
template <class T, const RemoteFunction& function>
Planned<T> plan(const Problem& problem, const PlanOptions& options) {
  return plan_remote<T>(function, problem, options);
}

}  // namespace fullconv::bench
