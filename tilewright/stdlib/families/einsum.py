"""Sums of products, as the summation convention writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tilewright.compiler.family import Family
from tilewright.dsl.build import OpBuilder
from tilewright.errors import CallError, CallTypeError

_TERM = re.compile(r"\.\.\.|[A-Za-z]")
Labels = tuple[str, ...]
"""The axes of a term: letters, and ``...`` for the axes that broadcast."""


def einsum(equation: str, *operands: Any) -> Any:
    """The sum of products that ``equation`` says, as ``torch.einsum`` and :func:`numpy.einsum`.

    ``equation``: the letters of each operand's axes, with commas between them; after ``->`` those of the result, else
    the letters that stand once, in their order. A letter twice in a term is a diagonal; ``...`` stands for axes that
    broadcast, which are summed over where the result lacks them. ``operands`` are of one dtype, integer or float.
    Several products are taken from left to right. CallError where the equation or the number of operands is wrong, or
    extents differ, CallTypeError for an equation that is no text.

    >>> import numpy as np, tilewright as tw
    >>> tw.ops.einsum("ij,j->i", np.array([[1, 2], [3, 4]]), np.array([1, 1])).tolist()
    [3, 7]
    """
    return _einsum.op(*parsed(equation, len(operands)))(*operands)


# --- equations ------------------------------------------------------------------------------


def parsed(equation: str, operands: int) -> tuple[tuple[Labels, ...], Labels]:
    """The axes of so many operands, and those of the result."""
    if not isinstance(equation, str):
        raise CallTypeError(f"einsum: the equation is {type(equation).__name__}, no text", hint="as in 'ij,jk->ik'")
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = tuple(_labels(term, equation) for term in left.split(","))
    if len(terms) != operands:
        hint = "an equation has one term per operand, with commas between them"
        raise CallError(f"einsum: {equation!r} is for {len(terms)} operands, not {operands}", hint=hint)
    if not arrow:
        return terms, _implied(terms)
    result = _labels(right, equation)
    known = {label for term in terms for label in term}
    for label in result:
        if label not in known or result.count(label) > 1:
            problem = "stands twice in the result" if label in known else "is in no operand"
            raise CallError(f"einsum: {label} {problem} of {equation!r}", hint="a result has each of its letters once")
    return terms, result


def _labels(term: str, equation: str) -> Labels:
    found = tuple(_TERM.findall(term))
    if "".join(found) != term or found.count("...") > 1:
        raise CallError(f"einsum: {term!r} in {equation!r} is no term", hint="as in ij,jk->ik or ...i,i->...")
    return found


def _implied(terms: Sequence[Labels]) -> Labels:
    """The letters that stand once, in alphabetical order, after the axes that broadcast."""
    every = [label for term in terms for label in term]
    letters = sorted(label for label in set(every) if label != "..." and every.count(label) == 1)
    return (*(["..."] if "..." in every else []), *letters)


# --- ops ------------------------------------------------------------------------------------


def _write_einsum(b: OpBuilder, terms: tuple[Labels, ...], result: Labels) -> None:
    b.dtype("T", "number")
    names = [b.operand(f"x{n}", f"T{_dims(term)}") for n, term in enumerate(terms)]
    b.result("y", f"T{_dims(result)}")
    labels, read = terms[0], f"{names[0]}{_axes(terms[0])}"
    for n, term in enumerate(terms[1:], 1):
        if n > 1 or len(terms) == 1:
            read = f"t{n - 1}{_axes(labels)}"
        needed = {*result, *(label for later in terms[n + 1 :] for label in later)}
        every = list(dict.fromkeys((*labels, *term)))
        last = n == len(terms) - 1
        labels = result if last else tuple(label for label in every if label in needed)
        product = f"{read} * {names[n]}{_axes(term)}"
        b.statement(f"{'y' if last else f't{n}'}{_axes(labels)} = {_summed(product, every, labels)}")
    if len(terms) == 1:
        b.statement(f"y{_axes(result)} = {_summed(read, list(dict.fromkeys(labels)), result)}")


def _summed(value: str, every: Sequence[str], kept: Labels) -> str:
    """``value`` summed over the labels that are not kept."""
    over = tuple(label for label in every if label not in kept)
    return f"sum{_axes(over)}({value})" if over else value


def _dims(labels: Labels) -> str:
    return f"[{', '.join(label if label == '...' else f'N_{label}' for label in labels)}]"


def _axes(labels: Labels) -> str:
    return f"[{', '.join(label if label == '...' else f'i_{label}' for label in labels)}]"


_write_einsum.__name__ = "einsum"
_einsum = Family(_write_einsum)
