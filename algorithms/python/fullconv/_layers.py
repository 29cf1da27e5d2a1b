"""The face that PyTorch's users know: conv_transpose2d and conv2d_input."""

import math
import operator
import sys

import numpy as np

from . import _core, _engine


def conv_transpose2d(
    x,
    weight,
    bias=None,
    stride=1,
    padding=0,
    output_padding=0,
    groups=1,
    dilation=1,
    *,
    algorithm="auto",
    threads=None,
):
    """Transposed convolution of a layer, as `torch.nn.functional.conv_transpose2d`.

    This is the gradient of a convolution layer with respect to its input, for the gradient `x` at
    its output and its weights as they are stored.

    Parameters
    ----------
    x : array
        [N, K, H, W] or [K, H, W]: a NumPy array, a PyTorch tensor, or anything else with
        ``__dlpack__``, in the memory of the processor. Strides may be any, channels last too.
    weight : array
        [K, C / groups, h, w], of the same kind and type.
    bias : array, optional
        [C], added to each channel.
    stride, output_padding, dilation : int or (int, int), optional
        For rows and columns.
    padding : int or (int, int) or (int, int, int, int), optional
        What is left out at the edges: rows and columns, or top, left, bottom and right.
    groups : int, optional
        Groups of channels, each with weights of its own.
    algorithm, threads : optional
        As in `fullconv.convolve2d`; errors are bounded componentwise, so that 'auto' takes neither
        Winograd's tiles nor transforms. `fullconv.plan` has the choice.

    Returns
    -------
    y : array
        [N, C, (H - 1) * stride + (h - 1) * dilation + 1 - padding + output_padding, likewise], of
        the kind and type of `x`, channels last where `x` has them last. An empty batch gives an
        empty result.

    Raises
    ------
    RuntimeError
        Where PyTorch raises it: if shapes, types and numbers do not go together.
    TypeError
        If an argument is of a type that PyTorch would not take, if arrays are of two kinds, in the
        memory of another device, or of a library without ``from_dlpack`` for the result.
    ValueError
        If the algorithm is not known or declines the problem, or if `threads` is less than 1.

    Examples
    --------
    >>> import numpy as np, fullconv
    >>> x = np.array([[[[1.0, 2.0]]]])
    >>> weight = np.array([[[[1.0, 10.0]]]])
    >>> fullconv.conv_transpose2d(x, weight, stride=2)
    array([[[[ 1., 10.,  2., 20.]]]])
    >>> fullconv.conv_transpose2d(x, weight, padding=(0, 1))
    array([[[[12.]]]])
    """
    kind = _Kind.of(x=x, weight=weight, **({} if bias is None else {"bias": bias}))
    _require_one_type(kind, input=x, weight=weight)
    if bias is not None:
        _require_one_type(kind, input=x, bias=bias)
    x, weight = kind.to_numpy(x), kind.to_numpy(weight)
    bias = None if bias is None else kind.to_numpy(bias)
    layer = _layer(stride, padding, output_padding, dilation, groups)
    if x.ndim not in (3, 4):
        raise RuntimeError(
            "Expected 3D (unbatched) or 4D (batched) input to conv_transpose2d, but got input of "
            f"size: {list(x.shape)}"
        )
    batched = x if x.ndim == 4 else x[np.newaxis]
    y = _transposed(batched, weight, layer, algorithm, threads)
    if bias is not None:
        if bias.shape != y.shape[1:2]:
            raise RuntimeError(
                f"expected bias to be 1-dimensional with {y.shape[1]} elements, but got bias of "
                f"size {list(bias.shape)} instead"
            )
        y += bias[:, np.newaxis, np.newaxis]
    return kind.from_numpy(y if x.ndim == 4 else y[0])


