"""Processes and threads that use one store at once, and are interrupted and killed while they do."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from store_files import LARGE, age, path_of

from tilewright.runtime import store as module
from tilewright.runtime.store import Store

KEYS = [b"key %d" % n for n in range(8)]
PASSING = [b"passing %d" % n for n in range(24)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", LARGE)


def content_of(key: bytes, seed: int, blocks: int) -> bytes:
    """A content that says of which key it is, and whether it is whole and all of one put."""
    start = seed.to_bytes(8, "little") + blocks.to_bytes(8, "little")
    return start + blake2b(key + start).digest() * blocks


def is_right(key: bytes, content: bytes) -> bool:
    seed, blocks = (int.from_bytes(content[n : n + 8], "little") for n in (0, 8))
    return content == content_of(key, seed, blocks)


def forked(work: Callable[[], object]) -> int:
    """The number of a process that does ``work``; it exits with 1 where that raises."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def finish(children: list[int]) -> None:
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * len(children)


def use(folder: str, seed: int, times: int) -> None:
    """Put and get shared keys and some of one's own; what was put once is always there."""
    store, rng = Store(folder, LARGE), random.Random(seed)
    keys = [*KEYS, *(b"own %d %d" % (seed, n) for n in range(4))]
    known = set[bytes]()
    for n in range(times):
        key = rng.choice(keys)
        if rng.random() < 0.4:
            assert store.put(key, content_of(key, seed * times + n, rng.randrange(500)))
            known.add(key)
        content = store.get(key)
        assert content is None and key not in known or content is not None and is_right(key, content)
    assert store.refused == 0 and known <= set(store.keys())


def test_processes_share_a_folder(store: Store) -> None:
    finish([forked(lambda seed=seed: use(store.folder, seed, 150)) for seed in range(10)])
    assert len(list(store.keys())) == 48 and set(KEYS) <= set(store.keys())
    assert all(is_right(key, store.get(key) or b"") for key in store.keys())
    assert store.usage().entries == len(os.listdir(store.folder))


def test_threads_share_a_folder(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: use(store.folder, seed, 100), range(4)))


def misuse(folder: str, seed: int) -> None:
    """Everything that may go on in a folder at once; what is got is right."""
    store, rng = Store(folder, 100_000), random.Random(seed)
    for n in range(150):
        key, chance = rng.choice(KEYS), rng.random()
        if chance < 0.4:
            store.put(key, content_of(key, 1000 * seed + n, rng.randrange(600)))
        elif chance < 0.45:
            store.remove(key)
        elif chance < 0.47:
            store.clear()
        elif chance < 0.5:
            store.shrink()
        elif chance < 0.55:
            with suppress(OSError), open(path_of(store, key), "r+b") as file:
                file.truncate(rng.randrange(1000))
        elif chance < 0.6:
            assert all(key in KEYS for key in store.keys()) and store.usage().entries <= len(KEYS)
        content = store.get(key)
        assert content is None or is_right(key, content)


def test_processes_clear_shrink_and_damage_a_folder(store: Store) -> None:
    finish([forked(lambda seed=seed: misuse(store.folder, seed)) for seed in range(10)])
    for key in KEYS:
        content = store.get(key)
        assert content is None or is_right(key, content)
    assert sorted(os.listdir(store.folder)) == sorted(path_of(store, key).name for key in store.keys())


def write_for_ever(folder: str, seed: int, started: int) -> None:
    """Put what others read, and entries that are there for a while."""
    store, rng = Store(folder, LARGE), random.Random(seed)
    os.write(started, b"!")
    while True:
        key = rng.choice([*KEYS, *PASSING])
        if key in PASSING:
            store.remove(key)
        assert store.put(key, content_of(key, rng.getrandbits(60), rng.choice([0, 1, 10, 100, 5000])))


def read_until_told(folder: str, told: int) -> None:
    """All keys were put before, so none may ever be missing; ends when the writing end of the pipe is closed."""
    store = Store(folder, LARGE)
    os.set_blocking(told, False)
    while True:
        for key in KEYS:
            content = store.get(key)
            assert content is not None and is_right(key, content)
        with suppress(BlockingIOError):
            if os.read(told, 1) == b"":
                return


def kill_a_writer(folder: str, seed: int, delay: float) -> None:
    started, start = os.pipe()
    child = forked(lambda: write_for_ever(folder, seed, start))
    os.close(start)
    assert os.read(started, 1) == b"!"
    os.close(started)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("times", [20, pytest.param(200, marks=pytest.mark.full)])
def test_killed_writers_leave_every_entry_sound(store: Store, times: int) -> None:
    rng = random.Random(times)
    untouched = {b"before %d" % n: content_of(b"before %d" % n, n, 100) for n in range(20)}
    for key, content in [*untouched.items(), *((key, content_of(key, 0, 10)) for key in KEYS)]:
        assert store.put(key, content)
    told, tell = os.pipe()
    reader = forked(lambda: (os.close(tell), read_until_told(store.folder, told)))
    for n in range(times):
        kill_a_writer(store.folder, n, rng.uniform(0, 0.02))
        assert all(is_right(key, store.get(key) or b"") for key in KEYS)
    os.close(tell)
    os.close(told)
    finish([reader])
    assert {key: store.get(key) for key in untouched} == untouched
    kept = list(store.keys())
    assert {*untouched, *KEYS} <= set(kept) <= {*untouched, *KEYS, *PASSING}
    assert all(is_right(key, store.get(key) or b"") for key in kept) and store.refused == 0
    parts = list(Path(store.folder).glob("*.part"))
    print(f"{times} writers killed, {len(parts)} of them while they wrote")
    for part in parts:
        age(part, 3700)
    store.shrink()
    assert len(os.listdir(store.folder)) == len(kept)


@contextmanager
def at_line(number: int, act: Callable[[], object]) -> Iterator[list[int]]:
    """``act`` before the store runs its line of this number, counted as they run; gives the number of lines run."""
    lines = [0]

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != module.__file__:
            return None
        if event == "line":
            lines[0] += 1
            if lines[0] == number:
                act()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(before)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_put_that_is_interrupted_anywhere(store: Store) -> None:
    assert store.put(b"key", b"old")
    with at_line(0, interrupt) as lines:
        assert store.put(b"key", b"old")
    assert lines[0] > 25
    outcomes = set()
    for number in range(1, lines[0]):
        assert store.put(b"key", b"old")
        with pytest.raises(KeyboardInterrupt), at_line(number, interrupt):
            store.put(b"key", b"new")
        outcomes.add(store.get(b"key"))
        assert os.listdir(store.folder) == [path_of(store, b"key").name], f"after {number} lines"
    assert outcomes == {b"old", b"new"}


def put_until(folder: str, number: int) -> None:
    with at_line(number, lambda: os.kill(os.getpid(), signal.SIGKILL)):
        assert Store(folder, LARGE).put(b"key", b"new")


def test_a_put_that_is_killed_anywhere(store: Store) -> None:
    outcomes, code, number = [], -signal.SIGKILL, 0
    while code == -signal.SIGKILL:
        number += 1
        assert store.put(b"key", b"old")
        child = forked(lambda n=number: put_until(store.folder, n))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        outcomes.append((store.get(b"key"), len(os.listdir(store.folder)) - 1))
        for part in Path(store.folder).glob("*.part"):
            part.unlink()
    assert code == 0 and number > 25 and store.refused == 0
    assert set(outcomes) == {(b"old", 0), (b"old", 1), (b"new", 0)}
