"""What the order of a reduction means; see ``ir.tensor.Order``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tilewright.errors import InternalError
from tilewright.ir.interpret.indices import Env
from tilewright.ir.scalar import Var
from tilewright.ir.tensor import Order

Accs = list[Any]
Extent = tuple[str, int]
Take = Callable[[Accs, int], Accs]


class Fold:
    """Accumulators with an initial value, a step and (but for strict left folds) a merge."""

    def __init__(
        self,
        accs: Sequence[Var],
        others: Sequence[Var],
        init: Accs,
        step: Callable[[Env], Accs],
        merge: Callable[[Env], Accs] | None,
    ) -> None:
        self.init = init
        self._accs, self._others, self._step, self._merge = accs, others, step, merge

    def step(self, accs: Accs, env: Env) -> Accs:
        """The accumulators after the current point."""
        env.update(zip(self._accs, accs, strict=True))
        return self._step(env)

    def join(self, left: Accs, right: Accs, env: Env) -> Accs:
        """Two partial results as one; ``left`` comes first."""
        if self._merge is None:
            raise InternalError("a fold without a merge can only be a chain")
        env.update(zip(self._accs, left, strict=True))
        env.update(zip(self._others, right, strict=True))
        return self._merge(env)

    def reduce(self, accs: Accs, axes: Sequence[tuple[Extent, Order]], env: Env) -> Accs:
        """``accs`` after the points of ``axes`` (outermost first), each in its order."""
        if not axes:
            return self.step(accs, env)
        ((name, extent), order), inner = axes[0], axes[1:]

        def take(before: Accs, i: int) -> Accs:
            env[name] = i
            return self.reduce(before, inner, env)

        if order.is_chain:
            return _chain(take, accs, range(extent))
        chunks = [range(i, min(i + order.chunk, extent)) for i in range(0, extent, order.chunk)]
        totals = [self._chunk(take, chunk, order.lanes, env) for chunk in chunks]
        return self.join(accs, self._pairwise(totals, env), env) if totals else accs

    def _chunk(self, take: Take, chunk: range, lanes: int, env: Env) -> Accs:
        if lanes & (lanes - 1):
            raise InternalError(f"{lanes} lanes cannot be halved down to 1")
        partials = [_chain(take, self.init, chunk[lane::lanes]) for lane in range(lanes)]
        while len(partials) > 1:
            half = len(partials) // 2
            partials = [self.join(partials[i], partials[i + half], env) for i in range(half)]
        return partials[0]

    def _pairwise(self, totals: list[Accs], env: Env) -> Accs:
        while len(totals) > 1:
            pairs = [self.join(a, b, env) for a, b in zip(totals[::2], totals[1::2], strict=False)]
            totals = pairs + totals[2 * len(pairs) :]
        return totals[0]


def _chain(take: Take, accs: Accs, elements: range) -> Accs:
    for i in elements:
        accs = take(accs, i)
    return accs
