"""Reference pages of ops, from their source: what goes in and out, which conditions sizes meet, what is called."""

from __future__ import annotations

from collections.abc import Iterator

from tilewright.dsl import syntax as ast
from tilewright.dsl.calls import called, in_module
from tilewright.dsl.check import check
from tilewright.dsl.program import Resolver, no_ops
from tilewright.dsl.signature import Signature, signature, source_text


def pages(module: ast.Module, shared: Resolver = no_ops) -> str:
    """A page of Markdown per op of ``module``, in order. UserError for the first thing that is wrong with one."""
    report = check(module, shared)
    if report.diagnostics:
        raise report.diagnostics[0]
    resolver = in_module(module, shared)
    return "\n".join("\n".join(_page(op, report.preconditions[op.name], resolver)) + "\n" for op in module.ops)


def _page(op: ast.Op, conditions: tuple[str, ...], resolver: Resolver) -> Iterator[str]:
    yield f"# {op.name}"
    said = remarks(op)
    if said:
        yield from ("", *said)
    yield from ("", "| | |", "| --- | --- |", *_rows(op, signature(op)))
    if conditions:
        yield from ("", f"Sizes: {' and '.join(f'`{c}`' for c in conditions)}.")
    if op.equals:
        yield from ("", f"It gives the same as {op.equals.text}, and has its gradient.")
    if op.gradient:
        yield from ("", "Its gradient is written by hand.")
    callees = called(op, resolver)
    if callees:
        yield from ("", f"Calls {', '.join(c.name for c in callees)}.")


def remarks(op: ast.Op) -> list[str]:
    """The comments right above the op."""
    found: list[str] = []
    for number in range(op.span.line - 1, 0, -1):
        line = op.span.source.line(number).strip()
        if not line.startswith("#"):
            break
        found.append(line.removeprefix("#").removeprefix(" "))
    return found[::-1]


def _rows(op: ast.Op, sig: Signature) -> Iterator[str]:
    """One row of the table per dtype variable, parameter and result."""
    for name, dtypes in sig.variables.items():
        yield _row(name, f"dtype: {', '.join(d.name for d in dtypes)}")
    for o in sig.operands:
        yield _row(str(o), "operand, may be left out" if o.optional else "operand")
    for a in op.attributes:
        yield _row(
            f"{a.name}: {sig.kinds[a.name]} = {source_text(a.default)}", "attribute, known when the op is compiled"
        )
    for pack in sig.ranks:
        yield _row(f"{pack}: int", f"number of axes of {pack}..., where the operands do not tell it")
    for s in op.scalars:
        default = f" = {source_text(s.default)}" if s.default else ""
        yield _row(f"{s.name}: scalar {s.dtype.text}{default}", "run-time scalar")
    for r in op.results:
        yield _row(f"{r.name}: {_shape(r)}", "result")


def _shape(r: ast.Result) -> str:
    text = f"{r.dtype.text}[{', '.join(map(source_text, r.dims))}]"
    if r.condition is None or r.otherwise is None:
        return text
    return f"{text} if {source_text(r.condition)} else {_shape(r.otherwise)}"


def _row(code: str, text: str) -> str:
    return f"| `{code}` | {text} |"
