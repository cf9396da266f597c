"""Finding and replacing loops and blocks in a kernel: what the primitives share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from operator import is_
from typing import Any, NoReturn

from tilewright.errors import ScheduleError
from tilewright.ir import index as ix
from tilewright.ir.facts import Facts, of_sizes
from tilewright.ir.index import Condition, Index, const
from tilewright.ir.loops import Block, Kernel, Loop, Stmt, Write, walk
from tilewright.ir.scalar import CheckedIndex, Expr, Read, rewrite
from tilewright.ir.schedule import check_arguments
from tilewright.passes.pipeline import Pass
from tilewright.records import dataclass


@dataclass(frozen=True)
class Primitive(Pass):
    """A schedule primitive: its arguments are checked against the table when it is made."""

    def __post_init__(self) -> None:
        check_arguments(self.name, {f.name: getattr(self, f.name) for f in fields(self)})

    def refuse(self, message: str, hint: str | None = None) -> NoReturn:
        """Raises the ScheduleError of this step."""
        raise ScheduleError(f"{self}: {message}", hint=hint)

    def find_loop(self, kernel: Kernel, name: str) -> tuple[Loop, tuple[Loop, ...]]:
        """The loop called ``name`` and the loops around it; ScheduleError if there is not exactly one."""
        found = [(s, around) for s, around in walk(kernel.body) if isinstance(s, Loop) and s.var == name]
        if not found:
            names = dict.fromkeys(s.var for s, _ in walk(kernel.body) if isinstance(s, Loop))
            self.refuse(f"kernel {kernel.name} has no loop {name}", f"its loops are {', '.join(names) or 'none'}")
        if len(found) > 1:
            self.refuse(f"kernel {kernel.name} has {len(found)} loops called {name}", "give the loops different names")
        return found[0]

    def find_serial(self, kernel: Kernel, name: str) -> tuple[Loop, tuple[Loop, ...]]:
        """The loop called ``name``, which must be serial yet."""
        loop, around = self.find_loop(kernel, name)
        if loop.kind != "serial":
            self.refuse(f"loop {name} is {loop.kind} already", f"apply {self.name} before")
        return loop, around

    def find_block(self, kernel: Kernel, name: str) -> tuple[Block, tuple[Loop, ...]]:
        """The block called ``name`` and the loops around it."""
        found = [(s, around) for s, around in walk(kernel.body) if isinstance(s, Block)]
        for block, around in found:
            if block.name == name:
                return block, around
        names = ", ".join(b.name for b, _ in found)
        self.refuse(f"kernel {kernel.name} has no block {name}", f"its blocks are {names or 'none'}")


def replace_stmt(kernel: Kernel, old: Stmt, new: Iterable[Stmt]) -> Kernel:
    """``kernel`` with the statement ``old`` (this object) replaced by ``new``."""
    return replace(kernel, body=_replaced(kernel.body, old, tuple(new)))


def _replaced(body: tuple[Stmt, ...], old: Stmt, new: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    result: list[Stmt] = []
    for s in body:
        if s is old:
            result.extend(new)
        elif isinstance(s, Loop):
            inner = _replaced(s.body, old, new)
            result.append(s if inner is s.body else replace(s, body=inner))
        else:
            result.append(s)
    return body if len(result) == len(body) and all(map(is_, result, body)) else tuple(result)


def substitute(
    body: tuple[Stmt, ...], values: Mapping[str, Index], predicate: tuple[Condition, ...] = ()
) -> tuple[Stmt, ...]:
    """``body`` with loop variables replaced by ``values``, and ``predicate`` added to every block."""
    return tuple(_substituted(s, values, predicate) for s in body)


def _substituted(s: Stmt, values: Mapping[str, Index], predicate: tuple[Condition, ...]) -> Stmt:
    if isinstance(s, Loop):
        extent, body = ix.substitute(s.extent, values), substitute(s.body, values, predicate)
        same = extent is s.extent and all(map(is_, body, s.body))
        return s if same else replace(s, extent=extent, body=body)
    bindings = tuple(ix.substitute(b, values) for b in s.bindings)
    conditions = [ix.substitute_condition(c, values) for c in s.predicate]
    where = tuple(dict.fromkeys((*conditions, *predicate)))
    return s if bindings == s.bindings and where == s.predicate else replace(s, bindings=bindings, predicate=where)


def renamed(body: tuple[Stmt, ...], suffix: str, taken: set[str]) -> tuple[Stmt, ...]:
    """A copy of ``body`` whose loops and blocks have names of their own, made with ``suffix``; extends ``taken``."""
    result: list[Stmt] = []
    for s in body:
        if isinstance(s, Block):
            result.append(replace(s, name=fresh(s.name + suffix, taken)))
        else:
            var = fresh(s.var + suffix, taken)
            inner = substitute(s.body, {s.var: ix.symbol(var)})
            result.append(replace(s, var=var, body=renamed(inner, suffix, taken)))
    return tuple(result)


Move = Callable[[str, tuple[Any, ...]], tuple[str, tuple[Any, ...]]]
"""Where an element is found instead: of a buffer and indices, the new ones."""


def moved(block: Block, move: Move) -> Block:
    """``block`` with every element that it reads or writes where ``move`` says."""

    def rule(e: Expr) -> Expr:
        return Read(*move(e.tensor, e.indices), e.dtype, e.guard, e.otherwise) if isinstance(e, Read) else e

    def place(i: Index | CheckedIndex) -> Index | CheckedIndex:
        found = i if isinstance(i, Index) else rewrite(i, rule)
        return found if isinstance(found, (Index, CheckedIndex)) else i

    writes = tuple(Write(*move(w.buffer, tuple(map(place, w.indices)))) for w in block.writes)
    values, init = (tuple(rewrite(v, rule) for v in several) for several in (block.values, block.init))
    return replace(block, writes=writes, values=values, init=init)


def map_blocks(body: tuple[Stmt, ...], rule: Callable[[Block], Block]) -> tuple[Stmt, ...]:
    """``body`` with what ``rule`` makes of each block."""
    return tuple(rule(s) if isinstance(s, Block) else replace(s, body=map_blocks(s.body, rule)) for s in body)


def fresh(name: str, taken: set[str]) -> str:
    """``name``, or ``name2``, ``name3``, ... if it is taken; the result is taken then."""
    n, found = 1, name
    while found in taken:
        n += 1
        found = f"{name}{n}"
    taken.add(found)
    return found


def taken_names(kernel: Kernel) -> set[str]:
    """Every name in ``kernel`` that a new loop, block or iteration variable must not have."""
    found = {kernel.name} | {b.name for b in kernel.buffers} | {s.name for s in kernel.scalars} | kernel.free_symbols
    for s, _ in walk(kernel.body):
        found |= {s.var} if isinstance(s, Loop) else {s.name, *(i.name for i in s.iters)}
    return found


def facts(kernel: Kernel, loops: Iterable[Loop], conditions: Iterable[Condition] = ()) -> Facts:
    """What holds inside ``loops``; every free symbol but a stride is a size or a counter, so not negative."""
    sizes = {s for s in kernel.free_symbols if not s.startswith("stride(")}
    return of_sizes(frozenset(sizes)).extended({o.var: (const(0), o.extent) for o in loops}, tuple(conditions))
