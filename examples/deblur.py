"""A photograph that moved while it was taken, sharpened by gradient descent.

What the camera saw is b = the image correlated with the motion k, as a layer computes it. Its
squared error falls along the gradient, which is the full convolution of the error with k. Writes
deblur.png, or the file that is named as an argument.
"""

import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.cbook
import matplotlib.pyplot as plt
import numpy as np

import fullconv

with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
    photograph = plt.imread(file)
image = photograph[:384, 64:448].mean(axis=2, dtype=np.float32) / 255

# A hand that moved 15 pixels down and to the right, ever faster.
k = np.zeros((15, 15), np.float32)
for t in np.linspace(0, 1, 200):
    k[int(14 * t), int(14 * t**1.5)] += 1
k /= k.sum()

generator = np.random.default_rng(1)
blurred = fullconv.convolve2d(image, k[::-1, ::-1], mode="valid")
blurred += generator.normal(scale=0.002, size=blurred.shape).astype(np.float32)

# Plans are made once: one forwards, one backwards.
forward = fullconv.plan(image, k, padding=14)
backward = fullconv.plan(blurred, k)
flipped = np.ascontiguousarray(k[::-1, ::-1])
error, gradient = np.empty_like(blurred), np.empty_like(image)


def quality(x):
    """Peak signal-to-noise ratio in decibels, without the edges that k reaches beyond."""
    inside = (slice(15, -15), slice(15, -15))
    return -10 * np.log10(((x - image)[inside] ** 2).mean())


x = np.pad(blurred, 7, mode="edge")
start = quality(x)
momentum = np.zeros_like(x)
for step in range(200):
    ahead = x + 0.9 * momentum
    forward(ahead, flipped, out=error)
    error -= blurred
    backward(error, k, out=gradient)
    momentum = 0.9 * momentum - gradient
    x = x + momentum
end = quality(x)
print(f"{start:.1f} dB blurred, {end:.1f} dB after {step + 1} steps")
assert end > start + 5

figure, axes = plt.subplots(1, 4, figsize=(13, 3.6), width_ratios=(3, 3, 3, 1))
for axis, picture, title in zip(
    axes,
    (image, np.pad(blurred, 7, mode="edge"), x, k),
    ("the photograph", f"moved: {start:.1f} dB", f"sharpened: {end:.1f} dB", "k, 15x15"),
):
    axis.imshow(np.clip(picture, 0, 1) if picture is not k else k, cmap="gray")
    axis.set_title(title)
    axis.axis("off")
figure.tight_layout()
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "deblur.png", dpi=80)
