"""What the tests of the store share: where its files are, and how to make them old."""

from __future__ import annotations

import os
import time
from hashlib import blake2b
from pathlib import Path

from tilewright.runtime.store import Store

LARGE = 1 << 30
"""A limit that no test comes to."""


def path_of(store: Store, key: bytes) -> Path:
    return Path(store.folder, blake2b(key, digest_size=20).hexdigest() + ".tw")


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))
