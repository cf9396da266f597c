"""Measures how accurate the functions of mathematics are, and writes ``docs/accuracy.md``.

``python tests/accuracy.py --functions exp,log --dtypes f32 --jobs 1`` adds a line to ``measured/accuracy.jsonl`` for
each function and dtype that has none there, and writes the page from all lines; ``--inputs N`` measures samples of N
operands.

f32 is measured on all 2^32 operands (functions of two: on all pairs of special values and 10^9 random pairs), f16 and
bf16 on all 2^16 (10^7 pairs), by the C library's doubles; f64 on 10^7 operands by 113 bits (libquadmath), of which the
worst thousand and ten thousand others once more by mpmath. See ``accuracy_oracle.c``.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import math
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from llvmlite.binding import get_host_cpu_name
from mpmath import mp, mpf
from oracles import ORACLES, exact, operands, ulps

import tilewright as tw
from tilewright.compiler.op import Op
from tilewright.ir.functions import FUNCTIONS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "accuracy.md"
LOG = ROOT / "tests" / "measured" / "accuracy.jsonl"
COMMIT = subprocess.run(
    ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.strip()
Array = np.ndarray[Any, Any]
KINDS = {
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
}
BLOCK = 1 << 18
PAIRS = {"f32": 10**9, "f64": 10**7, "f16": 10**7, "bf16": 10**7}
"""Random operands, or pairs of them, where not all are measured."""
WORST, OTHERS = 1000, 10_000
"""How many results in f64 are measured by mpmath too."""
LEVELS = ("x86-64-v3", "x86-64")
SAME_BITS = {"f32": 1 << 24, "f64": 1 << 21}
"""So many operands give the same bits at these levels as at the machine's own."""


# --- kernels and oracle -----------------------------------------------------------------------


def kernel(name: str, dtype: str) -> Op:
    """The function alone, as an op on vectors."""
    letters = "ab"[: FUNCTIONS[name].arity]
    inputs, args = (", ".join(f.format(c) for c in letters) for f in (f"{{}}: {dtype}[N]", "{}[i]"))
    return tw.op(f"op f({inputs}) -> y: {dtype}[N]:\n    y[i] = {name}({args})\n")


class Format(ctypes.Structure):
    """``Format`` of accuracy_oracle.c."""

    _fields_ = [(name, ctypes.c_int32) for name in ("fraction", "least", "most")]


class Verdict(ctypes.Structure):
    """``Verdict`` of accuracy_oracle.c."""

    _fields_ = [("error", ctypes.c_double), ("at", ctypes.c_int64), ("wrong", ctypes.c_int64)]


FORMATS = {"f32": Format(23, -126, 127), "f16": Format(10, -14, 15), "bf16": Format(7, -126, 127)}
COMPILE = "gcc -O3 -march=native -mprefer-vector-width=512 -fno-math-errno -fno-trapping-math -fPIC -shared".split()


@cache
def oracle() -> ctypes.CDLL:
    """Compiled into a temporary folder; OSError or CalledProcessError where gcc or libquadmath are missing."""
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/oracle.so"
        source = Path(__file__).with_name("accuracy_oracle.c")
        subprocess.run([*COMPILE, source, "-o", library, "-lquadmath", "-lmvec", "-lm"], check=True)
        return ctypes.CDLL(library)


