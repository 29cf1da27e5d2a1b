#!/usr/bin/env bash
# OpenBLAS 0.3.29 with OpenMP, as in Debian 13: openblas_set_num_threads(1) before the first product
# has no effect. The product still runs on as many threads as OpenMP would give, allocates 2 MiB for
# them, and openblas_get_num_threads() says so afterwards. Only omp_set_num_threads(1) helps. Who
# times a matrix product or a lowered convolution "on one thread" times more of them.
# OpenBLAS 0.3.21, in Debian 12, stays at one.
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

cat > product.c << 'END'
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static int threads(void) {
  int n = -2;  /* . and .. */
  DIR* tasks = opendir("/proc/self/task");
  while (readdir(tasks)) ++n;
  closedir(tasks);
  return n;
}

int main(void) {
  void* blas = dlopen("libopenblas.so.0", RTLD_NOW);
  if (!blas) return fprintf(stderr, "%s\n", dlerror()), 2;
  const char* (*config)(void) = dlsym(blas, "openblas_get_config");
  void (*set)(int) = dlsym(blas, "openblas_set_num_threads");
  int (*get)(void) = dlsym(blas, "openblas_get_num_threads");
  void (*sgemm)(int, int, int, int, int, int, float, const float*, int, const float*, int, float,
                float*, int) = dlsym(blas, "cblas_sgemm");
  const int m = 64, n = 4096, k = 64;
  float *a = calloc(m * k, sizeof *a), *b = calloc(k * n, sizeof *b), *c = calloc(m * n, sizeof *c);
  set(1);
  const int told = get();
  sgemm(101, 111, 111, m, n, k, 1, a, k, b, n, 0, c, n);  /* row-major, nothing transposed */
  printf("%s: told %d, after a product %d, threads of the process %d\n", config(), told, get(), threads());
}
END
gcc -O1 -o product product.c -ldl

export OMP_NUM_THREADS=2
old=$(LD_LIBRARY_PATH=bookworm/usr/lib/x86_64-linux-gnu/openblas-openmp ./product)
libraries=trixie/usr/lib/x86_64-linux-gnu
new=$("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:$libraries/openblas-openmp" ./product)
printf '%s\n' "$old" "$new"

[[ $old == *"0.3.21 "*"told 1, after a product 1, threads of the process 1" ]] &&
  [[ $new == *"0.3.29 "*"told 1, after a product 2, threads of the process 2" ]] || {
  echo "this is not what was seen before"
  exit 1
}
