"""The pass set-order: the documented rule, on programs of every class."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hand_built import argmax, conv1d, matmul, softmax
from tensor_programs import axes, fold, read, tensor

from tilewright.ir.index import symbol
from tilewright.ir.scalar import Expr, Read, apply
from tilewright.ir.tensor import CHAIN, TREE_STRIDED, TREE_UNIT, Axis, Compute, Function, Order, Tensor
from tilewright.ir.types import F16, F32, I64
from tilewright.passes.tensor.form_fma import FormFma
from tilewright.passes.tensor.set_order import SetOrder

X = tensor("x", "N", "K")
ROW = axes(n="N")
OVER = axes(k="K")


def orders(f: Function, *units: int) -> list[tuple[Order, ...]]:
    """The orders of all reductions, before and after forming FMA."""
    operands = SetOrder(tuple((t.name, u) for t, u in zip(f.inputs, units, strict=True)))
    found = [[c.reduction.orders for c in g.body if c.reduction] for g in map(operands.run, (f, FormFma().run(f)))]
    assert found[0] == found[1]
    return found[0]


def summed(over: tuple[Axis, ...], along: tuple[Axis, ...], value: Expr, *inputs: Tensor) -> Function:
    return Function("f", inputs, (), (fold("y", "add", over, along, value, 0),), ("y",))


def product(left: Expr, right: Expr) -> Expr:
    return apply("mul", left, right)


@pytest.mark.parametrize("units", [(1, 1), (0, 0), (1, 0), (-1, -1)])
def test_a_contraction_is_a_chain_in_every_layout(units: tuple[int, int]) -> None:
    assert orders(matmul(), *units) == [(CHAIN,)]
    assert orders(matmul(F16), *units) == [(CHAIN,)]


def test_matrix_times_transposed_matrix_is_a_chain() -> None:
    w = tensor("w", "M", "K")
    f = summed(axes(n="N", m="M"), OVER, product(read(X, "n", "k"), read(w, "m", "k")), X, w)
    assert orders(f, 1, 1) == [(CHAIN,)]


def test_matrix_times_vector_follows_the_unit_axis() -> None:
    v = tensor("v", "K")
    f = summed(ROW, OVER, product(read(X, "n", "k"), read(v, "k")), X, v)
    assert orders(f, 1, 0) == [(TREE_UNIT,)]
    assert orders(f, 0, 0) == [(CHAIN,)]
    assert orders(f, 1, -1) == [(CHAIN,)]


def test_dot() -> None:
    x, y = tensor("x", "K"), tensor("y", "K")
    f = summed((), OVER, product(read(x, "k"), read(y, "k")), x, y)
    assert orders(f, 0, 0) == [(TREE_UNIT,)]
    assert orders(f, 0, -1) == [(CHAIN,)]


def test_product_of_reads_along_the_same_axes_is_no_contraction() -> None:
    y = tensor("y_", "N", "K")
    f = summed(ROW, OVER, product(read(X, "n", "k"), read(y, "n", "k")), X, y)
    assert orders(f, 1, 1) == [(TREE_UNIT,)]
    assert orders(f, 1, 0) == [(TREE_STRIDED,)]


def test_convolution_is_a_chain() -> None:
    x, w = tensor("x", "C", "H", "W"), tensor("w", "O", "C", "R", "S")
    image = read(x, "c", symbol("p") + symbol("r") - 1, symbol("q") + symbol("s") - 1, otherwise=0.0)
    f = summed(axes(o="O", p="H", q="W"), axes(c="C", r="R", s="S"), product(image, read(w, "o", "c", "r", "s")), x, w)
    assert orders(f, 2, 3) == [(CHAIN, CHAIN, CHAIN)]


def test_convolution_with_one_output_axis_follows_the_unit_rule() -> None:
    assert orders(conv1d(1, 0), 0, 0) == [(TREE_UNIT,)]
    assert orders(conv1d(2, 0), 0, -1) == [(CHAIN,)]


def test_rows_and_columns() -> None:
    assert orders(softmax(), 1) == [(TREE_UNIT,), (TREE_UNIT,)]
    # the intermediate is contiguous whatever the input is
    assert orders(softmax(), 0) == [(TREE_STRIDED,), (TREE_UNIT,)]
    column = summed(axes(k="K"), axes(n="N"), read(X, "n", "k"), X)
    assert orders(column, 1) == [(TREE_STRIDED,)]
    assert orders(column, 0) == [(TREE_UNIT,)]


def test_steps_of_more_than_one_element_are_not_unit() -> None:
    f = summed((), OVER, read(tensor("x", "K"), symbol("k") * 2), tensor("x", "K"))
    assert orders(f, 0) == [(TREE_STRIDED,)]


def test_an_axis_that_also_moves_elsewhere_is_not_unit() -> None:
    assert orders(summed((), OVER, read(X, "k", "k"), X), 1) == [(TREE_STRIDED,)]


def test_a_gather_along_the_axis_is_not_unit() -> None:
    x, idx = tensor("x", "N"), tensor("idx", "K", dtype=I64)
    f = summed((), OVER, read(x, Read("idx", (symbol("k"),), I64)), x, idx)
    assert orders(f, 0, 0) == [(TREE_STRIDED,)]


def test_lanes_are_of_the_last_axis() -> None:
    both = summed((), axes(n="N", k="K"), read(X, "n", "k"), X)
    assert orders(both, 1) == [(TREE_STRIDED, TREE_UNIT)]
    assert orders(both, 0) == [(TREE_STRIDED, TREE_STRIDED)]


def test_several_accumulators_and_reductions_over_nothing_read() -> None:
    assert orders(argmax(), 1) == [(TREE_UNIT,)]
    assert orders(argmax(), 0) == [(TREE_STRIDED,)]


def test_a_strict_fold_stays_a_chain() -> None:
    f = softmax()
    strict = tuple(replace(c, reduction=c.reduction and replace(c.reduction, others=(), merge=())) for c in f.computes)
    assert orders(replace(f, body=strict), 1) == [(CHAIN,), (CHAIN,)]


def test_integers_have_the_same_rule() -> None:
    x = tensor("x", "N", "K", dtype=I64)
    f = Function("f", (x,), (), (fold("y", "add", ROW, OVER, read(x, "n", "k"), 0, I64),), ("y",))
    assert orders(f, 1) == [(TREE_UNIT,)]


def test_the_rest_of_the_function_is_kept() -> None:
    f = softmax()
    g = SetOrder((("x", 1),)).run(f)
    assert [replace(c, reduction=None) for c in g.body] == [replace(c, reduction=None) for c in f.computes]
    assert isinstance(g.body[1], Compute) and g.body[1] == f.body[1]
    assert str(SetOrder((("x", 1),))) == "set-order{unit_axes=[[x, 1]]}"


def test_dtype_of_reads_does_not_matter() -> None:
    assert orders(softmax(F16), 1) == orders(softmax(F32), 1)
