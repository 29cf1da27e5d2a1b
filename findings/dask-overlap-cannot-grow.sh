#!/usr/bin/env bash
# Dask: a function that grows its blocks, as a full convolution does, may be handed to map_overlap,
# and nothing complains. The array announces the shape of the image, holds a larger one, gives 7x7
# where 5x5 is asked for, and its sum counts what neighbours share more than once. None of the four
# settings of `trim` and `boundary` tried here makes it right.
# Seen with Dask 2022.12.1 (Debian 12).
#
# Wants Debian 12 with python3 3.11. Exits with 1 where Dask behaves otherwise.
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
"${apt[@]}" download python3-dask=2022.12.1+dfsg-2 python3-numpy=1:1.24.2-1+deb12u1 \
  python3-fsspec python3-toolz python3-click python3-cloudpickle python3-packaging python3-partd \
  python3-locket python3-yaml libyaml-0-2 libblas3 liblapack3 libgfortran5 libquadmath0
for deb in *.deb; do dpkg -x "$deb" .; done

libraries=$folder/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$libraries:$libraries/blas:$libraries/lapack
export PYTHONPATH=$folder/usr/lib/python3/dist-packages
/usr/bin/python3.11 -W ignore - << 'END'
import sys

import dask
import dask.array as da
import numpy as np

print(f"Dask {dask.__version__}, NumPy {np.__version__}")


def full(block):
    """The full convolution with 3x3 ones."""
    y = np.zeros(np.add(block.shape, 2))
    for p in range(3):
        for q in range(3):
            y[p : p + block.shape[0], q : q + block.shape[1]] += block
    return y


right = full(np.ones((8, 8)))
print(f"the full convolution of 8x8 ones: shape {right.shape}, sum {right.sum():.0f}")
seen = []
for trim in (True, False):
    for boundary in ("none", 0):
        image = da.ones((8, 8), chunks=4)
        y = image.map_overlap(full, depth=2, boundary=boundary, trim=trim, dtype=float)
        computed = y.compute()
        corner = y[:5, :5].compute()
        total = float(y.sum().compute())
        print(f"trim={trim}, boundary={boundary!r}: announced {y.shape}, computed "
              f"{computed.shape}, y[:5, :5] is {corner.shape}, sum {total:.0f}")
        seen.append((y.shape, computed.shape, corner.shape, total))
expected = [
    ((8, 8), (12, 12), (7, 7), 900.0),
    ((8, 8), (12, 12), (7, 7), 900.0),
    ((8, 8), (16, 16), (9, 9), 1296.0),
    ((8, 8), (20, 20), (11, 11), 1296.0),
]
sys.exit(seen != expected)
END
