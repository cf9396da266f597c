"""Vector-Jacobian products: against forward mode (exactly, in the field) and against finite differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from forward_mode import jvp
from tensor_programs import (
    axes,
    conv2d,
    cumsum,
    embedding,
    fold,
    matmul,
    pointwise,
    positions,
    read,
    relu,
    scale_shift,
    scattered,
    softmax,
    tensor,
    total,
)

from tilewright.compiler.function import FunctionOp
from tilewright.dsl.parse import parse
from tilewright.dsl.specialise import specialise
from tilewright.errors import CallError, UnsupportedError
from tilewright.ir import index as ix
from tilewright.ir.interpret import exact
from tilewright.ir.interpret.domains import EXACT, FLOAT64, TYPED
from tilewright.ir.interpret.tensor import run_function
from tilewright.ir.scalar import Expr, Param, Read, apply, convert, literal
from tilewright.ir.tensor import CHAIN, Compute, Function, Reduction, ScalarInput, Tensor
from tilewright.ir.text_tensor import print_function
from tilewright.ir.types import BF16, F32, F64, I32
from tilewright.passes.tensor.differentiate import Differentiate, differentiate

Arrays = dict[str, Any]


def one_op(result: Compute, *inputs: Tensor) -> Function:
    return Function("op", inputs, (), (result,), (result.results[0].name,))


def unary(value: Expr) -> Function:
    """y[i] = value, which reads x[i] and z[i]."""
    return one_op(pointwise("y", axes(i="N"), value), *OPERANDS)


OPERANDS = tensor("x", "N"), tensor("z", "N")
X, Z = read(OPERANDS[0], "i"), read(OPERANDS[1], "i")
X1, X2 = tensor("x", "N"), tensor("x", "N", "N")


def windowed(step: int, shift: Any, extent: Any, otherwise: float | None = None) -> Function:
    """y[i] = x[step*i + shift] ** 2."""
    value = read(X1, ix.symbol("i") * step + shift, otherwise=otherwise)
    return one_op(pointwise("y", axes(i=extent), apply("mul", value, value)), X1)


def strided_sum(stride: Any, guard: bool) -> Function:
    """y[i] = sum[j: 3] x[stride*i + j - 1] * w[j]: flattened windows."""
    w = tensor("w", 3)
    at = ix.symbol("i") * stride + ix.symbol("j") - (1 if guard else 0)
    value = apply("mul", read(X1, at, otherwise=0 if guard else None), read(w, "j"))
    return one_op(total("y", axes(i="M"), axes(j=3), value), X1, w, tensor("of", "M", "S"))


def reused() -> Function:
    """h = x * x; y = h + h * sum(h): a result that is read by several statements."""
    over, h, s = axes(i="N"), tensor("h", "N"), tensor("s")
    body = (
        pointwise("h", over, apply("mul", X, X)),
        total("s", (), over, read(h, "i")),
        pointwise("y", over, apply("add", read(h, "i"), apply("mul", read(h, "i"), read(s)))),
    )
    return Function("reused", (X1,), (), body, ("y", "h"))


def guarded_by_operand() -> Function:
    """y[i] = x[i - 1] else z[0]-like: a guard's other side that is read."""
    other = Read("z", (ix.symbol("i"),), F32)
    value = Read("x", (ix.symbol("i") - 1,), F32, (), other)
    return one_op(pointwise("y", axes(i="N"), apply("mul", value, value)), *OPERANDS)


def taken() -> Function:
    """y[i] = (x[idx[i]] else 0) * z[i]: a guarded data-dependent read."""
    idx = tensor("idx", "N", dtype=I32)
    at = Read("x", (read(idx, "i"),), F32, (), literal(0, F32))
    return one_op(pointwise("y", axes(i="N"), apply("mul", at, Z)), tensor("x", "V"), OPERANDS[1], idx)


def histogram() -> Function:
    """y[idx[i]] += x[i] * x[i]."""
    idx = tensor("idx", "N", dtype=I32)
    y = scattered(tensor("y", "V"), axes(i="N"), [read(idx, "i")], apply("mul", X, X))
    return one_op(y, X1, idx, tensor("of", "V"))


