"""Random kernels and plans: well formed as text, not always meaningful."""

from __future__ import annotations

from hypothesis import strategies as st

from tilewright.ir import index as ix
from tilewright.ir.index import Condition, Index
from tilewright.ir.loops import ITER_KINDS, LOOP_KINDS, SCOPES, Block, Buffer, Iter, Kernel, Loop, Write
from tilewright.ir.plan import Check, Phase, Plan, Repeat
from tilewright.ir.scalar import OPS, Apply, CheckedIndex, Const, Expr, IndexValue, Param, Read, apply, literal
from tilewright.ir.tensor import ScalarInput, Tensor
from tilewright.ir.types import ALL, BOOL, F16, F32, F64, FIELD, I8, I64, U64, DType

NAMES = ["i", "j", "N", "M", "k_o", "for", "init", "x'", "min", "block", "a.b", "index", "true", "inf", "at"]
SLOTS = ["dim(x,0)", "stride(x,1)", "offset(t)", "scratch", "tasks(0)"]

names = st.sampled_from(NAMES)
symbols = st.sampled_from(NAMES + SLOTS).map(ix.symbol)
constants = st.integers(-9, 70).map(ix.const)


def _combined(inner: st.SearchStrategy[Index]) -> st.SearchStrategy[Index]:
    dens = st.one_of(st.integers(2, 16).map(ix.const), symbols)
    return st.one_of(
        st.tuples(inner, inner).map(lambda p: p[0] + p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] - p[1]),
        st.tuples(inner, st.integers(-5, 9)).map(lambda p: p[0] * p[1]),
        st.tuples(inner, symbols).map(lambda p: p[0] * p[1]),
        st.tuples(inner, dens).map(lambda p: p[0] // p[1]),
        st.tuples(inner, dens).map(lambda p: p[0] % p[1]),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda p: ix.extremum(p[0], p[1:])),
        inner.filter(lambda i: i.constant is None).map(ix.pow2),
        inner.filter(lambda i: i.constant is None).map(ix.ctz),
    )


indices = st.recursive(st.one_of(symbols, constants), _combined, max_leaves=5)
conditions = st.builds(Condition, st.sampled_from(["ge", "eq"]), indices)

BUFFERS = {
    dtype: Buffer(name, dtype, (ix.symbol("N"),) * rank, (ix.const(dtype.bytes),) * rank, scope)
    for dtype, name, rank, scope in (
        (F32, "a", 2, "global"),
        (F64, "strides", 1, "scratch"),
        (I64, "idx", 1, "global"),
        (U64, "u", 0, "register"),
        (BOOL, "where", 1, "register"),
        (F16, "h", 3, "global"),
        (I8, "c8", 1, "global"),
        (FIELD, "z", 1, "global"),
    )
}
SCALARS = {d: ScalarInput(f"p_{d}", d) for d in ALL}
FLOATS = st.one_of(st.floats(allow_nan=True), st.sampled_from([0.0, -0.0, 1e-5, 1e22, float("inf"), float("nan")]))


def literals(dtype: DType) -> st.SearchStrategy[Const]:
    if dtype.kind == "bool":
        return st.booleans().map(lambda v: literal(v, dtype))
    low = 0 if dtype.kind == "uint" else -(2 ** (dtype.bits - 1))
    values = FLOATS if dtype.is_float else st.integers(low, 2 ** (dtype.bits - 1) - 1)
    return values.map(lambda v: literal(v, dtype))


@st.composite
def expressions(draw: st.DrawFn, dtype: DType, depth: int = 3) -> Expr:
    choices = ["literal", "param"] + ["read", "apply", "apply", "guarded", "convert"] * (depth > 0)
    kind = draw(st.sampled_from(choices + ["index"] * (dtype is I64)))
    if kind == "literal":
        return draw(literals(dtype))
    if kind == "param":
        return Param(SCALARS[dtype].name, dtype)
    if kind == "index":
        return IndexValue(draw(indices))
    if kind == "apply":
        return draw(applied(dtype, depth))
    if kind == "convert" or dtype not in BUFFERS:
        return Apply("cast", (draw(expressions(draw(st.sampled_from([F32, I64, BOOL, U64])), depth - 1)),), dtype)
    return draw(reading(dtype, depth, kind == "guarded"))


