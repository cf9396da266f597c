"""Runs of mutated texts: what was tried, what came of it, what was wrong."""

from __future__ import annotations

import re
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from fuzz.mutate import spoilt
from fuzz.subjects import SUBJECTS, Subject, judged

LIMIT = 60
_KEPT = 300
_SMALL = 2_000


@dataclass
class Failure:
    """An input that gave neither a result nor a diagnostic."""

    subject: str
    data: bytes
    problem: str


@dataclass
class Report:
    """What a run saw; runs can be added."""

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: set[tuple[str, str]] = field(default_factory=set)
    slowest: tuple[float, str, bytes] = (0.0, "", b"")
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Report) -> None:
        self.inputs += other.inputs
        self.outcomes += other.outcomes
        self.kinds |= other.kinds
        self.slowest = max(self.slowest, other.slowest)
        self.failures += other.failures


class TooSlow(BaseException):
    """An input took longer than the limit."""


def run(seed: str, inputs: int) -> Report:
    """Tries ``inputs`` texts, the same ones for the same seed."""
    random, report = Random(seed), Report()
    corpora = {s.name: [t.encode() for t in s.corpus()] for s in SUBJECTS}
    weights = [s.share for s in SUBJECTS]
    for _ in range(inputs):
        subject = random.choices(SUBJECTS, weights)[0]
        corpus = corpora[subject.name]
        data = spoilt(random.choice(corpus), random, corpus)
        if _try(subject, data, report) and len(data) < _SMALL and len(corpus) < _KEPT:
            corpus.append(data)
    return report


def _try(subject: Subject, data: bytes, report: Report) -> bool:
    """Whether what came of ``data`` is new."""
    start = time.perf_counter()
    try:
        with _time_limit():
            outcome = judged(subject, data)
    except (Exception, TooSlow) as e:
        outcome = f"FAILED {type(e).__name__}"
        report.failures.append(Failure(subject.name, data, _problem(e)))
    report.inputs += 1
    report.slowest = max(report.slowest, (time.perf_counter() - start, subject.name, data))
    report.outcomes[f"{subject.name}: {outcome.split(':')[0]}"] += 1
    kind = subject.name, _template(outcome)
    fresh = kind not in report.kinds
    report.kinds.add(kind)
    return fresh


def _template(outcome: str) -> str:
    """A message without what it quotes from the text."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|[0-9]+|`[^`]*`", "_", outcome)[:60]


def _problem(e: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(e.__traceback__) if "tilewright" in f.filename or "fuzz" in f.filename]
    places = " < ".join(f"{f.filename.rsplit('/', 1)[1]}:{f.lineno} {f.name}" for f in reversed(frames[-4:]))
    return f"{type(e).__name__}: {str(e)[:200]} at {places}"


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(signum: int, frame: object) -> None:
        raise TooSlow(f"no answer after {LIMIT} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def reduced(failure: Failure, tries: int = 400) -> bytes:
    """A smaller input that fails as ``failure`` does."""
    subject = next(s for s in SUBJECTS if s.name == failure.subject)
    data, step = failure.data, max(1, len(failure.data) // 2)
    kind = failure.problem.split(" at ")[0].split(":")[0]
    while step and tries > 0:
        for at in range(0, len(data), step):
            shorter, report = data[:at] + data[at + step :], Report()
            tries -= 1
            _try(subject, shorter, report)
            if report.failures and report.failures[0].problem.startswith(kind):
                data = shorter
                break
        else:
            step //= 2
    return data