def pairs_over_the_border() -> Function:
    """y[i] = (x[i // 2 - 3] else 2) ** 2: positions that cannot be solved for i, far outside on both sides."""
    at = ix.floordiv(ix.symbol("i"), ix.const(2)) - 3
    value = read(X1, at, otherwise=2.0)
    return one_op(pointwise("y", axes(i=ix.symbol("N") + 20), apply("mul", value, value)), X1)


def steps(source: str) -> Function:
    """The function of an op of f32 whose statements are in steps."""
    return specialise(parse(source).ops[0])


RNN = """
op rnn(x: f32[K, N, M], w: f32[M, M], h0: f32[N, M]) -> h: f32[K, N, M], last: f32[N]:
    for t: K:
        g[t, n, j] = x[t, n, j] + sum[k]((h[t - 1, n, k] else h0[n, k]) * w[j, k])
        h[t, n, j] = g[t, n, j] * g[t, n, j] + x[t, n, j]
    last[n] = sum[j](h[K - 1, n, j])
"""
GATED = """
op gated(x: f32[N, K, D], u: f32[D, D]) -> h: f32[N, K, D]:
    c: f32[N, K, D]
    for t: K:
        g[n, t, j] = exp(sum[k]((h[n, t - 1, k] else 0) * u[j, k]))
        c[n, t, j] = g[n, t, j] * (c[n, t - 1, j] else x[n, t, j]) + (c[n, t - 2, j] else 3) / x[n, t, j]
        h[n, t, j] = g[n, t, j] * c[n, t, j]
"""
CHOLESKY = """
op triangle(a: f32[N, N]) -> l: f32[N, N]:
    for j: N:
        c[j, i] = a[i, j] - sum[k: N]((l[k, i] else 0) * (l[k, j] else 0))
        l[j, i] = where(i < j, 0, c[j, i] / c[j, j])
"""
SOLVE = """
op solve(u: f32[N, N], b: f32[N]) -> x: f32[N]:
    for i: N down:
        x[i] = (b[i] - sum[j](u[i, j] * (x[j] else b[j]))) / u[i, i]
"""
TABLE = """
op table(a: f32[N, K], b: f32[K]) -> d: f32[N, K]:
    for i: N, j: K:
        up[i, j] = (d[i - 1, j] else b[j]) * a[i, j]
        d[i, j] = up[i, j] + (d[i, j - 1] else 2) * (d[i - 1, j - 1] else b[j]) + (d[j, i] else b[j])
"""
NESTED = """
op nested(x: f32[K, N]) -> y: f32[K, N], s: f32[K]:
    for t: K:
        m[t] = sum[n](x[t, n]) * (s[t - 1] else 1)
        for n: N down:
            y[t, n] = x[t, n] * m[t] + (y[t, n + 1] else 2) * (y[t - 1, n] else x[t, n])
        s[t] = sum[n](y[t, n] * (y[t - 1, n] else 1))
"""
PIVOT = """
op pivot(a: f32[N, N], idx: i32[N]) -> r: f32[N, N]:
    p: f32[N, N, N]
    for k: N:
        q[k, i, j] = (p[k - 1, idx[i], j] else a[i, j]) * (p[k - 1, 0, j] else 1)
        p[k, i, j] = q[k, i, j] + (p[k - 1, i, k] else a[i, k]) * (p[k - 1, k, j] else a[k, j])
    r[i, j] = p[N - 1, i, j]
"""
LARGEST = """
op largest(x: f32[K, N]) -> y: f32[K, N]:
    for t: K:
        m[t] = max[n](x[t, n] * (y[t - 1, n] else 2))
        y[t, n] = m[t] * x[t, n]
"""

