"""Each kind of tensor-IR statement as loop-IR kernels."""

from __future__ import annotations

from collections.abc import Mapping

from tilewright.ir import index as ix
from tilewright.ir.index import Index, ceildiv, minimum
from tilewright.ir.loops import Kernel, Stmt
from tilewright.ir.scalar import Expr, apply, convert, substitute
from tilewright.ir.tensor import Compute, Reduction, Scan, Scatter, Tensor
from tilewright.passes.lower.fold import Fold, Where
from tilewright.passes.lower.kernel import KernelBuilder, Nest, World, loops, positions
from tilewright.passes.lower.sort import Sorting
from tilewright.records import dataclass


@dataclass(frozen=True)
class Lowering:
    """``c`` as kernels called ``name``..., with the ``live`` ones of its results.

    ``extra``: the scratch tensors of a sort; where a scatter adds up, if not in its result.
    """

    world: World
    c: Compute
    name: str
    live: frozenset[str]
    extra: tuple[Tensor, ...]

    def kernels(self, steps: Mapping[str, Index]) -> list[Kernel]:
        """The kernels, in the order in which they have to run; ``steps`` says where the axes of steps around it are."""
        if self.c.sort is not None:
            return Sorting(self.world, self.c, self.name, self.extra).kernels()
        if self.c.scatter is not None:
            return self._scatter(self.c.scatter)
        k = self._builder()
        return [k.finish(self.statements(k, Where((), steps)))]

    def statements(self, k: KernelBuilder, outside: Where) -> tuple[Stmt, ...]:
        """The statements of a kernel that has the loops of ``outside`` around them, or of a step."""
        if self.c.scan is not None:
            return self._scan(k, self.c.scan, outside)
        if self.c.reduction is not None:
            return self._reduction(k, self.c.reduction, outside)
        return self._pointwise(k, outside)

    def _builder(self, suffix: str = "") -> KernelBuilder:
        return KernelBuilder(self.world, self.name + suffix, self.c.span)

    # --- one value per point ----------------------------------------------------------------

    def _pointwise(self, k: KernelBuilder, outside: Where) -> tuple[Stmt, ...]:
        own, where = self._over(k, outside)
        return loops(own, [self._store(k, list(self.c.values), where)])

    def _over(self, k: KernelBuilder, outside: Where, but: str = "") -> tuple[Nest, Where]:
        """Loops over the axes that have no place ``outside``, ``but`` one, and where one is inside of them."""
        axes = tuple(a for a in self.c.axes if a.name not in outside.axes and a.name != but)
        own = k.levels(axes)
        return own, Where((*outside.around, *own), {**outside.axes, **positions(axes, own)})

    def _store(self, k: KernelBuilder, values: list[Expr], where: Where) -> Stmt:
        """The live results at the current point, rounded to their dtypes."""
        at = [where.axes[a.name] for a in self.c.axes]
        pairs = [(r, v) for r, v in zip(self.c.results, values, strict=True) if r.name in self.live]
        cells = [k.cell(r.name, at, where.around) for r, _ in pairs]
        rounded = [convert("cast", substitute(v, where.axes), r.dtype) for r, v in pairs]
        return k.block("store", where.around, cells, rounded, where.predicate)

    # --- reductions and scans ---------------------------------------------------------------

    def _fold(self, k: KernelBuilder, how: Reduction | Scan) -> Fold:
        return Fold(k, how.accs, how.init, self.c.values, how.others, how.merge)

    def _reduction(self, k: KernelBuilder, r: Reduction, outside: Where) -> tuple[Stmt, ...]:
        fold = self._fold(k, r)
        own, where = self._over(k, outside)
        accs = k.registers(r.accs, "")
        body = [
            fold.start(accs, where),
            *fold.reduce(accs, list(zip(r.axes, r.orders, strict=True)), where),
            self._store(k, [a.read for a in accs], where),
        ]
        return loops(own, body)

    def _scan(self, k: KernelBuilder, s: Scan, outside: Where) -> tuple[Stmt, ...]:
        fold = self._fold(k, s)
        along = next(a for a in self.c.axes if a.name == s.axis)
        own, where = self._over(k, outside, s.axis)
        carry, local = k.registers(s.accs, "_carry"), k.registers(s.accs, "_local")
        q = k.level(f"{s.axis}_chunk", "ordered", ceildiv(along.extent, s.chunk))
        length = minimum(s.chunk, along.extent - q.at * s.chunk)
        i = k.level(s.axis, "ordered", length, minimum(s.chunk, along.extent))
        chunk = where.inside(q)
        point = chunk.inside(i).at(s.axis, q.at * s.chunk + i.at)
        advance = [fold.step(local, point), self._store(k, fold.joined(carry, local), point)]
        body = [fold.start(local, chunk), *loops((i,), advance), fold.join(carry, carry, local, chunk)]
        return loops(own, [fold.start(carry, where), *loops((q,), body)])

    # --- scatter ----------------------------------------------------------------------------

    def _scatter(self, s: Scatter) -> list[Kernel]:
        """Cells take their first value, take in every point, and are rounded if the result is narrower."""
        (result,) = self.c.results
        sums = self.extra[0].name if self.extra else result.name
        made = [self._everywhere("_init", sums, s.start or s.init), self._update(s, sums)]
        if sums != result.name:
            made.append(self._everywhere("_round", result.name, sums))
        return made

    def _update(self, s: Scatter, sums: str) -> Kernel:
        """Points that may meet in a cell keep their order; along an axis that is an index by itself they never meet."""
        k = self._builder()
        alone = {i.symbol for i in s.indices if isinstance(i, Index)}
        around = tuple(k.level(a.name, "parallel" if a.name in alone else "ordered", a.extent) for a in self.c.axes)
        axes = positions(self.c.axes, around)
        indices = [_moved(i, axes) for i in s.indices]
        cell = k.cell(sums, indices, around)
        point = convert("cast", substitute(self.c.values[0], axes), cell.dtype)
        value = point if s.combine == "set" else apply(s.combine, cell.read, point)
        return k.finish(loops(around, [k.block(s.combine, around, [cell], [value])]))

    def _everywhere(self, suffix: str, target: str, source: Expr | str) -> Kernel:
        """The value ``source``, or that of the tensor of this name, at every element of ``target``."""
        k = self._builder(suffix)
        shape = self.world.buffers[target].shape
        around: Nest = tuple(k.level(f"i{n}", "parallel", extent) for n, extent in enumerate(shape))
        at = [level.at for level in around]
        cell = k.cell(target, at, around)
        new = k.cell(source, at, around).read if isinstance(source, str) else source
        block = k.block("store", around, [cell], [convert("cast", new, cell.dtype)])
        return k.finish(loops(around, [block]))


def _moved(i: Index | Expr, axes: Mapping[str, Index]) -> Index | Expr:
    return ix.substitute(i, axes) if isinstance(i, Index) else substitute(i, axes)
