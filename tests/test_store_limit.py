"""What goes from a store, and when: the least recently used, and what killed processes have left."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from store_files import LARGE, age, path_of

from tilewright.runtime.store import HEADER, Store, Usage


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", LARGE)


def filled(tmp_path: Path, count: int, limit: int) -> Store:
    """A store of ``count`` entries of 1000 bytes, used in the order of their numbers, half an hour apart."""
    store = Store(tmp_path / "store", limit)
    for n in range(count):
        assert store.put(b"%04d" % n, bytes(1000 - HEADER.size - 4))
    for n in range(count):
        age(path_of(store, b"%04d" % n), 1800 * (count - n))
    return store


def test_the_least_recently_used_go(tmp_path: Path) -> None:
    store = filled(tmp_path, 10, 10000)
    assert list(store.keys()) == [b"%04d" % n for n in reversed(range(10))]
    assert store.get(b"0000") is not None and store.get(b"0002") is not None
    assert store.put(b"0010", bytes(1000 - HEADER.size - 4))
    assert store.usage() == Usage(9, 9000)
    assert {b"%04d" % n for n in range(11)} - set(store.keys()) == {b"0001", b"0003"}


def test_a_use_is_noted_once_in_a_while(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(b"key", b"content")
    noted: list[object] = []
    utime = os.utime
    monkeypatch.setattr(os, "utime", lambda *args: (noted.append(args), utime(*args)))
    store.get(b"key")
    assert len(noted) == 0, "it was used just now"
    for seconds in (1000, -1000):  # the clock of another host may be ahead
        then = time.time() - seconds
        utime(path_of(store, b"key"), (then, then))
        noted.clear()
        for _ in range(5):
            assert store.get(b"key") == b"content"
        assert len(noted) == 1
        assert abs(time.time() - path_of(store, b"key").stat().st_mtime) < 100


@pytest.mark.parametrize("limit", [0, 70, 1000, 5000, 100000])
def test_a_folder_is_never_over_its_limit(tmp_path: Path, limit: int) -> None:
    store, rng = Store(tmp_path / "store", limit), random.Random(limit)
    for n in range(150):
        key, content = b"%d" % rng.randrange(60), bytes(rng.randrange(2500))
        fits = HEADER.size + len(key) + len(content) <= limit * 0.9
        assert store.put(key, content) == fits, n
        assert (store.get(key) == content) == fits
        assert store.usage().bytes <= limit


def test_stores_that_share_a_folder_share_its_limit(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "store", 10000) for _ in range(4)]
    for n in range(400):
        stores[n % 4].put(b"%d" % n, bytes(50))
        assert stores[0].usage().bytes <= 10000 + len(stores) * 1000


def test_the_folder_is_not_measured_at_each_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, measured = Store(tmp_path / "store", 100000), []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda *args: (measured.append(args), scandir(*args))[1])
    for n in range(300):
        store.put(b"%04d" % n, bytes(1000 - HEADER.size - 4))
        assert store.get(b"%04d" % n) is not None
    assert 2 * 20 <= len(measured) <= 2 * 40  # 300000 bytes, 10000 at a time; for entries and for parts


def test_what_killed_processes_left_goes_after_an_hour(store: Store) -> None:
    store.put(b"key", b"content")
    parts = [Path(store.folder, f"{'a' * 40}.{pid}-{'b' * 16}.part") for pid in (1, 2)]
    for path, seconds in zip(parts, (3700, 3500), strict=True):
        path.write_bytes(b"tw-st")
        age(path, seconds)
    store.shrink()
    assert [path.exists() for path in parts] == [False, True]
    assert store.usage().entries == 1
    store.clear()
    assert os.listdir(store.folder) == []
