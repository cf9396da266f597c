"""A folder of contents by key that can be trusted: compiled objects that outlive the process.

A store never gives anything but what was put under the key, and never raises because of the folder: what is damaged,
of somebody else or out of reach is as good as absent. Files appear whole, under their final names, by one
rename; readers take no locks. So processes may read, write, shrink and clear one folder at once, on several hosts
too, and may be killed while they do.

A file is a header (magic, version, length of the key, length of the content, digest of both), the key, the content. Its
name is a digest of the key.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import sys
import time
import warnings
from _blake2 import blake2b  # what hashlib has, which would load OpenSSL
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import FileIO
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"tw-store"
VERSION = 1
HEADER = struct.Struct("<8sIQQ32s")
ENTRY = re.compile(r"[0-9a-f]{40}\.tw")
PART = re.compile(r"[0-9a-f]{40}\.[0-9]+-[0-9a-f]{16}\.part")
RENEWED_AFTER = 300.0
"""Seconds: a use is only noted where the one noted before is older."""
ABANDONED_AFTER = 3600.0
"""Seconds after which a file that is not complete is that of a killed process."""


class Usage(NamedTuple):
    """How much a store holds."""

    entries: int
    bytes: int


class Store:
    """Contents by key in the files of ``folder``, at most ``limit`` bytes with headers and keys.

    The folder is made by the first put, for its owner alone, as are its parents. A folder, or a file, of another owner
    or that others may write is not used. Each ``get`` counts as one of ``hits``, ``misses`` (nothing was there) and
    ``refused`` (what was there is damaged, foreign or out of reach).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(folder, limit=1 << 20)
    ...     store.put(b"key", b"content"), store.get(b"key"), store.get(b"other"), store.usage()
    (True, b'content', None, Usage(entries=1, bytes=70))
    """

    def __init__(self, folder: Path | str, limit: int) -> None:
        self.folder = os.path.abspath(folder)
        self.limit = limit
        self.hits = self.misses = self.refused = 0
        self._warned = False
        self._spare = 0  # bytes that may still be put before the folder is measured again

    def get(self, key: bytes) -> bytes | None:
        """What was put under ``key``, or None. A damaged file goes; a hit is noted as a use."""
        try:
            with self._opened() as folder:
                content = _read_entry(folder, _name(key), key)
        except FileNotFoundError:
            self.misses += 1
            return None
        except OSError:
            self.refused += 1
            return None
        self.hits += 1
        return content

    def has(self, key: bytes) -> bool:
        """Whether something sound was put under ``key``; asking is no use of it, nor a hit or a miss."""
        try:
            with self._opened() as folder:
                _read_entry(folder, _name(key), key, use=False)
        except OSError:
            return False
        return True

    def refuse(self, key: bytes) -> None:
        """Drop what ``get`` has just given for ``key``, which is of no use: it counts as refused, not as a hit."""
        self.hits -= 1
        self.refused += 1
        self.remove(key)

    def put(self, key: bytes, content: bytes) -> bool:
        """Keep ``content``, in the place of what was kept under ``key``.

        False where it is not kept: the disk is full or read-only, the folder is not ours alone, or the content would
        take more than 90 % of the limit.
        """
        size = HEADER.size + len(key) + len(content)
        if size > self._low:
            return False
        try:
            _make_folder(self.folder)
            with self._opened() as folder:
                if self._spare < size:
                    self._make_room(folder, size)
                self._spare -= size
                _write_entry(folder, key, content)
        except OSError:
            return False
        return True

    def remove(self, key: bytes) -> None:
        """Drop what was put under ``key``, if anything was."""
        name = _name(key)
        with suppress(OSError), self._opened() as folder:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if _is_own_file(status):
                _unlink_unchanged(folder, name, status)

    def clear(self) -> None:
        """Drop all entries and what killed processes have left. Other files in the folder stay."""
        with suppress(OSError), self._opened() as folder:
            for pattern in (ENTRY, PART):
                for name, status in _own_files(folder, pattern):
                    _unlink_unchanged(folder, name, status)
        self._spare = 0

    def shrink(self) -> None:
        """Where the folder is over its limit, drop the entries least recently used, down to 90 % of the limit.

        What killed processes left over an hour ago goes too.
        """
        with suppress(OSError), self._opened() as folder:
            self._make_room(folder, 0)

    def usage(self) -> Usage:
        """Number and bytes of the entries, by their files' names; whether they are sound is not looked at."""
        with suppress(OSError), self._opened() as folder:
            sizes = [status.st_size for _, status in _own_files(folder, ENTRY)]
            return Usage(len(sizes), sum(sizes))
        return Usage(0, 0)

    def keys(self) -> Iterator[bytes]:
        """The keys, that of the entry used last first. Contents are not read: a damaged one is found by ``get``."""
        keys = []
        with suppress(OSError), self._opened() as folder:
            for name, _ in sorted(_own_files(folder, ENTRY), key=_last_use, reverse=True):
                with suppress(OSError), _open_entry(folder, name) as file:
                    keys.append(_read_head(file, name)[0])
        return iter(keys)

    def check(self) -> tuple[int, int]:
        """Read every entry: how many are sound, and how many are not, of which the damaged ones go."""
        sound, names = 0, []
        with suppress(OSError), self._opened() as folder:
            names = [name for name, _ in _own_files(folder, ENTRY)]
            for name in names:
                with suppress(OSError):
                    _read_entry(folder, name, use=False)
                    sound += 1
        return sound, len(names) - sound

    def _make_room(self, folder: int, size: int) -> None:
        """Before ``size`` bytes are put, so that it is not they that go where clocks are coarse."""
        _drop_abandoned(folder)
        entries = sorted(_own_files(folder, ENTRY), key=_last_use)
        total = sum(status.st_size for _, status in entries)
        if total + size > self.limit:
            total = _drop_first(folder, entries, total, self._low - size)
        # Others write too: of what is free, only a part is ours before we look again.
        self._spare = min(self.limit - total, self.limit - self._low + size)

    @property
    def _low(self) -> int:
        """What is left by shrinking, so the greatest entry too."""
        return self.limit * 9 // 10

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """A descriptor of the folder: what is checked here is what the names below it are looked up in."""
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if not _is_ours_alone(os.fstat(folder)):
                raise self._distrusted()
            yield folder
        finally:
            os.close(folder)

    def _distrusted(self) -> PermissionError:
        """Why the folder is not used, which is said once as a warning."""
        problem = f"{self.folder} belongs to another user, or others may write to it"
        if not self._warned:
            self._warned = True
            warnings.warn(f"{problem}: nothing is kept there; chmod go-w mends the latter", stacklevel=2)
        return PermissionError(problem)


