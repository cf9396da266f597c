"""What ``tilewright doctor`` says: the machine, the targets, the cache, and how fast this machine is."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator

from tilewright.compiler import cache as disk
from tilewright.compiler.definition import load_ops
from tilewright.compiler.op import Op
from tilewright.errors import TilewrightError
from tilewright.runtime import Tensor, get_threads, threads, to_tensor
from tilewright.targets.target import TARGETS, get_target, levels_of

CHAINS = 12
"""Independent chains of FMA: enough for any processor's latency times its units."""
_A, _B = ([f"{name}{n}" for n in range(CHAINS)] for name in "ab")
PEAK = f"""
op peak(x: f32[K, N]) -> y: f32[N]:
    ({", ".join(_A)})[i] = fold[k]({", ".join(f"{a}: f32 = 0" for a in _A)} <- {", ".join("x[k, i]" for _ in _A)};
        ({", ".join(_B)}) -> {", ".join(f"{a} * 0.5 + {b}" for a, b in zip(_A, _B, strict=True))})
    y[i] = {" + ".join(f"{a}[i]" for a in _A)}
"""
COPY = "op copy[T: any](x: T[N]) -> y: T[N]:\n    y[i] = x[i]\n"
STEPS, LANES, LONG = 4096, 64, 1 << 25
ROUNDS = 20


def lines() -> Iterator[str]:
    """The report, line by line: what takes time comes last."""
    yield f"machine: {platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    yield f"  CPUs: {os.cpu_count()}, of which calls use {get_threads()}"
    for name in sorted(TARGETS):
        yield from _target(name)
    yield from _cache()
    yield f"measured on one thread, the best of {ROUNDS} rounds:"
    with threads(1):
        yield f"  {flops() / 1e9:.1f} Gflop/s in f32 (FMA, {CHAINS} chains)"
        yield f"  {_bandwidth() / 1e9:.1f} GB/s copied (read and written)"


def _target(name: str) -> Iterator[str]:
    yield f"target {name}:"
    for level in levels_of(name):
        try:
            target = get_target(name, level)
            copy = _op(COPY)
            copy.compilation(copy.default_request({}, 1, {}), target).program()
            yield f"  {level}: ready" + (f" ({target.about})" if target.about else "")
        except TilewrightError as e:
            yield f"  {level}: {e.message}" + (f"; {e.hint}" if e.hint else "")


def _cache() -> Iterator[str]:
    stats = disk.stats()
    if stats.folder is None:
        yield f"cache: none, {disk.FOLDER} says so"
        return
    sound, damaged = disk.check()
    yield f"cache: {stats.folder}, {stats.bytes / 1e6:.1f} MB"
    yield f"  {sound} entries are sound" + (f", {damaged} were damaged and are gone" if damaged else "")


def _ones(*shape: int) -> Tensor:
    import numpy as np

    return to_tensor(np.ones(shape, np.float32))


def _op(source: str) -> Op:
    return next(iter(load_ops(source, "<doctor>").values()))


def _best(call: Callable[[Tensor], object], x: Tensor) -> float:
    """Seconds of the quickest round."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call(x)
        best = min(best, time.perf_counter() - start)
    return best


def flops() -> float:
    """What one thread reaches, in operations per second."""
    return 2.0 * CHAINS * STEPS * LANES / _best(_op(PEAK), _ones(STEPS, LANES))


def _bandwidth() -> float:
    return 8.0 * LONG / _best(_op(COPY), _ones(LONG))
