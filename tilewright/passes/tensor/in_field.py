"""The pass ``in-field``: every float becomes an element of the exact field."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tilewright.errors import UnsupportedError
from tilewright.ir.scalar import Apply, CheckedIndex, Const, Expr, IndexValue, Read, Var, convert, rewrite
from tilewright.ir.statements import map_computes, map_expressions
from tilewright.ir.tensor import Compute, Function, Tensor
from tilewright.ir.text_tensor import print_expr
from tilewright.ir.types import FIELD, DType
from tilewright.passes.pipeline import Pass
from tilewright.records import dataclass


@dataclass(frozen=True)
class InField(Pass):
    """What the function means in the exact domain, as a program of the field dtype.

    Casts between floats fall away. UnsupportedError for a bitcast from or to a float, which has no meaning there.
    """

    name: ClassVar[str] = "in-field"

    def run(self, subject: Function) -> Function:
        return replace(
            subject,
            inputs=tuple(map(_tensor, subject.inputs)),
            scalars=tuple(replace(s, dtype=_dtype(s.dtype)) for s in subject.scalars),
            body=map_computes(subject.body, _compute),
        )


def _dtype(dtype: DType) -> DType:
    return FIELD if dtype.is_float else dtype


def _tensor(t: Tensor) -> Tensor:
    return replace(t, dtype=_dtype(t.dtype))


def _compute(c: Compute) -> Compute:
    c = map_expressions(c, lambda e: rewrite(e, _node))
    how, scan = c.reduction, c.scan
    return replace(
        c,
        results=tuple(map(_tensor, c.results)),
        reduction=how and replace(how, accs=_variables(how.accs), others=_variables(how.others)),
        scan=scan and replace(scan, accs=_variables(scan.accs), others=_variables(scan.others)),
    )


def _variables(bound: tuple[Var, ...]) -> tuple[Var, ...]:
    return tuple(Var(v.name, _dtype(v.dtype)) for v in bound)


def _node(e: Expr) -> Expr:
    """``e``, whose operands are in the field already."""
    if isinstance(e, Apply) and e.op == "bitcast" and FIELD in (_dtype(e.dtype), e.args[0].dtype):
        raise UnsupportedError(f"{print_expr(e)} has no meaning in the exact field")
    if not e.dtype.is_float or isinstance(e, (CheckedIndex, IndexValue)):
        return e
    if isinstance(e, Const):
        return Const(e.value, FIELD)
    if isinstance(e, Read):
        return Read(e.tensor, e.indices, FIELD, e.guard, e.otherwise)
    if isinstance(e, Apply):
        return convert("cast", e.args[0], FIELD) if e.op == "cast" else Apply(e.op, e.args, FIELD)
    return type(e)(e.name, FIELD)
