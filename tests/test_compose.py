"""Composing functions, as a tracer does: names, dims and what is checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tensor_programs import axes, conv2d, fold, matmul, pointwise, read, relu, scale_shift, softmax, tensor

import tilewright as tw
from tilewright.errors import CallError, CallTypeError
from tilewright.ir import index as ix
from tilewright.ir.interpret.domains import FLOAT64
from tilewright.ir.interpret.tensor import run_function
from tilewright.ir.scalar import Const, Param, apply, literal
from tilewright.ir.tensor import Function, ScalarInput, Tensor
from tilewright.ir.types import BF16, F32
from tilewright.passes.tensor.compose import Call, compose


def scale() -> Function:
    """y = x * s."""
    x = tensor("x", "N")
    value = apply("mul", read(x, "i"), Param("s", F32))
    return Function("scale", (x,), (ScalarInput("s", F32),), (pointwise("y", axes(i="N"), value),), ("y",))


def shapes(f: Function) -> dict[str, str]:
    return {t.name: ", ".join(map(str, t.shape)) for t in f.tensors().values()}


def test_two_products_in_a_row() -> None:
    inputs = [tensor("p", "A", "B"), tensor("q", "B", "C"), tensor("r", "C", "D")]
    calls = [Call(matmul(), {"a": "p", "b": "q"}, ["t"]), Call(matmul(), {"a": "t", "b": "r"}, ["u"])]
    f = compose("chain", inputs, calls, ["u"])
    assert shapes(f) == {"p": "A, B", "q": "B, C", "r": "C, D", "t": "A, C", "u": "A, D"}
    rng = np.random.default_rng(0)
    p, q, r = rng.normal(size=(2, 3)), rng.normal(size=(3, 4)), rng.normal(size=(4, 5))
    found = run_function(f, {"p": p, "q": q, "r": r}, {}, FLOAT64)
    assert list(found) == ["u"]
    np.testing.assert_allclose(found["u"], p @ q @ r)


def test_intermediates_and_axes_do_not_meet() -> None:
    """Softmax twice: its m, e and s exist twice; a caller's dim may be called as a callee's axis."""
    f = compose(
        "twice",
        [tensor("m", "r", "c")],
        [Call(softmax(), {"x": "m"}, ["e"]), Call(softmax(), {"x": "e"}, ["y"])],
        ["y", "e"],
    )
    assert [r.name for c in f.computes for r in c.results] == ["m_2", "e_2", "s", "e", "m_3", "e_3", "s_2", "y"]
    assert {a.name for c in f.computes for a in c.axes} == {"r_2", "c_2"}
    x = np.random.default_rng(1).normal(size=(2, 3))
    found = run_function(f, {"m": x}, {}, FLOAT64)

    def oracle(v: np.ndarray) -> np.ndarray:
        e = np.exp(v - v.max(1, keepdims=True))
        return np.asarray(e / e.sum(1, keepdims=True))

    np.testing.assert_allclose(found["e"], oracle(x))
    np.testing.assert_allclose(found["y"], oracle(oracle(x)))


def test_equal_dims_become_one_symbol_everywhere() -> None:
    inputs = [tensor("p", "A", "B"), tensor("q", "C", "D"), tensor("v", "E", "F")]
    calls = [Call(matmul(), {"a": "p", "b": "q"}, ["t"]), Call(matmul(), {"a": "v", "b": "t"}, ["u"])]
    assert shapes(compose("f", inputs, calls, ["u"])) == {
        "p": "A, B",
        "q": "B, D",
        "v": "E, A",
        "t": "A, D",
        "u": "E, D",
    }


def test_a_dim_may_turn_out_to_be_a_constant_or_an_expression() -> None:
    inputs = [tensor("p", "A", 3), tensor("q", "B", ix.symbol("A") * 2), tensor("r", "C", "C")]
    calls = [Call(matmul(), {"a": "p", "b": "q"}, ["t"]), Call(matmul(), {"a": "t", "b": "r"}, ["u"])]
    assert shapes(compose("f", inputs, calls, ["u"])) == {
        "p": "A, 3",
        "q": "3, A*2",
        "r": "A*2, A*2",
        "t": "A, A*2",
        "u": "A, A*2",
    }


def test_what_cannot_be_solved_is_a_precondition() -> None:
    inputs = [tensor("p", "A", ix.symbol("A") * ix.symbol("A")), tensor("q", ix.symbol("B") * 2, "B")]
    f = compose("f", inputs, [Call(matmul(), {"a": "p", "b": "q"}, ["t"])], ["t"])
    assert [str(c) for c in f.preconditions] == ["A*A == B*2"]


def test_preconditions_come_along_in_the_dims_of_the_caller() -> None:
    square = Function("square", (tensor("x", "N"),), (), scale().body, ("y",), (ix.ge(ix.symbol("N"), 2),))
    square = Function("square", square.inputs, scale().scalars, square.body, ("y",), square.preconditions)
    calls = [Call(square, {"x": x}, [y], {"s": literal(2.0, F32)}) for x, y in (("p", "t"), ("t", "u"))]
    f = compose("f", [tensor("p", ix.symbol("A") + 1)], calls, ["u"])
    assert [str(c) for c in f.preconditions] == ["A >= 1"]


def test_scalars_are_passed_on_or_fixed() -> None:
    calls = [
        Call(scale(), {"x": "p"}, ["t"], {"s": Param("lr", F32)}),
        Call(scale(), {"x": "t"}, ["u"], {"s": Const(3.0, F32)}),
    ]
    f = compose("f", [tensor("p", "A")], calls, ["u"], [ScalarInput("lr", F32)])
    found = run_function(f, {"p": np.array([1.0, 2.0])}, {"lr": 5.0}, FLOAT64)
    assert found["u"].tolist() == [15.0, 30.0]


def test_derived_dims_are_those_of_the_caller() -> None:
    inputs = [tensor("p", "B", 3, "Y", "X"), tensor("k", 8, 3, 5, 5), tensor("c", 8)]
    f = compose("f", inputs, [Call(conv2d(2, 2), {"x": "p", "w": "k", "b": "c"}, ["y"])], ["y"])
    assert shapes(f)["y"] == "B, 8, ((Y + 1) // 2), ((X + 1) // 2)"


P, Q = tensor("p", 2, 3), tensor("q", 4, 5)


@pytest.mark.parametrize(
    ("inputs", "call", "error", "message"),
    [
        ([P, Q], Call(matmul(), {"a": "p", "b": "q"}, ["t"]), CallError, "matmul: dim 0 of 'q' is 4, not 3"),
        ([P, Q], Call(matmul(), {"a": "p"}, ["t"]), CallError, "matmul is called without, or does not take: 'b'"),
        (
            [P, Q],
            Call(matmul(), {"a": "p", "b": "x"}, ["t"]),
            CallError,
            "matmul is called with 'x', which does not exist yet",
        ),
        ([P, Q], Call(matmul(), {"a": "p", "b": "q"}, ["t", "u"]), CallError, "matmul gives 1 results, not 2"),
        ([P, Q], Call(relu(), {"x": "p"}, ["q"]), CallError, "relu is to define 'q', which exists"),
        ([tensor("p", 2)], Call(relu(), {"x": "p"}, ["t"]), CallError, "'x' of relu has 2 dims, and 'p' 1"),
        ([P], Call(relu(BF16), {"x": "p"}, ["t"]), CallTypeError, "'x' of relu is bf16, and 'p' f32"),
        (
            [tensor("p", "A", ix.symbol("A") + 1)],
            Call(
                Function(
                    "trace",
                    (tensor("x", "N", "N"),),
                    (),
                    (fold("y", "add", (), axes(i="N"), read(tensor("x", "N", "N"), "i", "i"), 0),),
                    ("y",),
                ),
                {"x": "p"},
                ["t"],
            ),
            CallError,
            "trace: dim 1 of 'p' is A + 1, not A",
        ),
    ],
)
def test_calls_that_do_not_fit(inputs: Sequence[Tensor], call: Call, error: type[CallError], message: str) -> None:
    with pytest.raises(error) as caught:
        compose("f", inputs, [call], ["t"])
    assert caught.value.message == message


def test_an_output_must_exist() -> None:
    with pytest.raises(CallError, match="f returns 'z', which no call gives"):
        compose("f", [P], [Call(relu(), {"x": "p"}, ["y"])], ["z"])


def test_scale_shift_takes_its_dims_from_what_comes_first() -> None:
    inputs = [tensor("p", "A", "B"), tensor("w", "C"), tensor("b", "D")]
    f = compose("f", inputs, [Call(scale_shift(), {"x": "p", "w": "w", "b": "b"}, ["y"])], ["y"])
    assert shapes(f) == {"p": "A, B", "w": "B", "b": "B", "y": "A, B"}


@pytest.mark.parametrize("shape", [(50, 70), (5, 6, 7), (0, 3), (30, 40, 30)])
@pytest.mark.parametrize("kept", [0, 1])
def test_sums_over_several_axes_have_the_order_of_a_call(shape: tuple[int, ...], kept: int) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    rank = len(shape) - kept
    traced = tw.trace(lambda a: tw.ops.var(tw.ops.exp(a), R=rank), x)
    np.testing.assert_array_equal(traced(x), tw.ops.var(tw.ops.exp(x), R=rank))
