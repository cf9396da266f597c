"""Tensor IR: a function of tensors in single-assignment form.

Its text is canonical ``.tw``: one op with concrete dtypes and ranks, all ranges explicit. The
polymorphic source op (dtype variables, axis packs, attributes, optional operands) is specialised
to a Function before anything else sees it.

Grammar::

    Function  = name, inputs: Tensor*, scalars: (name, dtype)*, body: Statement*, outputs: name*,
                preconditions: Condition*
    Statement = Compute | Steps
    Steps     = axes: Axis+, body: Statement+, down: bool
    Tensor    = name, dtype, shape: Index*
    Compute   = results: Tensor+, axes: Axis*, values: Expr+          one per result
                [reduction] [scan] [scatter] [sort]
    Axis      = name, extent: Index
    Reduction = axes: Axis+, orders: Order+, accs: Var+, init: Expr+, others: Var*, merge: Expr*
    Scan      = axis: name, order: Order, ...
    Scatter   = indices: (Index | Expr)*, combine: add | set | max | min, init: Expr, [start: name]
    Sort      = axis: name

A compute defines each result at every point of ``axes``: ``results[j][axes] = values[j]``.

* With a **reduction**, ``values`` are the steps: each accumulator's next value in terms of the
  accumulators (``Var``) and the reads at one point; ``merge`` joins two partial results (left: ``accs``,
  right: ``others``); without ``merge`` the reduction is a strict left fold. The result is the final
  accumulator, rounded to the result's dtype.
* With a **scan** order, an associative recurrence runs in chunks (see :class:`Scan`).
* A **scatter** starts from ``init`` everywhere, or from the tensor ``start``, and applies its points in row-major order
  of ``axes``.
* A **sort** gives places: its values are keys, and its one result is the order that they have (see :class:`Sort`).

**Steps** compute the statements of their body together, step by step: see :class:`Steps`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from functools import cached_property
from typing import Union

from tilewright.ir.index import Condition, Index
from tilewright.ir.scalar import Expr, Var
from tilewright.ir.types import DType
from tilewright.records import dataclass
from tilewright.source import Span


@dataclass(frozen=True)
class Tensor:
    """A named tensor: shape in elements."""

    name: str
    dtype: DType
    shape: tuple[Index, ...]


@dataclass(frozen=True)
class ScalarInput:
    """A run-time scalar operand."""

    name: str
    dtype: DType


@dataclass(frozen=True)
class Axis:
    """An iteration axis: the symbol ``name`` runs over ``0 <= name < extent``."""

    name: str
    extent: Index


@dataclass(frozen=True)
class Order:
    """In which order one reduction axis is summed up (design: a field of the reduction).

    ``chunk == 0``: a chain: the accumulator goes through the axis from 0 up.

    ``chunk > 0``: the axis is cut into chunks of ``chunk`` elements. In a chunk there are ``lanes``
    partials, partial l starting from ``init`` and taking the elements l, l + lanes, ... in turn;
    then for h = lanes/2, ..., 2, 1: partial l = merge(partial l, partial l + h) for l < h; partial 0 is
    the chunk's. Chunk results are joined pairwise, neighbours first, level by level; an odd last
    one goes up unchanged. The accumulator is merge(accumulator, total); an empty axis leaves it alone.

    Over several axes the definition nests, outermost first: where an axis takes an element, the next
    axis is reduced into the same accumulator (so chains over all axes are one chain).
    """

    chunk: int = 0
    lanes: int = 1

    @property
    def is_chain(self) -> bool:
        return self.chunk == 0


CHAIN = Order()
TREE_STRIDED = Order(chunk=4096, lanes=1)
"""The default where the reduced axis is not unit-stride."""
TREE_UNIT = Order(chunk=4096, lanes=64)
"""The default where the reduced axis is unit-stride."""


@dataclass(frozen=True)
class Reduction:
    """How points along ``axes`` become one value per result; all tuples but axes/orders are per result.

    ``init`` are constants. ``merge`` is empty for a strict left fold (then all orders are chains).
    """

    axes: tuple[Axis, ...]
    orders: tuple[Order, ...]
    accs: tuple[Var, ...]
    init: tuple[Expr, ...]
    others: tuple[Var, ...] = ()
    merge: tuple[Expr, ...] = ()


@dataclass(frozen=True)
class Scan:
    """An associative recurrence along ``axis``: result[i] = merge of elements 0..i.

    ``values`` are steps as in a reduction (one accumulator per result). The axis is cut into chunks
    of ``chunk``: ``local`` starts from ``init`` in each chunk and takes the elements in turn;
    result[i] = merge(carry, local); after a chunk carry = result at its end; carry starts from ``init``.
    """

    axis: str
    chunk: int
    accs: tuple[Var, ...]
    init: tuple[Expr, ...]
    others: tuple[Var, ...]
    merge: tuple[Expr, ...]


SCAN_CHUNK = 256


@dataclass(frozen=True)
class Scatter:
    """``result[indices] = combine(result[indices], value)`` from ``init`` everywhere, or from the tensor ``start``.

    ``combine`` is one of SCATTERS; ``set`` gives the value, so that of several points in one cell the last one stays.
    The axes are ordered row-major. ``start`` has the shape and dtype of the result.
    """

    indices: tuple[Index | Expr, ...]
    combine: str
    init: Expr
    start: str | None = None


SCATTERS = ("add", "set", "max", "min")


@dataclass(frozen=True)
class Sort:
    """``result[..., p, ...]`` is the place along ``axis`` of the element that is at p when its row is in order.

    The statement's values are the keys: integers, the first one decides, the next one where it is equal. The least
    comes first; elements with equal keys keep their order. The result is of dtype i64.
    """

    axis: str


@dataclass(frozen=True)
class Compute:
    """One statement; see the module's page."""

    results: tuple[Tensor, ...]
    axes: tuple[Axis, ...]
    values: tuple[Expr, ...]
    reduction: Reduction | None = None
    scan: Scan | None = None
    scatter: Scatter | None = None
    sort: Sort | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Steps:
    """Statements that are computed together, at each point of ``axes`` in turn.

    Points come in row-major order, with ``down`` from the last one to the first. Every compute inside has ``axes``
    among its own; at a step it is computed, after those above it, at all points that have the step's place in ``axes``.

    A statement inside may read what any of them has computed before: at earlier steps, and further up at the same step.
    A read with ``otherwise`` gives that where its element is not computed yet, its own step included.
    """

    axes: tuple[Axis, ...]
    body: tuple[Statement, ...]
    down: bool = False
    span: Span | None = field(default=None, compare=False, repr=False)


Statement = Union[Compute, Steps]


def computes(body: tuple[Statement, ...]) -> Iterator[Compute]:
    """The computes of ``body`` in order, those inside of steps included."""
    for s in body:
        if isinstance(s, Steps):
            yield from computes(s.body)
        else:
            yield s


@dataclass(frozen=True)
class Function:
    """A specialised op. Dims are the symbols of the input shapes."""

    name: str
    inputs: tuple[Tensor, ...]
    scalars: tuple[ScalarInput, ...]
    body: tuple[Statement, ...]
    outputs: tuple[str, ...]
    preconditions: tuple[Condition, ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)

    @cached_property
    def computes(self) -> tuple[Compute, ...]:
        """All computes in order, those inside of steps included."""
        return tuple(computes(self.body))

    def tensor(self, name: str) -> Tensor:
        """The input or result called ``name``; KeyError if there is none."""
        return self.tensors()[name]

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name, inputs first, then results in order."""
        found = {t.name: t for t in self.inputs}
        for c in self.computes:
            found.update((r.name, r) for r in c.results)
        return found
