"""The command line: what it prints, where, its exit status, and files that are written whole or not at all."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tilewright
import tilewright as tw
from tilewright.cli import main
from tilewright.compiler.commands import write_atomically

OPS = Path(tilewright.__file__).parent / "stdlib" / "ops"
MATMUL, SOFTMAX, DROPOUT, CONV = (str(OPS / f"{n}.tw") for n in ("matmul", "softmax", "dropout", "conv2d"))

COPY = "op a(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i]\n"
GENERIC = "op b[T: number](x: T[N]) -> y: T[N], z: T[N]:\n    y[i] = x[i] + x[i]\n    z[i] = x[i] - y[i]\n"
TWO = f"{COPY}\n{GENERIC}"
UGLY = "op a(x: f32[N]) -> y: f32[N]:\n  y[i]=x[i]  +1\n"
NEAT = "op a(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i] + 1\n"
BAD = "op a(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i] + zz\n"
BAD_MESSAGE = (
    "bad.tw:2:19: error: unknown name 'zz'\n"
    "        y[i] = x[i] + zz\n"
    "                      ^^\n"
    "help: an axis stands on the left side, y[zz] = ..., or in a reduction, sum[zz](...)\n"
)
OPEN = "op a(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i\n"
OPEN_MESSAGE = (
    "open.tw:2:13: syntax error: this '[' is never closed\n        y[i] = x[i\n                ^\nhelp: close it\n"
)
CANONICAL = (
    "op matmul(a: f32[M, K], b: f32[K, N]) -> c: f32[M, N]:\n"
    "    c[i: M, j: N] = fold[k: K](acc: f32 = 0.0 -> acc + a[i, k] * b[k, j]; (other) -> acc + other)\n"
)
FUSED = CANONICAL.replace("acc + a[i, k] * b[k, j]", "fma(a[i, k], b[k, j], acc)")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with programs and arrays in it."""
    monkeypatch.chdir(tmp_path)
    texts = {
        "copy": COPY,
        "two": TWO,
        "generic": GENERIC,
        "ugly": UGLY,
        "neat": NEAT,
        "bad": BAD,
        "open": OPEN,
        "empty": "",
        "m": CANONICAL,
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.tw").write_text(text)
    (tmp_path / "binary.tw").write_bytes(b"\xff\xfe")
    (tmp_path / "junk.npy").write_text("junk")
    np.save(tmp_path / "x.npy", np.arange(6, dtype=np.float32).reshape(2, 3))
    np.save(tmp_path / "row.npy", np.arange(3, dtype=np.float32))
    np.save(tmp_path / "ints.npy", np.arange(4))
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    return tmp_path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Runs the command line on words: (status, stdout, stderr)."""

    def run(*words: str) -> tuple[int, str, str]:
        status = main(words)
        out, err = capsys.readouterr()
        return status, out, err

    return run


# --- what works -------------------------------------------------------------------------------


def test_check(call) -> None:  # type: ignore[no-untyped-def]
    assert call("check", SOFTMAX, CONV, "two.tw") == (
        0,
        "softmax: any sizes\nconv2d: D == C and R >= 1 and H >= R and S >= 1 and W >= S\na: any sizes\nb: any sizes\n",
        "",
    )


def test_check_goes_on_after_a_wrong_file(call) -> None:  # type: ignore[no-untyped-def]
    for files in (("bad.tw", "open.tw", SOFTMAX), (SOFTMAX, "bad.tw", "open.tw")):
        assert call("check", *files) == (1, "softmax: any sizes\n", BAD_MESSAGE + OPEN_MESSAGE)


def test_fmt(call, folder: Path) -> None:  # type: ignore[no-untyped-def]
    ugly, neat = folder / "ugly.tw", folder / "neat.tw"
    ugly.chmod(0o640)
    assert call("fmt", "--check", "ugly.tw", "neat.tw") == (1, "would change ugly.tw\n", "")
    assert ugly.read_text() == UGLY
    before = neat.stat().st_mtime_ns
    assert call("fmt", "ugly.tw", "neat.tw") == (0, "changed ugly.tw\n", "")
    assert ugly.read_text() == NEAT
    assert ugly.stat().st_mode & 0o777 == 0o640
    assert neat.stat().st_mtime_ns == before
    assert call("fmt", "--check", "ugly.tw", "neat.tw") == (0, "", "")


def test_run_prints_results(call) -> None:  # type: ignore[no-untyped-def]
    assert call("run", "two.tw", "--op", "b", "--in", "x=ints.npy") == (0, "[0 2 4 6]\n[ 0 -1 -2 -3]\n", "")


def test_run_writes_results(call, folder: Path) -> None:  # type: ignore[no-untyped-def]
    (folder / "y.npy").write_text("old")
    old = os.umask(0o027)
    try:
        assert call("run", "two.tw", "--op", "b", "--in", "x=ints.npy", "--out", "y.npy") == (0, "[ 0 -1 -2 -3]\n", "")
        assert call("run", "two.tw", "--op", "b", "--in", "x=ints.npy", "--out", "y.npy", "--out", "z.npy") == (
            0,
            "",
            "",
        )
    finally:
        os.umask(old)
    np.testing.assert_array_equal(np.load("y.npy"), [0, 2, 4, 6])
    np.testing.assert_array_equal(np.load("z.npy"), [0, -1, -2, -3])
    assert (folder / "z.npy").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("target", [("cpu", "x86-64"), ("c", "c99")])
def test_run_with_attributes_and_scalars(call, target: tuple[str, str]) -> None:  # type: ignore[no-untyped-def]
    where = ("--target", target[0], "--level", target[1])
    x = np.load("x.npy")
    scalars = [word for s in ("p=0.5", "seed=1", "offset=3") for word in ("--set", s)]
    assert call("run", DROPOUT, "--in", "x=x.npy", *scalars, "--out", "y.npy", *where)[0] == 0
    np.testing.assert_array_equal(np.load("y.npy"), tw.ops.dropout(x, p=0.5, seed=1, offset=3))
    np.save("im.npy", x.reshape(1, 1, 2, 3))
    assert (
        call("run", CONV, "--in", "x=im.npy", "--in", "w=im.npy", "--set", "padding=1", "--out", "y.npy", *where)[0]
        == 0
    )
    wanted = tw.ops.conv2d(x.reshape(1, 1, 2, 3), x.reshape(1, 1, 2, 3), padding=1)
    np.testing.assert_array_equal(np.load("y.npy"), wanted)


def test_show(call) -> None:  # type: ignore[no-untyped-def]
    assert call("show", MATMUL, "--rank", "0") == (0, FUSED, "")
    assert call("show", "two.tw", "--op", "b", "--dtype", "T=f64", "--stage", "source")[1] == GENERIC
    assert call("show", "two.tw", "--op", "b", "--dtype", "T=i8")[1].startswith("op b(x: i8[N]) -> y: i8[N], z: i8[N]:")
    assert call("show", SOFTMAX, "--rank", "0")[1].startswith("op softmax(x: f32[C])")
    assert "x: f32[_0, _1, C]" in call("show", SOFTMAX, "--rank", "2")[1]
    assert "// 2) + 2" in call("show", CONV, "--set", "stride=2", "--set", "padding=1")[1]


@pytest.mark.parametrize("stage", ["source", "tensor", "loops", "llvm", "asm", "c"])
def test_show_prints_what_text_says(call, stage: str) -> None:  # type: ignore[no-untyped-def]
    assert call("show", SOFTMAX, "--stage", stage) == (0, tw.ops.softmax.text(stage), "")


def test_schedule(call) -> None:  # type: ignore[no-untyped-def]
    status, out, errors = call("schedule", MATMUL, "--rank", "0", "--level", "native")
    lines = out.splitlines()
    assert (status, errors, lines[0]) == (0, "", "kernel matmul_c:")
    assert all("  # " in line for line in lines[1:]) and lines[-1].split()[0] == "tidy"
    assert [x for x in call("schedule", SOFTMAX)[1].splitlines() if x.startswith("kernel")] == [
        f"kernel softmax_{r}:" for r in "mesy"
    ]


def test_show_for_a_level(call) -> None:  # type: ignore[no-untyped-def]
    native, old = (call("show", SOFTMAX, "--stage", "asm", "--level", level)[1] for level in ("native", "x86-64"))
    assert "ymm" not in old and "xmm" in old
    assert native != old


def test_opt(call, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    assert call("opt", "m.tw", "--pipeline", "form-fma") == (0, FUSED, "")
    assert call("opt", "m.tw", "--pipeline", "") == (0, CANONICAL, "")
    assert call("opt", "m.tw", "--pipeline", "simplify,form-fma", "--each") == (
        0,
        f"# after simplify\n{CANONICAL}# after form-fma\n{FUSED}",
        "",
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(CANONICAL))
    assert call("opt", "-", "--pipeline", "form-fma") == (0, FUSED, "")


def test_opt_of_loops(call, folder: Path) -> None:  # type: ignore[no-untyped-def]
    (folder / "m.loops").write_text(call("show", "copy.tw", "--stage", "loops")[1])
    status, out, err = call("opt", "m.loops", "--pipeline", "simplify")
    assert (status, err) == (0, "")
    assert out == (folder / "m.loops").read_text()


# --- what is refused --------------------------------------------------------------------------

WRONG = {
    "check: missing file": (["check", "none.tw"], "error: none.tw: No such file or directory\n"),
    "check: not a text": (
        ["check", "binary.tw"],
        "binary.tw:1:1: syntax error: the byte 0xff is not UTF-8\n"
        "    \ufffd\ufffd\n    ^\nhelp: save the file as UTF-8\n",
    ),
    "fmt: syntax": (["fmt", "open.tw"], OPEN_MESSAGE),
    "run: a wrong program": (["run", "bad.tw", "--in", "x=row.npy"], BAD_MESSAGE),
    "run: not a .npy": (
        ["run", SOFTMAX, "--in", "x=junk.npy"],
        "error: junk.npy is not a .npy file of numbers\nhelp: numpy.save(path, array) writes one\n",
    ),
    "run: objects": (
        ["run", SOFTMAX, "--in", "x=objects.npy"],
        "error: objects.npy is not a .npy file of numbers\nhelp: numpy.save(path, array) writes one\n",
    ),
    "run: missing array": (["run", SOFTMAX, "--in", "x=y.npy"], "error: y.npy: No such file or directory\n"),
    "run: missing operand": (
        ["run", SOFTMAX],
        "error: softmax() needs 'x'\nhelp: it is called as softmax(x: T[..., C])\n",
    ),
    "run: wrong dtype": (
        ["run", SOFTMAX, "--in", "x=ints.npy"],
        "error: operand 'x' of softmax has dtype i64, but x: T[..., C] takes f16, bf16, f32, f64, field\n"
        "help: convert the operand\n",
    ),
    "run: no name": (["run", SOFTMAX, "--in", "x.npy"], "error: expected NAME=VALUE, got 'x.npy'\n"),
    "run: no number": (
        ["run", DROPOUT, "--in", "x=x.npy", "--set", "p=half"],
        "error: not a number, true or false: 'half'\n",
    ),
    "run: no folder": (
        ["run", SOFTMAX, "--in", "x=x.npy", "--out", "gone/y.npy"],
        "error: gone/y.npy cannot be written: there is no folder gone\n",
    ),
    "run: too many results": (
        ["run", SOFTMAX, "--in", "x=x.npy", "--out", "y.npy", "--out", "z.npy"],
        "error: 2 files are given by --out\nhelp: softmax has the results y\n",
    ),
    "show: several ops": (["show", "two.tw"], "error: no op was named in two.tw\nhelp: --op with one of a, b\n"),
    "show: unknown op": (
        ["show", "two.tw", "--op", "c"],
        "error: there is no op 'c' in two.tw\nhelp: --op with one of a, b\n",
    ),
    "show: no op": (["show", "empty.tw"], "error: there is no op in empty.tw\n"),
    "show: unknown dtype": (
        ["show", MATMUL, "--dtype", "T=f99"],
        "error: unknown dtype 'f99'\n"
        "help: one of bool, i8, i16, i32, i64, u8, u16, u32, u64, f16, bf16, f32, f64, field\n",
    ),
    "show: unknown variable": (
        ["show", MATMUL, "--dtype", "Q=f32"],
        "error: matmul has no dtype variable 'Q'\nhelp: it has T\n",
    ),
    "show: unknown target": (["show", MATMUL, "--target", "gpu"], "error: unknown target 'gpu'\nhelp: one of c, cpu\n"),
    "show: unknown level": (
        ["show", MATMUL, "--level", "avx9"],
        "error: target 'cpu' has no level 'avx9'\nhelp: one of native, x86-64-v3, x86-64\n",
    ),
    "show: unknown attribute": (
        ["show", CONV, "--set", "stide=2"],
        "error: conv2d has no attribute 'stide'\nhelp: it has stride, padding, dilation, groups\n",
    ),
    "opt: unknown pass": (
        ["opt", "m.tw", "--pipeline", "simplifi"],
        "<pipeline>:1:1: syntax error: no pass simplifi\n    simplifi\n    ^^^^^^^^\nhelp: did you mean simplify?\n",
    ),
    "opt: unknown option": (
        ["opt", "m.tw", "--pipeline", "simplify{a=1}"],
        "<pipeline>:1:10: syntax error: simplify has no option a\n    simplify{a=1}\n             ^^^\n"
        "help: its options are none\n",
    ),
    "opt: a pass refuses": (
        ["opt", "m.tw", "--pipeline", "differentiate{wrt=[z]}"],
        "m.tw:1:4: error: matmul has no float input 'z' to differentiate with respect to\n"
        f"    {CANONICAL.splitlines()[0]}\n       ^^^^^^\n",
    ),
    "opt: two ops": (
        ["opt", "two.tw", "--pipeline", "simplify"],
        "error: expected one op, kernel or plan in two.tw, found 2\n",
    ),
    "opt: no op": (
        ["opt", "empty.tw", "--pipeline", "simplify"],
        "error: expected one op, kernel or plan in empty.tw, found none\n",
    ),
    "opt: a dtype to choose": (
        ["opt", "generic.tw", "--pipeline", "simplify"],
        "generic.tw:1:6: error: the dtype T is not chosen\n"
        f"    {GENERIC.splitlines()[0]}\n         ^^^^^^^^^\n"
        "help: choose it, as `tilewright show --dtype T=f32` does\n",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_error_is_said_on_stderr(call, folder: Path, case: str) -> None:  # type: ignore[no-untyped-def]
    """Without a traceback; nothing is printed or written."""
    words, message = WRONG[case]
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    status, out, err = call(*words)
    assert (status, out) == (1, "")
    assert err == message
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


@pytest.mark.parametrize("words", [[], ["frob"], ["check"], ["show", MATMUL, "--stage", "ptx"], ["opt", "m.tw"]])
def test_wrong_usage_ends_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: tilewright" in capsys.readouterr().err


def test_a_write_that_fails_leaves_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = folder / "y.npy"
    target.write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", refuse)
    before = sorted(p.name for p in folder.iterdir())
    with pytest.raises(OSError, match="the disk is full"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert sorted(p.name for p in folder.iterdir()) == before


def test_as_a_process() -> None:
    def run(*words: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "tilewright.cli", *words], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    assert run("show", MATMUL, "--rank", "0") == (0, FUSED, "")
    assert run("check", "bad.tw") == (1, "", BAD_MESSAGE)
