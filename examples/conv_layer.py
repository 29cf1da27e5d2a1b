"""A convolution layer in NumPy, forwards and backwards, that learns a filter.

Backwards, the gradient with respect to the input is a full convolution of the gradient at the
output with the weights as they are: no flip, no transpose.
"""

import numpy as np

import fullconv


class ConvLayer:
    """y[n, k] = sum over c of the cross-correlation of x[n, c] with weight[k, c]."""

    def __init__(self, weight, stride=1, padding=0):
        self.weight = weight
        self.stride = stride
        self.padding = padding

    def forward(self, x):
        self.input_size = x.shape
        p, s = self.padding, self.stride
        x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        windows = np.lib.stride_tricks.sliding_window_view(x, self.weight.shape[2:], (2, 3))
        self.windows = windows[:, :, ::s, ::s]
        return np.einsum("nchwpq,kcpq->nkhw", self.windows, self.weight, optimize=True)

    def backward(self, grad):
        self.weight_grad = np.einsum("nchwpq,nkhw->kcpq", self.windows, grad, optimize=True)
        return fullconv.conv2d_input(self.input_size, self.weight, grad, self.stride, self.padding)


generator = np.random.default_rng(1)

# Held against differences of the forward pass.
layer = ConvLayer(generator.normal(size=(4, 3, 3, 3)), stride=2, padding=1)
x = generator.normal(size=(2, 3, 9, 10))
direction = generator.normal(size=x.shape)
weighting = generator.normal(size=layer.forward(x).shape)
slope = (layer.backward(weighting) * direction).sum()
step = 1e-6
up, down = (
    (layer.forward(x + sign * step * direction) * weighting).sum() for sign in (1, -1)
)
difference = (up - down) / (2 * step)
print(f"slope by backward {slope:.9f}, by differences {difference:.9f}")
assert abs(slope - difference) < 1e-6 * abs(slope)

# Two layers learn what an edge filter does.
target_filter = np.array([[[[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]]]])
target = ConvLayer(target_filter, padding=1)
layers = [
    ConvLayer(0.3 * generator.normal(size=shape), padding=1) for shape in ((4, 1, 3, 3), (1, 4, 3, 3))
]
rate, losses = 0.05, []
for _ in range(300):
    x = generator.normal(size=(4, 1, 16, 16))
    y = x
    for layer in layers:
        y = layer.forward(y)
    error = y - target.forward(x)
    losses.append((error**2).mean())
    grad = 2 * error / error.size
    for layer in reversed(layers):
        grad = layer.backward(grad)
        layer.weight -= rate * layer.weight_grad
print(f"loss {losses[0]:.3f} at first, {losses[-1]:.3f} after {len(losses)} steps")
assert losses[-1] < 0.05 * losses[0]
