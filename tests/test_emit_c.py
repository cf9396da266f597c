"""The C target: emitted files are compiled, run, and compared bit for bit with the interpreter."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from abi import call_sizes, run
from hand_built import check_pairs, conv1d_plan, doubling_plan, embedding_plan, matmul_plan, pair_plan
from one_block import HERE, N, combinations, filled, pointwise

from tilewright.errors import CallError, UnsupportedError
from tilewright.ir import index as ix
from tilewright.ir.index import const, symbol
from tilewright.ir.interpret import TYPED, IndexFault, run_plan
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Write, row_major
from tilewright.ir.plan import Phase, Plan, dim, stride
from tilewright.ir.scalar import OPS, Apply, CheckedIndex, Const, Expr, IndexValue, Param, Read, Var, apply, convert
from tilewright.ir.tensor import ScalarInput, Tensor
from tilewright.ir.types import BOOL, BY_NAME, F32, F64, FIELD, I8, I32, I64, U16, U32, U64, DType
from tilewright.ir.verify_loops import verify_plan
from tilewright.targets.c.build import FLAGS, LIBRARY, compile_c, compiler
from tilewright.targets.c.emit import emit, emit_header
from tilewright.targets.c.operations import BITCASTS, CASTS, DTYPES, NATIVE
from tilewright.targets.target import Loaded, get_target
from tilewright.testing.compare import assert_same_bits

C = get_target("c")


def load(plan: Plan) -> Loaded:
    verify_plan(plan)
    return C.load(C.emit(plan), plan)


def check(plan: Plan, inputs: Mapping[str, Any], scalars: Mapping[str, Any] | None = None) -> None:
    """The kernels do what the interpreter says, whole or task by task from the last to the first."""
    expected = run_plan(plan, inputs, scalars or {}, TYPED)
    loaded = load(plan)
    for ranges in (lambda n: [(0, n)], one_by_one):
        actual, status = run(plan, loaded, inputs, scalars, ranges)
        assert status.code == 0
        for t in plan.outputs:
            assert_same_bits(actual[t.name], expected[t.name], t.dtype)


def one_by_one(tasks: int) -> Sequence[tuple[int, int]]:
    return [(t, t + 1) for t in reversed(range(tasks))]


def fault(plan: Plan, inputs: Mapping[str, Any]) -> tuple[int, int, int]:
    """The failed index that both the interpreter and the kernels report."""
    with pytest.raises(IndexFault) as caught:
        run_plan(plan, inputs, {}, TYPED)
    _, status = run(plan, load(plan), inputs, None, one_by_one)
    noted = status.operand, status.position, status.value
    assert (status.code, noted) == (1, (caught.value.operand, caught.value.position, caught.value.value))
    return noted


# --- the text ---------------------------------------------------------------------------------

POINTWISE = """\
void kernel_map(const TwArgs *args, int64_t lo, int64_t hi, int64_t tid)
{
    (void)tid;
    const int64_t stride_a_0 = args->table[1];
    char *const a = args->data[0];
    const int64_t stride_b_0 = args->table[3];
    char *const b = args->data[1];
    const float s = tw_bits_f32((uint32_t)args->scalars[0]);
    char *const y = args->data[2];
    for (int64_t t = lo; t < hi; ++t) {
        /* map */
        const float a_2 = *(float *)(a + t * stride_a_0);
        const int32_t b_2 = *(int32_t *)(b + t * stride_b_0);
        const float cast = (float)b_2;
        const float mul = a_2 * cast;
        const float div = mul / s;
        const float add = div + 0x1.99999a0000000p-4f;
        *(float *)(y + t * 4) = add;
    }
}

