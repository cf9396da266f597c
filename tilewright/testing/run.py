"""Runs an op by the interpreters, as a call would run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tilewright.compiler.op import Op
from tilewright.compiler.stages import Compilation
from tilewright.ir.interpret import TYPED, Domain, run_function, run_plan
from tilewright.runtime import Tensor, to_numpy


def run_tensor(op: Op, operands: Sequence[Any], keywords: Mapping[str, Any], domain: Domain = TYPED) -> tuple[Any, ...]:
    """The results of ``op(*operands, **keywords)`` by the interpreter of tensor IR."""
    compilation, inputs, scalars = _prepare(op, operands, keywords)
    results = run_function(compilation.tensor, inputs, scalars, domain)
    return _outputs(compilation, results)


def run_loops(op: Op, operands: Sequence[Any], keywords: Mapping[str, Any], domain: Domain = TYPED) -> tuple[Any, ...]:
    """The same by the interpreter of loop IR, scheduled for the op's target."""
    compilation, inputs, scalars = _prepare(op, operands, keywords)
    results = run_plan(compilation.loops, inputs, scalars, domain)
    return _outputs(compilation, results)


def _outputs(compilation: Compilation, results: Mapping[str, Any]) -> tuple[Any, ...]:
    """In order, and as a call gives them: bf16 not as its bits."""
    tensors = (compilation.function.tensor(name) for name in compilation.function.outputs)
    return tuple(to_numpy(Tensor.from_buffer(results[t.name], t.dtype.name)) for t in tensors)


def _prepare(
    op: Op, operands: Sequence[Any], keywords: Mapping[str, Any]
) -> tuple[Compilation, dict[str, Any], dict[str, Any]]:
    names = op.signature.scalars
    scalars = {**op.signature.scalar_defaults, **{k: v for k, v in keywords.items() if k in names}}
    attributes = {k: v for k, v in keywords.items() if k not in names}
    compilation = op.compilation(op.request(tuple(operands), attributes))
    present = [np.asarray(x) for x in op.tensors(tuple(operands)) if x is not None]
    inputs = {t.name: x for t, x in zip(compilation.function.inputs, present, strict=True)}
    return compilation, inputs, scalars
