"""Comparing what runs gave: bit for bit, or within units in the last place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.ir.interpret import TYPED, Domain, evaluate, run_function, run_plan
from tilewright.ir.interpret.arrays import HostArray, encode
from tilewright.ir.interpret.exact import P, Q, cell
from tilewright.ir.interpret.numbers import Value
from tilewright.ir.interpret.rounding import FORMATS
from tilewright.ir.plan import Plan
from tilewright.ir.tensor import Function
from tilewright.ir.types import BF16, BOOL, BY_NAME, DType

_NUMPY_FLOATS = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64"}
FAR = 2**64 - 1
"""The distance of a nan from anything that is none."""


def bit_patterns(array: HostArray) -> NDArray[np.uint64]:
    """The encodings of the elements."""
    plain = np.ascontiguousarray(array).reshape(array.shape)
    return plain.view(f"u{array.itemsize}").astype(np.uint64)


def _float_dtype(array: HostArray, dtype: DType | None) -> DType | None:
    """The float dtype of the elements; ``dtype`` tells bf16 bit patterns from integers."""
    if dtype is BF16 and array.dtype == np.uint16:
        return BF16
    name = _NUMPY_FLOATS.get(array.dtype.name)
    return None if name is None else BY_NAME[name]


def _magnitudes(bits: NDArray[np.uint64], dtype: DType) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of float encodings: whether negative, the rest as an integer, whether nan."""
    sign = np.uint64(1 << (dtype.bits - 1))
    rest = bits & (sign - np.uint64(1))
    form = FORMATS[dtype]
    infinity = np.uint64((2 * form.emax + 1) << (form.precision - 1))
    return (bits & sign) != 0, rest, rest > infinity


def ulp_distances(actual: HostArray, expected: HostArray, dtype: DType) -> NDArray[np.uint64]:
    """How many values of the float ``dtype`` lie from one to the other, per element; both zeros are one
    value, nan is at 0 from nan and FAR from the rest."""
    if actual.itemsize != dtype.bytes or expected.itemsize != dtype.bytes:
        raise AssertionError(f"arrays of {actual.dtype} and {expected.dtype} do not hold {dtype}")
    (na, a, nan_a), (nb, b, nan_b) = (_magnitudes(bit_patterns(x), dtype) for x in (actual, expected))
    distance = np.where(na == nb, np.maximum(a, b) - np.minimum(a, b), a + b)
    return np.where(nan_a | nan_b, np.where(nan_a & nan_b, 0, np.uint64(FAR)), distance).astype(np.uint64)


def ulp_distance(a: float, b: float, dtype: DType) -> int:
    """:func:`ulp_distances` of two numbers, which are rounded to ``dtype`` first."""
    x, y = (encode([TYPED.constant(float(v), dtype)], [1], dtype, TYPED) for v in (a, b))
    return int(ulp_distances(x, y, dtype)[0])


def _fail(actual: HostArray, expected: HostArray, wrong: NDArray[Any], what: str) -> None:
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    raise AssertionError(
        f"{what} at {list(where)}: {_shown(actual[where])}, expected {_shown(expected[where])}"
        f" ({int(wrong.sum())} of {wrong.size} elements)"
    )


def _shown(value: Any) -> str:
    bits = int(bit_patterns(np.asarray(value)))
    return f"{value} (0x{bits:0{2 * np.asarray(value).itemsize}x})"


def _require_same_form(actual: HostArray, expected: HostArray) -> None:
    if actual.shape != expected.shape:
        raise AssertionError(f"shape {actual.shape}, expected {expected.shape}")
    same = actual.dtype == expected.dtype or {actual.dtype.name, expected.dtype.name} == {"uint16", "bfloat16"}
    if not same:
        raise AssertionError(f"dtype {actual.dtype}, expected {expected.dtype}")


def assert_same_bits(actual: Any, expected: Any, dtype: DType | None = None) -> None:
    """Shapes, dtypes and all bits agree, but any nan is any other; the message names the first difference.

    ``dtype`` need only be given for bf16 held as uint16.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    _require_same_form(actual, expected)
    kind = _float_dtype(actual, dtype) or _float_dtype(expected, dtype)
    wrong = bit_patterns(actual) != bit_patterns(expected)
    if kind is not None:
        nans = [_magnitudes(bit_patterns(x), kind)[2] for x in (actual, expected)]
        wrong &= ~(nans[0] & nans[1])
    if wrong.any():
        _fail(actual, expected, wrong, "bits differ")


def assert_close(
    actual: Any, expected: Any, dtype: DType, ulps: int = 0, rtol: float | None = None, atol: float = 0.0
) -> None:
    """Floats of ``dtype`` agree within ``ulps``, or within ``atol + rtol * |expected|`` if ``rtol`` is given.

    Everything but floats must agree bit for bit. The message names the first element that does not.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    if dtype.kind != "float":
        return assert_same_bits(actual, expected)
    _require_same_form(actual, expected)
    if rtol is None:
        distance = ulp_distances(actual, expected, dtype)
        wrong, what = distance > ulps, f"more than {ulps} ulp apart (at most {int(distance.max(initial=0))})"
    else:
        a, e = (_as_float64(x, dtype) for x in (actual, expected))
        wrong, what = ~np.isclose(a, e, rtol=rtol, atol=atol, equal_nan=True), f"beyond rtol {rtol}, atol {atol}"
    if wrong.any():
        _fail(actual, expected, wrong, what)
    return None