def conv2d_input(
    input_size,
    weight,
    grad_output,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    *,
    algorithm="auto",
    threads=None,
):
    """Gradient of a convolution layer with respect to its input, as `torch.nn.grad.conv2d_input`.

    Parameters
    ----------
    input_size : sequence of int
        Of the layer's input, [N, C, rows, columns].
    weight : array
        The layer's, [K, C / groups, h, w]: of any kind that `conv_transpose2d` takes.
    grad_output : array
        The gradient at the layer's output, [N, K, H, W], of the same kind and type.
    stride, padding, dilation, groups : optional
        The layer's, as in `conv_transpose2d`.
    algorithm, threads : optional
        As in `fullconv.convolve2d`.

    Returns
    -------
    y : array
        Of shape `input_size`, and of the kind and type of `grad_output`.

    Raises
    ------
    RuntimeError
        Where PyTorch raises it; so if a layer with such an input has not such an output.
    TypeError, ValueError
        As `conv_transpose2d`.

    Examples
    --------
    >>> import numpy as np, fullconv
    >>> weight = np.array([[[[1.0, 10.0]]]])
    >>> grad_output = np.array([[[[1.0, 2.0]]]])
    >>> fullconv.conv2d_input((1, 1, 1, 3), weight, grad_output)
    array([[[[ 1., 12., 20.]]]])
    >>> fullconv.conv2d_input((1, 1, 1, 5), weight, grad_output, stride=2)
    array([[[[ 1., 10.,  2., 20.,  0.]]]])
    """
    kind = _Kind.of(grad_output=grad_output, weight=weight)
    _require_one_type(kind, grad_output=grad_output, weight=weight)
    x, weight = kind.to_numpy(grad_output), kind.to_numpy(weight)
    size = _integers("input_size", input_size)
    layer = _layer(stride, padding, 0, dilation, groups)
    if not len(size) == x.ndim == weight.ndim == 4:
        raise RuntimeError(
            f"expected input_size, weight and grad_output of 4 dimensions, but got {list(size)}, "
            f"{list(weight.shape)} and {list(x.shape)}"
        )
    _require_layer(x, weight, layer)
    needed = [x.shape[0], weight.shape[1] * layer.groups]
    extra = []
    for axis in (0, 1):
        least = layer.output_size(axis, x.shape[2 + axis], weight.shape[2 + axis])
        # As far as the strides of the forward layer did not come.
        extra.append(size[2 + axis] - least)
        needed.append(size[2 + axis] if 0 <= extra[-1] < layer.stride[axis] else least)
    if needed != list(size):
        raise RuntimeError(
            f"a layer with weight {list(weight.shape)} and an output of {list(x.shape)} has an "
            f"input of {needed}, but got {list(size)}"
        )
    layer = layer._replace(output_padding=tuple(extra))
    return kind.from_numpy(_transposed(x, weight, layer, algorithm, threads))


def _transposed(x, weight, layer, algorithm, threads):
    _require_layer(x, weight, layer)
    shape = layer.output_shape(x.shape, weight.shape)
    if min(shape[2:]) < 1:
        raise RuntimeError(
            f"Given input size per channel: ({x.shape[2]} x {x.shape[3]}). Calculated output size "
            f"per channel: ({shape[2]} x {shape[3]}). Output size is too small"
        )
    if x.dtype.kind not in "biufc":
        raise RuntimeError(f"conv_transpose2d is not available for {x.dtype}")
    if not x.dtype.isnative:
        x, weight = (a.astype(a.dtype.newbyteorder("=")) for a in (x, weight))
    full = [layer.full_size(i, x.shape[2 + i], weight.shape[2 + i]) for i in (0, 1)]
    # As far as positions are counted in 64 bits everywhere.
    if max(*full, math.prod(shape) * x.itemsize) > sys.maxsize // 4:
        raise RuntimeError(f"an output of {list(shape)}, of {full} before padding, is too large")
    _core.check_options(algorithm, threads)
    if shape[0] == 0:
        return np.zeros(shape, x.dtype)
    try:
        return _engine.convolve(x, weight, layer, algorithm, threads)
    except MemoryError as error:  # PyTorch has none
        raise RuntimeError(str(error)) from None


def _require_layer(x, weight, layer):
    """Raises where operands of a batch do not go together."""
    if weight.ndim != 4:
        raise RuntimeError(f"expected weight of 4 dimensions, but got size {list(weight.shape)}")
    if min(weight.shape) < 1:
        raise RuntimeError(f"non-empty 4D weight expected, but got: {list(weight.shape)}")
    if weight.shape[0] % layer.groups:
        raise RuntimeError(
            f"Given groups={layer.groups}, expected weight to be divisible by {layer.groups} at "
            f"dimension 0, but got weight of size {list(weight.shape)} instead"
        )
    if x.shape[1] != weight.shape[0]:
        raise RuntimeError(
            f"Given weight of size {list(weight.shape)}, expected input{list(x.shape)} to have "
            f"{weight.shape[0]} channels, but got {x.shape[1]} channels instead"
        )
    if min(x.shape[1:]) < 1:
        raise RuntimeError(f"Only zero batch inputs are supported, but got {list(x.shape)}")
    for axis in (0, 1):
        if layer.output_padding[axis] >= max(layer.stride[axis], layer.dilation[axis]):
            raise RuntimeError(
                "output padding must be smaller than either stride or dilation, but got "
                f"{layer.output_padding} with {layer.stride} and {layer.dilation}"
            )