RECURRENCE = """
op recurrence(x: f32[N, K], z: f32[K]) -> y: f32[N, K]:
    y[n, k] = ((y[n - 1, k] else z[k]) + x[n, k] * (y[n - 2, k] else 3)) * x[n, k]
"""
POWERS = """
op powers(x: f32[N, K]) -> y: f32[N, K]:
    y[n, k] = (y[n, k - 1] else 1) * x[n, k] * x[n, k]
"""
LOGS = """
op logs(x: f32[N, K]) -> y: f32[N, K]:
    (m, s)[n, k] = scan[k @ 256](
        m: f32 = -inf, s: f32 = 0 <- x[n, k], 1;
        (o, t) -> max(m, o), where(m == o, s + t, where(m > o, s + t * exp(o - m), s * exp(m - o) + t)))
    y[n, k] = m[n, k] + log(s[n, k])
"""
LEAST = """
op least(x: f32[N, K], z: f32[K]) -> y: f32[N, K]:
    y[n, k] = min((y[n, k - 1] else inf), x[n, k] * z[k])
"""
MAPS = """
op maps(x: f32[N, K], z: f32[N, K]) -> b: f32[N, K], d: f32[K]:
    (a, b)[n, k] = scan[n @ 256](a: f32 = 1, b: f32 = 0 <- x[n, k], z[n, k]; (c, d) -> a * c, b * c + d)
    for k: K:
        e[k, n] = scan[n @ 256](p: f32 = 1 <- b[n, k] + (d[k - 1] else 2); (q) -> p * q)
        d[k] = sum[n](e[k, n] * x[n, k])
"""

SIZES = {"M": 4, "K": 3, "N": 5, "V": 6, "D": 2, "R": 3, "C": 4, "O": 2, "H": 6, "W": 5, "S": 3}

CASES: dict[str, tuple[Function, tuple[str, ...]]] = {
    "matmul": (matmul(), ("a", "b")),
    "embedding": (embedding(), ("w",)),
    "softmax": (softmax(), ("x",)),
    "conv2d": (conv2d(), ("x", "w", "b")),
    "conv2d strided": (conv2d(2, 1), ("x", "w", "b")),
    "conv2d without border": (conv2d(3, 0), ("x", "w", "b")),
    "cumsum": (cumsum(), ("x",)),
    "scale and shift": (scale_shift(), ("x", "w", "b")),
    "relu": (relu(), ("x",)),
    "shifted": (windowed(1, 2, ix.symbol("N") - 2), ("x",)),
    "shifted over the border": (windowed(1, -2, ix.symbol("N") + 3, 7.0), ("x",)),
    "pairs over the border": (pairs_over_the_border(), ("x",)),
    "every second": (windowed(2, 1, 2), ("x",)),
    "reversed": (windowed(-1, ix.symbol("N") - 1, "N"), ("x",)),
    "reversed over the border": (windowed(-1, 2, "N", 1.0), ("x",)),
    "every second, reversed": (windowed(-2, ix.symbol("N") - 1, 2, 3.0), ("x",)),
    "first rows only": (windowed(1, 0, 3), ("x",)),
    "windows": (strided_sum(2, True), ("x", "w")),
    "windows of a run-time stride": (strided_sum(ix.symbol("S"), True), ("x", "w")),
    "diagonal": (one_op(pointwise("y", axes(i="N"), apply("mul", read(X2, "i", "i"), Z)), X2, OPERANDS[1]), ("x", "z")),
    "one element": (one_op(pointwise("y", axes(i="N"), apply("mul", read(X1, 0), positions("i"))), X1), ("x",)),
    "transposed": (one_op(pointwise("y", axes(i="N", j="N"), read(X2, "j", "i")), X2), ("x",)),
    "trace of products": (
        one_op(total("y", (), axes(i="N", j="N"), apply("mul", read(X2, "i", "j"), read(X2, "j", "i"))), X2),
        ("x",),
    ),
    "reused": (reused(), ("x",)),
    "other side of a guard": (guarded_by_operand(), ("x", "z")),
    "guarded gather": (taken(), ("x", "z")),
    "scatter": (histogram(), ("x",)),
    "maximum of two": (unary(apply("max", X, apply("mul", Z, Z))), ("x", "z")),
    "minimum of two": (unary(apply("min", X, Z)), ("x", "z")),
    "where": (unary(apply("where", apply("lt", X, Z), apply("mul", X, X), Z)), ("x", "z")),
    "quotient": (unary(apply("div", apply("sub", X, Z), apply("fma", X, Z, Z))), ("x", "z")),
    "negated": (unary(apply("neg", apply("mul", X, apply("sub", Z, X)))), ("x", "z")),
    "minimum": (one_op(fold("y", "min", (), axes(i="N"), apply("mul", X, Z), float("inf")), *OPERANDS), ("x", "z")),
    "steps of a matrix": (steps(RNN), ("x", "w", "h0")),
    "steps of two states": (steps(GATED), ("x", "u")),
    "steps of a triangle": (steps(CHOLESKY), ("a",)),
    "steps down": (steps(SOLVE), ("u", "b")),
    "steps along two axes": (steps(TABLE), ("a", "b")),
    "steps in steps": (steps(NESTED), ("x",)),
    "steps that read a row and a column": (steps(PIVOT), ("a",)),
    "steps with a maximum": (steps(LARGEST), ("x",)),
    "recurrence": (steps(RECURRENCE), ("x", "z")),
    "running product": (steps(POWERS), ("x",)),
    "scans, of two and in steps": (steps(MAPS), ("x", "z")),
    "running minimum": (steps(LEAST), ("x", "z")),
    "difference": (
        one_op(
            Compute(
                (tensor("y"),),
                (),
                (apply("sub", total("y", (), axes(i="N"), X).values[0].args[0], X),),
                total("y", (), axes(i="N"), X).reduction,
            ),
            X1,
        ),
        ("x",),
    ),
}


