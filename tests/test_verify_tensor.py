"""Each rule of tensor IR refuses what breaks it; what the front end makes keeps them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from tilewright.dsl.parse import parse
from tilewright.dsl.specialise import specialise
from tilewright.errors import VerifyError
from tilewright.ir.index import Index, const, ge, symbol
from tilewright.ir.scalar import Apply, CheckedIndex, Const, Expr, IndexValue, Param, Read, Var, apply, literal
from tilewright.ir.statements import map_computes
from tilewright.ir.tensor import Axis, Compute, Function, Order, Reduction, Scan, Scatter, Sort, Tensor
from tilewright.ir.types import BOOL, F16, F32, F64, I32, I64
from tilewright.ir.verify_tensor import verify
from tilewright.testing.programs import functions

TEXT = """\
op f(x: f32[N, M], h: f16[N], idx: i32[N], *, p: scalar f32) -> y: f32[N], c: f32[N], t: f32[M], g: f32[N], at: i64[N]:
    y[i: N] = fold[k: M](acc: f32 = 0.0 -> acc + x[i, k] * p; (other) -> acc + other)
    c[i: N] = scan[i @ 4](acc: f32 = 0.0 -> acc + f32(h[i]); (other) -> acc + other)
    t[idx[i]] += y[i] for i: N
    g[i: N] = (g[i - 1] else 1.0) * 2.0 + c[i]
    at[i: N] = argsort[i](idx[i])
