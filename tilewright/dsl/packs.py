"""Axis packs: every ``...`` and ``name...`` becomes as many dims or axes as its rank says.

A pack among the dims of the header has a rank. On axes, ``a...`` is the pack of that name, or, if no operand has it, an
axis pack of its own: it runs over the dims in whose place it stands, as ``x[a...]`` does for ``x: T[A...]``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import is_
from typing import Any, TypeVar

from tilewright.dsl import syntax as ast
from tilewright.dsl.program import error, meant, nearest

Node = TypeVar("Node", bound=ast.Node)
Names = Mapping[str, Sequence[str]]
Places = Iterable[tuple[str, Sequence[ast.Axis]]]


def dim_names(packs: Mapping[str, int | Sequence[str]], used: set[str]) -> dict[str, list[str]]:
    """Names for the dims of each pack, different from the ``used`` ones, to which they are added."""
    found: dict[str, list[str]] = {}
    for name, rank in packs.items():
        found[name] = _unused(name or "_", rank, used) if isinstance(rank, int) else list(rank)
        used.update(found[name])
    return found


def _unused(base: str, rank: int, used: Collection[str]) -> list[str]:
    while any(f"{base}{n}" in used for n in range(rank)):
        base += "_"
    return [f"{base}{n}" for n in range(rank)]


class AxisPacks:
    """The axis packs of an op's statements, taken in order; ``ranges`` are the dims that their axes run over."""

    def __init__(self, op: ast.Op, dims: Names, used: set[str]) -> None:
        self.ranges: dict[str, str] = {}
        self._dims = dims
        self._used = used
        declared: list[ast.Operand | ast.Result] = [*op.operands, *op.results]
        self._shapes = {t.name: _packs_of(t.dims) for t in declared}
        self._axes: dict[tuple[str, str], list[str]] = {}
        for name in dims:
            self._axes_of(name, name)

    def expand(self, s: ast.Statement) -> ast.Statement:
        """``s`` without packs."""
        if isinstance(s, ast.Declare):
            self._shapes[s.name.text] = _packs_of(s.dims)
            return expand(s, self._dims)
        if isinstance(s, ast.Steps):
            over = tuple(expand(a, self._dims) for a in s.axes)
            return replace(s, axes=over, body=tuple(self.expand(inner) for inner in s.body))
        found = self._meanings(s)
        if isinstance(s, ast.Assign):
            entries = [found[a.value.name] if isinstance(a.value, ast.Pack) else None for a in s.axes]
            self._shapes.update((t.text, entries) for t in s.targets if t.text not in self._shapes)
        axes = {name: self._axes_of(name, pack) for name, pack in found.items()}
        return expand(s, axes, self._dims)

    def _axes_of(self, name: str, pack: str) -> list[str]:
        """The axes that ``name...`` stands for when it runs over ``pack...``."""
        made = self._axes.get((name, pack))
        if made is None:
            base = name if name != pack else f"i_{name}" if name else "i"
            made = self._axes[name, pack] = _unused(base, len(self._dims[pack]), self._used)
            self._used.update(made)
            self.ranges.update(zip(made, self._dims[pack], strict=True))
        return made

    def _meanings(self, s: ast.Statement) -> dict[str, str]:
        """For each axis pack of ``s`` the pack of the header that it runs over."""
        found = {name: name for name in self._dims}
        for pack, meaning in self._stands(s):
            if pack.name in self._dims:
                continue
            if found.setdefault(pack.name, meaning) != meaning:
                message = f"{pack.name}... runs over {found[pack.name]}..., but here over {meaning}..."
                raise error(message, pack.span, "give each run of axes a name of its own")
        for node, _ in ast.walk(s):
            if isinstance(node, ast.Pack) and node.name not in found:
                known = [f"{p}..." for p in self._dims]
                raise error(f"nothing says which dims {node.name}... runs over", node.span, self._hint(node, known))
        return found

    @staticmethod
    def _hint(pack: ast.Pack, known: Sequence[str]) -> str:
        if not known:
            return f"some operand must be declared with a pack, as in x: T[{pack.name}...]"
        return nearest(f"{pack.name}...", known) or f"use it as an index of a tensor with a pack ({', '.join(known)})"

    def _stands(self, s: ast.Statement) -> Iterator[tuple[ast.Pack, str]]:
        """Axis packs with the packs that they stand in the place of, or are declared to run over."""
        for node, _ in ast.walk(s):
            if isinstance(node, ast.Axis) and isinstance(node.value, ast.Pack) and isinstance(node.extent, ast.Pack):
                if node.extent.name not in self._dims:
                    known = [f"{p}..." for p in self._dims]
                    hint = nearest(f"{node.extent.name}...", known)
                    raise error(f"no operand has the axis pack {node.extent.name}...", node.extent.span, hint)
                yield node.value, node.extent.name
        for tensor, axes in _places(s):
            for axis, pack in zip(axes, self._shapes.get(tensor, ()), strict=False):
                at = axis.value if isinstance(axis.value, ast.Pack) else None
                if (at is None) != (pack is None):
                    break  # from here on places and dims are not one to one
                if at is not None and pack is not None and axis.extent is None:
                    yield at, pack


