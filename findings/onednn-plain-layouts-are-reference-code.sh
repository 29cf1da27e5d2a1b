#!/usr/bin/env bash
# oneDNN 3.7: the gradient of a convolution by data runs its reference code, 2000 times slower, where
# image and weights have the plain layouts that every framework stores (NCHW or NHWC, OIHW). One of the
# two may be plain: with weights left to the library ("any") it is at full speed, with the images left
# to it and OIHW weights at half of that. Nothing is declined and the result is right; only the name of
# the implementation tells. Depthwise layers as well.
# Seen with oneDNN 3.7.2 (Debian 13), and 3.12.1 (unstable), on a processor with AVX-512.
#
# Wants Debian or what is made from it, an archive among apt's sources, and g++. Exits with 1 where
# oneDNN behaves otherwise.
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
"${apt[@]}" --yes --no-install-recommends --download-only install libdnnl3.6=3.7.2+ds-2 > log 2>&1
"${apt[@]}" download libdnnl-dev=3.7.2+ds-2
for deb in cache/archives/*.deb ./*.deb; do dpkg -x "$deb" root; done

cat > seen.cpp << 'END'
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>

using dnnl::memory;
using tag = memory::format_tag;

const dnnl::engine engine(dnnl::engine::kind::cpu, 0);

struct Seen {
  bool reference;
  double seconds;
};

/// The gradient at the input of a layer, 64 to 64 channels, images of 56x56 and 58x58, 3x3.
Seen backward(const char* name, tag images, tag weights) {
  const auto direct = dnnl::algorithm::convolution_direct;
  const auto f32 = memory::data_type::f32;
  const memory::dims kOne{1, 1}, kNone{0, 0}, kWeights{64, 64, 3, 3};
  const memory::desc input({1, 64, 58, 58}, f32, images), output({1, 64, 56, 56}, f32, images);
  const memory::desc any(kWeights, f32, tag::any), told(kWeights, f32, weights);
  const dnnl::convolution_forward::primitive_desc hint(
      engine, dnnl::prop_kind::forward_training, direct, input, any, output, kOne, kNone, kNone);
  const dnnl::convolution_backward_data::primitive_desc description(
      engine, direct, input, told, output, kOne, kNone, kNone, hint);
  memory x(description.diff_dst_desc(), engine), k(description.weights_desc(), engine);
  memory y(description.diff_src_desc(), engine);
  std::memset(x.get_data_handle(), 0, description.diff_dst_desc().get_size());
  std::memset(k.get_data_handle(), 0, description.weights_desc().get_size());
  dnnl::stream stream(engine);
  const dnnl::convolution_backward_data primitive(description);
  double best = 1e9;
  for (int run = 0; run < 3; ++run) {
    const auto start = std::chrono::steady_clock::now();
    primitive.execute(stream,
                      {{DNNL_ARG_DIFF_DST, x}, {DNNL_ARG_WEIGHTS, k}, {DNNL_ARG_DIFF_SRC, y}});
    stream.wait();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count());
  }
  const char* ran = description.impl_info_str();
  std::printf("%-27s %s, %.2f ms\n", name, ran, 1e3 * best);
  return {std::strstr(ran, "ref:") != nullptr, best};
}

int main() {
  const dnnl_version_t& version = *dnnl::version();
  std::printf("oneDNN %d.%d.%d\n", version.major, version.minor, version.patch);
  const Seen free = backward("images any, weights any:", tag::any, tag::any);
  const Seen images = backward("images nchw, weights any:", tag::nchw, tag::any);
  const Seen weights = backward("images any, weights oihw:", tag::any, tag::oihw);
  const Seen first = backward("images nchw, weights oihw:", tag::nchw, tag::oihw);
  const Seen last = backward("images nhwc, weights oihw:", tag::nhwc, tag::oihw);
  const bool optimised = !free.reference && !images.reference && !weights.reference;
  const double most = 50 * std::max({free.seconds, images.seconds, weights.seconds});
  const bool as_seen = optimised && first.reference && last.reference && first.seconds > most &&
                       last.seconds > most;
  if (!as_seen) std::puts("this is not what was seen before");
  return as_seen ? 0 : 1;
}
END
lib=$folder/root/usr/lib/x86_64-linux-gnu
g++ -std=c++17 -O2 -Iroot/usr/include -Iroot/usr/include/x86_64-linux-gnu seen.cpp -o seen \
  "$(echo "$lib"/libdnnl.so.3*.* | cut -d' ' -f1)" -Wl,--allow-shlib-undefined
OMP_NUM_THREADS=1 "$lib/ld-linux-x86-64.so.2" --library-path "$lib" ./seen
