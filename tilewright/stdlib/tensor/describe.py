"""What is said of a function of tensors: its signature and documentation, made from its form."""

from __future__ import annotations

import inspect

from tilewright.runtime._core import Function
from tilewright.stdlib.tensor import forms, table


def signature(function: Function) -> inspect.Signature:
    """What ``inspect.signature`` gives."""
    return inspect.Signature([_parameter(a) for a in _form(function).arguments])


def _form(function: Function) -> forms.Form:
    name = function.__name__
    return table.form(name if name in table.names() else name.removesuffix("_"))


def _parameter(argument: forms.Argument) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY if argument.keyword_only else inspect.Parameter.POSITIONAL_OR_KEYWORD
    default = inspect.Parameter.empty if argument.required else argument.default
    return inspect.Parameter(argument.name, kind, default=default)


def document(function: Function) -> str:
    """What ``help`` prints."""
    form = _form(function)
    return f"{function.__name__}{signature(function)}\n\n" + "\n".join(h.form for h in form.headers)
