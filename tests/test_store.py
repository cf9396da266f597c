"""The store on disk: what it gives is what was put, whatever happens to the folder and to the processes that use it."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_files import LARGE, age, path_of

from tilewright.runtime import store as module
from tilewright.runtime.store import HEADER, MAGIC, VERSION, Store, Usage, default_folder

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others and mounts")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", LARGE)


def counters(store: Store) -> tuple[int, int, int]:
    return store.hits, store.misses, store.refused


# Round trips


OPERATIONS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 5), st.binary(max_size=300)),
    st.tuples(st.sampled_from(["get", "remove", "reopen"]), st.integers(0, 5), st.just(b"")),
    st.tuples(st.sampled_from(["clear", "shrink"]), st.just(0), st.just(b"")),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=200), min_size=6, max_size=6, unique=True), st.lists(OPERATIONS, max_size=30))
def test_a_store_is_a_dict(keys: list[bytes], operations: list[tuple[str, int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, model = Store(folder, LARGE), dict[bytes, bytes]()
        for operation, which, content in operations:
            key = keys[which]
            if operation == "put":
                assert store.put(key, content)
                model[key] = content
            elif operation == "remove":
                store.remove(key)
                model.pop(key, None)
            elif operation == "clear":
                store.clear()
                model.clear()
            elif operation == "shrink":
                store.shrink()
            else:
                store = Store(folder, LARGE) if operation == "reopen" else store
                assert store.get(key) == model.get(key)
        assert {key: store.get(key) for key in keys} == {key: model.get(key) for key in keys}
        assert sorted(store.keys()) == sorted(model)
        assert store.usage() == (len(model), sum(HEADER.size + len(k) + len(c) for k, c in model.items()))
        assert store.refused == 0


@pytest.mark.parametrize("size", [0, 1, 8191, 8192, 8193, 1 << 20, (1 << 24) + 1])
def test_any_size(store: Store, size: int) -> None:
    content = random.Random(size).randbytes(size)
    assert store.put(b"", content) and store.put(content, b"")
    assert store.get(b"") == (content or b"") and store.get(content) == (b"" if size else content)


def test_counters_and_files(store: Store) -> None:
    assert store.get(b"a") is None and store.usage() == Usage(0, 0) and list(store.keys()) == []
    assert not Path(store.folder).exists(), "reading makes no folder"
    assert store.put(b"a", b"one") and store.put(b"a", b"other")
    assert store.get(b"a") == b"other" and store.get(b"b") is None
    assert counters(store) == (1, 2, 0)
    assert os.listdir(store.folder) == [path_of(store, b"a").name]
    assert stat.S_IMODE(path_of(store, b"a").stat().st_mode) == 0o600
    assert path_of(store, b"a").read_bytes()[:12] == MAGIC + VERSION.to_bytes(4, "little")


def test_the_folder_and_its_parents_are_the_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        assert Store(tmp_path / "a" / "b" / "c", LARGE).put(b"key", b"content")
    finally:
        os.umask(old)
    for folder in ("a", "a/b", "a/b/c"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


def test_a_store_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store("here", LARGE)
    assert store.put(b"key", b"content")
    monkeypatch.chdir("/")
    assert store.get(b"key") == b"content" and (tmp_path / "here").is_dir()


# Damage


def refuses(store: Store, key: bytes, gone: bool) -> None:
    """``key`` is not given, that is counted, and the file is gone or not; then a put mends it."""
    before = counters(store)
    assert store.get(key) is None
    assert counters(store) == (before[0], before[1], before[2] + 1)
    assert os.path.lexists(path_of(store, key)) != gone
    assert store.put(key, b"mended") and store.get(key) == b"mended"


def test_every_truncation_is_seen(store: Store) -> None:
    store.put(b"key", b"some content")
    path = path_of(store, b"key")
    sound = path.read_bytes()
    for length in range(len(sound)):
        path.write_bytes(sound[:length])
        refuses(store, b"key", gone=True)


def test_what_is_too_long_is_seen(store: Store) -> None:
    store.put(b"key", b"some content")
    path = path_of(store, b"key")
    path.write_bytes(path.read_bytes() + b"\0")
    refuses(store, b"key", gone=True)


def test_every_flipped_bit_is_seen(store: Store) -> None:
    store.put(b"key", b"some content")
    path = path_of(store, b"key")
    sound = path.read_bytes()
    for bit in range(8 * len(sound)):
        wrong = bytearray(sound)
        wrong[bit // 8] ^= 1 << bit % 8
        path.write_bytes(wrong)
        assert store.get(b"key") is None and not path.exists()
    assert counters(store) == (0, 0, 8 * len(sound))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_in_an_entrys_place(wrong: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder, LARGE)
        path_of(store, b"key").write_bytes(wrong)
        assert list(store.keys()) == []
        refuses(store, b"key", gone=True)


def test_damage_that_keeps_the_size(store: Store) -> None:
    store.put(b"key", b"some content")
    path = path_of(store, b"key")
    sound = path.read_bytes()
    magic, version, key_size, content_size, digest = HEADER.unpack(sound[: HEADER.size])
    shifted = HEADER.pack(magic, version, key_size + 1, content_size - 1, digest) + sound[HEADER.size :]
    swapped = HEADER.pack(magic, version, content_size, key_size, digest) + b"some content" + b"key"
    huge = HEADER.pack(magic, version, (1 << 64) - 1, key_size + content_size + 1, digest) + sound[HEADER.size :]
    for wrong in (shifted, swapped, huge, bytes(len(sound)), sound[: HEADER.size] + bytes(len(sound) - HEADER.size)):
        path.write_bytes(wrong)
        refuses(store, b"key", gone=True)


def test_another_key_under_the_name(store: Store) -> None:
    store.put(b"a", b"content")
    path_of(store, b"a").rename(path_of(store, b"b"))
    assert list(store.keys()) == []
    refuses(store, b"b", gone=True)


def test_what_replaces_a_damaged_entry_is_not_removed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process puts the entry between our reading the damaged one and our removing it."""
    store.put(b"key", b"first")
    path_of(store, b"key").write_bytes(b"damaged")
    read_head = module._read_head

    def read_while_another_puts(*args: Any) -> object:
        monkeypatch.undo()
        assert Store(store.folder, LARGE).put(b"key", b"second")
        return read_head(*args)

    monkeypatch.setattr(module, "_read_head", read_while_another_puts)
    assert store.get(b"key") is None and store.refused == 1
    assert store.get(b"key") == b"second"


