"""Families of ops: one definition in Python, an op for each number of operands, axes or whatever else is open."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Concatenate, Generic, ParamSpec

from tilewright.compiler.definition import op_of
from tilewright.compiler.op import Op
from tilewright.dsl.build import OpBuilder
from tilewright.dsl.program import Resolver, no_ops

P = ParamSpec("P")


class Family(Generic[P]):
    """Makes ops by ``write(builder, *key)``, each once; from then on they are as if they had been parsed.

    ``shared`` finds the ops that they may call. What ``write`` says wrong is a UserError of the op's text.
    """

    def __init__(self, write: Callable[Concatenate[OpBuilder, P], None], shared: Resolver = no_ops) -> None:
        self.write = write
        self.shared = shared
        self.__doc__ = write.__doc__
        self.name: str = getattr(write, "__name__", "family")
        self._made: dict[Hashable, Op] = {}

    def __repr__(self) -> str:
        return f"<family {self.name}>"

    def op(self, *key: P.args, **named: P.kwargs) -> Op:
        """The op for ``key``: hashable values, by position or by name."""
        known = key, tuple(sorted(named.items()))
        if known not in self._made:
            builder = OpBuilder(self.name)
            self.write(builder, *key, **named)
            chosen = ", ".join([*map(str, key), *(f"{k}={v}" for k, v in named.items())])
            definition = builder.definition(f"<{self.name}({chosen})>")
            self._made.setdefault(known, op_of(definition, shared=self.shared))
        return self._made[known]
