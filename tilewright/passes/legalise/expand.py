"""The driver: expands operations until all are native, then lets integers carry the dtypes that are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from tilewright.errors import InternalError, UnsupportedError
from tilewright.ir.capabilities import Capabilities
from tilewright.ir.loops import Block, Kernel, Loop, Stmt, Write
from tilewright.ir.plan import Plan
from tilewright.ir.scalar import Apply, CheckedIndex, Const, Expr, Param, Read, convert, rewrite
from tilewright.ir.types import BF16, F16, FIELD, U16, U64, DType
from tilewright.passes.legalise import basic, bits, casts, field, fma, halves, math
from tilewright.passes.legalise.term import Term, number
from tilewright.records import dataclass

Expansion = Callable[..., Term]

EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    **basic.TABLE,
    **math.TABLE,
    **bits.TABLE,
    **fma.TABLE,
    **field.TABLE,
    **{("cast", f"{source}>{to}"): f for (source, to), f in {**casts.CASTS, **field.CASTS}.items()},
}
"""By (operation, dtype) as in ``Capabilities.native``."""

PATTERNS: Mapping[DType, Callable[[float], int]] = {
    FIELD: field.cell,
    F16: partial(halves.pattern, 10, 15),
    BF16: partial(halves.pattern, 7, 127),
}
"""How they encode a literal."""

CARRIERS: Mapping[DType, DType] = {F16: U16, BF16: U16, FIELD: U64}
"""The integers that hold the patterns of dtypes unknown to a target."""


def legalise(plan: Plan, capabilities: Capabilities) -> Plan:
    """``plan`` with kernels of native operations only; its operands and scratch tensors stay as declared.

    A dtype of :data:`CARRIERS` that no native operation but ``bitcast`` mentions is gone from the kernels: its
    buffers, reads and scalars have the carrier's dtype. Raises UnsupportedError for an operation that is
    neither native nor has an expansion.
    """
    carried = {t: carrier for t, carrier in CARRIERS.items() if not _mentions(capabilities, t)}
    legaliser = _Legaliser(capabilities, carried)
    return replace(plan, kernels=tuple(map(legaliser.kernel, plan.kernels)))


def expansion(node: Apply, capabilities: Capabilities) -> Expr:
    """``node``, an emulated operation, made of the others that ``capabilities`` has."""
    others = replace(capabilities, emulated=capabilities.emulated - {signature(node)})
    return _Legaliser(others, {}).expr(node)


def _mentions(capabilities: Capabilities, dtype: DType) -> bool:
    taken = capabilities.native | capabilities.emulated
    return any(dtype.name in name.split(">") for op, name in taken if op != "bitcast")


def signature(node: Apply) -> tuple[str, str]:
    """How tables name the operation."""
    source = node.args[0].dtype
    return node.op, f"{source}>{node.dtype}" if node.op == "cast" else source.name


@dataclass(frozen=True)
class _Legaliser:
    capabilities: Capabilities
    carried: Mapping[DType, DType]

    def kernel(self, k: Kernel) -> Kernel:
        return replace(
            k,
            buffers=tuple(replace(b, dtype=self.carrier(b.dtype)) for b in k.buffers),
            scalars=tuple(replace(s, dtype=self.carrier(s.dtype)) for s in k.scalars),
            body=tuple(map(self.stmt, k.body)),
        )

    def stmt(self, s: Stmt) -> Stmt:
        if isinstance(s, Loop):
            return replace(s, body=tuple(map(self.stmt, s.body)))
        if isinstance(s, Block):
            writes = tuple(map(self.write, s.writes))
            values, init = tuple(map(self.expr, s.values)), tuple(map(self.expr, s.init))
            same = (writes, values, init) == (s.writes, s.values, s.init)
            return s if same else replace(s, writes=writes, values=values, init=init)
        raise InternalError(f"no rule for the statement {type(s).__name__}")

    def write(self, w: Write) -> Write:
        if not any(isinstance(i, CheckedIndex) for i in w.indices):
            return w
        return replace(w, indices=tuple(self.checked(i) if isinstance(i, CheckedIndex) else i for i in w.indices))

    def checked(self, i: CheckedIndex) -> CheckedIndex:
        return CheckedIndex(self.expr(i.value), i.extent, i.operand, i.position)

    def expr(self, e: Expr) -> Expr:
        """``e`` in native operations. Each round expands what the last one brought in; rounds are as
        many as expansions are deep."""
        expanded = rewrite(e, self.expand)
        while expanded is not e:
            e, expanded = expanded, rewrite(expanded, self.expand)
        return rewrite(e, self.carry) if self.carried else e

    def expand(self, node: Expr) -> Expr:
        if not isinstance(node, Apply) or self.is_native(node):
            return node
        expansion = EXPANSIONS.get(signature(node))
        if expansion is None:
            op, dtype = signature(node)
            raise UnsupportedError(f"the target has no {op} of {dtype}, and no expansion makes it of what it has")
        return expansion(*map(Term, node.args)).node

    def is_native(self, node: Apply) -> bool:
        moved = node.op == "bitcast" and (node.dtype in self.carried or node.args[0].dtype in self.carried)
        return moved or self.capabilities.takes(signature(node))

    def carrier(self, dtype: DType) -> DType:
        return self.carried.get(dtype, dtype)

    def carry(self, node: Expr) -> Expr:
        """``node`` with patterns for values; its operands are so already."""
        dtype = self.carrier(node.dtype)
        if isinstance(node, Apply) and node.op == "bitcast":
            return convert("bitcast", node.args[0], dtype)
        if dtype is node.dtype:
            return node
        if isinstance(node, Apply):
            return Apply(node.op, node.args, dtype)
        if isinstance(node, Const):
            return number(PATTERNS[node.dtype](float(node.value)), dtype).node
        if isinstance(node, Param):
            return Param(node.name, dtype)
        if isinstance(node, Read):
            return Read(node.tensor, node.indices, dtype, node.guard, node.otherwise)
        raise InternalError(f"no rule for the expression {type(node).__name__}")
