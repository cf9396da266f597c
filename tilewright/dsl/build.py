"""Ops written by Python: for what a text cannot say, since the number of operands or axes is open."""

from __future__ import annotations

from tilewright.dsl import syntax as ast
from tilewright.dsl.format import format
from tilewright.dsl.parse import parse


class OpBuilder:
    """Collects the header and the statements of one op; each part is written as in ``.tw`` source.

    >>> b = OpBuilder("add")
    >>> b.dtype("T", "number")
    >>> names = [b.operand(f"x{n}", "T[...]") for n in range(2)]
    >>> b.result("y", "T[...]")
    >>> b.statement("y[...] = " + " + ".join(f"{name}[...]" for name in names))
    >>> print(b.text(), end="")
    op add[T: number](x0: T[...], x1: T[...]) -> y: T[...]:
        y[...] = x0[...] + x1[...]
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._variables: list[str] = []
        self._operands: list[str] = []
        self._keywords: list[str] = []
        self._results: list[str] = []
        self._statements: list[str] = []

    def dtype(self, name: str, constraint: str) -> None:
        """Declares the dtype variable ``name: constraint``."""
        self._variables.append(f"{name}: {constraint}")

    def operand(self, name: str, shape: str) -> str:
        """Declares the operand ``name: shape``, as in ``x: T[M, N]``; ends in ``?`` if it may be left out. Its name."""
        self._operands.append(f"{name}: {shape}")
        return name

    def attribute(self, name: str, kind: str, default: str) -> str:
        """Declares the attribute ``name: kind = default``. Its name."""
        self._keywords.append(f"{name}: {kind} = {default}")
        return name

    def scalar(self, name: str, dtype: str) -> str:
        """Declares the run-time scalar ``name: scalar dtype``. Its name."""
        self._keywords.append(f"{name}: scalar {dtype}")
        return name

    def result(self, name: str, shape: str) -> None:
        """Declares the result ``name: shape``."""
        self._results.append(f"{name}: {shape}")

    def statement(self, text: str) -> None:
        """Adds a statement."""
        self._statements.append(text)

    def text(self, source: str = "<builder>") -> str:
        """The op as source in canonical layout. SyntaxUserError, which quotes the name ``source``, for a wrong part."""
        return format(self._written(), source)

    def definition(self, source: str = "<builder>") -> ast.Op:
        """The op as :func:`tilewright.dsl.parse.parse` gives it; errors quote the text under the name ``source``."""
        return parse(self.text(source), source).ops[0]

    def _written(self) -> str:
        variables = f"[{', '.join(self._variables)}]" if self._variables else ""
        keywords = ["*", *self._keywords] if self._keywords else []
        parameters, results = ", ".join([*self._operands, *keywords]), ", ".join(self._results)
        head = f"op {self.name}{variables}({parameters}) -> {results}:\n"
        return head + "".join(f"    {s}\n" for s in self._statements)
