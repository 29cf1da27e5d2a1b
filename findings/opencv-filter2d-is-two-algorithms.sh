#!/usr/bin/env bash
# OpenCV's filter2D is two algorithms under one name: it changes to a DFT of tiles by the number of
# taps alone, at 130 in float and at 50 in double. 1x130 changes, 11x11 does not, whatever the image.
# On 256x256 one more column of taps, 11x11 to 11x12, takes several times as long, and the error
# changes its kind: in double it grows from about 3 to over 100 units of the last place, in float it
# falls from about 7 to below 1.
# Seen with OpenCV 4.6.0 (Debian 12).
#
# Wants Debian 12, g++. Exits with 1 where OpenCV behaves otherwise.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

archive=$(apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(REPO_URI)' |
  awk '$1 == "Packages" && $2 == "main" && $3 ~ /debian\/$/ { print $3; exit }')
mkdir -p lists/partial cache/archives/partial
echo "deb $archive bookworm main" > sources.list
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=-
  -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
version=4.6.0+dfsg-12
"${apt[@]}" download libopencv-{core,imgproc}-dev=$version libopencv-{core,imgproc}406=$version \
  libtbb12 liblapack3 libblas3 libgfortran5 libquadmath0 libglx0 libglvnd0 libx11-6 libxcb1 libxau6 \
  libxdmcp6 libbsd0 libmd0 zlib1g
for deb in *.deb; do dpkg -x "$deb" .; done

cat > filter.cpp << 'END'
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <opencv2/imgproc.hpp>

struct Seen {
  double seconds, error;  // of the fastest of nine; in units of the last place of the largest sum
};

template <class T>
Seen filter(int size, int rows, int columns) {
  constexpr int type = sizeof(T) == 4 ? CV_32F : CV_64F;
  cv::RNG random(1);
  cv::Mat x(size, size, type), k(rows, columns, type), y;
  random.fill(x, cv::RNG::UNIFORM, -1, 1);
  random.fill(k, cv::RNG::UNIFORM, -1, 1);
  Seen seen{1e9, 0};
  for (int i = 0; i < 9; ++i) {
    const auto start = std::chrono::steady_clock::now();
    cv::filter2D(x, y, -1, k, {-1, -1}, 0, cv::BORDER_CONSTANT);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    seen.seconds = std::min(seen.seconds, time.count());
  }
  long double largest = 0, error = 0;
  for (int i = 0; i < size; i += 3) {
    for (int j = 0; j < size; j += 5) {
      long double sum = 0;
      for (int p = 0; p < rows; ++p) {
        for (int q = 0; q < columns; ++q) {
          const int a = i + p - rows / 2, b = j + q - columns / 2;
          if (a < 0 || b < 0 || a >= size || b >= size) continue;
          sum += static_cast<long double>(x.at<T>(a, b)) * k.at<T>(p, q);
        }
      }
      largest = std::max(largest, std::abs(sum));
      error = std::max(error, std::abs(sum - y.at<T>(i, j)));
    }
  }
  seen.error = static_cast<double>(error / largest * std::pow(2.0L, sizeof(T) == 4 ? 24 : 53));
  std::printf("%s %dx%d by %dx%d, %d taps: %.3f ms, error %.2g units\n",
              sizeof(T) == 4 ? "float" : "double", size, size, rows, columns, rows * columns,
              seen.seconds * 1e3, seen.error);
  return seen;
}

int main() {
  std::printf("OpenCV %s\n", CV_VERSION);
  cv::setNumThreads(1);
  const Seen few = filter<float>(256, 11, 11), many = filter<float>(256, 11, 12);
  const Seen row = filter<float>(256, 1, 129), longer = filter<float>(256, 1, 130);
  const Seen few64 = filter<double>(256, 7, 7), many64 = filter<double>(256, 5, 10);
  return many.seconds > 3 * few.seconds && many.error < 2 && few.error > 3 &&
         longer.error < row.error / 3 && few64.error < 10 && many64.error > 50 ? 0 : 1;
}
END
g++ -std=c++17 -O2 -Iusr/include/opencv4 -o filter filter.cpp -Lusr/lib/x86_64-linux-gnu \
  -l:libopencv_imgproc.so.406 -l:libopencv_core.so.406 -Wl,--allow-shlib-undefined
libraries=$folder/usr/lib/x86_64-linux-gnu
if ! LD_LIBRARY_PATH=$libraries:$libraries/blas:$libraries/lapack:$folder/lib/x86_64-linux-gnu ./filter; then
  echo "this is not what was seen before"
  exit 1
fi
