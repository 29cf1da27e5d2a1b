#!/usr/bin/env bash
# SciPy: a float32 image and a float64 kernel have a float64 convolution, as NumPy's rules say. By
# fftconvolve and oaconvolve its values are only as good as float32, since each operand is transformed
# in its own precision before the two are multiplied. convolve() with its default method='auto'
# changes between 16 correct digits and 7 by the sizes, with the same type and without a word.
# Seen with SciPy 1.10.1 (Debian 12); 1.17.1 (Debian unstable) does the same.
#
# Wants Debian 12 with python3 3.11. Exits with 1 where SciPy behaves otherwise.
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
"${apt[@]}" download python3-scipy=1.10.1-2 python3-numpy=1:1.24.2-1+deb12u1 python3-decorator \
  libblas3 liblapack3 libgfortran5 libquadmath0
for deb in *.deb; do dpkg -x "$deb" .; done

libraries=$folder/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$libraries:$libraries/blas:$libraries/lapack
export PYTHONPATH=$folder/usr/lib/python3/dist-packages
/usr/bin/python3.11 - << 'END'
import sys

import numpy as np
import scipy
from scipy import signal

print(f"SciPy {scipy.__version__}, NumPy {np.__version__}")
random = np.random.default_rng(1)


def error(convolve, size, taps):
    """Relative to the largest value, against the same operands as float64 from the start."""
    x = random.standard_normal((size, size)).astype(np.float32)
    k = random.standard_normal((taps, taps))
    y = convolve(x, k)
    truth = signal.convolve2d(x.astype(np.float64), k)
    found = np.abs(y - truth).max() / np.abs(truth).max()
    print(f"{convolve.__name__}, {size}x{size} by {taps}x{taps}: {y.dtype}, error {found:.1e}")
    return y.dtype == np.float64, found


single = [
    error(signal.fftconvolve, 64, 9),
    error(signal.oaconvolve, 64, 9),
    error(signal.convolve, 200, 50),
]
double = [error(signal.convolve2d, 64, 9), error(signal.convolve, 8, 3)]
as_seen = all(is_double and 1e-8 < found < 1e-5 for is_double, found in single)
as_seen &= all(is_double and found < 1e-14 for is_double, found in double)
sys.exit(0 if as_seen else "this is not what was seen before")
END
