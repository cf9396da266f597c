"""A plan as one C99 file, and as the header that declares what is in it."""

from __future__ import annotations

from collections.abc import Iterable

from tilewright.ir.index import Index, symbols
from tilewright.ir.plan import Plan, head, tail
from tilewright.runtime import ABI_VERSION
from tilewright.targets.c.emit_index import condition_text, index_text
from tilewright.targets.c.emit_kernel import emit_kernel
from tilewright.targets.c.names import Names, identifier
from tilewright.targets.c.prelude import ABI, used_helpers
from tilewright.targets.c.writer import Writer
from tilewright.targets.target import numbering


def kernel_names(plan: Plan) -> dict[str, str]:
    """The C function of each kernel (``exp`` and the like are the math library's)."""
    names = Names()
    return {k.name: names.fresh(f"kernel_{k.name}") for k in plan.kernels}


def emit(plan: Plan) -> str:
    """The C file of a legalised plan. UnsupportedError names an expression or statement that C has no text for."""
    numbers, names = numbering(plan), kernel_names(plan)
    functions = [emit_kernel(k, numbers, names[k.name]) for k in plan.kernels]
    functions.append(_sizes(plan))
    parts = [_title(plan), "#include <math.h>\n#include <stdint.h>\n", ABI]
    return "\n".join([*parts, *used_helpers("\n".join(functions)), *functions])


def emit_header(plan: Plan) -> str:
    """The header of :func:`emit`'s file."""
    guard = f"TILEWRIGHT_{identifier(plan.name).upper()}_H"
    kernels = [
        f"void {name}(const TwArgs *args, int64_t lo, int64_t hi, int64_t tid);" for name in kernel_names(plan).values()
    ]
    return "\n".join(
        [
            f"#ifndef {guard}\n#define {guard}\n",
            "#include <stdint.h>\n",
            ABI,
            "/* Each runs the tasks lo <= t < hi. */",
            *kernels,
            "\n/* Fills the size table's tail from its head; returns 0, or 1 + the number of the failed check. */",
            "int sizes(const int64_t *head, int64_t *tail);\n",
            "#endif\n",
        ]
    )


def _title(plan: Plan) -> str:
    return (
        f"/* {plan.name}, emitted by Tilewright (kernel ABI version {ABI_VERSION}).\n"
        " * To keep the bits: no fast-math, -ffp-contract=off, float arithmetic in float. */"
    )


def _sizes(plan: Plan) -> str:
    """The function ``sizes``: dims by name, then the checks, then all else."""
    names, out = Names(), Writer(1)
    slots, count = tail(plan), len(plan.symbols)
    needed = used_symbols([*(value for _, value in slots), *(c.condition.index for c in plan.checks)])
    known = {slot: names.fresh(slot) for slot in (*head(plan), *(slot for slot, _ in slots)) if slot in needed}

    def define(first: int, last: int) -> None:
        for n, (slot, value) in enumerate(slots[first:last], first):
            store = f"tail[{n}] = {index_text(value, known.__getitem__)};"
            out.line(f"const int64_t {known[slot]} = {store}" if slot in known else f"{store}  /* {slot} */")

    for n, slot in enumerate(head(plan)):
        if slot in known:
            out.line(f"const int64_t {known[slot]} = head[{n}];")
    define(0, count)
    for n, check in enumerate(plan.checks):
        out.line(f"if (!({condition_text(check.condition, known.__getitem__)}))")
        out.line(f"    return {n + 1};")
    define(count, len(slots))
    lines = ["int sizes(const int64_t *head, int64_t *tail)", "{", "    (void)head;", *out.lines]
    return "\n".join([*lines, "    return 0;", "}"]) + "\n"


def used_symbols(indices: Iterable[Index]) -> frozenset[str]:
    """The symbols that occur in any of ``indices``."""
    return frozenset().union(*map(symbols, indices))