def _require_one_type(kind, **arrays):
    """Of those that were given: PyTorch has types that NumPy does not have."""
    (a, x), (b, y) = ((name, kind.type_of(array)) for name, array in arrays.items())
    if x != y:
        raise RuntimeError(f"{a} and {b} should be of one type, but are {x} and {y}")


def _integers(name, values):
    try:
        return tuple(operator.index(value) for value in values)
    except TypeError:
        raise TypeError(f"argument '{name}' must be ints, not {values!r}") from None


def _pair(name, value, least, more=()):
    """For rows and columns, from an int or as many ints; `more` is what else a tuple may have."""
    if hasattr(value, "__index__"):
        value = (value,)
    values = _integers(name, value)
    if len(values) == 1:
        values *= 2
    if len(values) not in (2, *more):
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of 2 values to match the "
            f"convolution dimensions, but got {name}={list(values)}"
        )
    if min(values) < least:
        raise RuntimeError(f"{name} of less than {least} is not supported, but got {list(values)}")
    if max(values) > sys.maxsize:
        raise RuntimeError(f"{name} overflows 64 bits: got {list(values)}")
    return values


def _layer(stride, padding, output_padding, dilation, groups):
    padding = _pair("padding", padding, 0, more=(4,))
    (groups,) = _integers("groups", [groups])
    if groups < 1:
        raise RuntimeError(f"non-positive groups is not supported, but got {groups}")
    if groups > sys.maxsize:
        raise RuntimeError(f"groups overflows 64 bits: got {groups}")
    return _engine.Layer(
        padding if len(padding) == 4 else padding * 2,
        _pair("stride", stride, 1),
        _pair("dilation", dilation, 1),
        _pair("output_padding", output_padding, 0),
        groups,
    )


class _Kind:
    """A kind of arrays, and how they become NumPy's and back without a copy."""

    @staticmethod
    def of(**arrays):
        torch = sys.modules.get("torch")
        kinds = []
        for name, array in arrays.items():
            if isinstance(array, np.ndarray):
                kinds.append(_Kind())
            elif torch is not None and isinstance(array, torch.Tensor):
                kinds.append(_Torch(torch, name, array))
            elif hasattr(array, "__dlpack__") and hasattr(array, "__dlpack_device__"):
                kinds.append(_DLPack(name, array))
            else:
                raise TypeError(
                    f"argument '{name}' must be an array or a tensor, not {type(array).__name__}"
                )
        if len({type(kind) for kind in kinds}) > 1:
            types = ", ".join(f"{name} {type(a).__name__}" for name, a in arrays.items())
            raise TypeError(f"arguments are of different kinds: {types}")
        return kinds[0]

    def type_of(self, array):
        return array.dtype

    def to_numpy(self, array):
        return array

    def from_numpy(self, array):
        return array


def _refuse_device(name, device):
    raise TypeError(
        f"argument '{name}' is in the memory of device {device}: expected the processor's"
    )


class _Torch(_Kind):
    def __init__(self, torch, name, tensor):
        if tensor.device.type != "cpu":
            _refuse_device(name, tensor.device)
        self.torch = torch
        self.dtype = tensor.dtype

    def to_numpy(self, tensor):
        if tensor.dtype == self.torch.bfloat16:
            # NumPy has no such type. In double, sums are as good as exact before they are rounded.
            tensor = tensor.double()
        return tensor.resolve_conj().resolve_neg().numpy()

    def from_numpy(self, array):
        tensor = self.torch.from_numpy(array)
        return tensor.to(self.dtype) if self.dtype == self.torch.bfloat16 else tensor


# Those of DLPack that may be met, by their numbers, and which are the processor's memory.
_DEVICES = {2: "CUDA", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 14: "oneAPI"}
_PROCESSOR = (1, 3, 11, 13)


class _DLPack(_Kind):
    def __init__(self, name, array):
        device, number = array.__dlpack_device__()
        if device not in _PROCESSOR:
            _refuse_device(name, f"{_DEVICES.get(int(device), int(device))}:{number}")
        namespace = getattr(array, "__array_namespace__", None)
        module = type(array).__module__.split(".")[0]
        self.home = namespace() if namespace else sys.modules.get(module)
        if not hasattr(self.home, "from_dlpack"):
            raise TypeError(
                f"argument '{name}' is of type {type(array).__name__}, whose module has no "
                "from_dlpack for the result: pass numpy.from_dlpack of it"
            )

    def type_of(self, array):
        return self.to_numpy(array).dtype

    def to_numpy(self, array):
        return np.from_dlpack(array)

    def from_numpy(self, array):
        return self.home.from_dlpack(array)
