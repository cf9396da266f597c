"""Operands that share the pack ``...`` in calls of ops by ops and in traces: stretched to one shape.

No copy is made: the callee's reads leave out the axes that an operand has not, and are at 0 along those of extent 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce

from tilewright.dsl.program import error
from tilewright.dsl.signature import Signature
from tilewright.ir import scalar, statements
from tilewright.ir.index import Index, const
from tilewright.ir.scalar import Expr, IndexValue, Read, apply, convert, literal
from tilewright.ir.tensor import Compute, Function, Tensor
from tilewright.ir.types import I64
from tilewright.records import dataclass
from tilewright.source import Span


@dataclass(frozen=True)
class View:
    """A tensor of ``shape``; ``axes`` says which of its axes each of the real tensor's is, None where that is 1."""

    shape: tuple[Index, ...]
    axes: tuple[int | None, ...]

    @property
    def is_stretched(self) -> bool:
        return self.axes != tuple(range(len(self.shape)))

    @property
    def dropped(self) -> list[int]:
        """The axes along which all elements are the same."""
        return [n for n in range(len(self.shape)) if n not in self.axes]


def views(operands: Mapping[str, Tensor], sig: Signature) -> dict[str, View]:
    """Each operand as the callee sees it."""
    found = {name: View(t.shape, tuple(range(len(t.shape)))) for name, t in operands.items()}
    sharing = {o.name: o.shared for o in sig.operands if o.shared is not None and o.name in operands}
    packs = {name: _pack(operands[name].shape, *around) for name, around in sharing.items()}
    if len(packs) > 1 and all(len(operands[n].shape) >= sum(sharing[n]) for n in packs):
        common = _common(list(packs.values()))
        found.update((name, _view(operands[name].shape, *sharing[name], common)) for name in packs)
    return found


def _pack(shape: Sequence[Index], before: int, after: int) -> tuple[Index, ...]:
    return tuple(shape[before : len(shape) - after])


def _common(packs: Sequence[Sequence[Index]]) -> tuple[Index, ...]:
    """The extents of the stretched pack, counted from the last: of those at one place the first that is not 1."""
    rank = max(map(len, packs))
    aligned = [(const(1),) * (rank - len(p)) + tuple(p) for p in packs]
    return tuple(next((e for e in column if e is not const(1)), const(1)) for column in zip(*aligned, strict=True))


def _view(shape: tuple[Index, ...], before: int, after: int, common: tuple[Index, ...]) -> View:
    pack = _pack(shape, before, after)
    missing = len(common) - len(pack)
    single = [e is const(1) and e is not wanted for e, wanted in zip(pack, common[missing:], strict=True)]
    middle = (*common[:missing], *(w if s else e for e, w, s in zip(pack, common[missing:], single, strict=True)))
    axes = [None if s else before + missing + n for n, s in enumerate(single)]
    rest = range(before + len(common), before + len(common) + after)
    return View((*shape[:before], *middle, *shape[len(shape) - after :]), (*range(before), *axes, *rest))


def seen_through(f: Function, found: Mapping[str, View], span: Span) -> Function:
    """``f``, which takes inputs as they are seen, taking them as they are. CheckError where one is needed whole."""
    stretched = {name: view for name, view in found.items() if view.is_stretched}
    shapes = {t.name: t.shape for t in f.inputs}

    def rule(e: Expr) -> Expr:
        if not isinstance(e, Read) or e.tensor not in stretched:
            return e
        view = stretched[e.tensor]
        if any(not isinstance(e.indices[n], Index) for n in view.dropped):
            raise _whole(e.tensor, f, span)
        return _read(e, view, shapes[e.tensor])

    def through(c: Compute) -> Compute:
        if c.scatter and c.scatter.start in stretched:
            raise _whole(c.scatter.start, f, span)
        return statements.map_expressions(c, lambda e: scalar.rewrite(e, rule))

    def real(t: Tensor) -> Tensor:
        axes = stretched[t.name].axes if t.name in stretched else range(len(t.shape))
        return replace(t, shape=tuple(const(1) if n is None else t.shape[n] for n in axes))

    return replace(f, inputs=tuple(map(real, f.inputs)), body=statements.map_computes(f.body, through))


def at_rest(f: Function, still: Sequence[int]) -> Function:
    """``f``, which reads at 0 along the axes of inputs that ``still`` has a bit for: all elements are one there."""
    held = {t.name: (t.shape, bits) for t, bits in zip(f.inputs, still, strict=True) if bits}

    def rule(e: Expr) -> Expr:
        if not isinstance(e, Read) or e.tensor not in held:
            return e
        shape, bits = held[e.tensor]
        stays = [bits >> n & 1 and isinstance(i, Index) for n, i in enumerate(e.indices)]
        return _read(e, View(shape, tuple(None if s else n for n, s in enumerate(stays))), shape)

    if not held:
        return f
    rewritten = partial(statements.map_expressions, rule=partial(scalar.rewrite, rule=rule))
    return replace(f, body=statements.map_computes(f.body, rewritten))


def _whole(name: str | None, f: Function, span: Span) -> Exception:
    return error(f"{f.name} needs {name} in full shape here", span, "assign it to a tensor of that shape first")


def _read(e: Read, view: View, shape: Sequence[Index]) -> Expr:
    """A guard still asks for the axes that are left out."""
    indices = tuple(const(0) if n is None else e.indices[n] for n in view.axes)
    read = Read(e.tensor, indices, e.dtype, (), e.otherwise)
    if e.otherwise is None or not view.dropped:
        return read
    inside: list[Expr] = []
    for index, extent in ((e.indices[n], shape[n]) for n in view.dropped):
        assert isinstance(index, Index)
        place = IndexValue(index)
        inside += [apply("ge", place, literal(0, I64)), apply("lt", place, IndexValue(extent))]
    sides = (convert("cast", side, e.dtype.compute) for side in (read, e.otherwise))
    return convert("cast", apply("where", reduce(partial(apply, "and"), inside), *sides), e.dtype)
