"""Functions, kernels and plans of tensor and loop IR, built by hand."""

from __future__ import annotations

import numpy as np
from abi import run

from tilewright.ir import index as ix
from tilewright.ir.index import Index, symbol
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Write, row_major
from tilewright.ir.plan import Check, Phase, Plan, Repeat, dim, stride
from tilewright.ir.scalar import (
    Apply,
    CheckedIndex,
    Const,
    Expr,
    IndexValue,
    Param,
    Read,
    Var,
    apply,
    convert,
    literal,
)
from tilewright.ir.tensor import (
    CHAIN,
    Axis,
    Compute,
    Function,
    Order,
    Reduction,
    ScalarInput,
    Scan,
    Scatter,
    Steps,
    Tensor,
)
from tilewright.ir.types import BOOL, F32, I64, U32, U64, DType
from tilewright.targets.target import Loaded

M, N, K = symbol("M"), symbol("N"), symbol("K")
i, j, k = symbol("i"), symbol("j"), symbol("k")


def read(t: Tensor, *indices: Index | Expr, otherwise: Expr | None = None) -> Expr:
    """A read of a tensor in its compute dtype."""
    return convert("cast", Read(t.name, indices, t.dtype, (), otherwise), t.dtype.compute)


def stored(value: Expr, dtype: DType) -> Expr:
    return convert("cast", value, dtype)


def summed(
    result: Tensor,
    axes: tuple[Axis, ...],
    over: tuple[Axis, ...],
    value: Expr,
    orders: tuple[Order, ...] = (CHAIN,),
) -> Compute:
    acc, other = Var("acc", value.dtype), Var("other", value.dtype)
    step, merge = apply("add", acc, value), apply("add", acc, other)
    reduction = Reduction(over, orders, (acc,), (literal(0, value.dtype),), (other,), (merge,))
    return Compute((result,), axes, (step,), reduction)


def reduced(op: str, start: float, result: Tensor, axes: tuple[Axis, ...], over: Axis, value: Expr) -> Compute:
    acc, other = Var("acc", value.dtype), Var("other", value.dtype)
    step, merge = apply(op, acc, value), apply(op, acc, other)
    reduction = Reduction((over,), (CHAIN,), (acc,), (literal(start, value.dtype),), (other,), (merge,))
    return Compute((result,), axes, (step,), reduction)


def matmul(dtype: DType = F32) -> Function:
    a, b, c = Tensor("a", dtype, (M, K)), Tensor("b", dtype, (K, N)), Tensor("c", dtype, (M, N))
    value = apply("mul", read(a, i, k), read(b, k, j))
    body = summed(c, (Axis("i", M), Axis("j", N)), (Axis("k", K),), value)
    return Function("matmul", (a, b), (), (body,), ("c",))


def softmax(dtype: DType = F32) -> Function:
    x, y = Tensor("x", dtype, (M, N)), Tensor("y", dtype, (M, N))
    m, e, s = Tensor("m", F32, (M,)), Tensor("e", F32, (M, N)), Tensor("s", F32, (M,))
    rows, both, over = (Axis("i", M),), (Axis("i", M), Axis("j", N)), Axis("j", N)
    body = (
        reduced("max", float("-inf"), m, rows, over, read(x, i, j)),
        Compute((e,), both, (apply("exp", apply("sub", read(x, i, j), read(m, i))),)),
        summed(s, rows, (over,), read(e, i, j)),
        Compute((y,), both, (stored(apply("div", read(e, i, j), read(s, i)), dtype),)),
    )
    return Function("softmax", (x,), (), body, ("y",))


def conv1d(stride_: int, pad: int) -> Function:
    x, w = Tensor("x", F32, (N,)), Tensor("w", F32, (K,))
    out = (N + 2 * pad - K) // stride_ + 1
    y = Tensor("y", F32, (out,))
    element = read(x, i * stride_ + k - pad, otherwise=Const(0.0, F32))
    body = summed(y, (Axis("i", out),), (Axis("k", K),), apply("mul", element, read(w, k)))
    return Function("conv1d", (x, w), (), (body,), ("y",), (ix.ge(N + 2 * pad, K),))


