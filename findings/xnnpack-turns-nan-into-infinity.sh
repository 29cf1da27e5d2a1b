#!/usr/bin/env bash
# XNNPACK: a NaN pixel comes out of its deconvolution as +Inf, with output_min and output_max of -Inf
# and +Inf, which stand for "no clamping". Its convolution of the same pixels, asked for in the same
# way, gives NaN. Whoever looks for NaN in the gradient that a deconvolution computes finds none.
# And its header does not compile as packaged: it includes pthreadpool.h, of a package on which
# libxnnpack-dev does not depend.
# Seen with XNNPACK 0.0~git20241108 (Debian 13 and unstable), on a processor with AVX-512.
#
# Wants Debian or what is made from it, an archive among apt's sources, and g++. Exits with 1 where
# XNNPACK behaves otherwise.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

archive=$(apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(REPO_URI)' |
  awk '$1 == "Packages" && $2 == "main" && $3 ~ /debian\/$/ { print $3; exit }')
mkdir -p lists/partial cache/archives/partial root
echo "deb $archive trixie main" > sources.list
touch status
# As if nothing were installed, so that the C library is fetched, too.
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=-
  -o "Dir::State=$folder" -o "Dir::State::status=$folder/status" -o "Dir::Cache=$folder/cache"
  -o APT::Sandbox::User=root -o Debug::NoLocking=1)
"${apt[@]}" update
"${apt[@]}" --yes --no-install-recommends --download-only install \
  libxnnpack-dev=0.0~git20241108.4ea82e5-2 > log 2>&1
for deb in cache/archives/*.deb; do dpkg -x "$deb" root; done

as_seen=0
echo '#include <xnnpack.h>' > alone.cpp
if g++ -fsyntax-only -Iroot/usr/include alone.cpp 2> alone.log; then
  echo 'xnnpack.h compiles with what libxnnpack-dev brings: not what was seen before'
  as_seen=1
else
  grep --max-count=1 pthreadpool.h alone.log
fi
"${apt[@]}" download libpthreadpool-dev=0.0~git20240616.560c60d-1
for deb in ./*.deb; do dpkg -x "$deb" root; done

cat > seen.cpp << 'END'
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <vector>
#include <xnnpack.h>

constexpr float kAny = std::numeric_limits<float>::infinity();

int count_nan(const std::vector<float>& values) {
  int count = 0;
  for (const float value : values) count += std::isnan(value);
  return count;
}

int count_infinite(const std::vector<float>& values) {
  int count = 0;
  for (const float value : values) count += std::isinf(value);
  return count;
}

/// One channel, 5x5 ones with NaN in the middle, and a 3x3 kernel of ones.
bool gives_infinity(const char* name, bool transposed) {
  std::vector<float> x(25 + XNN_EXTRA_BYTES / sizeof(float), 1.0f), k(9, 1.0f);
  x[12] = std::nanf("");
  std::vector<float> y(transposed ? 49 : 9);
  xnn_operator_t op = nullptr;
  size_t rows = 0, columns = 0, bytes = 0, alignment = 0;
  xnn_status status;
  std::vector<char> workspace;
  if (transposed) {
    status = xnn_create_deconvolution2d_nhwc_f32(0, 0, 0, 0, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                 k.data(), nullptr, -kAny, kAny, 0, nullptr,
                                                 nullptr, &op);
    if (status == xnn_status_success) {
      status = xnn_reshape_deconvolution2d_nhwc_f32(op, 1, 5, 5, 0, 0, &rows, &columns, nullptr);
    }
    if (status == xnn_status_success) {
      status = xnn_setup_deconvolution2d_nhwc_f32(op, x.data(), y.data());
    }
  } else {
    status = xnn_create_convolution2d_nhwc_f32(0, 0, 0, 0, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                               k.data(), nullptr, -kAny, kAny, 0, nullptr, nullptr,
                                               &op);
    if (status == xnn_status_success) {
      status = xnn_reshape_convolution2d_nhwc_f32(op, 1, 5, 5, &bytes, &alignment, &rows, &columns,
                                                  nullptr);
      workspace.resize(bytes + 128);
    }
    if (status == xnn_status_success) {
      status = xnn_setup_convolution2d_nhwc_f32(op, workspace.data(), x.data(), y.data());
    }
  }
  if (status == xnn_status_success) status = xnn_run_operator(op, nullptr);
  std::printf("%-14s status %d, 9 of %zu outputs see the NaN: %d NaN, %d infinite\n", name,
              static_cast<int>(status), y.size(), count_nan(y), count_infinite(y));
  xnn_delete_operator(op);
  if (status != xnn_status_success) std::exit(1);
  return count_nan(y) == 0 && count_infinite(y) == 9;
}

int main() {
  if (xnn_initialize(nullptr) != xnn_status_success) return std::puts("no XNNPACK here"), 1;
  const bool as_seen =
      gives_infinity("deconvolution:", true) && !gives_infinity("convolution:", false);
  if (!as_seen) std::puts("this is not what was seen before");
  return as_seen ? 0 : 1;
}
END
lib=$folder/root/usr/lib/x86_64-linux-gnu
g++ -std=c++17 -O2 -Iroot/usr/include seen.cpp -o seen "$lib"/libXNNPACK.so.0.20241108 \
  -Wl,--allow-shlib-undefined
"$lib/ld-linux-x86-64.so.2" --library-path "$lib" ./seen || as_seen=1
exit "$as_seen"
