"""Which dtypes an operation takes, and how to mend operands that have others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tilewright.dsl import mend
from tilewright.dsl.program import error
from tilewright.errors import CheckError
from tilewright.ir.scalar import OPS, Expr, OpInfo, apply
from tilewright.ir.types import BOOL, DType
from tilewright.records import dataclass
from tilewright.source import Span


@dataclass(frozen=True)
class Place:
    """Where an operation stands: itself, its operands, and how dtypes are written there."""

    span: Span
    operands: tuple[Span, ...]
    spelling: Callable[[DType], str]


def checked(op: str, args: Sequence[Expr], place: Place) -> Expr:
    """``op(args)`` if its type rule allows it, else a CheckError that says how to mend it."""
    info = OPS[op]
    name = info.text or op
    same, span = list(args), place.span
    if info.operands == "select" and same.pop(0).dtype is not BOOL:
        fix = mend.wrapped(place.operands[0], "", " != 0")
        raise error(f"{name} chooses by a bool, this is {args[0].dtype}", span, "compare, as in x != 0", fix)
    written = list(zip(same, place.operands[len(args) - len(same) :], strict=True))
    if info.operands == "bool" and any(a.dtype is not BOOL for a in same):
        wrong = next(a.dtype for a in same if a.dtype is not BOOL)
        fix = _each(written, lambda d: d is not BOOL, "(", " != 0)")
        raise error(f"{name!r} takes bools, not {wrong}", span, "compare, as in x != 0; for bits use & | ^ ~", fix)
    first = same[0].dtype
    if op == "mod" and first.is_float:
        return checked("remainder", args, place)
    other = next((a.dtype for a in same if a.dtype is not first), None)
    if other is not None:
        wider = _wider(first, other)
        cast = place.spelling(wider)
        fix = _each(written, lambda d: d is not wider, f"{cast}(")
        raise error(f"{name!r} of {first} and {other}", span, f"cast one of them: {cast}(...)", fix)
    if first.kind not in info.kinds:
        raise _wrong_kind(name, info, first, place)
    return apply(op, *args)


def _each(
    written: Sequence[tuple[Expr, Span]], which: Callable[[DType], bool], before: str, after: str = ")"
) -> mend.Fix:
    """The operands of some dtypes, wrapped."""
    return tuple(edit for e, span in written if which(e.dtype) for edit in mend.wrapped(span, before, after))


def _wider(a: DType, b: DType) -> DType:
    return max(a, b, key=lambda d: (d.is_float, d.bits))


_INSTEAD = {
    "/": ("//", "use // for whole numbers, or cast: f32(a) / f32(b)"),
    "//": ("/", "use / for floats"),
}
_FOR_BOOLS = {"~": "not ", "&": "and", "|": "or", "^": "!="}


def _wrong_kind(name: str, info: OpInfo, dtype: DType, place: Place) -> CheckError:
    span, operands = place.span, place.operands
    message = f"{name!r} does not take {dtype}"
    if dtype is BOOL and name in _FOR_BOOLS:
        return error(message, span, "for bools write not, and, or, !=", _instead(name, _FOR_BOOLS[name], place))
    if name == "^" and dtype.is_float:
        return error(message, span, "a power is pow(a, b)", _called("pow", " ^ ", place))
    if name in _INSTEAD and dtype is not BOOL:
        return error(message, span, _INSTEAD[name][1], _instead(name, _INSTEAD[name][0], place))
    cast = "f32" if "float" in info.kinds else "i64"
    fix = tuple(edit for operand in operands for edit in mend.wrapped(operand, f"{cast}("))
    return error(message, span, f"cast it: {cast}(...)", fix)


def _instead(old: str, new: str, place: Place) -> mend.Fix:
    """Another operator."""
    left, right = [place.span.start, *place.operands][-2:]
    return mend.between(left, right, old, new)


def _called(function: str, operator: str, place: Place) -> mend.Fix:
    """A function of both operands."""
    left, right = place.operands
    return mend.wrapped(place.span, f"{function}(") + mend.between(left, right, operator, ", ")
