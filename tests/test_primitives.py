"""Schedule primitives: what they make, what they refuse, and that what they accept is legal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from loop_oracle import brute_force_legal

from tilewright.dsl.parse_loops import parse_condition, parse_kernel
from tilewright.errors import ScheduleError
from tilewright.ir.index import const
from tilewright.ir.interpret import EXACT, TYPED, Memory, run_kernel
from tilewright.ir.interpret.indices import Env, evaluate
from tilewright.ir.loops import Kernel, Loop, blocks, walk
from tilewright.ir.text_loops import print_kernel
from tilewright.ir.verify_loops import verify_kernel
from tilewright.passes.loops import (
    DecomposeReduction,
    Expand,
    Fission,
    Fuse,
    Parallel,
    Reorder,
    Simplify,
    Split,
    Unroll,
    Vectorize,
    legality,
    reorder,
    vectorize,
)
from tilewright.passes.loops.dependence import Access, Comparison, conflicts
from tilewright.passes.loops.dependence import accesses as accesses_of
from tilewright.passes.loops.legality import check_domains
from tilewright.passes.loops.nest import facts
from tilewright.passes.pipeline import Pass, Pipeline

MATMUL = """\
kernel matmul():
    global a: f32[M, K] strides [K*4, 4]
    global b: f32[K, N] strides [N*4, 4]
    global c: f32[M, N] strides [N*4, 4]
    for i in 0..M:
        for j in 0..N:
            for k in 0..K:
                block c:
                    iter i: parallel 0..M = i
                    iter j: parallel 0..N = j
                    iter k: reduce 0..K = k
                    init 0.0:f32
                    c[i, j] = fma(a[i, k], b[k, j], c[i, j])
"""
HEAD = MATMUL.split("    for")[0]


def matmul() -> Kernel:
    return parse_kernel(MATMUL)


def body(kernel: Kernel) -> str:
    """The text after the buffers."""
    return re.sub(r"(?ms)\A.*?^    (?=for|block)", "    ", print_kernel(kernel))


def one_loop(extent: str = "N", target: str = "y[i]", value: str = "x[i]", more: str = "") -> Kernel:
    return parse_kernel(f"""\