def _as_float64(array: HostArray, dtype: DType) -> NDArray[np.float64]:
    if dtype is BF16 and array.dtype == np.uint16:
        return (array.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return array.astype(np.float64)


def assert_same_call(
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    *operands: Any,
    ulps: int = 0,
    rtol: float | None = None,
    atol: float = 0.0,
    errors: Mapping[type[BaseException], type[BaseException]] | None = None,
    **keywords: Any,
) -> Any:
    """Two functions give the same results for the same operands: number, shapes, dtypes, and values as
    :func:`assert_close` compares them; or both raise.

    ``theirs`` is NumPy's, torch's or any other meaning of ``ours``. Where it raises E, ours must raise an E, or what
    ``errors`` has for E (a CallTypeError is a TypeError, a CallError a ValueError, a KernelIndexError an IndexError).
    Returns the result of ours, or its exception.
    """
    try:
        expected = theirs(*operands, **keywords)
    except Exception as e:
        return _assert_raises(ours, operands, keywords, e, (errors or {}).get(type(e), type(e)))
    actual = ours(*operands, **keywords)
    a, b = (x if isinstance(x, (tuple, list)) else (x,) for x in (actual, expected))
    if len(a) != len(b):
        raise AssertionError(f"{len(a)} results, expected {len(b)}")
    for n, (mine, wanted) in enumerate(zip(map(np.asarray, a), map(np.asarray, b), strict=True)):
        try:
            kind = _float_dtype(wanted, None)
            assert_close(mine, wanted, kind or BOOL, ulps, rtol, atol)
        except AssertionError as e:
            raise AssertionError(f"result {n}: {e}") from None
    return actual


def _assert_raises(
    ours: Callable[..., Any], operands: Any, keywords: Any, theirs: Exception, wanted: type[BaseException]
) -> BaseException:
    try:
        ours(*operands, **keywords)
    except Exception as e:
        if isinstance(e, wanted):
            return e
        raise AssertionError(f"raises {type(e).__name__} ({e}), expected {wanted.__name__} ({theirs})") from e
    raise AssertionError(f"raises nothing, expected {wanted.__name__} ({theirs})")


def assert_plan_means(
    f: Function,
    p: Plan,
    inputs: Mapping[str, Any],
    scalars: Mapping[str, Any],
    domain: Domain,
    order: Random | None = None,
) -> None:
    """A plan computes, bit for bit, what its function means on these inputs."""
    expected, actual = run_function(f, inputs, scalars, domain), run_plan(p, inputs, scalars, domain, order)
    if actual.keys() != expected.keys():
        raise AssertionError(f"outputs {sorted(actual)}, expected {sorted(expected)}")
    for name, array in expected.items():
        try:
            assert_same_bits(actual[name], array, f.tensor(name).dtype)
        except AssertionError as e:
            raise AssertionError(f"{f.name}: output {name!r}: {e}") from None


def random_array(shape: tuple[int, ...], dtype: DType, domain: Domain, random: Random) -> HostArray:
    """An array of values of the domain that suit a test: field elements anywhere, floats around 0, small
    integers (not negative ones), bools."""
    count = int(np.prod(shape, dtype=np.int64))
    real = domain.stand_in(dtype)
    makers: dict[str, Callable[[], Value]] = {
        "field": lambda: cell(random.randrange(P), random.randrange(Q)),
        "float": lambda: domain.constant(random.gauss(0, 1), dtype),
        "bool": lambda: random.random() < 0.5,
    }
    make = makers.get(real.kind, lambda: random.randrange(4))
    return encode([make() for _ in range(count)], shape, dtype, domain)


def random_inputs(f: Function, dims: Mapping[str, int], domain: Domain, random: Random) -> dict[str, HostArray]:
    """Random arrays for all inputs of ``f`` at the sizes ``dims``."""
    shapes = {t.name: tuple(evaluate(extent, dims) for extent in t.shape) for t in f.inputs}
    return {t.name: random_array(shapes[t.name], t.dtype, domain, random) for t in f.inputs}
