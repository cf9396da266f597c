"""What index expressions and conditions mean: integers, with floor division and modulo."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from tilewright.errors import InternalError
from tilewright.ir.index import Atom, Condition, Ctz, Extremum, FloorDiv, Index, Mod, Pow2, Symbol


class Env(dict[Any, Any]):
    """The values of symbols by name (and of bound variables by node)."""

    def __missing__(self, key: object) -> Any:
        raise InternalError(f"{key} has no value here")


IndexFunction = Callable[[Env], int]


@lru_cache(maxsize=8192)
def index_function(index: Index) -> IndexFunction:
    """The function of an environment that ``index`` is."""
    if index.symbol is not None:
        name = index.symbol
        return lambda env: env[name]
    terms = [(c, [_atom_function(a) for a in m]) for m, c in index.terms]
    constant = index.const
    if not terms:
        return lambda env: constant
    return lambda env: sum([c * math.prod([f(env) for f in factors]) for c, factors in terms], constant)


def _atom_function(atom: Atom) -> IndexFunction:
    if isinstance(atom, Symbol):
        name = atom.name
        return lambda env: env[name]
    if isinstance(atom, (FloorDiv, Mod)):
        return _division(atom)
    if isinstance(atom, Extremum):
        pick = {"min": min, "max": max}[atom.kind]
        args = [index_function(a) for a in atom.args]
        return lambda env: pick([f(env) for f in args])
    if isinstance(atom, Pow2):
        return _checked(atom, atom.exponent, lambda e: 0 <= e < 63, lambda e: 1 << e)
    if isinstance(atom, Ctz):
        return _checked(atom, atom.value, lambda v: v > 0, lambda v: (v & -v).bit_length() - 1)
    raise InternalError(f"no meaning for the index atom {type(atom).__name__}")


def _division(atom: FloorDiv | Mod) -> IndexFunction:
    num, den, quotient = index_function(atom.num), index_function(atom.den), isinstance(atom, FloorDiv)

    def divide(env: Env) -> int:
        n, d = num(env), den(env)
        if d == 0:
            raise InternalError(f"division by 0 in {atom}")
        return n // d if quotient else n % d

    return divide


def _checked(atom: Atom, operand: Index, legal: Callable[[int], bool], f: Callable[[int], int]) -> IndexFunction:
    value = index_function(operand)

    def apply(env: Env) -> int:
        v = value(env)
        if not legal(v):
            raise InternalError(f"{atom} is not defined for {v}")
        return f(v)

    return apply


def _env(values: Mapping[str, int]) -> Env:
    return values if isinstance(values, Env) else Env(values)


def evaluate(index: Index, values: Mapping[str, int]) -> int:
    """The value of ``index``; InternalError where a symbol has no value or an operation is undefined."""
    return index_function(index)(_env(values))


def holds(condition: Condition, values: Mapping[str, int]) -> bool:
    """Whether ``condition`` is true of the values."""
    value = evaluate(condition.index, values)
    return value >= 0 if condition.kind == "ge" else value == 0


def condition_function(conditions: tuple[Condition, ...]) -> Callable[[Env], bool]:
    """The function of an environment that says whether all ``conditions`` hold."""
    sides = [(c.kind == "ge", index_function(c.index)) for c in conditions]
    return lambda env: all(f(env) >= 0 if at_least else f(env) == 0 for at_least, f in sides)
