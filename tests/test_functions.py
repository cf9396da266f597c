"""Functions and operators of tensors beside PyTorch's: values, dtypes, shapes, and what both refuse."""

from __future__ import annotations

import contextlib
import doctest
import gc
import inspect
import itertools
import operator
import pickle
import pydoc
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tilewright as tw
from tilewright.errors import CallError, CallIndexError, CallTypeError, KernelIndexError, UserError
from tilewright.runtime import dtypes
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import functions, special, table, terms

torch = pytest.importorskip("torch", reason="PyTorch is not installed; .ci/run installs it")

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(29)

NAMES = ("bool", "int8", "int16", "int32", "int64", "uint8", "float16", "bfloat16", "float32", "float64")
"""The dtypes that PyTorch computes with."""

LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "row-major": lambda t: t,
    "transposed": lambda t: t.permute(*reversed(range(t.ndim))),
    "strided": lambda t: t[..., ::2],
    "stretched": lambda t: t[:1].expand(*t.shape),
    "offset": lambda t: t[1:],
}


def pair(dtype: str, *shape: int, low: int = -4, high: int = 5) -> tuple[Any, Any]:
    """A tensor of ours and PyTorch's with the same elements."""
    x = RNG.integers(0 if dtype[0] in "ub" else low, 2 if dtype == "bool" else high, shape)
    theirs = torch.from_numpy(np.asarray(x)).to(getattr(torch, dtype))
    if theirs.is_floating_point():
        theirs = theirs + (torch.arange(theirs.numel()).reshape(shape) % 3 / 4).to(theirs.dtype)
    return tw.from_dlpack(theirs.clone()), theirs


def host(x: Any) -> Array:
    """The values, for comparison."""
    if not isinstance(x, torch.Tensor):
        x = torch.from_dlpack(x) if x.dtype is not dtypes.bool_ else torch.from_numpy(np.array(x))
    return np.asarray((x.double() if x.is_floating_point() else x).numpy())


def same(ours: Any, theirs: Any, ulps: float = 8) -> None:
    """Fails unless two results agree: dtypes, shapes, values to so many units of the last place."""
    if isinstance(theirs, tuple):
        assert isinstance(ours, tuple) and len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            same(one, other, ulps)
        return
    assert isinstance(ours, tw.Tensor)
    assert (ours.dtype.name, ours.shape) == (str(theirs.dtype).removeprefix("torch."), tuple(theirs.shape))
    rtol = ulps * torch.finfo(theirs.dtype).eps if theirs.is_floating_point() else 0
    np.testing.assert_allclose(host(ours), host(theirs), rtol, rtol)


def agree(call: Callable[..., Any], *pairs: tuple[Any, Any], ulps: float = 8) -> bool:
    """``call(library, *tensors)`` gives the same of both libraries, or both refuse; whether they do not."""
    try:
        theirs = call(torch, *(t for _, t in pairs))
    except (RuntimeError, TypeError, IndexError, ValueError):
        with pytest.raises(UserError):
            call(tw, *(t for t, _ in pairs))
        return False
    same(call(tw, *(t for t, _ in pairs)), theirs, ulps)
    return True


def lenient(call: Callable[..., Any], *pairs: tuple[Any, Any], ulps: float = 8) -> bool:
    """As agree, where ours takes more dtypes."""
    try:
        theirs = call(torch, *(t for _, t in pairs))
    except IndexError:
        with pytest.raises(UserError):
            call(tw, *(t for t, _ in pairs))
        return False
    except (RuntimeError, TypeError):
        return False
    same(call(tw, *(t for t, _ in pairs)), theirs, ulps)
    return True


# --- dtypes ---------------------------------------------------------------------------------


def test_promotion_of_all_pairs_is_pytorchs() -> None:
    for (a, b), ranks in itertools.product(itertools.product(NAMES, NAMES), ((1, 1), (1, 0), (0, 1), (0, 0))):
        x, y = pair(a, *[2] * ranks[0]), pair(b, *[2] * ranks[1])
        expected = str(torch.result_type(x[1], y[1])).removeprefix("torch.")
        assert tw.result_type(x[0], y[0]).name == expected, (a, b, ranks)
        assert tw.promote_types(x[0].dtype, y[0].dtype).name == str(torch.promote_types(x[1].dtype, y[1].dtype))[6:]


@pytest.mark.parametrize("rank", [0, 1])
def test_promotion_with_numbers_is_pytorchs(rank: int) -> None:
    for name, number in itertools.product(NAMES, (True, 3, 2.5)):
        ours, theirs = pair(name, *[2] * rank)
        assert tw.result_type(ours, number).name == str(torch.result_type(theirs, number))[6:], (name, number)
        assert tw.result_type(number, ours).name == str(torch.result_type(number, theirs))[6:], (name, number)


def test_wide_unsigned_integers_promote_as_numpys() -> None:
    for a, b in itertools.product(("uint16", "uint32", "uint64"), ("int8", "int16", "int32", "int64", "uint8")):
        ours = tw.promote_types(getattr(tw, a), getattr(tw, b))
        assert ours.name == np.promote_types(a, b).name
        assert ours is tw.promote_types(getattr(tw, b), getattr(tw, a))


