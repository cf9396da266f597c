"""What scalar expressions mean: functions of an environment.

The environment binds index symbols by name and variables by their ``Var`` node. A read differs between
the two IR levels; subclasses say what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tilewright.errors import InternalError
from tilewright.ir import scalar as sc
from tilewright.ir.index import Index
from tilewright.ir.interpret.domains import Domain
from tilewright.ir.interpret.indices import Env, index_function
from tilewright.ir.scalar import CheckedIndex, Expr

Slots = Sequence[Any]
Step = Callable[[Env, Slots], Any]
"""One node's value, given those of the nodes before it."""


class Meaning:
    """Some expressions, evaluated together: ``meaning(env)`` is the list of their values.

    Every node is evaluated once, its operands before it (both sides of ``where`` too), but of a guarded read
    only the part that it takes. Nothing here recurses, so expressions may be deep.
    """

    def __init__(self, exprs: Sequence[Expr], domain: Domain, params: Mapping[str, Any]) -> None:
        self.domain, self.params = domain, params
        self._slots: dict[Expr, int] = {}
        self._steps: list[Step] = []
        for node in _operands_first(exprs):
            self._steps.append(self._step(node))
            self._slots[node] = len(self._slots)
        self._roots = [self._slots[e] for e in exprs]

    def __call__(self, env: Env) -> list[Any]:
        slots = self.evaluate(env)
        return [slots[k] for k in self._roots]

    def evaluate(self, env: Env) -> list[Any]:
        """The values of all nodes, to be picked from by :meth:`value`."""
        slots: list[Any] = []
        for step in self._steps:
            slots.append(step(env, slots))
        return slots

    def value(self, i: Index | Expr) -> Step:
        """What picks the value of an index, or of an expression that is among those evaluated here."""
        if isinstance(i, Index):
            affine = index_function(i)
            return lambda env, slots: affine(env)
        slot = self._slots[i]
        return lambda env, slots: slots[slot]

    def read(self, e: sc.Read) -> Step:
        """What a read does."""
        raise InternalError(f"no meaning for a read of {e.tensor!r} here")

    def checked(self, e: CheckedIndex) -> Step:
        """What a checked index does; its value goes to the read or write that uses it."""
        raise InternalError("no meaning for a CheckedIndex here")

    def _step(self, e: Expr) -> Step:
        if isinstance(e, sc.Const):
            value = self.domain.constant(e.value, e.dtype)
            return lambda env, slots: value
        if isinstance(e, sc.IndexValue):
            return self.value(e.index)
        if isinstance(e, sc.Param):
            return self._param(e)
        if isinstance(e, sc.Var):
            return lambda env, slots: env[e]
        if isinstance(e, sc.Apply):
            return self._apply(e)
        if isinstance(e, sc.Read):
            return self.read(e)
        if isinstance(e, CheckedIndex):
            return self.checked(e)
        raise InternalError(f"no meaning for a {type(e).__name__} here")

    def _param(self, e: sc.Param) -> Step:
        if e.name not in self.params:
            raise InternalError(f"there is no scalar {e.name!r}")
        value = self.params[e.name]
        return lambda env, slots: value

    def _apply(self, e: sc.Apply) -> Step:
        refuse_checked(e.args)
        operation = self.domain.operation(e.op, [a.dtype for a in e.args], e.dtype)
        args = [self._slots[a] for a in e.args]
        if len(args) == 1:
            (only,) = args
            return lambda env, slots: operation(slots[only])
        if len(args) == 2:
            left, right = args
            return lambda env, slots: operation(slots[left], slots[right])
        return lambda env, slots: operation(*[slots[k] for k in args])


def refuse_checked(exprs: Sequence[Expr]) -> None:
    """InternalError if one is a checked index, which can only be an index."""
    if any(isinstance(e, CheckedIndex) for e in exprs):
        raise InternalError("no meaning for a CheckedIndex outside of an index")


def data_indices(indices: Sequence[Index | Expr]) -> list[Expr]:
    """The data-dependent ones."""
    return [i for i in indices if not isinstance(i, Index)]


def _operands(e: Expr) -> tuple[Expr, ...]:
    """What is evaluated before ``e`` in any case."""
    guarded = isinstance(e, sc.Read) and e.otherwise is not None
    return () if guarded else sc.operands(e)


def _operands_first(exprs: Sequence[Expr]) -> Iterator[Expr]:
    done: set[Expr] = set()
    stack = [(e, False) for e in reversed(exprs)]
    while stack:
        e, ready = stack.pop()
        if e in done:
            continue
        if ready:
            done.add(e)
            yield e
        else:
            stack.append((e, True))
            stack.extend((o, False) for o in reversed(_operands(e)))
