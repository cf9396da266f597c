"""Operations in a module: by the tables, or by calls of functions for what a level has no instruction for."""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.errors import InternalError
from tilewright.ir.capabilities import Capabilities
from tilewright.ir.scalar import Apply, Const, Expr, Param, walk
from tilewright.passes.legalise import expansion, signature
from tilewright.targets.cpu.code import Function, Module
from tilewright.targets.cpu.emit_scalar import Operation, rule_for
from tilewright.targets.cpu.llvm_types import Value, literal, mangled, value_type, vector


class Operations:
    """The operations of one module, which holds a function for each emulated one and number of lanes it is used in."""

    def __init__(self, module: Module, capabilities: Capabilities) -> None:
        self.module = module
        self.capabilities = capabilities
        self._made: set[str] = set()

    def value(self, fn: Function, node: Apply, args: Sequence[Value]) -> Value | None:
        """``node`` of ``args`` computed in ``fn``; None if the level does not take it."""
        lanes = max(a.lanes for a in args)
        texts = tuple(fn.widen(v, value_type(a.dtype), lanes) for v, a in zip(args, node.args, strict=True))
        operation = Operation(fn, node, texts, lanes)
        if signature(node) in self.capabilities.emulated:
            return Value(self._in_registers(operation), lanes)
        rule = rule_for(node) if signature(node) in self.capabilities.native else None
        return rule and Value(rule(operation), lanes)

    # --- calls ------------------------------------------------------------------------------

    def _in_registers(self, o: Operation) -> str:
        """Calls for as many lanes at once as a register holds."""
        wide = max((o.operand, o.node.dtype), key=lambda d: d.bits)
        width = self.capabilities.lanes(wide)
        if o.lanes <= width or o.lanes % width:
            return self._call(o)
        type_ = value_type(o.node.dtype)
        whole, piece = vector(type_, o.lanes), vector(type_, width)
        name = f"vector.insert.{mangled(type_, o.lanes)}.{mangled(type_, width)}"
        result = "poison"
        for first in range(0, o.lanes, width):
            part = self._call(self._part(o, first, width))
            result = o.fn.call(name, whole, [(whole, result), (piece, part), ("i64", str(first))])
        return result

    def _part(self, o: Operation, first: int, width: int) -> Operation:
        """``o`` in ``width`` of its lanes."""
        args = []
        for type_, a in zip(_types(o.node.args), o.args, strict=True):
            name = f"vector.extract.{mangled(type_, width)}.{mangled(type_, o.lanes)}"
            args.append(o.fn.call(name, vector(type_, width), [(vector(type_, o.lanes), a), ("i64", str(first))]))
        return Operation(o.fn, o.node, tuple(args), width)

    def _call(self, o: Operation) -> str:
        name = ".".join(["tw", *signature(o.node), str(o.lanes)])
        if name not in self._made:
            self._made.add(name)
            self._define(name, o.node, o.lanes)
        args = ", ".join(f"{vector(t, o.lanes)} {a}" for t, a in zip(_types(o.node.args), o.args, strict=True))
        return o.fn.let(f'call {o.type_of(o.node.dtype)} @"{name}"({args})')

    # --- functions --------------------------------------------------------------------------

    def _define(self, name: str, node: Apply, lanes: int) -> None:
        """The function ``name``: the operation of ``node`` as its expansion says it."""
        params = tuple(Param(f"p{n}", a.dtype) for n, a in enumerate(node.args))
        result = vector(value_type(node.dtype), lanes)
        listed = ", ".join(f"{vector(t, lanes)} %{p.name}" for t, p in zip(_types(params), params, strict=True))
        fn = Function(self.module, f'internal {result} @"{name}"({listed}) noinline nounwind readnone')
        body = expansion(Apply(node.op, params, node.dtype), self.capabilities)
        values: dict[Expr, Value] = {p: Value(f"%{p.name}", lanes) for p in params}
        for e in walk(body):
            if e not in values:
                values[e] = self._node(fn, e, values)
        fn.current.end = f"ret {result} {fn.widen(values[body], value_type(node.dtype), lanes)}"
        fn.finish()

    def _node(self, fn: Function, e: Expr, values: dict[Expr, Value]) -> Value:
        if isinstance(e, Const):
            return Value(literal(e.value, e.dtype))
        found = self.value(fn, e, [values[a] for a in e.args]) if isinstance(e, Apply) else None
        if found is None:
            raise InternalError(f"the cpu target has no {e} for the operations that it emulates")
        return found


def _types(values: Sequence[Expr]) -> list[str]:
    return [value_type(v.dtype) for v in values]