def test_a_number_compiles_nothing_and_must_fit() -> None:
    x = tw.as_tensor(np.arange(4, dtype=np.int8))
    first = x + 1
    misses = ops.get("add").misses
    assert [np.asarray(x + n).tolist() for n in (2, 3)] == [[2, 3, 4, 5], [3, 4, 5, 6]]
    assert ops.get("add").misses == misses and np.asarray(first).tolist() == [1, 2, 3, 4]
    with pytest.raises(CallError, match=r"add\(\): 300 does not fit into tilewright.int8"):
        x + 300


# --- operators ------------------------------------------------------------------------------

BINARY = {
    name: getattr(operator, name)
    for name in (
        "add",
        "sub",
        "mul",
        "truediv",
        "floordiv",
        "mod",
        "and_",
        "or_",
        "xor",
        "lt",
        "le",
        "eq",
        "ne",
        "gt",
        "ge",
    )
}


def nonzero(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    """The same without zeros, which divisors of integers may not be."""
    theirs = torch.where(pair[1] == 0, torch.ones((), dtype=pair[1].dtype), pair[1])
    return tw.from_dlpack(theirs), theirs


@pytest.mark.parametrize("name", BINARY)
def test_operators_take_every_pair_of_dtypes(name: str) -> None:
    done = 0
    for a, b in itertools.product(NAMES, NAMES):
        x, y = pair(a, 2, 3), nonzero(pair(b, 3))
        done += lenient(lambda lib, x, y: BINARY[name](x, y), x, y)
    assert done > 20


@pytest.mark.parametrize("name", BINARY)
def test_operators_take_numbers_on_both_sides(name: str) -> None:
    for dtype, number in itertools.product(("bool", "int32", "uint8", "float16", "float32"), (True, 3, 2.5)):
        x = nonzero(pair(dtype, 5))
        lenient(lambda lib, x, n=number: BINARY[name](x, n), x)
        lenient(lambda lib, x, n=number: BINARY[name](n, x), x)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["add", "truediv", "lt", "mod"])
def test_operators_take_every_layout(name: str, layout: str) -> None:
    x, y = pair("float32", 4, 4), nonzero(pair("int64", 4, 4))
    cut = {"strided": (slice(None), slice(2)), "offset": (slice(1, None),)}.get(layout, ())
    agree(lambda lib, x, y: BINARY[name](LAYOUTS[layout](x), y[cut]), x, y)


@pytest.mark.parametrize("shapes", [((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2,)), ((0, 2), (2,)), ((2, 3), (4,))])
def test_operators_broadcast(shapes: tuple[tuple[int, ...], ...]) -> None:
    x, y = (pair("float32", *shape) for shape in shapes)
    agree(lambda lib, x, y: x + y, x, y)


@pytest.mark.parametrize("dtype", NAMES)
def test_unary_operators_and_powers(dtype: str) -> None:
    x, small = pair(dtype, 7), pair(dtype, 7, low=0, high=4)
    for function in (operator.neg, operator.invert, operator.abs, operator.pos):
        if not (dtype == "bool" and function is operator.pos):  # PyTorch's is not asked
            agree(lambda lib, x, f=function: f(x), x)
    agree(lambda lib, x, y: x**y, x, small)
    for exponent in (2, 3, 0.5):
        agree(lambda lib, x, e=exponent: abs(x) ** e if dtype != "bool" else x * e, x)


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8"])
def test_shifts_and_divmod(dtype: str) -> None:
    x, amounts, y = pair(dtype, 9), pair(dtype, 9, low=0), nonzero(pair(dtype, 9))
    for function in (operator.lshift, operator.rshift):
        agree(lambda lib, x, y, f=function: f(x, y), x, amounts)
    same(divmod(x[0], y[0]), (torch.floor_divide(x[1], y[1]), torch.remainder(x[1], y[1])))


RANKS = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
         ((5, 1, 2, 3), (4, 3, 2)), ((3,), (5, 3, 2)), ((5, 2, 3), (3,)), ((2, 3), (2, 3)), ((), (3,))]  # fmt: skip


@pytest.mark.parametrize("shapes", RANKS)
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_matrix_products_take_all_ranks(shapes: tuple[tuple[int, ...], ...], dtype: str) -> None:
    x, y = (pair(dtype, *shape) for shape in shapes)
    agree(lambda lib, x, y: x @ y, x, y)
    agree(lambda lib, x, y: lib.matmul(x, y), x, y)


