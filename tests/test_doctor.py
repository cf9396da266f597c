"""``tilewright doctor``."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import tilewright as tw
from tilewright.cli import main
from tilewright.compiler import cache, doctor
from tilewright.compiler.doctor import CHAINS, PEAK


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TILEWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr(doctor, "LONG", 1 << 18)
    monkeypatch.setattr(doctor, "ROUNDS", 3)
    cache._store.cache_clear()


def report(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["doctor"]) == 0
    cache._store.cache_clear()
    return capsys.readouterr().out


def test_a_sound_machine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = report(capsys)
    assert re.search(r"^machine: \w+, \w+, Python 3\.", said)
    assert re.search(r"^  CPUs: \d+, of which calls use \d+$", said, re.M)
    assert re.search(r"^target cpu:\n  native: ready \(\S+: vectors of \d+ bytes, .+\)$", said, re.M)
    assert f"cache: {tmp_path}" in said and "were damaged" not in said
    rates = [float(n) for n in re.findall(r"^  ([\d.]+) G(?:flop|B)/s", said, re.M)]
    assert len(rates) == 2 and min(rates) > 0


def test_what_is_missing_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("TILEWRIGHT_CACHE", "off")
    said = report(capsys)
    assert "  c99: the c target needs a C compiler, and none was found (no-such-compiler); install gcc or clang" in said
    assert "cache: none, TILEWRIGHT_CACHE says so" in said


def test_damaged_entries_are_told_and_go(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tw.op("op one(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i] + 1\n")(np.ones(2, np.float32))
    entries = sorted(tmp_path.glob("*.tw"))
    entries[0].write_bytes(entries[0].read_bytes()[:-1])
    assert re.search(r"^  \d+ entries are sound, 1 were damaged and are gone$", report(capsys), re.M)
    assert "were damaged" not in report(capsys)


def test_the_peak_is_of_so_many_chains() -> None:
    x = np.ones((2, 3), np.float32)
    assert tw.op(PEAK)(x).tolist() == [CHAINS * 1.5] * 3
