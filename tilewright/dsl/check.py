"""Checks every op of a module for all that it may be called with, as far as that changes its meaning."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeVar

from tilewright.dsl import syntax as ast
from tilewright.dsl.attributes import Kind
from tilewright.dsl.calls import in_module
from tilewright.dsl.claims import equal_of, gradient_of
from tilewright.dsl.program import Attribute, Resolver, error, no_ops
from tilewright.dsl.schedules import check_schedules
from tilewright.dsl.signature import Signature, signature
from tilewright.dsl.specialise import specialise
from tilewright.errors import UserError
from tilewright.ir.types import BF16, BOOL, F16, F32, I32, I64, U8, DType
from tilewright.records import dataclass

_RANKS = (0, 1, 2)
_TYPICAL = (F32, F16, BF16, I32, I64, U8, BOOL)
_MOST_OPTIONAL = 3

T = TypeVar("T")


@dataclass(frozen=True)
class Report:
    """What :func:`check` found: diagnostics in source order, and each op's preconditions as text."""

    diagnostics: tuple[UserError, ...]
    preconditions: Mapping[str, tuple[str, ...]]

    def render(self) -> str:
        """The diagnostics, or what every op requires of its sizes."""
        if self.diagnostics:
            return "\n\n".join(str(d) for d in self.diagnostics) + "\n"
        lines = [f"{op}: {' and '.join(found) if found else 'any sizes'}" for op, found in self.preconditions.items()]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Variant:
    """One way to choose everything that an op leaves open."""

    dtypes: Mapping[str, DType]
    packs: Mapping[str, int]
    attributes: Mapping[str, Attribute]
    present: frozenset[str]

    @property
    def choices(self) -> tuple[Mapping[str, DType], Mapping[str, int], Mapping[str, Attribute], frozenset[str]]:
        """What :func:`specialise` takes."""
        return self.dtypes, self.packs, self.attributes, self.present

    def has_gradient(self, sig: Signature) -> bool:
        """Whether all dtypes are floats that may be."""
        return all(d.is_float for name, d in self.dtypes.items() if any(a.is_float for a in sig.variables[name]))


def check(module: ast.Module, shared: Resolver = no_ops, targets: Collection[str] | None = None) -> Report:
    """Specialises each op in every variant: packs at ranks 0, 1 and 2, typical dtypes, optional operands there and not,
    bool attributes both ways, every choice, other attributes at their defaults. Ops call each other, and those that
    ``shared`` finds. Schedules are for ``targets``; None: any.
    """
    resolver = in_module(module, shared)
    found: dict[object, UserError] = {}
    preconditions: dict[str, tuple[str, ...]] = {}
    for op in module.ops:
        if op.name in preconditions:
            _note(found, error(f"there are two ops called {op.name}", op.span, "rename one"))
        conditions: dict[str, None] = {}
        try:
            sig = signature(op)
        except UserError as e:
            _note(found, e)
            continue
        for variant in variants(sig):
            try:
                f = specialise(op, *variant.choices, resolver)
                conditions.update((str(c), None) for c in f.preconditions)
                if op.gradient and variant.has_gradient(sig):
                    specialise(gradient_of(op, variant.present), *variant.choices, resolver)
            except UserError as e:
                _note(found, e)
        try:
            equal_of(op, resolver)
        except UserError as e:
            _note(found, e)
        preconditions[op.name] = tuple(conditions)
    try:
        check_schedules(module, targets)
    except UserError as e:
        _note(found, e)
    return Report(tuple(sorted(found.values(), key=_place)), preconditions)


def variants(sig: Signature) -> Iterator[Variant]:
    """All that :func:`check` tries of an op."""
    dtypes = {name: [d for d in _TYPICAL if d in allowed][:3] for name, allowed in sig.variables.items()}
    packs = dict.fromkeys([p for o in sig.operands for p in o.pack_names], _RANKS)
    flags = {name: _values(kind) or [sig.attributes[name]] for name, kind in sig.kinds.items()}
    optional = [o.name for o in sig.operands if o.optional]
    for chosen in itertools.product(_choices(dtypes), _choices(packs), _choices(flags), _subsets(optional)):
        yield Variant(*chosen)


def _values(kind: Kind) -> list[Attribute]:
    """All values of a kind that has few."""
    return [False, True] if kind == Kind("bool") else [*kind.choices]


def _choices(options: Mapping[str, Sequence[T]]) -> list[dict[str, T]]:
    return [dict(zip(options, values, strict=True)) for values in itertools.product(*options.values())]


def _subsets(names: Sequence[str]) -> list[frozenset[str]]:
    """All subsets of a few names; of many: all, none, and each one left out."""
    if len(names) > _MOST_OPTIONAL:
        return [frozenset(names), frozenset(), *(frozenset(names) - {n} for n in names)]
    return [frozenset(c) for n in range(len(names) + 1) for c in itertools.combinations(names, n)]


def _note(found: dict[object, UserError], e: UserError) -> None:
    """Keeps one diagnostic per place: variants repeat each other."""
    found.setdefault((e.span.line, e.span.column) if e.span else e.message, e)


def _place(e: UserError) -> tuple[int, int]:
    return (e.span.line, e.span.column) if e.span else (0, 0)
