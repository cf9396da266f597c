"""Recorded calls as one function of tensor IR."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tilewright.compiler.bundle import Case, reporting
from tilewright.compiler.function import FunctionOp
from tilewright.compiler.mode import mode
from tilewright.compiler.trace import FUSE
from tilewright.errors import InternalError, UserError
from tilewright.ir import index as ix
from tilewright.ir.index import Index
from tilewright.ir.scalar import Param, Read
from tilewright.ir.tensor import Axis, Compute, Function, ScalarInput, Tensor
from tilewright.ir.text_tensor import print_function
from tilewright.ir.types import BY_NAME, DType
from tilewright.passes.tensor.compose import Call, compose

if TYPE_CHECKING:
    from tilewright import runtime
    from tilewright.compiler.recorder import Batch, Record, Source, View


def fused(batch: Batch, wanted: tuple[int, ...]) -> FunctionOp:
    """The program that computes the ``wanted`` values of ``batch``, for its sizes.

    Its operands are the leaves, its run-time scalars those of the calls. Each call keeps the FMA and the orders that it
    has when it runs alone.
    """
    writer = _Writer(batch)
    for record in batch.records:
        writer.call(record)
    inputs = [_tensor(f"x{n}", leaf) for n, leaf in enumerate(batch.leaves)]
    target = batch.records[0].op.target
    with reporting(lambda: Case(writer.text(), None, str(FUSE), target.name, target.level, mode())):
        try:
            composed = compose("lazy", inputs, writer.calls, [f"t{n}" for n in wanted], writer.scalars)
        except UserError as error:
            raise InternalError(f"recorded calls do not fit together: {error.message}") from error
    return FunctionOp(composed, lambda _: FUSE, target.name, target.level)


class _Writer:
    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.calls: list[Call] = []
        self.scalars: list[ScalarInput] = []
        self._views: dict[View, str] = {}

    def text(self) -> str:
        """The functions called, in order."""
        return "\n".join(print_function(c.function) for c in self.calls)

    def call(self, record: Record) -> None:
        """Appends a call."""
        function = record.op.noted(record.key)
        operands = {t.name: self._operand(s) for t, s in zip(function.inputs, record.sources, strict=True)}
        results = [f"t{record.first + n}" for n in range(len(record.merged))]
        scalars = {s.name: self._scalar(s.dtype) for s in function.scalars}
        self.calls.append(Call(function, operands, results, scalars))

    def _scalar(self, dtype: DType) -> Param:
        self.scalars.append(ScalarInput(f"s{len(self.scalars)}", dtype))
        return Param(self.scalars[-1].name, dtype)

    def _operand(self, source: Source) -> str:
        """The name of an operand."""
        if isinstance(source, int):
            return f"x{source}"
        value = self.batch.values[source.value]
        if (source.offset, source.shape, source.strides) == (0, value.shape, value.strides):
            return f"t{source.value}"
        if source not in self._views:
            self._views[source] = f"v{len(self._views)}"
            name = self._views[source]
            self.calls.append(Call(_view(value, source), {"x": f"t{source.value}"}, [name]))
        return self._views[source]


def _tensor(name: str, like: runtime.Tensor) -> Tensor:
    return Tensor(name, BY_NAME[like.dtype.code], tuple(map(ix.const, like.shape)))


def _view(value: runtime.Tensor, view: View) -> Function:
    """The elements of a view, which lie in the memory of ``value``."""
    x = _tensor("x", value)
    axes = tuple(Axis(f"i{n}", ix.const(extent)) for n, extent in enumerate(view.shape))
    y = Tensor("y", x.dtype, tuple(a.extent for a in axes))
    read = Read("x", _places(value, view), x.dtype)
    return Function("view", (x,), (), (Compute((y,), axes, (read,)),), ("y",))


def _places(value: runtime.Tensor, view: View) -> tuple[Index, ...]:
    """Where in ``value``, which is without gaps, the element i0, i1, ... of a view is."""
    nested = sorted((a for a, n in enumerate(value.shape) if n > 1), key=lambda a: -value.strides[a])
    found = _along_axes(value, view, nested) or _by_number(value, view, nested)
    return tuple(found.get(a, ix.const(0)) for a in range(len(value.shape)))


def _moves(view: View) -> Iterator[tuple[Index, int, int]]:
    """The axes along which a view moves: symbol, stride, extent."""
    for n, (stride, extent) in enumerate(zip(view.strides, view.shape, strict=True)):
        if stride and extent > 1:
            yield ix.symbol(f"i{n}"), stride, extent


def _along_axes(value: runtime.Tensor, view: View, nested: list[int]) -> dict[int, Index] | None:
    """If each axis of the view moves along one axis of the value and stays inside: the places."""
    places, last, rest = dict[int, Index](), dict[int, int](), view.offset
    for a in nested:
        last[a], rest = divmod(rest, value.strides[a])
        places[a] = ix.const(last[a])
    for symbol, stride, extent in _moves(view):
        along = next((a for a in nested if stride % value.strides[a] == 0), None)
        if along is None:
            return None
        factor = stride // value.strides[along]
        places[along] += factor * symbol
        last[along] += factor * (extent - 1)
    return places if all(last[a] < value.shape[a] for a in nested) else None


def _by_number(value: runtime.Tensor, view: View, nested: list[int]) -> dict[int, Index]:
    """The places by the number that an element of the view has in memory."""
    item = value.dtype.itemsize
    number = ix.const(view.offset // item)
    for symbol, stride, _ in _moves(view):
        number += stride // item * symbol
    places = dict[int, Index]()
    for a in nested:
        quotient = ix.floordiv(number, ix.const(value.strides[a] // item))
        places[a] = ix.mod(quotient, ix.const(value.shape[a])) if places else quotient
    return places
