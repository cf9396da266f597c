"""What is said of a function of tensors: its signature and documentation, made from its form."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from math import prod
from textwrap import wrap
from typing import Any

import numpy as np

from tilewright.dsl.header import Header, Shaped
from tilewright.errors import UserError
from tilewright.runtime import to_tensor
from tilewright.runtime._core import Function
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import forms, table, terms


def signature(function: Function) -> inspect.Signature:
    """What ``inspect.signature`` gives."""
    return inspect.Signature([_parameter(a) for a in table.form(function.__name__).arguments])


def document(function: Function) -> str:
    """What ``help`` prints: how it is called, the shapes, dtypes and errors, its ops, an example."""
    form = table.form(function.__name__)
    return "\n".join(_lines(function, form)).rstrip() + "\n"


def _parameter(argument: forms.Argument) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY if argument.keyword_only else inspect.Parameter.POSITIONAL_OR_KEYWORD
    default = inspect.Parameter.empty if argument.required else argument.default
    return inspect.Parameter(argument.name, kind, default=default)


def _lines(function: Function, form: forms.Form) -> Iterator[str]:
    yield f"{function.__name__}{signature(function)}"
    if form.in_place:
        yield from ("", f"As {form.name[:-1]}, written into the first operand, which is returned.")
    yield ""
    for name, said in (("Shapes", terms.shapes), ("Dtypes", terms.dtypes), ("Errors", terms.errors)):
        yield from wrap(f"{name}: {said(form)}.", 100, subsequent_indent="    ", break_long_words=False)
    for header, accepts in zip(form.headers, form.accepts, strict=True):
        accepted = [d for d in (accepts[0] if accepts else ()) if d != "field"]
        yield from ("", f"For {terms.classes(accepted)}:" if accepted else "By:", "", *_source(header))
    if not form.in_place:
        yield from _example(form)


def _source(header: Header) -> Iterator[str]:
    from tilewright.dsl.doc import remarks

    op = ops.get(header.name)
    yield from (f"    # {remark}" for remark in remarks(op.definition.tree))
    yield from (f"    {line}" for line in op.text("source").rstrip().split("\n"))


# --- an example -----------------------------------------------------------------------------

SIZES = {"...": (2,), "A...": (2,), "B...": (2,)}
"""Packs' extents in examples; every other axis has 3, or one of them one of ``OTHERS`` where that does not do."""

OTHERS = (1, 2, 4, 9, 12)


def _example(form: forms.Form) -> Iterator[str]:
    """A call on small tensors, and what it gives; nothing where none go together."""
    operands = [form.headers[0].inputs[int(str(a.target))] for a in form.arguments if _is_given(a)]
    axes = dict.fromkeys(axis for part in operands for axis in part[2] if axis.isidentifier())
    for extents in ({}, *({axis: n} for axis in axes for n in OTHERS)):
        arrays = _arrays(form, extents)
        given = {name: to_tensor(eval(text, {"np": np})) for name, text in arrays.items()}
        try:
            result = table.get(form.name)(*(_value(a, given) for a in form.arguments if a.required))
        except UserError:
            continue
        yield from _spelt_out(form, arrays, result)
        return


def _spelt_out(form: forms.Form, arrays: dict[str, str], result: Any) -> Iterator[str]:
    yield from ("", ">>> import numpy as np, tilewright as tw")
    yield from (f">>> {name} = tw.tensor({text})" for name, text in arrays.items())
    first = result[0] if isinstance(result, tuple) else result
    call = f"tw.{form.name}({', '.join(_argument(a) for a in form.arguments if a.required)})"
    yield f">>> {call}{'[0]' if first is not result else ''}.tolist()"
    yield repr(first.tolist())


def _is_given(argument: forms.Argument) -> bool:
    return argument.required and argument.role == "operand"


def _argument(argument: forms.Argument) -> str:
    value = argument.name if argument.role == "operand" else _value(argument, {})
    return f"{argument.name}={value}" if argument.keyword_only else str(value)


def _value(argument: forms.Argument, given: dict[str, Any]) -> Any:
    return given[argument.name] if argument.role == "operand" else 1  # the axis between two packs, a number


def _arrays(form: forms.Form, extents: dict[str, int]) -> dict[str, str]:
    """The texts of the arrays that the operands may be."""
    header, ranks = form.headers[0], form.ranks[0] if form.ranks else ()
    made = {}
    for argument in filter(_is_given, form.arguments):
        n = int(str(argument.target))
        made[argument.name] = _array(header, header.inputs[n], ranks[n] if ranks else -1, extents)
    return made


def _array(header: Header, part: Shaped, rank: int, extents: dict[str, int]) -> str:
    """The text of an array that an operand may be, of so many axes unless that is -1."""
    allowed = dict(header.variables).get(part[1], (part[1],))
    sizes = SIZES if rank < 0 else {**SIZES, "...": (2,) * (rank - len(part[2]) + 1)}
    shape = [extent for axis in part[2] for extent in sizes.get(axis, (extents.get(axis, 3),))]
    count = prod(shape)
    chosen = "f32" if "f32" in allowed else "i64" if "i64" in allowed else allowed[0]
    numbers = {"f32": f"np.arange(1, {count + 1}, dtype=np.float32) / 8", "bool": f"np.arange({count}) % 2 == 0"}
    text = numbers.get(chosen, f"np.arange({count}) % 3")
    return f"{text if re.fullmatch(r'np.arange[^ ]*', text) else f'({text})'}.reshape({', '.join(map(str, shape))})"
