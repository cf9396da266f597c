"""Chains of views and of what is written through them, beside PyTorch's on the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw

Step = tuple[str, Callable[[Any], Any]]


@st.composite
def views(draw: st.DrawFn, shape: tuple[int, ...]) -> Step:
    """A view that PyTorch has of a tensor of ``shape``."""
    rank = len(shape)
    kinds = ["transpose", "narrow", "select", "unsqueeze", "step"] if rank else ["unsqueeze"]
    kind = draw(st.sampled_from(kinds))
    if kind == "unsqueeze":
        axis = draw(st.integers(0, rank))
        return f"unsqueeze({axis})", lambda x: x.unsqueeze(axis)
    axis = draw(st.integers(0, rank - 1))
    if kind == "transpose":
        other = draw(st.integers(0, rank - 1))
        return f"transpose({axis}, {other})", lambda x: x.transpose(axis, other)
    start = draw(st.integers(0, shape[axis]))
    if kind == "narrow":
        length = draw(st.integers(0, shape[axis] - start))
        return f"narrow({axis}, {start}, {length})", lambda x: x.narrow(axis, start, length)
    if kind == "step" or not shape[axis]:
        step = draw(st.integers(1, 3))
        place = (slice(None),) * axis + (slice(start, None, step),)
        return f"[{place}]", lambda x: x[place]
    number = draw(st.integers(0, shape[axis] - 1))
    return f"select({axis}, {number})", lambda x: x.select(axis, number)


def _assigned(x: Any, index: Any, value: Any) -> Any:
    x[index] = value
    return x


WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "add_": lambda x, v: x.add_(v),
    "mul_": lambda x, v: x.mul_(v),
    "sub_ by itself": lambda x, v: x.sub_(x),
    "+=": lambda x, v: x.__iadd__(v),
    "fill_": lambda x, v: x.fill_(v),
    "zero_": lambda x, v: x.zero_(),
    "neg_": lambda x, v: x.neg_(),
    "clamp_": lambda x, v: x.clamp_(-3, 3),
    "copy_": lambda x, v: x.copy_(x * v),
    "x[...] =": lambda x, v: _assigned(x, ..., v),
    "x[x > 0] =": lambda x, v: _assigned(x, x > 0, v),
    "add_ of a row": lambda x, v: x.add_(x.sum(-1, keepdim=True)) if len(x.shape) else x.add_(v),
}


@st.composite
def chains(draw: st.DrawFn) -> tuple[np.ndarray[Any, Any], list[Step]]:
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    start = np.random.default_rng(draw(st.integers(0, 99))).integers(-5, 6, shape).astype(np.float32)
    x: Any = tw.zeros(*shape) if shape else tw.zeros(())
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            step = draw(views(tuple(x.shape)))
            x = step[1](x)
        else:
            name, value = draw(st.sampled_from([*WRITES])), draw(st.integers(-2, 3))
            step = f"{name} {value}", lambda t, name=name, value=value: WRITES[name](t, value)
        steps.append(step)
    return start, steps


def run(x: Any, steps: list[Step]) -> Any:
    for _, step in steps:
        x = step(x)
    return x


@given(chains())
@settings(max_examples=300, deadline=None)
def test_chains_of_views_and_writes(chain: tuple[np.ndarray[Any, Any], list[Step]]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is a comparison")
    start, steps = chain
    theirs, ours = torch.tensor(start), tw.tensor(start)
    expected, found = run(theirs, steps), run(ours, steps)
    names = [name for name, _ in steps]
    np.testing.assert_array_equal(np.asarray(found), expected.numpy(), err_msg=str(names))
    np.testing.assert_array_equal(np.asarray(ours), theirs.numpy(), err_msg=str(names))  # what all views share
    assert found.shape == tuple(expected.shape)
    if found.numel():
        assert (found.stride(), found.storage_offset()) == (expected.stride(), expected.storage_offset())


@given(st.integers(0, 9), st.integers(0, 9), st.integers(1, 10), st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_overlaps_counts_as_copied_first(first: int, second: int, length: int, backwards: bool) -> None:
    x, y = tw.arange(20), np.arange(20)
    source = slice(first, first + length)
    target = slice(second, second + length)
    way = slice(None, None, -1 if backwards else 1)
    x[target] = x[source][way] * 2
    x[target] += x[source]
    x[source] = x[target][way]
    y[target] = y[source][way] * 2
    y[target] += y[source].copy()
    y[source] = y[target][way].copy()
    assert x.tolist() == y.tolist()


def test_writes_are_counted_in_what_views_share() -> None:
    x = tw.zeros(3, 4)
    view = x.T[1:]
    before = x._version
    view.add_(1), view[0].fill_(3), tw.exp(view, out=view)
    assert x._version == view._version > before
    assert x[0, 0].item() == 0 and x[0, 1].item() == pytest.approx(np.exp(3), rel=1e-6)