def shape(t: Tensor) -> tuple[int, ...]:
    found = []
    for extent in t.shape:
        size = ix.substitute(extent, {n: ix.const(s) for n, s in SIZES.items()}).constant
        assert size is not None
        found.append(size)
    return tuple(found)


def operand(t: Tensor, rng: np.random.Generator) -> Any:
    if t.dtype.is_integer:
        return rng.integers(0, SIZES["V"], shape(t)).astype(t.dtype.name.replace("i", "int"))
    return rng.integers(1, 1 << 30, shape(t)).astype(np.float64)


def dot(a: Arrays, b: Arrays) -> int:
    sum_of = exact.literal(0)
    for name in a:
        for x, y in zip(a[name].ravel().tolist(), b[name].ravel().tolist(), strict=True):
            sum_of = exact.add(sum_of, exact.mul(x, y))
    return exact.low(sum_of)


def field(values: Arrays) -> Arrays:
    convert = np.vectorize(lambda v: exact.literal(float(v)), otypes=[np.uint64])
    return {name: convert(v) if np.size(v) else v.astype(np.uint64) for name, v in values.items()}


def only(f: Function, arrays: Mapping[str, Any]) -> Arrays:
    return {t.name: arrays[t.name] for t in f.inputs}


def forward_and_back(f: Function, wrt: Sequence[str], inputs: Arrays, rng: np.random.Generator) -> tuple[int, int]:
    """<d_y, J dx> and <J^T d_y, dx> for random d_y and dx."""
    tensors = f.tensors()
    dots = {f"{t.name}_dot": operand(t, rng) if t.name in wrt else np.zeros(shape(t)) for t in f.inputs}
    d_y = {f"d_{o}": operand(tensors[o], rng) for o in f.outputs}
    forward = run_function(jvp(f), only(jvp(f), {**inputs, **dots}), {}, EXACT)
    vjp = differentiate(f, wrt)
    backward = run_function(vjp, only(vjp, {**inputs, **d_y}), {}, EXACT)
    left = dot(field({o: d_y[f"d_{o}"] for o in f.outputs}), {o: forward[f"{o}_dot"] for o in f.outputs})
    return left, dot(field({w: dots[f"{w}_dot"] for w in wrt}), {w: backward[f"d_{w}"] for w in wrt})


@pytest.mark.parametrize("name", CASES)
def test_the_adjoint_identity_holds_exactly(name: str) -> None:
    f, wrt = CASES[name]
    rng = np.random.default_rng(list(CASES).index(name))
    for _ in range(2):
        left, right = forward_and_back(f, wrt, {t.name: operand(t, rng) for t in f.inputs}, rng)
        assert left == right
        assert left not in (0, exact.low(exact.POISON))


