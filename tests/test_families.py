"""Families of ops: the shipped ones against NumPy, and a user's own."""

from __future__ import annotations

import string
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw
from tilewright.compiler.family import Family
from tilewright.dsl.format import format
from tilewright.dsl.parse import parse
from tilewright.errors import CallError, CallTypeError, KernelIndexError, SyntaxUserError, UserError
from tilewright.stdlib.families.einsum import _einsum, parsed
from tilewright.stdlib.families.getitem import _getitem
from tilewright.stdlib.families.join import MOST, _concat, _stack
from tilewright.testing.run import run_loops, run_tensor

DTYPES = [np.bool_, np.int8, np.uint64, np.float16, np.float32, np.float64]


def array(shape: tuple[int, ...], dtype: Any = np.int64, start: int = 0) -> np.ndarray[Any, Any]:
    return (np.arange(start, start + int(np.prod(shape))) % 101).reshape(shape).astype(dtype)


# --- joining --------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.integers(-3, 2), st.sampled_from(DTYPES))
def test_concat(lengths: list[int], dim: int, dtype: Any) -> None:
    shapes = [(*(2, 3, 2)[: dim % 3], n, *(2, 3, 2)[dim % 3 + 1 :]) for n in lengths]
    parts = [array(s, dtype, 10 * n) for n, s in enumerate(shapes)]
    wanted = np.concatenate(parts, dim)
    found = tw.ops.concat(parts, dim)
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.lists(st.integers(0, 3), max_size=2), st.data())
def test_stack(n: int, shape: list[int], data: st.DataObject) -> None:
    dim = data.draw(st.integers(-len(shape) - 1, len(shape)))
    parts = tuple(array(tuple(shape), np.float32, 7 * k) for k in range(n))
    np.testing.assert_array_equal(tw.ops.stack(parts, dim=dim), np.stack(parts, dim))


def test_many_tensors_are_joined_in_groups() -> None:
    parts = [array((2, 1 + n % 2), start=n) for n in range(2 * MOST + 3)]
    np.testing.assert_array_equal(tw.ops.concat(parts, 1), np.concatenate(parts, 1))
    same = [array((2,), start=n) for n in range(2 * MOST + 3)]
    np.testing.assert_array_equal(tw.ops.stack(same, -1), np.stack(same, -1))


def test_other_layouts_and_tensors() -> None:
    x = array((4, 6), np.float32)
    parts = x.T[::2], np.broadcast_to(x[0, :4], (2, 4))
    np.testing.assert_array_equal(tw.ops.concat(parts), np.concatenate(parts))
    made = tw.ops.concat((tw.as_tensor(x), tw.as_tensor(x)))
    assert isinstance(made, tw.Tensor) and made.shape == (8, 6)


# --- einsum ---------------------------------------------------------------------------------

EQUATIONS = [
    "ij,jk->ik", "ij,kj", "i,i", "i,j->ij", "ij->ji", "ij->", "ii->i", "ii", "iij->ij", "i->i", "ij,jk,kl->il",
    "bij,bjk->bik", "...ij,jk->...ik", "...i,...i->...", "i...->...", "ab,ab,ab->ab", "Ij,jI->Ij", "ij,j,i", "...,...",
    "a,ab,abc->abc", "ji, i -> j", "ij,kl->lijk", "i,->i",
]  # fmt: skip


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation: str) -> None:
    sizes = {letter: 2 + n % 3 for n, letter in enumerate(string.ascii_letters)}
    operands = []
    for n, term in enumerate(equation.replace(" ", "").partition("->")[0].split(",")):
        dots = (2, 1, 3)[n % 2 :] if "..." in term else ()
        before, _, after = term.partition("...")
        shape = (*(sizes[a] for a in before), *dots, *(sizes[a] for a in after))
        operands.append(array(shape, start=3 * n) - 2)
    wanted = np.einsum(equation, *operands)
    np.testing.assert_array_equal(tw.ops.einsum(equation, *operands), wanted)
    floats = [x.astype(np.float32) for x in operands]
    np.testing.assert_array_equal(tw.ops.einsum(equation, *floats), wanted.astype(np.float32))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("abcd", max_size=3), min_size=1, max_size=3), st.data())
