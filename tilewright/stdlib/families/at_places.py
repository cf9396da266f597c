"""Elements at places that arrays name: per axis of a tensor, all of it or an array of whole numbers."""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.compiler.family import Family
from tilewright.dsl.build import OpBuilder
from tilewright.stdlib.tensor.places import around


def _names(pattern: Sequence[bool], apart: bool) -> tuple[list[str], list[str], list[str]]:
    """The operands of the arrays declared, the places in the tensor, and the axes of what is taken."""
    operands, places = [], []
    for axis, taking in enumerate(pattern):
        if taking:
            operands.append(f"index{axis}")
        at = f"i64(index{axis}[...])"
        places.append(f"where({at} < 0, {at} + N{axis}, {at})" if taking else f"i{axis}")
    before, after = around(pattern, apart)
    return operands, places, [*(f"i{a}" for a in before), "...", *(f"i{a}" for a in after)]


def _declare(b: OpBuilder, pattern: Sequence[bool], apart: bool) -> tuple[str, str]:
    """Declares tensor and arrays; gives the axes of the tensor and of what is taken."""
    whole_shape = ", ".join(f"N{axis}" for axis in range(len(pattern)))
    b.dtype("T", "any")
    b.operand("x", f"T[{whole_shape}]")
    for axis in (a for a, taking in enumerate(pattern) if taking):
        b.dtype(f"I{axis}", "index")
        b.operand(f"index{axis}", f"I{axis}[...]")
    before, after = around(pattern, apart)
    return whole_shape, ", ".join([*(f"N{a}" for a in before), "...", *(f"N{a}" for a in after)])


def _write_take(b: OpBuilder, apart: bool, *pattern: bool) -> None:
    _, part = _declare(b, pattern, apart)
    _, places, axes = _names(pattern, apart)
    b.result("y", f"T[{part}]")
    b.statement(f"y[{', '.join(axes)}] = x[{', '.join(places)}]")


def _write_put(b: OpBuilder, apart: bool, *pattern: bool) -> None:
    _put(b, pattern, apart, "=")


def _write_add(b: OpBuilder, apart: bool, *pattern: bool) -> None:
    _put(b, pattern, apart, "+=")


def _put(b: OpBuilder, pattern: Sequence[bool], apart: bool, combine: str) -> None:
    shape, part = _declare(b, pattern, apart)
    _, places, axes = _names(pattern, apart)
    b.operand("source", f"T[{part}]")
    b.result("y", f"T[{shape}]")
    b.statement(f"y[{', '.join(places)}] {combine} source[{', '.join(axes)}] for {', '.join(axes)} from x")


_write_take.__name__, _write_put.__name__, _write_add.__name__ = "getitem", "setitem", "index_put"

take = Family(_write_take)
"""``op(x, *arrays)``: what the arrays name."""
put = Family(_write_put)
"""``op(x, *arrays, source)``: ``x`` with the values of ``source`` there; the last one stays."""
add = Family(_write_add)
"""As ``put``, added to what is there."""