def embedding(index: DType = I64, dtype: DType = F32) -> Function:
    w, idx, y = Tensor("w", dtype, (M, K)), Tensor("idx", index, (N,)), Tensor("y", dtype, (N, K))
    value = Read("w", (Read("idx", (j,), index), k), dtype)
    return Function("embedding", (w, idx), (), (Compute((y,), (Axis("j", N), Axis("k", K)), (value,)),), ("y",))


def scatter_add(dtype: DType = F32) -> Function:
    dy, idx, y = Tensor("dy", dtype, (N,)), Tensor("idx", I64, (N,)), Tensor("y", dtype, (M,))
    shape = Tensor("like", dtype, (M,))
    value = read(dy, j)
    body = Compute(
        (y,), (Axis("j", N),), (value,), scatter=Scatter((Read("idx", (j,), I64),), "add", literal(0, value.dtype))
    )
    return Function("scatter_add", (dy, idx, shape), (), (body,), ("y",))


def cumsum(chunk: int, dtype: DType = F32) -> Function:
    x, y = Tensor("x", dtype, (M, N)), Tensor("y", dtype, (M, N))
    value = read(x, i, j)
    acc, other = Var("acc", value.dtype), Var("other", value.dtype)
    scan = Scan("j", chunk, (acc,), (literal(0, value.dtype),), (other,), (apply("add", acc, other),))
    body = Compute((y,), (Axis("i", M), Axis("j", N)), (apply("add", acc, value),), scan=scan)
    return Function("cumsum", (x,), (), (body,), ("y",))


def recurrence() -> Function:
    """``y[i] = (y[i - 2] else 1) * 2 + x[i]``."""
    x, y = Tensor("x", I64, (N,)), Tensor("y", I64, (N,))
    before = read(y, i - 2, otherwise=literal(1, I64))
    value = apply("add", apply("mul", before, literal(2, I64)), read(x, i))
    body = Compute((y,), (Axis("i", N),), (value,))
    return Function("recurrence", (x,), (), (Steps((Axis("i", N),), (body,)),), ("y",))


def argmax(order: Order = CHAIN) -> Function:
    """The first place of the greatest element; its value is an intermediate."""
    x, v, p = Tensor("x", F32, (M, N)), Tensor("v", F32, (M,)), Tensor("p", I64, (M,))
    av, ap, ov, op = Var("v", F32), Var("p", I64), Var("w", F32), Var("q", I64)

    def beats(value: Expr, place: Expr) -> tuple[Expr, Expr]:
        wins = apply("gt", value, av)
        return apply("where", wins, value, av), apply("where", wins, place, ap)

    reduction = Reduction(
        (Axis("j", N),), (order,), (av, ap), (literal(float("-inf"), F32), literal(0, I64)), (ov, op), beats(ov, op)
    )
    body = Compute((v, p), (Axis("i", M),), beats(read(x, i, j), IndexValue(j)), reduction)
    return Function("argmax", (x,), (), (body,), ("p",), (ix.ge(N, 1),))


def dropout() -> Function:
    x, keep, y = Tensor("x", F32, (M, N)), Tensor("keep", BOOL, (M, N)), Tensor("y", F32, (M, N))
    p, seed, offset = Param("p", F32), Param("seed", U64), Param("offset", U64)
    word = apply("bits", seed, offset, IndexValue(i * N + j))
    top = convert("cast", apply("shr", word, literal(8, U32)), F32)
    uniform = apply("mul", top, literal(2.0**-24, F32))
    one = literal(1, F32)
    scaled = apply("mul", read(x, i, j), apply("div", one, apply("sub", one, p)))
    axes = (Axis("i", M), Axis("j", N))
    body = (
        Compute((keep,), axes, (apply("ge", uniform, p),)),
        Compute((y,), axes, (apply("where", read(keep, i, j), scaled, literal(0, F32)),)),
    )
    scalars = tuple(ScalarInput(n, t) for n, t in (("p", F32), ("seed", U64), ("offset", U64)))
    return Function("dropout", (x,), scalars, body, ("y",))


# --- loop IR ----------------------------------------------------------------------------------


def operand(t: Tensor) -> Buffer:
    """An input of any strides."""
    return Buffer(t.name, t.dtype, t.shape, tuple(stride(t.name, a) for a in range(len(t.shape))))


def contiguous(t: Tensor, scope: str = "global") -> Buffer:
    return Buffer(t.name, t.dtype, t.shape, row_major(t.shape, t.dtype), scope)


