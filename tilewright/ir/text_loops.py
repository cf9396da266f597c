"""The text of kernels and plans; ``dsl/parse_loops.py`` reads it back to an equal value.

::

    kernel scale(alpha: f32):
        global x: f32[N] strides [4]
        global y: f32[N] strides [4]
        for i_o in 0..(N + 7) // 8 parallel:
            for i_i in 0..8 vectorized:
                block y:
                    iter i: parallel 0..N = i_i + i_o*8
                    where N >= i_i + i_o*8 + 1
                    y[i] = x[i] * alpha
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from tilewright.errors import InternalError
from tilewright.ir.index import Index
from tilewright.ir.loops import Block, Buffer, Kernel, Loop, Stmt
from tilewright.ir.plan import Phase, Plan, Repeat, Step
from tilewright.ir.tensor import ScalarInput, Tensor
from tilewright.ir.text_scalar import ScalarText, condition_text, conditions_text, index_text, name_text


def print_kernel(kernel: Kernel) -> str:
    """The text of a kernel. A block with as many bindings as iterations, and values as writes, can be printed."""
    return "".join(f"{line}\n" for line in _kernel(kernel))


def print_plan(plan: Plan) -> str:
    """The text of a plan: its operands, symbols and checks, its steps, then its kernels."""
    inside = [*_declarations(plan), *_steps(plan.steps)]
    for kernel in plan.kernels:
        inside += _kernel(kernel)
    lines = [f"plan {name_text(plan.name)}:", *_indented(inside or ["pass"])]
    return "".join(f"{line}\n" for line in lines)


def _declarations(plan: Plan) -> Iterator[str]:
    yield from (f"input {_tensor(t)}" for t in plan.inputs)
    yield from (f"{'strided ' * (t.name in plan.strided)}output {_tensor(t)}" for t in plan.outputs)
    yield from (f"scalar {_scalar(s)}" for s in plan.scalars)
    yield from (f"symbol {name_text(name)} = {index_text(value)}" for name, value in plan.symbols)
    yield from (f"check {condition_text(c.condition)}: {json.dumps(c.message)}" for c in plan.checks)
    yield from (f"scratch {_tensor(t)}" for t in plan.scratch)


def _steps(steps: Iterable[Step]) -> Iterator[str]:
    for step in steps:
        if isinstance(step, Phase):
            where = "" if step.where is None else f" where {condition_text(step.where)}"
            tasks, chunk = index_text(step.tasks), index_text(step.chunk)
            yield f"run {name_text(step.kernel)} tasks {tasks} chunk {chunk}{where}"
        elif isinstance(step, Repeat):
            yield f"repeat {name_text(step.counter)} in 0..{index_text(step.trips)}:"
            yield from _indented(list(_steps(step.steps)) or ["pass"])
        else:
            raise InternalError(f"a plan has no step {type(step).__name__}")


def _kernel(kernel: Kernel) -> Iterator[str]:
    yield f"kernel {name_text(kernel.name)}({', '.join(map(_scalar, kernel.scalars))}):"
    yield from _indented(map(_buffer, kernel.buffers))
    yield from _body(kernel.body)


def _body(body: tuple[Stmt, ...]) -> Iterator[str]:
    if not body:
        yield "    pass"
    for s in body:
        yield from _indented(_statement(s))


def _statement(s: Stmt) -> Iterator[str]:
    if isinstance(s, Loop):
        kind = "" if s.kind == "serial" else f" {s.kind}"
        yield f"for {name_text(s.var)} in 0..{index_text(s.extent)}{kind}:"
        yield from _body(s.body)
    elif isinstance(s, Block):
        yield f"block {name_text(s.name)}:"
        yield from _indented(_block(s))
    else:
        raise InternalError(f"loop IR has no statement {type(s).__name__}")


def _block(block: Block) -> Iterator[str]:
    if len(block.iters) != len(block.bindings) or len(block.writes) != len(block.values):
        raise InternalError(f"block {block.name} has not as many bindings as iterations, or values as writes")
    for it, binding in zip(block.iters, block.bindings, strict=True):
        yield f"iter {name_text(it.name)}: {it.kind} 0..{index_text(it.extent)} = {index_text(binding)}"
    if block.predicate:
        yield f"where {conditions_text(block.predicate)}"
    places = [i for w in block.writes for i in w.indices if not isinstance(i, Index)]
    scalars = ScalarText([*places, *block.init, *block.values])
    yield from scalars.lines
    yield from (f"init {scalars.text(e)}" for e in block.init)
    for write, value in zip(block.writes, block.values, strict=True):
        yield f"{name_text(write.buffer)}[{', '.join(map(scalars.index, write.indices))}] = {scalars.text(value)}"


def _buffer(b: Buffer) -> str:
    return f"{b.scope} {name_text(b.name)}: {b.dtype}{_list(b.shape)} strides {_list(b.strides)}"


def _tensor(t: Tensor) -> str:
    return f"{name_text(t.name)}: {t.dtype}{_list(t.shape)}"


def _scalar(s: ScalarInput) -> str:
    return f"{name_text(s.name)}: {s.dtype}"


def _list(indices: tuple[Index, ...]) -> str:
    return f"[{', '.join(map(index_text, indices))}]"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)