def test_random_equations(terms: list[str], data: st.DataObject) -> None:
    letters = sorted(set("".join(terms)))
    result = "".join(data.draw(st.permutations(letters)))[: data.draw(st.integers(0, len(letters)))]
    operands = [array(tuple(ord(a) - 95 for a in term), start=n) - 3 for n, term in enumerate(terms)]
    equation = f"{','.join(terms)}->{result}"
    np.testing.assert_array_equal(_interpreted(equation, operands), np.einsum(equation, *operands))


def _interpreted(equation: str, operands: list[np.ndarray[Any, Any]]) -> Any:
    return run_tensor(_einsum.op(*parsed(equation, len(operands))), operands, {})[0]


def test_products_are_taken_from_left_to_right() -> None:
    """An intermediate has the labels that are still needed, not all of them."""
    assert _einsum.op((("i", "j"), ("j", "k"), ("k", "l")), ("i", "l")).text("source") == (
        "op einsum[T: number](x0: T[N_i, N_j], x1: T[N_j, N_k], x2: T[N_k, N_l]) -> y: T[N_i, N_l]:\n"
        "    t1[i_i, i_k] = sum[i_j](x0[i_i, i_j] * x1[i_j, i_k])\n"
        "    y[i_i, i_l] = sum[i_k](t1[i_i, i_k] * x2[i_k, i_l])\n"
    )


# --- getitem --------------------------------------------------------------------------------


@st.composite
def indices(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """An index of an array of this shape, its arrays of one shape or of ones."""
    entries: list[Any] = []
    around = draw(st.sampled_from([(3,), (2, 2), ()]))
    count = draw(st.integers(0, len(shape)))
    at = draw(st.integers(0, count))
    for extent in (*shape[:at], *shape[len(shape) - (count - at) :]):
        kind = draw(st.sampled_from(["int", "slice", "slice", "all", "array"]))
        number = st.integers(-extent, extent - 1)
        bound = st.one_of(st.none(), st.integers(-extent - 2, extent + 2))
        if kind == "int":
            entries.append(draw(number))
        elif kind == "array":
            size = draw(st.sampled_from([around, (1,) * len(around)]))
            values = [draw(number) for _ in range(int(np.prod(size)))]
            entries.append(np.array(values, draw(st.sampled_from([np.int32, np.int64]))).reshape(size))
        else:
            step = draw(st.sampled_from([None, 1, 2, -1, -3]))
            entries.append(slice(None) if kind == "all" else slice(draw(bound), draw(bound), step))
    if count < len(shape) or draw(st.booleans()):
        entries.insert(at, ...)
    for _ in range(draw(st.integers(0, 2))):
        entries.insert(draw(st.integers(0, len(entries))), None)
    return tuple(entries)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 5), max_size=3), st.data())
def test_getitem(shape: list[int], data: st.DataObject) -> None:
    x = array(tuple(shape), data.draw(st.sampled_from(DTYPES)))
    index = data.draw(indices(tuple(shape)))
    wanted = x[index]
    found = tw.ops.getitem(x, index)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "index",
    [1, -1, slice(1, 3), None, ..., (..., 0), ([0, 2],), np.array([[0, 1], [2, 0]]), ([0, 1], slice(None), [1, 2]),
     (0, slice(None), np.array([1])), (slice(1), [1], [2]), np.int64(2), (None, ..., None), np.array([], np.int64)],
    ids=str,
)  # fmt: skip
def test_getitem_as_numpy(index: Any) -> None:
    x = array((3, 4, 5), np.float32)
    np.testing.assert_array_equal(tw.ops.getitem(x, index), x[tuple(index) if isinstance(index, tuple) else index])


def test_new_numbers_and_bounds_compile_nothing() -> None:
    x = array((6, 5, 4))
    tw.ops.getitem(x, (slice(1, 3), 0, [1, 2]))
    op = _getitem.op(("slice", "int", "array"))
    met = op.misses
    for start in range(-2, 5):
        for size in (6, 9):
            y = array((size, size, size))
            index = (slice(start, None, 2), start % 3, [1, start])
            np.testing.assert_array_equal(tw.ops.getitem(y, index), y[index])
    assert op.misses == met


