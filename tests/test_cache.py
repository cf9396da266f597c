"""The cache on disk: a second process compiles nothing, and nothing but what was asked for is ever run."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tilewright as tw
from tilewright.compiler import cache, sources
from tilewright.compiler.definition import Definition
from tilewright.runtime import build

SCALE = "op scale(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i] * {factor}\n"

PROGRAM = """\
import json, sys
import numpy as np, tilewright as tw
x = np.arange(6, dtype=np.float32).reshape(2, 3)
results = [round(float(tw.ops.softmax(x).sum())), tw.ops.sum(x, R=1).tolist()]
results.append(tw.op({source!r})(x[0]).tolist())
names = ("lark", "llvmlite", "tilewright.compiler.definition", "tilewright.dsl.syntax", "tilewright.targets")
heavy = [m for m in names if m in sys.modules] + [l for l in open("/proc/self/maps") if "libllvmlite" in l][:1]
print(json.dumps([str(results), heavy, tw.cache.stats().hits, tw.cache.stats().misses, tw.cache.stats().refused]))
"""


def run(folder: Path, factor: str = "3") -> tuple[str, list[str], int, int, int]:
    code = PROGRAM.format(source=SCALE.format(factor=factor))
    environment = {**os.environ, "TILEWRIGHT_CACHE": str(folder)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return found[0], found[1], found[2], found[3], found[4]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own for this process too."""
    monkeypatch.setenv("TILEWRIGHT_CACHE", str(tmp_path / "cache"))
    cache._store.cache_clear()
    yield tmp_path / "cache"
    cache._store.cache_clear()


