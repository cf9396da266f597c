"""Scalar expressions as C: every node of the DAG becomes one named constant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tilewright.errors import UnsupportedError
from tilewright.ir.index import Condition, Index
from tilewright.ir.scalar import Apply, CheckedIndex, Const, Expr, IndexValue, Param, Read, walk
from tilewright.ir.types import BOOL, DType
from tilewright.targets.c.emit_index import Scope, condition_text, index_text
from tilewright.targets.c.literals import literal
from tilewright.targets.c.names import Names
from tilewright.targets.c.operations import operation_text
from tilewright.targets.c.prelude import C_TYPES
from tilewright.targets.c.writer import Writer


class Surroundings(Protocol):
    """What expressions need to know of the kernel they stand in."""

    def element(self, buffer: str, dtype: DType, indices: Sequence[str]) -> str:
        """The lvalue of an element."""

    def parameter(self, node: Param) -> str:
        """The name of a run-time scalar."""

    def operand(self, name: str) -> int:
        """The number of an operand."""


class Scalars:
    """Expressions of one block. ``scope`` spells index symbols; shared nodes are written once."""

    def __init__(self, around: Surroundings, scope: Scope, names: Names, out: Writer) -> None:
        self.around, self.scope, self.names, self.out = around, scope, names, out
        self._known: dict[Expr, str] = {}
        self._checked: dict[tuple[CheckedIndex, tuple[str, ...]], str] = {}

    def value(self, e: Expr) -> str:
        """The name or literal that holds ``e``; writes what it needs first."""
        for node in walk(e):
            if node not in self._known:
                self._known[node] = self._define(node)
        return self._known[e]

    def _define(self, node: Expr) -> str:
        for kind, rule in self._RULES:
            if isinstance(node, kind):
                return rule(self, node)
        raise UnsupportedError(f"the c target has no expression {type(node).__name__}")

    def _named(self, hint: str, dtype: DType, text: str) -> str:
        name = self.names.fresh(hint)
        self.out.line(f"const {c_type(dtype)} {name} = {text};")
        return name

    def _const(self, node: Const) -> str:
        return literal(node.value, node.dtype)

    def _index_value(self, node: IndexValue) -> str:
        text = index_text(node.index, self.scope)
        return text if text.isidentifier() else self._named("index", node.dtype, text)

    def _param(self, node: Param) -> str:
        return self.around.parameter(node)

    def _checked_index(self, node: CheckedIndex) -> str:
        return self._known[node.value]

    def _apply(self, node: Apply) -> str:
        return self._named(node.op, node.dtype, operation_text(node, [self._known[a] for a in node.args]))

    def _read(self, node: Read) -> str:
        conditions = self.checks(node.indices, node.guard)
        element = self.around.element(node.tensor, node.dtype, self.places(node.indices))
        if conditions:
            other = literal(0, node.dtype) if node.otherwise is None else self._known[node.otherwise]
            element = f"{' && '.join(conditions)} ? {element} : {other}"
        return self._named(node.tensor, node.dtype, element)

    def places(self, indices: Sequence[Index | Expr]) -> list[str]:
        """The C text of each index."""
        return [index_text(i, self.scope) if isinstance(i, Index) else self.value(i) for i in indices]

    def checks(self, indices: Sequence[Index | Expr], guard: Sequence[Condition] = ()) -> list[str]:
        """The conditions under which ``indices`` may be used; writes the notes of failing checks."""
        conditions = [condition_text(c, self.scope) for c in guard]
        for i in indices:
            if isinstance(i, CheckedIndex):
                conditions.append(self._check(i, tuple(conditions)))
        return conditions

    def _check(self, i: CheckedIndex, before: tuple[str, ...]) -> str:
        """The name of the condition that ``i`` is in range; where ``before`` holds and it is not, that is noted."""
        if (i, before) not in self._checked:
            value = self.value(i)
            inside = f"{value} >= 0 && {value} < {index_text(i.extent, self.scope)}"
            name = self._checked[i, before] = self._named("inside", BOOL, inside)
            with self.out.block(f"if ({' && '.join([*before, f'!{name}'])})"):
                position = index_text(i.position, self.scope)
                self.out.line(f"tw_note(args->status, {self.around.operand(i.operand)}, {position}, {value});")
        return self._checked[i, before]

    _RULES: tuple[tuple[type, Callable[..., str]], ...] = (
        (Const, _const),
        (IndexValue, _index_value),
        (Param, _param),
        (CheckedIndex, _checked_index),
        (Apply, _apply),
        (Read, _read),
    )


def c_type(dtype: DType) -> str:
    """The C type of ``dtype``; UnsupportedError where C has none (such dtypes are legalised away)."""
    if dtype.name not in C_TYPES:
        raise UnsupportedError(f"the c target has no type for {dtype}")
    return C_TYPES[dtype.name]
