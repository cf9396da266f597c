"""Running checks in another process, so that a crash is a failure like others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

T = TypeVar("T", bound=tuple[Any, ...])


def failures(
    check: Callable[..., object], items: Sequence[T], environment: Mapping[str, str] | None = None
) -> list[tuple[T, str]]:
    """The items for which ``check(*item)`` raises or kills its process, and how.

    ``check`` must be importable by name and the items picklable. After a crash a new process takes over. What
    ``environment`` adds is set from the start of the process.
    """
    found: list[tuple[T, str]] = []
    start = 0
    while start < len(items):
        done, end = _run(check, items[start:], environment or {})
        found += [(items[start + n], why) for n, why in done.items() if why]
        start += len(done)
        if end is not None and start < len(items):
            found.append((items[start], end))
            start += 1
    return found


def _run(
    check: Callable[..., object], items: Sequence[T], environment: Mapping[str, str]
) -> tuple[dict[int, str], str | None]:
    """Per item that ended how it failed (empty: it did not); how the process was killed at the next one."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(check, items, sender), daemon=True)
    with _environment(environment):
        process.start()
    sender.close()
    done: dict[int, str] = {}
    try:
        while len(done) < len(items):
            done[len(done)] = receiver.recv()
    except EOFError:
        pass
    process.join()
    return done, None if len(done) == len(items) else _ending(process.exitcode or 0)


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"the process ended with {code}"


def _work(check: Callable[..., object], items: Sequence[T], sender: Connection) -> None:
    for item in items:
        try:
            check(*item)
        except Exception:
            sender.send(traceback.format_exc(limit=-3))
        else:
            sender.send("")


@contextmanager
def _environment(added: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(added)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
