// Calibrated rates reach what goes by forecasts.

#include "core/rates.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>

#include "fft/decomposition.h"
#include "fullconv/fullconv.h"
#include "winograd/blocking.h"

namespace fullconv {
namespace {

/// In use for one test, and in a folder of its own.
class RatesInUse : public testing::Test {
 protected:
  RatesInUse() { setenv("FULLCONV_CACHE_DIR", folder_.c_str(), 1); }
  ~RatesInUse() override {
    for (const int threads : {1, 2}) use_and_keep({}, threads);
    std::filesystem::remove_all(folder_);
    unsetenv("FULLCONV_CACHE_DIR");
  }

  static void use(const char* algorithm, const char* term, double factor) {
    Rates rates;
    rates.set(sizeof(float), algorithm, term, factor);
    for (const int threads : {1, 2}) use_and_keep(rates, threads);
  }

 private:
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("fullconv rates " + std::to_string(getpid()));
};

TEST_F(RatesInUse, ReachTheTilesOfWinograd) {
  const Problem problem = parse_problem("n1_i64_o64_56x56_k3x3");
  const auto points = [&] { return winograd::best_blocking<float>(problem, 1).points(); };
  const auto usual = points();
  use("winograd", "kernels", 100);  // which are fewer for small tiles
  EXPECT_LT(points(), usual);
}

TEST_F(RatesInUse, ReachTheTilesOfOverlapSave) {
  const Problem problem = parse_problem("1024x1024_k31x31");
  const auto length = [&] {
    return best_decomposition(problem, {}, sizeof(float))->tiling.rows.length;
  };
  const auto usual = length();
  use("fft_overlap_save", "kernels", 1000);  // which are shorter for small tiles
  EXPECT_LT(length(), usual);
}

TEST_F(RatesInUse, ReachTheThreadsOfDirectForms) {
  const Problem problem = parse_problem("100x100_k5x5");  // some microseconds
  const auto threads = [&] {
    const auto planned = find_algorithm("direct_simd")->plan<float>(problem, {.threads = 2});
    return std::get<0>(planned)->threads();
  };
  EXPECT_EQ(threads(), 1);
  use("direct_simd", "products", 100);
  EXPECT_EQ(threads(), 2);
}

}  // namespace
}  // namespace fullconv
