#!/usr/bin/env bash
# OpenCV 4.6: `m != m`, the usual way to find NaN, does not find it in a matrix of float, except in
# the last few elements of the matrix, those that are left over beside whole vectors. So how many
# are found depends on the size, and a result that is NaN all over passes as clean.
# Seen with OpenCV 4.6.0 (Debian 12) on processors with AVX2 or AVX-512.
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

cat > compare.cpp << 'END'
#include <cstdio>
#include <limits>
#include <opencv2/core.hpp>

int main() {
  std::printf("OpenCV %s, all elements NaN\n", cv::getVersionString().c_str());
  bool as_seen = true;
  for (const int size : {64, 78}) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const cv::Mat m(size, size, CV_32F, cv::Scalar(nan));
    const int elements = size * size;
    const int unequal = cv::countNonZero(m != m), equal = cv::countNonZero(m == m);
    std::printf("%dx%d, %d elements: m != m in %d, m == m in %d\n", size, size, elements, unequal,
                equal);
    as_seen = as_seen && unequal < 64 && (size != 78 || unequal > 0);
  }
  if (!as_seen) std::puts("this is not what was seen before");
  return as_seen ? 0 : 1;
}
END
lib=usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$folder/$lib:$folder/$lib/lapack:$folder/$lib/blas:$folder/lib/x86_64-linux-gnu
g++ -O1 -Iusr/include/opencv4 compare.cpp -o compare $lib/libopencv_core.so.406 \
  -Wl,--allow-shlib-undefined
./compare
