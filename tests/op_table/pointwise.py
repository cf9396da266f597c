"""Ops on the elements of operands of one shape: arithmetic, choices, comparisons, logic, bits, activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from op_table.model import ANY, FLOATS, INTS, NUMBERS, Array, Case, Draw, Gradient, Row, Wrong, case, zeros

Numeric = Callable[..., Any]
Elements = Callable[..., Array]

values, few, special, positive = Draw.values, Draw.few, Draw.special, Draw.positive
SMOOTH: Gradient = "smooth"
KINKS: Gradient = "almost everywhere"
FLAT: Gradient = "none"
WHOLE: Gradient = "integer"


def row(
    op: str,
    dtypes: tuple[str, ...],
    function: Numeric,
    gradient: Gradient,
    of: Sequence[Elements] = (values,),
    ulps: float = 0,
    extra: Sequence[Wrong] = (),
    samples: int = 5,
    **keywords: Any,
) -> Row:
    """``function`` takes the operands, made by ``of``, then the keywords' values."""

    def make(draw: Draw) -> Case:
        shape = draw.shape((3, 5, 37), (3, 0, 5))
        return Case(tuple(elements(draw, *shape) for elements in of), keywords)

    def oracle(case: Case) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            return (np.asarray(function(*case.arrays, *case.keywords.values())),)

    units = tuple(range(len(of)))[:2]
    refused = (*wrong([o is Draw.bools for o in of], dtypes, keywords), *extra)
    return Row(op, dtypes, make, oracle, ulps, refused, gradient, "", ("odd", "one", "empty"), units, units, samples)


def wrong(bools: Sequence[bool], dtypes: tuple[str, ...], keywords: dict[str, Any]) -> tuple[Wrong, ...]:
    """What no op of this kind takes: another dtype, two dtypes, two shapes, one operand less."""

    def call(dtype: str, last: Array) -> Case:
        return Case((*(zeros(2, 3, dtype="bool" if b else dtype) for b in bools[:-1]), last), keywords)

    first = dtypes[-1]
    found = [Wrong(Case(call(first, zeros(2, 3)).operands[:-1], keywords), "needs '[a-z_]+'")]
    other = next((d for d in ("bool", "f32", "i32") if d not in dtypes), None)
    if other:
        found.append(Wrong(call(other, zeros(2, 3, dtype=other)), f"has dtype {other}"))
    if len(bools) > 1:
        found.append(
            Wrong(call(first, zeros(2, 4, dtype=first)), r"do not broadcast: their shapes are \[2, 3\] and \[2, 4\]")
        )
    if len(bools) > 1 and not bools[-1]:
        found.append(Wrong(call(first, zeros(2, 3, dtype=dtypes[0])), f"has dtype {dtypes[0]}, but"))
    return tuple(found)


def large(draw: Draw, *shape: int) -> Array:
    """Values of which some are so large that exp overflows; but none so small that exp underflows."""
    x = draw.values(*shape)
    return np.where(x > 0, x * np.asarray(draw.rng.choice([1, 8, 64], shape), x.dtype), x)


# --- oracles ------------------------------------------------------------------------------------


def _sign(x: Array) -> Array:
    return (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)


