#include <fullconv/fullconv.h>

#include <iostream>
#include <vector>

int main() {
  const fullconv::Problem problem = fullconv::parse_problem("8x8_k5x5");
  const std::vector<float> x(8 * 8, 1.0F), k(5 * 5, 1.0F);
  std::vector<float> y(12 * 12);
  for (const fullconv::Algorithm* algorithm : fullconv::algorithms()) {
    auto planned = algorithm->plan<float>(problem);
    if (auto* plan = std::get_if<std::unique_ptr<fullconv::Plan<float>>>(&planned)) {
      (*plan)->execute({x.data(), 8, 8}, {k.data(), 5, 5}, {y.data(), 12, 12});
      std::cout << algorithm->name << ": " << y[0] << " " << y[4 * 12 + 4] << '\n';
      if (y[4 * 12 + 4] < 24.999F || y[4 * 12 + 4] > 25.001F) return 1;
    }
  }
  return fullconv::algorithms().empty() ? 1 : 0;
}
