"""The header of an op, told from its definition."""

from __future__ import annotations

import json
from _blake2 import blake2b
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

from tilewright.dsl import syntax as ast
from tilewright.dsl.attributes import shown
from tilewright.dsl.axes import axes
from tilewright.dsl.calls import called
from tilewright.dsl.header import Header, Parameter, Shaped
from tilewright.dsl.program import Resolver, no_ops
from tilewright.dsl.signature import Signature, signature, source_text

_ATTRIBUTES: Mapping[str, Literal["attr_int", "attr_float", "attr_bool", "attr_choice"]] = {
    "int": "attr_int",
    "float": "attr_float",
    "bool": "attr_bool",
    "choice": "attr_choice",
}


def header(op: ast.Op, resolver: Resolver = no_ops) -> Header:
    """The header of ``op``, which calls those that ``resolver`` finds. CheckError if its signature is wrong."""
    sig = signature(op)
    packs = [o.shared for o in sig.operands]
    several = len(packs) - packs.count(None) > 1
    called_with = tuple(_parameters(sig)), tuple(packs) if several else (), axes(op, sig), _form(sig)
    variables = tuple((name, tuple(d.name for d in allowed)) for name, allowed in sig.variables.items())
    shaped = tuple(map(_shaped, op.operands)), tuple(map(_shaped, op.results))
    return Header(op.name, *called_with, identity(op, resolver), variables, *shaped)


def _shaped(part: ast.Operand | ast.Result) -> Shaped:
    axes = (f"{d.name}..." if isinstance(d, ast.Pack) else source_text(d) for d in part.dims)
    return part.name, part.dtype.text, tuple(axes)


def identity(op: ast.Op, resolver: Resolver) -> str:
    """A hash of ``op`` and all that it calls, places in files and comments left out."""
    trees = [_tree(o) for o in (op, *called(op, resolver))]
    return blake2b(json.dumps(trees, separators=(",", ":")).encode(), digest_size=20).hexdigest()


def _tree(value: Any) -> Any:
    if isinstance(value, ast.Node):
        return [type(value).__name__, *(_tree(getattr(value, f.name)) for f in fields(value)[1:])]
    return [*map(_tree, value)] if isinstance(value, tuple) else value


def _form(sig: Signature) -> str:
    """How it is called: ``conv2d(x: T[N, C, H, W], ..., *, stride: int = 1)``."""
    keywords = [f"{name}: {sig.kinds[name]} = {shown(default)}" for name, default in sig.attributes.items()]
    keywords += [f"{pack}: int" for pack in sig.ranks]
    for name, dtype in sig.scalars.items():
        default = f" = {shown(sig.scalar_defaults[name])}" if name in sig.scalar_defaults else ""
        keywords.append(f"{name}: scalar {dtype}{default}")
    return f"{sig.name}({', '.join([*map(str, sig.operands), *(['*', *keywords] if keywords else [])])})"


def _parameters(sig: Signature) -> list[Parameter]:
    """Operands, then attributes, ranks and run-time scalars by keyword."""
    made: list[Parameter] = []
    for o in sig.operands:
        made.append((o.name, "optional" if o.optional else "tensor", None, o.optional, None, False))
    for name, default in sig.attributes.items():
        kind = sig.kinds[name]
        made.append((name, _ATTRIBUTES[kind.base], kind.choices or kind.length, True, default, True))
    made += [(pack, "attr_int", None, True, -1, True) for pack in sig.ranks]
    for name, dtype in sig.scalars.items():
        given = sig.scalar_defaults
        made.append((name, "scalar", dtype, name in given, given.get(name), True))
    return made