def test_the_loops_say_the_same() -> None:
    """The families go the road of every op: interpreters of both IRs, the C target."""
    x, y = array((3, 4), np.float32), array((3, 2), np.float32, 50)
    concat, wanted = _concat.op(2), np.concatenate((x, y), 1)
    for found in (run_tensor(concat, (x, y), {"A": 1})[0], run_loops(concat, (x, y), {"A": 1})[0]):
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(concat.on("c")(x, y, A=1), wanted)


def test_tracing() -> None:
    def joined(x: Any, y: Any) -> Any:
        rows = tw.ops.stack((tw.ops.getitem(x, 1), tw.ops.getitem(y, -1)))
        return tw.ops.einsum("ij,kj->ik", tw.ops.concat((x, y)), rows)

    x, y = array((3, 4), np.float32), array((2, 4), np.float32, 5)
    wanted = np.concatenate((x, y)) @ np.stack((x[1], y[-1])).T
    np.testing.assert_array_equal(tw.trace(joined, x, y)(x, y), wanted)
    beyond = tw.trace(lambda x: tw.ops.getitem(x, 3), x)
    with pytest.raises(KernelIndexError) as caught:
        beyond(x)
    assert caught.value.message == "lambda: a computed index is 3, out of range"


# --- a user's own ---------------------------------------------------------------------------


@tw.family
def weighted(b: tw.OpBuilder, n: int, biased: bool = False) -> None:
    """The weighted sum of n tensors."""
    b.dtype("T", "float")
    terms = [f"{b.operand(f'x{k}', 'T[N]')}[i] * T({b.attribute(f'w{k}', 'float', '1.0')})" for k in range(n)]
    if biased:
        terms.append(f"T({b.scalar('bias', 'f32')})")
    b.result("y", "T[N]")
    b.statement(f"s[i] = {' + '.join(terms)}")
    b.statement("y = softmax(s)")


def test_an_own_family() -> None:
    x = np.ones(2, np.float32)
    np.testing.assert_allclose(weighted.op(2)(x, x, w1=2.5), [0.5, 0.5])
    np.testing.assert_allclose(weighted.op(1, biased=True)(x * [0, np.log(3)], bias=1.0), [0.25, 0.75], rtol=1e-6)
    assert weighted.op(2) is weighted.op(2) and weighted.op(2) is not weighted.op(3)
    assert weighted.__doc__ == "The weighted sum of n tensors." and repr(weighted) == "<family weighted>"


def test_a_family_gives_what_its_text_gives() -> None:
    text = weighted.op(2, biased=True).text("source")
    assert text == (
        "op weighted[T: float](x0: T[N], x1: T[N], *, w0: float = 1.0, w1: float = 1.0, bias: scalar f32) -> y: T[N]:\n"
        "    s[i] = x0[i] * T(w0) + x1[i] * T(w1) + T(bias)\n"
        "    y = softmax(s)\n"
    )
    assert format(text) == text and parse(text).ops[0] == weighted.op(2, biased=True).definition.tree
    assert tw.op(text).text("tensor") == weighted.op(2, biased=True).text("tensor")


def test_a_family_that_is_wrong() -> None:
    def broken(b: tw.OpBuilder, n: int) -> None:
        b.operand("x", "f32[N]")
        b.result("y", "f32[N]")
        b.statement("y[i] = " + "(" * n)

    with pytest.raises(SyntaxUserError) as caught:
        Family(broken).op(1)
    assert caught.value.message == "this '(' is never closed"
    assert caught.value.span is not None and caught.value.span.source.name == "<broken(1)>"


# --- wrong calls ----------------------------------------------------------------------------

