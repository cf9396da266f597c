"""The shipped ops against their oracles: dtypes, layouts, sizes, targets, levels, threads, interpreters."""

from __future__ import annotations

import itertools
import zlib

import numpy as np
import pytest
from op_table import EPSILON, LAYOUTS, NUMPY, ROWS, TABLE, Array, Case, Row, values, widened

import tilewright as tw
from tilewright.testing.run import run_loops, run_tensor

PLACES = (("cpu", "native"), ("cpu", "x86-64-v3"), ("cpu", "x86-64"), ("c", None), ("tensor", None), ("loops", None))
SIZES = ("odd", "one", "empty")
Combination = tuple[str, str, str, str, int, int]


def product() -> list[Combination]:
    """(op, dtype, layout, size, place, threads) for everything."""
    return [
        (row.op, *rest)
        for row in TABLE
        for rest in itertools.product(row.dtypes, LAYOUTS, row.sizes, range(len(PLACES)), (1, 2))
        if PLACES[rest[3]][0] in ("cpu", "c") or rest[4] == 1
    ]


def pairwise(combinations: list[Combination]) -> list[Combination]:
    """A subset in which every pair of choices that occurs together in the product still does, per op."""
    chosen, seen = [], set()
    for c in sorted(combinations, key=lambda c: zlib.crc32(repr(c).encode())):
        pairs = {(c[0], i, c[i], j, c[j]) for i, j in itertools.combinations(range(1, len(c)), 2)}
        if not pairs <= seen:
            seen |= pairs
            chosen.append(c)
    return chosen


def laid_out(row: Row, layout: str, case: Case) -> Case:
    operands = tuple(
        LAYOUTS[layout](x) if x is not None and i in row.layout_operands else x for i, x in enumerate(case.operands)
    )
    return Case(operands, case.keywords)


def run(op: str, place: int, threads: int, case: Case) -> tuple[Array, ...]:
    name, level = PLACES[place]
    definition = tw.ops.get(op)
    if name in ("tensor", "loops"):
        return (run_tensor if name == "tensor" else run_loops)(definition, case.operands, case.keywords)
    with tw.threads(threads):
        result = definition.on(name, level)(*case.operands, **case.keywords)
    return result if isinstance(result, tuple) else (result,)


def assert_agrees(actual: Array, expected: Array, row: Row, dtype: str) -> None:
    assert actual.shape == expected.shape
    if expected.dtype.kind in "iub":
        np.testing.assert_array_equal(actual, expected)
        return
    assert actual.dtype == NUMPY[dtype]
    scale = np.maximum(np.abs(expected), np.max(np.abs(expected), initial=0.0))
    wrong = np.abs(actual.astype(np.float64) - expected) > row.ulps * EPSILON[dtype] * scale
    assert not wrong.any(), f"first at {tuple(np.argwhere(wrong)[0])}: {actual[wrong][0]} for {expected[wrong][0]}"


def check(op: str, dtype: str, layout: str, size: str, place: int, threads: int) -> None:
    row = ROWS[op]
    rng = np.random.default_rng(zlib.crc32(f"{op}{dtype}{size}".encode()))
    interpreted = PLACES[place][0] in ("tensor", "loops")
    case = laid_out(row, layout, row.case(rng, dtype, size))
    if interpreted and sum(x.size for x in case.operands if x is not None) > 3000:
        case = Case(tuple(None if x is None else x[..., :301] for x in case.operands), case.keywords)
    for actual, expected in zip(run(op, place, threads, case), row.oracle(widened(case)), strict=True):
        assert_agrees(actual, expected, row, dtype)


SAMPLE = pairwise(product())


@pytest.mark.parametrize("combination", SAMPLE, ids=lambda c: "-".join(map(str, c)))
def test_pairwise(combination: Combination) -> None:
    check(*combination)


@pytest.mark.full
@pytest.mark.parametrize("combination", sorted(set(product()) - set(SAMPLE)), ids=lambda c: "-".join(map(str, c)))
def test_full_product(combination: Combination) -> None:
    check(*combination)