class _DamagedError(OSError):
    """A file of ours is not what was written."""


def default_folder() -> Path | None:
    """``$TILEWRIGHT_CACHE``, else ``tilewright`` in the user's folder for caches.

    None where the variable is empty or ``off``, and where no home is known.
    """
    from pathlib import Path  # several milliseconds, which a store does without

    chosen = os.environ.get("TILEWRIGHT_CACHE")
    if chosen is not None:
        return None if chosen in ("", "off") else Path(os.path.expanduser(chosen))
    caches = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(caches):  # the standard has relative ones ignored
        caches = os.path.expanduser("~/Library/Caches" if sys.platform == "darwin" else "~/.cache")
    return Path(caches, "tilewright") if os.path.isabs(caches) else None


def _name(key: bytes) -> str:
    return blake2b(key, digest_size=20).hexdigest() + ".tw"


def _digest(key: bytes, content: bytes) -> bytes:
    state = blake2b(key, digest_size=32)
    state.update(content)
    return state.digest()


def _is_ours_alone(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_own_file(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()


def _make_folder(path: str) -> None:
    if not os.path.isdir(path):
        _make_folder(os.path.dirname(path))
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)


def _open_entry(folder: int, name: str) -> FileIO:
    """Open for reading, without following a link or waiting for a pipe. OSError unless it is a file of ours alone."""

    def opener(path: str, flags: int) -> int:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)

    file = FileIO(name, "r", opener=opener)
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode) and _is_ours_alone(status):
        return file
    file.close()
    raise PermissionError(f"{name} is not a file of ours alone")


def _read_entry(folder: int, name: str, key: bytes | None = None, use: bool = True) -> bytes:
    """The content under ``key``, or under the own one; OSError where none is sound, and then a damaged file is gone."""
    with _open_entry(folder, name) as file:
        status = os.fstat(file.fileno())
        try:
            own, digest = _read_head(file, name)
            content = file.readall()
            if digest != _digest(own, content) or key not in (None, own):
                raise _DamagedError(name)
        except _DamagedError:
            _unlink_unchanged(folder, name, status)
            raise
        if use and abs(time.time() - status.st_mtime) > RENEWED_AFTER:
            with suppress(OSError):
                os.utime(file.fileno())
        return content


def _read_head(file: FileIO, name: str) -> tuple[bytes, bytes]:
    """Key and digest, with all checked that does not need the content."""
    size = os.fstat(file.fileno()).st_size
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        raise _DamagedError(name)
    magic, version, key_size, content_size, digest = HEADER.unpack(header)
    if (magic, version) != (MAGIC, VERSION) or HEADER.size + key_size + content_size != size:
        raise _DamagedError(name)
    key = file.read(key_size)
    if _name(key) != name:
        raise _DamagedError(name)
    return key, digest


def _write_entry(folder: int, key: bytes, content: bytes) -> None:
    """Write under another name, then rename; nothing is left of what fails.

    There is no fsync: what a loss of power does to a file is found by its digest.
    """
    name = _name(key)
    part = f"{name.removesuffix('.tw')}.{os.getpid()}-{os.urandom(8).hex()}.part"
    header = HEADER.pack(MAGIC, VERSION, len(key), len(content), _digest(key, content))
    try:
        with open(part, "xb", opener=partial(os.open, mode=0o600, dir_fd=folder)) as file:
            file.write(header + key)
            file.write(content)
        os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(part, dir_fd=folder)
        raise


def _own_files(folder: int, pattern: re.Pattern[str]) -> list[tuple[str, os.stat_result]]:
    """Our regular files whose names are of the pattern."""
    files = []
    with os.scandir(folder) as found:
        for entry in found:
            if pattern.fullmatch(entry.name):
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if _is_own_file(status):
                        files.append((entry.name, status))
    return files


def _last_use(file: tuple[str, os.stat_result]) -> int:
    return file[1].st_mtime_ns


def _unlink_unchanged(folder: int, name: str, seen: os.stat_result) -> None:
    """Remove the file that was seen, not one that another process has put in its place, or used, since."""
    with suppress(OSError):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if os.path.samestat(status, seen) and status.st_mtime_ns == seen.st_mtime_ns:
            os.unlink(name, dir_fd=folder)


def _drop_abandoned(folder: int) -> None:
    for name, status in _own_files(folder, PART):
        if time.time() - status.st_mtime > ABANDONED_AFTER:
            _unlink_unchanged(folder, name, status)


def _drop_first(folder: int, entries: list[tuple[str, os.stat_result]], total: int, enough: int) -> int:
    """Remove entries, from the first on, until ``total`` bytes have become ``enough``; the bytes left."""
    for name, status in entries:
        if total <= enough:
            break
        _unlink_unchanged(folder, name, status)
        total -= status.st_size
    return total
