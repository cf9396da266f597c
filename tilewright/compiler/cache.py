"""The cache on disk: compiled ops by what they were compiled of."""

from __future__ import annotations

import json
import os
import platform
from _blake2 import blake2b
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from tilewright.dsl.header import Header
from tilewright.errors import InternalError
from tilewright.runtime import ABI_VERSION, Artifact, Program, build
from tilewright.runtime.store import Store, default_folder

FOLDER = "TILEWRIGHT_CACHE"
"""The environment variable that says where the cache is; ``off`` for none."""
LIMIT = 1 << 30
"""Bytes on disk; what was not used for the longest time goes first."""


@cache
def _store() -> Store | None:
    folder = default_folder()
    return None if folder is None else Store(folder, LIMIT)


class Entry(NamedTuple):
    """What a compiled op was compiled of: its name, the hash of what it says, the names of its settings, and the key of
    a call.
    """

    name: str
    identity: str
    settings: Sequence[str]
    key: tuple[Any, ...]
    target: str
    level: str | None

    @property
    def parts(self) -> dict[str, Any]:
        """By name; equal parts mean equal code."""
        operands, values, *outputs = self.key
        return {
            "op": self.name,
            "definition": self.identity,
            "operands (dtype, rank, unit axis, still axes)": [o and list(o) for o in operands],
            "strided results": [o and list(o) for o in (outputs[0] if outputs else ())],
            "attributes": dict(zip(self.settings, map(_plain, values), strict=True)),
            "target": self.target,
            "level": self.level or "default",
            "schedule": "default",
            **_surroundings(),
        }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _surroundings() -> dict[str, Any]:
    return {"processor": build.machine(), "compiler": build.compiler(), "ABI": ABI_VERSION}


def _bytes(parts: dict[str, Any]) -> bytes:
    return json.dumps(parts, separators=(",", ":")).encode()


def find(entry: Entry) -> Program | None:
    """The program that was compiled for ``entry``."""
    store = _store()
    key = b"" if store is None else _bytes(entry.parts)
    content = None if store is None else store.get(key)
    found = None if content is None else _sound(content)
    if store is not None and content is not None and found is None:
        store.refuse(key)
    return found


def keep(entry: Entry, artifact: Artifact) -> None:
    """Puts what was compiled for ``entry`` into the cache."""
    store = _store()
    if store is not None:
        needs = json.dumps(sorted(build.features())).encode()
        store.put(_bytes(entry.parts), needs + b"\n" + artifact.encode())


def _sound(content: bytes) -> Program | None:
    """The program of an entry, which says first what a processor must have to run it: None if this one has not, or if
    it cannot be read or loaded."""
    said, _, rest = content.partition(b"\n")
    try:
        needs = json.loads(said)
        fits = isinstance(needs, list) and platform.machine() in needs and {*needs} <= build.features()
        return Artifact.decode(rest).program() if fits else None
    except (ValueError, TypeError, LookupError, InternalError):
        return None


# --- headers of sources ---------------------------------------------------------------------


def _source_key(text: str) -> bytes:
    return _bytes({"source": blake2b(text.encode(), digest_size=32).hexdigest(), **_surroundings()})


def find_headers(text: str) -> list[Header] | None:
    """The headers of the ops of a source text that was read before."""
    store, key = _store(), _source_key(text)
    found = None if store is None else store.get(key)
    if store is None or found is None:
        return None
    try:
        return [Header.of_json(h) for h in json.loads(found)]
    except (ValueError, TypeError, LookupError):
        store.refuse(key)
        return None


def keep_headers(text: str, headers: Sequence[Header]) -> None:
    """Puts the headers of a sound source text into the cache."""
    store = _store()
    if store is not None:
        store.put(_source_key(text), json.dumps(headers).encode())


# --- what users ask -------------------------------------------------------------------------


class Stats(NamedTuple):
    """Where the cache is (None: nowhere), what it holds, and how it served this process: ``refused`` entries were
    damaged, or not this user's."""

    folder: str | None
    entries: int
    bytes: int
    hits: int
    misses: int
    refused: int


def stats() -> Stats:
    """The state of the cache.

    >>> import tilewright as tw
    >>> tw.cache.stats().bytes >= 0
    True
    """
    store = _store()
    if store is None:
        return Stats(None, 0, 0, 0, 0, 0)
    return Stats(store.folder, *store.usage(), store.hits, store.misses, store.refused)


def check() -> tuple[int, int]:
    """Reads every entry: how many are sound, and how many are not, which go."""
    store = _store()
    return (0, 0) if store is None else store.check()


def clear() -> None:
    """Empties the cache."""
    store = _store()
    if store is not None:
        store.clear()


def explain(op: Any, *operands: Any, **attributes: Any) -> str:
    """Whether the code of a call is in the cache; if not, how the call differs from what is there.

    >>> import numpy as np, tilewright as tw
    >>> said = tw.cache.explain(tw.ops.softmax, np.ones((3, 7), np.float32))
    >>> said.startswith("softmax" if tw.cache.stats().folder else "there is no cache")
    True
    """
    store = _store()
    if store is None:
        return f"there is no cache: {FOLDER} is {os.environ.get(FOLDER)!r}"
    wanted = op.entry(op.key(*operands, **attributes)).parts
    if store.has(_bytes(wanted)):
        return f"{op.name} is in the cache for this call"
    near = min(_alike(store, wanted), key=lambda d: len(d), default=None)
    if near is None:
        return f"{op.name} is not in the cache in any form"
    return "\n".join([f"{op.name} is not in the cache for this call; the entry that is most like it differs:", *near])


def _alike(store: Store, wanted: dict[str, Any]) -> Iterator[list[str]]:
    """Per entry of the same op, how its parts differ from those wanted."""
    for key in store.keys():
        parts = json.loads(key)
        if parts.get("op") == wanted["op"]:
            yield [f"  {n}: {parts.get(n)}, not {v}" for n, v in wanted.items() if parts.get(n) != v]
