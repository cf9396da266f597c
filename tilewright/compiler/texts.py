"""An op printed at a stage of its road."""

from __future__ import annotations

from tilewright.compiler.bundle import mendable, reporting
from tilewright.compiler.definition import source
from tilewright.compiler.op import Op
from tilewright.compiler.request import Request
from tilewright.dsl.format import format as format_source
from tilewright.errors import UnsupportedError
from tilewright.ir.text_loops import print_plan
from tilewright.ir.text_tensor import print_function
from tilewright.targets.target import get_target


def stage_text(op: Op, stage: str, request: Request) -> str:
    """``op`` at a stage: source, tensor, loops, llvm, asm or c."""
    if stage == "source":
        return format_source(source(op.definition.tree))
    with mendable(), reporting(lambda: op.definition.case(request, op.target)):
        return _made_text(op, stage, request)


def _made_text(op: Op, stage: str, request: Request) -> str:
    if stage == "c":
        return op.compilation(request, get_target("c")).text
    compilation = op.compilation(request, get_target("cpu") if stage == "llvm" else op.target)
    if stage == "tensor":
        return print_function(compilation.tensor)
    if stage == "loops":
        return print_plan(compilation.loops)
    if stage == "llvm":
        return compilation.text
    if op.target.assembly is None:
        raise UnsupportedError(f"target {op.target} has no assembly to show", hint="use target 'cpu'")
    return op.target.assembly(compilation.text)
