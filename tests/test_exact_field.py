"""The exact field: its laws, its atoms and the exact cells of docs/architecture.md."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilewright.errors import UnsupportedError
from tilewright.ir.interpret import EXACT, TYPED
from tilewright.ir.interpret.arrays import decode, encode
from tilewright.ir.interpret.exact import NEG_INF, POISON, P, Q, cell, hashed, literal, rank
from tilewright.ir.types import BF16, BOOL, F32, F64, FIELD, I8, I32, I64, U32, U64, DType

FULL = st.builds(cell, st.integers(0, P - 1), st.integers(0, Q - 1))
HALF = st.builds(cell, st.integers(0, P - 1), st.none())
FINITE = FULL | HALF
CELLS = FINITE | st.sampled_from([NEG_INF, POISON, 0, cell(0), cell(1, 1)])
ONE = cell(1, 1)


def op(name: str, *args: int, dtype: DType = F32) -> int:
    result: int = EXACT.operation(name, [dtype] * len(args), dtype)(*args)
    return result


def test_the_primes() -> None:
    assert P == 2 * Q + 1
    for n in (P, Q):
        assert all(n % d for d in range(2, math.isqrt(n) + 1))
    assert pow(4, Q, P) == 1


@given(FINITE, FINITE, FINITE)
def test_ring_laws(a: int, b: int, c: int) -> None:
    assert op("add", a, b) == op("add", b, a)
    assert op("mul", a, b) == op("mul", b, a)
    assert op("add", op("add", a, b), c) == op("add", a, op("add", b, c))
    assert op("mul", op("mul", a, b), c) == op("mul", a, op("mul", b, c))
    assert op("mul", a, op("add", b, c)) == op("add", op("mul", a, b), op("mul", a, c))
    assert op("sub", a, b) == op("add", a, op("neg", b))
    assert (op("add", a, 0), op("mul", a, ONE), op("neg", op("neg", a))) == (a, a, a)
    assert op("fma", a, b, c) == op("add", op("mul", a, b), c)


@given(FULL, FULL)
def test_division_undoes_multiplication(a: int, b: int) -> None:
    if b & 0xFFFFFFFF and b >> 32:
        assert op("mul", op("div", a, b), b) == a


@given(FULL, FULL)
def test_exp_turns_sums_into_products(a: int, b: int) -> None:
    assert op("exp", op("add", a, b)) == op("mul", op("exp", a), op("exp", b))
    assert op("exp", a) >> 32 == 0xFFFFFFFF


@given(CELLS)
def test_poison_absorbs_and_minus_infinity_keeps_to_sums(x: int) -> None:
    for name in ("add", "sub", "mul", "div"):
        assert op(name, x, POISON) == POISON == op(name, POISON, x)
    assert {op(name, POISON) for name in ("neg", "abs", "exp", "log", "sqrt")} == {POISON}
    finite = x not in (NEG_INF, POISON)
    assert op("add", NEG_INF, x) == op("add", x, NEG_INF) == op("sub", NEG_INF, x) == (NEG_INF if finite else POISON)
    assert op("sub", x, NEG_INF) == POISON
    assert {op("mul", x, NEG_INF), op("mul", NEG_INF, x), op("div", x, NEG_INF), op("div", NEG_INF, x)} == {POISON}


def test_functions_of_minus_infinity() -> None:
    assert op("exp", NEG_INF) == 0
    assert [op(name, NEG_INF) for name in ("neg", "abs", "log", "sqrt")] == [POISON] * 4


@given(FINITE)
def test_division_by_a_zero_residue_is_poison(a: int) -> None:
    assert op("div", a, 0) == op("div", a, cell(0)) == op("div", a, cell(0, 7)) == op("div", a, cell(7, 0)) == POISON
    assert op("div", a, cell(1)) == cell(a & 0xFFFFFFFF)


@given(CELLS, CELLS, CELLS)
def test_the_order_is_total(a: int, b: int, c: int) -> None:
    outcomes = [op("lt", a, b), op("eq", a, b), op("gt", a, b)]
    assert sum(outcomes) == 1
    assert op("le", a, b) == (outcomes[0] or outcomes[1]) and op("ge", a, b) == (outcomes[1] or outcomes[2])
    assert op("ne", a, b) != op("eq", a, b)
    assert op("eq", a, b) == (a & 0xFFFFFFFF == b & 0xFFFFFFFF)
    if op("le", a, b) and op("le", b, c):
        assert op("le", a, c)
    assert op("max", a, b) == (a if rank(a) >= rank(b) else b) and op("min", a, b) == (a if rank(a) <= rank(b) else b)


def test_the_order_by_example() -> None:
    ordered = [NEG_INF, cell(0), cell(1), cell(P - 1), POISON]
    assert [rank(v) for v in ordered] == sorted(rank(v) for v in ordered)
    assert all(op("lt", a, b) for a, b in zip(ordered, ordered[1:], strict=False))
    assert op("max", cell(3, 4), cell(3)) == cell(3, 4) and op("max", cell(3), cell(3, 4)) == cell(3)
    assert op("min", literal(math.inf), cell(5, 5)) == cell(5, 5)
    assert op("max", literal(-math.inf), cell(5, 5)) == cell(5, 5)


@given(FINITE)
def test_abs_is_the_smaller_of_v_and_its_negative(v: int) -> None:
    low, positive = v & 0xFFFFFFFF, op("abs", v)
    assert positive & 0xFFFFFFFF == min(low, P - low)
    assert positive in (v, op("neg", v))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_literals_are_exact_fractions(x: float) -> None:
    fraction, v = Fraction(x), literal(x)
    assert (v & 0xFFFFFFFF) * fraction.denominator % P == fraction.numerator % P
    assert (v >> 32) * fraction.denominator % Q == fraction.numerator % Q


def test_cells_by_hand() -> None:
    assert literal(0.5) == (536870895 << 32) | 1073741790  # (Q + 1)/2 and (P + 1)/2
    assert literal(-1.0) == (Q - 1) << 32 | (P - 1)
    assert literal(-0.0) == 0
    assert (literal(-math.inf), literal(math.inf), literal(math.nan)) == (NEG_INF, POISON, POISON)
    assert op("exp", literal(2.0)) == 0xFFFFFFFF << 32 | 16
    assert op("mul", literal(1e10), literal(1e10)) == cell(10**20, 10**20)
    assert not op("isnan", POISON)
    for v, infinite, finite, signed in (
        (literal(2.0), False, True, False),
        (literal(-1.0), False, True, True),
        (cell((P - 1) // 2), False, True, False),
        (cell((P + 1) // 2), False, True, True),
        (NEG_INF, True, False, True),
        (POISON, False, False, False),
    ):
        assert (op("isinf", v), op("isfinite", v), op("signbit", v)) == (infinite, finite, signed)


def test_hashes_by_hand() -> None:
    def reference(v: int, salt: int) -> int:
        with np.errstate(over="ignore"):
            h = np.uint32(v) + np.uint32(salt) * np.uint32(0x9E3779B9)
            h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
            h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
            return int(h ^ (h >> np.uint32(16))) % P

    for v in (0, 1, 12345, P - 1):
        assert hashed(cell(v, 3), 1) == reference(v, 1)
        assert op("exp", cell(v)) == cell(reference(v, 1))
        assert op("log", cell(v, 9)) == cell(reference(v, 2))
        assert op("sqrt", cell(v, 9)) == cell(reference(v, 3))
        assert EXACT.cast(F32, U64)(cell(v, 5)) == reference(v, 4)
        assert EXACT.cast(F64, U32)(cell(v)) == reference(v, 4)
        assert EXACT.cast(F32, I8)(cell(v)) == int(np.uint32(reference(v, 4)).astype(np.uint8).astype(np.int8))
    assert reference(0, 1) != reference(0, 2)


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_enter_with_both_residues(n: int) -> None:
    assert EXACT.cast(I64, F32)(n) == cell(n, n)


def test_casts() -> None:
    assert EXACT.cast(BOOL, F32)(True) == ONE
    assert [EXACT.cast(F32, BOOL)(v) for v in (0, cell(0, 5))] == [False, False]
    assert [EXACT.cast(F32, BOOL)(v) for v in (cell(1), NEG_INF, POISON)] == [True, True, True]
    assert EXACT.cast(F64, BF16)(12345) == 12345 and EXACT.store(F32, BF16)(12345) == 12345
    assert EXACT.operation("add", [I32, I32], I32)(2**31 - 1, 1) == -(2**31)
    with pytest.raises(UnsupportedError, match="bitcast from f32 to u32"):
        EXACT.operation("bitcast", [F32], U32)


@settings(max_examples=30)
@given(st.lists(CELLS, max_size=5))
def test_field_arrays_hold_the_cells(cells: list[int]) -> None:
    array = encode(cells, [len(cells)], F32, EXACT)
    assert array.dtype == np.uint64 and array.tolist() == cells
    assert decode(array, F32, EXACT) == decode(array, FIELD, TYPED) == cells


def test_float_arrays_enter_as_fractions() -> None:
    assert decode(np.array([0.5, -2.0], np.float32), F32, EXACT) == [literal(0.5), literal(-2.0)]
    assert decode(np.array([0x3F00], np.uint16), BF16, EXACT) == [literal(0.5)]
