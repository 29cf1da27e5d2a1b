#!/usr/bin/env bash
# OpenBLAS 0.3.21 with OpenMP, as in Debian 12: openblas_set_num_threads(1) also sets OpenMP's number
# of threads. Who calls it to have single-threaded products within a parallel loop of its own, as a
# convolution over images does, has a loop of one thread from then on. OpenBLAS 0.3.29, in Debian 13,
# leaves OpenMP's setting alone.
#
# Wants Debian or what is made from it, an archive among apt's sources, and gcc. Exits with 1 where
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

fetch bookworm libopenblas0-openmp=0.3.21+ds-4
fetch trixie libopenblas0-openmp=0.3.29+ds-3 libc6 libgfortran5 libgomp1 libgcc-s1

cat > team.c << 'END'
#include <dlfcn.h>
#include <omp.h>
#include <stdio.h>

static int team(void) {
  int threads = 0;
#pragma omp parallel
#pragma omp single
  threads = omp_get_num_threads();
  return threads;
}

int main(void) {
  void* blas = dlopen("libopenblas.so.0", RTLD_NOW);
  if (!blas) return fprintf(stderr, "%s\n", dlerror()), 2;
  const char* (*config)(void) = dlsym(blas, "openblas_get_config");
  void (*set)(int) = dlsym(blas, "openblas_set_num_threads");
  const int before = team();
  set(1);
  printf("%s: a parallel region has %d threads, after openblas_set_num_threads(1) %d\n", config(), before, team());
}
END
gcc -O1 -fopenmp -o team team.c -ldl

export OMP_NUM_THREADS=2
old=$(LD_LIBRARY_PATH=bookworm/usr/lib/x86_64-linux-gnu/openblas-openmp ./team)
libraries=trixie/usr/lib/x86_64-linux-gnu
new=$("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:$libraries/openblas-openmp" ./team)
printf '%s\n' "$old" "$new"

[[ $old == *"0.3.21 "*"has 2 threads, "*" 1" && $new == *"0.3.29 "*"has 2 threads, "*" 2" ]] || {
  echo "this is not what was seen before"
  exit 1
}