def matmul_kernel(tile: int, kind: str = "vectorized", dtype: DType = F32) -> Kernel:
    """Rows in parallel; columns in tiles of lanes with a predicate; accumulators in a register tile."""
    f = matmul(dtype)
    a, b, c = f.inputs[0], f.inputs[1], f.tensor("c")
    compute = dtype.compute
    acc = Buffer("acc", compute, (ix.const(tile),), row_major((ix.const(tile),), compute), "register")
    jo, ji, lane_no = symbol("jo"), symbol("ji"), symbol("l")
    rows, cols, lane = Iter("i", "parallel", M), Iter("j", "parallel", N), Iter("l", "parallel", ix.const(tile))
    inside = (ix.lt(jo * tile + ji, N),)
    value = apply("add", Read("acc", (lane_no,), compute), apply("mul", read(a, i, k), read(b, k, j)))
    update = Block(
        "update",
        (rows, cols, lane, Iter("k", "reduce", K)),
        (symbol("t"), jo * tile + ji, ji, k),
        inside,
        (Write("acc", (lane_no,)),),
        (value,),
        (literal(0, compute),),
    )
    store = Block(
        "store",
        (rows, cols, lane),
        (symbol("t"), jo * tile + ji, ji),
        inside,
        (Write("c", (i, j)),),
        (stored(Read("acc", (lane_no,), compute), dtype),),
    )
    lanes = ix.const(tile)
    body = Loop(
        "jo",
        ix.ceildiv(N, tile),
        "serial",
        (
            Loop("k", K, "serial", (Loop("ji", lanes, kind, (update,)),)),
            Loop("ji", lanes, kind, (store,)),
        ),
    )
    return Kernel("matmul", (operand(a), operand(b), contiguous(c), acc), (), (Loop("t", M, "parallel", (body,)),))


def matmul_plan(tile: int = 4, kind: str = "vectorized", dtype: DType = F32) -> Plan:
    f = matmul(dtype)
    symbols = (("M", dim("a", 0)), ("K", dim("a", 1)), ("N", dim("b", 1)))
    checks = (Check(ix.eq(dim("b", 0), K), "matmul: a's columns must be as many as b's rows"),)
    return Plan(
        "matmul",
        f.inputs,
        (f.tensor("c"),),
        (),
        symbols,
        checks,
        (),
        (matmul_kernel(tile, kind, dtype),),
        (Phase("matmul", M, ix.const(2)),),
    )


def embedding_plan() -> Plan:
    f = embedding()
    w, idx = f.inputs
    y = f.tensor("y")
    row = CheckedIndex(Read("idx", (j,), I64), M, "idx", j)
    block = Block(
        "gather",
        (Iter("j", "parallel", N), Iter("k", "parallel", K)),
        (symbol("t"), k),
        (),
        (Write("y", (j, k)),),
        (Read("w", (row, k), F32),),
    )
    kernel = Kernel(
        "gather",
        (operand(w), operand(idx), contiguous(y)),
        (),
        (Loop("t", N, "parallel", (Loop("k", K, "serial", (block,)),)),),
    )
    symbols = (("M", dim("w", 0)), ("K", dim("w", 1)), ("N", dim("idx", 0)))
    return Plan("embedding", f.inputs, (y,), (), symbols, (), (), (kernel,), (Phase("gather", N, ix.const(1)),))


def conv1d_plan(stride_: int, pad: int) -> Plan:
    f = conv1d(stride_, pad)
    x, w = f.inputs
    y = f.tensor("y")
    place = i * stride_ + k - pad
    element = Read("x", (place,), F32, (ix.ge(place, 0), ix.lt(place, N)), Const(0.0, F32))
    value = apply("add", Read("y", (i,), F32), apply("mul", element, read(w, k)))
    block = Block(
        "conv",
        (Iter("i", "parallel", y.shape[0]), Iter("k", "reduce", K)),
        (symbol("t"), k),
        (),
        (Write("y", (i,)),),
        (value,),
        (Const(0.0, F32),),
    )
    kernel = Kernel(
        "conv",
        (operand(x), operand(w), contiguous(y)),
        (),
        (Loop("t", y.shape[0], "parallel", (Loop("k", K, "serial", (block,)),)),),
    )
    checks = (Check(f.preconditions[0], "conv1d: the kernel is longer than the padded input"),)
    return Plan(
        "conv1d",
        f.inputs,
        (y,),
        (),
        (("N", dim("x", 0)), ("K", dim("w", 0))),
        checks,
        (),
        (kernel,),
        (Phase("conv", y.shape[0], ix.const(3)),),
    )


