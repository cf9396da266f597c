"""The reference rounding: fma, narrowing and integer casts, against fractions, NumPy and ml_dtypes."""

from __future__ import annotations

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tilewright.ir.interpret import FLOAT64, TYPED
from tilewright.ir.interpret.rounding import FORMATS, fma, from_bits, round_dyadic, round_float, round_integer, to_bits
from tilewright.ir.types import BF16, F16, F32, F64, I32, I64, U32, U64

F32S = st.floats(width=32, allow_nan=False, allow_infinity=False)
F64S = st.floats(allow_nan=False, allow_infinity=False)


def nearest_f32(x: Fraction) -> float:
    """The f32 nearest to x by comparing distances; ties to the even one."""
    limit = Fraction(2**24 * 2 - 1, 2) * 2**104
    if abs(x) >= limit:
        return math.inf if x > 0 else -math.inf
    guess = np.float32(max(min(float(x), 3.4028234663852886e38), -3.4028234663852886e38))
    near = [guess, np.nextafter(guess, np.float32(math.inf)), np.nextafter(guess, np.float32(-math.inf))]
    finite = [v for v in near if np.isfinite(v)]
    return float(min(finite, key=lambda v: (abs(Fraction(float(v)) - x), int(v.view(np.uint32)) & 1)))


pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@settings(max_examples=300, deadline=None)
@given(F32S, F32S, F32S)
@example(1 + 2.0**-23, 1 + 2.0**-23, -1.0)
@example(3.4028234663852886e38, 2.0, -3.4028234663852886e38)
@example(2.0**-149, 0.5, 2.0**-149)
def test_fma_f32_is_the_nearest_to_the_exact_sum(a: float, b: float, c: float) -> None:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact:
        assert fma(a, b, c, FORMATS[F32]) == nearest_f32(exact)


@settings(max_examples=300, deadline=None)
@given(F64S, F64S, F64S)
@example(1 + 2.0**-52, 1 + 2.0**-52, -1.0)
@example(2.0**-600, 2.0**-600, 5e-324)
def test_fma_f64_is_the_nearest_to_the_exact_sum(a: float, b: float, c: float) -> None:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact:
        try:
            wanted = float(exact)
        except OverflowError:
            wanted = math.inf if exact > 0 else -math.inf
        assert fma(a, b, c, FORMATS[F64]) == wanted


def test_fma_rounds_once_where_two_roundings_differ() -> None:
    # The product is 1 + 2^-23 + 2^-24 + ..., a tie of f32 once rounded to f64 with c below its last place.
    a, b, c = 1 + 2.0**-12, 1 + 2.0**-12, 2.0**-60
    assert fma(a, b, c, FORMATS[F32]) == nearest_f32(Fraction(a) * Fraction(b) + Fraction(c))
    assert fma(a, b, c, FORMATS[F32]) != float(np.float32(a * b + c))


@pytest.mark.parametrize(
    ("a", "b", "c", "wanted"),
    [
        (math.inf, 2.0, 1.0, math.inf),
        (math.inf, 0.0, 1.0, math.nan),
        (math.inf, 1.0, -math.inf, math.nan),
        (1e300, 1e300, -math.inf, -math.inf),
        (1.0, 1.0, math.nan, math.nan),
        (2.0, 3.0, -6.0, 0.0),
        (-0.0, 1.0, -0.0, -0.0),
        (-0.0, 1.0, 0.0, 0.0),
        (0.0, -5.0, -0.0, -0.0),
        (-(2.0**-149), 2.0**-149, 0.0, -0.0),
        (1e300, 1e300, 0.0, math.inf),
    ],
)
def test_fma_of_special_values(a: float, b: float, c: float, wanted: float) -> None:
    got = fma(a, b, c, FORMATS[F64 if abs(a) > 1e100 and math.isfinite(a) else F32])
    assert math.isnan(got) if math.isnan(wanted) else (got, math.copysign(1, got)) == (wanted, math.copysign(1, wanted))