def test_the_identity_is_not_vacuous() -> None:
    """A gradient that is wrong in one term is seen."""
    f = unary(apply("add", apply("mul", X, X), apply("mul", X, Z)))
    wrong = unary(apply("add", apply("mul", X, X), apply("mul", X, X)))
    rng = np.random.default_rng(0)
    inputs = {t.name: operand(t, rng) for t in f.inputs}
    d_y = {"d_y": operand(f.tensor("y"), rng)}
    (right,) = run_function(differentiate(f, ("x",)), {**inputs, **d_y}, {}, EXACT).values()
    vjp = differentiate(wrong, ("x",))
    (other,) = run_function(vjp, only(vjp, {**inputs, **d_y}), {}, EXACT).values()
    assert (right != other).any()


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_source(name: str) -> None:
    """Each prints as an op that the language checks (its reads are proved in bounds) and reads back as the same."""
    vjp = differentiate(*CASES[name])
    (op,) = parse(print_function(vjp), name).ops
    assert specialise(op) == vjp


MATMUL = """\
op matmul_vjp(a: f32[M, K], b: f32[K, N], d_c: f32[M, N]) -> d_a: f32[M, K], d_b: f32[K, N]:
    d_a[i: M, k: K] = fold[j: N](acc: f32 = 0.0 -> acc + d_c[i, j] * b[k, j]; (other) -> acc + other)
    d_b[k: K, j: N] = fold[i: M](acc: f32 = 0.0 -> acc + d_c[i, j] * a[i, k]; (other) -> acc + other)
"""
EMBEDDING = """\
op embedding_vjp(w: f32[V, D], idx: i64[N], d_y: f32[N, D]) -> d_w: f32[V, D]:
    d_w[idx[n], d] += d_y[n, d] for n: N, d: D
"""
CONV2D = """\
op conv2d_vjp(x: f32[N, C, H, W], w: f32[O, C, R, S], d_y: f32[N, O, H - R + 3, -S + W + 3]) -> d_x: f32[N, C, H, W]:
    d_x[n: N, c: C, i2: H, i3: W] = fold[o: O, r: R, s: S](acc: f32 = 0.0 -> acc + \
(d_y[n, o, i2 - r + 1, i3 - s + 1] else 0.0) * w[o, c, r, s]; (other) -> acc + other)
"""


@pytest.mark.parametrize(
    ("f", "wrt", "text"), [(matmul(), "ab", MATMUL), (embedding(), "w", EMBEDDING), (conv2d(), "x", CONV2D)]
)
def test_the_text_of_gradients(f: Function, wrt: str, text: str) -> None:
    assert print_function(differentiate(f, tuple(wrt))) == text


