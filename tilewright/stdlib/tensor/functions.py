"""The functions of tensors under PyTorch's names, which are the methods too.

What is not in a table below has a function of its name and its declaration: a new op needs no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, NoReturn

from tilewright.dsl.header import Header
from tilewright.errors import CallError, CallTypeError
from tilewright.runtime import to_tensor
from tilewright.runtime._core import Function, set_hooks, set_operators
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import forms

FLOATS = ("f16", "bf16", "f32", "f64")
INTS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
BOOL = ("bool",)


class Row(NamedTuple):
    """Which ops a function tries, in this order, each with the dtypes that it is for (None: all that it takes)."""

    ops: Mapping[str, tuple[str, ...] | None]
    signature: str | None = None
    ranks: tuple[tuple[int, ...], ...] = ()


ROWS: Mapping[str, Row] = {
    "add": Row({"add": None, "logical_or": BOOL}),
    "mul": Row({"mul": None, "logical_and": BOOL}),
    "sum": Row({"sum": FLOATS, "sum_whole": None}),
    "matmul": Row(
        {"dot": None, "mv": None, "vm": None, "matmul": None},
        "input, other",
        ((1, 1), (-1, 1), (1, -1), (-1, -1)),
    ),
}

LATER: Mapping[str, str] = {}
"""Ops that have no function of their own, and why."""


@cache
def names() -> tuple[str, ...]:
    """The names of all functions."""
    return tuple(dict.fromkeys([*ROWS, *(n for n in ops.names() if n not in LATER)]))


@cache
def get(name: str) -> Function:
    """The function called ``name``; KeyError if there is none."""
    in_place = name.endswith("_") and name[:-1] in names()
    if not in_place and name not in names():
        raise KeyError(name)
    return forms.function(form(name[:-1])._replace(name=name, in_place=True) if in_place else form(name))


@cache
def form(name: str) -> forms.Form:
    """What the function called ``name`` takes."""
    row = ROWS.get(name, Row({name: None}))
    headers = [ops.header(op) for op in row.ops]
    return forms.form(name, headers, list(row.ops.values()), row.signature, row.ranks)


def is_pointwise(header: Header) -> bool:
    """Whether the result has the first operand's shape, so that it can be written into it."""
    return all(part[2] == ("...",) for part in [*header.inputs, *header.results]) and len(header.results) == 1


# --- what the core asks for -----------------------------------------------------------------


def _complain(kind: str, message: str) -> NoReturn:
    if kind in ("type", "dtype"):
        raise CallTypeError(message, hint="x.to(dtype) converts a tensor" if kind == "dtype" else None)
    raise CallError(message)


def _coerce(value: object, name: str, operand: int) -> Any:
    try:
        return to_tensor(value)
    except CallTypeError as error:
        raise CallTypeError(f"{name}(): operand {operand + 1}: {error.message}", hint=error.hint) from None


def _copy_into(target: Any, values: Any) -> None:
    raise NotImplementedError


OPERATORS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "floordiv": "floor_divide", "mod": "remainder",
    "pow": "pow", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift", "neg": "neg", "abs": "abs",
    "invert": "bitwise_not", "lt": "lt", "le": "le", "eq": "eq", "ne": "ne", "gt": "gt", "ge": "ge",
}  # fmt: skip
"""Python's operators. Those that write into their left operand are the functions with ``_`` behind their name."""

IN_PLACE = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor", "lshift", "rshift")


def install(tensor: type) -> None:
    """Gives the class of tensors its methods and operators."""
    set_hooks(ops.get, ops.get("convert"), _complain, _coerce, _copy_into)
    set_operators({symbol: get(name) for symbol, name in OPERATORS.items()})
    set_operators({f"i{symbol}": get(f"{OPERATORS[symbol]}_") for symbol in IN_PLACE})
    for name in names():
        if not hasattr(tensor, name) and forms.is_method(form(name)):
            setattr(tensor, name, get(name))