"""
SUM, SCAN, SCATTER, CHAIN, SORT = range(5)
ROW, COL, N, M = map(symbol, ("i", "k", "N", "M"))
ONE = literal(1, F32)
ACC = Var("acc", F32)
X = Read("x", (ROW, COL), F32)


def good() -> Function:
    return specialise(parse(TEXT).ops[0])


def changed(which: int, change: Callable[[Compute], Compute]) -> Function:
    f = good()
    body = list(f.body)
    body[which : which + 1] = map_computes(body[which : which + 1], change)
    return replace(f, body=tuple(body))


def valued(which: int, value: Expr) -> Function:
    return changed(which, lambda c: replace(c, values=(value,)))


def reduced(**changes: object) -> Function:
    def change(c: Compute) -> Compute:
        assert isinstance(c.reduction, Reduction)
        return replace(c, reduction=replace(c.reduction, **changes))  # type: ignore[arg-type]

    return changed(SUM, change)


def scanned(**changes: object) -> Function:
    def change(c: Compute) -> Compute:
        assert isinstance(c.scan, Scan)
        return replace(c, scan=replace(c.scan, **changes))  # type: ignore[arg-type]

    return changed(SCAN, change)


def scattered(**changes: object) -> Function:
    def change(c: Compute) -> Compute:
        assert isinstance(c.scatter, Scatter)
        return replace(c, scatter=replace(c.scatter, **changes))  # type: ignore[arg-type]

    return changed(SCATTER, change)


def own(index: Index) -> Function:
    return valued(CHAIN, Read("g", (index,), F32))


def added(value: Expr) -> Function:
    return valued(SUM, apply("add", ACC, value))


def two_results(c: Compute) -> Compute:
    return replace(c, results=(*c.results, replace(c.results[0], name="g2")), values=c.values * 2)


BROKEN: list[tuple[str, str, Function]] = [
    ("names", "a result twice", replace(good(), body=good().body + good().body[:1])),
    ("names", "no identifier", replace(good(), inputs=(*good().inputs, Tensor("a b", F32, ())))),
    ("names", "a dim and a scalar", replace(good(), inputs=(*good().inputs, Tensor("a", F32, (symbol("p"),))))),
    ("dims", "a dim nobody has", replace(good(), inputs=(*good().inputs, Tensor("a", F32, (symbol("Q") + 1,))))),
    ("outputs", "unknown", replace(good(), outputs=("z",))),
    ("outputs", "an input", replace(good(), outputs=("x",))),
    ("outputs", "twice", replace(good(), outputs=("y", "y"))),
    ("preconditions", "on an axis", replace(good(), preconditions=(ge(ROW, 0),))),
    ("axes", "twice", reduced(axes=(Axis("i", M),))),
    ("axes", "named as a dim", reduced(axes=(Axis("M", M),))),
    ("axes", "extent of no dim", reduced(axes=(Axis("k", symbol("Q")),))),
    ("results", "another shape", changed(SUM, lambda c: replace(c, axes=(Axis("i", M),)))),
    ("results", "two without a fold", changed(CHAIN, two_results)),
    ("results", "more values", changed(SUM, lambda c: replace(c, values=c.values * 2))),
    ("results", "two kinds", changed(SCAN, lambda c: replace(c, reduction=good().body[SUM].reduction))),
    ("dtypes", "stored", valued(CHAIN, literal(1, F64))),
    ("dtypes", "mixed", added(Apply("mul", (ONE, literal(1, F64)), F32))),
    ("dtypes", "result", added(Apply("mul", (literal(1, F64), literal(1, F64)), F32))),
    ("dtypes", "kind", added(Apply("cast", (Apply("div", (literal(1, I64), literal(1, I64)), I64),), F32))),
    ("dtypes", "cast to the same", added(Apply("cast", (X,), F32))),
    ("dtypes", "select by a number", added(Apply("where", (ONE, ONE, ONE), F32))),
    ("dtypes", "bitcast of another width", added(Apply("bitcast", (literal(1, F64),), F32))),
    ("dtypes", "initial value", reduced(init=(literal(0, F64),))),
    ("dtypes", "merge", reduced(merge=(literal(0, F64),))),
    ("storage", "arithmetic", added(Apply("cast", (Apply("neg", (Read("h", (ROW,), F16),), F16),), F32))),
    ("storage", "widened too far", added(Apply("cast", (Apply("cast", (Read("h", (ROW,), F16),), F64),), F32))),
    ("storage", "literal", added(Apply("cast", (Const(1.0, F16),), F32))),
    ("scope", "unknown tensor", added(Read("z", (ROW,), F32))),
    ("scope", "a later tensor", added(Read("c", (ROW,), F32))),
    ("scope", "unknown axis", added(Read("x", (ROW, symbol("j")), F32))),
    ("scope", "unknown symbol as a value", added(Apply("cast", (IndexValue(symbol("j")),), F32))),
    ("scope", "unknown scalar", added(Param("q", F32))),
    ("scope", "scalar of another dtype", added(Apply("cast", (Param("p", F64),), F32))),
    ("scope", "unbound variable", added(Var("other", F32))),
    ("scope", "checked index", added(Apply("cast", (CheckedIndex(literal(1, I64), N, "x", ROW),), F32))),
    ("reads", "rank", added(Read("x", (ROW,), F32))),
    ("reads", "dtype", added(Apply("cast", (Read("x", (ROW, COL), F64),), F32))),
    ("reads", "guard", added(Read("x", (ROW, COL), F32, (ge(ROW, 1),), ONE))),
    ("reads", "other dtype", added(Read("x", (ROW, COL), F32, (), literal(1, F64)))),
    ("indices", "float", added(Read("x", (ROW, ONE), F32))),
    ("indices", "affine expression", added(Read("x", (ROW, apply("add", IndexValue(COL), literal(1, I64))), F32))),
    ("reduction", "no axes", reduced(axes=(), orders=())),
    ("reduction", "an order per axis", reduced(orders=())),
    ("reduction", "lanes", reduced(orders=(Order(8, 3),))),
    ("reduction", "lanes of a chain", reduced(orders=(Order(0, 2),))),
    ("reduction", "accumulators", reduced(accs=(ACC, ACC))),
    ("reduction", "initial values", reduced(init=())),
    ("reduction", "initial value", reduced(init=(Param("p", F32),))),
    ("reduction", "one name", reduced(others=(ACC,))),
    ("reduction", "left fold in a tree", reduced(others=(), merge=(), orders=(Order(8, 1),))),
    ("reduction", "others without merge", reduced(merge=())),
    ("reduction", "merge reads", reduced(merge=(Read("x", (const(0), const(0)), F32),))),
    ("scan", "axis", scanned(axis="k")),
    ("scan", "chunk", scanned(chunk=0)),
    ("steps", "forward", own(ROW + 1)),
    ("steps", "here", own(ROW)),
    ("steps", "by a dim", own(ROW + N)),
    ("scope", "itself, in no steps", replace(good(), body=good().computes)),
    ("scope", "itself, in a reduction", added(Read("y", (ROW - 1,), F32, (), ONE))),
    ("scatter", "combine", scattered(combine="max")),
    ("scatter", "rank", scattered(indices=(ROW, ROW))),
    ("scatter", "start", scattered(init=ONE)),
    ("sort", "axis", changed(SORT, lambda c: replace(c, sort=Sort("k")))),
    ("sort", "by nothing", changed(SORT, lambda c: replace(c, values=()))),
    ("sort", "by a bool", valued(SORT, literal(True, BOOL))),
    ("sort", "by a float", valued(SORT, ONE)),
    ("sort", "of places in i32", changed(SORT, lambda c: replace(c, results=(replace(c.results[0], dtype=I32),)))),
    ("results", "a sort and a scan", changed(SORT, lambda c: replace(c, scan=good().body[SCAN].scan))),
    ("scope", "itself, in a sort", valued(SORT, Read("at", (ROW - 1,), I64, (), literal(0, I64)))),
    ("scope", "in a scatter's index", scattered(indices=(symbol("j"),))),
    ("indices", "a scatter's float index", scattered(indices=(Read("y", (ROW,), F32),))),
]


def test_a_good_function_is_accepted() -> None:
    verify(good())


@pytest.mark.parametrize(("rule", "what", "f"), BROKEN, ids=[f"{r}: {w}" for r, w, _ in BROKEN])
def test_broken_rules(rule: str, what: str, f: Function) -> None:
    with pytest.raises(VerifyError) as caught:
        verify(f)
    assert caught.value.rule == rule


def test_errors_say_which_statement() -> None:
    with pytest.raises(VerifyError, match=r"<string>:2:5: internal error: \[reads\] y: x has 2 axes"):
        verify(added(Read("x", (ROW,), F32)))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(functions())
def test_random_programs_keep_the_rules(f: Function) -> None:
    verify(f)


def test_selects_of_bools_and_masks_are_fine() -> None:
    where = Apply("where", (Const(True, BOOL), ONE, X), F32)
    verify(added(where))
    verify(added(Apply("cast", (Apply("cast", (Read("idx", (ROW,), I32),), I64),), F32)))
