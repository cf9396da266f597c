"""Legality by brute force: run both kernels' loops for given sizes, compare instances and the order of conflicts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from tilewright.ir.index import Index
from tilewright.ir.interpret.indices import Env, evaluate, holds
from tilewright.ir.loops import Block, Kernel, Loop, Stmt
from tilewright.ir.scalar import reads

Cell = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Instance:
    """One execution of a block: which statement at which point, the cells it reads and writes, the loops around."""

    statement: str
    point: tuple[int, ...]
    read: frozenset[Cell]
    written: frozenset[Cell]
    path: tuple[tuple[str, str, int], ...]

    @property
    def identity(self) -> tuple[str, tuple[int, ...]]:
        return self.statement, self.point

    def conflicts(self, other: Instance) -> bool:
        return bool(self.written & (other.read | other.written) or self.read & other.written)

    def at_once(self, other: Instance) -> bool:
        """Whether both are lanes or tasks of one loop."""
        for (var, kind, value), (other_var, _, other_value) in zip(self.path, other.path, strict=False):
            if var != other_var or value != other_value:
                return var == other_var and kind in ("vectorized", "parallel")
        return False


def instances(kernel: Kernel, sizes: Mapping[str, int]) -> list[Instance]:
    """Everything the kernel runs, in order. Blocks of remainders count as the statement they were split from."""
    return list(_instances(kernel.body, Env(sizes), ()))


def _instances(body: tuple[Stmt, ...], env: Env, path: tuple[tuple[str, str, int], ...]) -> Iterator[Instance]:
    for s in body:
        if isinstance(s, Loop):
            for n in range(evaluate(s.extent, env)):
                yield from _instances(s.body, Env(env | {s.var: n}), (*path, (s.var, s.kind, n)))
        elif all(holds(c, env) for c in s.predicate):
            yield _instance(s, env, path)


def _instance(b: Block, env: Env, path: tuple[tuple[str, str, int], ...]) -> Instance:
    point = tuple(evaluate(i, env) for i in b.bindings)
    inside = Env(env | dict(zip((i.name for i in b.iters), point, strict=True)))

    def cell(name: str, indices: tuple[Index, ...]) -> Cell:
        return name, tuple(evaluate(i, inside) for i in indices)

    return Instance(
        re.sub(r"(_tail\d*)+$", "", b.name),
        point,
        frozenset(cell(r.tensor, r.indices) for v in b.values for r in reads(v)),  # type: ignore[arg-type]
        frozenset(cell(w.buffer, w.indices) for w in b.writes),  # type: ignore[arg-type]
        path,
    )


def brute_force_legal(before: Kernel, after: Kernel, sizes: Mapping[str, int]) -> bool:
    """Whether ``after`` runs what ``before`` runs, each instance once, with all conflicts in the same order."""
    first, then = instances(before, sizes), instances(after, sizes)
    if Counter(x.identity for x in first) != Counter(x.identity for x in then):
        return False
    place = {x.identity: n for n, x in enumerate(then)}
    if len(place) < len(then):
        return False
    for x, y in combinations(first, 2):
        if x.conflicts(y):
            a, b = then[place[x.identity]], then[place[y.identity]]
            if place[x.identity] > place[y.identity] or a.at_once(b):
                return False
    return True