@st.composite
def applied(draw: st.DrawFn, dtype: DType, depth: int) -> Expr:
    fitting = [o for o, i in OPS.items() if i.operands in ("same", "shift", "bool") and dtype.kind in i.kinds]
    fitting = [o for o in fitting if OPS[o].result == ("bool" if dtype is BOOL else "operand")]
    if not fitting or draw(st.booleans()) and dtype is BOOL:
        other = draw(st.sampled_from([F32, I64]))
        return apply("lt", draw(expressions(other, depth - 1)), draw(expressions(other, depth - 1)))
    op = draw(st.sampled_from(fitting))
    first = draw(expressions(dtype, depth - 1))
    rest = [draw(st.one_of(st.just(first), expressions(dtype, depth - 1))) for _ in range(OPS[op].arity - 1)]
    return apply(op, first, *rest)


@st.composite
def places(draw: st.DrawFn, rank: int, depth: int) -> tuple[Index | CheckedIndex, ...]:
    found: list[Index | CheckedIndex] = []
    for _ in range(rank):
        if depth > 1 and draw(st.integers(0, 4)) == 0:
            value = draw(expressions(I64, depth - 2))
            found.append(CheckedIndex(value, draw(indices), draw(names), draw(indices)))
        else:
            found.append(draw(indices))
    return tuple(found)


@st.composite
def reading(draw: st.DrawFn, dtype: DType, depth: int, guarded: bool) -> Expr:
    buffer = BUFFERS[dtype]
    where = draw(places(len(buffer.shape), depth))
    if not guarded:
        return Read(buffer.name, where, dtype)
    guard = tuple(draw(st.lists(conditions, max_size=2)))
    return Read(buffer.name, where, dtype, guard, draw(expressions(dtype, depth - 1)))


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    count = draw(st.integers(0, 3))
    iters = tuple(Iter(draw(names), draw(st.sampled_from(ITER_KINDS)), draw(indices)) for _ in range(count))
    targets = draw(st.lists(st.sampled_from(list(BUFFERS)), min_size=1, max_size=2))
    writes = tuple(Write(BUFFERS[d].name, draw(places(len(BUFFERS[d].shape), 2))) for d in targets)
    return Block(
        draw(names),
        iters,
        tuple(draw(indices) for _ in iters),
        tuple(draw(st.lists(conditions, max_size=2))),
        writes,
        tuple(draw(expressions(d)) for d in targets),
        tuple(draw(expressions(d, 1)) for d in targets) if draw(st.booleans()) else (),
    )


loops_and_blocks = st.recursive(
    blocks(),
    lambda inner: st.builds(Loop, names, indices, st.sampled_from(LOOP_KINDS), st.lists(inner, max_size=2).map(tuple)),
    max_leaves=3,
)

kernels = st.builds(
    Kernel,
    names,
    st.just(tuple(BUFFERS.values())),
    st.just(tuple(SCALARS.values())),
    st.lists(loops_and_blocks, max_size=2).map(tuple),
)

shapes = st.lists(indices, max_size=2).map(tuple)
tensors = st.builds(Tensor, names, st.sampled_from(ALL), shapes)
steps = st.recursive(
    st.builds(Phase, names, indices, indices),
    lambda inner: st.builds(Repeat, names, indices, st.lists(inner, max_size=2).map(tuple)),
    max_leaves=4,
)
messages = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=20)

plans = st.builds(
    Plan,
    names,
    st.lists(tensors, max_size=2).map(tuple),
    st.lists(tensors, max_size=2).map(tuple),
    st.lists(st.sampled_from(list(SCALARS.values())), max_size=2).map(tuple),
    st.lists(st.tuples(names, indices), max_size=2).map(tuple),
    st.lists(st.builds(Check, conditions, messages), max_size=2).map(tuple),
    st.lists(tensors, max_size=1).map(tuple),
    st.lists(kernels, max_size=2).map(tuple),
    st.lists(steps, max_size=3).map(tuple),
)

assert SCOPES == ("global", "scratch", "register")
