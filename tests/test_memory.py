"""The account of the runtime's memory, its limit, and what happens when there is no more."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw

COPY = tw.op("op copy(x: u8[N]) -> y: u8[N]:\n    y[i] = x[i]\n")
CACHE = 256 << 20


@pytest.fixture(autouse=True)
def no_limit_afterwards() -> Iterator[None]:
    tw.memory.empty_cache()
    yield
    tw.memory.set_limit(None)


def block(size: int) -> int:
    """The least of the sizes 64, 80, 96, 112, 128, 160, ... that is enough."""
    step = 64
    while True:
        for quarters in range(4, 8):
            if step * quarters // 4 >= size:
                return step * quarters // 4
        step *= 2


class Model:
    """What the account should say after each step, on top of what it said at first."""

    def __init__(self) -> None:
        first = tw.memory.stats()
        self.in_use = self.peak = first.in_use
        self.allocations, self.hits, self.scratch = first.allocations, first.hits, first.scratch
        assert first.thread_scratch == 0
        self.free: Counter[int] = Counter()
        self.limit: int | None = None

    @property
    def cached(self) -> int:
        return self.free.total() and sum(size * count for size, count in self.free.items())

    def fits(self, size: int) -> bool:
        return self.limit is None or self.in_use + self.cached + self.scratch + size <= self.limit

    def allocate(self, size: int) -> bool:
        if hit := self.free[block(size)] > 0:
            self.free[block(size)] -= 1
        elif not self.fits(block(size)):
            self.free.clear()
            if not self.fits(block(size)):
                return False
        self.hits += hit
        self.allocations += 1
        self.in_use += block(size)
        self.peak = max(self.peak, self.in_use)
        return True

    def release(self, size: int) -> None:
        self.in_use -= block(size)
        if self.cached + block(size) <= CACHE:
            self.free[block(size)] += 1

    def set_limit(self, limit: int | None) -> None:
        self.limit = limit
        if not self.fits(0):
            self.free.clear()

    def stats(self) -> tw.memory.Stats:
        return tw.memory.Stats(self.in_use, self.cached, self.scratch, 0, self.peak, self.allocations, self.hits)


SIZES = st.integers(0, 300) | st.integers(0, 40).map(lambda n: 64 << n % 15) | st.sampled_from([1 << 20, 90 << 20])
STEPS = (
    st.tuples(st.just("make"), SIZES)
    | st.tuples(st.just("drop"), st.integers(0, 99))
    | st.tuples(st.just("limit"), st.none() | SIZES | st.integers(0, 1 << 18))
    | st.tuples(st.sampled_from(["empty", "peak"]), st.just(0))
)
SOURCE = tw.as_tensor(np.zeros(90 << 20, np.uint8))


@settings(deadline=None, max_examples=60)
@given(st.lists(STEPS, max_size=40), st.booleans())
def test_the_account_agrees_with_a_model(steps: list[tuple[str, int | None]], arrays: bool) -> None:
    tw.memory.set_limit(None)
    tw.memory.empty_cache()
    tw.memory.reset_peak()
    model, held = Model(), []
    first = tw.memory.stats().in_use
    source = np.asarray(SOURCE)
    for step, n in steps:
        if step == "make":
            assert n is not None
            operand = source[:n] if arrays else tw.as_tensor(source[:n])
            if model.allocate(n):
                held.append((n, COPY(operand)))
            else:
                with pytest.raises(
                    MemoryError, match=f"u8.{n}.: {n} bytes asked for, {model.in_use} in use, the limit"
                ):
                    COPY(operand)
        elif step == "drop" and held and n is not None:
            model.release(held.pop(n % len(held))[0])
        elif step == "limit":
            limit = None if n is None else first + n
            tw.memory.set_limit(limit)
            model.set_limit(limit)
            assert tw.memory.limit() == limit
        elif step == "empty":
            tw.memory.empty_cache()
            model.free.clear()
        elif step == "peak":
            tw.memory.reset_peak()
            model.peak = model.in_use
        assert tw.memory.stats() == model.stats()
    while held:
        model.release(held.pop()[0])
    assert tw.memory.stats() == model.stats()


def test_scratch_is_counted_and_limited() -> None:
    rows = tw.as_tensor(np.ones((64, 4096), np.float32))
    before = tw.memory.stats()
    want = tw.ops.softmax(rows)
    after = tw.memory.stats()
    assert after.scratch - before.scratch == after.thread_scratch >= rows.nbytes  # exp(x - m) stands there
    tw.memory.empty_cache()
    assert tw.memory.stats().scratch == before.scratch
    tw.memory.set_limit(tw.memory.stats().in_use + rows.nbytes + 1000)
    with pytest.raises(
        MemoryError,
        match=rf"^no memory for intermediates: \d+ bytes asked for, {2 * after.in_use - before.in_use} in use",
    ):
        tw.ops.softmax(rows)
    assert tw.memory.stats().in_use == after.in_use  # the result was given back
    tw.memory.set_limit(None)
    np.testing.assert_array_equal(np.asarray(tw.ops.softmax(rows)), np.asarray(want))


def test_the_cache_is_given_back_for_what_the_limit_allows() -> None:
    COPY(tw.as_tensor(np.zeros(1 << 20, np.uint8)))
    before = tw.memory.stats()
    assert before.cached == 1 << 20
    tw.memory.set_limit(before.in_use + before.scratch + (3 << 19))
    kept = COPY(np.zeros(5 << 18, np.uint8))
    after = tw.memory.stats()
    assert (after.in_use - before.in_use, after.cached) == (kept.nbytes, 0)


def test_the_scratch_of_other_threads_counts() -> None:
    done, room = threading.Event(), 1 << 20
    ready = threading.Event()

    def hold() -> None:
        tw.ops.softmax(np.ones((64, 4096), np.float32))
        ready.set()
        done.wait()

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    ready.wait()
    tw.memory.empty_cache()
    held = tw.memory.stats()
    assert held.scratch > room and held.thread_scratch == 0
    tw.memory.set_limit(held.in_use + held.scratch + room)
    COPY(np.zeros(room, np.uint8))
    with pytest.raises(MemoryError, match="the limit is"):
        COPY(np.zeros(room + 1, np.uint8))
    done.set()
    holder.join()
    COPY(np.zeros(room + 1, np.uint8))
    assert tw.memory.stats().scratch < held.scratch


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(tw.UserError, match="a limit of -1 bytes"):
        tw.memory.set_limit(-1)
    assert tw.memory.limit() is None


def page_faults(rounds: int) -> int:
    COPY(SOURCE)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        COPY(SOURCE)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_large_results_are_reused_without_page_faults() -> None:
    pages = (90 << 20) >> 12
    assert min(page_faults(5) for _ in range(3)) < pages // 1000


EXHAUSTED = """
import resource, sys
import numpy as np, tilewright as tw
copy = tw.op("op copy(x: u8[N]) -> y: u8[N]:\\n    y[i] = x[i]\\n")
x = tw.as_tensor(np.arange(12 << 20, dtype=np.uint8))
small = tw.as_tensor(np.arange(100, dtype=np.uint8))
copy(x), copy(small), tw.ops.softmax(np.ones((2, 3), np.float32))
room = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + (64 << 20)
resource.setrlimit(resource.RLIMIT_AS, (room, room))
held = []
for turn in range(3):
    try:
        while True:
            held.append(copy(x))
    except MemoryError as error:
        says = f"no memory for a result u8[{12 << 20}]: {12 << 20} bytes asked for, {tw.memory.stats().in_use} in use"
        assert str(error) == says, error
    assert 3 <= len(held) <= 8, len(held)
    if turn == 0:
        try:
            tw.ops.softmax(np.ones((2, 3)))
        except MemoryError as error:
            assert str(error) == f"no memory to compile: {64 << 20} bytes asked for", error
        else:
            raise AssertionError("compiled without memory")
    assert np.array_equal(np.asarray(copy(small)), np.arange(100))
    held.pop()
    held.append(copy(x))
    assert all(np.array_equal(np.asarray(y)[::4099], np.asarray(x)[::4099]) for y in held)
    held.clear()
tw.memory.empty_cache()
assert tw.ops.softmax(np.ones((2, 3))).shape == (2, 3)
medium = [copy(tw.as_tensor(np.zeros(5 << 20, np.uint8))) for _ in range(4)]
del medium  # cached: given back for a result that does not fit beside it
copy(tw.as_tensor(np.broadcast_to(np.uint8(7), 60 << 20)))
print("usable")
"""


def test_a_process_out_of_memory_stays_usable() -> None:
    done = subprocess.run([sys.executable, "-c", EXHAUSTED], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("usable\n", "")
