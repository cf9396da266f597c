"""Learns to tell handwritten digits apart: softmax regression with the ops of softmax_regression.tw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from timing import beside_numpy

import tilewright as tw

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

ops = tw.load(Path(__file__).parent / "softmax_regression.tw")


def digits() -> tuple[Floats, Labels, Floats, Labels]:
    """Pictures and labels to learn from, and a quarter held out."""
    pictures, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(pictures))
    x, label = (pictures[order] / 16).astype(np.float32), labels[order].astype(np.int64)
    held_out = len(x) // 4
    return x[held_out:], label[held_out:], x[:held_out], label[:held_out]


def train(x: Floats, label: Labels, steps: int) -> tuple[Floats, Floats]:
    """Weight and bias after ``steps`` of gradient descent on all pictures; the rate falls, which compiles nothing."""
    weight, bias = np.zeros((x.shape[1], 10), np.float32), np.zeros(10, np.float32)
    for step in range(steps):
        probability = ops.forward(x, weight, bias)
        d_weight, d_bias = ops.gradient(x, probability, label)
        lr = 1.0 / (1 + step / steps)
        weight, bias = ops.update(weight, d_weight, lr=lr), ops.update(bias, d_bias, lr=lr)
        if step % (steps // 4) == 0:
            print(f"  step {step:4}: loss {float(ops.loss(probability, label)):.4f}")
    return weight, bias


def numpy_forward(x: Floats, weight: Floats, bias: Floats) -> Floats:
    score = x @ weight + bias
    power = np.exp(score - score.max(1, keepdims=True))
    probability: Floats = power / power.sum(1, keepdims=True)
    return probability


def numpy_gradient(x: Floats, probability: Floats, label: Labels) -> tuple[Floats, Floats]:
    error = (probability - (label[:, None] == np.arange(probability.shape[1]))) / np.float32(len(x))
    return x.T @ error, error.sum(0)


def check_close(name: str, ours: Any, theirs: Any) -> None:
    """Both sum up in f32, each in an order of its own."""
    one = not isinstance(theirs, tuple)
    for a, b in [(ours, theirs)] if one else zip(ours, theirs, strict=True):
        if not np.allclose(a, b, rtol=1e-4, atol=1e-6):
            raise SystemExit(f"{name}: differs from NumPy")


def compare(x: Floats, label: Labels, weight: Floats, bias: Floats) -> None:
    """Checks each op against NumPy doing the same and prints both times."""
    p, rows = numpy_forward(x, weight, bias), np.arange(len(x))
    gradients, lr = numpy_gradient(x, p, label), np.float32(0.5)
    pairs = {
        "forward": (lambda: ops.forward(x, weight, bias), lambda: numpy_forward(x, weight, bias)),
        "loss": (lambda: ops.loss(p, label), lambda: -np.log(p[rows, label]).mean()),
        "gradient": (lambda: ops.gradient(x, p, label), lambda: numpy_gradient(x, p, label)),
        "update": (lambda: ops.update(weight, gradients[0], lr=lr), lambda: weight - lr * gradients[0]),
        "classify": (lambda: ops.classify(p), lambda: p.argmax(1)),
    }
    for name, (ours, numpys) in pairs.items():
        check_close(name, ours(), numpys())
        beside_numpy(name, ours, numpys, repeats=51)


def main() -> None:
    x, label, x_held_out, label_held_out = digits()
    print(f"digits: {len(x)} pictures to learn from, {len(x_held_out)} held out")
    weight, bias = train(x, label, steps=400)
    found = ops.classify(ops.forward(x_held_out, weight, bias))
    accuracy = float((found == label_held_out).mean())
    print(f"  held-out accuracy {accuracy:.1%}")
    if accuracy < 0.95:
        raise SystemExit("that is less than 95 %")
    compare(x, label, weight, bias)