def pointer(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def judge_short(name: str, dtype: str, columns: Sequence[Array], y: Array) -> Verdict:
    """Of one block in f32 or a shorter format."""
    verdict, wide = Verdict(0.5, 0, 0), [np.ascontiguousarray(a.astype(np.float32, copy=False)) for a in (*columns, y)]
    judge = getattr(oracle(), f"{name}_single")
    judge(*map(pointer, wide), ctypes.c_int64(len(y)), ctypes.byref(FORMATS[dtype]), ctypes.byref(verdict))
    return verdict


def judge_double(name: str, columns: Sequence[Array], y: Array) -> tuple[Array, Array]:
    """Of one block in f64: the error of each result, and whether it is not the nearest number."""
    errors, wrong = np.empty(len(y)), np.empty(len(y), np.int32)
    judge = getattr(oracle(), f"{name}_double")
    judge(*map(pointer, (*columns, y)), ctypes.c_int64(len(y)), pointer(errors), pointer(wrong))
    return errors, wrong


def oracle_bits(name: str, precision: str, count: int = 200) -> float:
    """To how many bits the oracle agrees with mpmath. Near a zero of lgamma or digamma: bits of 1/16."""
    kind = KINDS["f32" if precision == "single" else "f64"]
    columns = [c.astype(np.float64) for c in operands(name, kind, count, seed=11)]
    high, low = np.empty(count), np.empty(count)
    call = getattr(oracle(), f"{name}_{precision}_true")
    call(*map(pointer, (*columns, high, low)), ctypes.c_int64(count))
    worst = 200.0
    for *args, h, rest in zip(*columns, high, low, strict=True):
        true = exact(name, tuple(args))
        if true and 1e-250 < abs(true) < 1e250 and math.isfinite(h):
            size = max(abs(true), mpf(1) / 16) if ORACLES[name].zeros else abs(true)
            error = abs(mpf(h) + mpf(rest) - true) / size
            worst = min(worst, float(-mp.log(error, 2)) if error else 200.0)
    return worst


# --- operands ---------------------------------------------------------------------------------


def special(kind: np.dtype[Any]) -> Array:
    """Zeros, ones, integers odd and even, halves, the ends of the format and what is next to them, with both signs."""
    info = ml_dtypes.finfo(kind)
    numbers = [0.0, 1.0, 0.5, 2.0, 3.0, 4.0, 1.5, 2.5, 7.25, 0.1, 10.0, 88.0, 710.0, math.inf, math.nan]
    numbers += [float(v) for v in (info.max, info.tiny, info.smallest_subnormal, info.tiny - info.smallest_subnormal)]
    numbers += [2.0 ** (info.nmant + n) + m for n in (-1, 0, 1) for m in (-1, 0, 1)]
    around = np.nextafter(np.float32(1), np.float32([0, 2])) if kind.itemsize == 4 else []
    with np.errstate(over="ignore"):
        positive = np.array([*numbers, *around], np.float64).astype(kind)
    patterns = np.unique(np.concatenate([positive, -positive]).view(f"u{kind.itemsize}"))
    return patterns.view(kind)


def patterns(bits: int, kind: np.dtype[Any], count: int) -> Iterator[list[Array]]:
    """All patterns, or so many of them, evenly, with varying low bits."""
    step = 2**bits // count
    for start in range(0, count, BLOCK):
        k = np.arange(start, min(start + BLOCK, count), dtype=np.uint32)
        low = (k * np.uint32(0x9E3779B1) >> np.uint32(12)) % np.uint32(step)
        yield [(k * np.uint32(step) + low).astype(f"u{kind.itemsize}", copy=False).view(kind)]


def short_pairs(name: str, kind: np.dtype[Any], seed: int) -> list[Array]:
    """A block of pairs: of either operand half are any patterns, a quarter of numbers around 1, a quarter even in value
    where the function is interesting."""
    random, oracle = np.random.default_rng(seed), ORACLES.get(name, ORACLES["copysign"])
    bits, quarter = kind.itemsize * 8, BLOCK // 4
    one = int(np.ones((), kind).view(f"u{kind.itemsize}"))
    binade = 1 << ml_dtypes.finfo(kind).nmant

    def column() -> list[Array]:
        any_ = random.integers(0, 2**bits, 2 * quarter, dtype=f"u{kind.itemsize}").view(kind)
        near = random.integers(one - 12 * binade, one + 8 * binade, quarter, dtype=f"u{kind.itemsize}").view(kind)
        near[::2] *= kind.type(-1)
        even = random.random(quarter, np.float32) * np.float32(oracle.high - oracle.low) + np.float32(oracle.low)
        return [any_, near, even.astype(kind)]

    return [np.concatenate(column()), np.roll(np.concatenate(column()), 3 * quarter // 2)]


def blocks(name: str, dtype: str, count: int | None) -> Iterator[list[Array]]:
    """Operands; ``count``: so many instead of all."""
    kind, arity = KINDS[dtype], FUNCTIONS[name].arity
    if arity == 1 and dtype != "f64":
        yield from patterns(kind.itemsize * 8, kind, min(count or 2**32, 2 ** (kind.itemsize * 8)))
        return
    pairs = list(itertools.product(special(kind), repeat=arity))
    yield [np.array(c, kind) for c in zip(*pairs, strict=True)]
    left, seed, like = count or PAIRS[dtype], 1000, name if name in ORACLES else "copysign"
    while left > 0:
        yield operands(like, kind, min(left, BLOCK), seed) if dtype == "f64" else short_pairs(name, kind, seed)
        left, seed = left - BLOCK, seed + 1


# --- measuring --------------------------------------------------------------------------------


@dataclass
class Found:
    """What is known of a function and a dtype. ``at``: the operands of the largest error. ``confirmed``: how many
    results mpmath has measured, ``apart``: by how many ULP its errors are others than the oracle's at most."""

    function: str
    dtype: str
    inputs: int = 0
    error: float = -1.0
    at: list[str] = field(default_factory=list)
    wrong: int = 0
    oracle_bits: float = 0.0
    confirmed: int = 0
    apart: float = 0.0
    levels: dict[str, int] = field(default_factory=dict)
    full: bool = True
    commit: str = ""
    seconds: float = 0.0

    @property
    def bound(self) -> float:
        return FUNCTIONS[self.function].ulps[64 if self.dtype == "f64" else 32]

    @property
    def is_right(self) -> bool:
        return self.error <= (self.bound or 0.5) and (self.bound > 0 or not self.wrong)

    def add(self, columns: Sequence[Array], error: float, at: int, wrong: int) -> None:
        self.inputs += len(columns[0])
        self.wrong += wrong
        if error > self.error:
            self.error, self.at = error, [float(c[at]).hex() for c in columns]


@dataclass
class Suspects:
    """The results in f64 that mpmath shall measure: the worst, and others; rows of operands, result and error."""

    worst: Array
    others: list[Array] = field(default_factory=list)

    def add(self, columns: Sequence[Array], y: Array, errors: Array, every: int) -> None:
        rows = np.column_stack([*columns, y, errors])
        self.others.append(rows[::every])
        both = np.concatenate([self.worst, rows[np.argsort(errors)[-WORST:]]])
        self.worst = both[np.argsort(both[:, -1])[-WORST:]]


def confirm(name: str, rows: Iterable[Array], found: Found) -> None:
    """By mpmath, as tests/oracles.py has the functions."""
    for *args, y, error in rows:
        true = exact(name, tuple(args)) if name in ORACLES and all(args) else None  # it knows no -0.0
        if true is not None:
            found.confirmed += 1
            both = [ulps(y, true, KINDS["f64"], near_zero=n) for n in (False, ORACLES[name].zeros)]
            found.apart = max(found.apart, min(abs(e - error) for e in both))


def measure(name: str, dtype: str, count: int | None = None, level: str | None = None) -> Found:
    op, found = kernel(name, dtype).on("cpu", level), Found(name, dtype, full=count is None)
    suspects = Suspects(np.empty((0, FUNCTIONS[name].arity + 2)))
    for columns in blocks(name, dtype, count):
        y = np.asarray(op(*columns))
        if dtype == "f64":
            errors, wrong = judge_double(name, columns, y)
            found.add(columns, errors.max(), int(errors.argmax()), int(wrong.sum()))
            suspects.add(columns, y, errors, max(20, (count or PAIRS["f64"]) // OTHERS))
        else:
            verdict = judge_short(name, dtype, columns, y)
            found.add(columns, verdict.error, verdict.at, verdict.wrong)
    if dtype == "f64":
        confirm(name, itertools.chain(suspects.worst, *suspects.others), found)
    return found


def differing(name: str, dtype: str, level: str, count: int) -> int:
    """How many of so many results have other bits than at the machine's own level (any nan is as good as any)."""
    kind, here, total = KINDS[dtype], kernel(name, dtype), 0
    other = here.on("cpu", level)
    whole = FUNCTIONS[name].arity == 1 and dtype == "f32"
    for columns in patterns(32, kind, count) if whole else blocks(name, dtype, count):
        a, b = np.asarray(here(*columns)), np.asarray(other(*columns))
        unequal = a.view(f"u{kind.itemsize}") != b.view(f"u{kind.itemsize}")
        total += int((unequal & ~(np.isnan(a) & np.isnan(b))).sum())
    return total


def full(name: str, dtype: str, count: int | None, levels: bool) -> Found:
    """The errors of a function, or whether it is the same at other levels; on one thread."""
    tw.set_threads(1)
    start = time.perf_counter()
    if levels:
        found = Found(name, dtype, count or SAME_BITS[dtype], full=count is None)
        found.levels = {v: differing(name, dtype, v, found.inputs) for v in LEVELS}
    else:
        found = measure(name, dtype, count)
        if name in ORACLES:
            found.oracle_bits = oracle_bits(name, "double" if dtype == "f64" else "single")
    found.seconds, found.commit = time.perf_counter() - start, COMMIT
    return found


# --- the page ---------------------------------------------------------------------------------

TEXT = """# The accuracy of the functions of mathematics

Measured by `python tests/accuracy.py` (which writes this page) on {cpu}, native level. Errors are in units of the last
place (ULP) of the true value, which is not rounded; beyond the largest number infinity counts as the next power of
two. NaN, infinities and zeros with their signs must be those that annex F of the C standard and IEEE 754 say: a wrong
one counts as an infinite error. Within 1/10 of a zero of `lgamma` and `digamma` the unit is the last place of 1 where
that is larger. *Not nearest* is how many results are not the true value rounded once.

A row with fewer operands than what follows is that of a sample: its full run is still to be made. An error in bold is
over its bound.

- **f32**: functions of one operand on all 2^32; of two on all pairs of special values and 10^9 random pairs (half of
  the operands are any patterns, the others near 1 or where the function is interesting). The true value is a double
  of the C library (glibc {glibc}; its vector functions are within 4 ULP of a double: 2^-27 of one here).
- **f16**, **bf16**: all 2^16, and 10^7 pairs. They are computed in f32 and rounded. (`nextafter`, which moves to the
  next f32 that way, is left out.)
- **f64**: special values (of two operands: all pairs) and 10^7 random operands, by libquadmath in 113 bits. The 1,000
  worst and 10,000 others of each function were measured once more by mpmath, in 200 bits and more; *mpmath* has the
  largest difference between the two errors, in ULP.
- `logaddexp` is 0 along the curve e^a + e^b = 1, which random pairs hardly meet. In f64 its powers are double words:
  4 ULP hold down to values of 2^-50 of the smaller power, and below that the error is under 2^-102 of that power (of
  40,000 pairs within three floats of the curve 688 are over 4 ULP, the largest one 6,000). f32 is computed in f64: 4
  ULP hold down to 2^-27 of the smaller power, and below that the error is under 2^-48 of it (of 2^20 pairs next to the
  curve 0.14 % are over 4 ULP, the largest one 7,100). Double words would mend that at 2.1 to 2.7 times the run
  time; two powers in plain f64, without the digits that it takes, are at 1.13 already.
- *Oracle*: to how many bits the oracle itself agrees with mpmath on 200 operands (200: no difference).
- *Other bits*: how many of so many results are others at the levels {levels} (in full: of 2^24, f64 2^21).

| function | dtype | operands | largest error | bound | where | not nearest | oracle | mpmath | other bits | commit |
| --- | --- | --: | --: | --: | --- | --: | --: | --: | --- | --- |
"""


def row(f: Found, at_levels: Found | None) -> str:
    mpmath = f"{f.apart:.0e} of {f.confirmed:,}" if f.confirmed else ""
    levels = ", ".join(f"{n:,}" for n in at_levels.levels.values()) if at_levels else ""
    levels += f" of {at_levels.inputs:,}" if at_levels else ""
    error = "at most 1/2" if f.error <= 0.5 else f"{f.error:.3f}" if f.is_right else f"**{f.error:.3f}**"
    where, bound = ", ".join(map(shortest, f.at)) if f.error > 0.5 else "", f"{f.bound:g}" if f.bound else "exact"
    cells = f"`{f.function}` | {f.dtype} | {f.inputs:,} | {error} | {bound} | {where} | {f.wrong:,}"
    return f"| {cells} | {f.oracle_bits:.0f} | {mpmath} | {levels} | {f.commit} |\n"


def shortest(pattern: str) -> str:
    """Without the zeros that end a hexadecimal number."""
    digits, power, exponent = pattern.partition("p")
    return digits.rstrip("0").rstrip(".") + power + exponent if power else digits


def write_page(log: Path) -> None:
    lines = sorted(read(log), key=lambda f: (f.full, f.inputs))  # the last one counts
    found = {(f.function, f.dtype): f for f in lines if not f.levels}
    levels = {(f.function, f.dtype): f for f in lines if f.levels}
    order = [(name, dtype) for name in FUNCTIONS for dtype in KINDS]
    glibc = platform.libc_ver()[1]
    head = TEXT.format(cpu=get_host_cpu_name(), glibc=glibc, levels=" and ".join(LEVELS))
    PAGE.write_text(head + "".join(row(found[key], levels.get(key)) for key in order if key in found))


def read(log: Path) -> list[Found]:
    return [Found(**json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--functions", default=",".join(FUNCTIONS))
    parser.add_argument("--dtypes", default="f16,bf16,f32,f64")
    parser.add_argument("--inputs", default="all", help="'all', or how many, evenly or at random")
    parser.add_argument("--levels", action="store_true", help="compare with other levels instead")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--log", type=Path, default=LOG)
    args = parser.parse_args()
    count = None if args.inputs == "all" else int(args.inputs)
    same = [f for f in read(args.log) if bool(f.levels) == args.levels and (f.full or count)]
    known = {(f.function, f.dtype) for f in same} | {("nextafter", "f16"), ("nextafter", "bf16")}
    work = itertools.product(args.dtypes.split(","), args.functions.split(","))
    with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool, args.log.open("a") as log:
        running = [pool.submit(full, f, d, count, args.levels) for d, f in work if (f, d) not in known]
        for done in as_completed(running):
            found = done.result()
            log.write(json.dumps(asdict(found)) + "\n")
            log.flush()
            print(f"{found.seconds:.0f} s", row(found, found if found.levels else None), end="", flush=True)
    write_page(args.log)


if __name__ == "__main__":
    main()
