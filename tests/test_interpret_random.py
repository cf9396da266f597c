"""Random functions of integers, evaluated by the interpreters and by whole-array NumPy."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
from hand_built import (
    Axis,
    Compute,
    Function,
    IndexValue,
    M,
    N,
    Order,
    Tensor,
    apply,
    call,
    i,
    j,
    literal,
    read,
    reduced,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tilewright.ir.interpret import EXACT, TYPED, run_function
from tilewright.ir.scalar import Expr
from tilewright.ir.tensor import Reduction
from tilewright.ir.types import F32, I64
from tilewright.testing.compare import random_array

X = Tensor("x", I64, (M, N))
BOTH = (Axis("i", M), Axis("j", N))

NUMPY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "floordiv": np.floor_divide,
    "mod": np.mod,
    "bitxor": np.bitwise_xor,
    "neg": np.negative,
    "bitnot": np.invert,
}

Tree = Any
LEAVES = st.one_of(
    st.tuples(st.just("literal"), st.integers(-5, 5)),
    st.tuples(st.just("axis"), st.sampled_from("ij")),
    st.tuples(st.just("read"), st.integers(-2, 2), st.integers(-2, 2), st.integers(-3, 3)),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from([n for n in NUMPY if n not in ("neg", "bitnot")]), inner, inner),
        st.tuples(st.sampled_from(["neg", "bitnot"]), inner),
        st.tuples(st.just("where"), inner, inner, inner, inner),
    ),
    max_leaves=8,
)


def expression(t: Tree) -> Expr:
    if t[0] == "literal":
        return literal(t[1], I64)
    if t[0] == "axis":
        return IndexValue(i if t[1] == "i" else j)
    if t[0] == "read":
        return read(X, i + t[1], j + t[2], otherwise=literal(t[3], I64))
    args = [expression(a) for a in t[1:]]
    return call("where", apply("lt", *args[:2]), *args[2:]) if t[0] == "where" else call(t[0], *args)


def oracle(t: Tree, x: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(x.shape)
    if t[0] == "literal":
        return np.full(x.shape, t[1])
    if t[0] == "axis":
        return rows if t[1] == "i" else columns
    if t[0] == "read":
        padded = np.pad(x, 2, constant_values=t[3])
        return padded[2 + t[1] : 2 + t[1] + x.shape[0], 2 + t[2] : 2 + t[2] + x.shape[1]]
    args = [oracle(a, x) for a in t[1:]]
    return np.where(args[0] < args[1], args[2], args[3]) if t[0] == "where" else NUMPY[t[0]](*args)


@settings(max_examples=150, deadline=None)
@given(TREES, st.integers(0, 4), st.integers(0, 4), st.integers(0, 2**32), st.sampled_from(["map", "add", "max"]))
def test_random_expressions_mean_what_numpy_computes(t: Tree, m: int, n: int, seed: int, over: str) -> None:
    x = np.random.default_rng(seed).integers(-9, 9, (m, n))
    if over == "map":
        body = Compute((Tensor("y", I64, (M, N)),), BOTH, (expression(t),))
    else:
        start = 0 if over == "add" else -(2**63)
        body = reduced(over, start, Tensor("y", I64, (M,)), BOTH[:1], BOTH[1], expression(t))
    with np.errstate(all="ignore"):
        wanted = oracle(t, x)
    if over != "map":
        wanted = wanted.sum(1) if over == "add" else wanted.max(1, initial=start)
    got = run_function(Function("f", (X,), (), (body,), ("y",)), {"x": x}, {}, TYPED)["y"]
    assert got.tolist() == wanted.tolist()


ORDERS = st.one_of(st.just(Order()), st.builds(Order, st.integers(1, 9), st.sampled_from([1, 2, 4])))


@settings(max_examples=60, deadline=None)
@given(ORDERS, ORDERS, st.integers(0, 5), st.integers(0, 12), st.integers(0, 2**32))
def test_no_order_changes_a_sum_in_the_field(a: Order, b: Order, m: int, n: int, seed: int) -> None:
    x = Tensor("x", F32, (M, N))
    chains = reduced("add", 0, Tensor("y", F32, ()), (), BOTH[0], read(x, i, j))
    r = chains.reduction
    assert r is not None
    cells = random_array((m, n), F32, EXACT, Random(seed))
    results = []
    for orders in ((a, b), (Order(), Order())):
        body = Compute(chains.results, (), chains.values, Reduction(BOTH, orders, r.accs, r.init, r.others, r.merge))
        results.append(run_function(Function("f", (x,), (), (body,), ("y",)), {"x": cells}, {}, EXACT)["y"])
    total = sum(int(c) & 0xFFFFFFFF for c in cells.ravel()) % 2147483579
    assert results[0] == results[1] and int(results[0]) & 0xFFFFFFFF == total
