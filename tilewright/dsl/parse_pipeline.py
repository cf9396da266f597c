"""Text to passes: ``split{loop=i factor=16 tail=cut},simplify``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from typing import Any, TypeVar

from lark import Tree

from tilewright.dsl.parse_loops import IndexBuilder
from tilewright.dsl.reading import Reader
from tilewright.errors import UserError

P = TypeVar("P")

_TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str, "tuple": tuple}


def parse_pipeline(text: str, registry: Mapping[str, Callable[..., P]], name: str = "<pipeline>") -> tuple[P, ...]:
    """The passes that ``text`` lists; ``registry`` has the class (a dataclass, its fields the options) of each name.

    SyntaxUserError for what the grammar, the registry or a class does not know; a pass may refuse its options.
    """
    reader = Reader(text, name, "loops.lark", ("pipeline",), layout=False)
    return reader.built(
        "pipeline",
        lambda reader, tree: tuple(_pass(reader, p, registry) for p in tree.children if isinstance(p, Tree)),
    )


def _pass(reader: Reader, tree: Tree[Any], registry: Mapping[str, Callable[..., P]]) -> P:
    called, *options = tree.children
    name = str(called)
    if name not in registry:
        close = get_close_matches(name, registry, 1)
        hint = f"did you mean {close[0]}?" if close else f"the passes are {', '.join(sorted(registry))}"
        reader.fail(called, f"no pass {name}", hint)
    make = registry[name]
    known = {f.name: f for f in fields(make)}  # type: ignore[arg-type]
    given: dict[str, Any] = {}
    for option in (o for o in options if isinstance(o, Tree)):
        key, value = str(option.children[0]), option.children[1]
        if key not in known or key in given:
            problem = f"{name} has no option {key}" if key not in known else f"{key} is given twice"
            reader.fail(option, problem, f"its options are {', '.join(known) or 'none'}")
        given[key] = _checked(reader, value, known[key])
    left_out = [f.name for f in known.values() if f.name not in given and f.default is MISSING]
    if left_out:
        reader.fail(tree, f"{name} needs the option {left_out[0]}")
    try:
        return make(**given)
    except UserError as e:
        raise type(e)(e.message, reader.span(tree), e.hint) from None


def _checked(reader: Reader, tree: Tree[Any], field: Field[Any]) -> Any:
    """The value of an option, of the type its field is declared with."""
    value = _value(reader, tree)
    wanted = _TYPES.get(str(field.type).split("[")[0])
    if wanted is not None and type(value) is not wanted:
        reader.fail(tree, f"{field.name} is {field.type}, not {type(value).__name__}")
    return value


def _value(reader: Reader, tree: Tree[Any]) -> Any:
    parts: list[Any] = tree.children
    if tree.data == "values":
        return tuple(_value(reader, v) for v in parts if v is not None)
    if tree.data == "condition":
        return IndexBuilder(reader).condition(tree)
    if tree.data == "numeral":
        sign, number = parts
        return (-1 if sign else 1) * (reader.whole(number) if number.isdigit() else float(number))
    if tree.data == "truth":
        return parts[0] == "true"
    if tree.data == "none":
        return None
    return reader.string(parts[0]) if tree.data == "string" else str(parts[0])
