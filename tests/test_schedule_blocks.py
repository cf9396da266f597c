"""`schedule` blocks: what is kept of them, their layout, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw
from tilewright.cli import main
from tilewright.dsl.check import check
from tilewright.dsl.digest import Digest, digest
from tilewright.dsl.format import format
from tilewright.dsl.parse import parse
from tilewright.dsl.schedules import check_schedules
from tilewright.errors import CheckError, SyntaxUserError, UserError
from tilewright.ir.schedule import ROLES, TAILS

MATMUL = """op matmul[T: number](a: T[M, K], b: T[K, N], bias: T[N]?, *, fast: bool = false, n: int = 1,
    size: int[2] = 1, mode: "x" | "y" = "x") -> c: T[M, N]:
    if bias: c[i, j] = sum[k](a[i, k] * b[k, j])
    else: c[i, j] = sum[k](a[i, k] * b[k, j]) + T(n * size[0])
"""
SOFTMAX = """op soft(x: f32[N, C]) -> y: f32[N, C]:
    m[i] = max[c](x[i, c])
    t = flip(x, A=1)
    y[i, c] = exp(x[i, c] - m[i]) + t[i, c]
"""
HEAD = "schedule matmul for cpu:\n"


def whole(text: str) -> str:
    """A program: steps for ``matmul``, or blocks."""
    blocks = text if "schedule " in text else HEAD + "".join(f"    {line}\n" for line in text.split("\n"))
    return f"{MATMUL}\n{SOFTMAX}\n{blocks}"


def error_of(text: str) -> UserError:
    try:
        check_schedules(parse(text), ("c", "cpu"))
    except UserError as e:
        return e
    raise AssertionError(f"nothing wrong was found in\n{text}")


GOOD = [
    "io, i = split(i, 8); jo, j = split(j, 16, tail=mask)\nreorder(io, jo, i, j)\nparallel(io); vectorize(j)",
    "a1, b1, r = split(i, 8, cut)\nunroll(b1)\nunroll(r)",
    "ij = fuse(i, j)\nparallel(ij)\nx, y = split(ij, factor=4)\nvectorize(loop=y)",
    "decompose_reduction(c, k)",
    "schedule matmul.c for c when M*K >= 1024 and not (N % 8 != 0 or fast) and mode == \"y\": parallel(i)\n",
    "schedule matmul for cpu when bytes(b) > 1MiB and stride(a, i) % 4096 == 0 and extent(k) < 2GiB and bias:\n"
    "    unroll(k)\n\nschedule matmul for cpu when size[1] > n:\n    unroll(i)\n\nschedule matmul for cpu: unroll(j)\n",
    "schedule soft.m for cpu: unroll(c)\n\nschedule soft.y for cpu when stride(m, i) == 4: vectorize(c)\n",
    *(f"schedule {name}({', '.join(r.axes)}; {', '.join(r.tensors)}) for cpu when bytes({r.tensors[0]}) < 1KiB:\n"
      f"    unroll({r.axes[0]})\n" for name, r in ROLES.items()),
    "schedule contraction(m, n, r; p, q, s) for cpu when stride(q, r) == extent(m) * 4: decompose_reduction(s, r)\n",
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_what_is_right(text: str) -> None:
    module = parse(whole(text))
    check_schedules(module, ("c", "cpu"))
    assert module.schedules
    assert format(whole(text)) == whole(text)
    assert Digest(digest({"f.tw": module})).module(whole(text), "f.tw") == module


def test_what_is_kept() -> None:
    (s,) = parse(whole("io, i = split(i, 8, tail=cut)\nparallel(io)")).schedules
    assert (s.subject.text, s.statement, s.axes, s.target.text, s.condition) == ("matmul", None, None, "cpu", None)
    assert [(tuple(t.text for t in p.targets), p.primitive.text) for p in s.rewrites] == [
        (("io", "i"), "split"),
        ((), "parallel"),
    ]
    condition = parse(whole("schedule matmul for cpu when bytes(b) > 3MiB: unroll(i)\n")).schedules[0].condition
    assert (
        condition == parse(whole("schedule matmul for cpu when bytes(b) > 3145728: unroll(i)")).schedules[0].condition
    )


def test_layout() -> None:
    ugly = "schedule  matmul for cpu   when bytes( b )>1MiB :\n  io,i=split( i,8 ,tail = cut ) ;unroll(i)\n"
    wanted = "schedule matmul for cpu when bytes(b) > 1MiB:\n    io, i = split(i, 8, tail=cut); unroll(i)\n"
    assert format(ugly) == wanted == format(wanted)


def test_kernels_have_the_default_schedule() -> None:
    """A block changes no results and no kernels yet, and a wrong one is refused when the file is loaded."""
    text = "op twice(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i] + x[i]\n"
    x = np.arange(3, dtype=np.float32)
    scheduled = tw.op(f"{text}schedule twice for cpu: io, i = split(i, 4)\n")
    assert scheduled(x).tolist() == [0, 2, 4]
    assert scheduled.text("loops", x) == tw.op(text).text("loops", x)
    with pytest.raises(CheckError, match="unknown loop 'j'"):
        tw.op(f"{text}schedule twice for cpu: unroll(j)\n")


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "f.tw"
    path.write_text(whole("unroll(i)").replace("for cpu", "for gpu"))
    assert main(["check", str(path)]) == 1
    assert "unknown target 'gpu'" in capsys.readouterr().err


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["split", "fuse", "vectorize", "parallel", "unroll"]), max_size=8), st.data())
def test_random_steps_on_loops_that_exist(primitives: list[str], data: st.DataObject) -> None:
    """Steps on serial loops are right; any step that names a loop that is gone is not."""
    loops, gone, lines = ["i", "j", "k"], [], []
    for n, primitive in enumerate(primitives):
        if len(loops) < (2 if primitive == "fuse" else 1):
            continue
        loop = loops.pop(data.draw(st.integers(0, len(loops) - 1)))
        if primitive == "split":
            tail = data.draw(st.sampled_from(TAILS))
            loops += [f"o{n}", f"n{n}"]
            lines.append(f"o{n}, n{n} = split({loop}, {data.draw(st.integers(2, 99))}, tail={tail})")
            gone.append(loop)
        elif primitive == "fuse":
            other = loops.pop()
            lines.append(f"f{n} = fuse({loop}, {other})")
            loops.append(f"f{n}")
            gone += [loop, other]
        else:
            lines.append(f"{primitive}({loop})")
    text = whole("\n".join([*lines, "unroll(i)"] if "i" in loops else lines or ["unroll(i)"]))
    check_schedules(parse(text), ("cpu",))
    assert format(text) == text
    for name in gone:
        assert error_of(text + f"    unroll({name})\n").message == f"the loop {name} is gone"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("o, i = split(tail=cut, i)", "this stands after a keyword"),
        ("schedule matmul for cpu unroll(i)", "unexpected 'unroll', expected ':' or 'when'"),
        ("schedule matmul: unroll(i)", "unexpected ':', expected '(', '.' or 'for'"),
        ("schedule matmul for cpu:\nunroll(i)", "unexpected 'unroll', expected an indented block"),
    ],
)
def test_wrong_syntax(text: str, message: str) -> None:
    e = error_of(whole(text))
    assert isinstance(e, SyntaxUserError) and e.message == message


def test_check_finds_it() -> None:
    assert [d.message for d in check(parse(whole("unroll(l)"))).diagnostics][-1] == "unknown loop 'l'"