def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the ops that are compiled from now on."""
    names: list[str] = []
    artifact = Definition.artifact

    def noted(self: Definition, *args: object) -> object:
        names.append(self.tree.name)
        return artifact(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Definition, "artifact", noted)
    return names


def anew(source: str) -> tw.Op:
    sources._made.clear()
    return tw.op(source)


def test_a_second_process_compiles_nothing_and_loads_no_compiler(tmp_path: Path) -> None:
    first, heavy, hits, misses, _ = run(tmp_path)
    assert "tilewright.compiler.definition" in heavy and (hits, misses) == (0, 4)
    again, heavy, hits, misses, _ = run(tmp_path)
    assert again == first == "[2, [3.0, 12.0], [0.0, 3.0, 6.0]]"
    assert heavy == [] and (hits, misses) == (4, 0)


def test_another_source_is_another_op(tmp_path: Path) -> None:
    assert run(tmp_path)[0].endswith("[0.0, 3.0, 6.0]]")
    assert run(tmp_path, "5")[0].endswith("[0.0, 5.0, 10.0]]")


@pytest.mark.parametrize("damage", ["cut", "flipped", "swapped"])
def test_damaged_entries_are_compiled_anew(tmp_path: Path, damage: str) -> None:
    right = run(tmp_path)[0]
    entries = sorted(tmp_path.glob("*.tw"))
    contents = [e.read_bytes() for e in entries]
    assert len(entries) == 4
    for n, (entry, content) in enumerate(zip(entries, contents, strict=True)):
        middle = len(content) // 2
        flipped = bytes([*content[:middle], content[middle] ^ 1, *content[middle + 1 :]])
        entry.write_bytes({"cut": content[:middle], "flipped": flipped, "swapped": contents[n - 1]}[damage])
    result, _, hits, _, refused = run(tmp_path)
    assert (result, hits, refused) == (right, 0, 4)
    assert run(tmp_path)[2:] == (4, 0, 0)


def test_processes_that_fill_one_cache_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(10) as threads:
        results = list(threads.map(lambda n: run(tmp_path, str(n % 3 + 2)), range(10)))
    for n, result in enumerate(results):
        assert result[0].endswith(f"[0.0, {n % 3 + 2}.0, {2 * (n % 3 + 2)}.0]]") and result[4] == 0
    assert run(tmp_path, "2")[1:] == ([], 4, 0, 0)


def test_what_the_key_is_made_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = compiled(monkeypatch)
    x, text = np.ones(3, np.float32), SCALE.format(factor="7")
    assert anew(text)(x).tolist() == [7, 7, 7] and names == ["scale"]
    commented = "# seven times as much\n\n" + text.replace("\n    y", "  # really\n    y")
    assert anew(commented)(x).tolist() == [7, 7, 7] and names == ["scale"]  # what is said counts, not where
    assert anew(text)(x[::2]).tolist() == [7, 7] and names == ["scale"] * 2  # another layout
    assert anew(text).on("cpu", "x86-64")(x).tolist() == [7, 7, 7] and names == ["scale"] * 3
    for part in ("machine", "compiler"):
        monkeypatch.setattr(build, part, lambda: "another")
        assert anew(text)(x).tolist() == [7, 7, 7]
        monkeypatch.undo()
        monkeypatch.setenv("TILEWRIGHT_CACHE", str(folder))
        names = compiled(monkeypatch)
        assert anew(text)(x).tolist() == [7, 7, 7] and names == []


def test_ops_that_are_called_are_part_of_what_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = compiled(monkeypatch)
    text = SCALE.format(factor="2") + "op twice(x: f32[N]) -> y: f32[N]:\n    t = scale(x)\n    y = scale(t)\n"
    for factor, times in (("2", 4), ("3", 9), ("2", 4)):
        path = folder.parent / f"{factor}.tw"
        path.write_text(text.replace("* 2", f"* {factor}"))
        sources._made.clear()
        assert tw.load(path).twice(np.ones(2, np.float32)).tolist() == [times] * 2
    assert names == ["twice"] * 2


def test_checked_compiling_reads_no_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = compiled(monkeypatch)
    x, text = np.ones(3, np.float32), SCALE.format(factor="11")
    assert anew(text)(x).tolist() == [11] * 3
    with tw.verify("each-pass"):
        assert anew(text)(x).tolist() == [11] * 3
    assert names == ["scale"] * 2


def test_explanations(folder: Path) -> None:
    op, x = anew(SCALE.format(factor="13")), np.ones(4, np.float32)
    assert tw.cache.explain(op, x) == "scale is not in the cache in any form"
    op(x)
    assert tw.cache.explain(op, x) == "scale is in the cache for this call"
    assert tw.cache.explain(op, x[::2]) == (
        "scale is not in the cache for this call; the entry that is most like it differs:\n"
        "  operands (dtype, rank, unit axis, still axes): [['f32', 1, 0, 0]], not [['f32', 1, -1, 0]]"
    )


def test_the_state_and_the_end_of_a_cache(folder: Path) -> None:
    assert tw.cache.stats() == (str(folder), 0, 0, 0, 0, 0)
    anew(SCALE.format(factor="17"))(np.ones(4, np.float32))
    entries, size, hits, misses, refused = tw.cache.stats()[1:]
    assert (entries, hits, misses, refused) == (2, 0, 2, 0)
    assert size == sum(f.stat().st_size for f in folder.iterdir()) > 500
    tw.cache.clear()
    assert tw.cache.stats()[1:3] == (0, 0) and list(folder.iterdir()) == []


def test_no_cache_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILEWRIGHT_CACHE", "off")
    cache._store.cache_clear()
    assert tw.cache.stats().folder is None
    assert tw.cache.explain(tw.ops.exp, np.ones(2)) == "there is no cache: TILEWRIGHT_CACHE is 'off'"
    tw.cache.clear()
    cache._store.cache_clear()


TRACED = """\
import json, numpy as np, tilewright as tw
from tilewright.compiler.function import FunctionOp
from tilewright.passes.tensor.differentiate import differentiate
x = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
traced = tw.trace(lambda {name}: tw.ops.exp(tw.ops.mul({name}, {name})), x)
product = tw.ops.mul.definition.job(tw.ops.mul.request((x, x), {{}}), tw.ops.mul.target).function
derived = FunctionOp(differentiate(product, ("x",)))
results = [float(traced(x).sum()), np.asarray(derived(x, {factor} * x)).tolist()]
print(json.dumps([results, *tw.cache.stats()[3:]]))
"""


def traced(folder: Path, name: str = "a", factor: str = "1") -> tuple[object, int, int, int]:
    environment = {**os.environ, "TILEWRIGHT_CACHE": str(folder)}
    code = TRACED.format(name=name, factor=factor)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    results, hits, misses, refused = json.loads(done.stdout)
    return results, hits, misses, refused


def test_traces_and_derivatives_are_served_too(tmp_path: Path) -> None:
    first, hits, misses, _ = traced(tmp_path / "cache")
    assert (hits, misses) == (0, 2)
    assert traced(tmp_path / "cache", "other") == (first, 2, 0, 0)  # names of variables in Python say nothing
    sound = [p for p in (tmp_path / "cache").iterdir() if p.is_file()]
    for path in sound:
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
    again, hits, misses, refused = traced(tmp_path / "cache")
    assert (again, hits, refused) == (first, 0, 2)


def test_another_trace_is_not_served(folder: Path) -> None:
    x = np.arange(4, dtype=np.float32)
    for function in (lambda a: tw.ops.exp(a), lambda a: tw.ops.neg(a), lambda a: tw.ops.exp(tw.ops.exp(a))):
        np.testing.assert_allclose(tw.trace(function, x)(x), function(x), rtol=1e-6)
    store = cache._store()
    assert store is not None
    traces = [k for k in map(json.loads, store.keys()) if k.get("op") == "lambda"]
    assert len({k["definition"] for k in traces}) == len(traces) == 3


def test_asking_is_no_use(folder: Path) -> None:
    op, x = tw.op(SCALE.format(factor="5")), np.arange(4, dtype=np.float32)
    op(x)
    before = tw.cache.stats()
    assert tw.cache.explain(op, x) == "scale is in the cache for this call"
    assert "differs" in tw.cache.explain(op, x[::2])
    assert tw.cache.stats() == before


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        (lambda c: c.replace(b'["', b'["a feature of the future", "', 1), 213),
        (lambda c: re.sub(b"x86_64|aarch64", b"another_architecture", c, count=1), 214),
        (lambda c: c[:-1], 215),
        (lambda c: c + b"x", 216),
        (lambda c: c[c.index(b"\n") :], 217),
        (lambda c: b"{}\n[]\n", 218),
        (lambda c: b"", 219),
        (lambda c: b"[]" + c[c.index(b"\n") :], 220),
        (lambda c: c.replace(b"]]\n", b",-3,3]]\n", 1), 221),
        (lambda c: c.replace(b'"object"', b'"future"', 1), 222),
        (lambda c: c.replace(b'["phase","', b'["phase","no', 1), 223),
        (lambda c: c.replace(b'["phase",', b'["dance",', 1), 224),
        (lambda c: re.sub(rb'(\["phase","\w+",)\d+', rb"\g<1>9999", c, count=1), 225),
        (lambda c: c.replace(b"\x7fELF", b"\x7fFLE", 1), 226),
    ],
    ids=[
        "feature",
        "architecture",
        "cut",
        "longer",
        "no features",
        "another form",
        "nothing",
        "no architecture",
        "overlapping",
        "another form of code",
        "no such kernel",
        "no such step",
        "no such slot",
        "no code",
    ],
)
def test_code_that_is_not_for_this_processor_or_no_code_is_never_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes], factor: int
) -> None:
    names = compiled(monkeypatch)
    x, text = np.ones(3, np.float32), SCALE.format(factor=str(factor))
    anew(text)(x)
    store = cache._store()
    assert store is not None
    keys = [k for k in store.keys() if b'"op"' in k]
    assert len(keys) == 1
    content = store.get(keys[0])
    assert content is not None and store.put(keys[0], change(content))
    refused = tw.cache.stats().refused
    assert anew(text)(x).tolist() == [factor] * 3 and names == ["scale"] * 2
    assert tw.cache.stats().refused == refused + 1
    assert anew(text)(x).tolist() == [factor] * 3 and names == ["scale"] * 2  # it was put anew


@given(st.integers(0, 2**30), st.integers(0, 7))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_anywhere_is_found(folder: Path, place: int, bit: int) -> None:
    x, text = np.ones(3, np.float32), SCALE.format(factor="231")
    anew(text)(x)
    refused = tw.cache.stats().refused
    entries = sorted(folder.glob("*.tw"))
    assert len(entries) == 2  # the headers of the source, the code
    entry = entries[place % 2]
    raw = bytearray(entry.read_bytes())
    raw[place // 2 % len(raw)] ^= 1 << bit
    entry.write_bytes(raw)
    assert anew(text)(x).tolist() == [231] * 3
    assert tw.cache.stats().refused == refused + 1


def test_headers_that_cannot_be_read_are_read_anew(folder: Path) -> None:
    x, text = np.ones(3, np.float32), SCALE.format(factor="232")
    anew(text)(x)
    store = cache._store()
    assert store is not None
    (key,) = (k for k in store.keys() if b'"source"' in k)
    for content in (b"[[]]", b"[7]", b"{", b"\xff", b'[["scale"]]'):
        store.put(key, content)
        assert anew(text)(x).tolist() == [232] * 3
        assert store.get(key) not in (None, content)


KILLED = """\
import sys, numpy as np, tilewright as tw
x = np.arange(6, dtype=np.float32).reshape(2, 3)
for n in range(int(sys.argv[1]), int(sys.argv[1]) + 3):
    text = "op scale(x: f32[...]) -> y: f32[...]:\\n    y[...] = x[...] * " + str(n)
    assert tw.op(text)(x).tolist() == (x * n).tolist()
    assert tw.ops.softmax(x).shape == (2, 3)