# What is not ours


@AS_ROOT
def test_files_of_others(store: Store) -> None:
    store.put(b"key", b"content")
    os.chown(path_of(store, b"key"), 12345, -1)
    store.remove(b"key")
    store.clear()
    assert list(store.keys()) == [] and store.usage() == Usage(0, 0)
    refuses(store, b"key", gone=False)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_files_that_others_may_write(store: Store, mode: int) -> None:
    store.put(b"key", b"content")
    path_of(store, b"key").chmod(mode)
    assert list(store.keys()) == []
    refuses(store, b"key", gone=False)


def is_absent(store: Store) -> None:
    """The store gives and keeps nothing, and what its folder holds stays."""
    before = sorted(os.listdir(store.folder))
    refused = store.refused
    assert store.get(b"key") is None and store.refused == refused + 1
    assert not store.put(b"key", b"content") and not store.put(b"other", b"content")
    store.remove(b"key")
    store.shrink()
    store.clear()
    assert list(store.keys()) == [] and store.usage() == Usage(0, 0)
    assert sorted(os.listdir(store.folder)) == before


@AS_ROOT
def test_a_folder_of_others(store: Store) -> None:
    store.put(b"key", b"content")
    os.chown(store.folder, 12345, -1)
    is_absent(store)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_that_others_may_write(store: Store, mode: int) -> None:
    store.put(b"key", b"content")
    os.chmod(store.folder, mode)
    with pytest.warns(UserWarning, match="others may write to it: nothing is kept there") as said:
        is_absent(store)
    assert len(said) == 1
    os.chmod(store.folder, 0o755)
    assert store.get(b"key") == b"content", "others may read it"


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise AssertionError("the store waits for something")  # no OSError, which it would take for refusal

    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def make_link(path: Path, sound: bytes) -> None:
    target = path.with_name("target")
    target.write_bytes(sound)
    path.symlink_to(target)


