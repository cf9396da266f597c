"""Tensor-IR functions written by hand: short spellings, and the programs that several tests use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tilewright.ir import index as ix
from tilewright.ir.index import Index
from tilewright.ir.scalar import Expr, IndexValue, Read, Var, apply, convert, literal
from tilewright.ir.tensor import CHAIN, SCAN_CHUNK, Axis, Compute, Function, Reduction, Scan, Scatter, Tensor
from tilewright.ir.types import BF16, F32, I64, DType

Position = Index | Expr | str | int


def place(value: Position) -> Index | Expr:
    """An index: a name is a symbol."""
    if isinstance(value, str):
        return ix.symbol(value)
    return ix.const(value) if isinstance(value, int) else value


def dims(*values: Position) -> tuple[Index, ...]:
    found = tuple(map(place, values))
    assert all(isinstance(i, Index) for i in found)
    return found  # type: ignore[return-value]


def tensor(name: str, *shape: Position, dtype: DType = F32) -> Tensor:
    return Tensor(name, dtype, dims(*shape))


def read(t: Tensor, *indices: Position, otherwise: float | None = None) -> Expr:
    """The element of ``t`` in its compute dtype; ``otherwise``: a guard."""
    guard = None if otherwise is None else literal(otherwise, t.dtype)
    return convert("cast", Read(t.name, tuple(map(place, indices)), t.dtype, (), guard), t.dtype.compute)


def axes(**extents: Position) -> tuple[Axis, ...]:
    return tuple(Axis(name, *dims(extent)) for name, extent in extents.items())


def result(name: str, over: Sequence[Axis], dtype: DType) -> Tensor:
    return Tensor(name, dtype, tuple(a.extent for a in over))


def pointwise(name: str, over: tuple[Axis, ...], value: Expr, dtype: DType | None = None) -> Compute:
    stored = convert("cast", value, dtype or value.dtype)
    return Compute((result(name, over, stored.dtype),), over, (stored,))


def fold(
    name: str, op: str, over: tuple[Axis, ...], along: tuple[Axis, ...], element: Expr, start: Any, dtype: DType = F32
) -> Compute:
    acc, other = Var("acc", element.dtype), Var("other", element.dtype)
    how = Reduction(
        along, (CHAIN,) * len(along), (acc,), (literal(start, acc.dtype),), (other,), (apply(op, acc, other),)
    )
    return Compute((result(name, over, dtype),), over, (apply(op, acc, element),), how)


def total(name: str, over: tuple[Axis, ...], along: tuple[Axis, ...], element: Expr, dtype: DType = F32) -> Compute:
    return fold(name, "add", over, along, element, 0, dtype)


def running(name: str, over: tuple[Axis, ...], along: str, element: Expr, op: str = "add") -> Compute:
    acc, other = Var("acc", element.dtype), Var("other", element.dtype)
    start = literal(0 if op == "add" else 1, element.dtype)
    how = Scan(along, SCAN_CHUNK, (acc,), (start,), (other,), (apply(op, acc, other),))
    return Compute((result(name, over, element.dtype),), over, (apply(op, acc, element),), scan=how)


def scattered(target: Tensor, over: tuple[Axis, ...], indices: Sequence[Position], value: Expr) -> Compute:
    how = Scatter(tuple(map(place, indices)), "add", literal(0, target.dtype))
    return Compute((target,), over, (value,), scatter=how)


def matmul(dtype: DType = F32) -> Function:
    a, b = tensor("a", "M", "K", dtype=dtype), tensor("b", "K", "N", dtype=dtype)
    product = apply("mul", read(a, "i", "k"), read(b, "k", "j"))
    c = total("c", axes(i="M", j="N"), axes(k="K"), product, dtype)
    return Function("matmul", (a, b), (), (c,), ("c",))


def embedding() -> Function:
    w, idx = tensor("w", "V", "D"), tensor("idx", "N", dtype=I64)
    y = pointwise("y", axes(n="N", d="D"), read(w, read(idx, "n"), "d"))
    return Function("embedding", (w, idx), (), (y,), ("y",))


def softmax() -> Function:
    x, over, row = tensor("x", "R", "C"), axes(r="R", c="C"), axes(r="R")
    here = read(x, "r", "c")
    m = fold("m", "max", row, axes(c="C"), here, -float("inf"))
    e = pointwise("e", over, apply("exp", apply("sub", here, read(tensor("m", "R"), "r"))))
    s = total("s", row, axes(c="C"), read(tensor("e", "R", "C"), "r", "c"))
    y = pointwise("y", over, apply("div", read(tensor("e", "R", "C"), "r", "c"), read(tensor("s", "R"), "r")))
    return Function("softmax", (x,), (), (m, e, s, y), ("y",))


def conv2d(stride: int = 1, pad: int = 1) -> Function:
    x, w, b = tensor("x", "N", "C", "H", "W"), tensor("w", "O", "C", "R", "S"), tensor("b", "O")
    high = (ix.symbol("H") + 2 * pad - ix.symbol("R")) // stride + 1
    wide = (ix.symbol("W") + 2 * pad - ix.symbol("S")) // stride + 1
    over = axes(n="N", o="O", p=high, q=wide)
    pixel = read(
        x,
        "n",
        "c",
        ix.symbol("p") * stride + ix.symbol("r") - pad,
        ix.symbol("q") * stride + ix.symbol("s") - pad,
        otherwise=0,
    )
    a = total("a", over, axes(c="C", r="R", s="S"), apply("mul", pixel, read(w, "o", "c", "r", "s")))
    y = pointwise("y", over, apply("add", read(a.results[0], "n", "o", "p", "q"), read(b, "o")))
    return Function("conv2d", (x, w, b), (), (a, y), ("y",))


def cumsum() -> Function:
    x = tensor("x", "R", "C")
    y = running("y", axes(r="R", c="C"), "c", read(x, "r", "c"))
    return Function("cumsum", (x,), (), (y,), ("y",))


def scale_shift(dtype: DType = F32) -> Function:
    x, w, b = tensor("x", "N", "C", dtype=dtype), tensor("w", "C", dtype=dtype), tensor("b", "C", dtype=dtype)
    value = apply("add", apply("mul", read(x, "n", "c"), read(w, "c")), read(b, "c"))
    y = pointwise("y", axes(n="N", c="C"), value, dtype)
    return Function("scale_shift", (x, w, b), (), (y,), ("y",))


def relu(dtype: DType = F32) -> Function:
    x = tensor("x", "N", "C", dtype=dtype)
    here = read(x, "i", "j")
    y = pointwise("y", axes(i="N", j="C"), apply("max", here, literal(0, here.dtype)), dtype)
    return Function("relu", (x,), (), (y,), ("y",))


def positions(axis: str, dtype: DType = F32) -> Expr:
    """The value of an axis as a float."""
    return convert("cast", IndexValue(ix.symbol(axis)), dtype)


ROUNDED = BF16
