"""Pipelines over texts: what ``tilewright opt`` does, and the registry of passes that it knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tilewright.dsl.parse import parse
from tilewright.dsl.parse_loops import parse_kernel, parse_plan
from tilewright.dsl.parse_pipeline import parse_pipeline
from tilewright.dsl.specialise import specialise
from tilewright.errors import UserError
from tilewright.ir.plan import Plan
from tilewright.ir.tensor import Function
from tilewright.ir.text_loops import print_kernel, print_plan
from tilewright.ir.text_tensor import print_function
from tilewright.ir.verify_loops import verify_kernel, verify_plan
from tilewright.ir.verify_tensor import verify
from tilewright.passes import loops
from tilewright.passes.pipeline import Pass, Pipeline
from tilewright.passes.schedule.lanes import Clip, Once, SinkLanes, Tidy
from tilewright.passes.tensor import simplify as tensor_simplify
from tilewright.passes.tensor.differentiate import Differentiate
from tilewright.passes.tensor.eliminate_dead import EliminateDead
from tilewright.passes.tensor.form_fma import FormFma
from tilewright.passes.tensor.in_field import InField
from tilewright.passes.tensor.inline import Inline
from tilewright.passes.tensor.set_order import SetOrder
from tilewright.passes.tensor.simplify_indices import SimplifyIndices

TENSOR_PASSES: dict[str, type[Pass]] = {
    p.name: p
    for p in (
        Differentiate,
        EliminateDead,
        FormFma,
        InField,
        Inline,
        SetOrder,
        tensor_simplify.Simplify,
        SimplifyIndices,
    )
}
"""The passes over functions by name."""
LOOP_PASSES: dict[str, type[Pass]] = {
    **loops.PASSES,
    **{p.name: p for p in (Clip, Once, SinkLanes, Tidy)},
}
"""The passes over kernels by name."""


def optimise(text: str, name: str, pipeline: str, each: bool = False) -> Iterator[str]:
    """The text after ``pipeline``, or with ``each`` after every pass of it, verified each time.

    ``text`` is a ``.tw`` op with nothing to choose, a kernel, or a plan (whose kernels all go through the pipeline).
    Raises UserError for a text or pipeline that is not understood, and what the passes refuse.
    """
    subject = _parse(text, name)
    table = TENSOR_PASSES if isinstance(subject, Function) else LOOP_PASSES
    passes = parse_pipeline(pipeline, table)
    if not passes:
        yield _print(subject)
    for n, p in enumerate(passes):
        subject = _apply(Pipeline((p,)), subject)
        _verify(subject)
        if each or n == len(passes) - 1:
            yield (f"# after {p}\n" if each else "") + _print(subject)


def _parse(text: str, name: str) -> Function | Plan | Any:
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    if first.startswith("kernel"):
        return parse_kernel(text, name)
    if first.startswith("plan"):
        return parse_plan(text, name)
    ops = parse(text, name).ops
    if len(ops) != 1:
        raise UserError(f"expected one op, kernel or plan in {name}, found {len(ops) or 'none'}")
    return specialise(ops[0])


def _apply(pipeline: Pipeline, subject: Any) -> Any:
    if isinstance(subject, Plan):
        return replace(subject, kernels=tuple(pipeline.run(k) for k in subject.kernels))
    return pipeline.run(subject)


def _verify(subject: Any) -> None:
    if isinstance(subject, Function):
        verify(subject)
    elif isinstance(subject, Plan):
        verify_plan(subject)
    else:
        verify_kernel(subject)


def _print(subject: Any) -> str:
    if isinstance(subject, Function):
        return print_function(subject)
    return print_plan(subject) if isinstance(subject, Plan) else print_kernel(subject)
