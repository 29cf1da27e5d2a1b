#!/usr/bin/env bash
# PyTorch 1.13: conv_transpose2d in bfloat16 returns another operation's result: an ordinary,
# smaller convolution, hence of the wrong shape, without a word. float32 and float64 are right.
# Whoever tries a precision has to look at the shape as well as at the values.
# Seen with PyTorch 1.13.1 (Debian 12); 2.14.1 (Debian unstable) is right.
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
import sys

import torch
from torch.nn.functional import conv2d, conv_transpose2d

print(f"PyTorch {torch.__version__}")
x = torch.arange(64.0).reshape(1, 1, 8, 8)
k = torch.arange(9.0).reshape(1, 1, 3, 3)
shapes = {}
for kind in torch.float64, torch.float32, torch.bfloat16:
    y = conv_transpose2d(x.to(kind), k.to(kind))
    shapes[kind] = tuple(y.shape[2:])
    print(f"conv_transpose2d of 8x8 by 3x3, {kind}: {y.shape[2]}x{y.shape[3]}")
ordinary = conv2d(x.to(torch.bfloat16), k.to(torch.bfloat16))
same = ordinary.shape == y.shape and bool((ordinary == y).all())
print(f"the last is what conv2d gives: {same}")
as_seen = list(shapes.values()) == [(10, 10), (10, 10), (6, 6)] and same
sys.exit(0 if as_seen else "this is not what was seen before")
END
PYTHONHOME=$folder/root/usr PYTHONPATH=$folder/root/usr/lib/python3/dist-packages \
  "$folder"/root/lib64/ld-linux-x86-64.so.2 \
  --library-path "$folder/root/lib/x86_64-linux-gnu:$lib:$lib/blas:$lib/lapack:$lib/openblas-pthread" \
  "$folder/root/usr/bin/python3.11" seen.py