X = array((3, 4))
WRONG = {
    "no tensors": (lambda: tw.ops.concat(()), CallError, "concat takes a tuple of one or more tensors",
                   "as in concat((a, b), dim=0)"),
    "one tensor": (lambda: tw.ops.stack(X), CallError, "stack takes a tuple of one or more tensors",
                   "as in stack((a, b), dim=0)"),
    "dim": (lambda: tw.ops.concat((X, X), dim=2), CallError, "concat: there is no dim 2 among 2", "it is from -2 to 1"),
    "dim of nothing": (lambda: tw.ops.concat((np.ones(()),)), CallError, "concat: there is no dim 0 among 0",
                       "an operand without axes has none"),
    "no dim": (lambda: tw.ops.stack((X, X), dim=0.5), CallTypeError, "stack: dim is a whole number, not 0.5",
               "as in dim=0"),
    "dtypes": (lambda: tw.ops.concat((X, X.astype(np.int8))), CallTypeError,
               "operand 'x1' of concat has dtype i8, but T is i64 already, from operand 'x0'",
               "convert one: both are T"),
    "letters": (lambda: tw.ops.einsum("i1->i", X), CallError, "einsum: 'i1' in 'i1->i' is no term",
                "as in ij,jk->ik or ...i,i->..."),
    "operands": (lambda: tw.ops.einsum("ij,jk", X), CallError, "einsum: 'ij,jk' is for 2 operands, not 1",
                 "an equation has one term per operand, with commas between them"),
    "a letter of none": (lambda: tw.ops.einsum("ij->k", X), CallError, "einsum: k is in no operand of 'ij->k'",
                         "a result has each of its letters once"),
    "a letter twice": (lambda: tw.ops.einsum("ij->ii", X), CallError,
                       "einsum: i stands twice in the result of 'ij->ii'",
                       "a result has each of its letters once"),
    "no text": (lambda: tw.ops.einsum(X, [0, 1]), CallTypeError, "einsum: the equation is ndarray, no text",
                "as in 'ij,jk->ik'"),
    "a rank": (lambda: tw.ops.einsum("i->i", X), CallError,
               "operand 'x0' of einsum has 2 axes, but x0: T[N_i] takes 1", "reshape the operand"),
    "too many": (lambda: tw.ops.getitem(X, (0, 0, 0)), CallError, "getitem: 3 indices for 2 axes",
                 "leave some out; None makes a new axis"),
    "dots twice": (lambda: tw.ops.getitem(X, (..., ...)), CallError, "getitem: ... stands twice",
                   "one ... stands for all axes that are left"),
    "a number": (lambda: tw.ops.getitem(X, (0, 4)), CallError, "getitem: there is no 4 on axis 1, of extent 4",
                 "it is from -4 to 3"),
    "a text": (lambda: tw.ops.getitem(X, "a"), CallTypeError, "getitem: 'a' is no index",
               "whole numbers, slices, None, ... and arrays of i32 or i64 are"),
    "a bool": (lambda: tw.ops.getitem(X, True), CallTypeError, "getitem: True is no index", "None makes a new axis"),
    "a mask": (lambda: tw.ops.getitem(X, X > 1), CallTypeError,
               "getitem: how much a mask takes depends on its elements",
               "count the true ones first, or use where"),
    "a step": (lambda: tw.ops.getitem(X, slice(None, None, 0)), CallTypeError, "getitem: slice step cannot be zero",
               "bounds of slices are whole numbers, the step is not 0"),
    "a traced slice": (lambda: tw.trace(lambda x: tw.ops.getitem(x, slice(1)), X), UserError,
                       "getitem: a slice of a traced tensor has no size yet", "slice the operands before tracing"),
    "an index": (lambda: tw.ops.getitem(X, [3]), KernelIndexError,
                 "getitem: element 0 of 'at0' (counted row by row) is the index 3, out of range",
                 "indices count from 0 and stay below the extent of the axis that they index"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls(case: str) -> None:
    call, kind, message, hint = WRONG[case]
    with pytest.raises(UserError) as caught:
        call()  # type: ignore[no-untyped-call]
    assert (type(caught.value), caught.value.message, caught.value.hint) == (kind, message, hint)


def test_shapes_that_do_not_fit() -> None:
    for call in (
        lambda: tw.ops.concat((X, X.T)),
        lambda: tw.ops.stack((X, X[1:])),
        lambda: tw.ops.einsum("ij,ij", X, X.T),
    ):
        with pytest.raises(CallError, match="must be"):
            call()


def test_few_kernels_serve_all() -> None:
    """Arities, not sizes, make new ops."""
    assert {_concat.name, _stack.name, _einsum.name, _getitem.name} == {"concat", "stack", "einsum", "getitem"}
    for n in range(1, 40):
        tw.ops.concat([array((2,), np.uint8)] * n)
    assert len(_concat._made) <= MOST