def test_operators_write_into_their_left_operand() -> None:
    for name in ("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "iand", "ior", "ixor", "ilshift", "irshift"):
        for dtype, other in itertools.product(("int32", "float32"), ("int32", "float32")):
            x, y = pair(dtype, 2, 3), nonzero(pair(other, 3, low=1))
            if agree(lambda lib, x, y, n=name: getattr(operator, n)(x[:, ::1], y), x, y):
                np.testing.assert_array_equal(host(x[0]), host(x[1]))
    x = pair("float32", 3)
    view = x[0][1:]
    assert operator.iadd(view, 1) is view and np.asarray(x[0])[1] == np.asarray(view)[0]
    with pytest.raises(CallError, match=r"add_\(\): the result, f32\[2, 3\], cannot be written into f32\[3\]"):
        operator.iadd(x[0], pair("float32", 2, 3)[0])


@pytest.mark.parametrize("other", ["float32", "int32"])
def test_results_are_written_where_the_caller_says(other: str) -> None:
    x, y, out = pair("float32", 4, 3), pair(other, 3), pair("float32", 4, 3)
    for view in (lambda t: t, lambda t: t[::2], lambda t: t[1:3]):
        agree(lambda lib, x, y, out, v=view: lib.add(v(x), y, out=v(out)), x, y, out)
        agree(lambda lib, x, y, out, v=view: lib.exp(v(x), out=v(out)), x, y, out)
        agree(lambda lib, x, y, out, v=view: lib.softmax(v(x), 0, out=v(out)), x, y, out)
        np.testing.assert_allclose(host(out[0]), host(out[1]), 1e-6)
    agree(lambda lib, x, y, out: lib.sum(x, 0, out=out[0]), x, y, out)
    with pytest.raises(CallError, match=r"add\(\): the result, f32\[4, 3\], cannot be written into f32\[3\]"):
        tw.add(x[0], y[0], out=out[0][0])
    with pytest.raises(CallTypeError, match=r"add\(\): 1 is no tensor to write into"):
        tw.add(x[0], y[0], out=1)


def test_operands_may_overlap_what_is_written() -> None:
    for shift in (1, -1, 2):
        x = tw.from_dlpack(np.arange(9.0))
        expected = np.arange(9.0)
        expected[2:7] += np.arange(9.0)[2 + shift : 7 + shift]
        view = x[2:7]
        view += x[2 + shift : 7 + shift]
        np.testing.assert_array_equal(np.asarray(x), expected)


def test_numpys_arrays_are_operands() -> None:
    x, a = pair("float32", 3)[0], np.arange(3, dtype=np.float32)
    for result in (x + a, a + x, x - np.float32(1), np.float32(1) - x, tw.add(a, a), tw.exp(a)):
        assert isinstance(result, tw.Tensor) and result.dtype is tw.float32
    np.testing.assert_array_equal(np.asarray(a - x), a - np.asarray(x))


def test_operators_leave_other_objects_to_those() -> None:
    class Other:
        def __radd__(self, x: Any) -> str:
            return "other"

        def __eq__(self, x: object) -> Any:
            return "equal"

        __hash__ = None  # type: ignore[assignment]

    x = pair("float32", 3)[0]
    assert x + Other() == "other" and (x == Other()) == "equal"
    assert (x == None) is False and (x != "a") is True  # noqa: E711
    with pytest.raises(TypeError, match="unsupported operand"):
        x + [1, 2, 3]
    assert x in {x} and hash(x) == hash(x)


# --- functions of elements ------------------------------------------------------------------

UNARY = (
    "abs absolute neg sign square floor ceil trunc round frac exp exp2 expm1 sigmoid sinh cosh tanh log log2 log10 "
    "log1p asinh acosh atanh logit sqrt rsqrt sin cos tan asin acos atan erf erfc erfinv lgamma digamma reciprocal "
    "isnan isinf isfinite signbit logical_not bitwise_not relu selu positive"
).split()  # fmt: skip
TWO = (
    "add sub mul div true_divide floor_divide remainder fmod pow atan2 copysign hypot logaddexp xlogy maximum minimum "
    "fmax fmin eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor heaviside"
).split()  # fmt: skip
PAIRS = (
    ("float32", "float32"), ("int32", "int32"), ("int64", "float32"), ("float16", "float64"), ("bool", "bool"),
    ("uint8", "int8"), ("bool", "int32"), ("bfloat16", "float16"),
)  # fmt: skip
LESS = {("square", "bool"), ("heaviside", "bool")}
"""What PyTorch takes and ours do not."""


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_tensor(name: str) -> None:
    done = 0
    for dtype in ("bool", "int32", "uint8", "float16", "bfloat16", "float32", "float64"):
        x = pair(dtype, 3, 4)
        if (name, dtype) in LESS:
            continue
        done += lenient(lambda lib, x: getattr(lib, name)(x), x, ulps=64)
        if hasattr(torch.Tensor, name):
            lenient(lambda lib, x: getattr(x, name)(), x, ulps=64)
    assert done >= 3


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two_tensors(name: str) -> None:
    done = 0
    for a, b in PAIRS:
        x, y = pair(a, 3, 4), nonzero(pair(b, 4, low=0 if name == "pow" else -4))
        if (name, a) in LESS:
            continue
        done += lenient(lambda lib, x, y: getattr(lib, name)(x, y), x, y, ulps=16)
    assert done >= 2


def test_functions_that_write_into_their_operand() -> None:
    x, y = pair("float32", 3, 4), pair("float32", 4)
    for name in ("exp_", "relu_", "neg_", "sqrt_"):
        agree(lambda lib, x, n=name: getattr(x, n)(), x)
    for name in ("add_", "sub_", "mul_", "div_", "pow_", "maximum_"):
        if hasattr(torch.Tensor, name):
            agree(lambda lib, x, y, n=name: getattr(x, n)(y), x, y)
    agree(lambda lib, x, y: x.addcmul_(y, y, value=0.5), x, y)
    agree(lambda lib, x: x.clamp_(min=0.5), x)
    agree(lambda lib, x, y: x.add_(y, alpha=0.5), x, y)
    np.testing.assert_allclose(host(x[0]), host(x[1]), 1e-5)
    with pytest.raises(CallTypeError, match=r"add_\(\): the result, f32\[3\], cannot be written into i32\[3\]"):
        pair("int32", 3)[0].add_(0.5)


OF_ELEMENTS: dict[str, Callable[..., Any]] = {
    "alpha": lambda lib, x, y: lib.add(x, y, alpha=3) - lib.sub(x, y, alpha=2),
    "rounding": lambda lib, x, y: lib.div(x, y, rounding_mode="floor") + lib.div(x, y, rounding_mode="trunc"),
    "clamp": lambda lib, x, y: lib.clamp(x, -1, 2) + lib.clamp(x, max=1) + x.clamp(min=0) + lib.clamp(x, y, y),
    "clamp of integers by floats": lambda lib, x, y: lib.clamp(x, -1.5, 2.5),
    "where": lambda lib, x, y: lib.where(x > 0, x, y) + x.where(x < y, y) + lib.where(x > 0, 1.0, 0),
    "masked_fill": lambda lib, x, y: x.masked_fill(x > 0, 3),
    "addcmul": lambda lib, x, y: lib.addcmul(x, x, y, value=2),
    "lerp": lambda lib, x, y: lib.lerp(x, y, 0.25),
    "other names": lambda lib, x, y: lib.multiply(x, y) + lib.subtract(x, y) + lib.divide(x, y),
    "keywords": lambda lib, x, y: lib.add(input=x, other=y) + lib.mul(x, other=y),
    "to": lambda lib, x, y: x.to(lib.float64) + x.to(y).to(dtype=lib.float16) + x.float() + y.double() + x.long(),
}


@pytest.mark.parametrize("name", OF_ELEMENTS)
@pytest.mark.parametrize("dtype", ["float32", "int64", "float64"])
def test_functions_of_elements_with_options(name: str, dtype: str) -> None:
    lenient(OF_ELEMENTS[name], pair(dtype, 3, 4), nonzero(pair(dtype, 3, 4)))


# --- dims -----------------------------------------------------------------------------------

REDUCED = {
    "sum": (), "prod": (), "mean": (), "amax": (), "amin": (), "any": (), "all": (), "var": (), "std": (),
    "logsumexp": (), "count_nonzero": (),
}  # fmt: skip
DIMS = (None, 0, 1, -1, (0, 2), (-1, 0), (0, 1, 2), [1], 3, -4, (1, 1), ())


@pytest.mark.parametrize("name", REDUCED)
def test_reductions_along_dims(name: str) -> None:
    done = 0
    for dtype, dim, keepdim in itertools.product(("float32", "int32", "bool"), DIMS, (False, True)):
        x = pair(dtype, 3, 1, 4)
        keep = {} if name == "count_nonzero" else {"keepdim": keepdim}
        if dim is None or (dim == () and name in ("count_nonzero", "prod", "logsumexp", "any", "all")):
            done += lenient(lambda lib, x: getattr(lib, name)(x), x, ulps=32)
        elif name == "prod" and isinstance(dim, (tuple, list)):
            continue
        else:
            done += lenient(lambda lib, x, d=dim, k=keep: getattr(x, name)(dim=d, **k), x, ulps=32)
    assert done >= 8


@pytest.mark.parametrize("name", ["sum", "amax", "mean"])
def test_what_reductions_refuse(name: str) -> None:
    x = pair("float32", 2, 3)[0]
    with pytest.raises(CallIndexError, match=rf"{name}\(\): there is no dim 2 in f32\[2, 3\]"):
        getattr(x, name)(2)
    with pytest.raises(CallError, match=rf"{name}\(\): dim 1 is named twice"):
        getattr(x, name)((1, -1))
    with pytest.raises(CallTypeError, match="dim is a whole number or a tuple of such, not 'a'"):
        getattr(x, name)("a")


def test_means_of_integers_are_refused() -> None:
    with pytest.raises(CallTypeError, match=r"mean\(\) is not defined for i32\[3\]"):
        pair("int32", 3)[0].mean()
    same(tw.mean(pair("int32", 3)[0] * 0, dtype=tw.float64), torch.zeros((), dtype=torch.float64))


ALONG: dict[str, Callable[..., Any]] = {
    "softmax": lambda lib, x, d: lib.softmax(x, d),
    "log_softmax": lambda lib, x, d: x.log_softmax(dim=d),
    "cumsum": lambda lib, x, d: lib.cumsum(x, d),
    "cumprod": lambda lib, x, d: x.cumprod(d),
    "cummax": lambda lib, x, d: lib.cummax(x, d)[0],
    "logcumsumexp": lambda lib, x, d: lib.logcumsumexp(x, d),
    "sort": lambda lib, x, d: lib.sort(x, d, stable=True),
    "sort down": lambda lib, x, d: x.sort(d, True)[0],
    "argsort": lambda lib, x, d: lib.argsort(x, dim=d, stable=True),
    "topk": lambda lib, x, d: lib.topk(x, 1, d)[0],
    "kthvalue": lambda lib, x, d: lib.kthvalue(x, 1, d, keepdim=True)[0],
    "median": lambda lib, x, d: lib.median(x, d)[0],
    "median of all": lambda lib, x, d: x.median(),
    "quantile": lambda lib, x, d: lib.quantile(x, 0.25, d),
    "max": lambda lib, x, d: lib.max(x, d)[0],
    "max kept": lambda lib, x, d: x.max(dim=d, keepdim=True).values,
    "min": lambda lib, x, d: x.min(d).indices if x.ndim == 0 else x.min(d).values,
    "max of all": lambda lib, x, d: x.max() + x.min(),
    "max of two": lambda lib, x, d: lib.max(x, x + 1),
    "argmax": lambda lib, x, d: x.argmax(d),
    "argmin": lambda lib, x, d: lib.argmin(x, d, keepdim=True),
    "diff": lambda lib, x, d: lib.diff(x, dim=d),
    "flip": lambda lib, x, d: lib.flip(x, (d,)),
    "roll": lambda lib, x, d: lib.roll(x, 2, d),
    "roll all": lambda lib, x, d: x.roll(2),
    "repeat_interleave": lambda lib, x, d: lib.repeat_interleave(x, 2, d),
    "var": lambda lib, x, d: x.var(d, unbiased=False),
    "std": lambda lib, x, d: lib.std(x, dim=d, correction=0, keepdim=True),
    "norm": lambda lib, x, d: x.norm(dim=d),
    "norm of Frobenius": lambda lib, x, d: lib.norm(x, "fro", d),
    "norm of 1": lambda lib, x, d: x.norm(1, d, True),
    "sum as": lambda lib, x, d: x.sum(d, dtype=lib.float64),
    "softmax as": lambda lib, x, d: x.softmax(d, dtype=lib.float64),
    "glu": lambda lib, x, d: (lib if lib is tw else torch.nn.functional).glu(x, d),
    "stack": lambda lib, x, d: lib.stack([x, x + 1], d),
    "cat": lambda lib, x, d: lib.cat((x, x), dim=d),
}


@pytest.mark.parametrize("shape", [(4, 3, 2), (5,), ()], ids=str)
@pytest.mark.parametrize("name", ALONG)
def test_functions_along_a_dim(name: str, shape: tuple[int, ...]) -> None:
    for dtype, dim in itertools.product(("float32", "int64"), (0, 1, -1, -2, 3)):
        if shape or name not in ("roll", "repeat_interleave"):  # PyTorch refuses tensors without axes
            lenient(lambda lib, x, d=dim: ALONG[name](lib, x, d), pair(dtype, *shape), ulps=64)


def indices(low: int, high: int, *shape: int) -> tuple[Any, Any]:
    theirs = torch.from_numpy(RNG.integers(low, high, shape))
    return tw.from_dlpack(theirs), theirs


INDEXED: dict[str, Callable[..., Any]] = {
    "gather": lambda lib, x, i, d: lib.gather(x, d, i),
    "scatter": lambda lib, x, i, d: x.scatter(d, i * 0, x),
    "scatter_add": lambda lib, x, i, d: lib.scatter_add(x, d, i, x),
    "index_select": lambda lib, x, i, d: x.index_select(d, i[0, 0]),
    "index_add": lambda lib, x, i, d: lib.index_add(x, d, i[0, 0], x),
    "index_fill": lambda lib, x, i, d: x.index_fill(d, i[0, 0], 3),
    "take_along_dim": lambda lib, x, i, d: lib.take_along_dim(x, i, d),
}


@pytest.mark.parametrize("name", INDEXED)
def test_functions_with_indices_along_a_dim(name: str) -> None:
    for dim in (0, 1, -1):
        x, i = pair("float32", 3, 3, 3), indices(0, 3, 3, 3, 3)
        agree(lambda lib, x, i, d=dim: INDEXED[name](lib, x, i, d), x, i)


def test_attention() -> None:
    q, k, v = (pair("float32", 2, heads, 5, 4, low=-1, high=2) for heads in (4, 4, 4))
    mask, bias = pair("bool", 5, 5), pair("float32", 5, 5)
    attend = {tw: tw.scaled_dot_product_attention, torch: torch.nn.functional.scaled_dot_product_attention}
    agree(lambda lib, q, k, v: attend[lib](q, k, v), q, k, v, ulps=32)
    agree(lambda lib, q, k, v: attend[lib](q, k, v, is_causal=True, scale=0.3), q, k, v, ulps=32)
    agree(lambda lib, q, k, v, m: attend[lib](q, k, v, m), q, k, v, bias, ulps=32)
    full = mask[0] | tw.from_dlpack(np.eye(5, dtype=bool)), mask[1] | torch.eye(5, dtype=torch.bool)
    agree(lambda lib, q, k, v, m: attend[lib](q, k, v, m), q, k, v, full, ulps=32)
    few = tuple(t[:, :2] for t in k), tuple(t[:, :2] for t in v)
    agree(lambda lib, q, k, v: attend[lib](q, k, v, enable_gqa=True), q, *few, ulps=32)  # type: ignore[arg-type]


def test_normalisation_over_the_last_axes() -> None:
    x, w, b = pair("float32", 3, 4, 5), pair("float32", 4, 5), pair("float32", 4, 5)
    normed = {tw: tw.layer_norm, torch: torch.nn.functional.layer_norm}
    agree(lambda lib, x: normed[lib](x, (5,)), x, ulps=32)
    agree(lambda lib, x, w, b: normed[lib](x, (4, 5), w, b), x, w, b, ulps=32)
    with pytest.raises(CallError, match=r"the last axes of \[3, 4, 5\] are not \[4\]"):
        tw.layer_norm(x[0], 4)


def test_tensordot_and_products_of_fixed_ranks() -> None:
    x, y = pair("float32", 2, 3, 4), pair("float32", 3, 4, 5)
    agree(lambda lib, x, y: lib.tensordot(x, y, 2), x, y)
    agree(lambda lib, x, y: lib.tensordot(x, y, ([2], [1])), x, y)
    a, b = pair("float32", 2, 3), pair("float32", 3, 4)
    agree(lambda lib, a, b: lib.mm(a, b), a, b)
    agree(lambda lib, a, b: lib.mv(a, b[:, 0]) + lib.dot(b[:, 0], a[0]), a, b)
    agree(lambda lib, a, b: lib.bmm(a.reshape(1, 2, 3), b.reshape(1, 3, 4)), a, b)
    agree(lambda lib, a, b: lib.addmm(b[0], a, b, beta=2, alpha=3) + lib.addmm(a[:, :1], a, b), a, b)
    agree(lambda lib, a, b: lib.outer(a[0], b[0]) + lib.kron(a, b)[:3, :4], a, b)
    for wrong in (lambda lib, a, b: lib.mm(a[0], b), lambda lib, a, b: lib.dot(a, b), lambda lib, a, b: a @ a):
        agree(wrong, a, b)


EINSUMS = {
    "ij,jk->ik": ((2, 3), (3, 4)), "ij,jk": ((2, 3), (3, 4)), "bA,Ab": ((2, 3), (3, 2)), "ii->i": ((3, 3),),
    "ij->": ((2, 3),), "i,->i": ((3,), ()), "ij,jk,kl->il": ((2, 3), (3, 4), (4, 2)),
    "...ij,...jk": ((5, 1, 2, 3), (4, 3, 2)), "...i->...": ((2, 3, 4),), "i...->i": ((2, 3, 4),),
    "...i,...i->": ((2, 1, 3), (4, 3)), " i , j -> ji ": ((2,), (3,)), "i,i->i": ((1,), (3,)),
    "ij,jk->i": ((2, 1), (3, 4)), "bij,bjk->bik": ((1, 2, 3), (5, 3, 2)), "ij,j->i": ((2, 0), (0,)),
    "ij,j->j": ((0, 1), (1,)), "...,...->...": ((3, 1), (1, 4)), "i,ii->i": ((1,), (3, 3)),
}  # fmt: skip


@pytest.mark.parametrize("equation", EINSUMS)
def test_einsum(equation: str) -> None:
    pairs = [pair("float32", *shape) for shape in EINSUMS[equation]]
    agree(lambda lib, *x: lib.einsum(equation, *x), *pairs)
    agree(lambda lib, *x: lib.einsum(equation, [*x]), *pairs)
    if "..." not in equation and not any(1 in shape for shape in EINSUMS[equation]):
        whole = [np.asarray(pair("int32", *shape)[0]) for shape in EINSUMS[equation]]
        assert tw.einsum(equation, *whole).tolist() == np.einsum(equation, *whole).tolist()


def test_einsum_promotes_and_refuses() -> None:
    x, y = pair("int32", 2, 3)[0], pair("float64", 3, 2)[0]
    assert (tw.einsum("ij,jk", x, y) - tw.matmul(x, y)).abs().max().item() == 0
    assert tw.einsum("ij,jk", x, y).dtype is tw.float64
    assert tw.einsum("ij,jk", x.T[::-1].T, y).tolist() == (x.T[::-1].T @ y).tolist()
    for equation, operands in (
        ("ij,jk", (x, x)),
        ("i", (x,)),
        ("ii", (x,)),
        ("ij,jk", (x,)),
        ("i,i", (x[0], y[:2, 0])),
    ):
        with pytest.raises(CallError):
            tw.einsum(equation, *operands)
    with pytest.raises(CallTypeError):
        tw.einsum("i,i", x[0] > 0, x[0] > 0)


def test_several_results_have_names() -> None:
    values, places = found = pair("float32", 3, 4)[0].max(1)
    assert found._fields == ("values", "indices") and found.values is values and found.indices is places


def test_tensors_joined_are_promoted() -> None:
    x, y = pair("int32", 2, 3), pair("float32", 2, 3)
    agree(lambda lib, x, y: lib.cat([x, y], 1), x, y)
    agree(lambda lib, x, y: lib.stack([x, y]), x, y)
    agree(lambda lib, x, y: lib.vstack([x, y]) + lib.vstack((y, x)), x, y)
    agree(lambda lib, x, y: lib.hstack([x, y]), x, y)
    agree(lambda lib, x, y: x.tile(2, 2) + x.repeat(2, 2), x, y)


def test_sizes_that_depend_on_the_elements() -> None:
    for dtype in ("int64", "float32"):
        x = pair(dtype, 4, 5)
        agree(lambda lib, x: lib.unique(x, return_inverse=True, return_counts=True), x)
        agree(lambda lib, x: x.unique(), x)
        agree(lambda lib, x: lib.unique_consecutive(x.sort(1).values, return_counts=True), x)
        agree(lambda lib, x: x.masked_select(x > 0), x)
        agree(lambda lib, x: lib.nonzero(x), x)
    i = indices(0, 7, 20)
    agree(lambda lib, i: lib.bincount(i) + i.bincount(minlength=2), i)
    agree(lambda lib, i: lib.bincount(i, minlength=12), i)


def test_closeness() -> None:
    x, y = pair("float32", 3, 4), pair("float32", 3, 4)
    agree(lambda lib, x, y: lib.isclose(x, x * 1.000001) & lib.isclose(x, y), x, y)
    for call in (lambda lib, x, y: lib.allclose(x, x), lambda lib, x, y: lib.equal(x, y), lambda lib, x, y: x.equal(x)):
        assert call(tw, x[0], y[0]) is call(torch, x[1], y[1])
    nan = tw.from_dlpack(np.array([np.nan, np.inf, 1]))
    assert not tw.allclose(nan, nan) and tw.allclose(nan, nan, equal_nan=True)


def test_calls_keep_nothing() -> None:
    x, y, i, a = pair("float32", 3, 4)[0], pair("int32", 4)[0], indices(0, 3, 3, 4)[0], np.ones((3, 4), np.float32)
    calls: list[Callable[[], Any]] = [
        lambda: x + y, lambda: x + 1.5, lambda: a + x, lambda: x.sum(0, keepdim=True), lambda: x.max(1).values,
        lambda: x.softmax(0, dtype=tw.float64), lambda: x.gather(0, i), lambda: x @ x.T, lambda: x.add_(y),
        lambda: tw.add(x, y, out=x), lambda: x.clamp(min=1), lambda: x.topk(2, 0), lambda: x.cumsum(0), lambda: x < y,
        lambda: x.sum(7), lambda: x + x.T, lambda: tw.exp(), lambda: tw.exp([1]), lambda: y.mean(), lambda: y.add_(0.5),
        lambda: tw.add(x, y, z=1), lambda: tw.sum(x, dtype=3), lambda: tw.add(x, x, out=3), lambda: x.sum((0, 0)),
    ]  # fmt: skip
    watched = (x, y, i, a, None, 1.5, tw.float64)

    def counts() -> tuple[list[int], int]:
        gc.collect()
        return [sys.getrefcount(w) for w in watched], tw.memory.stats().in_use

    def run(call: Callable[[], Any], times: int) -> None:
        for _ in range(times):
            with contextlib.suppress(UserError):
                call()

    for n, call in enumerate(calls):
        run(call, 3)
        before = counts()
        run(call, 100)
        after = counts()
        assert before[1] == after[1], n
        assert all(abs(p - q) < 50 for p, q in zip(before[0], after[0], strict=True)), n


# --- all of them ----------------------------------------------------------------------------


def test_every_op_has_a_function_or_a_reason() -> None:
    within = {op for row in table.ROWS.values() for op in row.ops}
    unsaid = [n for n in ops.names() if n not in table.WITHOUT and n not in within and n not in table.names()]
    assert not unsaid
    gone = sorted(({*table.WITHOUT} | within) - {*ops.names()})
    assert not gone, f"of ops that there are not: {gone}"
    for name in functions.names():
        assert callable(functions.get(name))


def test_every_function_has_a_signature() -> None:
    for name in functions.names():
        assert inspect.signature(functions.get(name)).parameters, name
    assert str(inspect.signature(tw.sum)) == "(input, dim=None, keepdim=False, *, dtype=None, out=None)"


def test_examples_of_functions_run() -> None:
    without = []
    for name in (n for n in table.names() if n not in (*functions.BY_HAND, *table.METHODS_ALONE)):
        said = functions.get(name).__doc__
        test = doctest.DocTestParser().get_doctest(said, {}, name, None, None)
        assert doctest.DocTestRunner().run(test).failed == 0, name
        without += [] if test.examples else [name]
    assert without == []


def told(name: str) -> dict[str, str]:
    """What the documentation of a function says by ``Shapes:``, ``Dtypes:`` and ``Errors:``."""
    text = re.sub(r"\n {4}(?=\S)", " ", functions.get(name).__doc__.split("\n\nFor ")[0])
    return {head: rest for head, _, rest in (line.partition(": ") for line in text.splitlines()) if rest}


MADE_OF_OPS = [n for n in table.names() if n not in functions.BY_HAND]


def example(name: str) -> dict[str, Any]:
    """The required arguments of the example of a function, by name."""
    found: dict[str, Any] = {}
    for part in doctest.DocTestParser().get_examples(functions.get(name).__doc__)[:-1]:
        exec(part.source, found)
    required = [a for a in table.form(name).arguments if a.required]
    return {a.name: found.get(a.name, 1) for a in required}


def test_every_function_says_shapes_dtypes_and_errors() -> None:
    for name in MADE_OF_OPS:
        assert {"Shapes", "Dtypes", "Errors"} <= told(name).keys(), name
    assert told("sum")["Shapes"] == (
        "``input`` [A..., R...] -> [A...]; R... are the axes ``dim``, all for None; "
        "``keepdim`` keeps them, of extent 1."
    )
    assert told("where")["Dtypes"] == (
        "bools, integers, floats -> the same; ``input`` and ``other`` are promoted to one; ``condition``: bools."
    )
    assert told("mm")["Shapes"] == "``input`` [M, K], ``mat2`` [K, N] -> [M, N]."
    assert told("embedding")["Shapes"] == "``input`` [...], ``weight`` [V, D] -> [..., D]."


@pytest.mark.parametrize("name", ["exp", "sum", "topk", "bitwise_not", "neg", "argmax", "mean", "any"])
def test_the_dtypes_that_are_said_are_those_that_are_taken(name: str) -> None:
    gives: dict[str, str] = {}
    for part in told(name)["Dtypes"].rstrip(".").split("; "):
        if "->" in part:
            taken, result = part.split(" -> ")
            gives |= {code: result for kind in taken.split(", ") for code in terms.CLASSES[kind]}
    given = example(name)
    for code in (code for codes in terms.CLASSES.values() for code in codes):
        arguments = given | {"input": given["input"].to(dtypes.named(code))}
        if code not in gives:
            with pytest.raises(CallTypeError):
                functions.get(name)(**arguments)
            continue
        made = functions.get(name)(**arguments)
        first = made[0] if isinstance(made, tuple) else made
        plain = {"as the default float": tw.float32, "the same": dtypes.named(code)}
        result = gives[code].split(",")[0].removeprefix("values ")
        assert first.dtype is plain.get(result, first.dtype) and (result in plain or first.dtype.name == result)


def test_the_errors_that_are_said_are_raised() -> None:
    dims = [n for n in MADE_OF_OPS if "CallIndexError" in told(n)["Errors"]]
    indexed = {n: operand for n in MADE_OF_OPS if (operand := terms.indices(table.form(n)))}
    assert len(dims) > 30 and len(indexed) > 14
    for name in dims:
        with pytest.raises(CallIndexError):
            functions.get(name)(**example(name) | {"dim": 9})
    for name, index in indexed.items():
        given = example(name)
        with pytest.raises(KernelIndexError):
            functions.get(name)(**given | {index: given[index] + 99})
    for name in ("add", "where", "matmul", "linear", "lstm", "conv2d"):
        given = example(name)
        assert "CallError" in told(name)["Errors"]
        with pytest.raises(CallError):
            functions.get(name)(**given | {[*given][-1]: tw.ones(2, 5, 7)})


def test_the_example_of_the_page_runs() -> None:
    page = (Path(__file__).parents[1] / "docs" / "functions.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(example, "functions.md", "exec"), {})


def test_functions_are_methods() -> None:
    x = pair("float32", 3)[0]
    assert tw.Tensor.exp is tw.exp and x.exp.__func__ is tw.exp
    assert pickle.loads(pickle.dumps(tw.exp)) is tw.exp
    assert "exp(input, *, out=None)" in pydoc.render_doc(tw.exp)
    assert special.NO_METHODS and not hasattr(x, "cat")


WRONG = {
    "exp() needs 'input'": lambda x: tw.exp(),
    "exp() takes at most 1 positional arguments, not 2": lambda x: tw.exp(x, x),
    "exp() has no parameter 'dim'": lambda x: tw.exp(x, dim=0),
    "add() got 'input' twice": lambda x: tw.add(x, x, input=x),
    "exp(): operand 1: an array is needed, not list": lambda x: tw.exp([1.0]),
    "sum(): dtype is not 'f32'": lambda x: tw.sum(x, dtype="f32"),
    "where(): operand 1 is f32[3], and must be of tilewright.bool": lambda x: tw.where(x, x, x),
    "'x' and 'y' do not broadcast: their shapes are [3] and [2]": lambda x: x + x[:2],
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_calls_say_what_is_wrong(message: str) -> None:
    with pytest.raises(UserError) as caught:
        WRONG[message](pair("float32", 3)[0])
    assert message in str(caught.value)
