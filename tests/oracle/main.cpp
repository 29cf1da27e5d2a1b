// The oracle for another program: reads problems from standard input, each a line with its name and
// then x and k as doubles in row-major order, and writes y to standard output likewise.

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "support/operands.h"
#include "support/oracle.h"

namespace fullconv::testing {
namespace {

bool read(std::vector<double>& values) {
  const auto bytes = static_cast<std::streamsize>(values.size() * sizeof(double));
  return static_cast<bool>(std::cin.read(reinterpret_cast<char*>(values.data()), bytes));
}

void answer(const Problem& problem) {
  std::vector<double> x(static_cast<std::size_t>(element_count(problem.x_extents())));
  std::vector<double> k(static_cast<std::size_t>(element_count(problem.k_extents())));
  if (!read(x) || !read(k))
    throw std::runtime_error(to_string(problem) + ": x and k end too early");
  const Oracle<double> oracle(problem, {x.data(), problem.x_extents()},
                              {k.data(), problem.k_extents()});
  std::vector<double> y(static_cast<std::size_t>(element_count(problem.y_extents())));
  const TensorView<double> view(y.data(), problem.y_extents());
  oracle.for_each([&](const Reference<double>& reference) {
    view(reference.n, reference.c, reference.i, reference.j) = static_cast<double>(reference.value);
  });
  std::cout.write(reinterpret_cast<const char*>(y.data()),
                  static_cast<std::streamsize>(y.size() * sizeof(double)));
  std::cout.flush();
}

}  // namespace
}  // namespace fullconv::testing

int main() {
  try {
    for (std::string line; std::getline(std::cin, line);) {
      fullconv::testing::answer(fullconv::parse_problem(line));
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
