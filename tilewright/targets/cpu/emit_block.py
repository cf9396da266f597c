"""Blocks: scalar expressions evaluated node by node, and the writes that follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tilewright.errors import InternalError, UnsupportedError
from tilewright.ir.index import Condition, Index, eq, substitute, substitute_condition
from tilewright.ir.loops import Block
from tilewright.ir.scalar import Apply, CheckedIndex, Const, Expr, IndexValue, Param, Read, walk
from tilewright.ir.types import DType
from tilewright.passes.legalise import signature
from tilewright.targets.cpu.emit_index import Guard
from tilewright.targets.cpu.emit_memory import Dynamic, Memory, Place
from tilewright.targets.cpu.emit_operations import Operations
from tilewright.targets.cpu.llvm_types import Value, literal, value_type, vector, zero


class Blocks:
    """Emits block instances of one kernel. ``env`` gives the iteration variables of the one at hand."""

    def __init__(self, memory: Memory, operations: Operations, target: str) -> None:
        self.memory = memory
        self.fn = memory.fn
        self.operations = operations
        self.target = target
        self.env: Mapping[str, Index] = {}
        self._block: Block | None = None
        self._values: dict[Expr, Value] = {}
        self._orders: dict[Expr, list[Expr]] = {}

    # --- statements -------------------------------------------------------------------------

    def instance(self, block: Block, env: Mapping[str, Index]) -> list[tuple[tuple[Condition, ...], tuple[Expr, ...]]]:
        """Enters ``block`` where the loop variables are ``env``; its parts as (predicate, values to write)."""
        iters = {i.name: substitute(b, env) for i, b in zip(block.iters, block.bindings, strict=True)}
        self.env = {**env, **iters}
        self._block = block
        always = tuple(substitute_condition(c, env) for c in block.predicate)
        parts = [(always, block.values)]
        if block.init:
            first = (eq(iters[i.name], 0) for i in block.iters if i.kind == "reduce")
            parts.insert(0, ((*always, *first), block.init))
        return parts

    def write(self, values: tuple[Expr, ...], guard: Guard) -> None:
        """Evaluates ``values`` in the lanes of ``guard``, then writes them all."""
        assert self._block is not None
        self.memory.mask = guard.own
        self.memory.held = {}
        self._values = {}
        results = [self.value(v) for v in values]
        for target, expr, value in zip(self._block.writes, values, results, strict=True):
            buffer = self.memory.buffer(target.buffer, expr.dtype)
            static, places = self._places(target.buffer, target.indices)
            self.memory.write(buffer, static, places, value)
        self.memory.mask = None

    # --- expressions ------------------------------------------------------------------------

    def value(self, expr: Expr) -> Value:
        """``expr`` evaluated here; shared nodes once."""
        if expr not in self._orders:
            self._orders[expr] = list(walk(expr))
        for node in self._orders[expr]:
            if node not in self._values:
                self._values[node] = self._node(node)
        return self._values[expr]

    def _node(self, node: Expr) -> Value:
        emit = _NODES.get(type(node))
        if emit is None:
            raise self._unsupported(f"the expression {type(node).__name__}")
        return emit(self, node)

    def _unsupported(self, what: str) -> UnsupportedError:
        span = self._block.span if self._block else None
        kernel = self.memory.kernel.name
        return UnsupportedError(f"kernel {kernel}: target {self.target} cannot emit {what}", span)

    def _const(self, node: Const) -> Value:
        if node.dtype.kind == "field":
            raise self._unsupported(f"a literal of type {node.dtype}")
        return Value(literal(node.value, node.dtype))

    def _index_value(self, node: IndexValue) -> Value:
        return self.memory.indices.value(substitute(node.index, self.env))

    def _param(self, node: Param) -> Value:
        return self.memory.param(node)

    def _apply(self, node: Apply) -> Value:
        found = self.operations.value(self.fn, node, [self._values[a] for a in node.args])
        if found is None:
            raise self._unsupported(" of ".join(signature(node)))
        return found

    def _widen(self, value: Value, dtype: DType, lanes: int) -> str:
        return self.fn.widen(value, value_type(dtype), lanes)

    def _checked_index(self, node: CheckedIndex) -> Value:
        return self._as_i64(self._values[node.value], node.value.dtype)

    def _as_i64(self, value: Value, dtype: DType) -> Value:
        if dtype.bits == 64:
            return value
        how = "sext" if dtype.kind == "int" else "zext"
        source, to = vector(value_type(dtype), value.lanes), vector("i64", value.lanes)
        text = self._widen(value, dtype, value.lanes)
        return Value(self.fn.let(f"{how} {source} {text} to {to}"), value.lanes)

    def _read(self, node: Read) -> Value:
        guard = self.memory.indices.conjunction(tuple(substitute_condition(c, self.env) for c in node.guard))
        outside = None if node.otherwise is None else self._values[node.otherwise]
        if guard.never:
            if outside is None:
                raise InternalError(f"a read of {node.tensor} is guarded but has no other value")
            return outside
        buffer = self.memory.buffer(node.tensor, node.dtype)
        static, places = self._places(node.tensor, node.indices)
        fallback = outside or Value(zero(value_type(node.dtype), 1))
        return self.memory.read(buffer, static, places, guard, fallback)

    def _places(self, buffer: str, indices: tuple[Index | Expr, ...]) -> tuple[Index, list[Place]]:
        static = substitute(self.memory.static_offset(buffer, indices), self.env)
        return static, [i if isinstance(i, Index) else self._dynamic(i) for i in indices]

    def _dynamic(self, index: Expr) -> Dynamic:
        value = self.value(index)
        if not isinstance(index, CheckedIndex):
            return Dynamic(self._as_i64(value, index.dtype), None)
        extent, position = (substitute(i, self.env) for i in (index.extent, index.position))
        if extent.constant is not None and _never_reaches(index.value, extent.const):
            return Dynamic(value, None)
        return Dynamic(value, CheckedIndex(index.value, extent, index.operand, position))


def _never_reaches(value: Expr, extent: int) -> bool:
    """Whether the dtype of ``value`` keeps it in ``0 <= value < extent``."""
    while isinstance(value, Apply) and value.op == "cast" and value.dtype.bits > value.args[0].dtype.bits:
        value = value.args[0]
    return value.dtype.kind == "uint" and 1 << value.dtype.bits <= extent


_NODES: Mapping[type, Callable[[Blocks, Any], Value]] = {
    Const: Blocks._const,
    IndexValue: Blocks._index_value,
    Param: Blocks._param,
    Apply: Blocks._apply,
    CheckedIndex: Blocks._checked_index,
    Read: Blocks._read,
}
