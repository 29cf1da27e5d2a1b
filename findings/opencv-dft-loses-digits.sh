#!/usr/bin/env bash
# OpenCV: dft() of double loses digits in proportion to its length. Each value of a transform of 4096
# random numbers is off by up to some hundred units of 2^-52 of the norm of these, of 65536 by ten
# thousand: twelve digits are right and not fifteen, where an FFT is off by a few units. Convolutions by
# dft() lose as much: a row of 65536 by 63 taps is off by five times what is possible with right roots
# of unity. The roots come from a recurrence. In float nothing is lost, since that is in double, too.
# Seen with OpenCV 4.6.0 (Debian 12); that of Debian unstable has the same error in convolutions.
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
"${apt[@]}" download libopencv-core-dev=$version libopencv-core406=$version \
  libtbb12 liblapack3 libblas3 libgfortran5 libquadmath0 libglx0 libglvnd0 libx11-6 libxcb1 libxau6 \
  libxdmcp6 libbsd0 libmd0 zlib1g
for deb in *.deb; do dpkg -x "$deb" .; done

cat > dft.cpp << 'END'
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <opencv2/core.hpp>
#include <random>
#include <vector>

// The largest error of some values of the transform of n random numbers, by the definition in long
// double, in units of the scalar's precision times the norm of these.
template <class T>
double error(int n) {
  std::mt19937 random(1);
  std::normal_distribution<T> normal;
  std::vector<T> x(n);
  long double squares = 0;
  for (T& value : x) value = normal(random);
  for (const T value : x) squares += static_cast<long double>(value) * value;
  cv::Mat spectrum;
  cv::dft(cv::Mat(1, n, cv::traits::Type<T>::value, x.data()), spectrum, cv::DFT_COMPLEX_OUTPUT);
  long double worst = 0;
  for (const int k : {1, 2, 3, 7, n / 7, n / 3, n / 2 - 1}) {
    long double re = 0, im = 0;
    for (int j = 0; j < n; ++j) {
      const long double angle = 2 * acosl(-1.0L) * (static_cast<long long>(j) * k % n) / n;
      re += x[j] * cosl(angle);
      im -= x[j] * sinl(angle);
    }
    const auto value = spectrum.at<cv::Vec<T, 2>>(0, k);
    worst = std::max(worst, hypotl(value[0] - re, value[1] - im));
  }
  return static_cast<double>(worst / sqrtl(squares) / std::numeric_limits<T>::epsilon());
}

int main() {
  std::printf("OpenCV %s, errors in units of the precision times the norm\n",
              cv::getVersionString().c_str());
  bool as_seen = true;
  for (const int n : {4096, 65536}) {
    const double in_double = error<double>(n), in_float = error<float>(n);
    std::printf("%d numbers: %.0f in double, %.1f in float\n", n, in_double, in_float);
    as_seen &= in_double > n / 40 && in_float < 3;
  }
  if (!as_seen) std::puts("this is not what was seen before");
  return as_seen ? 0 : 1;
}
END
lib=usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$folder/$lib:$folder/$lib/lapack:$folder/$lib/blas:$folder/lib/x86_64-linux-gnu
g++ -O2 -Iusr/include/opencv4 dft.cpp -o dft $lib/libopencv_core.so.406 -Wl,--allow-shlib-undefined
./dft
