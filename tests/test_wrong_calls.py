"""Wrong calls: the exception, what it says, and that doing what it says mends the call."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wrong_calls import Case, cases, f32, files, image, outcome, said

import tilewright as tw
from tilewright.errors import CallError, CallTypeError, KernelIndexError, UserError

CASES = {f"{path.stem}: {case.name}": case for path in files() for case in cases(path.read_text())}
LEAST, LEAST_SHARE = 100, 0.6
MOST_FRAMES = 4
PRODUCT = f"{Path(tw.__file__).parent}/"
RANGE = "indices count from 0 and stay below the extent of the axis that they index"
EAGER = [c for name, c in CASES.items() if name.startswith(("eager: ", "creation: "))]  # functions that call others
each_case = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


@each_case
def test_what_is_said(case: Case) -> None:
    assert said(case.call) == case.says


@pytest.mark.parametrize("case", [c for c in CASES.values() if c.by_hand], ids=lambda c: c.name)
def test_the_remedy_mends_it(case: Case) -> None:
    outcome(case.by_hand)


@each_case
def test_the_traceback_ends_where_the_call_is(case: Case) -> None:
    """A frame or two of ours, not the way through the compiler; for a text that is read, the reader's."""
    with pytest.raises(Exception) as caught:
        outcome(case.call)
    ours = [f for f in traceback.extract_tb(caught.value.__traceback__) if f.filename.startswith(PRODUCT)]
    most = 7 if case in EAGER else MOST_FRAMES if "tw.op(" not in case.call and "traced" not in case.call else 5
    assert len(ours) <= most


def test_most_are_mended() -> None:
    mended = [c for c in CASES.values() if c.by_hand]
    silent = [c for c in CASES.values() if "\nhelp: " not in c.says and "did you mean" not in c.says]
    print(f"{len(CASES)} wrong calls: {len(mended)} run after what is said, {len(silent)} have no remedy")
    assert len(CASES) >= LEAST and len(mended) >= LEAST_SHARE * len(CASES) and len(silent) <= 0.05 * len(CASES)
    assert len(CASES) == sum(len(list(cases(p.read_text()))) for p in files())


def test_errors_are_what_python_users_catch() -> None:
    assert issubclass(CallError, ValueError) and issubclass(CallTypeError, TypeError)
    assert issubclass(KernelIndexError, IndexError)
    with pytest.raises(ValueError, match="axis 0 of 'b' must be K"):
        tw.ops.matmul(f32(2, 3), f32(4, 2))


def test_a_wrong_call_leaves_the_op_usable() -> None:
    for _ in range(2):
        with pytest.raises(CallError):
            tw.ops.matmul(f32(2, 3), f32(4, 2))
        np.testing.assert_array_equal(tw.ops.matmul(f32(2, 3), f32(3, 2)), np.full((2, 2), 3.0, np.float32))


def test_a_divisor_of_zero_is_shown_in_the_source() -> None:
    with pytest.raises(UserError) as caught:
        image(stride=0)
    assert str(caught.value) == (
        "conv2d.tw:5:69: error: division by zero\n"
        "            -> y: T[N, O, (H + 2*padding[0] - dilation[0]*(R - 1) - 1)//stride[0] + 1,\n"
        "                                                                        ^^^^^^^^^\n"
        "help: the divisor is 0 here: give it another value"
    )


def test_an_unknown_shipped_op() -> None:
    message = "there is no shipped op 'sofmax': did you mean 'softmax'?"
    for ask in (lambda: tw.ops.sofmax, lambda: tw.ops.get("sofmax")):
        with pytest.raises(AttributeError) as caught:
            ask()
        assert str(caught.value) == message


# --- indices out of range ---------------------------------------------------------------------


def out_of_range(idx: Any, target: str = "cpu", threads: int = 1) -> KernelIndexError:
    with tw.threads(threads), pytest.raises(KernelIndexError) as caught:
        tw.ops.embedding.on(target)(f32(3, 2), idx)
    assert caught.value.hint == RANGE
    return caught.value


@pytest.mark.parametrize("target", ["cpu", "c"])
@pytest.mark.parametrize(
    ("idx", "position", "value"),
    [
        (np.array([[0, 1], [3, 9]]), 2, 3),
        (np.array([[0, 1], [2, -1]], np.int32), 3, -1),
        (np.array([0, 1, 2, 7])[::-1], 0, 7),
        (np.asfortranarray([[0, 1, 5], [4, 1, 1]]), 2, 5),
        (np.array(2**62), 0, 2**62),
    ],
    ids=["too large", "negative", "reversed", "transposed", "a single huge one"],
)
def test_an_index_out_of_range_is_named(target: str, idx: Any, position: int, value: int) -> None:
    assert out_of_range(idx, target).message == (
        f"embedding: element {position} of 'idx' (counted row by row) is the index {value}, out of range"
    )


@pytest.mark.parametrize("target", ["cpu", "c"])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_lowest_position_is_named_whatever_the_threads(target: str, threads: int) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        idx = rng.integers(0, 3, (400, 251))
        wrong = rng.integers(1000, idx.size, 300)
        idx.flat[wrong] = rng.integers(3, 99, 300)
        lowest = wrong.min()
        assert f"element {lowest} of 'idx' (counted row by row) is the index {idx.flat[lowest]}," in str(
            out_of_range(idx, target, threads)
        )
