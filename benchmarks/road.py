"""Import time, first kernel, compile time per op and Python's share of it.

    python benchmarks/road.py

Rounds are interleaved; figures are medians with the spread (min .. max). Run it on an idle machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

import tilewright as tw
from tilewright.compiler.cache import FOLDER
from tilewright.compiler.report import compile_times
from tilewright.passes.tensor.set_order import is_contraction

ROUNDS = 9
GOALS = {"pointwise": (15.0, 6.0), "rows": (30.0, 12.0), "contraction": (100.0, 40.0)}
"""Milliseconds per kernel of a class: the median in all, and Python's part. The worst may take three times as long."""
OWN = "op f(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i] * 2.0 + 1.0\n"
FIRST = {"a shipped op": 80.0, "an op's source": 200.0}
"""Milliseconds for a first call when nothing is in the cache, the import left out: the goals."""


def show(name: str, samples: list[float], unit: str, scale: float) -> None:
    low, mid, high = (f(samples) * scale for f in (min, statistics.median, max))
    print(f"{name:50s} {mid:10.2f} {unit:3s}  ({low:.2f} .. {high:.2f})")


def process_seconds(code: str, cache: str | None = None) -> float:
    """Seconds a fresh interpreter says that ``code`` took (its own start-up left out), byte code being there.

    Without a folder for the ``cache`` it has an empty one.
    """
    program = f"import time; t = time.perf_counter()\n{code}\nprint(time.perf_counter() - t)"
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as empty:
        env = {**inherited, FOLDER: cache or empty, "PYTHONPYCACHEPREFIX": f"{os.environ[FOLDER]}-code"}
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env)
    return float(run.stdout)


def import_and_first_kernel() -> None:
    ready = "import numpy as np, tilewright as tw\nx = np.ones(16, np.float32)\nt = time.perf_counter()\n"
    calls = {"a shipped op": f"{ready}tw.ops.exp(x)", "an op's source": f"{ready}tw.op({OWN!r})(x)"}
    kept = os.environ[FOLDER]
    cases: dict[str, tuple[str, str | None]] = {
        "import numpy": ("import numpy", kept),
        "import tilewright (with NumPy's own)": ("import tilewright", kept),
        **{f"first call of {what}, empty cache": (code, None) for what, code in calls.items()},
        **{f"first call of {what}, in the cache": (code, kept) for what, code in calls.items()},
    }
    for case in cases.values():
        process_seconds(*case)
    samples: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            samples[name].append(process_seconds(*case))
    for name, values in samples.items():
        show(name, values, "ms", 1e3)
    for what, goal in FIRST.items():
        print(f"{f'goal for {what}, empty cache':50s} {goal:10.2f} ms")


def op_class(op: tw.Op) -> str:
    """The kind of work an op's kernels do: contraction (convolutions are some), rows (sorts are some) or pointwise."""
    body = op.compilation(op.default_request({}, 1, {})).tensor.computes
    if op.name.startswith("conv") or any(c.reduction is not None and is_contraction(c, c.reduction) for c in body):
        return "contraction"
    return "rows" if any(c.reduction or c.scan or c.sort for c in body) else "pointwise"


def compile_seconds() -> None:
    print("\ncompile time (f32, rank-1 packs), text to callable: in all, waiting for LLVM, in Python; kernels")
    classes: dict[str, list[tuple[float, float, int]]] = {kind: [] for kind in GOALS}
    for name in tw.ops.names():
        op = tw.ops.get(name)
        runs = [compile_times(op) for _ in range(5)]
        whole = statistics.median(r.total for r in runs) * 1e3
        llvm = statistics.median(r.target for r in runs) * 1e3
        kind = op_class(op)
        kernels = len(op.compilation(op.default_request({}, 1, {})).loops.kernels)
        classes[kind].append((whole, llvm, kernels))
        print(f"  {name:12s} {kind:12s} {whole:8.1f} {llvm:8.1f} {whole - llvm:8.1f} ms; {kernels}")
    for kind, found in classes.items():
        for what, times in (("op", [(w, t) for w, t, _ in found]), ("kernel", [(w / k, t / k) for w, t, k in found])):
            whole, llvm, python = (statistics.median(v) for v in zip(*((w, t, w - t) for w, t in times), strict=True))
            most = max(w for w, _ in times)
            title = f"{kind} per {what}"
            print(f"  {title:24s} {whole:8.1f} {llvm:8.1f} {python:8.1f} ms, at most {most:.1f} ms")
        goal, share = GOALS[kind]
        print(f"  goal                     {goal:8.1f}          {share:8.1f} ms, at most {3 * goal:.1f} ms")


if __name__ == "__main__":
    start = time.perf_counter()
    os.environ[FOLDER] = tempfile.mkdtemp()
    import_and_first_kernel()
    compile_seconds()
    print(f"\nall of it in {time.perf_counter() - start:.0f} s")