def test_every_shipped_op_has_a_row() -> None:
    assert set(tw.ops.names()) == set(ROWS)


@pytest.mark.parametrize("op", ROWS)
def test_results_have_the_same_bits_everywhere(op: str) -> None:
    """On every level and target, for one thread and two, compiled or interpreted."""
    row = ROWS[op]
    case = row.case(np.random.default_rng(5), "f32", "odd")
    wanted = run(op, 0, 1, case)
    for place, threads in itertools.product(range(4), (1, 2)):
        for a, b in zip(run(op, place, threads, case), wanted, strict=True):
            assert a.tobytes() == b.tobytes(), (PLACES[place], threads)


def with_unit_axis(x: Array, axis: int) -> Array:
    """``x`` in memory so that ``axis`` is its only unit-stride axis (-1: none is)."""
    if axis == -1:
        wide = np.empty((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
        wide[..., ::2] = x
        return wide[..., ::2]
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, axis, -1)), -1, axis)


def with_unit_axes(case: Case, row: Row, axes: tuple[int, ...]) -> Case:
    operands = list(case.operands)
    for position, axis in zip(row.unit_operands, axes, strict=True):
        operand = operands[position]
        assert operand is not None
        operands[position] = with_unit_axis(operand, axis)
    return Case(tuple(operands), case.keywords)


@pytest.mark.parametrize("op", ROWS)
def test_new_sizes_compile_nothing(op: str) -> None:
    """1,000 random sizes, 0 and 1 included, and random layouts, once every layout class has been met."""
    rng = np.random.default_rng(11)
    row = ROWS[op]
    compiled = tw.ops.get(op)
    grown = {"matmul": resize_matmul, "conv2d": resize_conv, "embedding": resize_embedding}.get(op, resize)
    model = row.case(rng, "f32", "odd")
    choices = [range(-1, model.operands[n].ndim) for n in row.unit_operands]  # type: ignore[union-attr]

    def call(case: Case) -> None:
        results = compiled(*case.operands, **case.keywords)
        for actual, expected in zip(_tuple(results), row.oracle(widened(case)), strict=True):
            assert_agrees(actual, expected, row, "f32")

    sized = model if op != "conv2d" else resize_conv(np.random.default_rng(3), model, least=2)
    for axes in itertools.product(*choices):
        call(with_unit_axes(sized, row, axes))
    met = compiled.misses
    for _ in range(1000):
        call(with_unit_axes(grown(rng, model), row, tuple(int(rng.choice(c)) for c in choices)))
    assert compiled.misses == met


def _tuple(result: object) -> tuple[Array, ...]:
    return result if isinstance(result, tuple) else (result,)  # type: ignore[return-value]


def _extents(rng: np.random.Generator, n: int, low: int = 0) -> tuple[int, ...]:
    return tuple(int(e) for e in np.where(rng.random(n) < 0.2, rng.integers(low, 2, n), rng.integers(2, 40, n)))


def resize(rng: np.random.Generator, case: Case) -> Case:
    rank = len(case.operands[0].shape)  # type: ignore[union-attr]
    shape = (*_extents(rng, rank - 1), *_extents(rng, 1, low=1))
    return Case((values(rng, "f32", shape),), case.keywords)


def resize_matmul(rng: np.random.Generator, case: Case) -> Case:
    m, k, n = _extents(rng, 3)
    return Case((values(rng, "f32", (m, k)), values(rng, "f32", (k, n))), {})


def resize_conv(rng: np.random.Generator, case: Case, least: int = 0) -> Case:
    n, c, o = (int(e) for e in rng.integers(least, 4, 3))
    h, w = (int(e) for e in rng.integers(3, 12, 2))
    operands = (values(rng, "f32", (n, c, h, w)), values(rng, "f32", (o, c, 3, 2)), values(rng, "f32", (o,)))
    return Case(operands, {"stride": 2, "pad": 1})


def resize_embedding(rng: np.random.Generator, case: Case) -> Case:
    v, d, n, m = (1 + int(rng.integers(30)), *_extents(rng, 3))
    return Case((values(rng, "f32", (v, d)), rng.integers(0, v, (n, m))), {})
