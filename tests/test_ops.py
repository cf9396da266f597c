"""The shipped ops against their oracles: dtypes, layouts, sizes, targets, levels, threads, interpreters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from op_table import FAMILIES, PROBES, ROWS, TABLE, Array, Case, Row, Wrong, op_of, widened
from op_table.product import PLACES, Combination, assert_agrees, check, pairwise, product, run, spread

import tilewright as tw
from tilewright.errors import UserError
from tilewright.ir.types import FIELD

SAMPLE = [c for row in TABLE for c in sorted(set(pairwise(row) if row.op in PROBES else spread(row)))]


@pytest.mark.parametrize("combination", SAMPLE, ids=lambda c: "-".join(map(str, c)))
def test_pairwise(combination: Combination) -> None:
    check(*combination)


@pytest.mark.full
@pytest.mark.parametrize("op", ROWS)
def test_full_product(op: str) -> None:
    failed: list[str] = []
    for combination in product(ROWS[op]):
        try:
            check(*combination)
        except AssertionError as e:
            failed.append(f"{combination}: {e}")
    assert not failed, "\n".join(failed)


# --- the table itself ---------------------------------------------------------------------------


def test_every_shipped_op_has_a_row() -> None:
    assert {*tw.ops.names(), *FAMILIES} == set(ROWS) and len(ROWS) == len(TABLE)


@pytest.mark.parametrize("op", ROWS)
def test_every_column_is_filled(op: str) -> None:
    row, signature = ROWS[op], op_of(op).signature
    takes = (
        signature.dtypes(next((o.dtype for o in signature.operands if o.dtype in signature.variables), ""))
        if signature.variables
        else row.dtypes
    )
    assert set(row.dtypes) == {str(d) for d in takes if d is not FIELD} if signature.variables else row.dtypes
    assert row.wrong and row.sizes and (row.ulps <= 8 or row.why)
    results = row.oracle(row.case(np.random.default_rng(0), row.dtypes[-1], "odd"))
    assert all(r.dtype.kind in "iub" for r in results) or row.gradient != "integer"
    assert len(results) == len(signature.results) and all(r.size for r in results)


WRONG = [(row.op, n) for row in TABLE for n in range(len(row.wrong))]


@pytest.mark.parametrize(("op", "n"), WRONG)
def test_wrong_calls(op: str, n: int) -> None:
    wrong: Wrong = ROWS[op].wrong[n]
    with pytest.raises(UserError, match=wrong.message):
        op_of(op)(*wrong.call.operands, **wrong.call.keywords)


# --- everywhere the same, and compiled once -----------------------------------------------------


def most_everywhere(test: object) -> object:
    """The probes in the fast run, the other ops in the full one."""
    ops = [op if op in PROBES else pytest.param(op, marks=pytest.mark.full) for op in ROWS]
    return pytest.mark.parametrize("op", ops)(test)  # type: ignore[arg-type]


@most_everywhere
def test_results_have_the_same_bits_everywhere(op: str) -> None:
    """On every level and target, for one thread and two, compiled or interpreted."""
    row = ROWS[op]
    case = row.case(np.random.default_rng(5), favourite(row), "odd")
    wanted = run(op, 0, 1, case)
    for place, threads in itertools.product(range(4), (1, 2)):
        for a, b in zip(run(op, place, threads, case), wanted, strict=True):
            assert a.tobytes() == b.tobytes(), (PLACES[place], threads)


def favourite(row: Row) -> str:
    return "f32" if "f32" in row.dtypes else row.dtypes[0]


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


@most_everywhere
def test_new_sizes_compile_nothing(op: str) -> None:
    """1,000 random sizes, 0 and 1 included, and random layouts, once every layout class has been met."""
    rng = np.random.default_rng(11)
    row = ROWS[op]
    compiled, dtype = op_of(op), favourite(row)

    def call(case: Case) -> None:
        results = compiled(*case.operands, **case.keywords)
        for actual, expected in zip(_tuple(results), row.oracle(widened(case)), strict=True):
            assert_agrees(actual, expected, row, dtype, largest(case))

    def random_case() -> Case:
        case = row.case(rng, dtype, "random")
        axes = (int(rng.integers(-1, case.arrays[n].ndim)) for n in row.unit_operands)
        return with_unit_axes(case, row, tuple(axes))

    classes = {}
    for case in (random_case() for _ in range(1000)):
        classes.setdefault(compiled.key(*case.operands, **case.keywords), case)
    for case in classes.values():
        call(case)
    met = compiled.misses
    assert len(classes) <= 60
    for case in (random_case() for _ in range(1000)):
        if compiled.key(*case.operands, **case.keywords) in classes:
            call(case)
    assert compiled.misses == met


def largest(case: Case) -> float:
    """The largest number among float operands."""
    return max((float(np.max(np.abs(x), initial=0)) for x in case.arrays if x.dtype.kind == "f"), default=0.0)


def _tuple(result: object) -> tuple[Array, ...]:
    return result if isinstance(result, tuple) else (result,)  # type: ignore[return-value]
