"""The type rules of scalar expressions in loop IR."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tilewright.ir.scalar import OPS, Apply, CheckedIndex, Const, Expr, IndexValue, Param, Read, result_dtype, walk
from tilewright.ir.tensor import ScalarInput
from tilewright.ir.types import BOOL

Require = Callable[[object, str, str], None]
"""``require(holds, rule, message)``."""


def check_expression(e: Expr, require: Require, scalars: Mapping[str, ScalarInput]) -> Iterator[Read]:
    """Requires every node of ``e`` to be of loop IR and well typed; yields its reads, inner ones first."""
    for node in walk(e):
        if isinstance(node, Apply):
            _check_apply(node, require)
        elif isinstance(node, Read):
            _check_read(node, require)
            yield node
        elif isinstance(node, CheckedIndex):
            require(node.value.dtype.is_integer, "data-index", f"an index of {node.value.dtype}")
        elif isinstance(node, Param):
            declared = scalars.get(node.name)
            same = declared is not None and declared.dtype is node.dtype
            require(same, "unknown-scalar", f"no scalar {node.name} of {node.dtype}")
        else:
            known = isinstance(node, (Const, IndexValue))
            require(known, "scalar-node", f"{type(node).__name__} does not belong in loop IR")


def _check_read(e: Read, require: Require) -> None:
    if e.otherwise is None:
        require(not e.guard, "guard", f"a guarded read of {e.tensor} without another value")
    else:
        same = e.otherwise.dtype is e.dtype
        require(same, "guard", f"{e.tensor} of {e.dtype} is {e.otherwise.dtype} outside of its bounds")


def _check_apply(e: Apply, require: Require) -> None:
    info = OPS[e.op]
    dtypes = [a.dtype for a in e.args]
    kinds = {d.kind for d in (dtypes[1:] if info.operands == "select" else dtypes)}
    shown = f"{e.op}({', '.join(map(str, dtypes))})"
    require(kinds <= set(info.kinds), "operand-kind", f"{shown}: it takes {', '.join(info.kinds)}")
    if info.operands == "select":
        require(dtypes[0] is BOOL, "operand-dtype", f"{shown}: the condition is no bool")
    if info.operands != "any":
        equal = dtypes[1:] if info.operands == "select" else dtypes
        require(len(set(equal)) == 1, "operand-dtype", f"{shown}: the operands differ")
        require(all(d.compute is d for d in equal), "storage-arithmetic", f"{shown}: a storage type has no arithmetic")
    if info.result != "given":
        right = e.dtype is result_dtype(e.op, e.args)
        require(right, "result-dtype", f"{shown} does not give {e.dtype}")
    elif e.op == "bitcast":
        require(e.dtype.bits == dtypes[0].bits, "result-dtype", f"{shown} does not give {e.dtype}: other widths")
