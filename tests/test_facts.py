"""What Facts says is true of every integer that the facts allow: checked by trying them all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilewright.ir import index as ix
from tilewright.ir import samples
from tilewright.ir.facts import Facts
from tilewright.ir.index import Condition, Index, const, eq, ge, lt, symbol

N, M, R, S = map(symbol, ("N", "M", "R", "stride"))
AI, J, X = map(symbol, ("i", "j", "x"))


def value(index: Index, env: dict[str, int]) -> int:
    """Evaluates by definition, sharing nothing with the code under test."""
    result = index.const
    for monomial, coef in index.terms:
        for atom in monomial:
            coef *= atom_value(atom, env)
        result += coef
    return result


def atom_value(atom: ix.Atom, env: dict[str, int]) -> int:
    if isinstance(atom, ix.Symbol):
        return env[atom.name]
    parts = [value(c, env) for c in ix.children(atom)]
    if isinstance(atom, ix.FloorDiv):
        return parts[0] // parts[1]
    if isinstance(atom, ix.Mod):
        return parts[0] % parts[1]
    assert isinstance(atom, ix.Extremum)
    return min(parts) if atom.kind == "min" else max(parts)


def holds(condition: Condition, env: dict[str, int]) -> bool:
    v = value(condition.index, env)
    return v >= 0 if condition.kind == "ge" else v == 0


def points(facts: Facts, top: int = 4) -> Iterator[dict[str, int]]:
    """All small values of N, M, x, i, j (and c: any sign) that satisfy the facts."""
    for n, m, c in itertools.product(range(top), range(top), (-2, 0, 3)):
        env = {"N": n, "M": m, "c": c}
        spans = {s: range(value(lo, env), value(hi, env)) for s, (lo, hi) in facts.ranges.items()}
        if not all(spans.values()):
            continue
        for values in itertools.product(*spans.values()):
            env = {"N": n, "M": m, "c": c, **dict(zip(spans, values, strict=True))}
            if all(holds(k, env) for k in facts.conditions):
                yield env


leaves = st.one_of(st.sampled_from([N, M, AI, J, symbol("c")]), st.integers(-4, 5).map(const))


def compound(inner: st.SearchStrategy[Index]) -> st.SearchStrategy[Index]:
    divisors = st.one_of(st.integers(1, 6).map(const), st.sampled_from([N + 1, M + 2]))
    return st.one_of(
        st.builds(lambda a, b: a + b, inner, inner),
        st.builds(lambda a, k: a * k, inner, st.integers(-4, 4)),
        st.builds(lambda a, b: a * b, inner, leaves),
        st.builds(ix.floordiv, inner, divisors),
        st.builds(ix.mod, inner, divisors),
        st.builds(lambda k, a, b: ix.extremum(k, [a, b]), st.sampled_from(["min", "max"]), inner, inner),
    )


indices = st.recursive(leaves, compound, max_leaves=6)
ends = st.sampled_from([N, M, const(4), N * 2, ix.ceildiv(N, 2)])
facts = st.builds(
    lambda a, b, lo, known: Facts({"i": (const(lo), a), "j": (const(0), b)}, known, ("N", "M")),
    ends,
    ends,
    st.integers(-1, 1),
    st.lists(st.sampled_from([lt(AI * 2 + J, N), ge(N, 2), lt(AI, J + M), ge(symbol("c"), 1), eq(N, M)]), max_size=2),
)


@settings(max_examples=250, deadline=None)
@given(facts, indices, st.sampled_from(["ge", "eq"]))
def test_proofs_are_sound(known: Facts, index: Index, kind: str) -> None:
    answer = known.prove(Condition(kind, index))
    if answer is not None:
        assert all(holds(Condition(kind, index), env) is answer for env in points(known))


@settings(max_examples=250, deadline=None)
@given(facts, indices)
def test_bounds_and_simplification_are_sound(known: Facts, index: Index) -> None:
    low, high = known.bounds(index)
    short = known.simplify(index)
    assert known.simplify(short) is short
    for env in points(known):
        v = value(index, env)
        assert (low is None or low <= v) and (high is None or v <= high)
        assert value(short, env) == v


@settings(max_examples=250, deadline=None)
@given(facts)
def test_sample_points_satisfy_what_is_known(known: Facts) -> None:
    for point in samples.Points(known.ranges, known.conditions, {"N": 0, "M": 0}):
        env = {name: point.value(symbol(name)) for name in ("N", "M", "c", *known.ranges)}
        assert env["N"] >= 0 and env["M"] >= 0
        assert all(value(lo, env) <= env[s] < value(hi, env) for s, (lo, hi) in known.ranges.items())
        assert all(holds(c, env) for c in known.conditions)


class NoPoints:
    def refute(self, goal: Index) -> bool:
        return False


@settings(max_examples=250, deadline=None)
@given(facts, indices)
def test_points_refute_only_what_a_search_would_not_find(known: Facts, index: Index) -> None:
    searching = Facts(known.ranges, known.conditions, known.sizes)
    searching.__dict__["_points"] = NoPoints()
    found = searching.prove(Condition("ge", index))
    assert found is None or known.prove(Condition("ge", index)) is found


@pytest.mark.parametrize(
    "index",
    [
        AI % 6, J % 5, AI // 3, J // 2, (AI * 2 + 1) % 4, (N - AI) % 3, AI % (M + 2), J // (M + 1), ix.minimum(AI, 2),
        ix.maximum(AI - 2, J), ix.minimum(J, N - 1), AI * M % 7, AI % 4 // 2, AI // 2 % 3, X % 6,
    ],
    ids=str,
)  # fmt: skip
def test_the_search_alone_is_sound_where_truth_ends(index: Index) -> None:
    """No point refutes here, and every constant around the least and the greatest value is tried."""
    ranges = {"i": (const(0), N * 4), "j": (const(-2), M + 1), "x": (const(-7), const(9))}
    known = Facts(ranges, (), ("N", "M"))
    seen = [value(index, env) for env in points(known)]
    for sign, k in itertools.product((1, -1), range(-13, 14)):
        searching = Facts(ranges, (), ("N", "M"))
        searching.__dict__["_points"] = NoPoints()
        if searching.prove(ge(index * sign + k, 0)):
            assert min(v * sign for v in seen) + k >= 0


@settings(max_examples=200, deadline=None)
@given(indices, st.integers(0, 30))
def test_points_evaluate_as_integers_do(index: Index, seed: int) -> None:
    point = samples.Point({}, {}, seed)
    env = {name: point.value(symbol(name)) for name in ("N", "M", "i", "j", "c")}
    try:
        wanted = value(index, env)
    except ZeroDivisionError:
        assert not point.refutes(index) and not point.refutes(-index)
    else:
        assert point.value(index) == wanted and point.refutes(index) is (wanted < 0)


def test_what_has_no_value_at_a_point_is_not_refuted() -> None:
    point = samples.Point({"i": (AI, AI + 1), "j": (const(3), const(3))}, {}, 0)
    for index in (ix.pow2(N - N % 2 - 100_000), ix.ctz(N * 0 + M - M - M * M), AI, J):
        assert not point.refutes(index - 5) and not point.refutes(5 - index)


def spatial() -> Facts:
    """The output axis p and the window axis r of a convolution."""
    return Facts({"p": (const(0), (N - R) // S + 1), "r": (const(0), R)}, [ge(S, 1)], ("N", "R"))


TILED = Facts({"io": (const(0), ix.ceildiv(N, 16)), "ii": (const(0), const(16))}, (), ("N",))
IO, II, P, K = map(symbol, ("io", "ii", "p", "r"))


@pytest.mark.parametrize(
    ("known", "condition", "answer"),
    [
        (spatial(), lt(P * S + K, N), True),
        (spatial(), ge(P * S + K, 0), True),
        (spatial(), ge(P * S + K, 1), None),
        (spatial(), lt(P * S + K + R, R), False),
        (spatial(), ge(N, R), True),
        (TILED, lt(IO * 16, N), True),
        (TILED, lt(IO * 16 + II, N), None),
        (TILED, lt(IO * 16 + II, N + 15), True),
        (TILED.extended({}, [lt(IO * 16 + II, N)]), lt(IO * 16 + II, N), True),
        (TILED, ge(N, 1), True),
        (TILED, eq(IO * 2, II * 4 + 1), False),
        (Facts({"i": (const(0), N * M)}, (), ("N", "M")), lt(AI // M, N), True),
        (Facts({"i": (const(0), N * M)}, (), ("N", "M")), lt(AI % M, M), True),
        (Facts({"i": (const(0), N), "j": (const(0), AI + 1)}, (), ("N",)), lt(J, N), True),
        (Facts({}, [ge(N, M + 2)], ("N", "M")), ge(N, M + 1), True),
        (Facts({}, (), ("N",)), lt(J % (N + 4), N + 4), True),
        (Facts({}, (), ("N",)), lt(J % (N + 4), N + 3), None),
        (Facts({}, (), ("N",)), ge(N, 0), True),
        (Facts({}, ()), ge(N, 0), None),
    ],
)
def test_known_answers(known: Facts, condition: Condition, answer: bool | None) -> None:
    assert known.prove(condition) is answer


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ((IO * 16 + II) // 16, "io"),
        ((IO * 16 + II) % 16, "ii"),
        ((IO * 16 + II) // 32, "(io // 2)"),
        ((IO * 16 + II) % 32, "ii + (io % 2)*16"),
        (II % N, "(ii % N)"),
        (ix.minimum(IO * 16, N), "io*16"),
        (ix.maximum(II - 20, const(0)), "0"),
        ((II - 16) // 16, "-1"),
    ],
)
def test_known_simplifications(index: Index, expected: str) -> None:
    assert str(TILED.simplify(index)) == expected


def test_what_cannot_be_simplified_is_the_same_object() -> None:
    index = (IO * 16 + II) // 7 + X
    assert TILED.simplify(index) is index


def test_remainder_by_a_symbolic_extent() -> None:
    known = Facts({"i": (const(0), N)}, (), ("N",))
    assert known.simplify(AI % N) is AI and known.simplify(AI // N).constant == 0
    assert known.simplify((AI * M + J) // M) is not AI


def test_bounds_of_sums_use_symbolic_ranges() -> None:
    known = Facts({"i": (const(0), N)}, (), ("N",))
    assert known.bounds(N - AI) == (1, None) and known.bounds(AI - N) == (None, -1)