print("right", tw.cache.stats().hits, tw.cache.stats().misses, tw.cache.stats().refused)
"""


def killed_at_random(folder: Path, times: int) -> None:
    """Processes that compile into one cache are killed at random moments; the others, and those that come after, are
    right, and at last one finds everything."""
    environment = {**os.environ, "TILEWRIGHT_CACHE": str(folder)}
    rng = random.Random(3)

    def start(n: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", KILLED, str(n)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run_for(n: int, seconds: float) -> bool:
        """Whether it was killed."""
        process = start(n)
        try:
            out, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return True
        assert out.startswith("right") and not errors
        return False

    lives = [(rng.randrange(2, 12), rng.uniform(0.02, 0.9)) for _ in range(times)]
    lives[-1] = (lives[-1][0], 60)
    with ThreadPoolExecutor(2) as two:
        killed = list(two.map(run_for, *zip(*lives, strict=True)))
    assert any(killed) and not all(killed)
    for n in range(2, 14, 3):
        out, errors = start(n).communicate()
        assert out.startswith("right") and out.endswith(" 0\n") and not errors
    for n in range(2, 14, 3):
        assert start(n).communicate()[0].split()[2:] == ["0", "0"]


def test_processes_killed_at_random_leave_a_sound_cache(tmp_path: Path) -> None:
    killed_at_random(tmp_path / "cache", 8)


@pytest.mark.full
def test_many_processes_killed_at_random_leave_a_sound_cache(tmp_path: Path) -> None:
    killed_at_random(tmp_path / "cache", 200)
