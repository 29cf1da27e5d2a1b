#!/usr/bin/env bash
# XNNPACK computes with subnormal numbers as zeros, operands and results alike, though the program has
# not set the processor to that: its deconvolution of ones by a tap of 1e-39 gives 0, and so do normal
# numbers whose products are subnormal. The program's own products of these are 1e-39.
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

"${apt[@]}" download libpthreadpool-dev=0.0~git20240616.560c60d-1
for deb in ./*.deb; do dpkg -x "$deb" root; done

cat > seen.cpp << 'END'
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <vector>
#include <xnnpack.h>

/// What a deconvolution of 2x2 samples of `sample` by one tap gives at its first output.
float deconvolve(float sample, float tap) {
  constexpr float kAny = std::numeric_limits<float>::infinity();
  std::vector<float> x(4 + XNN_EXTRA_BYTES / sizeof(float), sample), y(4, -1.0f);
  xnn_operator_t op = nullptr;
  size_t rows = 0, columns = 0;
  const bool done =
      xnn_create_deconvolution2d_nhwc_f32(0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, &tap, nullptr,
                                          -kAny, kAny, 0, nullptr, nullptr,
                                          &op) == xnn_status_success &&
      xnn_reshape_deconvolution2d_nhwc_f32(op, 1, 2, 2, 0, 0, &rows, &columns, nullptr) ==
          xnn_status_success &&
      xnn_setup_deconvolution2d_nhwc_f32(op, x.data(), y.data()) == xnn_status_success &&
      xnn_run_operator(op, nullptr) == xnn_status_success;
  xnn_delete_operator(op);
  if (!done) std::exit(1);
  volatile float product = sample;
  product = product * tap;
  std::printf("%g * %g = %g, deconvolution: %g\n", sample, tap, product, y[0]);
  return y[0];
}

int main() {
  if (xnn_initialize(nullptr) != xnn_status_success) return std::puts("no XNNPACK here"), 1;
  const float normal = deconvolve(1e-17f, 1e-17f);
  const float operand = deconvolve(1.0f, 1e-39f), result = deconvolve(1e-19f, 1e-20f);
  const bool as_seen = normal == 1e-17f * 1e-17f && operand == 0 && result == 0;
  if (!as_seen) std::puts("this is not what was seen before");
  return as_seen ? 0 : 1;
}
END
lib=$folder/root/usr/lib/x86_64-linux-gnu
g++ -std=c++17 -O2 -Iroot/usr/include seen.cpp -o seen "$lib"/libXNNPACK.so.0.20241108 \
  -Wl,--allow-shlib-undefined
"$lib/ld-linux-x86-64.so.2" --library-path "$lib" ./seen
