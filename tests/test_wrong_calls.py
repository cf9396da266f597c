"""Wrong calls: the exception, its message, and the remedy that it offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tilewright as tw
from tilewright.errors import CallError, CallTypeError, KernelIndexError, UserError

SCALED = (
    "op scaled[T: float](x: T[N], *, k: int = 1, eps: float = 0.5, flag: bool = false, s: scalar i8, q: scalar T)"
    " -> y: T[N]:\n    y[i] = x[i] * q\n"
)
DOT = "op dot(a: f32[K], b: f32[K]) -> y: f32[]:\n    y[] = sum[k](a[k] * b[k])\n"
WINDOW = "op window[T: number](x: T[N], *, w: int = 3) -> y: T[N - w + 1]:\n    y[i] = sum[k: w](x[i + k])\n"
JOIN = "op join[T: any](x: T[A...], z: T[A..., C]) -> y: T[A..., C]:\n    y[a..., c] = z[a..., c]\n"
SHARE = "op share[T: any](x: T[...], z: T[..., C]) -> y: T[..., C]:\n    y[..., c] = z[..., c]\n"

MATMUL = "it is called as matmul(a: T[M, K], b: T[K, N])"
SOFTMAX = "it is called as softmax(x: T[..., C])"
CONV = (
    "it is called as conv2d(x: T[N, D, H, W], w: T[O, C, R, S], b: T[O]?, *, stride: int[2] = (1, 1), "
    "padding: int[2] = (0, 0), dilation: int[2] = (1, 1), groups: int = 1)"
)
DROPOUT = "it is called as dropout(x: T[...], *, p: scalar f32, seed: scalar u64, offset: scalar u64)"
SCALE = (
    "it is called as scaled(x: T[N], *, k: int = 1, eps: float = 0.5, flag: bool = false, s: scalar i8, q: scalar T)"
)
RANGE = "indices count from 0 and stay below the extent of the axis that they index"


def f32(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, np.float32)


def f64(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape)


def image(**attributes: Any) -> Any:
    return tw.ops.conv2d(f32(1, 1, 3, 3), f32(1, 1, 3, 3), **attributes)


def scaled(**keywords: Any) -> Any:
    return tw.op(SCALED)(f32(2), **{"s": 1, "q": 2.0, **keywords})


@dataclass(frozen=True)
class Wrong:
    """``call`` raises ``error``; the message is exactly this, and so is the hint."""

    call: Callable[[], object]
    error: type[Exception]
    message: str
    hint: str | None


RANKS = {
    "too many axes": Wrong(
        lambda: tw.ops.matmul(f32(2, 3, 4), f32(3, 2)),
        CallError,
        "operand 'a' of matmul has 3 axes, but a: T[M, K] takes 2",
        "reshape the operand",
    ),
    "too few for a pack": Wrong(
        lambda: tw.ops.softmax(f32()),
        CallError,
        "operand 'x' of softmax has 0 axes, but x: T[..., C] takes 1 or more",
        "reshape the operand",
    ),
    "packs of two ranks": Wrong(
        lambda: tw.op(JOIN)(f32(2, 2), f32(2)),
        CallError,
        "operand 'z' of join has 1 axis, but A... is 2 axes already, from operand 'x'",
        "reshape one",
    ),
    "packs that do not broadcast": Wrong(
        lambda: tw.op(SHARE)(f32(2, 3), f32(2, 5)),
        CallError,
        "share(): the axes ... of 'x' and 'z' do not broadcast: their shapes are [2, 3] and [2, 5]",
        "extents are equal or 1, counted from the last axis; reshape an operand",
    ),
}

DTYPES = {
    "not a float": Wrong(
        lambda: tw.ops.softmax(np.zeros(2, np.int32)),
        CallTypeError,
        "operand 'x' of softmax has dtype i32, but x: T[..., C] takes f16, bf16, f32, f64, field",
        "convert the operand",
    ),
    "not an index": Wrong(
        lambda: tw.ops.embedding(f32(3, 2), np.zeros(2, np.uint8)),
        CallTypeError,
        "operand 'idx' of embedding has dtype u8, but idx: I[...] takes i32, i64",
        "convert the operand",
    ),
    "two dtypes for one variable": Wrong(
        lambda: tw.ops.matmul(f32(2, 3), f64(3, 2)),
        CallTypeError,
        "operand 'b' of matmul has dtype f64, but T is f32 already, from operand 'a'",
        "convert one: both are T",
    ),
    "objects": Wrong(
        lambda: tw.ops.softmax(np.array([None])),
        CallTypeError,
        "softmax(): 'x': there are no tensors of object",
        SOFTMAX,
    ),
    "complex numbers": Wrong(
        lambda: tw.ops.softmax(f32(2).astype(complex)),
        CallTypeError,
        "softmax(): 'x': there are no tensors of complex128",
        SOFTMAX,
    ),
    "a list": Wrong(
        lambda: tw.ops.softmax([1.0, 2.0]), CallTypeError, "softmax(): 'x': an array is needed, not list", SOFTMAX
    ),
    "None": Wrong(
        lambda: tw.ops.softmax(None), CallTypeError, "softmax(): 'x': an array is needed, not NoneType", SOFTMAX
    ),
    "a tensor of objects": Wrong(
        lambda: tw.tensor(np.array([None])),
        CallTypeError,
        "there are no tensors of object",
        "x.astype(...) converts an array",
    ),
    "a tensor of a list": Wrong(
        lambda: tw.tensor([1.0]), CallTypeError, "an array is needed, not list", "numpy.asarray(x) makes one"
    ),
}

SIZES = {
    "dims of two operands": Wrong(
        lambda: tw.ops.matmul(f32(2, 3), f32(4, 2)),
        CallError,
        "matmul: axis 0 of 'b' must be K, the extent of axis 1 of 'a'; called with a: f32[2, 3], b: f32[4, 2]",
        MATMUL,
    ),
    "dims beside an absent operand": Wrong(
        lambda: tw.ops.conv2d(f32(1, 1, 3, 3), f32(1, 2, 3, 3), None),
        CallError,
        "conv2d: it is required that D == C, where C is the extent of axis 1 of 'w' and D is the extent of axis 1 "
        "of 'x'; called with x: f32[1, 1, 3, 3], w: f32[1, 2, 3, 3]",
        CONV,
    ),
    "an empty axis": Wrong(
        lambda: tw.ops.argmax(f32(2, 0)),
        CallError,
        "argmax: it is required that C >= 1, where C is the extent of axis 1 of 'x'; called with x: f32[2, 0]",
        "it is called as argmax(x: T[..., C])",
    ),
    "too small an image": Wrong(
        lambda: tw.ops.conv2d(f32(1, 1, 1, 2), f32(1, 1, 3, 3)),
        CallError,
        "conv2d: it is required that H >= R, where H is the extent of axis 2 of 'x' and R is the extent of axis 2 "
        "of 'w'; called with x: f32[1, 1, 1, 2], w: f32[1, 1, 3, 3]",
        CONV,
    ),
    "a precondition with an attribute in it": Wrong(
        lambda: tw.op(WINDOW)(f32(2), w=5),
        CallError,
        "window: it is required that N >= 4, where N is the extent of axis 0 of 'x'; called with x: f32[2]",
        "it is called as window(x: T[N], *, w: int = 3)",
    ),
    "a negative axis": Wrong(
        lambda: tw.op(WINDOW)(f32(2), w=-5),
        CallError,
        "window: axis 'k' would have the negative extent -5; called with x: f32[2]",
        "it is called as window(x: T[N], *, w: int = 3)",
    ),
}

ARGUMENTS = {
    "missing": Wrong(lambda: tw.ops.matmul(f32(2, 3)), CallTypeError, "matmul() needs 'b'", MATMUL),
    "extra": Wrong(
        lambda: tw.ops.matmul(f32(2, 3), f32(3, 2), f32(2, 2)),
        CallTypeError,
        "matmul() takes 2 positional arguments, not 3",
        MATMUL,
    ),
    "twice": Wrong(
        lambda: tw.ops.matmul(f32(2, 3), f32(3, 2), a=f32(2, 3)), CallTypeError, "matmul() got 'a' twice", MATMUL
    ),
    "unknown operand": Wrong(
        lambda: tw.ops.matmul(f32(2, 3), f32(3, 2), c=f32(2, 2)),
        CallTypeError,
        "matmul() has no parameter 'c'",
        MATMUL,
    ),
    "unknown attribute": Wrong(lambda: image(strid=2), CallTypeError, "conv2d() has no parameter 'strid'", CONV),
    "attribute by position": Wrong(
        lambda: tw.ops.conv2d(f32(1, 1, 3, 3), f32(1, 1, 3, 3), f32(1), 2),
        CallTypeError,
        "conv2d() takes 3 positional arguments, not 4",
        CONV,
    ),
    "not an int": Wrong(
        lambda: image(stride=1.5), CallTypeError, "conv2d(): 'stride' takes a value of type int[2], not 1.5", CONV
    ),
    "not a float": Wrong(
        lambda: scaled(eps="x"), CallTypeError, "scaled(): 'eps' takes a value of type float, not 'x'", SCALE
    ),
    "not a bool": Wrong(
        lambda: scaled(flag=1), CallTypeError, "scaled(): 'flag' takes a value of type bool, not 1", SCALE
    ),
    "missing scalar": Wrong(
        lambda: tw.ops.dropout(f32(2), p=0.5, seed=1), CallTypeError, "dropout() needs 'offset'", DROPOUT
    ),
    "a scalar that is no number": Wrong(
        lambda: tw.ops.dropout(f32(2), p="half", seed=1, offset=0),
        CallTypeError,
        "dropout(): 'p' takes a value of type f32, not 'half'",
        DROPOUT,
    ),
    "a scalar out of range": Wrong(
        lambda: scaled(s=300), CallTypeError, "scaled(): 's' takes a value of type i8, not 300", SCALE
    ),
    "a negative seed": Wrong(
        lambda: tw.ops.dropout(f32(2), p=0.5, seed=-1, offset=0),
        CallTypeError,
        "dropout(): 'seed' takes a value of type u64, not -1",
        DROPOUT,
    ),
}

CHOICES = {
    "target": Wrong(lambda: tw.ops.softmax.on("gpu"), UserError, "unknown target 'gpu'", "one of c, cpu"),
    "target of a new op": Wrong(lambda: tw.op(DOT, target="tpu"), UserError, "unknown target 'tpu'", "one of c, cpu"),
    "level": Wrong(
        lambda: tw.ops.softmax.on("cpu", "avx9"),
        UserError,
        "target 'cpu' has no level 'avx9'",
        "one of native, x86-64-v3, x86-64",
    ),
    "stage": Wrong(
        lambda: tw.ops.softmax.text("ptx"),
        UserError,
        "unknown stage 'ptx'",
        "one of source, tensor, loops, llvm, asm, c",
    ),
    "operands of a text": Wrong(
        lambda: tw.ops.softmax.text("tensor", f32(2), f32(2)), CallError, "softmax takes 1 operand, not 2", SOFTMAX
    ),
    "operand that a text lacks": Wrong(
        lambda: tw.ops.matmul.text("tensor", f32(2, 2)), CallError, "matmul needs operand 'b'", "it is b: T[K, N]"
    ),
    "attribute of a text": Wrong(
        lambda: tw.ops.conv2d.text("loops", strid=2),
        CallError,
        "conv2d has no attribute 'strid'",
        "it has stride, padding, dilation, groups",
    ),
    "two ops in a source": Wrong(
        lambda: tw.op(DOT + WINDOW), UserError, "expected one op, found 2", "tw.load(path) takes files with several"
    ),
    "no op in a source": Wrong(
        lambda: tw.op("edition 1\n"), UserError, "expected one op, found none", "write op NAME(...) -> ...:"
    ),
}


def traced(function: Callable[..., Any]) -> Any:
    return tw.trace(function, f32(2, 3))


TRACES = {
    "an operand from elsewhere": Wrong(
        lambda: traced(lambda x: tw.ops.matmul(x, f32(3, 2))),
        UserError,
        "matmul: operand 'b' is no operand of the traced function nor computed from them",
        "give it to the traced function as an operand",
    ),
    "a result from elsewhere": Wrong(
        lambda: traced(lambda x: 1), UserError, "a traced function returns tensors that its ops computed, not int", None
    ),
    "a scalar that is no number": Wrong(
        lambda: traced(lambda x: tw.ops.dropout(x, p="half", seed=1, offset=0)),
        CallTypeError,
        "dropout(): 'p' takes a value of type f32, not 'half'",
        None,
    ),
    "a negative seed": Wrong(
        lambda: traced(lambda x: tw.ops.dropout(x, p=0.5, seed=-1, offset=0)),
        CallTypeError,
        "dropout(): 'seed' takes a value of type u64, not -1",
        None,
    ),
    "a function of NumPy": Wrong(
        lambda: traced(lambda x: np.sum(tw.ops.softmax(x))),
        UserError,
        "t1 has no elements yet: only ops can be traced",
        "write the computation as an op",
    ),
    "another rank": Wrong(
        lambda: traced(tw.ops.softmax)(f32(2)),
        CallTypeError,
        "softmax: operand 'x0' must be f32 of rank 2, not f32 of rank 1",
        "other dtypes and ranks need a function of their own",
    ),
    "another dtype": Wrong(
        lambda: traced(tw.ops.softmax)(f64(2, 3)),
        CallTypeError,
        "softmax: operand 'x0' must be f32 of rank 2, not f64 of rank 2",
        "other dtypes and ranks need a function of their own",
    ),
}

GROUPS = {"rank": RANKS, "dtype": DTYPES, "size": SIZES, "argument": ARGUMENTS, "choice": CHOICES, "trace": TRACES}
ALL = {f"{group}: {name}": wrong for group, cases in GROUPS.items() for name, wrong in cases.items()}


@pytest.mark.parametrize("wrong", ALL.values(), ids=list(ALL))
def test_the_message_and_the_remedy(wrong: Wrong) -> None:
    with pytest.raises(UserError) as caught:
        wrong.call()
    assert (type(caught.value), caught.value.message, caught.value.hint) == (wrong.error, wrong.message, wrong.hint)


def test_errors_are_what_python_users_catch() -> None:
    assert issubclass(CallError, ValueError) and issubclass(CallTypeError, TypeError)
    assert issubclass(KernelIndexError, IndexError)
    with pytest.raises(ValueError, match="axis 0 of 'b' must be K"):
        tw.ops.matmul(f32(2, 3), f32(4, 2))


def test_a_wrong_call_leaves_the_op_usable() -> None:
    for _ in range(2):
        with pytest.raises(CallError):
            tw.ops.matmul(f32(2, 3), f32(4, 2))
        np.testing.assert_array_equal(tw.ops.matmul(f32(2, 3), f32(3, 2)), np.full((2, 2), 3.0, np.float32))


def test_a_divisor_of_zero_is_shown_in_the_source() -> None:
    with pytest.raises(UserError) as caught:
        image(stride=0)
    assert str(caught.value) == (
        "conv2d.tw:5:69: error: division by zero\n"
        "            -> y: T[N, O, (H + 2*padding[0] - dilation[0]*(R - 1) - 1)//stride[0] + 1,\n"
        "                                                                        ^^^^^^^^^\n"
        "help: the divisor is 0 here: give it another value"
    )


def test_an_unknown_shipped_op() -> None:
    message = "there is no shipped op 'sofmax': did you mean 'softmax'?"
    for ask in (lambda: tw.ops.sofmax, lambda: tw.ops.get("sofmax")):
        with pytest.raises(AttributeError) as caught:
            ask()
        assert str(caught.value) == message


# --- indices out of range ---------------------------------------------------------------------


def out_of_range(idx: Any, target: str = "cpu", threads: int = 1) -> KernelIndexError:
    with tw.threads(threads), pytest.raises(KernelIndexError) as caught:
        tw.ops.embedding.on(target)(f32(3, 2), idx)
    assert caught.value.hint == RANGE
    return caught.value


@pytest.mark.parametrize("target", ["cpu", "c"])
@pytest.mark.parametrize(
    ("idx", "position", "value"),
    [
        (np.array([[0, 1], [3, 9]]), 2, 3),
        (np.array([[0, 1], [2, -1]], np.int32), 3, -1),
        (np.array([0, 1, 2, 7])[::-1], 0, 7),
        (np.asfortranarray([[0, 1, 5], [4, 1, 1]]), 2, 5),
        (np.array(2**62), 0, 2**62),
    ],
    ids=["too large", "negative", "reversed", "transposed", "a single huge one"],
)
def test_an_index_out_of_range_is_named(target: str, idx: Any, position: int, value: int) -> None:
    assert out_of_range(idx, target).message == (
        f"embedding: element {position} of 'idx' (counted row by row) is the index {value}, out of range"
    )


@pytest.mark.parametrize("target", ["cpu", "c"])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_lowest_position_is_named_whatever_the_threads(target: str, threads: int) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        idx = rng.integers(0, 3, (400, 251))
        wrong = rng.integers(1000, idx.size, 300)
        idx.flat[wrong] = rng.integers(3, 99, 300)
        lowest = wrong.min()
        assert f"element {lowest} of 'idx' (counted row by row) is the index {idx.flat[lowest]}," in str(
            out_of_range(idx, target, threads)
        )
