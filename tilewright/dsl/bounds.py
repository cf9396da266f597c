"""Proofs that reads and scatters stay in bounds, or the conditions under which they do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from tilewright.dsl import mend
from tilewright.dsl import syntax as ast
from tilewright.dsl.program import Scope, error
from tilewright.ir import index as ix
from tilewright.ir.index import Condition, Index, const, ge, lt
from tilewright.ir.scalar import Expr
from tilewright.ir.tensor import Tensor
from tilewright.ir.types import BOOL

_SMALL = 4
_TRIES = 5_000


def require(
    tensor: Tensor, indices: Sequence[Index | Expr], axes: Sequence[ast.Axis], scope: Scope, writes: bool = False
) -> None:
    """Proves each affine index into ``tensor`` (written as ``axes``) in bounds.

    What holds only for some sizes is added to the op's preconditions. CheckError if an index is refuted, or if
    what is missing depends on more than sizes.
    """
    for index, extent, written in zip(indices, tensor.shape, axes, strict=True):
        if isinstance(index, Index):
            require_divisors(index, written, scope)
            for condition in (ge(index, 0), lt(index, extent)):
                if not ensure(condition, scope):
                    message = _out_of_bounds(condition, tensor, index, extent, scope)
                    raise error(message, written.span, *_remedy(tensor, written, writes))


def require_divisors(index: Index, written: ast.Node, scope: Scope) -> None:
    """Ensures that every divisor in ``index`` is positive."""
    for atom in ix.atoms(index):
        if isinstance(atom, (ix.FloorDiv, ix.Mod)):
            condition = ge(atom.den, 1)
            if not ensure(condition, scope):
                message = f"cannot prove that the divisor {atom.den} is positive"
                raise error(message, written.span, "divide by sizes and positive numbers only")


def require_size(extent: Index, written: ast.Node, scope: Scope) -> None:
    """Ensures that a declared extent is not negative."""
    require_divisors(extent, written, scope)
    if not ensure(ge(extent, 0), scope):
        raise error(f"the extent {extent} is negative", written.span, "extents are 0 or more for all sizes")


def ensure(condition: Condition, scope: Scope) -> bool:
    """Whether ``condition`` holds, perhaps thanks to a condition on sizes that is added to the program."""
    facts = scope.program.facts(scope.ranges)
    answer = facts.prove(condition)
    if answer is not None:
        return answer
    needed = Condition("ge", facts.least(condition.index))
    if ix.symbols(needed.index) & set(scope.ranges) or facts.prove(needed) is False:
        return False
    scope.program.conditions.append(needed)
    return True


def _remedy(tensor: Tensor, written: ast.Axis, writes: bool) -> tuple[str, mend.Fix]:
    if writes:
        return f"give {tensor.name} a larger extent, or declare the ranges of the axes", ()
    otherwise = "false" if tensor.dtype is BOOL else "0"
    hint = f"guard the read: ({tensor.name}[...] else {otherwise}), or declare the ranges of the axes"
    return hint, mend.guarded(mend.enclosing_element(written.span), otherwise)


def _out_of_bounds(condition: Condition, tensor: Tensor, index: Index, extent: Index, scope: Scope) -> str:
    example = next(_counterexamples(condition, scope), None)
    if example is None:
        return f"cannot prove that the index {index} stays inside {tensor.name}, of extent {extent}"
    at, size = _value(index, example), _value(extent, example)
    given = ", ".join(f"{s} = {v}" for s, v in example.items())
    message = f"out of bounds: with {given}" if given else "out of bounds"
    return f"{message} this index is {at}, and the extent of {tensor.name} is {size}"


def _counterexamples(condition: Condition, scope: Scope) -> Iterator[dict[str, int]]:
    """Small sizes and points of the axes where ``condition`` fails though all that is known holds."""
    axes = [s for s in scope.ranges if s in ix.symbols(condition.index)]
    indices = [condition.index, *(scope.ranges[s] for s in axes), *(c.index for c in scope.program.conditions)]
    sizes = sorted(frozenset().union(*map(ix.symbols, indices)) - set(scope.ranges))
    shown = [s for s in sizes if any(s in ix.symbols(i) for i in indices[: 1 + len(axes)])]
    for values in itertools.islice(itertools.product(range(1, _SMALL + 1), repeat=len(sizes)), _TRIES):
        env = dict(zip(sizes, values, strict=True))
        if all(_holds(c, env) for c in scope.program.conditions):
            for point in _failing(condition, env, axes, scope):
                yield {s: point[s] for s in (*shown, *axes)}


def _failing(
    condition: Condition, env: Mapping[str, int], axes: Sequence[str], scope: Scope
) -> Iterator[dict[str, int]]:
    spans = [range(min(_value(scope.ranges[s], env), 2 * _SMALL)) for s in axes]
    for values in itertools.product(*spans):
        point = {**env, **dict(zip(axes, values, strict=True))}
        if not _holds(condition, point):
            yield point


def _value(index: Index, env: Mapping[str, int]) -> int:
    found = ix.substitute(index, {s: const(v) for s, v in env.items()}).constant
    return 0 if found is None else found


def _holds(condition: Condition, env: Mapping[str, int]) -> bool:
    value = _value(condition.index, env)
    return value >= 0 if condition.kind == "ge" else value == 0
