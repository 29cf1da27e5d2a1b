#!/usr/bin/env bash
# PyTorch: whether an infinite weight over padding makes NaN depends on the batch. conv2d of an 8x8 image
# with padding 2 and a 3x3 kernel that has one Inf: in float with a batch of one, and in double, 36 of the
# 100 outputs are NaN, since 0*Inf is; in float with a batch of two, the first image's outputs have none.
# So the same image gives another result beside another image, and no rule for NaN can be relied on.
# Seen with PyTorch 1.13.1 (Debian 12) and 2.14.1 (Debian unstable).
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
from torch.nn.functional import conv2d

print(f"PyTorch {torch.__version__}")


def nans_of_first(kind, batch):
    x = torch.arange(1.0, 65).reshape(1, 1, 8, 8).repeat(batch, 1, 1, 1).to(kind)
    k = torch.ones(1, 1, 3, 3, dtype=kind)
    k[0, 0, 0, 0] = float("inf")
    return int(conv2d(x, k, padding=2)[0].isnan().sum())


seen = {}
for kind in torch.float32, torch.float64:
    for batch in 1, 2:
        seen[kind, batch] = nans_of_first(kind, batch)
        print(f"{kind}, batch of {batch}: {seen[kind, batch]} NaN in the first image's 100 outputs")
sys.exit(0 if list(seen.values()) == [36, 0, 36, 36] else "this is not what was seen before")
END
PYTHONHOME=$folder/root/usr PYTHONPATH=$folder/root/usr/lib/python3/dist-packages \
  "$folder"/root/lib64/ld-linux-x86-64.so.2 \
  --library-path "$folder/root/lib/x86_64-linux-gnu:$lib:$lib/blas:$lib/lapack:$lib/openblas-pthread" \
  "$folder/root/usr/bin/python3.11" seen.py
