"""On which sizes and operands a function is tried when what became of it is checked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, TypeVar

import numpy as np

from tilewright.ir import scalar, statements
from tilewright.ir.index import Index
from tilewright.ir.interpret import Domain, Env, evaluate, holds
from tilewright.ir.interpret.arrays import HostArray, encode, storage
from tilewright.ir.interpret.exact import P, Q, cell
from tilewright.ir.loops import Kernel, Loop, blocks, walk
from tilewright.ir.tensor import Compute, Function, Tensor
from tilewright.ir.types import DType
from tilewright.records import dataclass

T = TypeVar("T")

FEW, MANY = 3_000, 40_000
"""So many points of a function are evaluated to know what all steps should give, and what compiled code should."""
STEP_ITERATIONS, PLAN_ITERATIONS = 5_000, 10_000
"""So many blocks are interpreted after a step of a schedule, and of a whole plan."""
ODD = (3, 2, 5, 4, 7)
ACROSS_LANES = 67
"""Whole vectors of any dtype and the partial results of any chunk, and some more."""
ACROSS_CHUNKS = 4096 + ACROSS_LANES
"""More than a chunk of a reduction, and more than a task takes of a row."""
_LARGEST_REPAIR = 12
_REPAIRS = 60


@dataclass(frozen=True)
class Trial:
    """A call: the sizes of the dims, and whether some data-dependent indices lie outside of what they index."""

    sizes: tuple[tuple[str, int], ...]
    outside: bool = False

    def __str__(self) -> str:
        where = ", ".join(f"{name} = {n}" for name, n in self.sizes) or "no dims"
        return f"{where}; indices out of range" if self.outside else where

    def inputs(self, f: Function, layout: Mapping[str, int], domain: Domain) -> dict[str, HostArray]:
        """Operands of these sizes whose unit axes are those of ``layout``; the same ones each time."""
        limits = index_limits(f, Env(self.sizes))
        made = {}
        for t in f.inputs:
            values = self._values(t, limits.get(t.name), domain)
            shape = [evaluate(extent, Env(self.sizes)) for extent in t.shape]
            cells = encode((values() for _ in range(math.prod(shape))), shape, t.dtype, domain)
            made[t.name] = spread(cells, layout[t.name], storage(t.dtype, domain))
        return made

    def scalars(self, f: Function, domain: Domain) -> dict[str, Any]:
        """Run-time scalars, as :meth:`inputs` gives operands."""
        values = {s.name: (self._values(Tensor(s.name, s.dtype, ()), None, domain)(), s.dtype) for s in f.scalars}
        return {name: encode([value], (), dtype, domain)[()] for name, (value, dtype) in values.items()}

    def _values(self, t: Tensor, limit: int | None, domain: Domain) -> Callable[[], Any]:
        random = Random(f"{t.name}: {t.dtype} {self}")
        if limit is not None:
            return lambda: _index(random, limit, self.outside)
        return _value(random, t.dtype, domain)


def _index(random: Random, limit: int, outside: bool) -> int:
    if limit < 1 or (outside and random.random() < 0.2):
        return random.choice((-1, limit, limit + 3, -7))
    return random.randrange(limit)


def _value(random: Random, dtype: DType, domain: Domain) -> Callable[[], Any]:
    """Values that tell programs apart: field elements anywhere, some of them equal; small numbers of all else."""
    kind = domain.stand_in(dtype).kind
    if kind == "field":
        common = [cell(0, 0), cell(1, 1), *(_element(random) for _ in range(3))]
        return lambda: random.choice(common) if random.random() < 0.2 else _element(random)
    if kind == "float":
        return lambda: domain.constant(random.choice((random.random(), random.gauss(0, 2))), dtype)
    if kind == "bool":
        return lambda: random.random() < 0.5
    return lambda: random.randrange(0 if kind == "uint" else -5, 10)


def _element(random: Random) -> int:
    return cell(random.randrange(P), random.randrange(Q))


def spread(array: HostArray, unit: int, kind: np.dtype[Any]) -> HostArray:
    """``array`` in memory where only the axis ``unit`` (-1: none) goes from element to element; the others leave gaps
    or run backwards."""
    order = sorted(range(array.ndim), key=lambda a: a == unit)
    room = np.zeros([array.shape[a] + 3 if a == unit else 2 * array.shape[a] for a in order], kind)
    gaps = [slice(1, array.shape[a] + 1) if a == unit else slice(None, None, 2 - 4 * (a % 2)) for a in order]
    view: HostArray = room[(*gaps, ...)].transpose(np.argsort(order))
    view[...] = array
    return view


def index_limits(f: Function, sizes: Env) -> dict[str, int]:
    """Per integer input what its elements must stay below if they index: 1 where that is not seen directly."""
    tensors, limits = f.tensors(), dict[str, int]()
    used = [place for c in f.computes for place in _places(c, tensors)]
    for index, extent in used:
        for read in scalar.reads(index):
            limits[read.tensor] = min(limits.get(read.tensor, 1 << 62), evaluate(extent, sizes))
    if not set(limits) <= {t.name for t in f.inputs}:
        limits = {t.name: min(limits.get(t.name, 2), 2) for t in f.inputs if t.dtype.is_integer} | limits
    return limits


def _places(c: Compute, tensors: Mapping[str, Tensor]) -> Iterator[tuple[scalar.Expr, Index]]:
    """The data-dependent indices of a statement, each with the extent that it must stay below."""
    indexed: list[tuple[Sequence[Index | scalar.Expr], Tensor]]
    indexed = [(r.indices, tensors[r.tensor]) for r in statements.reads(c)]
    if c.scatter:
        indexed.append((c.scatter.indices, c.results[0]))
    for indices, t in indexed:
        yield from ((i, extent) for i, extent in zip(indices, t.shape, strict=True) if not isinstance(i, Index))


def within(choices: Iterable[T], cost: Callable[[T], int], most: int) -> list[T]:
    """The choices, in order, that together cost at most ``most``; one that costs too much is left out."""
    chosen: list[T] = []
    for choice in choices:
        price = cost(choice)
        if price <= most:
            chosen.append(choice)
            most -= price
    return chosen


def iterations(kernel: Kernel, sizes: Mapping[str, int]) -> int:
    """About how many blocks ``kernel`` runs."""
    env = Env(sizes) | {s.var: 0 for s, _ in walk(kernel.body) if isinstance(s, Loop)}
    return sum(_trips(loops, Env(env)) for _, loops in blocks(kernel))


def _trips(loops: Iterable[Loop], env: Env) -> int:
    """An extent has a meaning where the loops around it run."""
    count = 1
    for loop in loops:
        count *= evaluate(loop.extent, env) if count else 0
    return count


# --- sizes --------------------------------------------------------------------------------------


def points(f: Function, sizes: Env) -> int:
    """How many points the statements of ``f`` have at ``sizes``, or elements its tensors."""
    statement_points = sum(math.prod(evaluate(a.extent, sizes) for a in statements.all_axes(c)) for c in f.computes)
    elements = sum(math.prod(evaluate(e, sizes) for e in t.shape) for t in f.tensors().values())
    return max(statement_points, elements)


def fits(f: Function, sizes: Env) -> bool:
    """Whether ``sizes`` meet the preconditions of ``f`` and leave no extent negative."""
    shapes = (t.shape for t in f.tensors().values())
    extents = itertools.chain(*shapes, (a.extent for c in f.computes for a in statements.all_axes(c)))
    return all(holds(c, sizes) for c in f.preconditions) and all(evaluate(e, sizes) >= 0 for e in extents)


def small_trials(f: Function) -> list[Trial]:
    """Few and small ones, to be interpreted often: nothing, one, odd sizes, and each dim across the lanes."""
    names = _dims(f)
    odd = _odd(names)
    templates = [odd, *({**dict.fromkeys(names, 1), n: ACROSS_LANES} for n in reversed(names))]
    templates += [dict.fromkeys(names, n) for n in (0, 1, 2)]
    templates += [{**odd, name: ACROSS_LANES} for name in reversed(names)]
    return list(_both(f, _affordable(f, templates, FEW)))


def large_trials(f: Function) -> list[Trial]:
    """For compiled code: each dim across the chunks, and all dims across the lanes."""
    names = _dims(f)
    across = [{**dict.fromkeys(names, 1), n: ACROSS_CHUNKS} for n in reversed(names)]
    templates = [_odd(names), *across, dict.fromkeys(names, ACROSS_LANES)]
    return [Trial(sizes) for sizes in _affordable(f, templates, MANY)]


def _odd(names: Iterable[str]) -> dict[str, int]:
    return dict(zip(names, itertools.cycle(ODD)))


def _dims(f: Function) -> list[str]:
    return list(dict.fromkeys(e.symbol for t in f.inputs for e in t.shape if e.symbol))


def _affordable(f: Function, templates: Iterable[dict[str, int]], most: int) -> list[tuple[tuple[str, int], ...]]:
    """The sizes of ``templates``, mended where they do not fit, as long as their points are not more than ``most``."""
    mended = (_mended(f, template) for template in templates)
    fitting = dict.fromkeys(tuple(sizes.items()) for sizes in mended if sizes is not None)
    return within(fitting, lambda sizes: points(f, Env(sizes)), most)


def _mended(f: Function, sizes: dict[str, int]) -> dict[str, int] | None:
    """``sizes``, or near them some that fit; None if none are found."""
    random = Random(str(sizes))
    for n in range(_REPAIRS):
        if fits(f, Env(sizes)):
            return sizes
        changed = [name for name in sizes if random.random() < 0.5]
        sizes = {**sizes, **{name: random.randrange(1, 2 + n * _LARGEST_REPAIR // _REPAIRS) for name in changed}}
    return None


def _both(f: Function, all_sizes: Iterable[tuple[tuple[str, int], ...]]) -> Iterator[Trial]:
    """Each size, and where indices are data also with some that are out of range."""
    for sizes in all_sizes:
        yield Trial(sizes)
        if index_limits(f, Env(sizes)):
            yield Trial(sizes, outside=True)
