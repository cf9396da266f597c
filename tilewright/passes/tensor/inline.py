"""Inlining: a pointwise statement is put where it is read, so that it needs no kernel and no memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import ClassVar

from tilewright.ir import index as ix
from tilewright.ir import scalar, statements
from tilewright.ir.index import Index
from tilewright.ir.scalar import Apply, Expr, Read
from tilewright.ir.tensor import Axis, Compute, Function, Statement, Steps, Tensor
from tilewright.passes.pipeline import Pass
from tilewright.passes.tensor.eliminate_dead import eliminate_dead
from tilewright.records import dataclass

_Uses = Mapping[str, "list[tuple[Compute, Read]]"]


def inline(f: Function, duplicate: bool = False) -> Function:
    """``f`` with pointwise intermediates substituted where they are read, bit for bit the same.

    One is substituted if that evaluates none of its points more often than before: it is read once, by a
    statement that reads each point once; one that computes nothing (a copy or a cast) always is. With ``duplicate`` all
    are that can be: those read at affine positions, in bounds or with a guard that the substituted read can carry.
    What is computed inside of steps stays. What is then dead falls away.
    """
    tensors, uses = f.tensors(), _uses(f)
    known: dict[str, _Producer] = {}
    body: list[Statement] = []
    for s in f.body:
        if isinstance(s, Steps):
            body.append(replace(s, body=statements.map_computes(s.body, partial(_substituted, known=known))))
            continue
        c = _substituted(s, known)
        if statements.is_pointwise(c):
            for r, v in zip(c.results, c.values, strict=True):
                producer = _Producer(c.axes, v)
                if r.name not in f.outputs and producer.can_replace(uses.get(r.name, []), tensors, duplicate):
                    known[r.name] = producer
        body.append(c)
    return eliminate_dead(replace(f, body=tuple(body)))


def _uses(f: Function) -> _Uses:
    """Per tensor: the statements that read it, and how."""
    found: dict[str, list[tuple[Compute, Read]]] = {}
    for c in f.computes:
        for read in statements.reads(c):
            found.setdefault(read.tensor, []).append((c, read))
    return found


@dataclass(frozen=True)
class _Producer:
    """An intermediate: its value at a point of ``axes``."""

    axes: tuple[Axis, ...]
    value: Expr

    def can_replace(self, uses: list[tuple[Compute, Read]], tensors: Mapping[str, Tensor], duplicate: bool) -> bool:
        """Whether the reads ``uses`` of it may become its value."""
        cheap = duplicate or self.computes_nothing or (len(uses) == 1 and _reads_each_point_once(*uses[0]))
        return cheap and all(
            _is_affine(read)
            and read not in _inside_indices(c)
            and (read.otherwise is None or self.carries_guards(tensors))
            for c, read in uses
        )

    @property
    def computes_nothing(self) -> bool:
        nodes = list(scalar.walk(self.value))
        return sum(isinstance(n, Read) for n in nodes) <= 1 and all(
            n.op == "cast" for n in nodes if isinstance(n, Apply)
        )

    def carries_guards(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether it is a plain read that is out of bounds where a read of the intermediate would be."""
        read = self.value
        if not isinstance(read, Read) or read.otherwise is not None or not _is_affine(read):
            return False
        extents = {
            i.symbol: d
            for i, d in zip(read.indices, tensors[read.tensor].shape, strict=True)
            if isinstance(i, Index) and i.symbol
        }
        return len(read.indices) == len(self.axes) and all(extents.get(a.name) is a.extent for a in self.axes)

    def at(self, read: Read) -> Expr:
        """The value in place of ``read``."""
        where = {a.name: i for a, i in zip(self.axes, read.indices, strict=True) if isinstance(i, Index)}
        value = scalar.substitute(self.value, where)
        if read.otherwise is not None and isinstance(value, Read):
            return Read(value.tensor, value.indices, value.dtype, value.guard, read.otherwise)
        return value


def _substituted(c: Compute, known: Mapping[str, _Producer]) -> Compute:
    def rule(e: Expr) -> Expr:
        return known[e.tensor].at(e) if isinstance(e, Read) and e.tensor in known else e

    return statements.map_expressions(c, lambda e: scalar.rewrite(e, rule))


def _is_affine(read: Read) -> bool:
    return all(isinstance(i, Index) for i in read.indices)


def _inside_indices(c: Compute) -> set[Read]:
    """The reads of ``c`` that data-dependent positions are made of, and that of what a scatter starts from."""
    inner = [i for read in statements.reads(c) for i in read.indices if not isinstance(i, Index)]
    scattered = [i for i in c.scatter.indices if not isinstance(i, Index)] if c.scatter else []
    return {r for i in (*inner, *scattered) for r in scalar.reads(i)} | {*statements.start_reads(c)}


def _reads_each_point_once(c: Compute, read: Read) -> bool:
    """Whether ``read`` is at another position at each point of ``c``: each axis counts in an index as a digit does."""
    axes = {a.name: a.extent for a in statements.all_axes(c)}
    told = _told({i for i in read.indices if isinstance(i, Index)})
    return {*axes} == {name for i in told for name in _digits(i, axes)}


def _told(indices: set[Index]) -> set[Index]:
    """``indices`` and what they tell: a quotient and its remainder tell the number."""
    numbers = {
        atom.num
        for i in indices
        for atom in ix.atoms(i)
        if isinstance(atom, ix.Mod) and {ix.of_atom(atom), ix.floordiv(atom.num, atom.den)} <= indices
    }
    return indices if numbers <= indices else _told(indices | numbers)


def _digits(i: Index, axes: Mapping[str, Index]) -> list[str]:
    """The axes in ``i`` if it is another number for each of their points: each moves it by more than all smaller ones
    together.
    """
    names = ix.symbols(i) & axes.keys()
    factors = {name: _size(factor) for name in names if (factor := ix.coefficient(i, name)) is not None}
    if len(factors) < len(names):
        return []
    least, found = ix.const(1), list[str]()
    while len(found) < len(factors):
        gaps = {name: (f - least).constant for name, f in factors.items() if name not in found}
        known = {name: gap for name, gap in gaps.items() if gap is not None and gap >= 0}
        if not known:
            return []
        found.append(min(known, key=lambda name: known[name]))
        least = factors[found[-1]] * axes[found[-1]]
    return found


def _size(factor: Index) -> Index:
    return factor if factor.constant is None else ix.const(abs(factor.constant))


@dataclass(frozen=True)
class Inline(Pass):
    """The pass ``inline``; see :func:`inline`."""

    name: ClassVar[str] = "inline"
    duplicate: bool = False

    def run(self, subject: Function) -> Function:
        return inline(subject, self.duplicate)
