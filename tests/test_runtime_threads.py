"""Threads: what runs where, limits, forks, several callers and the GIL."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from runtime_probe import Maker, operand, process_threads

import tilewright as tw
from tilewright.runtime import get_threads, set_threads, threads


@pytest.fixture
def make() -> Maker:
    return Maker()


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    with process_threads(2):
        yield


@pytest.mark.parametrize("count", [1, 2, 4])
def test_every_task_runs_once(make: Maker, count: int) -> None:
    set_threads(count)
    assert get_threads() == count
    op = make.crew()
    for tasks in (1, 3, 4, 5, 100, 10001):
        rows = op(np.zeros(tasks, np.int64))
        assert (rows[:, 0] == 1).all()
        assert rows[:, 1].max() <= count
        whole, chunks = (rows[:, 2] == tasks).all(), (rows[:, 2] <= 4).all()
        assert whole if tasks <= 4 else chunks or (count == 1 and whole)


def test_threads_share_the_work_within_their_limits(make: Maker) -> None:
    op, pauses = make.crew(), np.full(64, 300)
    set_threads(4)
    assert op(pauses)[:, 1].max() > 1
    with threads(1):
        assert op(pauses)[:, 1].max() == 1
        with threads(2):
            assert op(pauses)[:, 1].max() == 2
        assert op(pauses)[:, 1].max() == 1
    assert op(pauses)[:, 1].max() > 1
    set_threads(1)
    with threads(4):
        assert op(pauses)[:, 1].max() == 1
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="at least 1"):
            set_threads(wrong)
        with pytest.raises(ValueError, match="at least 1"), threads(wrong):
            pass


def test_a_forked_child_computes(make: Maker) -> None:
    op, pauses = make.crew(), np.full(64, 300)
    op(pauses)
    child = os.fork()
    if child == 0:
        rows = op(pauses)
        os._exit(0 if (rows[:, 0] == 1).all() and rows[:, 1].max() == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert op(pauses)[:, 1].max() == 2


def test_python_threads_call_at_once(make: Maker) -> None:
    op, tasks, wrong = make.crew(), np.zeros(10000, np.int64), []

    def work() -> None:
        for _ in range(50):
            if not (op(tasks)[:, 0] == 1).all():
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


Case = tuple[Callable[..., Any], tuple[Any, ...], Any]


def cases() -> list[Case]:
    """Calls of several sizes, with scratch and without, on arrays and tensors, with what they give on one thread."""
    rng = np.random.default_rng(0)
    found = []
    for rows, columns in ((1, 1), (3, 50), (64, 300), (300, 400)):
        x = rng.standard_normal((rows, columns), np.float32)
        for op, operands in ((tw.ops.softmax, (x,)), (tw.ops.matmul, (x, x.T)), (tw.ops.relu, (tw.as_tensor(x),))):
            with threads(1):
                found.append((op, operands, np.asarray(op(*operands)).tobytes()))
    return found


def hammer(calls: list[Case], seed: int, until: float, wrong: list[str]) -> None:
    chosen = np.random.default_rng(seed)
    while time.monotonic() < until:
        op, operands, want = calls[chosen.integers(len(calls))]
        try:
            if np.asarray(op(*operands)).tobytes() != want:
                wrong.append(f"{op} gives something else")
        except BaseException as error:
            wrong.append(f"{op}: {error}")
            raise


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.full)])
def test_eight_python_threads(seconds: int) -> None:
    """Right results and no memory lost, with forks in between."""
    calls, wrong = cases(), list[str]()
    before, until = tw.memory.stats().in_use, time.monotonic() + seconds
    workers = [threading.Thread(target=hammer, args=(calls, i, until, wrong)) for i in range(8)]
    for worker in workers:
        worker.start()
    for fork in range(3):
        time.sleep(seconds / 6)
        child = os.fork()
        if child == 0:
            try:
                hammer(calls, fork, time.monotonic() + 0.2, wrong)
            finally:
                os._exit(len(wrong))
        assert os.waitpid(child, 0)[1] == 0
    for worker in workers:
        worker.join()
    assert not wrong
    assert tw.memory.stats().in_use == before


def test_a_kernel_may_call_an_op(make: Maker) -> None:
    """Nested calls run serially, on threads of the pool too (the outer call is large, so it has let the GIL go)."""
    inner, pauses, tids = make.crew(), np.full(16, 300), []
    kernel_type: Any = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)

    def kernel(args: int, lo: int, hi: int, tid: int) -> None:
        rows = inner(pauses)
        tids.append((tid, int(rows[:, 1].max()), int(rows[:, 0].sum())))

    inner(pauses)
    native = kernel_type(kernel)
    step = ("phase", ctypes.cast(native, ctypes.c_void_p).value, 1, 3)  # as many tasks as an i64 has bytes, 3 a chunk
    outer = make.op([operand("x")], lambda key: make.program("crew", 2, 4, [], 4, [step]))
    outer(np.zeros(1 << 14, np.int64))
    assert {(most, total) for _, most, total in tids} == {(1, 16)}
    assert {tid for tid, _, _ in tids} == {0, 1}


@pytest.mark.parametrize(("size", "lets_go"), [(8, False), (64, True), (1 << 14, True)])
def test_only_calls_with_much_to_do_let_the_gil_go(make: Maker, size: int, lets_go: bool) -> None:
    op, pauses = make.crew(), np.zeros(size, np.int64)
    pauses[:2] = 100_000
    counted, done = [0], threading.Event()

    def count() -> None:
        while not done.is_set():
            counted[0] += 1
            time.sleep(0.001)

    watcher = threading.Thread(target=count)
    with threads(1):
        op(pauses * 0)
        watcher.start()
        time.sleep(0.01)
        before = counted[0]
        op(pauses)
        during = counted[0] - before
        done.set()
        watcher.join()
    assert during > 10 if lets_go else during <= 2
