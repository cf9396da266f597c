"""Statements in steps: ``for t: T:`` and what may be read inside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile

from tilewright.dsl import bounds
from tilewright.dsl import syntax as ast
from tilewright.dsl.program import Level, Program, Scope, Site, error
from tilewright.dsl.ranges import own_ranges
from tilewright.ir import scalar
from tilewright.ir.scalar import Expr, Read
from tilewright.ir.steps import Clock, Pending
from tilewright.ir.tensor import Axis, Steps

MOST = 8
"""So many axes of steps may be around a statement."""


def steps(s: ast.Steps, program: Program, statement: Callable[[ast.Statement, Program], None]) -> None:
    """Adds the steps ``s``, whose statements ``statement`` elaborates."""
    scope = Scope(program, program.stepped())
    ranges = own_ranges(s.axes, scope)
    for axis, extent in zip(s.axes, ranges.values(), strict=True):
        bounds.require_size(extent, axis, scope)
    level = Level(s, ranges)
    if not program.levels:
        program.sites = dict(_sites(s, (), program))
    if len(scope.ranges) + len(ranges) > MOST:
        raise error(f"steps along more than {MOST} axes", s.span, "make a plain axis of one of them")
    program.levels.append(level)
    for inner in s.body:
        statement(inner, program)
    program.levels.pop()
    if not program.levels:
        program.sites = {}
    axes = tuple(Axis(name, extent) for name, extent in ranges.items())
    if level.body:
        program.add(Steps(axes, tuple(level.body), s.down, s.span))


def _sites(s: ast.Steps, around: tuple[ast.Steps, ...], program: Program) -> Iterator[tuple[str, Site]]:
    """What the statements inside of ``s`` compute; CheckError where one cannot be part of steps."""
    path = (*around, s)
    stepped = [a.value.text for p in path for a in p.axes if isinstance(a.value, ast.Name)]
    for inner in s.body:
        if isinstance(inner, ast.Steps):
            yield from _sites(inner, path, program)
        elif isinstance(inner, ast.Assign):
            axes = tuple(a.value.text if isinstance(a.value, ast.Name) else "" for a in inner.axes)
            for axis in stepped:
                if axis not in axes:
                    hint = f"as in {inner.targets[0].text}[{', '.join((axis, *axes))}] = ..."
                    raise error(f"a statement in steps along {axis} has {axis} among its axes", inner.span, hint)
            yield from ((t.text, Site(path, axes)) for t in inner.targets)
        elif isinstance(inner, (ast.Scatter, ast.Invoke)):
            what = "a scatter" if isinstance(inner, ast.Scatter) else "a call of an op"
            raise error(f"{what} is no part of steps", inner.span, "write it before or after them")


def pending(tensor: str, program: Program) -> Pending | None:
    """What is there of ``tensor`` for the statement being elaborated; None if all of it."""
    site = program.sites.get(tensor)
    if site is None:
        return None
    here = tuple(level.written for level in program.levels)
    shared = [a for a, _ in takewhile(lambda pair: pair[0] is pair[1], zip(site.path, here, strict=False))]
    clocks = []
    for written, level in zip(shared, program.levels, strict=False):
        for name, extent in level.ranges.items():
            clocks.append(Clock(Axis(name, extent), written.down, site.axes.index(name)))
    return Pending(tuple(clocks), tensor in program.tensors)


def check_read(read: Read, written: ast.Element, scope: Scope) -> None:
    """CheckError if ``read`` has no ``else`` and its element may not have been computed yet."""
    seen = pending(read.tensor, scope.program)
    if seen is None or read.otherwise is not None or seen.known(read.indices, scope.program.facts(scope.ranges)):
        return
    name = read.tensor
    hint = f"read an earlier step, or say what it is where there is none yet: ({name}[...] else 0)"
    raise error(f"this element of {name} is perhaps not computed yet at its step", written.span, hint)


def depth(values: Iterable[Expr], program: Program) -> int:
    """How many of the steps around an intermediate with these values has to be in."""
    here = [level.written for level in program.levels]
    sites = [program.sites[r.tensor] for v in values for r in scalar.reads(v) if r.tensor in program.sites]
    return max((_shared(site.path, here) for site in sites), default=0)


def _shared(path: Sequence[ast.Steps], here: Sequence[ast.Steps]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], zip(path, here, strict=False)))
