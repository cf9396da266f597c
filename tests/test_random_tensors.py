"""Random tensors: the same numbers everywhere, and those that they should be."""

from __future__ import annotations

import numpy as np
import pytest
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