def pair_plan(lanes: int) -> Plan:
    """Rows 2 and up of two results: from (1, 2), each ``x[i, k]`` of a row makes (b, a + b + x) of (a, b).

    Rows run in tiles of ``lanes`` under a predicate; what is at the first two stays.
    """
    x, a, b = Tensor("x", I64, (N, K)), Tensor("a", I64, (N,)), Tensor("b", I64, (N,))
    row = symbol("t") * lanes + symbol("l")
    first, second = read(a, i), read(b, i)
    step = Block(
        "step",
        (Iter("i", "parallel", N), Iter("k", "reduce", K)),
        (row, symbol("n")),
        (ix.ge(row, 2), ix.lt(row, N)),
        (Write("a", (i,)), Write("b", (i,))),
        (second, apply("add", apply("add", first, second), read(x, i, k))),
        (literal(1, I64), literal(2, I64)),
    )
    inner = Loop("n", K, "serial", (Loop("l", ix.const(lanes), "vectorized", (step,)),))
    tiles = ix.ceildiv(N, lanes)
    kernel = Kernel("pair", (operand(x), contiguous(a), contiguous(b)), (), (Loop("t", tiles, "parallel", (inner,)),))
    symbols = (("N", dim("x", 0)), ("K", dim("x", 1)))
    return Plan("pair", (x,), (a, b), (), symbols, (), (), (kernel,), (Phase("pair", tiles, ix.const(1)),))


def check_pairs(plan: Plan, loaded: Loaded) -> None:
    """Runs :func:`pair_plan`, loaded, at sizes around its lanes."""
    for shape in ((3, 1), (9, 4), (17, 5)):
        x = np.random.default_rng(shape[0]).integers(-9, 9, shape)
        a, b = np.ones(len(x), np.int64), np.full(len(x), 2)
        for column in x.T:
            a, b = b, a + b + column
        outputs, _ = run(plan, loaded, {"x": x})
        for name, rows in (("a", a), ("b", b)):
            np.testing.assert_array_equal(outputs[name], np.where(np.arange(len(x)) < 2, 0, rows))


def doubling_plan(times: Index) -> Plan:
    """``y = x * 2**times`` through a scratch copy, ``times`` repeats, and the sum of the counters added."""
    x, s, y = Tensor("x", I64, (N,)), Tensor("s", I64, (N,)), Tensor("y", I64, (N,))
    n, t = Iter("i", "parallel", N), symbol("t")

    def pointwise(name: str, source: Buffer, target: Buffer, value: Expr) -> Kernel:
        block = Block(name, (n,), (t,), (), (Write(target.name, (i,)),), (value,))
        return Kernel(name, tuple(dict.fromkeys((source, target))), (), (Loop("t", N, "parallel", (block,)),))

    scratch = contiguous(s, "scratch")
    value = apply("add", apply("mul", read(s, i), literal(2, I64)), IndexValue(symbol("round")))
    kernels = (
        pointwise("load", operand(x), scratch, read(x, i)),
        pointwise("double", scratch, scratch, value),
        pointwise("save", scratch, contiguous(y), read(s, i)),
    )
    one = ix.const(1)
    steps = (Phase("load", N, one), Repeat("round", times, (Phase("double", N, one),)), Phase("save", N, one))
    return Plan("doubling", (x,), (y,), (), (("N", dim("x", 0)),), (), (s,), kernels, steps)


def expression(
    value: Expr, dtype: DType | None = None, inputs: tuple[Tensor, ...] = (), scalars: tuple[ScalarInput, ...] = ()
) -> Function:
    """A function whose output ``y`` of rank 0 is one expression."""
    y = Tensor("y", dtype or value.dtype, ())
    return Function("expression", inputs, scalars, (Compute((y,), (), (value,)),), ("y",))


def call(op: str, *args: Expr, dtype: DType | None = None) -> Expr:
    return apply(op, *args) if dtype is None else Apply(op, args, dtype)
