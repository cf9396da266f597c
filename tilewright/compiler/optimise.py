"""Pipelines over texts: what ``tilewright opt`` does, and the registry of passes that it knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from tilewright.dsl.parse import parse
from tilewright.dsl.parse_loops import parse_kernel, parse_plan
from tilewright.dsl.parse_pipeline import parse_pipeline
from tilewright.dsl.specialise import specialise
from tilewright.ir.plan import Plan
from tilewright.ir.tensor import Function
from tilewright.ir.text_loops import print_kernel, print_plan
from tilewright.ir.text_tensor import print_function
from tilewright.ir.verify_loops import verify_kernel, verify_plan
from tilewright.ir.verify_tensor import verify
from tilewright.passes.pipeline import Pass, Pipeline

TENSOR_PASSES = {
    "differentiate": "tilewright.passes.tensor.differentiate:Differentiate",
    "eliminate-dead": "tilewright.passes.tensor.eliminate_dead:EliminateDead",
    "form-fma": "tilewright.passes.tensor.form_fma:FormFma",
    "inline": "tilewright.passes.tensor.inline:Inline",
    "set-order": "tilewright.passes.tensor.set_order:SetOrder",
    "simplify": "tilewright.passes.tensor.simplify:Simplify",
}
LOOP_PASSES = {
    "clip": "tilewright.passes.schedule.lanes:Clip",
    "decompose-reduction": "tilewright.passes.loops.decompose_reduction:DecomposeReduction",
    "expand-registers": "tilewright.passes.schedule.lanes:ExpandRegisters",
    "fuse": "tilewright.passes.loops.fuse:Fuse",
    "parallel": "tilewright.passes.loops.parallel:Parallel",
    "reorder": "tilewright.passes.loops.reorder:Reorder",
    "simplify": "tilewright.passes.loops.simplify:Simplify",
    "sink-lanes": "tilewright.passes.schedule.lanes:SinkLanes",
    "split": "tilewright.passes.loops.split:Split",
    "unroll": "tilewright.passes.loops.unroll:Unroll",
    "vectorize": "tilewright.passes.loops.vectorize:Vectorize",
}
"""Per pass where its class is. Passes of tensor IR take functions, those of loop IR kernels."""


def registry(table: Mapping[str, str]) -> dict[str, type[Pass]]:
    """The classes that ``table`` names."""
    found = {}
    for name, place in table.items():
        module, attribute = place.split(":")
        found[name] = getattr(import_module(module), attribute)
    return found


def optimise(text: str, name: str, pipeline: str, each: bool = False) -> Iterator[str]:
    """The text after ``pipeline``, or with ``each`` after every pass of it, verified each time.

    ``text`` is a ``.tw`` op with nothing to choose, a kernel, or a plan (whose kernels all go through the pipeline).
    Raises UserError for a text or pipeline that is not understood, and what the passes refuse.
    """
    subject = _parse(text, name)
    table = registry(TENSOR_PASSES if isinstance(subject, Function) else LOOP_PASSES)
    passes = parse_pipeline(pipeline, table)
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
    return specialise(parse(text, name).ops[0])


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
