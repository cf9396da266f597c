"""Axis packs: every ``...`` and ``name...`` becomes as many dims or axes as its rank says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from tilewright.dsl import syntax as ast
from tilewright.dsl.program import error, nearest

Node = TypeVar("Node", bound=ast.Node)
Packs = Mapping[str, Sequence[str]]


def plan(op: ast.Op, packs: Mapping[str, int | Sequence[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Names for the dims and for the axes of each pack, different from all other names of ``op``."""
    used = set(ast.names(op))
    dims: dict[str, list[str]] = {}
    axes: dict[str, list[str]] = {}
    for name, rank in packs.items():
        dims[name] = _unused(name or "_", rank, used) if isinstance(rank, int) else list(rank)
        axes[name] = _unused(f"i_{name}" if name else "i", len(dims[name]), used | set(dims[name]))
        used.update(dims[name], axes[name])
    return dims, axes


def _unused(base: str, rank: int, used: set[str]) -> list[str]:
    while any(f"{base}{n}" in used for n in range(rank)):
        base += "_"
    return [f"{base}{n}" for n in range(rank)]


def expand(node: Node, packs: Packs) -> Node:
    """``node`` without packs: each stands for the names that ``packs`` gives it."""
    changes: dict[str, Any] = {}
    for f in fields(node):
        old = getattr(node, f.name)
        if isinstance(old, ast.Node):
            changes[f.name] = expand(old, packs)
        elif isinstance(old, tuple):
            changes[f.name] = tuple(new for part in old for new in _expand_part(part, packs))
    return replace(node, **changes)


def _expand_part(part: Any, packs: Packs) -> list[Any]:
    if isinstance(part, ast.Pack):
        return _names(part, packs)
    if isinstance(part, ast.Axis) and isinstance(part.value, ast.Pack):
        return [replace(part, value=name) for name in _names(part.value, packs)]
    return [expand(part, packs)] if isinstance(part, ast.Node) else [part]


def _names(pack: ast.Pack, packs: Packs) -> list[ast.Name]:
    if pack.name not in packs:
        known = [f"{p}..." for p in packs]
        raise error(f"no operand has the axis pack {pack.name}...", pack.span, nearest(f"{pack.name}...", known))
    return [ast.Name(pack.span, name) for name in packs[pack.name]]