def make_socket(path: Path, _: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(os.path.relpath(path))  # a socket's path has at most some 100 bytes


def make_device(path: Path, _: bytes) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero has no end


KINDS: dict[str, Callable[[Path, bytes], object]] = {
    "link": make_link,
    "dangling link": lambda path, _: path.symlink_to("nowhere"),
    "link to itself": lambda path, _: path.symlink_to(path),
    "pipe": lambda path, _: os.mkfifo(path, 0o600),
    "socket": make_socket,
    "device": make_device,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_a_file(store: Store, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(b"key", b"content")
    monkeypatch.chdir(store.folder)
    path = path_of(store, b"key")
    sound = path.read_bytes()
    path.unlink()
    KINDS[kind](path, sound)
    with at_most(10):
        store.remove(b"key")
        store.clear()
        assert list(store.keys()) == [] and store.usage() == Usage(0, 0)
        refuses(store, b"key", gone=False)
    if kind == "link":
        assert Path("target").read_bytes() == sound, "the link is replaced, not followed"


def test_a_directory_in_an_entrys_place(store: Store) -> None:
    store.put(b"other", b"content")
    path_of(store, b"key").mkdir()
    assert store.get(b"key") is None and counters(store) == (0, 0, 1)
    assert not store.put(b"key", b"content")
    store.remove(b"key")
    store.clear()
    assert os.listdir(store.folder) == [path_of(store, b"key").name], "no part is left, the directory is"


def test_clear_and_shrink_leave_other_files_alone(store: Store) -> None:
    store.put(b"key", b"content")
    for name in ("softmax.tw", "notes.part", "0" * 40, f"{'0' * 40}.two", f"{'0' * 40}.part", f"x{'0' * 40}.tw"):
        Path(store.folder, name).write_text("mine")
        age(Path(store.folder, name), 1e6)
    before = set(os.listdir(store.folder))
    store.limit = 0
    store.shrink()
    store.put(b"key", b"content")
    store.clear()
    assert before - set(os.listdir(store.folder)) == {path_of(store, b"key").name}


# Where nothing can be kept


def keeps_nothing(store: Store) -> None:
    assert not store.put(b"key", b"content") and store.get(b"key") is None
    store.remove(b"key")
    store.shrink()
    store.clear()
    assert list(store.keys()) == [] and store.usage() == Usage(0, 0)


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    keeps_nothing(Store(tmp_path / "file", LARGE))
    keeps_nothing(Store(tmp_path / "file" / "below", LARGE))
    assert (tmp_path / "file").read_text() == "mine"


def test_names_that_no_folder_can_have(tmp_path: Path) -> None:
    keeps_nothing(Store(tmp_path / ("x" * 300), LARGE))
    keeps_nothing(Store("/proc/nothing/here", LARGE))


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"mode=700,{options}", "none", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@AS_ROOT
def test_a_full_disk(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=64k"):
        store = Store(tmp_path / "disk", LARGE)
        assert store.put(b"key", bytes(30000))
        assert not store.put(b"other", bytes(40000)) and not store.put(b"key", bytes(40000))
        assert store.get(b"key") == bytes(30000) and store.get(b"other") is None
        assert os.listdir(store.folder) == [path_of(store, b"key").name]
        assert store.put(b"other", bytes(10000)), "there is room for a smaller one"


@AS_ROOT
def test_a_read_only_disk(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=64k"):
        store = Store(tmp_path / "disk", LARGE)
        store.put(b"key", b"content")
        store.put(b"damaged", b"content")
        path_of(store, b"damaged").write_bytes(b"")
        age(path_of(store, b"key"), 1e6)
        subprocess.run(["mount", "-o", "remount,ro", store.folder], check=True)
        assert store.get(b"key") == b"content", "that its use cannot be noted is no obstacle"
        assert store.get(b"damaged") is None
        assert not store.put(b"key", b"new") and not store.put(b"other", b"new")
        store.clear()
        assert list(store.keys()) == [b"key"]


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_read_only_folder(store: Store) -> None:
    store.put(b"key", b"content")
    os.chmod(store.folder, 0o500)
    assert store.get(b"key") == b"content" and not store.put(b"key", b"new")
    assert os.listdir(store.folder) == [path_of(store, b"key").name]
    os.chmod(store.folder, 0o700)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("size", [0, HEADER.size, 10000])
def test_a_write_that_fails(store: Store, size: int) -> None:
    store.put(b"key", b"content")
    with files_of_at_most(size):
        kept = [store.put(b"key", bytes(20000)), store.put(b"other", bytes(20000))]
    assert kept == [False, False]
    assert store.get(b"key") == b"content" and os.listdir(store.folder) == [path_of(store, b"key").name]


@pytest.mark.parametrize("function", ["open", "replace", "urandom"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), OSError(errno.EDQUOT, "quota"), KeyboardInterrupt()])
def test_a_call_that_fails(store: Store, function: str, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(b"key", b"content")
    real = getattr(os, function)

    def fail(*args: Any, **options: Any) -> Any:
        if function == "open" and not args[1] & os.O_CREAT:
            return real(*args, **options)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        if isinstance(error, OSError):
            assert not store.put(b"key", b"new") and not store.put(b"other", b"new")
        else:
            with pytest.raises(KeyboardInterrupt):
                store.put(b"key", b"new")
    assert store.get(b"key") == b"content" and os.listdir(store.folder) == [path_of(store, b"key").name]


# The default folder


@pytest.mark.parametrize(
    "platform, settings, expected",
    [
        ("linux", {"TILEWRIGHT_CACHE": "/a/b", "XDG_CACHE_HOME": "/c"}, "/a/b"),
        ("linux", {"TILEWRIGHT_CACHE": "~/b"}, "/home/me/b"),
        ("linux", {"TILEWRIGHT_CACHE": "off", "XDG_CACHE_HOME": "/c"}, None),
        ("linux", {"TILEWRIGHT_CACHE": ""}, None),
        ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/tilewright"),
        ("linux", {"XDG_CACHE_HOME": "c"}, "/home/me/.cache/tilewright"),
        ("linux", {"XDG_CACHE_HOME": ""}, "/home/me/.cache/tilewright"),
        ("linux", {}, "/home/me/.cache/tilewright"),
        ("darwin", {}, "/home/me/Library/Caches/tilewright"),
        ("darwin", {"XDG_CACHE_HOME": "/c"}, "/c/tilewright"),
    ],
)
def test_default_folder(
    platform: str, settings: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os, "environ", {"HOME": "/home/me", **settings})
    assert default_folder() == (None if expected is None else Path(expected))


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it does for a user without an entry
    assert default_folder() is None


def test_a_check_of_all_entries(tmp_path: Path) -> None:
    store = Store(tmp_path / "s", 1 << 20)
    for n in range(5):
        store.put(b"key%d" % n, b"content" * n)
    assert store.check() == (5, 0)
    entries = sorted((tmp_path / "s").iterdir())
    entries[0].write_bytes(entries[0].read_bytes()[:-1])
    entries[1].write_bytes(b"")
    assert store.check() == (3, 2)
    assert store.check() == (3, 0) and store.usage().entries == 3
