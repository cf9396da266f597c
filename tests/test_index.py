"""The index algebra: whatever is built from indices has the value that arithmetic on integers gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilewright.errors import InternalError
from tilewright.ir import index as ix
from tilewright.ir.facts import Facts
from tilewright.ir.index import Atom, Ctz, Extremum, FloorDiv, Index, Mod, Pow2, Symbol, const, symbol
from tilewright.ir.intern import Interned

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


# --- laws ---------------------------------------------------------------------------------------

signed = st.one_of(st.integers(-9, -1), st.integers(1, 9))
any_divisor = st.one_of(signed.map(const), st.sampled_from([symbol("d"), symbol("d") * 2, symbol("d") * -3]))
with_divisor = st.fixed_dictionaries({**{n: st.integers(-20, 40) for n in NAMES}, "d": signed})


@settings(max_examples=300, deadline=None)
@given(built, any_divisor, with_divisor)
def test_division_by_anything_but_zero_floors(x: Built, by: Index, env: dict[str, int]) -> None:
    v, d = x.value(env), value(by, env)
    quotient, rest = ix.floordiv(x.index, by), ix.mod(x.index, by)
    assert value(quotient, env) == v // d and value(rest, env) == v % d
    assert value(quotient * by + rest, env) == v
    assert ix.floordiv(x.index * by, by) is x.index and ix.mod(x.index * by, by) is const(0)


@settings(max_examples=300, deadline=None)
@given(built, built, built)
def test_sums_and_products_have_one_normal_form(x: Built, y: Built, z: Built) -> None:
    a, b, c = x.index, y.index, z.index
    assert a + b is b + a and (a + b) + c is a + (b + c) and a - a is const(0) and a + 0 is a
    assert a * b is b * a and a * 1 is a and a * 0 is const(0) and (-a) * -1 is a
    assert a * (b + c) is a * b + a * c


@settings(max_examples=300, deadline=None)
@given(built, built, built)
def test_extrema_have_one_normal_form(x: Built, y: Built, z: Built) -> None:
    a, b, c = x.index, y.index, z.index
    for pick in (ix.minimum, ix.maximum):
        assert pick(a, b, c) is pick(c, b, a) and pick(a, a) is a and pick(a, b, a) is pick(a, b)


@settings(max_examples=300, deadline=None)
@given(built)
def test_what_does_not_change_is_the_same_object(x: Built) -> None:
    """No node is made for a rebuilding that changes nothing: the nodes that exist are the nodes that there were."""
    assert ix.substitute(x.index, {n: symbol(n) for n in NAMES}) is x.index
    for atom in ix.atoms(x.index):
        assert ix.rebuild(atom, ix.children(atom)) is ix.of_atom(atom)
    known = Facts({})
    once = known.simplify(x.index)
    assert known.simplify(once) is once and Facts({}).simplify(once) is once
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Interned, "_made", None)
        assert ix.substitute(x.index, {"d": const(1)}) is x.index and known.simplify(once) is once


@settings(max_examples=200, deadline=None)
@given(built, built, envs)
def test_substitution_is_simultaneous(x: Built, y: Built, env: Env) -> None:
    swapped = ix.substitute(x.index, {"a": symbol("b"), "b": symbol("a")})
    assert value(swapped, env) == x.value({**env, "a": env["b"], "b": env["a"]})
    grown = ix.substitute(x.index, {"a": y.index})
    assert value(grown, env) == x.value({**env, "a": y.value(env)})


@settings(max_examples=200, deadline=None)
@given(built, built, envs)
def test_conditions_substitute_and_print(x: Built, y: Built, env: Env) -> None:
    condition = ix.ge(x.index, y.index)
    given = ix.substitute_condition(condition, {n: const(v) for n, v in env.items()})
    assert (given.index.const >= 0) is (x.value(env) >= y.value(env))
    assert ix.substitute_condition(condition, {"d": const(1)}) is condition
    assert ix.lt(y.index, x.index + 1) is condition


@pytest.mark.parametrize(("make", "wrong"), [(ix.pow2, (-1, 63, -(1 << 70), 1 << 40)), (ix.ctz, (0, -1, -8))])
def test_powers_and_trailing_zeros_of_what_has_none(make: Callable[[int], Index], wrong: tuple[int, ...]) -> None:
    for v in wrong:
        with pytest.raises(InternalError, match=rf"{make.__name__}\({v}\) has no value"):
            make(v)
    for k in range(63):
        assert ix.pow2(k).constant == 1 << k and ix.ctz(1 << k).constant == k and ix.ctz(3 << k).constant == k


def test_the_sizes_of_an_index() -> None:
    a, b = symbol("a"), symbol("b")
    assert ix.depth(a + 1) == 0 and ix.depth(ix.minimum(a // 3 + 1, b) + a // 2) == 2
    assert ix.weight(a * b + 4) == 3 and ix.weight(a // 3) == 5
    assert ix.in_range(a * ((1 << 63) - 1)) and not ix.in_range(a * (1 << 63)) and ix.in_range(const(-(1 << 63)))
    assert ix.multipliable(a + b, a + b) and not ix.multipliable(ix.product([a] * 150), ix.product([b] * 60))
