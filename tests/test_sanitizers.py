"""What the c target emits, and the C++ core, under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from op_table import PROBES
from op_table.product import PLACES
from test_guard_pages import check_op, compiled
from test_ops import SAMPLE

from tilewright.errors import InternalError, UnsupportedError
from tilewright.ir.plan import Plan
from tilewright.targets.c.build import LIBRARY, compile_c, compiler
from tilewright.targets.target import Loaded, get_target
from tilewright.testing.campaign import check_seed
from tilewright.testing.isolated import failures

CHECKS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1")
C = (("c", None),)
FAST, FULL = 16, 300


def load(text: str, plan: Plan) -> Loaded:
    """As the c target loads a text, with every access and every arithmetic operation checked."""
    with TemporaryDirectory(prefix="tilewright-") as folder:
        path = Path(folder) / "plan.so"
        compile_c(text, path, (*LIBRARY, *CHECKS))
        return get_target("c").loaded([path.read_bytes()], plan)


@cache
def environment() -> dict[str, str]:
    """What a process needs to load checked code; skips where the compiler has no sanitizers."""
    try:
        command = compiler()
        with TemporaryDirectory() as folder:
            compile_c("int sizes(void) { return 0; }", Path(folder) / "a.so", (*LIBRARY, *CHECKS))
    except (UnsupportedError, InternalError) as e:
        pytest.skip(f"no C compiler with sanitizers: {e.message.splitlines()[-1]}")
    names = ("libasan.so", "libubsan.so")
    found = [
        subprocess.run([*command, f"-print-file-name={n}"], capture_output=True, text=True).stdout.strip()
        for n in names
    ]
    if not all(Path(f).is_absolute() for f in found):
        pytest.skip(f"the C compiler does not say where {' and '.join(names)} are")
    return {"LD_PRELOAD": " ".join(found), "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}


def check_program(seed: int) -> None:
    check_seed(seed, "heap", C, load)


def check_row(combination: tuple[str, str, str, str, int, int]) -> None:
    check_op(combination, ("heap",), load)


@pytest.mark.parametrize("first, count", [(0, FAST), pytest.param(FAST, FULL, marks=pytest.mark.full)])
def test_random_programs(first: int, count: int) -> None:
    found = failures(check_program, [(seed,) for seed in range(first, first + count)], environment())
    assert not found, "\n\n".join(f"seed {seed}: {why}" for (seed,), why in found)


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.full)])
@pytest.mark.parametrize("op", PROBES)
def test_ops(op: str, step: int) -> None:
    rows = [c for c in compiled(op, SAMPLE) if PLACES[c[4]][0] == "c"][::step]
    assert rows
    found = failures(check_row, [(c,) for c in rows], environment())
    assert not found, "\n\n".join(f"{c}: {why}" for (c,), why in found)


WRONG = {
    "past the end": "int sizes(long *head, long *tail) { return (int)head[1 << 20]; }",
    "overflow": "int sizes(long *head, long *tail) { int n = 2147483647; n += (int)tail[0] + 1; return n; }",
}


def call_wrong(name: str) -> None:
    """Calls C that does what it must not."""
    import ctypes

    with TemporaryDirectory() as folder:
        path = Path(folder) / "wrong.so"
        compile_c(WRONG[name], path, (*LIBRARY, *CHECKS))
        function = ctypes.CDLL(str(path)).sizes
    from tilewright.testing.memory import from_heap

    block = from_heap(64)
    function(ctypes.c_void_p(block.address), ctypes.c_void_p(block.address))


@pytest.mark.parametrize("name", WRONG)
def test_the_sanitizers_see_what_is_wrong(name: str) -> None:
    assert failures(call_wrong, [(name,)], environment()) == [((name,), "the process ended with 1")]


@pytest.mark.full
def test_the_core_under_sanitizers(tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("no cmake")
    root = Path(__file__).parents[1]
    for command in (
        ["cmake", "-S", str(root), "-B", str(tmp_path), "-DTILEWRIGHT_SANITIZE=ON", "-DTILEWRIGHT_TESTS=ON"],
        ["cmake", "--build", str(tmp_path)],
        ["ctest", "--test-dir", str(tmp_path), "--output-on-failure", "--no-tests=error"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
