"""What is said of a function of tensors: its signature and documentation, made from its form."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from tilewright.dsl.header import Header, Shaped
from tilewright.errors import UserError
from tilewright.runtime import to_tensor
from tilewright.runtime._core import Function
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import forms, table


def signature(function: Function) -> inspect.Signature:
    """What ``inspect.signature`` gives."""
    return inspect.Signature([_parameter(a) for a in _form(function).arguments])


def document(function: Function) -> str:
    """What ``help`` prints: how it is called, what its ops say, the dtypes, an example."""
    form = _form(function)
    return "\n".join(_lines(function, form)).rstrip() + "\n"


def _form(function: Function) -> forms.Form:
    name = function.__name__
    return table.form(name if name in table.names() else name.removesuffix("_"))


def _parameter(argument: forms.Argument) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY if argument.keyword_only else inspect.Parameter.POSITIONAL_OR_KEYWORD
    default = inspect.Parameter.empty if argument.required else argument.default
    return inspect.Parameter(argument.name, kind, default=default)


def _lines(function: Function, form: forms.Form) -> Iterator[str]:
    yield f"{function.__name__}{signature(function)}"
    if function.__name__ != form.name:
        yield from ("", f"As {form.name}, written into the first operand, which is returned.")
    for header, accepts in zip(form.headers, form.accepts, strict=True):
        yield ""
        accepted = [d for d in (accepts[0] if accepts else ()) if d != "field"]
        yield f"For {', '.join(accepted)}:" if accepted else "By:"
        yield from ("", *_source(header))
    if form.widens:
        yield from ("", "Integers and bools are taken as the default float.")
    if function.__name__ == form.name:
        yield from _example(form)


def _source(header: Header) -> Iterator[str]:
    from tilewright.dsl.doc import remarks

    op = ops.get(header.name)
    yield from (f"    # {remark}" for remark in remarks(op.definition.tree))
    yield from (f"    {line}" for line in op.text("source").rstrip().split("\n"))


# --- an example -----------------------------------------------------------------------------

SIZES = {"...": (2,), "A...": (2,), "B...": (2,)}
"""Packs' extents in examples; every other axis has 3."""


def _example(form: forms.Form) -> Iterator[str]:
    """A call on small tensors, and what it gives; nothing where such tensors do not go together."""
    operands = {a.name: form.headers[0].inputs[int(str(a.target))] for a in form.arguments if _is_given(a)}
    arrays = {name: _array(form.headers[0], part) for name, part in operands.items()}
    call = f"tw.{form.name}({', '.join(_argument(a) for a in form.arguments if a.required)})"
    try:
        given = {name: to_tensor(eval(text, {"np": np})) for name, text in arrays.items()}
        result = table.get(form.name)(*(_value(a, given) for a in form.arguments if a.required))
    except UserError:
        return
    yield from ("", ">>> import numpy as np, tilewright as tw")
    yield from (f">>> {name} = tw.tensor({text})" for name, text in arrays.items())
    first = result[0] if isinstance(result, tuple) else result
    yield f">>> {call}{'[0]' if first is not result else ''}.tolist()"
    yield repr(first.tolist())


def _is_given(argument: forms.Argument) -> bool:
    return argument.required and argument.role == "operand"


def _argument(argument: forms.Argument) -> str:
    value = argument.name if argument.role == "operand" else _value(argument, {})
    return f"{argument.name}={value}" if argument.keyword_only else str(value)


def _value(argument: forms.Argument, given: dict[str, Any]) -> Any:
    return given[argument.name] if argument.role == "operand" else 1  # the axis between two packs, a number


def _array(header: Header, part: Shaped) -> str:
    """The text of an array that such an operand may be."""
    allowed = dict(header.variables).get(part[1], (part[1],))
    shape = [extent for axis in part[2] for extent in SIZES.get(axis, (3,))]
    count = prod(shape)
    chosen = "f32" if "f32" in allowed else "i64" if "i64" in allowed else allowed[0]
    numbers = {"f32": f"np.arange(1, {count + 1}, dtype=np.float32) / 8", "bool": f"np.arange({count}) % 2 == 0"}
    text = numbers.get(chosen, f"np.arange({count}) % 3")
    return f"{text if re.fullmatch(r'np.arange[^ ]*', text) else f'({text})'}.reshape({', '.join(map(str, shape))})"
