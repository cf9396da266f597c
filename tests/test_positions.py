"""argmax and argmin: the first of equal values, NaN before all, over any axes, where they stand in expressions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw
from tests.test_language import read_back
from tilewright.dsl.check import check
from tilewright.dsl.parse import parse
from tilewright.dsl.specialise import specialise
from tilewright.errors import CallError
from tilewright.ir.interpret import TYPED, run_function
from tilewright.ir.types import BOOL, F16, F32, I8, DType

PLACES = (
    "op places[T: any](x: T[A..., R...]) -> p: i64[A...], q: i32[A...]:\n"
    "    p[a...] = argmin[r...](x[a..., r...])\n"
    "    q[a...] = i32(argmax[r...](x[a..., r...])) + 1\n"
)
DTYPES: dict[DType, Any] = {F32: np.float32, F16: np.float16, I8: np.int8, BOOL: np.bool_}
few = st.sampled_from([-np.inf, -1.0, 0.0, 2.0, np.inf, np.nan])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([F32, F16, I8, BOOL]), st.lists(few, min_size=6, max_size=6))
def test_the_first_of_the_best(dtype: DType, values: list[float]) -> None:
    f = specialise(parse(PLACES).ops[0], {"T": dtype}, {"A": 0, "R": 2})
    read_back(f)
    x = np.array(values).reshape(2, 3)
    x = (x if dtype.is_float else np.nan_to_num(x, posinf=9, neginf=-9)).astype(DTYPES[dtype])
    found = run_function(f, {"x": x}, {}, TYPED)
    assert (found["p"], found["q"]) == (x.argmin(), x.argmax() + 1)


@pytest.mark.parametrize("target", ["cpu", "c"])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_long_rows_with_ties(target: str, dtype: type) -> None:
    x = np.random.default_rng(0).integers(-9, 10, (3, 9001)).astype(dtype)
    if dtype is np.float32:
        x[1, 5000] = x[1, 7000] = np.nan
    p, q = tw.op(PLACES, target=target)(x, R=1)
    np.testing.assert_array_equal(p, x.argmin(1))
    np.testing.assert_array_equal(q, x.argmax(1) + 1)


def test_over_no_axes_and_over_no_elements() -> None:
    op = tw.op(PLACES)
    x = np.ones((2, 0), np.float32)
    np.testing.assert_array_equal(op(x, R=0)[0], np.zeros((2, 0)))
    with pytest.raises(CallError, match="it is required that R0 >= 1"):
        op(x, R=1)


def test_no_elements_for_sure() -> None:
    (found,) = check(parse("op f(x: f32[N]) -> p: i64[]:\n    p[] = argmax[i: 0](x[i])\n")).diagnostics
    assert (found.message, found.hint) == ("argmax of no elements: i runs over 0", "it runs over at least one element")