def test_every_f16_and_bf16_pattern_survives_a_round_trip() -> None:
    patterns = np.arange(65536, dtype=np.uint16)
    for dtype, array in ((F16, patterns.view(np.float16)), (BF16, patterns.view(ml_dtypes.bfloat16))):
        for bits, value in zip(patterns.tolist(), array.astype(np.float64).tolist(), strict=True):
            ours = from_bits(bits, FORMATS[dtype])
            if math.isnan(value):
                assert math.isnan(ours)
            else:
                assert (ours, math.copysign(1, ours)) == (value, math.copysign(1, value))
                assert to_bits(ours, FORMATS[dtype]) == bits


@pytest.mark.parametrize(("dtype", "numpy"), [(F16, np.float16), (BF16, ml_dtypes.bfloat16)])
def test_narrowing_rounds_to_nearest_even(dtype: object, numpy: type) -> None:
    rng = np.random.default_rng(1)
    anywhere = rng.integers(0, 2**32, 5000, dtype=np.uint32).view(np.float32)
    # Values, midpoints between values and their neighbours: where ties and overflow are decided.
    grid = rng.integers(0, 2**16, 2000, dtype=np.uint16).view(numpy).astype(np.float32)
    next_one = (grid.astype(numpy).view(np.uint16) + np.uint16(1)).view(numpy).astype(np.float32)
    with np.errstate(all="ignore"):
        middle = ((grid.astype(np.float64) + next_one) / 2).astype(np.float32)
        samples = np.concatenate([anywhere, grid, middle, np.nextafter(middle, np.float32(0))])
        wanted = samples.astype(numpy).astype(np.float64)
    for x, w in zip(samples.astype(np.float64).tolist(), wanted.tolist(), strict=True):
        ours = round_float(x, FORMATS[dtype])  # type: ignore[index]
        assert ours == w or (math.isnan(ours) and math.isnan(w)), x


@given(st.integers(-(2**70), 2**70), st.integers(-200, 120))
def test_the_fast_path_to_f32_agrees_with_the_exact_one(m: int, e: int) -> None:
    x = math.ldexp(float(m), e)
    if x:
        assert round_float(x, FORMATS[F32]) == round_dyadic(*_parts(x), FORMATS[F32])


def _parts(x: float) -> tuple[int, int]:
    fraction, exponent = math.frexp(x)
    return int(math.ldexp(fraction, 53)), exponent - 53


@given(st.integers(-(2**63), 2**64 - 1))
@example(2**63 + 2**39 + 1)
def test_integers_are_rounded_once(x: int) -> None:
    assert round_integer(x, FORMATS[F64]) == float(Fraction(x))
    assert round_integer(x, FORMATS[F32]) == nearest_f32(Fraction(x))


@given(F32S, F32S)
def test_f32_arithmetic_is_numpys(a: float, b: float) -> None:
    with np.errstate(all="ignore"):
        x, y = np.float32(a), np.float32(b)
        wanted = {"add": x + y, "sub": x - y, "mul": x * y, "div": x / y, "sqrt": np.sqrt(abs(x))}
    for op, w in wanted.items():
        operands = (abs(a),) if op == "sqrt" else (a, b)
        got = TYPED.operation(op, [F32] * len(operands), F32)(*operands)
        assert TYPED.same(got, float(w), F32), (op, a, b)


@pytest.mark.parametrize(
    ("value", "dtype", "wanted"),
    [
        (math.nan, I32, 0),
        (math.inf, I32, 2**31 - 1),
        (-math.inf, I32, -(2**31)),
        (2.0**31, I32, 2**31 - 1),
        (-2.9, I32, -2),
        (2.9, I32, 2),
        (-1.0, U32, 0),
        (2.0**64, U64, 2**64 - 1),
        (1e30, I64, 2**63 - 1),
        (-0.5, I64, 0),
    ],
)
def test_float_to_int_truncates_and_saturates(value: float, dtype: object, wanted: int) -> None:
    for domain in (TYPED, FLOAT64):
        assert domain.cast(F32, dtype)(value) == wanted  # type: ignore[arg-type]
