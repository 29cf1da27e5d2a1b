"""PyTorch functions that know their gradients, with the gradients by inputs from fullconv.

`conv2d` is PyTorch's forward layer; what flows back through it to its input is a full convolution.
`conv_transpose2d` is that full convolution as a layer of its own. Each is the other's adjoint, so
gradients of gradients are theirs again. Gradients by weights are PyTorch's.
"""

import torch
import torch.nn.functional

import fullconv

from ._layers import _layer

__all__ = ["conv2d", "conv_transpose2d"]


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution layer, as `torch.nn.functional.conv2d`.

    Parameters
    ----------
    x, weight, bias : torch.Tensor
        [N, C, rows, columns], [K, C / groups, h, w] and [K] or None.
    stride, padding, dilation, groups : optional
        As in `fullconv.conv_transpose2d`.

    Returns
    -------
    y : torch.Tensor
        [N, K, H, W].

    Raises
    ------
    RuntimeError, TypeError
        As PyTorch does.

    Examples
    --------
    >>> import torch, fullconv.torch
    >>> x = torch.ones(1, 1, 1, 3, requires_grad=True)
    >>> weight = torch.tensor([[[[1.0, 10.0]]]])
    >>> fullconv.torch.conv2d(x, weight).sum().backward()
    >>> x.grad
    tensor([[[[ 1., 11., 10.]]]])
    """
    y = _Conv2d.apply(x, weight, _layer(stride, padding, 0, dilation, groups))
    return y if bias is None else y + bias[:, None, None]


def conv_transpose2d(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """Transposed convolution layer, as `torch.nn.functional.conv_transpose2d`.

    Parameters
    ----------
    x, weight, bias : torch.Tensor
        [N, K, H, W], [K, C / groups, h, w] and [C] or None.
    stride, padding, output_padding, groups, dilation : optional
        As in `fullconv.conv_transpose2d`.

    Returns
    -------
    y : torch.Tensor
        [N, C, rows, columns].

    Raises
    ------
    RuntimeError, TypeError
        As PyTorch does.

    Examples
    --------
    >>> import torch, fullconv.torch
    >>> x = torch.ones(1, 1, 1, 2, requires_grad=True)
    >>> weight = torch.tensor([[[[1.0, 10.0]]]])
    >>> y = fullconv.torch.conv_transpose2d(x, weight, stride=2)
    >>> y.detach()
    tensor([[[[ 1., 10.,  1., 10.]]]])
    >>> y.square().sum().backward()
    >>> x.grad
    tensor([[[[202., 202.]]]])
    """
    y = _ConvTranspose2d.apply(
        x, weight, _layer(stride, padding, output_padding, dilation, groups)
    )
    return y if bias is None else y + bias[:, None, None]


def _padded(x, layer):
    top, left, bottom, right = layer.padding
    return torch.nn.functional.pad(x, (left, right, top, bottom))


def _weight_gradient(x, grad, weight, layer):
    """Of the forward layer, by PyTorch; `x` is its input, `grad` the gradient at its output."""
    return torch.nn.grad.conv2d_weight(
        _padded(x, layer), weight.shape, grad, layer.stride, 0, layer.dilation, layer.groups
    )


class _Conv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, layer):
        ctx.save_for_backward(x, weight)
        ctx.layer = layer
        return torch.nn.functional.conv2d(
            _padded(x, layer), weight, None, layer.stride, 0, layer.dilation, layer.groups
        )

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        layer = ctx.layer
        x_grad = weight_grad = None
        if ctx.needs_input_grad[0]:
            # Rows and columns at the end that the strides did not reach.
            left_over = tuple(
                x.shape[2 + axis]
                - layer.output_size(axis, grad.shape[2 + axis], weight.shape[2 + axis])
                for axis in (0, 1)
            )
            x_grad = _ConvTranspose2d.apply(
                grad, weight, layer._replace(output_padding=left_over)
            )
        if ctx.needs_input_grad[1]:
            weight_grad = _weight_gradient(x, grad, weight, ctx.layer)
        return x_grad, weight_grad, None


class _ConvTranspose2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, layer):
        ctx.save_for_backward(x, weight)
        ctx.layer = layer
        padding, stride, dilation, output_padding, groups = layer
        return fullconv.conv_transpose2d(
            x.detach(), weight.detach(), None, stride, padding, output_padding, groups, dilation
        )

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        x_grad = weight_grad = None
        # What x reaches: output padding may be beyond.
        rows, columns = (
            ctx.layer.full_size(axis, x.shape[2 + axis], weight.shape[2 + axis])
            for axis in (0, 1)
        )
        grad = _padded(grad, ctx.layer)[:, :, :rows, :columns]
        layer = ctx.layer._replace(padding=(0, 0, 0, 0), output_padding=(0, 0))
        if ctx.needs_input_grad[0]:
            x_grad = _Conv2d.apply(grad, weight, layer)
        if ctx.needs_input_grad[1]:
            weight_grad = _weight_gradient(grad, x, weight, layer)
        return x_grad, weight_grad, None
