"""Index expressions and conditions as C."""

from __future__ import annotations

from collections.abc import Callable

from tilewright.errors import UnsupportedError
from tilewright.ir.index import Atom, Condition, Ctz, Extremum, FloorDiv, Index, Mod, Monomial, Pow2, Symbol

Scope = Callable[[str], str]
"""The C text of a symbol."""


def index_text(index: Index, scope: Scope) -> str:
    """``index`` as a C expression of type int64_t (or a small int literal)."""
    parts = [_term(m, c, scope) for m, c in index.terms]
    if index.const or not parts:
        parts.append(integer(index.const))
    return " + ".join(parts).replace("+ -", "- ")


def operand_text(index: Index, scope: Scope) -> str:
    """The same, to stand in a product."""
    text = index_text(index, scope)
    return text if text.isidentifier() or text.isdigit() else f"({text})"


def condition_text(condition: Condition, scope: Scope) -> str:
    """``condition`` as a C expression, constants moved to the right."""
    left = Index(condition.index.terms, 0)
    sign = ">=" if condition.kind == "ge" else "=="
    return f"{index_text(left, scope)} {sign} {integer(-condition.index.const)}"


def conjunction(conditions: tuple[Condition, ...], scope: Scope) -> str:
    return " && ".join(condition_text(c, scope) for c in conditions)


def integer(value: int) -> str:
    """A literal that may stand in int64_t arithmetic."""
    if -(2**31) < value < 2**31:
        return str(value)
    if value == -(2**63):
        return "INT64_MIN"
    return f"INT64_C({value})" if value >= 0 else f"-INT64_C({-value})"


def _term(monomial: Monomial, coefficient: int, scope: Scope) -> str:
    factors = [_atom(a, scope) for a in monomial]
    if coefficient == -1:
        return "-" + " * ".join(factors)
    return " * ".join(factors if coefficient == 1 else [integer(coefficient), *factors])


def _atom(atom: Atom, scope: Scope) -> str:
    if isinstance(atom, Symbol):
        return scope(atom.name)
    if isinstance(atom, (FloorDiv, Mod)):
        helper = "tw_floordiv" if isinstance(atom, FloorDiv) else "tw_floormod"
        return f"{helper}({index_text(atom.num, scope)}, {index_text(atom.den, scope)})"
    if isinstance(atom, Extremum):
        return _extremum(atom.kind, [index_text(a, scope) for a in atom.args])
    if isinstance(atom, Pow2):
        return f"(INT64_C(1) << ({index_text(atom.exponent, scope)}))"
    if isinstance(atom, Ctz):
        return f"tw_ctz({index_text(atom.value, scope)})"
    raise UnsupportedError(f"the c target has no index expression {type(atom).__name__}")


def _extremum(kind: str, args: list[str]) -> str:
    text = args[-1]
    for a in args[-2::-1]:
        text = f"tw_{kind}({a}, {text})"
    return text
