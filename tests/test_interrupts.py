"""Signals while ops run: an interrupt comes soon, a handler may call ops, and everything stays usable."""

from __future__ import annotations

import subprocess
import sys

import pytest

START = """\
import os, signal, threading, time
import numpy as np, tilewright as tw
# where tests run in the background it is ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
def send(number, after):
    threading.Timer(after, lambda: os.kill(os.getpid(), number)).start()
"""

MANY_CALLS = """\
x = tw.ones(1000, 1000)
y = tw.ops.exp(x)
send(signal.SIGINT, 0.5)
start = time.monotonic()
try:
    while time.monotonic() < start + 30:
        y = tw.ops.exp(y * 0)
    print("not interrupted")
except KeyboardInterrupt:
    print("soon" if time.monotonic() < start + 10 else "late", tw.ops.add(x, x).sum().item(), (x @ x)[0, 0].item())
"""

WALK = """\
walk = tw.op('''
op walk(x: f32[N], like: f32[T]) -> y: f32[N]:
    for t: T:
        s[t, i: N] = sin(s[t - 1, i] else x[i]) + 0.5
    y[i] = s[T - 1, i]
''')
x = tw.linspace(0, 1, 20000)
"""

ONE_CALL = """\
short = walk(x, tw.zeros(10))
send(signal.SIGINT, 0.5)
start = time.monotonic()
try:
    walk(x, tw.zeros(LONG))
    print("not interrupted")
except KeyboardInterrupt:
    print("soon" if time.monotonic() < start + 10 else "late", bool((walk(x, tw.zeros(10)) == short).all()))
"""
MANY_CHUNKS = ONE_CALL.replace("LONG", "200000")
MIXED = WALK.replace("sin(s[t - 1, i] else x[i])", "sum[k: N]((s[t - 1, k] else x[k]) * x[i])").replace("20000", "3000")
MANY_PHASES = MIXED + ONE_CALL.replace("LONG", "20000")

HANDLER = """\
seen = []
def look(number, frame):
    seen.append(float(walk(tw.linspace(0, 3, 5000), tw.zeros(30)).sum()))
signal.signal(signal.SIGUSR1, look)
many = tw.zeros(20000)
expected = walk(x, many)
look(0, None)
for n in range(3):
    send(signal.SIGUSR1, 0.03 * (n + 1))
found = walk(x, many)
print(bool((found == expected).all()), len(seen) > 1, len(set(seen)))
"""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (MANY_CALLS, "soon 2000000.0 1000.0"),
        (WALK + MANY_CHUNKS, "soon True"),
        ("tw.set_threads(1)\n" + WALK + MANY_CHUNKS, "soon True"),
        (MANY_PHASES, "soon True"),
        (WALK + HANDLER, "True True 1"),
    ],
    ids=["many calls", "many chunks", "one thread", "many phases", "a handler that calls ops"],
)
def test_signals(code: str, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == (said, "")
