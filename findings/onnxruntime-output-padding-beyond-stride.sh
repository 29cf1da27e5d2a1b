#!/usr/bin/env bash
# ONNX Runtime's ConvTranspose: output padding that is not below the stride is taken where the dilation
# is larger, and gives a right shape with wrong numbers: 15 of 25 for 2x2 samples, 2x2 taps of 1, stride
# 1, dilation 2, output padding 1. No error, no warning. With output padding below the stride the same
# layer is right.
# Seen with ONNX Runtime 1.21.0 (Debian 13); 1.23.2 (unstable) does the same.
#
# Wants Debian or what is made from it, and an archive among apt's sources. Exits with 1 where ONNX
# Runtime behaves otherwise.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

archive=$(apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(REPO_URI)' |
  awk '$1 == "Packages" && $2 == "main" && $3 ~ /debian\/$/ { print $3; exit }')
mkdir -p lists/partial cache/archives/partial root
echo "deb $archive trixie main" > sources.list
touch status
# As if nothing were installed, so that Python and the C library are fetched, too.
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=-
  -o "Dir::State=$folder" -o "Dir::State::status=$folder/status" -o "Dir::Cache=$folder/cache"
  -o APT::Sandbox::User=root -o Debug::NoLocking=1)
"${apt[@]}" update
"${apt[@]}" --yes --no-install-recommends --download-only install \
  python3-onnxruntime=1.21.0+dfsg-1 python3-onnx=1.17.0-3+b1 > log 2>&1
for deb in cache/archives/*.deb; do dpkg -x "$deb" root; done

cat > seen.py << 'END'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper


def convolve(stride, dilation, output_padding):
    node = helper.make_node(
        "ConvTranspose",
        ["x", "k"],
        ["y"],
        strides=[stride] * 2,
        dilations=[dilation] * 2,
        output_padding=[output_padding] * 2,
    )
    operands = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 2, 2]) for name in "xk"]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, "rows", "columns"])
    graph = helper.make_graph([node], "layer", operands, [result])
    opset = helper.make_opsetid("", 11)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    x = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 2, 2)
    (y,) = session.run(None, {"x": x, "k": np.ones_like(x)})
    size = stride + dilation + 1 + output_padding
    due = np.zeros((size, size), np.float32)
    for i, j, p, q in np.ndindex(2, 2, 2, 2):
        due[i * stride + p * dilation, j * stride + q * dilation] += x[0, 0, i, j]
    wrong = np.count_nonzero(y[0, 0] != due) if y[0, 0].shape == due.shape else -1
    print(f"stride {stride}, dilation {dilation}, output padding {output_padding}: ", end="")
    print(f"{y.shape[2]}x{y.shape[3]}, {wrong} of {due.size} wrong")
    return y[0, 0], wrong


print(f"ONNX Runtime {onnxruntime.__version__}")
right = [convolve(1, 2, 0), convolve(2, 1, 1), convolve(2, 3, 1)]
wide, wrong = convolve(1, 2, 1)
print(wide)
as_seen = all(count == 0 for _, count in right) and wrong > 0
if not as_seen:
    print("this is not what was seen before")
sys.exit(not as_seen)
END
lib=$folder/root/usr/lib/x86_64-linux-gnu
# Debian's build registers the operators twice and complains of each on standard error.
PYTHONHOME=$folder/root/usr PYTHONPATH=$folder/root/usr/lib/python3/dist-packages \
  "$lib/ld-linux-x86-64.so.2" --library-path "$lib:$lib/blas:$lib/lapack" \
  root/usr/bin/python3.13 -B seen.py 2> errors || { grep -v 'Schema error' errors | tail -5; exit 1; }
