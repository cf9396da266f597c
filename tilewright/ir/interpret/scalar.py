"""What scalar expressions mean: functions of an environment.

The environment binds index symbols by name and variables by their ``Var`` node. A read differs between
the two IR levels; subclasses say what it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tilewright.errors import InternalError
from tilewright.ir import scalar as sc
from tilewright.ir.interpret.domains import Domain
from tilewright.ir.interpret.indices import Env, index_function
from tilewright.ir.scalar import Expr

Function = Callable[[Env], Any]


def _distinct_nodes(exprs: Sequence[Expr]) -> dict[Expr, None]:
    return dict.fromkeys(node for e in exprs for node in sc.walk(e))


class Meaning:
    """Some expressions, evaluated together: ``meaning(env)`` is the list of their values.

    All operands of an operation are evaluated (of ``where`` too); of a guarded read only what it needs.
    A node that is used several times is evaluated once.
    """

    def __init__(self, exprs: Sequence[Expr], domain: Domain, params: Mapping[str, Any]) -> None:
        self.domain = domain
        self.params = params
        uses = Counter(o for node in _distinct_nodes(exprs) for o in sc.operands(node))
        uses.update(exprs)
        self._shared = {node for node, count in uses.items() if count > 1}
        self._known: dict[Expr, Any] = {}
        self._built: dict[Expr, Function] = {}
        self._roots = [self.build(e) for e in exprs]

    def __call__(self, env: Env) -> list[Any]:
        self._known.clear()
        return [f(env) for f in self._roots]

    def build(self, e: Expr) -> Function:
        """The function that ``e`` is; InternalError for a node that has no meaning here."""
        if e not in self._built:
            function = self._function(e)
            self._built[e] = self._remembered(e, function) if e in self._shared else function
        return self._built[e]

    def _remembered(self, e: Expr, function: Function) -> Function:
        known = self._known

        def recall(env: Env) -> Any:
            if e not in known:
                known[e] = function(env)
            return known[e]

        return recall

    def _function(self, e: Expr) -> Function:
        if isinstance(e, sc.Const):
            value = self.domain.constant(e.value, e.dtype)
            return lambda env: value
        if isinstance(e, sc.IndexValue):
            return index_function(e.index)
        if isinstance(e, sc.Param):
            return self._param(e)
        if isinstance(e, sc.Var):
            return lambda env: env[e]
        if isinstance(e, sc.Apply):
            return self._apply(e)
        if isinstance(e, sc.Read):
            return self.read(e)
        raise InternalError(f"no meaning for a {type(e).__name__} here")

    def _param(self, e: sc.Param) -> Function:
        if e.name not in self.params:
            raise InternalError(f"there is no scalar {e.name!r}")
        value = self.params[e.name]
        return lambda env: value

    def _apply(self, e: sc.Apply) -> Function:
        operation = self.domain.operation(e.op, [a.dtype for a in e.args], e.dtype)
        args = [self.build(a) for a in e.args]
        if len(args) == 1:
            only, = args
            return lambda env: operation(only(env))
        if len(args) == 2:
            left, right = args
            return lambda env: operation(left(env), right(env))
        return lambda env: operation(*[f(env) for f in args])

    def read(self, e: sc.Read) -> Function:
        """The function that a read is."""
        raise InternalError(f"no meaning for a read of {e.tensor!r} here")
