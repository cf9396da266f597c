"""The types of functions and methods of tensors, for editors and type checkers: stubs made from their forms."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

from tilewright.dsl.header import Header
from tilewright.runtime._core import Function
from tilewright.stdlib.tensor import forms, functions, table
from tilewright.stdlib.tensor.basics import Basics

HEAD = '''"""{what} Written by ``make docs``."""

import builtins
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from tilewright.runtime import Tensor as CoreTensor
from tilewright.runtime.dtypes import dtype as ElementType
from tilewright.stdlib.tensor.tensor import Tensor

Array: TypeAlias = np.ndarray[Any, Any]
Number: TypeAlias = builtins.bool | builtins.int | builtins.float
Operand: TypeAlias = CoreTensor | Array | Number

'''
OPERATORS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "true_divide", "floordiv": "floor_divide", "mod": "remainder",
    "pow": "pow", "matmul": "matmul", "and": "and", "or": "or", "xor": "xor", "lshift": "lshift", "rshift": "rshift",
}  # fmt: skip


def functions_stub() -> str:
    """``api.pyi``."""
    named = sorted(n for n in functions.names() if n not in table.METHODS_ALONE)
    lines = [line for name in named for line in _function(name, functions.get(name))]
    return HEAD.format(what="The functions of tensors.") + "\n".join([*_result_types(named), *lines]) + "\n"


def methods_stub() -> str:
    """``methods.pyi``."""
    named = {name: method for name, method in sorted(functions.methods().items()) if not hasattr(Basics, name)}
    lines = [f"    {line}" for name, method in named.items() for line in _function(name, method, "self")]
    body = ["class Methods:", *lines, *[f"    {line}" for line in _operators()]]
    return HEAD.format(what="The methods of tensors.") + "\n".join([*_result_types(named), *body]) + "\n"


def _operators() -> Iterator[str]:
    for name in OPERATORS:
        for prefix in ("", "r", "i") if name != "matmul" else ("", "r"):
            yield f"def __{prefix}{name}__(self, other: Operand, /) -> Tensor: ..."
    for name in ("lt", "le", "gt", "ge"):
        yield f"def __{name}__(self, other: Operand, /) -> Tensor: ..."
    for name in ("eq", "ne"):
        yield f"def __{name}__(self, other: object, /) -> Tensor: ...  # type: ignore[override]"
    yield "def __hash__(self) -> builtins.int: ..."
    for name in ("neg", "abs", "pos", "invert"):
        yield f"def __{name}__(self) -> Tensor: ..."
    yield "def __divmod__(self, other: Operand, /) -> tuple[Tensor, Tensor]: ..."
    yield "def __rdivmod__(self, other: Operand, /) -> tuple[Tensor, Tensor]: ..."


def _result_types(named: Any) -> Iterator[str]:
    """The classes of several results."""
    for fields in sorted({_fields(functions.get(n)) for n in named if isinstance(_get(n), Function)} - {()}):
        yield f"class {_type_of(fields)}(NamedTuple):"
        yield from (f"    {field}: Tensor" for field in fields)
        yield ""


def _get(name: str) -> Any:
    try:
        return functions.get(name)
    except AttributeError:
        return None


def _fields(function: Function) -> tuple[str, ...]:
    results = table.form(function.__name__).headers[0].results
    return tuple(r[0] for r in results) if len(results) > 1 else ()


def _type_of(fields: tuple[str, ...]) -> str:
    return "".join(f.title() for f in fields) if fields else "Tensor"


def _function(name: str, function: Callable[..., Any], first: str = "") -> Iterator[str]:
    if isinstance(function, Function):
        parameters, result = [*map(_parameter, *_typed(function))], _type_of(_fields(function))
    else:
        signature = inspect.signature(function)
        parameters = [_spelt(p) for p in signature.parameters.values()]
        keyword = next((n for n, p in enumerate(signature.parameters.values()) if p.kind is p.KEYWORD_ONLY), None)
        variadic = any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())
        if keyword is not None and not variadic:
            parameters.insert(keyword, "*")
        result = str(signature.return_annotation).removeprefix("<class '").removesuffix("'>")
        result = "Any" if "_empty" in result else result
    parameters = [first, *parameters[1:]] if first else parameters
    text = re.sub(r"\bdtype \|", "ElementType |", ", ".join(parameters))
    text = (
        re.sub(r"\b(bool|float|int)\b(?!\()", r"builtins.\1", f"{text}) -> {result}")
        if first
        else f"{text}) -> {result}"
    )
    yield f"def {name}({text}: ..."


def _spelt(p: inspect.Parameter) -> str:
    optional = " | None" if p.default is None and "None" not in p.annotation and p.annotation != "Any" else ""
    star = "*" if p.kind is p.VAR_POSITIONAL else "**" if p.kind is p.VAR_KEYWORD else ""
    return f"{star}{p.name}: {p.annotation}{optional}" + ("" if p.default is p.empty else f" = {p.default!r}")


def _typed(function: Function) -> tuple[list[forms.Argument | None], list[str]]:
    form = table.form(function.__name__)
    arguments: list[forms.Argument | None] = list(form.arguments)
    types = [_type(a, form) for a in form.arguments]
    keyword = next((n for n, a in enumerate(form.arguments) if a.keyword_only), None)
    if keyword is not None:
        arguments.insert(keyword, None)
        types.insert(keyword, "")
    return arguments, types


def _parameter(argument: forms.Argument | None, type: str) -> str:
    if argument is None:
        return "*"
    optional = " | None" if argument.default is None and not argument.required and "None" not in type else ""
    return f"{argument.name}: {type}{optional}" + ("" if argument.required else f" = {argument.default!r}")


def _type(argument: forms.Argument, form: forms.Form) -> str:
    if argument.role == "operand":
        return "Operand"
    if argument.role == "dim":
        return "int | Sequence[int] | None" if form.axes == "reduced" else "int"
    if argument.role == "keyword":
        return next(_keyword_type(h, str(argument.target)) for h in form.headers if _has(h, str(argument.target)))
    return {"keepdim": "bool", "dtype": "ElementType", "out": "CoreTensor"}.get(argument.role, "bool")


def _has(header: Header, keyword: str) -> bool:
    return any(p[0] == keyword for p in header.parameters)


def _keyword_type(header: Header, keyword: str) -> str:
    _, kind, detail, *_ = next(p for p in header.parameters if p[0] == keyword)
    if kind == "attr_choice" and isinstance(detail, tuple):
        return f"Literal[{', '.join(map(repr, detail))}]"
    base = {"attr_int": "int", "attr_bool": "bool"}.get(kind, "float")
    return f"{base} | Sequence[{base}]" if isinstance(detail, int) else base
