"""Random tensors: the same numbers everywhere, and those that they should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_table.random import philox, uniform

import tilewright as tw


def test_the_sequence_is_philox() -> None:
    g = tw.Generator().manual_seed(77)
    first, second = tw.rand(6, generator=g), tw.rand(3, 2, generator=g)
    np.testing.assert_array_equal(np.asarray(first), uniform(77, 0, (6,)))
    np.testing.assert_array_equal(np.asarray(second), uniform(77, 2, (3, 2)))
    whole = tw.randint(10, 1000, (5,), generator=g)
    expected = 10 + (philox(77, 4, 5) * np.uint64(990) >> np.uint64(32)).astype(np.int64)
    np.testing.assert_array_equal(np.asarray(whole), expected)


@pytest.mark.parametrize("draw", [tw.rand, tw.randn, lambda n, generator: tw.randperm(n, generator=generator)])
def test_threads_and_layouts_change_nothing(draw: object) -> None:
    made = []
    for threads in (1, 2):
        with tw.threads(threads):
            made.append(draw(200_001, generator=tw.Generator().manual_seed(5)))  # type: ignore[operator]
    assert made[0].tolist() == made[1].tolist()
    columns = tw.zeros(30, 20).T
    columns.uniform_(generator=tw.Generator().manual_seed(5))
    assert columns.tolist() == tw.rand(20, 30, generator=tw.Generator().manual_seed(5)).tolist()


def test_no_number_is_drawn_twice() -> None:
    g = tw.Generator().manual_seed(1)
    parts = [tw.rand(n, generator=g) for n in (1, 5, 4, 3)]
    permuted, after = tw.randperm(9, generator=g), tw.rand(40, generator=g)
    drawn = [v for p in parts for v in p.tolist()]
    assert len({*drawn}) == len(drawn) and sorted(permuted.tolist()) == list(range(9))
    used = uniform(1, 0, (40,))[20:38]  # what the permutation sorted by
    assert not {*used.tolist()} & {*after.tolist()}


def test_states() -> None:
    g = tw.manual_seed(9)
    assert (tw.initial_seed(), g is tw.default_generator) == (9, True)
    tw.rand(5)
    state = tw.get_rng_state()
    a = tw.randn(4)
    tw.set_rng_state(state)
    assert a.tolist() == tw.randn(4).tolist()
    assert tw.Generator().manual_seed(-1).initial_seed() == 2**64 - 1
    assert tw.seed() == tw.initial_seed()


def test_moments() -> None:
    g = tw.Generator().manual_seed(0)
    n = 400_000
    u, z, b = tw.rand(n, generator=g), tw.randn(n, generator=g), tw.bernoulli(tw.full((n,), 0.3), generator=g)
    e = tw.empty(n).exponential_(2.0, generator=g)
    k = tw.randint(0, 6, (n,), generator=g)
    for x, mean, deviation in (
        (u, 0.5, 12**-0.5),
        (z, 0, 1),
        (b, 0.3, 0.21**0.5),
        (e, 0.5, 0.5),
        (k, 2.5, (35 / 12) ** 0.5),
    ):
        values = np.asarray(x).astype(np.float64)
        assert abs(values.mean() - mean) < 5 * deviation / n**0.5
        assert abs(values.std() - deviation) < 0.01 * deviation
    assert 0 <= float(u.min().item()) < float(u.max().item()) < 1 and {*k.tolist()} == set(range(6))
    counts = np.bincount(np.asarray(k))
    assert ((counts - n / 6) ** 2 / (n / 6)).sum() < 25


@pytest.mark.parametrize("dtype", [tw.float16, tw.bfloat16, tw.float32, tw.float64])
def test_one_is_never_drawn(dtype: tw.dtype) -> None:
    x = tw.rand(1 << 18, dtype=dtype, generator=tw.Generator().manual_seed(0))
    assert 0 <= float(x.min().item()) < 0.01 and 0.98 < float(x.max().item()) < 1
    assert abs(float(x.to(tw.float32).mean().item()) - 0.5) < 0.003
    e = tw.empty(1 << 18, dtype=dtype).exponential_(generator=tw.Generator().manual_seed(0))
    assert bool(tw.isfinite(e).all())


def test_methods_and_likes() -> None:
    x = tw.empty(1000)
    assert x.normal_(3, 0.1) is x and 2.9 < float(x.mean().item()) < 3.1
    assert {*x.bernoulli_(0.5).tolist()} == {0, 1} and {*x.random_(3).tolist()} == {0, 1, 2}
    like = tw.zeros(2, 3, dtype=tw.float64)
    assert all(m.dtype is tw.float64 and m.shape == (2, 3) for m in (tw.rand_like(like), tw.randn_like(like)))
    assert tw.randint_like(like, 5).dtype is tw.float64 and tw.normal(tw.zeros(4), 2.0).shape == (4,)


@pytest.mark.parametrize("dtype", [tw.bool, tw.int8, tw.uint8, tw.int32, tw.int64, tw.uint64, tw.float16, tw.float64])
def test_random_numbers_of_all_that_a_dtype_has(dtype: tw.dtype) -> None:
    bits = {"float16": 11, "float64": 53, "bool": 1}.get(dtype.name) or tw.iinfo(dtype).max.bit_length()
    drawn = tw.zeros(4096, dtype=dtype).random_(generator=tw.Generator().manual_seed(2)).tolist()
    whole = [int(v) for v in drawn]
    assert whole == drawn and 0 <= min(whole) and max(whole) < 1 << bits
    ones = [sum(v >> b & 1 for v in whole) for b in range(bits)]
    assert all(abs(n - 2048) < 5 * 32 for n in ones)  # every bit is as often set as not


def test_parameters_that_are_tensors() -> None:
    rows = tw.normal(tw.zeros(3, dtype=tw.float64), tw.ones(200, 3))
    assert rows.dtype is tw.float64 and len({*rows[:, 0].tolist()}) == 200  # no row is drawn twice
    chances = tw.tensor([0.0, 1.0])
    assert tw.zeros(3, 2).bernoulli_(chances).tolist() == [[0, 1]] * 3
    assert tw.normal(tw.zeros(2), 1.0, dtype=tw.float64).dtype is tw.float64


# --- what chance leaves out or chooses ------------------------------------------------------

WEIGHTS = np.array([[1.0, 0.0, 3.0, 2.0, 0.5], [0.0, 5.0, 1.0, 1.0, 0.0]], np.float32)
CHOICES = {
    "dropout": lambda x, g: tw.dropout(x, 0.3, generator=g),
    "feature_dropout": lambda x, g: tw.feature_dropout(x, 0.3, generator=g),
    "multinomial": lambda x, g: tw.multinomial(x, 40, generator=g),
    "multinomial with replacement": lambda x, g: tw.multinomial(x, 40, True, generator=g),
}


def seeded(seed: int = 0) -> tw.Generator:
    return tw.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", CHOICES)
def test_choices_are_the_same_in_any_layout_and_for_any_threads(name: str) -> None:
    x = np.random.default_rng(0).random((30, 20_000)).astype(np.float32) + 0.1
    wide = np.zeros((60, 40_000), np.float32)
    wide[::2, ::-2] = x
    lain = [x, np.asfortranarray(x), wide[::2, ::-2]]
    made = []
    for threads in (1, 2):
        with tw.threads(threads):
            made += [CHOICES[name](tw.as_tensor(given), seeded(7)).tolist() for given in lain]
    assert all(m == made[0] for m in made) and made[0] != CHOICES[name](tw.as_tensor(x), seeded(8)).tolist()


@pytest.mark.parametrize("name", ["dropout", "feature_dropout"])
def test_dropout(name: str) -> None:
    drop, n = getattr(tw, name), 100
    x = tw.arange(1, n * n * 4 + 1, dtype=tw.float64).reshape(n, n, 4)
    for p in (0.0, 0.25, 0.9):
        y = np.asarray(drop(x, p, generator=seeded()))
        kept = y != 0
        np.testing.assert_allclose(y, np.where(kept, np.asarray(x) / (1 - p), 0), rtol=1e-6)
        units = kept[:, :, 0] if name == "feature_dropout" else kept
        assert name == "dropout" or (kept == kept[:, :, :1]).all()
        assert abs(units.mean() - (1 - p)) <= 5 * (p * (1 - p) / units.size) ** 0.5
    assert drop(x, 1.0).abs().max().item() == 0 and drop(x, 0.9, False) is x
    assert drop(x.int(), training=False).dtype is tw.int32
    g = seeded()
    drop(x, generator=g)
    after = seeded()
    after.take(n * n * (1 if name == "feature_dropout" else 4))
    assert tw.rand(2, generator=g).tolist() == tw.rand(2, generator=after).tolist()


def chi_squared(counts: np.ndarray, chances: np.ndarray) -> float:
    expected = counts.sum() * chances
    return float(((counts - expected) ** 2 / expected).sum())


def test_places_are_drawn_in_proportion() -> None:
    n = 60_000
    drawn = np.asarray(tw.multinomial(tw.tensor(WEIGHTS), n, True, generator=seeded()))
    assert drawn.shape == (2, n) and drawn.dtype == np.int64
    firsts = np.asarray(tw.multinomial(tw.tensor(WEIGHTS).repeat(n, 1), 3, generator=seeded()))
    for row, weights in enumerate(WEIGHTS):
        (places,), chances = weights.nonzero(), weights[weights > 0] / weights.sum()
        for found in (drawn[row], firsts[row::2, 0]):
            counts = np.bincount(found, minlength=5)
            assert counts[weights == 0].sum() == 0
            assert chi_squared(counts[places], chances) < 30  # at most 3 degrees of freedom: one of a million above


def test_places_that_are_drawn_once_come_in_the_order_of_the_draws() -> None:
    """The second is drawn in proportion to the weights that are left."""
    n, weights = 60_000, WEIGHTS[0].astype(np.float64)
    found = np.asarray(tw.multinomial(tw.tensor(WEIGHTS[:1]).repeat(n, 1), 2, generator=seeded(3)))
    pairs = [(i, j) for i in range(5) for j in range(5) if i != j and weights[i] and weights[j]]
    counts = np.array([((found[:, 0] == i) & (found[:, 1] == j)).sum() for i, j in pairs])
    chances = np.array([weights[i] * weights[j] / weights.sum() / (weights.sum() - weights[i]) for i, j in pairs])
    assert counts.sum() == n and chi_squared(counts, chances) < 60  # 11 degrees of freedom


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.just(0.0), st.floats(5e-324, 1.7e308)), min_size=1, max_size=9), st.data())
def test_only_weights_above_0_are_drawn(weights: list[float], data: st.DataObject) -> None:
    above = [n for n, w in enumerate(weights) if w]
    given = tw.tensor(weights, dtype=tw.float64)
    seed = data.draw(st.integers(0, 99))
    if not above:
        with pytest.raises(tw.CallError, match="all weights of a row are 0"):
            tw.multinomial(given, 1, True)
        return
    assert sorted(tw.multinomial(given, len(above), generator=seeded(seed)).tolist()) == above
    assert {*tw.multinomial(given, 50, True, generator=seeded(seed)).tolist()} <= {*above}
    with pytest.raises(tw.CallError, match=f"{len(above) + 1} samples, and {len(above)} weights"):
        tw.multinomial(given, len(above) + 1)


@pytest.mark.parametrize("dtype", [tw.float16, tw.bfloat16, tw.float32, tw.float64])
def test_weights_of_all_floats_and_of_no_rows(dtype: tw.dtype) -> None:
    weights = tw.tensor(WEIGHTS).to(dtype)
    for again in (False, True):
        assert (
            tw.multinomial(weights, 3, again, generator=seeded()).tolist()
            == tw.multinomial(tw.tensor(WEIGHTS), 3, again, generator=seeded()).tolist()
        )
        assert tw.multinomial(weights[:0], 3, again).shape == (0, 3)
        assert tw.multinomial(weights[0], 3, again).shape == (3,)


def test_what_pytorch_refuses_is_refused() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is a comparison")
    w = [1.0, 2.0, 0.0]
    for call in (
        lambda lib: lib.multinomial(lib.tensor(w), 4),
        lambda lib: lib.multinomial(lib.tensor(w), 0),
        lambda lib: lib.multinomial(-lib.tensor(w), 1),
        lambda lib: lib.multinomial(lib.tensor(w) * 0, 1, True),
        lambda lib: lib.multinomial(lib.tensor([1.0, float("inf")]), 1),
        lambda lib: lib.multinomial(lib.tensor([1.0, float("nan")]), 1, True),
        lambda lib: lib.multinomial(lib.tensor([1, 2]), 1),
        lambda lib: lib.multinomial(lib.tensor(1.0), 1),
        lambda lib: lib.multinomial(lib.tensor([[w]]), 1),
        lambda lib: lib.dropout(lib.tensor(w), 1.5, True),
        lambda lib: lib.dropout(lib.tensor(w), float("nan"), True),
        lambda lib: lib.dropout(lib.tensor(w), -0.5, False),
        lambda lib: lib.dropout(lib.tensor([1, 2]), 0.5, True),
        lambda lib: lib.feature_dropout(lib.tensor(w), 0.5, True),
    ):
        with pytest.raises(RuntimeError):
            call(torch)
        with pytest.raises((tw.CallError, tw.CallTypeError)):
            call(tw)


def test_draws_as_methods() -> None:
    weights = tw.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    generator = tw.Generator()
    for name, others in (("bernoulli", ()), ("multinomial", (2, True))):
        method = getattr(weights, name)(*others, generator=generator.manual_seed(4))
        function = getattr(tw, name)(weights, *others, generator=generator.manual_seed(4))
        assert method.tolist() == function.tolist()
