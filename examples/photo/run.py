"""Sharpens a photograph and finds its edges, with the ops of filters.tw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_image
from timing import beside_numpy

import tilewright as tw

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]

filters = tw.load(Path(__file__).parent / "filters.tw")


def gaussian(radius: int, sigma: float) -> Floats:
    """The weights of a Gaussian blur, from -radius to radius; they sum to 1."""
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return (weights / weights.sum()).astype(np.float32)


def numpy_blur(image: Floats, weights: Floats, axis: int) -> Floats:
    """The blur along one axis, with the border going on."""
    radius, size = len(weights) // 2, image.shape[axis]
    around = np.pad(image, [(radius, radius) if a == axis else (0, 0) for a in range(image.ndim)], mode="edge")
    before = (slice(None),) * axis
    blurred = np.zeros_like(image)
    for k, weight in enumerate(weights):
        blurred += weight * around[(*before, slice(k, k + size))]
    return blurred


def numpy_unsharp_mask(image: Picture, weights: Floats, amount: float) -> Picture:
    """What the op ``unsharp_mask`` does, in NumPy."""
    pixels = image.astype(np.float32)
    blurred = numpy_blur(numpy_blur(pixels, weights, 1), weights, 2)
    sharp = pixels * np.float32(1 + amount) - blurred * np.float32(amount) + np.float32(0.5)
    return np.clip(sharp, 0, 255).astype(np.uint8)


def numpy_sobel(image: Picture) -> Picture:
    """What the op ``sobel`` does, in NumPy."""
    red, green, blue = image.astype(np.float32)
    grey = np.pad(0.299 * red + 0.587 * green + 0.114 * blue, 1, mode="edge")
    slope, smooth = grey[:, 2:] - grey[:, :-2], grey[:, :-2] + 2 * grey[:, 1:-1] + grey[:, 2:]
    across, along = slope[:-2] + 2 * slope[1:-1] + slope[2:], smooth[2:] - smooth[:-2]
    steepness = np.sqrt(across * across + along * along) + np.float32(0.5)
    return np.clip(steepness, 0, 255).astype(np.uint8)


def check_close(name: str, ours: Picture, theirs: Picture) -> None:
    """Both round the same float to a whole number; where it lies in the middle they may differ by one."""
    apart = np.abs(ours.astype(int) - theirs.astype(int))
    if apart.max() > 1 or (apart > 0).mean() > 0.01:
        raise SystemExit(f"{name}: differs from NumPy by up to {apart.max()}")


def main(out: Path) -> None:
    image: Picture = np.ascontiguousarray(load_sample_image("china.jpg").transpose(2, 0, 1))
    weights, amount = gaussian(radius=4, sigma=1.6), 1.5
    print(f"photo: {image.shape[2]} x {image.shape[1]} pixels")
    sharp = filters.unsharp_mask(image, weights, amount=amount)
    edges = filters.sobel(image)
    check_close("unsharp_mask", sharp, numpy_unsharp_mask(image, weights, amount))
    check_close("sobel", edges, numpy_sobel(image))
    out.mkdir(parents=True, exist_ok=True)
    for name, picture in {
        "before": image.transpose(1, 2, 0),
        "sharp": sharp.transpose(1, 2, 0),
        "edges": edges,
    }.items():
        Image.fromarray(picture).save(out / f"{name}.png")
    print(f"  saved {out}/before.png, sharp.png and edges.png")
    beside_numpy(
        "unsharp_mask",
        lambda: filters.unsharp_mask(image, weights, amount=amount),
        lambda: numpy_unsharp_mask(image, weights, amount),
        repeats=15,
    )
    beside_numpy("sobel", lambda: filters.sobel(image), lambda: numpy_sobel(image), repeats=25)
