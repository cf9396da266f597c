"""Runs an op by the interpreters, as a call would run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tilewright.compiler.op import Op
from tilewright.compiler.stages import Compilation
from tilewright.ir.interpret import TYPED, Domain, run_function, run_plan


def run_tensor(
    op: Op, operands: Sequence[Any], keywords: Mapping[str, Any], domain: Domain = TYPED
) -> tuple[Any, ...]:
    """The results of ``op(*operands, **keywords)`` by the interpreter of tensor IR."""
    compilation, inputs, scalars = _prepare(op, operands, keywords)
    results = run_function(compilation.tensor, inputs, scalars, domain)
    return tuple(results[name] for name in compilation.function.outputs)


def run_loops(op: Op, operands: Sequence[Any], keywords: Mapping[str, Any], domain: Domain = TYPED) -> tuple[Any, ...]:
    """The same by the interpreter of loop IR, scheduled for the op's target."""
    compilation, inputs, scalars = _prepare(op, operands, keywords)
    results = run_plan(compilation.loops, inputs, scalars, domain)
    return tuple(results[name] for name in compilation.function.outputs)


def _prepare(
    op: Op, operands: Sequence[Any], keywords: Mapping[str, Any]
) -> tuple[Compilation, dict[str, Any], dict[str, Any]]:
    names = {s.name for s in op.signature.scalars}
    scalars = {k: v for k, v in keywords.items() if k in names}
    attributes = {k: v for k, v in keywords.items() if k not in names}
    compilation = op.compilation(op.request(tuple(operands), attributes))
    present = [x for x in operands if x is not None]
    inputs = {t.name: x for t, x in zip(compilation.function.inputs, present, strict=True)}
    return compilation, inputs, scalars
