"""The texts of tensors are PyTorch's, but for the name of the module."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    shape = tuple(draw(st.lists(st.integers(0, 9), max_size=4)))
    if draw(st.integers(0, 4)) == 0:
        shape = tuple(draw(st.lists(st.integers(1, 70), min_size=1, max_size=2)))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    dtype = draw(st.sampled_from([np.float32, np.int64, np.bool_]))
    if dtype is not np.float32:
        return rng.integers(draw(st.sampled_from([-9, -(10**6)])), 10, shape).astype(dtype)
    x = rng.normal(size=shape) * 10.0 ** draw(st.integers(-9, 9)) ** draw(st.integers(0, 1))
    if draw(st.booleans()):
        x = np.round(x)
    odd = rng.random(shape)
    special = [(0.05, np.nan), (0.1, np.inf), (0.15, -np.inf), (0.2, -0.0)]
    for share, value in special[: draw(st.integers(0, 4))]:
        x = np.where(odd < share, value, x)
        odd = np.where(odd < share, 1, odd)
    return np.asarray(x, dtype)


@given(arrays())
@settings(max_examples=250, deadline=None)
def test_as_pytorch_writes_them(x: np.ndarray[Any, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is a comparison")
    assert repr(tw.as_tensor(x)) == repr(torch.tensor(x)).replace("torch.", "tilewright.")


def test_texts() -> None:
    assert repr(tw.tensor([1.0, 2.5, float("nan")])) == "tensor([1.0000, 2.5000,    nan])"
    assert repr(tw.tensor([[1, 20], [-3, 4]])) == "tensor([[ 1, 20],\n        [-3,  4]])"
    assert repr(tw.zeros(0, 3)) == "tensor([], size=(0, 3))"
    assert repr(tw.tensor([1e-9, 1.0])) == "tensor([1.0000e-09, 1.0000e+00])"
    assert repr(tw.ones(2, dtype=tw.float16)) == "tensor([1., 1.], dtype=tilewright.float16)"
    assert repr(tw.arange(2000)) == "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"
    assert repr(tw.arange(6).reshape(2, 3).T) == "tensor([[0, 3],\n        [1, 4],\n        [2, 5]])"
    assert f"{tw.tensor(2.5):.3f} {tw.tensor([1])}" == "2.500 tensor([1])"


def test_options() -> None:
    x = tw.tensor([1 / 3, 1000.0])
    try:
        tw.set_printoptions(precision=2, sci_mode=False)
        assert repr(x) == "tensor([   0.33, 1000.00])"
        tw.set_printoptions(profile="full")
        assert "..." not in repr(tw.zeros(3000))
        tw.set_printoptions(profile="default", linewidth=30)
        assert repr(tw.arange(12)).count("\n") == 2
    finally:
        tw.set_printoptions(profile="default")
    assert repr(x) == "tensor([3.3333e-01, 1.0000e+03])"


def test_html() -> None:
    assert tw.tensor([[1, 2]])._repr_html_() == (
        "<table><tr><th>tensor 1 × 2, int64</th></tr><tr><td><pre>tensor([[1, 2]])</pre></td></tr></table>"
    )
