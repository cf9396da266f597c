"""Ops made anew, so that they are compiled, under validation; and faults put into the compiler from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import tilewright as tw
from tilewright.compiler.bundle import Miscompiled
from tilewright.compiler.op import Op
from tilewright.ir.loops import Kernel, Loop, Stmt
from tilewright.passes.legalise import expand
from tilewright.passes.loops.split import Split
from tilewright.passes.tensor import form_fma
from tilewright.targets.cpu.emit_memory import Memory

X, Y = np.ones((3, 5), np.float32), np.ones((5, 4), np.float32)
CALLS: dict[str, Callable[[Op], Any]] = {
    "argmax": lambda op: op(X, R=1),
    "conv2d": lambda op: op(np.ones((1, 2, 5, 6), np.float32), np.ones((2, 2, 3, 3), np.float32)),
    "cumsum": lambda op: op(X),
    "dropout": lambda op: op(X, p=0.5, seed=1, offset=0),
    "embedding": lambda op: op(X, np.array([0, 2])),
    "matmul": lambda op: op(X, Y),
    "softmax": lambda op: op(X),
}
MIXED = """\
op mixed(x: f32[M, N], y: f32[M, N]) -> z: f32[M, N]:
    t[i, j] = exp(x[i, j])
    u[i, j] = t[i, j] + y[i, j]
    z[i, j] = u[i, j] - x[i, j] * y[i, j]
"""
"""A difference with a product in its last statement, and some more."""


def anew(op: Op, target: str = "cpu", level: str | None = None) -> Op:
    """``op`` with nothing compiled yet."""
    return op.definition.on(target, level)


def verified(call: Callable[[], Any]) -> Any:
    with tw.verify("each-pass"):
        return call()


def caught(call: Callable[[], Any]) -> Miscompiled:
    """The error of a call that is miscompiled under validation."""
    with pytest.raises(Miscompiled) as error:
        verified(call)
    return error.value


def mixed() -> Any:
    return anew(tw.op(MIXED))(X, X)


# --- faults ---------------------------------------------------------------------------------------


def split_loses_an_iteration(patch: pytest.MonkeyPatch) -> None:
    """Of whole vectors, which come after the tasks."""
    run = Split.run

    def shorter(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        return tuple(_shorter(s, shorter) for s in body)

    def lossy(self: Split, kernel: Kernel) -> Kernel:
        made = run(self, kernel)
        return replace(made, body=shorter(made.body)) if self.tail == "cut" else made

    patch.setattr(Split, "run", lossy)


def _shorter(s: Stmt, inside: Callable[[tuple[Stmt, ...]], tuple[Stmt, ...]]) -> Stmt:
    if not isinstance(s, Loop):
        return s
    return replace(s, extent=s.extent - 1) if s.var.endswith("_v") else replace(s, body=inside(s.body))


def fma_forgets_a_sign(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(form_fma._RULES, "sub", form_fma._RULES["add"])


def exp_is_off(patch: pytest.MonkeyPatch) -> None:
    right = expand.EXPANSIONS["exp", "f32"]
    patch.setitem(expand.EXPANSIONS, ("exp", "f32"), lambda a: right(a) + right(a))


def field_sum_is_off(patch: pytest.MonkeyPatch) -> None:
    """Only the program in the field has it."""
    right = expand.EXPANSIONS["add", "field"]
    patch.setitem(expand.EXPANSIONS, ("add", "field"), lambda a, b: right(a, a))


def masked_loads_see_nothing(patch: pytest.MonkeyPatch) -> None:
    """No load sees the lanes that are on."""
    right = Memory._masked_load

    def wrong(self: Memory, address: Any, dtype: Any, mask: str | None, fallback: str, lanes: int) -> str:
        off = mask and self.fn.let(f"and <{lanes} x i1> {mask}, zeroinitializer")
        return right(self, address, dtype, off, fallback, lanes)

    patch.setattr(Memory, "_masked_load", wrong)
