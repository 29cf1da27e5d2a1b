#!/usr/bin/env bash
# PyTorch 1.13 with one thread: the gradient of a convolution at its input takes hundreds of times as long
# for an image of one channel if its strides are those of channels-last, though such a tensor is the same
# in memory and is_contiguous() says of both that they are contiguous in either format. oneDNN then runs
# its reference code, and a matrix product for the other strides, or with two threads.
# Seen with PyTorch 1.13.1 and oneDNN 2.7 (Debian 12) on a processor with AVX-512: 0.4 s and 1 ms. 2.14.1
# (Debian unstable) does not.
#
# Downloads about 150 MB. Exits with 1 where PyTorch behaves otherwise.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

archive=$(apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(REPO_URI)' |
  awk '$1 == "Packages" && $2 == "main" && $3 ~ /debian\/$/ { print $3; exit }')
mkdir -p lists/partial cache/archives/partial root
echo "deb $archive bookworm main" > sources.list
touch status
# As if nothing were installed, so that everything that Python and PyTorch need is fetched.
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=-
  -o "Dir::State=$folder" -o "Dir::State::status=$folder/status" -o "Dir::Cache=$folder/cache"
  -o APT::Sandbox::User=root -o Debug::NoLocking=1)
"${apt[@]}" update
"${apt[@]}" --yes --no-install-recommends --download-only install python3-torch=1.13.1+dfsg-4 > log 2>&1
for deb in cache/archives/*.deb; do dpkg -x "$deb" root; done

lib=$folder/root/usr/lib/x86_64-linux-gnu
cat > seen.py << 'END'
import os
import sys
import tempfile
import time

import torch
from torch.backends import mkldnn

LAST = torch.channels_last
print(f"PyTorch {torch.__version__}")


def gradient(shaped):
    """Of an image of 7x6 in a convolution of 106x98 by 100x93."""
    x, k, y = (shaped(torch.ones(1, 1, *size)) for size in ((7, 6), (100, 93), (106, 98)))
    assert all(t.is_contiguous() and t.is_contiguous(memory_format=LAST) for t in (x, k, y))

    def call():
        torch.ops.aten.convolution_backward(
            x, y, k, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1, (True, False, False)
        )

    return call, x.stride()


def implementation(call):
    """As oneDNN's log names it."""
    with tempfile.TemporaryFile() as log:
        sys.stdout.flush()
        usual = os.dup(1)
        os.dup2(log.fileno(), 1)
        with mkldnn.verbose(mkldnn.VERBOSE_ON):
            call()
        os.dup2(usual, 1)
        log.seek(0)
        lines = log.read().decode().splitlines()
    return [line.split(",")[4] for line in lines if ",exec,cpu,convolution," in line][0]


seen = []
for threads in 1, 2:
    torch.set_num_threads(threads)
    for shaped in (lambda t: t), (lambda t: t.clone(memory_format=LAST)):
        call, strides = gradient(shaped)
        seen.append(implementation(call))
        start = time.perf_counter()
        call()
        milliseconds = 1e3 * (time.perf_counter() - start)
        print(f"threads {threads}, strides {strides}: {seen[-1]}, {milliseconds:.2f} ms")
as_seen = [name.startswith("ref") for name in seen] == [False, True, False, False]
sys.exit(0 if as_seen else "this is not what was seen before")
END
PYTHONHOME=$folder/root/usr PYTHONPATH=$folder/root/usr/lib/python3/dist-packages \
  "$folder"/root/lib64/ld-linux-x86-64.so.2 \
  --library-path "$folder/root/lib/x86_64-linux-gnu:$lib:$lib/blas:$lib/lapack:$lib/openblas-pthread" \
  "$folder/root/usr/bin/python3.11" seen.py
