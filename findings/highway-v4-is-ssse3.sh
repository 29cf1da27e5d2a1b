#!/usr/bin/env bash
# Highway 1.0.3 and 1.2.0, as in Debian 12 and 13: a program that is compiled for x86-64-v3 or
# x86-64-v4 and dispatches statically computes with the 16 bytes of SSSE3, not with the 32 of AVX2 or
# the 64 of AVX-512. Highway counts AES and carry-less products as part of SSE4 and of all that comes
# after, and the levels do not have them: -maes -mpclmul bring the long vectors. For x86-64 itself,
# which has SSE2, 1.0.3 computes one number at a time; 1.2.0 uses SSE2.
# Who builds convolutions for a distribution's newer levels gets a fraction of the speed without a
# word, unless dispatch is at run time.
#
# Wants Debian or what is made from it, an archive among apt's sources, and g++. Exits with 1 where
# the versions behave otherwise.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

archive=$(apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(REPO_URI)' |
  awk '$1 == "Packages" && $2 == "main" && $3 ~ /debian\/$/ { print $3; exit }')
# fetch SUITE PACKAGE=VERSION...: unpacks them in a folder of that name.
fetch() {
  local suite=$1 root=$folder/$1
  shift
  mkdir -p "$root/lists/partial" "$root/cache/archives/partial"
  echo "deb $archive $suite main" > "$root/sources.list"
  local apt=(apt-get -qq -o "Dir::Etc::sourcelist=$root/sources.list" -o Dir::Etc::sourceparts=-
    -o "Dir::State::lists=$root/lists" -o "Dir::Cache=$root/cache" -o APT::Sandbox::User=root)
  "${apt[@]}" update
  (cd "$root" && "${apt[@]}" download "$@" && for deb in *.deb; do dpkg -x "$deb" .; done)
}

fetch bookworm libhwy-dev=1.0.3-3+deb12u1
fetch trixie libhwy-dev=1.2.0-2+b2

# Compiled and not run: what processor this is does not matter.
cat > target.cpp << 'END'
#include <hwy/highway.h>
#define NAME(TARGET) #TARGET
#define NAMESPACE(TARGET) NAME(TARGET)
const char* seen = "seen: " NAMESPACE(HWY_NAMESPACE);
END

seen=$(
  for suite in bookworm trixie; do
    for flags in x86-64 x86-64-v2 x86-64-v3 x86-64-v4 'x86-64-v3 -maes -mpclmul'; do
      name=$(g++ -std=c++17 -march=$flags -DHWY_COMPILE_ONLY_STATIC "-I$suite/usr/include" -S -o - \
        target.cpp | grep -o 'seen: N_[A-Z0-9_]*')
      echo "$suite -march=$flags: ${name#seen: N_}"
    done
  done
)
echo "$seen"

[ "$seen" = "bookworm -march=x86-64: SCALAR
bookworm -march=x86-64-v2: SSSE3
bookworm -march=x86-64-v3: SSSE3
bookworm -march=x86-64-v4: SSSE3
bookworm -march=x86-64-v3 -maes -mpclmul: AVX2
trixie -march=x86-64: SSE2
trixie -march=x86-64-v2: SSSE3
trixie -march=x86-64-v3: SSSE3
trixie -march=x86-64-v4: SSSE3
trixie -march=x86-64-v3 -maes -mpclmul: AVX2" ] || {
  echo "this is not what was seen before"
  exit 1
}