def test_gradients_compile_and_run() -> None:
    rng = np.random.default_rng(5)
    a, b, d_c = (rng.normal(size=s).astype(np.float32) for s in ((17, 33), (33, 9), (17, 9)))
    d_a, d_b = FunctionOp(differentiate(matmul(), ("a", "b")))(a, b, d_c)
    np.testing.assert_allclose(d_a, d_c @ b.T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(d_b, a.T @ d_c, rtol=1e-4, atol=1e-5)
    w, idx, d_y = np.zeros((6, 3), np.float32), np.array([4, 0, 4, 5]), rng.normal(size=(4, 3)).astype(np.float32)
    expected = np.zeros_like(w)
    np.add.at(expected, idx, d_y)
    np.testing.assert_array_equal(FunctionOp(differentiate(embedding(), ("w",)))(w, idx, d_y), expected)


SMOOTH: dict[str, tuple[Function, tuple[str, ...]]] = {
    **{name: CASES[name] for name in ("softmax", "conv2d", "cumsum", "quotient", "maximum of two")},
    "logarithm": (unary(apply("log", apply("add", apply("mul", X, X), literal(1, F32)))), ("x",)),
    "root": (unary(apply("sqrt", apply("add", apply("abs", X), literal(2, F32)))), ("x",)),
    **{name: CASES[name] for name in ("recurrence", "running product", "running minimum")},
    "logarithms of running sums": (steps(LOGS), ("x",)),
    "exponential": (unary(apply("mul", Z, apply("exp", X))), ("x", "z")),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_finite_differences_in_float64(name: str) -> None:
    f, wrt = SMOOTH[name]
    rng = np.random.default_rng(3)
    inputs = {t.name: rng.uniform(-1, 1, shape(t)) for t in f.inputs}
    d_y = rng.uniform(-1, 1, shape(f.tensor("y")))
    vjp = differentiate(f, wrt)
    found = run_function(vjp, only(vjp, {**inputs, "d_y": d_y}), {}, FLOAT64)

    def weighted(name: str, moved: Any) -> float:
        return float((run_function(f, {**inputs, name: moved}, {}, FLOAT64)["y"] * d_y).sum())

    for w in wrt:
        step = rng.uniform(-1, 1, inputs[w].shape)
        slope = (weighted(w, inputs[w] + 1e-6 * step) - weighted(w, inputs[w] - 1e-6 * step)) / 2e-6
        assert slope == pytest.approx(float((found[f"d_{w}"] * step).sum()), rel=1e-6, abs=1e-7)


def gradient(f: Function, inputs: Arrays, d_y: Any) -> list[float]:
    vjp = differentiate(f, ("x",))
    values: list[float] = run_function(vjp, only(vjp, {**inputs, "d_y": d_y}), {}, FLOAT64)["d_x"].tolist()
    return values


def test_ties_of_a_maximum_share_evenly() -> None:
    f = one_op(fold("y", "max", (), axes(i="N"), X, -float("inf")), X1)
    assert gradient(f, {"x": np.array([3.0, 1.0, 3.0, 3.0, 2.0])}, np.array(6.0)) == [2.0, 0.0, 2.0, 2.0, 0.0]


def test_ties_of_two_values_split_in_half() -> None:
    f = unary(apply("max", X, Z))
    x, z = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])
    assert gradient(f, {"x": x, "z": z}, np.array([5.0, 6.0, 7.0])) == [0.0, 3.0, 7.0]


def test_an_unselected_branch_sends_nothing_back() -> None:
    f = unary(apply("where", apply("gt", X, literal(0, F32)), apply("log", X), literal(0, F32)))
    x = np.array([0.0, 2.0, -1.0])
    assert gradient(f, {"x": x, "z": x}, np.ones(3)) == [0.0, 0.5, 0.0]


def test_positions_that_were_not_read_get_zero_whatever_else_is_there() -> None:
    """y[i] = log(z[i]) * x[i + 2]: at position 0 of x, z[-2] would be 0 and its log infinite."""
    value = apply("mul", apply("log", Z), read(X1, ix.symbol("i") + 2))
    f = one_op(pointwise("y", axes(i=ix.symbol("N") - 2), value), *OPERANDS)
    found = gradient(f, {"x": np.ones(5), "z": np.exp(np.arange(1.0, 6.0))}, np.ones(3))
    assert found == pytest.approx([0.0, 0.0, 1.0, 2.0, 3.0])


def test_storage_types_are_rounded_once_at_the_end() -> None:
    f = matmul(BF16)
    vjp = differentiate(f, ("a",))
    assert [t.name for t in vjp.inputs] == ["b", "d_c"]
    assert vjp.tensor("d_a").dtype is BF16
    inputs = {"b": np.full((3, 4), 1.0, np.float32), "d_c": np.full((2, 4), 1.0, np.float32)}
    inputs["b"][0] = [1.0, 2.0**-9, 2.0**-9, 0.0]
    bits = {name: (a.view(np.uint32) >> 16).astype(np.uint16) for name, a in inputs.items()}
    found = (run_function(vjp, bits, {}, TYPED)["d_a"].astype(np.uint32) << 16).view(np.float32)
    assert found.tolist() == [[1.0, 4.0, 4.0]] * 2