def _packs_of(dims: Sequence[ast.Expr | ast.Pack]) -> list[str | None]:
    """The pack at each dim as written, None for a plain one."""
    return [d.name if isinstance(d, ast.Pack) else None for d in dims]


def _places(s: ast.Statement) -> Iterator[tuple[str, Sequence[ast.Axis]]]:
    """The tensors that ``s`` names, with what stands between their brackets."""
    if isinstance(s, ast.Assign):
        yield from ((t.text, s.axes) for t in s.targets)
    if isinstance(s, ast.Scatter):
        yield s.target.text, s.indices
    for node, _ in ast.walk(s):
        if isinstance(node, ast.Element):
            yield node.tensor.text, node.indices


# --- replacing ------------------------------------------------------------------------------


def expand(node: Node, packs: Names, ranges: Names | None = None) -> Node:
    """``node`` without packs: each stands for the names that ``packs``, or ``ranges`` for a range, gives it."""
    kind: type = type(node)
    changes: dict[str, Any] = {}
    for name in ast.field_names(kind):
        old = getattr(node, name)
        if isinstance(old, ast.Node):
            new: Any = expand(old, packs, ranges)
        elif isinstance(old, tuple):
            new = tuple(n for part in old for n in _expand_part(part, packs, ranges))
            new = old if len(new) == len(old) and all(map(is_, new, old)) else new
        else:
            continue
        if new is not old:
            changes[name] = new
    return replace(node, **changes) if changes else node


def _expand_part(part: Any, packs: Names, ranges: Names | None) -> list[Any]:
    if isinstance(part, ast.Pack):
        return _names(part, packs)
    if isinstance(part, ast.Axis) and isinstance(part.value, ast.Pack):
        return _axes(part, part.value, packs, ranges or packs)
    return [expand(part, packs, ranges)] if isinstance(part, ast.Node) else [part]


def _axes(axis: ast.Axis, pack: ast.Pack, packs: Names, ranges: Names) -> list[ast.Axis]:
    values = _names(pack, packs)
    if axis.extent is None:
        return [replace(axis, value=v) for v in values]
    if not isinstance(axis.extent, ast.Pack):
        raise error(f"{pack.name}... runs over a pack", axis.extent.span, f"as in [{pack.name}...: A...]")
    extents = _names(axis.extent, ranges)
    if len(extents) != len(values):
        message = f"{pack.name}... is {len(values)} axes, and {axis.extent.name}... is {len(extents)}"
        raise error(message, axis.span, "a pack runs over one of the same rank")
    return [replace(axis, value=v, extent=e) for v, e in zip(values, extents, strict=True)]


def _names(pack: ast.Pack, packs: Names) -> list[ast.Name]:
    if pack.name not in packs:
        known = [f"{p}..." for p in packs]
        hint = nearest(f"{pack.name}...", known) or f"some operand must be declared with it, as in x: T[{pack.name}...]"
        fix = meant(ast.Name(pack.span, f"{pack.name}..."), known)
        raise error(f"no operand has the axis pack {pack.name}...", pack.span, hint, fix)
    return [ast.Name(pack.span, name) for name in packs[pack.name]]
