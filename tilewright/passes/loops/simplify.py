"""Simplify the indices, conditions and scalar expressions of a kernel, as far as that is exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from tilewright.ir import scalar
from tilewright.ir.facts import Facts, of_sizes
from tilewright.ir.index import Condition, Index, const, substitute_condition
from tilewright.ir.loops import Block, Kernel, Loop, Stmt, Write
from tilewright.ir.scalar import Apply, CheckedIndex, Const, Expr, IndexValue, Read, literal
from tilewright.passes.loops.nest import facts, substitute
from tilewright.passes.pipeline import Pass
from tilewright.records import dataclass


@dataclass(frozen=True)
class Simplify(Pass):
    """What the ranges of loops and iteration variables decide is decided.

    Loops of extent 1 disappear (but for a parallel one), as do loops and blocks that never run; predicates and
    guards that always hold are dropped; a read whose guard never holds becomes its other value. Scalar
    expressions are only shortened where that is exact for every value of their dtype.
    """

    name: ClassVar[str] = "simplify"

    def run(self, kernel: Kernel) -> Kernel:
        return replace(kernel, body=_body(kernel.body, facts(kernel, ())))


def _body(body: tuple[Stmt, ...], known: Facts) -> tuple[Stmt, ...]:
    result: list[Stmt] = []
    for s in body:
        result.extend(_loop(s, known) if isinstance(s, Loop) else _block(s, known))
    return tuple(result)


def _loop(loop: Loop, known: Facts) -> tuple[Stmt, ...]:
    extent = known.simplify(loop.extent)
    if extent.constant == 1 and loop.kind != "parallel":
        return _body(substitute(loop.body, {loop.var: const(0)}), known)
    if extent.constant is not None and extent.const <= 0:
        return ()
    body = _body(loop.body, known.extended({loop.var: (const(0), extent)}))
    return (replace(loop, extent=extent, body=body),) if body else ()


def _block(block: Block, known: Facts) -> tuple[Stmt, ...]:
    predicate = _conditions(block.predicate, known)
    if predicate is None:
        return ()
    where = known.extended({}, predicate) if predicate else known
    bindings = tuple(where.simplify(b) for b in block.bindings)
    bound = dict(zip((i.name for i in block.iters), bindings, strict=True))
    inside = of_sizes(known.sizes).extended({i.name: (const(0), i.extent) for i in block.iters})
    guards = _Guards(where, bound)
    rule = _rule(inside, guards)

    def expression(e: Expr) -> Expr:
        return scalar.rewrite(e, rule)

    def place(i: Index | CheckedIndex) -> Index | CheckedIndex:
        found = inside.simplify(i) if isinstance(i, Index) else expression(i)
        return found if isinstance(found, (Index, CheckedIndex)) else i

    return (
        replace(
            block,
            bindings=bindings,
            predicate=predicate,
            writes=tuple(Write(w.buffer, tuple(map(place, w.indices))) for w in block.writes),
            values=tuple(map(expression, block.values)),
            init=tuple(map(expression, block.init)),
        ),
    )


def _conditions(conditions: tuple[Condition, ...], known: Facts) -> tuple[Condition, ...] | None:
    """Those that do not follow from ``known`` and each other; None if one never holds."""
    kept = [Condition(c.kind, known.simplify(c.index)) for c in conditions]
    for c in list(kept):
        others = [k for k in kept if k is not c]
        holds = known.extended({}, others).prove(c) if others else known.prove(c)
        if holds is False:
            return None
        if holds:
            kept = others
    return tuple(kept)


@dataclass(frozen=True)
class _Guards:
    """Decides guards, which speak of iteration variables, by what the loops say of these."""

    known: Facts
    bound: dict[str, Index]

    def left(self, guard: tuple[Condition, ...]) -> tuple[Condition, ...] | None:
        """The conditions still to be checked; None if the guard never holds."""
        kept = []
        for c in guard:
            holds = self.known.prove(substitute_condition(c, self.bound))
            if holds is False:
                return None
            if not holds:
                kept.append(c)
        return tuple(kept)


def _rule(inside: Facts, guards: _Guards) -> Callable[[Expr], Expr]:
    """The rewrite of one node whose operands are simple already."""

    def rule(e: Expr) -> Expr:
        if isinstance(e, IndexValue):
            return IndexValue(inside.simplify(e.index))
        if isinstance(e, CheckedIndex):
            return CheckedIndex(e.value, inside.simplify(e.extent), e.operand, inside.simplify(e.position))
        if isinstance(e, Read):
            return _read(e, inside, guards)
        return _apply(e) if isinstance(e, Apply) else e

    return rule


def _read(e: Read, inside: Facts, guards: _Guards) -> Expr:
    left = guards.left(e.guard)
    if left is None and e.otherwise is not None:
        return e.otherwise
    guard = e.guard if left is None else left
    indices = tuple(inside.simplify(i) if isinstance(i, Index) else i for i in e.indices)
    return Read(e.tensor, indices, e.dtype, guard, e.otherwise if guard else None)


def _apply(e: Apply) -> Expr:
    args = e.args
    if e.op == "where":
        return _where(e)
    inverse = ("not", "bitnot") if e.dtype.is_float else ("not", "bitnot", "neg")
    if e.op in inverse and isinstance(args[0], Apply) and args[0].op == e.op:
        return args[0].args[0]
    if e.op in ("min", "max", "and", "or", "bitand", "bitor") and args[0] is args[1]:
        return args[0]
    if e.op in ("and", "or"):
        return _logic(e)
    if e.op == "sub" and args[1] is literal(0, e.dtype):
        return args[0]
    return _integer(e) if e.dtype.is_integer else e


def _where(e: Apply) -> Expr:
    condition, yes, no = e.args
    if isinstance(condition, Const):
        chosen, other = (yes, no) if condition.value else (no, yes)
        return chosen if _silent(other) else e
    return yes if yes is no and _silent(condition) else e


def _logic(e: Apply) -> Expr:
    """``true`` is neutral for ``and`` and absorbs in ``or``; ``false`` the other way round."""
    for this, other in (e.args, e.args[::-1]):
        if isinstance(this, Const):
            if this.value is (e.op == "and"):
                return other
            return this if _silent(other) else e
    return e


_NEUTRAL = {"add": 0, "mul": 1, "floordiv": 1, "bitor": 0, "bitxor": 0, "shl": 0, "shr": 0}
_COMMUTATIVE = ("add", "mul", "bitor", "bitxor")


def _integer(e: Apply) -> Expr:
    if e.op not in _NEUTRAL:
        return e
    neutral = literal(_NEUTRAL[e.op], e.dtype)
    if e.args[1] is neutral:
        return e.args[0]
    return e.args[1] if e.op in _COMMUTATIVE and e.args[0] is neutral else e


def _silent(e: Expr) -> bool:
    """Whether leaving ``e`` out goes unnoticed: it checks no index."""
    return not any(isinstance(n, CheckedIndex) for n in scalar.walk(e))