def test_casts_between_floats_pass_cotangents_on() -> None:
    x = tensor("x", "N", dtype=F64)
    narrow = convert("cast", read(x, "i"), F32)
    f = one_op(pointwise("y", axes(i="N"), apply("mul", narrow, narrow)), x)
    vjp = differentiate(f, ("x",))
    found = run_function(vjp, {"x": np.array([3.0, -0.5]), "d_y": np.array([1.0, 4.0], np.float32)}, {}, TYPED)
    assert found["d_x"].dtype == np.float64
    assert found["d_x"].tolist() == [6.0, -4.0]


def test_only_what_is_needed_is_an_operand() -> None:
    scale = Function(
        "scale",
        (X1,),
        (ScalarInput("s", F32), ScalarInput("t", F32)),
        (pointwise("y", axes(i="N"), apply("add", apply("mul", X, Param("s", F32)), Param("t", F32))),),
        ("y",),
    )
    vjp = differentiate(scale, ("x",))
    assert ([t.name for t in vjp.inputs], [s.name for s in vjp.scalars]) == (["d_y"], ["s"])
    assert [t.name for t in differentiate(embedding(), ("w",)).inputs] == ["w", "idx", "d_y"]


def test_an_input_that_no_output_depends_on_gets_zeros() -> None:
    f = one_op(pointwise("y", axes(i="N"), apply("mul", X, X)), X1, tensor("z", "M", "N"))
    vjp = differentiate(f, ("z",))
    found = run_function(vjp, {t.name: np.ones((2, 3)[-len(t.shape) :]) for t in vjp.inputs}, {}, FLOAT64)
    assert found["d_z"].tolist() == [[0.0] * 3] * 2


def test_a_gradient_can_be_differentiated_again() -> None:
    """Of y = x**3 with d_y = 1: the vector-Jacobian product of 3 x**2 is 6 x."""
    once = differentiate(unary(apply("mul", X, apply("mul", X, X))), ("x",))
    twice = differentiate(once, ("x",))
    assert [t.name for t in twice.inputs] == ["x", "d_y", "d_d_x"]
    assert twice.outputs == ("d_x",)
    found = run_function(twice, {"x": np.array([1.0, 2.0]), "d_y": np.ones(2), "d_d_x": np.ones(2)}, {}, FLOAT64)
    assert found["d_x"].tolist() == [6.0, 12.0]


def test_names_that_are_taken() -> None:
    x, d_x = tensor("x", "N"), tensor("d_x", "N")
    body = (
        pointwise("d_y", axes(acc="N"), apply("mul", read(x, "acc"), read(d_x, "acc"))),
        total("y", (), axes(i="N"), apply("mul", read(tensor("d_y", "N"), "i"), read(tensor("d_y", "N"), "i"))),
    )
    vjp = differentiate(Function("op", (x, d_x), (), body, ("y",)), ("x", "d_x"))
    assert vjp.outputs == ("d_x_2", "d_d_x")
    found = run_function(vjp, {"x": np.array([2.0]), "d_x": np.array([3.0]), "d_y": np.array(1.0)}, {}, FLOAT64)
    assert [v.tolist() for v in found.values()] == [[36.0], [24.0]]


def strict_fold() -> Function:
    c = fold("y", "mul", (), axes(i="N"), X, 1)
    assert c.reduction
    acc = c.reduction.accs[0]
    how = Reduction(c.reduction.axes, (CHAIN,), (acc,), c.reduction.init)
    return one_op(Compute(c.results, (), (apply("mul", apply("add", acc, X), X),), how), X1)


NO_SUM = "what it folds with is neither a sum nor a maximum or minimum"


@pytest.mark.parametrize(
    ("f", "reason"),
    [
        (strict_fold(), NO_SUM),
        (one_op(fold("y", "mul", (), axes(i="N"), X, 1), X1), NO_SUM),
    ],
)
def test_what_cannot_be_differentiated_is_named(f: Function, reason: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        differentiate(f, ("x",))
    assert caught.value.message == f"cannot differentiate 'y': {reason}"


def test_only_float_inputs() -> None:
    with pytest.raises(CallError, match="embedding has no float input 'idx' to differentiate"):
        Differentiate(("idx",)).run(embedding())


def test_the_pass_prints_its_options() -> None:
    assert str(Differentiate(("a", "b"))) == "differentiate{wrt=[a, b]}"