int sizes(const int64_t *head, int64_t *tail)
{
    (void)head;
    const int64_t dim_a_0 = head[0];
    const int64_t N = tail[0] = dim_a_0;
    tail[1] = N;  /* out(y,0) */
    tail[2] = 0;  /* scratch */
    tail[3] = N;  /* tasks(0) */
    tail[4] = 64;  /* chunk(0) */
    return 0;
}
"""


def scaled(a: Expr, b: Expr) -> Expr:
    product = apply("mul", a, convert("cast", b, F32))
    return apply("add", apply("div", product, Param("s", F32)), Const(0.1, F32))


def test_the_text_is_readable() -> None:
    text = emit(pointwise([F32, I32], scaled, [ScalarInput("s", F32)]))
    assert text.endswith(POINTWISE)
    assert text.count("static") == 1 and "typedef struct" in text


def test_the_header_declares_what_the_file_defines() -> None:
    header = emit_header(matmul_plan())
    assert "void kernel_matmul(const TwArgs *args, int64_t lo, int64_t hi, int64_t tid);\n" in header
    assert "int sizes(const int64_t *head, int64_t *tail);\n" in header
    use = "void (*kernel)(const TwArgs *, int64_t, int64_t, int64_t) = kernel_matmul;\n"
    accept(header + header + use)


def accept(text: str, *options: str) -> None:
    """The C compiler takes ``text`` without a warning."""
    command = [*compiler(), *FLAGS, "-Wall", "-pedantic", "-Werror", *options, "-fsyntax-only", "-x", "c", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_names_of_the_program_and_of_c_do_not_clash() -> None:
    names = ["int", "args", "add", "tw_note", "INT8_MAX", "lo"]

    def value(*operands: Expr) -> Expr:
        total = operands[0]
        for other in operands[1:]:
            total = apply("add", total, other)
        return total

    plan = pointwise([I64] * 6, value, names=names)
    (kernel,) = plan.kernels
    plan = replace(plan, kernels=(replace(kernel, name="sqrt"),), steps=(Phase("sqrt", N, const(1)),))
    accept(emit(plan), "-Wshadow")
    check(plan, {name: np.arange(5) * 10**n for n, name in enumerate(names)})


# --- scalar operations ------------------------------------------------------------------------


def operations(dtype: DType) -> list[str]:
    ops = {op for op, d in NATIVE if d == dtype.name and op not in ("cast", "bitcast", "where")}
    return sorted(ops | {"where"})


def applied(op: str, condition: Expr, args: Sequence[Expr]) -> Expr:
    chosen = (condition, *args[:2]) if op == "where" else args[: OPS[op].arity]
    return apply(op, *chosen)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_operation(dtype: DType) -> None:
    def values(condition: Expr, *args: Expr) -> list[Expr]:
        return [applied(op, condition, args) for op in operations(dtype)]

    plan = pointwise([BOOL, dtype, dtype, dtype], values)
    check(plan, combinations([BOOL, dtype, dtype, dtype], 1500))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_cast_and_bitcast(dtype: DType) -> None:
    casts = [("cast", to) for source, to in CASTS if source == dtype.name]
    casts += [("bitcast", to) for source, to in BITCASTS if source == dtype.name]
    plan = pointwise([dtype], lambda a: [Apply(op, (a,), BY_NAME[to]) for op, to in casts])
    check(plan, combinations([dtype], 500))


@pytest.mark.parametrize("dtype", [I8, I32, U32, I64, U64], ids=str)
def test_integers_by_literals(dtype: DType) -> None:
    amounts = [1, 0, 7, 64] + ([-1, -5, -(1 << dtype.bits - 1)] if dtype.kind == "int" else [(1 << dtype.bits) - 1])

    def values(a: Expr) -> list[Expr]:
        ops = ("floordiv", "mod", "shl", "shr", "sub", "min", "lt")
        return [apply(op, a, Const(n, dtype)) for op in ops for n in amounts]

    check(pointwise([dtype], values), combinations([dtype], 500))


def test_literals_are_exact() -> None:
    floats = [0.1, -0.0, 1.5, -3.0, 1e16, 1e-42, 1e39, 5e-324, 16777217.0, math.inf, -math.inf, math.nan]
    values = [Const(v, d) for d in (F32, F64) for v in floats]
    for dtype in DTYPES:
        if dtype.is_integer:
            low = -(1 << dtype.bits - 1) if dtype.kind == "int" else 0
            values += [Const(v, dtype) for v in (low, low + 1, 0, 1, low + (1 << dtype.bits) - 1)]
    plan = pointwise([BOOL], lambda a: [*values, Const(True, BOOL)])
    accept(emit(plan))
    check(plan, {"a": np.zeros(2, bool)})


def test_run_time_scalars() -> None:
    dtypes = (BOOL, I8, U16, I32, I64, U64, F32, F64)
    scalars = [ScalarInput(f"s{d}", d) for d in dtypes]
    plan = pointwise([I8], lambda a: [Param(s.name, s.dtype) for s in scalars], scalars)
    given = {"sbool": True, "si8": -5, "su16": 65535, "si32": -(2**31), "si64": -(2**63), "su64": 2**64 - 1}
    check(plan, {"a": np.zeros(3, np.int8)}, {**given, "sf32": 0.3, "sf64": 1e300})


def test_index_expressions() -> None:
    i = HERE - 5
    far = i * (2**40) + N
    indices = [i // 3, i % 3, i // -3, i % -3, far // (2**33), ix.minimum(i, N - 9, 2), ix.maximum(i * i, 7)]
    indices += [ix.pow2(HERE + 40), ix.ctz(HERE + 1), (i + N) * (i - N) - 3, const(2**62), const(-(2**63)), -i]
    check(pointwise([I64], lambda a: [IndexValue(e) for e in indices]), {"a": np.zeros(13, np.int64)})


# --- memory -----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 3, -1, -2, 0])
def test_any_stride(step: int) -> None:
    base = np.arange(300, dtype=np.float32)
    x = np.lib.stride_tricks.as_strided(base[150:], (37,), (4 * step,))
    check(pointwise([F32], lambda a: a), {"a": x})


def test_only_the_tasks_asked_for_run() -> None:
    plan, a = pointwise([F32], lambda a: a), np.arange(1, 13, dtype=np.float32)
    for pieces in ([(3, 7)], [(9, 9), (5, 5)], [(8, 9), (2, 3)]):
        outputs, _ = run(plan, load(plan), {"a": a}, ranges=lambda tasks, pieces=pieces: pieces)
        asked = [any(lo <= t < hi for lo, hi in pieces) for t in range(12)]
        np.testing.assert_array_equal(outputs["y"], np.where(asked, a, 0))


def test_no_elements() -> None:
    check(pointwise([F32], lambda a: a), {"a": np.zeros(0, np.float32)})


def test_a_guarded_read_loads_nothing_outside() -> None:
    def element(at: ix.Index, otherwise: Expr) -> Expr:
        return Read("a", (at,), F32, (ix.ge(at, 0), ix.lt(at, N)), otherwise)

    def values(a: Expr) -> list[Expr]:
        return [
            apply("add", element(HERE - 2, Const(0.0, F32)), element(HERE + 3, Const(1.0, F32))),
            element(HERE * 2 - 5, element(N - 1 - HERE * 3, a)),
            Read("a", (HERE + 10**12,), F32, (ix.ge(N, 1000),), Const(2.0, F32)),
        ]

    check(pointwise([F32], values), {"a": np.arange(1, 22, dtype=np.float32)})


@pytest.mark.parametrize("kind", ["vectorized", "unrolled", "serial"])
@pytest.mark.parametrize("dtype", [F32, F64, I32], ids=str)
def test_a_contraction_with_register_accumulators(dtype: DType, kind: str) -> None:
    random = np.random.default_rng(5)
    plan = matmul_plan(8, kind, dtype)
    for m, k, n in ((3, 5, 17), (1, 1, 8), (2, 7, 0)):
        a, b = (filled(dtype, random.standard_normal(s) * 9) for s in ((m, k), (k, n)))
        check(plan, {"a": a[::-1], "b": np.asfortranarray(b)})


def partial_sums(lanes: int = 64) -> Plan:
    """``y[r] = sum over j of x[r, j]`` in ``lanes`` strided partials, joined in halves."""
    rows, columns, p = symbol("R"), symbol("C"), symbol("p")
    x = Buffer("x", F32, (rows, columns), (stride("x", 0), const(4)))
    y = Buffer("y", F32, (rows,), (const(4),))
    acc = Buffer("acc", F32, (const(lanes),), row_major((const(lanes),), F32), "register")
    lane, outer = symbol("l"), symbol("o")
    cell = Iter("p", "parallel", const(lanes))

    def here(offset: int = 0) -> Expr:
        return Read("acc", (p + offset,), F32)

    clear = Block("clear", (cell,), (lane,), (), (Write("acc", (p,)),), (Const(0.0, F32),))
    place = outer * lanes + lane
    step = apply("add", here(), Read("x", (symbol("r"), symbol("j")), F32))
    points = (cell, Iter("r", "parallel", rows), Iter("j", "reduce", columns))
    take = Block("take", points, (lane, symbol("t"), place), (ix.lt(place, columns),), (Write("acc", (p,)),), (step,))
    body: list[Any] = [Loop("l", const(lanes), "vectorized", (clear,))]
    tiles = ix.ceildiv(columns, lanes)
    body.append(Loop("o", tiles, "serial", (Loop("l", const(lanes), "vectorized", (take,)),)))
    half = lanes // 2
    while half:
        value = apply("add", here(), here(half))
        join = Block(f"join{half}", (cell,), (lane,), (), (Write("acc", (p,)),), (value,))
        body.append(Loop("l", const(half), "unrolled" if half < 8 else "vectorized", (join,)))
        half //= 2
    row = Iter("r", "parallel", rows)
    total = Read("acc", (const(0),), F32)
    body.append(Block("store", (row,), (symbol("t"),), (), (Write("y", (symbol("r"),)),), (total,)))
    kernel = Kernel("sums", (x, y, acc), (), (Loop("t", rows, "parallel", tuple(body)),))
    inputs = (Tensor("x", F32, (rows, columns)),)
    sizes = (("R", dim("x", 0)), ("C", dim("x", 1)))
    steps = (Phase("sums", rows, const(1)),)
    return Plan("sums", inputs, (Tensor("y", F32, (rows,)),), (), sizes, (), (), (kernel,), steps)


def test_a_reduction_in_64_partials() -> None:
    plan = partial_sums()
    for columns in (0, 1, 63, 64, 200):
        x = np.random.default_rng(columns).standard_normal((3, columns)).astype(np.float32)
        check(plan, {"x": x})
    padded = np.zeros((3, 256), np.float32)
    padded[:, :200] = x
    partials = np.zeros((3, 64), np.float32)
    for k in range(4):
        partials += padded[:, 64 * k : 64 * (k + 1)]
    while partials.shape[1] > 1:
        half = partials.shape[1] // 2
        partials = partials[:, :half] + partials[:, half:]
    assert_same_bits(run(plan, load(plan), {"x": x})[0]["y"], partials[:, 0])


def test_plans_with_repeats_scratch_and_guards() -> None:
    x, w = (np.random.default_rng(n).standard_normal(n).astype(np.float32) for n in (23, 5))
    for stride_, pad in ((1, 0), (2, 2), (3, 4)):
        check(conv1d_plan(stride_, pad), {"x": x, "w": w})
    for times in (0, 1, 5):
        check(doubling_plan(const(times)), {"x": np.arange(7)})


@pytest.mark.parametrize("lanes", [1, 4, 8])
def test_a_block_evaluates_all_its_values_before_it_writes_and_starts_where_it_runs(lanes: int) -> None:
    plan = pair_plan(lanes)
    check_pairs(plan, load(plan))


def test_a_failed_check_is_numbered() -> None:
    plan = matmul_plan()
    a, b = np.zeros((2, 3), np.float32), np.zeros((4, 2), np.float32)
    assert call_sizes(plan, load(plan), {"a": a, "b": b})[0] == 1
    with pytest.raises(CallError, match="a's columns must be as many as b's rows"):
        run(plan, load(plan), {"a": a, "b": b})


# --- checked indices --------------------------------------------------------------------------


def test_a_gather_and_its_failure() -> None:
    plan, w = embedding_plan(), np.arange(12, dtype=np.float32).reshape(4, 3)
    check(plan, {"w": w, "idx": np.array([3, 0, 2, 2])})
    assert fault(plan, {"w": w, "idx": np.array([3, 4, 0, -1])}) == (1, 1, 4)
    assert fault(plan, {"w": w[:0], "idx": np.array([0])}) == (1, 0, 0)
    outputs, _ = run(plan, load(plan), {"w": w, "idx": np.array([3, 4, 0, -1])})
    np.testing.assert_array_equal(outputs["y"], [w[3], [0, 0, 0], w[0], [0, 0, 0]])


def test_of_several_operands_the_first_one_wins() -> None:
    def values(a: Expr, p: Expr, q: Expr) -> list[Expr]:
        return [Read("a", (CheckedIndex(row, N, name, HERE),), F32) for name, row in (("q", q), ("p", p))]

    plan, a, good = pointwise([F32, I64, I64], values, names="apq"), np.zeros(11, np.float32), np.arange(11)
    for late, early in ((0, 5), (5, 0), (10, 5), (5, 5)):
        inputs = {"a": a, "p": np.where(good == late, -1, good), "q": np.where(good == early, -2, good)}
        assert fault(plan, inputs) == (1, late, -1)
    assert fault(plan, {"a": a, "p": good, "q": good + 1}) == (2, 10, 11)


def test_an_index_is_not_checked_where_the_guard_fails() -> None:
    def value(a: Expr) -> Expr:
        return Read("a", (CheckedIndex(a, N, "a", HERE),), I64, (ix.ge(HERE, 3),), Const(-9, I64))

    plan = pointwise([I64], value)
    check(plan, {"a": np.array([99, -1, 77, 2, 1, 0, 4, 3, 2, 1])})
    assert fault(plan, {"a": np.array([99, -1, 77, 2, 1, 0, 10, 3, 2, -1])}) == (0, 6, 10)


def test_a_scatter_leaves_out_what_is_outside() -> None:
    plan = pointwise([F32, I64], lambda a, b: a)
    (kernel,) = plan.kernels
    (loop,) = kernel.body
    assert isinstance(loop, Loop) and isinstance(loop.body[0], Block)
    row = CheckedIndex(Read("b", (HERE,), I64), N, "b", HERE)
    aimed = replace(loop, body=(replace(loop.body[0], writes=(Write("y", (row,)),)),))
    plan = replace(plan, kernels=(replace(kernel, body=(aimed,)),))
    order = np.random.default_rng(3).permutation(19)
    a = np.arange(19, dtype=np.float32) + 1
    check(plan, {"a": a, "b": order})
    order[[4, 9]] = 19, -3
    assert fault(plan, {"a": a, "b": order}) == (1, 4, 19)
    outputs, _ = run(plan, load(plan), {"a": a, "b": order})
    expected = np.zeros(19, np.float32)
    kept = (order >= 0) & (order < 19)
    expected[order[kept]] = a[kept]
    np.testing.assert_array_equal(outputs["y"], expected)


def test_a_condition_of_one_block_of_several() -> None:
    plan = pointwise([F32], lambda a: a)
    (kernel,) = plan.kernels
    (loop,) = kernel.body
    assert isinstance(loop, Loop) and isinstance(loop.body[0], Block)
    first = loop.body[0]
    late = (ix.ge(symbol(loop.var), 3),)
    second = replace(first, name="late", predicate=late, values=(apply("neg", first.values[0]),))
    both = replace(kernel, body=(replace(loop, body=(first, second)),))
    check(replace(plan, kernels=(both,)), {"a": np.arange(7, dtype=np.float32)})


# --- what is refused, and what the compiler says ----------------------------------------------


def test_what_c_cannot_express_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="the c target has no exp of f32 to f32"):
        emit(pointwise([F32], lambda a: apply("exp", a)))
    with pytest.raises(UnsupportedError, match="the c target has no type for field"):
        emit(pointwise([FIELD], lambda a: a))
    with pytest.raises(UnsupportedError, match="the c target has no expression Var"):
        emit(pointwise([F32], lambda a: Var("acc", F32)))


def test_a_missing_compiler_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = pointwise([F32], lambda a: a)
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(UnsupportedError, match="none was found \\(no-such-compiler\\)") as caught:
        C.load(emit(plan), plan)
    assert caught.value.hint == "install gcc or clang, or set CC to a C99 compiler"


def test_the_compiler_has_nothing_to_complain_about() -> None:
    plans = matmul_plan(8, "unrolled"), conv1d_plan(2, 1), embedding_plan(), doubling_plan(const(3)), partial_sums()
    for plan in plans:
        accept(emit(plan))


def test_assembly_shows_the_kernels() -> None:
    assert C.assembly is not None
    assert "kernel_matmul:" in C.assembly(emit(matmul_plan()))


def test_nothing_is_undefined(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Integer edge cases under the compiler's own checks, which report what is undefined on stderr."""
    for dtype in (I8, I64, U16, F32):
        ops = [(op, dtype) for op in operations(dtype) if op != "where"]
        plan = pointwise([dtype] * 3, lambda *a, ops=ops: [apply(op, *a[: OPS[op].arity]) for op, _ in ops])
        path = tmp_path / f"{dtype}.so"
        compile_c(emit(plan), path, (*LIBRARY, "-fsanitize=undefined,float-cast-overflow"))
        run(plan, C.loaded([path.read_bytes()], plan), combinations([dtype] * 3, 1500))
        assert capfd.readouterr().err == ""


def test_registers_stay_inside_their_arrays(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    plan, path = partial_sums(), tmp_path / "plan.so"
    compile_c(emit(plan), path, (*LIBRARY, "-fsanitize=bounds"))
    run(plan, C.loaded([path.read_bytes()], plan), {"x": np.ones((3, 37), np.float32)})
    assert capfd.readouterr().err == ""