def _floor_divide(x: Array, y: Array) -> Array:
    return np.where(y == 0, 0, x // np.where(y == 0, 1, y)).astype(x.dtype)


def _remainder(x: Array, y: Array) -> Array:
    if x.dtype.kind == "f":
        return np.remainder(x, y)
    return np.where(y == 0, 0, x % np.where(y == 0, 1, y)).astype(x.dtype)


def _trunc_divide(x: Array, y: Array) -> Array:
    safe = np.where(y == 0, 1, y)
    return np.where(y == 0, 0, (x - np.fmod(x, safe)) // safe).astype(x.dtype)


def _pow_int(x: Array, y: Array) -> Array:
    """Powers of -2 to 2, which the exponent's lowest bits and sign tell."""
    unit = np.where((y & 1) == 1, x, 1)
    exponent = np.where((y < 0) | (y > 127), 127, y).astype(x.dtype)
    positive = np.where(np.abs(x) < 2, np.where(x == 0, y == 0, unit), x**exponent)
    return np.where(y < 0, np.where(np.abs(x) == 1, unit, 0), positive).astype(x.dtype)


def _addcmul(x: Array, a: Array, b: Array, value: int) -> Array:
    return x + x.dtype.type(value) * a * b


def _xlogy(x: Array, y: Array) -> Array:
    return np.where((x == 0) & ~np.isnan(y), 0, x * np.log(y))


def _softplus(x: Array, beta: float, threshold: float) -> Array:
    return np.where(x * beta > threshold, x, np.log1p(np.exp(np.minimum(x * beta, threshold))) / beta)


def _elu(x: Array, alpha: float = 1.0, inner: float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / inner))


def _gelu(x: Array, approximate: str) -> Array:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def amounts(draw: Draw, *shape: int) -> Array:
    """How far to shift: now and then by as many bits as there are or more, or by a negative number."""
    y = draw.rng.integers(0 if draw.dtype[0] == "u" else -2, int(draw.dtype[1:]) + 3, shape)
    return np.asarray(y.astype(draw.values(0).dtype))


def _shift(x: Array, y: Array, left: bool) -> Array:
    """Out of range: nothing left, or only the sign (docs/architecture.md)."""
    inside = (y >= 0) & (y < 8 * x.dtype.itemsize)
    safe = np.where(inside, y, 0).astype(x.dtype)
    outside = np.zeros_like(x) if left or x.dtype.kind == "u" else np.where(x < 0, -1, 0).astype(x.dtype)
    return np.where(inside, x << safe if left else x >> safe, outside)


def _clamp(x: Array, low: float, high: float) -> Array:
    return np.minimum(np.maximum(x, x.dtype.type(low)), x.dtype.type(high))


# --- rows ---------------------------------------------------------------------------------------

TWO, THREE = (values, values), (values, values, values)
ARITHMETIC = (
    row("add", NUMBERS, np.add, SMOOTH, TWO, 1),
    row("sub", NUMBERS, np.subtract, SMOOTH, TWO, 1),
    row("mul", NUMBERS, np.multiply, SMOOTH, TWO, 1),
    row("div", FLOATS, np.divide, SMOOTH, (values, Draw.nonzero), 1),
    row("floor_divide", INTS, _floor_divide, WHOLE, TWO),
    row("remainder", NUMBERS, _remainder, KINKS, TWO, 1),
    row("floor_divide_float", FLOATS, np.floor_divide, FLAT, (values, Draw.nonzero)),
    row("trunc_divide", INTS, _trunc_divide, WHOLE, TWO),
    row("trunc_divide_float", FLOATS, lambda x, y: np.trunc(x / y), FLAT, (values, Draw.nonzero)),
    row("fmod_int", INTS, lambda x, y: np.where(y == 0, 0, np.fmod(x, np.where(y == 0, 1, y))), WHOLE, TWO),
    row("pow_int", INTS, _pow_int, WHOLE, (few, values)),
    row("add_scaled", NUMBERS, lambda x, y, a: x + x.dtype.type(a) * y, SMOOTH, TWO, 4, alpha=2),
    row("sub_scaled", NUMBERS, lambda x, y, a: x - x.dtype.type(a) * y, SMOOTH, TWO, 4, alpha=2),
    row("neg", NUMBERS, np.negative, SMOOTH),
    row("abs", NUMBERS, np.abs, KINKS),
    row("sign", NUMBERS, _sign, FLAT, (special,)),
    row("square", NUMBERS, np.square, SMOOTH, ulps=1),
    row("reciprocal", FLOATS, lambda x: 1 / x, SMOOTH, (Draw.nonzero,), 1),
    row("xlogy", FLOATS, _xlogy, SMOOTH, (few, positive), 2),
    row("addcmul", NUMBERS, _addcmul, SMOOTH, THREE, 4, value=2),
    row("addcdiv", FLOATS, lambda x, a, b, v: x + v * (a / b), SMOOTH, (values, values, Draw.nonzero), 4, value=2),
    row("lerp", FLOATS, lambda x, end, w: x + w * (end - x), SMOOTH, (values, values, Draw.unit), 4),
)
CHOICES = (
    row("maximum", ANY, np.maximum, KINKS, (special, special)),
    row("minimum", ANY, np.minimum, KINKS, (special, special)),
    row("fmax", FLOATS, np.fmax, KINKS, (special, special)),
    row("fmin", FLOATS, np.fmin, KINKS, (special, special)),
    row("clamp", NUMBERS, _clamp, KINKS, (special,), min=0, max=1),
    row("clamp_min", NUMBERS, lambda x, low: np.maximum(x, x.dtype.type(low)), KINKS, (special,), min=1),
    row("clamp_max", NUMBERS, lambda x, high: np.minimum(x, x.dtype.type(high)), KINKS, (special,), max=1),
    row("where", ANY, np.where, SMOOTH, (Draw.bools, special, special)),
    row("masked_fill", NUMBERS, lambda x, m, v: np.where(m, x.dtype.type(v), x), SMOOTH, (values, Draw.bools), value=1),
    row("heaviside", NUMBERS, lambda x, v: np.where(x == 0, v, (x > 0).astype(x.dtype)), FLAT, (special, values)),
    row("clone", ANY, lambda x: x, SMOOTH, (special,)),
)
TESTS = (
    *(
        row(name, ANY, function, WHOLE, (special, special))
        for name, function in (
            ("eq", np.equal),
            ("ne", np.not_equal),
            ("lt", np.less),
            ("le", np.less_equal),
            ("gt", np.greater),
            ("ge", np.greater_equal),
        )
    ),
    row("isnan", FLOATS, np.isnan, WHOLE, (special,)),
    row("isinf", FLOATS, np.isinf, WHOLE, (special,)),
    row("isfinite", FLOATS, np.isfinite, WHOLE, (special,)),
    row("signbit", FLOATS, lambda x: np.signbit(x) & ~np.isnan(x), WHOLE, (special,)),
    row("logical_and", ANY, np.logical_and, WHOLE, (special, special)),
    row("logical_or", ANY, np.logical_or, WHOLE, (special, special)),
    row("logical_xor", ANY, np.logical_xor, WHOLE, (special, special)),
    row("logical_not", ANY, np.logical_not, WHOLE, (special,)),
)
BITS = (
    row("bitwise_and", INTS, np.bitwise_and, WHOLE, TWO),
    row("bitwise_or", INTS, np.bitwise_or, WHOLE, TWO),
    row("bitwise_xor", INTS, np.bitwise_xor, WHOLE, TWO),
    row("bitwise_not", INTS, np.bitwise_not, WHOLE),
    row("bitwise_left_shift", INTS, lambda x, y: _shift(x, y, True), WHOLE, (values, amounts)),
    row("bitwise_right_shift", INTS, lambda x, y: _shift(x, y, False), WHOLE, (values, amounts)),
)
ACTIVATIONS = (
    row("relu", NUMBERS, lambda x: np.maximum(x, 0), KINKS),
    row("relu6", NUMBERS, lambda x: np.clip(x, 0, 6), KINKS),
    row("hardtanh", FLOATS, np.clip, KINKS, min_val=-0.5, max_val=0.75),
    row("threshold", NUMBERS, lambda x, t, v: np.where(x <= t, v, x), KINKS, threshold=1, value=3),
    row("leaky_relu", FLOATS, lambda x, a: np.where(x > 0, x, a * x), KINKS, ulps=1, negative_slope=0.125),
    row("elu", FLOATS, _elu, KINKS, ulps=4, alpha=0.5),
    row("selu", FLOATS, lambda x: 1.0507009873554805 * _elu(x, 1.6732632423543772), KINKS, ulps=4),
    row("celu", FLOATS, lambda x, alpha: _elu(x, alpha, alpha), SMOOTH, ulps=4, alpha=0.5),
    row("silu", FLOATS, lambda x: x / (1 + np.exp(-x)), SMOOTH, ulps=4),
    row("gelu", FLOATS, _gelu, SMOOTH, (large,), 4, approximate="tanh"),
    row("logsigmoid", FLOATS, lambda x: -np.logaddexp(0, -x), SMOOTH, ulps=4),
    row("mish", FLOATS, lambda x: x * np.tanh(np.logaddexp(0, x)), SMOOTH, (large,), 4),
    row("tanhshrink", FLOATS, lambda x: x - np.tanh(x), SMOOTH, ulps=4),
    row("softplus", FLOATS, _softplus, SMOOTH, ulps=4, beta=2.0, threshold=2.0),
    row("softsign", FLOATS, lambda x: x / (1 + np.abs(x)), SMOOTH, ulps=2),
    row("hardshrink", FLOATS, lambda x, c: np.where(np.abs(x) <= c, 0, x), KINKS, lambd=0.75),
    row("softshrink", FLOATS, lambda x, c: np.sign(x) * np.maximum(np.abs(x) - c, 0), KINKS, ulps=1, lambd=0.75),
    row("hardsigmoid", FLOATS, lambda x: np.clip(x + 3, 0, 6) / 6, KINKS, ulps=2),
    row("hardswish", FLOATS, lambda x: x * np.clip(x + 3, 0, 6) / 6, KINKS, ulps=4),
)


def _prelu(draw: Draw) -> Case:
    n, c, h = draw.shape((3, 5, 37), (3, 5, 0), (0, 1, 0))
    return case(draw.values(n, c, h), draw.values(1 if draw.size == "one" else c))


def _prelu_oracle(case: Case) -> tuple[Array, ...]:
    x, weight = case.arrays
    return (np.where(x > 0, x, x * weight[None, :, None]),)


def _halves(draw: Draw) -> Case:
    a, b, c = draw.shape((3, 5, 19), (3, 5, 0))
    return case(draw.values(a, b, 2 * c))


def _glu(case: Case) -> tuple[Array, ...]:
    a, b = np.split(case.arrays[0], 2, axis=-1)
    return (a / (1 + np.exp(-b)),)


def _converted(draw: Draw) -> Case:
    return case(draw.few(*draw.shape((3, 5, 37), (3, 0, 5))), zeros(dtype="i16"))


NOT_LIKE = Wrong(case(zeros(2), zeros(2)), "'like' of convert has 1 axis")
CONVERSION = (Row("convert", ANY, _converted, lambda case: (case.arrays[0].astype(np.int16),), 0, (NOT_LIKE,), WHOLE),)
NO_AXES = Wrong(case(zeros()), "has 0 axes")
NO_CHANNELS = Wrong(case(zeros(2), zeros(1)), "'x' of prelu has 1 axis")
CHANNELS = (
    Row("prelu", FLOATS, _prelu, _prelu_oracle, 1, (Wrong(case(zeros(2, 3), zeros(0)), "W >= 1"), NO_CHANNELS), KINKS),
    Row("glu", FLOATS, _halves, _glu, 4, (Wrong(case(zeros(2, 3)), "C % 2"), NO_AXES), SMOOTH),
)
TABLE = (*ARITHMETIC, *CHOICES, *TESTS, *BITS, *ACTIVATIONS, *CHANNELS, *CONVERSION)