kernel k():
    global x: f32[N + 9] strides [4]
    global y: f32[N + 9] strides [4]
    register r: f32[4] strides [4]
    global idx: i64[N] strides [8]
    for i in 0..{extent}:
        block y:
            iter i: parallel 0..{extent} = i
            {target} = {value}
{more}""")


# --- what they make -----------------------------------------------------------------------------

SPLITS = {
    "guard": """\
    for i_o in 0..((N + 7) // 8):
        for i_i in 0..8:
            block y:
                iter i: parallel 0..N = i_i + i_o*8
                where N >= i_i + i_o*8 + 1
                y[i] = x[i]
""",
    "cut": """\
    for i_o in 0..(N // 8):
        for i_i in 0..8:
            block y:
                iter i: parallel 0..N = i_i + i_o*8
                y[i] = x[i]
    for i_tail in 0..N - 8*(N // 8):
        block y_tail:
            iter i: parallel 0..N = i_tail + (N // 8)*8
            y[i] = x[i]
""",
    "perfect": """\
    for i_o in 0..(N // 8):
        for i_i in 0..8:
            block y:
                iter i: parallel 0..N = i_i + i_o*8
                y[i] = x[i]
""",
}
SPLITS["mask"] = SPLITS["guard"]


@pytest.mark.parametrize("tail", SPLITS)
def test_split(tail: str) -> None:
    given_ = (parse_condition("N % 8 == 0"),) if tail == "perfect" else ()
    split = Split("i", 8, tail, given=given_).run(one_loop())
    assert body(split) == SPLITS[tail]
    verify_kernel(split)
    if tail != "perfect":
        check_domains(split)


def test_split_of_a_constant_extent() -> None:
    assert body(Split("i", 4, "cut").run(one_loop("12"))) == body(Split("i", 4, "perfect").run(one_loop("12")))
    assert "for last in 0..1:" in body(Split("i", 4, "cut", ("o", "i", "last")).run(one_loop("13")))
    assert "for i_o in 0..4:" in body(Split("i", 4).run(one_loop("13")))


def test_split_names_and_tasks() -> None:
    split = Split("i", 8, "guard", ("io", "i")).run(one_loop())
    assert "iter i: parallel 0..N = i + io*8" in body(split)
    tasks = Split("i", 8).run(Parallel("i").run(one_loop()))
    assert body(tasks).startswith("    for i_o in 0..((N + 7) // 8) parallel:\n        for i_i in 0..8:\n")


def test_the_remainder_of_a_nest_has_names_of_its_own() -> None:
    split = Split("i", 8, "cut").run(matmul())
    names = [b.name for b, _ in blocks(split)]
    loops = [o.var for _, around in blocks(split) for o in around]
    assert names == ["c", "c_tail"] and loops == ["i_o", "i_i", "j", "k", "i_tail", "j_tail", "k_tail"]
    verify_kernel(split)
    check_domains(split)


def test_loops_that_become_tasks_before_they_are_fused_or_after() -> None:
    nested = Parallel("j").run(Parallel("i").run(matmul()))
    verify_kernel(nested)
    assert body(nested).startswith("    for i in 0..M parallel:\n        for j in 0..N parallel:\n")
    assert Fuse("i", "j").run(nested) == Parallel("i_j").run(Fuse("i", "j").run(matmul()))
    tiled = Split("j", 8).run(nested)
    assert [o.kind for o, _ in walk(tiled.body) if isinstance(o, Loop)] == ["parallel", "parallel", "serial", "serial"]


def test_fuse() -> None:
    assert (
        body(Fuse("i", "j").run(matmul()))
        == """\
    for i_j in 0..M*N:
        for k in 0..K:
            block c:
                iter i: parallel 0..M = (i_j // N)
                iter j: parallel 0..N = (i_j % N)
                iter k: reduce 0..K = k
                init 0.0:f32
                c[i, j] = fma(a[i, k], b[k, j], c[i, j])
"""
    )


def test_reorder() -> None:
    assert (
        body(Reorder(("k", "i")).run(matmul()))
        == """\
    for k in 0..K:
        for j in 0..N:
            for i in 0..M:
                block c:
                    iter i: parallel 0..M = i
                    iter j: parallel 0..N = j
                    iter k: reduce 0..K = k
                    init 0.0:f32
                    c[i, j] = fma(a[i, k], b[k, j], c[i, j])
"""
    )


def test_marks() -> None:
    kernel = Parallel("i").run(Unroll("k_i").run(Split("k", 4).run(matmul())))
    kernel = Vectorize("j_i").run(Split("j", 16, "mask").run(kernel))
    assert (
        body(kernel)
        == """\
    for i in 0..M parallel:
        for j_o in 0..((N + 15) // 16):
            for j_i in 0..16 vectorized:
                for k_o in 0..((K + 3) // 4):
                    for k_i in 0..4 unrolled:
                        block c:
                            iter i: parallel 0..M = i
                            iter j: parallel 0..N = j_i + j_o*16
                            iter k: reduce 0..K = k_i + k_o*4
                            where K >= k_i + k_o*4 + 1 and N >= j_i + j_o*16 + 1
                            init 0.0:f32
                            c[i, j] = fma(a[i, k], b[k, j], c[i, j])
"""
    )
    verify_kernel(kernel)


def test_fission() -> None:
    kernel = DecomposeReduction("c", "k").run(matmul())
    assert (
        body(Fission("j").run(kernel))
        == """\
    for i in 0..M:
        for j in 0..N:
            block c_init:
                iter i: parallel 0..M = i
                iter j: parallel 0..N = j
                c[i, j] = 0.0:f32
        for j2 in 0..N:
            for k in 0..K:
                block c:
                    iter i: parallel 0..M = i
                    iter j: parallel 0..N = j2
                    iter k: reduce 0..K = k
                    c[i, j] = fma(a[i, k], b[k, j], c[i, j])
"""
    )
    assert body(Fission("j", inside=True).run(kernel)).splitlines()[6:9] == [
        "        for k in 0..K:",
        "            for j2 in 0..N:",
        "                block c:",
    ]


def test_expand() -> None:
    kernel = Expand("i").run(parse_kernel(SUMS))
    assert kernel.buffer("r").shape == (const(4),)
    assert (
        body(kernel)
        == """\
    for i in 0..4:
        block start:
            iter i: parallel 0..4 = i
            iter i_cell: parallel 0..4 = i
            r[i_cell] = 0.0:f32
        for k in 0..K:
            block step:
                iter i: parallel 0..4 = i
                iter k: reduce 0..K = k
                iter i_cell: parallel 0..4 = i
                r[i_cell] = r[i_cell] + x[i, k]
        block store:
            iter i: parallel 0..4 = i
            iter i_cell: parallel 0..4 = i
            y[i] = r[i_cell]
"""
    )
    turned = Fission("i", inside=True).run(kernel)
    assert [o.var for o, _ in walk(turned.body) if isinstance(o, Loop)] == ["i", "k", "i2", "i3"]
    with pytest.raises(ScheduleError, match="iterations of i would change their order"):
        Fission("i", inside=True).run(parse_kernel(SUMS))


SUMS = """\
kernel sums():
    global x: f32[4, K] strides [K*4, 4]
    global y: f32[4] strides [4]
    register r: f32[] strides []
    for i in 0..4:
        block start:
            iter i: parallel 0..4 = i
            r[] = 0.0:f32
        for k in 0..K:
            block step:
                iter i: parallel 0..4 = i
                iter k: reduce 0..K = k
                r[] = r[] + x[i, k]
        block store:
            iter i: parallel 0..4 = i
            y[i] = r[]
"""


def test_a_remainder_has_registers_of_its_own() -> None:
    kernel = Split("i", 3, "cut").run(parse_kernel(SUMS))
    assert [b.name for b in kernel.buffers if b.scope == "register"] == ["r", "r_tail"]
    used = [{w.buffer for w in b.writes} for b, _ in blocks(kernel)]
    assert used == [{"r"}, {"r"}, {"y"}, {"r_tail"}, {"r_tail"}, {"y"}]


def test_decompose_reduction() -> None:
    kernel = Reorder(("i", "k", "j")).run(matmul())
    assert (
        body(DecomposeReduction("c", "k").run(kernel))
        == """\
    for i in 0..M:
        for j_init in 0..N:
            block c_init:
                iter i: parallel 0..M = i
                iter j: parallel 0..N = j_init
                c[i, j] = 0.0:f32
        for k in 0..K:
            for j in 0..N:
                block c:
                    iter i: parallel 0..M = i
                    iter j: parallel 0..N = j
                    iter k: reduce 0..K = k
                    c[i, j] = fma(a[i, k], b[k, j], c[i, j])
"""
    )


def test_decompose_reduction_inside_of_a_reduced_loop() -> None:
    kernel = Split("k", 4).run(matmul())
    inner = DecomposeReduction("c", "k_i").run(kernel)
    assert (
        body(inner)
        == """\
    for i in 0..M:
        for j in 0..N:
            for k_o in 0..((K + 3) // 4):
                block c_init:
                    iter i: parallel 0..M = i
                    iter j: parallel 0..N = j
                    where k_o*4 == 0
                    c[i, j] = 0.0:f32
                for k_i in 0..4:
                    block c:
                        iter i: parallel 0..M = i
                        iter j: parallel 0..N = j
                        iter k: reduce 0..K = k_i + k_o*4
                        where K >= k_i + k_o*4 + 1
                        c[i, j] = fma(a[i, k], b[k, j], c[i, j])
"""
    )


def test_simplify() -> None:
    kernel = parse_kernel(
        """\
kernel k():
    global x: f32[N] strides [4]
    global y: f32[N] strides [4]
    for o in 0..(N // 8):
        for z in 0..1:
            for i in 0..8:
                block y:
                    iter i: parallel 0..N = (8*o + z*4 + i) // 8 * 8 + i
                    where N >= o*8 + i + 1 and N >= 1
                    y[i] = (x[i] if i >= 0 else 0.0:f32) + where(true, x[i], -(-(x[i]))) - 0.0:f32
                block never:
                    iter i: parallel 0..N = i
                    where i >= 8
                    y[i] = 1.0:f32
        for e in 0..0:
            block empty:
                y[0] = 1.0:f32
""".replace("+ where", "+ (where")
        .replace("-(-(x[i]))) -", "-(-(x[i]))) -")
        .replace("- 0.0:f32", "- 0.0:f32)")
    )
    assert (
        body(Simplify().run(kernel))
        == """\
    for o in 0..(N // 8):
        for i in 0..8:
            block y:
                iter i: parallel 0..N = i + o*8
                y[i] = x[i] + x[i]
"""
    )


@pytest.mark.parametrize(
    ("value", "simple"),
    [
        ("(x[i] if i >= 0 and N >= i + 1 else 2.0:f32)", "x[i]"),
        ("(x[i] if i >= 5 else 2.0:f32)", "(x[i] if i >= 5 else 2.0:f32)"),
        ("(x[i] if i == -1 else 2.0:f32)", "2.0:f32"),
        ("where(not (not (x[i] < 1.0:f32)), x[i], x[i])", "x[i]"),
        ("where((x[i] < 1.0:f32) and false, 1.0:f32, x[i])", "x[i]"),
        ("where((x[i] < 1.0:f32) or false, 1.0:f32, x[i])", "where(x[i] < 1.0:f32, 1.0:f32, x[i])"),
        ("max(x[i], x[i])", "x[i]"),
        ("x[i] + 0.0:f32", "x[i] + 0.0:f32"),  # -0.0 + 0.0 is 0.0
        ("x[i] * 1.0:f32", "x[i] * 1.0:f32"),  # -inf * 1 is poison in the exact field
        ("x[i] - -0.0:f32", "x[i] - -0.0:f32"),
        ("x[i] * 0.0:f32", "x[i] * 0.0:f32"),
        ("cast(f32, (idx[i] * 1:i64) + 0:i64)", "cast(f32, idx[i])"),
        ("cast(f32, 1:i64 * index((i + N) % N - 0))", "cast(f32, index(i))"),
        (
            "where(true, 1.0:f32, x[checked(idx[i], 0..N, idx at i)])",
            "where(true, 1.0:f32, x[checked(idx[i], 0..N, idx at i)])",
        ),
    ],
)
def test_simplify_is_exact(value: str, simple: str) -> None:
    assert body(Simplify().run(one_loop(value=value))).rstrip().splitlines()[-1].strip() == f"y[i] = {simple}"


@pytest.mark.parametrize("kind", ["serial", "parallel", "unrolled", "vectorized"])
@pytest.mark.parametrize("extent", [0, 1, 2])
def test_simplify_runs_every_iteration_of_short_loops(kind: str, extent: int) -> None:
    kernel = parse_kernel(MATMUL.replace("for i in 0..M", f"for i in 0..{extent} {kind}".removesuffix(" serial")))
    assert brute_force_legal(kernel, Simplify().run(kernel), {"M": extent, "K": 2, "N": 3})


# --- what they refuse ---------------------------------------------------------------------------

TWICE = one_loop("8", more="            y[i + 1] = 0.0:f32\n")
REFUSED: dict[str, tuple[Pass, Kernel, str]] = {
    "no such loop": (Split("q", 4), matmul(), "kernel matmul has no loop q\nhelp: its loops are i, j, k"),
    "no such block": (DecomposeReduction("q", "k"), matmul(), "has no block q\nhelp: its blocks are c"),
    "a factor that does not divide": (
        Split("i", 8, "perfect"),
        one_loop(),
        "cannot prove that 8 divides N, the extent of i\nhelp: use tail=guard",
    ),
    "a name that is taken": (Split("i", 8, names=("j", "i")), matmul(), "the name j is taken"),
    "one name twice": (Split("i", 8, names=("z", "z")), matmul(), "the name z is taken"),
    "a remainder beside tasks": (Split("i", 8, "cut"), Parallel("i").run(one_loop()), "cannot have a remainder"),
    "a split of lanes": (Split("i", 4), Vectorize("i").run(one_loop("8")), "loop i is vectorized already"),
    "loops that are not nested": (Fuse("i", "k"), matmul(), "k is not the only statement in i"),
    "an extent that depends": (
        Fuse("i", "j"),
        parse_kernel(MATMUL.replace("for j in 0..N", "for j in 0..i")),
        "the extent of j, i, depends on i",
    ),
    "a triangle turned": (
        Reorder(("j", "i")),
        parse_kernel(MATMUL.replace("for j in 0..N", "for j in 0..i")),
        "the extent of j, i, depends on i",
    ),
    "loops apart": (
        Reorder(("k", "i")),
        DecomposeReduction("c", "k").run(matmul()),
        "k and i are not perfectly nested",
    ),
    "a reduction out of order": (
        Reorder(("k_i", "k_o")),
        Split("k", 2).run(matmul()),
        "iterations that differ in k_o and k_i would change their order: "
        "k_o=0, k_i=1 and k_o=1, k_i=0 both touch c[0, 0] (for K=3, M=3, N=3, i=0, j=0)",
    ),
    "lanes that add up": (
        Vectorize("k_i"),
        Split("k", 2).run(matmul()),
        "iterations of k_i depend on each other: k_i=0 and k_i=1 both touch c[0, 0] "
        "(for K=3, M=3, N=3, i=0, j=0, k_o=0)",
    ),
    "lanes of any number": (Vectorize("i"), one_loop(), "the extent of i, N, is not constant\nhelp: split it"),
    "lanes in lanes": (
        Vectorize("i_o"),
        Vectorize("i_i").run(Split("i", 4).run(one_loop("8"))),
        "loop i_i, in the same nest, is vectorized already",
    ),
    "lanes of different lengths": (
        Vectorize("i"),
        parse_kernel(MATMUL.replace("for i in 0..M", "for i in 0..8").replace("for k in 0..K", "for k in 0..i + 1")),
        "the extent of k, i + 1, differs between lanes of i",
    ),
    "lanes that write twice": (Vectorize("i"), TWICE, "i=0 and i=1 both touch y[1]"),
    "a recurrence in lanes": (
        Vectorize("i"),
        one_loop("8", "y[i + 1]", "y[i]"),
        "i=0 and i=1 both touch y[1]",
    ),
    "a recurrence at once": (Parallel("i"), one_loop("N", "y[i + 5]", "y[i]"), "i=0 and i=5 both touch y[5] (for N=9)"),
    "lanes told apart by data": (
        Vectorize("i"),
        one_loop("8", "y[checked(idx[i], 0..N, idx at i)]"),
        "both touch y[0]",
    ),
    "what cannot be proved": (
        Vectorize("i"),
        one_loop("8", "y[(i*i + 40*i) // 3]"),
        "cannot prove that different iterations write different cells: y at y[",
    ),
    "an inner loop as tasks": (Parallel("j"), matmul(), "j is inside i\nhelp: reorder it outermost first"),
    "a sum as parallel loop in others": (
        Parallel("k"),
        Parallel("j").run(Parallel("i").run(matmul())),
        "iterations of k depend on each other",
    ),
    "a parallel loop fused with a serial one": (
        Fuse("i", "j"),
        Parallel("i").run(matmul()),
        "loop j is serial\nhelp: fuse two serial loops or two parallel ones",
    ),
    "lanes fused": (
        Fuse("i_o", "i_i"),
        Vectorize("i_i").run(Split("i", 8, "perfect").run(one_loop("16"))),
        "loop i_i is vectorized",
    ),
    "tasks twice": (Parallel("i"), Parallel("i").run(matmul()), "loop i is parallel already"),
    "tasks beside others": (Parallel("i_o"), Split("i", 4, "cut").run(matmul()), "not the only statement of kernel"),
    "tasks that add up": (Parallel("k"), Reorder(("k", "i")).run(matmul()), "iterations of k depend on each other"),
    "a register that outlives a task": (
        Parallel("i"),
        one_loop("N", "r[0]", "r[0]"),
        "writes r[0] before y reads it\nhelp: r is a register buffer",
    ),
    "an unrolled loop of any extent": (Unroll("k"), matmul(), "the extent of k, K, is not constant"),
    "a loop whose statements need each other": (
        Fission("i"),
        one_loop(
            "N",
            "y[i]",
            "x[i]",
            "        block z:\n            iter i: parallel 0..N = i\n            x[i + 1] = y[i]\n",
        ),
        "iterations of i would change their order: z at i=0 and y at i=1 both touch x[1] (for N=3)",
    ),
    "turns that a chain does not take": (
        Fission("i", inside=True),
        parse_kernel(MATMUL.replace("c[i, j]", "c[0, j]")),
        "iterations of i would change their order: ",
    ),
    "turns in a triangle": (
        Fission("i", inside=True),
        parse_kernel(MATMUL.replace("for j in 0..N", "for j in 0..i")),
        "the extent of j, i, depends on i",
    ),
    "turns of lanes": (Fission("i"), Vectorize("i").run(one_loop("8")), "loop i is vectorized"),
    "registers for any number": (Expand("i"), one_loop("N", "r[0]", "x[i]"), "the extent of i, N, is not constant"),
    "registers that live on": (Expand("i"), one_loop("8", "r[0]", "r[0] + x[i]"), "writes r[0] before y reads it"),
    "registers that others use": (
        Expand("i"),
        one_loop("8", "r[0]", "x[i]", "    block z:\n        x[0] = r[0]\n"),
        "r is used outside of i too",
    ),
    "no init": (DecomposeReduction("c", "j"), DecomposeReduction("c", "k").run(matmul()), "block c has no init"),
    "a loop elsewhere": (
        DecomposeReduction("c_tail", "j"),
        Split("i", 4, "cut").run(matmul()),
        "block c_tail is not in loop j",
    ),
    "an init before tasks": (DecomposeReduction("c", "i"), Parallel("i").run(matmul()), "loop i is parallel"),
    "an init over fused loops": (
        DecomposeReduction("c", "j_k"),
        Fuse("j", "k").run(matmul()),
        "loop j_k runs over reduced and other indices",
    ),
    "an init that others see": (
        DecomposeReduction("c", "i"),
        parse_kernel(MATMUL + "                block d:\n                    c[0, 0] = 0.0:f32\n"),
        "d touches c in i too",
    ),
    "an init of cells that points share": (
        DecomposeReduction("c", "i"),
        parse_kernel(MATMUL.replace("c[i, j]", "c[i, 0]")),
        "c touches c in i too",
    ),
    "an init of neighbours": (
        DecomposeReduction("c", "i"),
        parse_kernel(MATMUL.replace("fma(a[i, k], b[k, j], c[i, j])", "c[i, j + 1] + c[i, j]")),
        "c touches c in i too",
    ),
    "an init that is computed": (
        DecomposeReduction("c", "i"),
        parse_kernel(
            MATMUL.replace("init 0.0:f32", "init b[0, j]")
            + "                block d:\n                    b[0, 0] = 0.0:f32\n"
        ),
        "the init of c reads b, which is written in i",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refusals(what: str) -> None:
    step, kernel, message = REFUSED[what]
    with pytest.raises(ScheduleError) as e:
        step.run(kernel)
    assert message in str(e.value)
    assert e.value.message.startswith(f"{step}: ")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Split("i", 1), "factor=1 is not an integer above 1"),
        (lambda: Split("i", True), "factor=True is not an integer above 1"),
        (lambda: Split("i", 4, "chop"), "tail='chop' is not one of guard, cut, perfect, mask"),
        (lambda: Split("", 4), "loop='' is not the name of a loop"),
        (lambda: Split("i", 4, names="ab"), "names='ab' is not a tuple of names"),
        (lambda: Split("i", 4, given=("N",)), "given=('N',) is not a tuple of conditions"),
        (lambda: Reorder(("i",)), "loops=('i',) is not two or more different names of loops"),
        (lambda: Reorder(("i", "i")), "is not two or more different names of loops"),
    ],
)
def test_arguments_are_checked_when_a_step_is_made(make: Callable[[], Pass], message: str) -> None:
    with pytest.raises(ScheduleError) as e:
        make()
    assert message in e.value.message


# --- registers and tasks ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inside",
    [
        "r[0] = 0.0:f32; y[i] = r[0]",
        "for l in 0..4: r[l] = 0.0:f32; for m in 0..4: y[i] = r[m]",
        "for l in 0..4: r[l] = 0.0:f32; for m in 0..2: y[i] = r[m + 2]",
        "for l in 0..2: r[l*2 + 1] = 0.0:f32; y[i] = x[i]",
        "for l in 0..4: r[l] = 0.0:f32; y[i] = r[checked(cast(i64, x[i]), 0..4, x at i)]",
    ],
)
def test_registers_written_before_they_are_read_are_private(inside: str) -> None:
    verify_kernel(Parallel("i").run(in_a_loop(inside)))


@pytest.mark.parametrize(
    "inside",
    [
        "y[i] = r[0]; r[0] = 0.0:f32",
        "for l in 0..2: r[l] = 0.0:f32; for m in 0..4: y[i] = r[m]",
        "for l in 0..M: r[0] = 0.0:f32; y[i] = r[0]",
        "for l in 0..4: r[l*1] = 0.0:f32 where l >= 1; for m in 0..4: y[i] = r[m]",
        "for l in 0..3: r[l] = 0.0:f32; y[i] = r[checked(cast(i64, x[i]), 0..4, x at i)]",
        "r[0] = 0.0:f32; y[i] = r[checked(cast(i64, x[i]), 0..4, x at i)]",
    ],
)
def test_other_registers_are_not(inside: str) -> None:
    with pytest.raises(ScheduleError, match="cannot prove that each iteration of i writes"):
        Parallel("i").run(in_a_loop(inside))


def in_a_loop(statements: str) -> Kernel:
    """A kernel ``for i in 0..N: ...`` from statements spelled ``[for l in 0..4: ]target = value[ where c]; ...``."""
    lines = []
    for n, s in enumerate(statements.split("; ")):
        loop = re.match(r"(for (\w+) in 0..(\w+)): ", s)
        target, value = re.sub(r"^for .*?: ", "", s).split(" = ")
        value, _, where = value.partition(" where ")
        bound = [("i", "N"), *([loop.group(2, 3)] if loop else [])]
        margin = " " * (12 if loop else 8)
        lines += [f"        {loop.group(1)}:"] if loop else []
        lines += [f"{margin}block s{n}:"] + [f"{margin}    iter {v}: parallel 0..{e} = {v}" for v, e in bound]
        lines += [f"{margin}    where {where}"] * bool(where) + [f"{margin}    {target} = {value}"]
    head = print_kernel(one_loop()).split("        block")[0]
    return parse_kernel(head + "\n".join(lines) + "\n")


# --- legality by brute force --------------------------------------------------------------------

ACCESSES = [
    "[i]",
    "[j]",
    "[k]",
    "[i + j]",
    "[i*3 + j]",
    "[i*2 + j]",
    "[3*j + k]",
    "[0]",
    "[i + 1]",
    "[j + 2]",
    "[i*9 + j*3 + k]",
    "[(i*3 + j) // 2]",
    "[(i*3 + j) % 3]",
    "[2 - i]",
    "[N*i + j]",
    "[min(i, j)]",
]
STEPS: list[Pass] = [
    Reorder(("j", "i")),
    Reorder(("k", "i")),
    Reorder(("k", "j", "i")),
    Reorder(("j", "k", "i")),
    Split("i", 2, "cut"),
    Split("j", 2),
    Split("k", 2, "cut"),
    Fuse("i", "j"),
    Fuse("j", "k"),
    Vectorize("i"),
    Vectorize("j"),
    Vectorize("k"),
    Parallel("i"),
    Unroll("j"),
    Reorder(("j_i", "i")),
    Reorder(("k", "j_o")),
    Reorder(("i_j", "k")),
    Vectorize("j_i"),
    Vectorize("i_j"),
    Reorder(("j_k", "i")),
    Reorder(("i_o", "i_i")),
    Vectorize("j_k"),
    Parallel("i_j"),
    Split("i_j", 4, "cut"),
    Fission("i"),
    Fission("j"),
    Fission("k"),
    Fission("i", inside=True),
    Fission("j", inside=True),
    Fission("k2"),
    Fission("j2", inside=True),
]


def nest(first: str, second: str, third: str, extents: tuple[str, str, str]) -> Kernel:
    i, j, k = extents
    iters = "".join(
        f"                    iter {v}: parallel 0..{e} = {v}\n" for v, e in zip("ijk", extents, strict=True)
    )
    return parse_kernel(f"""\
kernel k():
    global x: f32[99] strides [4]
    global y: f32[99] strides [4]
    global z: f32[99] strides [4]
    for i in 0..{i}:
        for j in 0..{j}:
            for k in 0..{k}:
                block a:
{iters}                    y{first} = x[i] + y{second}
                block b:
{iters}                    z{third} = z{third} + y{second}
""")


def unchecked(monkeypatch: pytest.MonkeyPatch, step: Pass, kernel: Kernel) -> Kernel:
    """What ``step`` makes without the test for legality."""
    with monkeypatch.context() as m:
        for module, check in ((reorder, "check_order"), (vectorize, "check_lanes"), (legality, "_refuse")):
            m.setattr(module, check, lambda *a, **k: None)
        return step.run(kernel)


accesses = st.sampled_from(ACCESSES)
relaxed = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@relaxed
@given(
    accesses,
    accesses,
    accesses,
    st.sampled_from([("3", "3", "2"), ("2", "3", "3"), ("N", "3", "2")]),
    st.lists(st.sampled_from(STEPS), min_size=1, max_size=4),
)
def test_what_is_accepted_is_legal_and_what_is_refused_is_not(
    first: str, second: str, third: str, extents: tuple[str, str, str], steps: list[Pass]
) -> None:
    kernel = start = nest(first, second, third, extents)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for step in steps:
            try:
                kernel = step.run(kernel)
            except ScheduleError as e:
                if " both touch " in str(e):
                    illegal = unchecked(monkeypatch, step, kernel)
                    assert not all(brute_force_legal(kernel, illegal, {"N": n}) for n in (2, 3, 5))
    assume(kernel is not start)
    verify_kernel(kernel)
    for n in (1, 2, 3):
        assert brute_force_legal(start, kernel, {"N": n})


@relaxed
@given(accesses, accesses, accesses, st.sampled_from([("3", "3", "2"), ("2", "3", "3"), ("N", "3", "2")]))
def test_distances_are_those_of_all_iterations_that_touch_one_cell(
    first: str, second: str, third: str, extents: tuple[str, str, str]
) -> None:
    kernel = nest(first, second, third, extents)
    where = facts(kernel, ())
    for a, b in conflicts(accesses_of(kernel.body)):
        compare = Comparison(where)
        apart, never = compare.distance(a, b), compare.disjoint(a, b)
        for x, y in meetings(a, b, {"N": 3}):
            assert not never and apart is not None
            assert apart == {v: y[v] - x[v] for v in apart}


@pytest.mark.parametrize(
    ("written", "read", "apart"),
    [
        ("[i + 1]", "[i]", {"i": 1}),
        ("[i]", "[i + 1]", {"i": -1}),
        ("[2 - i]", "[1 - i]", {"i": -1}),
        ("[3*i]", "[3*i + 6]", {"i": -2}),
        ("[i*9 + j*3 + k]", "[i*9 + j*3 + k]", {"i": 0, "j": 0, "k": 0}),
        ("[i + j]", "[i]", {}),
    ],
)
def test_known_distances(written: str, read: str, apart: dict[str, int]) -> None:
    kernel = nest(written, read, "[0]", ("3", "3", "3"))
    write, other = (a for a in accesses_of(kernel.body) if a.buffer == "y" and a.block.name == "a")
    pair = (write, other) if write.writes else (other, write)
    assert Comparison(facts(kernel, ())).distance(*pair) == apart


def meetings(a: Access, b: Access, sizes: dict[str, int]) -> Iterator[tuple[Env, Env]]:
    """The pairs of iterations in which ``a`` and ``b`` touch one cell."""
    for x in iterations(a.loops, Env(sizes)):
        for y in iterations(b.loops, Env(sizes)):
            if all(evaluate(i, x) == evaluate(j, y) for i, j in zip(a.indices, b.indices, strict=True) if i and j):
                yield x, y


def iterations(loops: tuple[Loop, ...], env: Env) -> Iterator[Env]:
    if not loops:
        yield env
        return
    for n in range(evaluate(loops[0].extent, env)):
        yield from iterations(loops[1:], Env(env | {loops[0].var: n}))


@pytest.mark.parametrize(
    ("step", "accesses"),
    [
        (Reorder(("j", "i")), ("[i*3 + j]", "[i*3 + j]", "[j]")),
        (Reorder(("k", "j", "i")), ("[i*9 + j*3 + k]", "[i*9 + j*3 + k]", "[i*9 + j*3 + k]")),
        (Vectorize("i"), ("[i]", "[i]", "[i + 1]")),
        (Vectorize("i"), ("[2*i]", "[2*i + 1]", "[i]")),
        (Vectorize("j"), ("[i*3 + j]", "[i*3 + j]", "[j + 2]")),
        (Vectorize("k"), ("[3*j + k]", "[3*j + k]", "[k]")),
        (Parallel("i"), ("[i*9 + j]", "[i*9 + k + 2]", "[2 - i]")),
    ],
)
def test_what_is_legal_is_often_accepted(step: Pass, accesses: tuple[str, str, str]) -> None:
    kernel = nest(*accesses, ("3", "3", "3"))
    after = step.run(kernel)
    assert brute_force_legal(kernel, after, {})


def test_the_oracle_refuses() -> None:
    kernel = Split("k", 2).run(matmul())
    sizes = {"M": 2, "N": 1, "K": 4}
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert not brute_force_legal(kernel, unchecked(monkeypatch, Reorder(("k_i", "k_o")), kernel), sizes)
        assert not brute_force_legal(kernel, unchecked(monkeypatch, Vectorize("k_i"), kernel), sizes)
        assert brute_force_legal(kernel, unchecked(monkeypatch, Reorder(("k_o", "i")), kernel), sizes)
    missing = parse_kernel(MATMUL.replace("for i in 0..M", "for i in 0..M - 1"))
    twice = parse_kernel(MATMUL.replace("parallel 0..M = i", "parallel 0..M = min(i, 0)"))
    assert not brute_force_legal(matmul(), missing, sizes)
    assert not brute_force_legal(matmul(), twice, sizes)
    for wrong in (missing, twice):
        with pytest.raises(ScheduleError, match="cannot prove that"):
            check_domains(wrong)


@pytest.mark.parametrize("condition", ["j >= 1", "i == 0", "i + j == k"])
def test_domains_with_holes_are_refused(condition: str) -> None:
    holes = parse_kernel(MATMUL.replace("init", f"where {condition}\n                    init"))
    assert not brute_force_legal(matmul(), holes, {"M": 2, "N": 2, "K": 2})
    with pytest.raises(ScheduleError, match="the condition .* is not the end of one index"):
        check_domains(holes)


# --- meaning ------------------------------------------------------------------------------------

SCHEDULES: dict[str, tuple[Pass, ...]] = {
    "tiles": (Split("i", 2, "cut"), Split("j", 4), Reorder(("j_o", "i_i"))),
    "lanes and tasks": (
        Split("j", 4, "mask"),
        Reorder(("i", "j_o", "k", "j_i")),
        DecomposeReduction("c", "k"),
        Vectorize("j_i"),
        Vectorize("j_i_init"),
        Parallel("i"),
    ),
    "a fused outer loop": (Split("i", 2), Fuse("i_o", "i_i"), Split("i_o_i_i", 3, "cut"), Reorder(("k", "j"))),
    "a split reduction": (
        Split("k", 2, "cut"),
        DecomposeReduction("c", "k_o"),
        Split("j", 2, "cut"),
        Unroll("k_i"),
        Simplify(),
    ),
    "everything": (
        Split("j", 3),
        Split("i", 2),
        Reorder(("i_o", "j_o", "k", "i_i", "j_i")),
        Fuse("i_o", "j_o"),
        DecomposeReduction("c", "k"),
        Split("k", 4),
        Unroll("i_i"),
        Vectorize("j_i"),
        Parallel("i_o_j_o"),
        Simplify(),
    ),
}


@pytest.mark.parametrize("domain", [TYPED, EXACT])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_change_no_bit(name: str, domain: Any) -> None:
    kernel = Pipeline(SCHEDULES[name]).run(matmul(), lambda p, before, after: verify_kernel(after))
    assert parse_kernel(print_kernel(kernel)) == kernel
    for m, n, k in ((5, 7, 6), (1, 1, 1), (4, 8, 3), (0, 3, 2)):
        sizes = {"M": m, "N": n, "K": k}
        assert run_matmul(kernel, sizes, domain) == run_matmul(matmul(), sizes, domain)


@pytest.mark.parametrize(
    ("guard", "decided"),
    [
        ("K >= k + 1", True),
        ("N >= k + j + 1", True),
        ("M >= k + 1", True),
        ("j >= 1", True),
        ("N >= i + j + 2", True),
        ("k >= 1", False),
        ("j + k >= 1", False),
        ("N >= k + j + 2", False),
        ("K >= k + 2", False),
    ],
)
def test_an_init_of_its_own_runs_where_the_first_update_would(guard: str, decided: bool) -> None:
    """A guard that is not known to let the first update through is refused: the cell might keep what was in it."""
    kernel = parse_kernel(MATMUL.replace("init", f"where {guard}\n                    init"))
    if not decided:
        with pytest.raises(ScheduleError, match=r"cannot prove that .* holds where the reduction starts"):
            DecomposeReduction("c", "k").run(kernel)
        return
    apart = DecomposeReduction("c", "k").run(kernel)
    for m, n, k in ((3, 4, 2), (1, 1, 1), (4, 3, 5)):
        sizes = {"M": m, "N": n, "K": k}
        assert run_matmul(apart, sizes, EXACT) == run_matmul(kernel, sizes, EXACT)


def run_matmul(kernel: Kernel, sizes: dict[str, int], domain: Any) -> list[Any]:
    m, n, k = sizes.values()
    rng = np.random.default_rng(m * 100 + n * 10 + k)
    memory = {"c": Memory.blank("c", kernel.buffer("c").dtype, m * n)}
    for name, shape in (("a", (m, k)), ("b", (k, n))):
        buffer = kernel.buffer(name)
        memory[name] = Memory.of_array(name, buffer.dtype, random_cells(rng, shape, domain), domain)
    run_kernel(kernel, memory, sizes, {}, domain)
    return list(memory["c"].cells.values())


def random_cells(rng: np.random.Generator, shape: tuple[int, ...], domain: Any) -> Any:
    if domain is EXACT:
        return rng.integers(0, 2**30, shape, np.uint64) | (rng.integers(0, 2**30, shape, np.uint64) << np.uint64(32))
    return rng.normal(size=shape).astype(np.float32)
