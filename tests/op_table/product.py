"""All ways to call an op of the table, samples of them, and the check of one."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator

import numpy as np

import tilewright as tw
from op_table import EPSILON, LAYOUTS, NUMPY, ROWS, Array, Case, Row, op_of, widened
from tilewright.testing.run import run_loops, run_tensor

PLACES = (("cpu", "native"), ("cpu", "x86-64-v3"), ("cpu", "x86-64"), ("c", None), ("tensor", None), ("loops", None))
THREADS = (1, 2)
Combination = tuple[str, str, str, str, int, int]


def product(row: Row) -> list[Combination]:
    """(op, dtype, layout, size, place, threads) for everything."""
    return [
        (row.op, *rest)
        for rest in itertools.product(row.dtypes, LAYOUTS, row.sizes, range(len(PLACES)), THREADS)
        if PLACES[rest[3]][0] in ("cpu", "c") or rest[4] == 1
    ]


def pairs(c: Combination) -> set[tuple[object, ...]]:
    return {(i, c[i], j, c[j]) for i, j in itertools.combinations(range(1, len(c)), 2)}


def pairwise(row: Row) -> Iterator[Combination]:
    """A subset in which every pair of choices that occurs together in the product still does."""
    seen: set[tuple[object, ...]] = set()
    for c in sorted(product(row), key=lambda c: zlib.crc32(repr(c).encode())):
        if not pairs(c) <= seen:
            seen |= pairs(c)
            yield c


def spread(row: Row) -> Iterator[Combination]:
    """``row.samples`` combinations, each the one of twenty that brings the most new pairs."""
    rng = np.random.default_rng(zlib.crc32(row.op.encode()))
    seen: set[tuple[object, ...]] = set()
    everything = product(row)
    for _ in range(row.samples):
        drawn = [everything[int(n)] for n in rng.integers(0, len(everything), 20)]
        best = max(drawn, key=lambda c: len(pairs(c) - seen))
        seen |= pairs(best)
        yield best


def laid_out(row: Row, layout: str, case: Case) -> Case:
    operands = tuple(
        LAYOUTS[layout](x) if x is not None and i in row.layout_operands else x for i, x in enumerate(case.operands)
    )
    return Case(operands, case.keywords)


def run(op: str, place: int, threads: int, case: Case) -> tuple[Array, ...]:
    name, level = PLACES[place]
    definition = op_of(op)
    if name in ("tensor", "loops"):
        return (run_tensor if name == "tensor" else run_loops)(definition, case.operands, case.keywords)
    with tw.threads(threads):
        result = definition.on(name, level)(*case.operands, **case.keywords)
    return result if isinstance(result, tuple) else (result,)


def assert_agrees(actual: Array, expected: Array, row: Row, dtype: str, least: float = 0.0) -> float:
    """The largest error in units of the dtype, relative to the largest value (``least``, if all are less, as sums of
    few may be that cancel out); AssertionError beyond ``row.ulps``."""
    assert actual.shape == expected.shape
    if expected.dtype.kind in "iub":
        np.testing.assert_array_equal(actual, expected)
        assert actual.dtype == expected.dtype
        return 0.0
    assert actual.dtype in (NUMPY[dtype], np.float32 if dtype not in EPSILON else NUMPY[dtype])
    scale = np.max(np.abs(expected), where=np.isfinite(expected), initial=least)
    unit = EPSILON.get(dtype, EPSILON["f32"]) * scale
    found = actual.astype(np.float64)
    with np.errstate(invalid="ignore"):
        same = (found == expected) | np.isnan(found) & np.isnan(expected)
        off = np.where(same, 0.0, np.abs(found - expected))
    wrong = np.argwhere(~(off <= row.ulps * unit))
    assert not len(wrong), f"first at {tuple(wrong[0])}: {actual[tuple(wrong[0])]} for {expected[tuple(wrong[0])]}"
    return float(np.max(off, initial=0.0) / unit) if unit else 0.0


def check(op: str, dtype: str, layout: str, size: str, place: int, threads: int) -> float:
    """Runs one combination beside its oracle; the largest error."""
    row = ROWS[op]
    rng = np.random.default_rng(zlib.crc32(f"{op}{dtype}{size}".encode()))
    interpreted = PLACES[place][0] in ("tensor", "loops")
    case = laid_out(row, layout, row.case(rng, dtype, size))
    if interpreted and sum(x.size for x in case.arrays) > 3000:
        case = Case(tuple(None if x is None else x[..., :301] for x in case.operands), case.keywords)
    results = zip(run(op, place, threads, case), row.oracle(widened(case)), strict=True)
    return max((assert_agrees(actual, expected, row, dtype) for actual, expected in results), default=0.0)
