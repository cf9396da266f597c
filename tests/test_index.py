"""The index algebra: whatever is built from indices has the value that arithmetic on integers gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilewright.ir import index as ix
from tilewright.ir.index import Atom, Ctz, Extremum, FloorDiv, Index, Mod, Pow2, Symbol, const, symbol

Env = Mapping[str, int]
NAMES = ("a", "b", "c")


@dataclass(frozen=True)
class Built:
    """An index, and what it should be."""

    index: Index
    value: Callable[[Env], int]


def both(make: Callable[..., Index], apply: Callable[..., int], *parts: Built) -> Built:
    return Built(make(*(p.index for p in parts)), lambda env: apply(*(p.value(env) for p in parts)))


leaves = st.one_of(
    st.sampled_from(NAMES).map(lambda n: Built(symbol(n), lambda env: env[n])),
    st.integers(-5, 9).map(lambda k: Built(const(k), lambda env: k)),
)
divisors = st.integers(-7, 7).filter(bool)


def compound(inner: st.SearchStrategy[Built]) -> st.SearchStrategy[Built]:
    def by(make: Callable[[Index, Index], Index], apply: Callable[[int, int], int]) -> st.SearchStrategy[Built]:
        return st.builds(lambda x, d: both(lambda i: make(i, const(d)), lambda v: apply(v, d), x), inner, divisors)

    return st.one_of(
        st.builds(lambda x, y: both(lambda i, j: i + j, lambda v, w: v + w, x, y), inner, inner),
        st.builds(lambda x, y: both(lambda i, j: i - j, lambda v, w: v - w, x, y), inner, inner),
        st.builds(lambda x, y: both(lambda i, j: i * j, lambda v, w: v * w, x, y), inner, leaves),
        by(ix.floordiv, lambda v, d: v // d),
        by(ix.mod, lambda v, d: v % d),
        st.builds(lambda x, y: both(ix.minimum, min, x, y), inner, inner),
        st.builds(lambda x, y: both(ix.maximum, max, x, y), inner, inner),
        st.builds(lambda x, d: both(lambda i: ix.ceildiv(i, d), lambda v: -(-v // d), x), inner, st.integers(1, 7)),
        inner.map(
            lambda x: both(lambda i: ix.ctz(ix.maximum(i, 1)), lambda v: (max(v, 1) & -max(v, 1)).bit_length() - 1, x)
        ),
        inner.map(lambda x: both(lambda i: ix.pow2(ix.mod(i, const(5))), lambda v: 1 << v % 5, x)),
    )


built = st.recursive(leaves, compound, max_leaves=8)
envs = st.fixed_dictionaries({n: st.integers(-20, 40) for n in NAMES})


def value(index: Index, env: Env) -> int:
    """The value of a normal form, read off its terms."""
    found = index.const
    for monomial, coefficient in index.terms:
        product = coefficient
        for atom in monomial:
            product *= atom_value(atom, env)
        found += product
    return found


def atom_value(atom: Atom, env: Env) -> int:
    if isinstance(atom, Symbol):
        return env[atom.name]
    inner = [value(c, env) for c in ix.children(atom)]
    if isinstance(atom, Extremum):
        return (min if atom.kind == "min" else max)(inner)
    if isinstance(atom, (FloorDiv, Mod)):
        return inner[0] // inner[1] if isinstance(atom, FloorDiv) else inner[0] % inner[1]
    assert isinstance(atom, (Pow2, Ctz))
    return 1 << inner[0] if isinstance(atom, Pow2) else (inner[0] & -inner[0]).bit_length() - 1


@settings(max_examples=400, deadline=None)
@given(built, envs)
def test_normal_forms_and_substitution_keep_the_value(x: Built, env: Env) -> None:
    wanted = x.value(env)
    assert value(x.index, env) == wanted
    some = {n: const(env[n]) for n in NAMES[:2]}
    assert value(ix.substitute(x.index, some), env) == wanted
    assert ix.substitute(x.index, {n: const(v) for n, v in env.items()}).constant == wanted
    assert ix.substitute(x.index, {"d": const(1)}) is x.index


@settings(max_examples=300, deadline=None)
@given(built, built, envs)
def test_conditions_mean_comparisons(x: Built, y: Built, env: Env) -> None:
    v, w = x.value(env), y.value(env)
    pairs = ((ix.ge, v >= w), (ix.lt, v < w), (ix.eq, v == w))
    for make, wanted in pairs:
        condition = make(x.index, y.index)
        found = value(condition.index, env)
        assert (found >= 0 if condition.kind == "ge" else found == 0) is wanted


@settings(max_examples=300, deadline=None)
@given(built, envs)
def test_a_coefficient_is_what_a_step_adds(x: Built, env: dict[str, int]) -> None:
    step = ix.coefficient(x.index, "a")
    if step is not None:
        assert "a" not in ix.symbols(step)
        assert x.value({**env, "a": env["a"] + 1}) - x.value(env) == value(step, env)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (symbol("a") // 3 // 5, "(a // 15)"),
        (symbol("a") // 3 * 3 + symbol("a") % 3, "a"),
        (ix.floordiv(symbol("a"), const(-2)), "((-a) // 2)"),
        ((symbol("a") * 6 + 5) // 3, "a*2 + 1"),
        (symbol("a") * symbol("b") // symbol("b"), "a"),
        (ix.minimum(4, symbol("a"), 2, symbol("a")), "min(2, a)"),
        (ix.ctz(12), "2"),
    ],
)
def test_normal_forms(made: Index, text: str) -> None:
    assert str(made) == text
