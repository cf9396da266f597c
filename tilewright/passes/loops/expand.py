"""Give each iteration of a loop registers of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tilewright.ir.index import Index, symbol
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Stmt, row_major, walk
from tilewright.passes.loops.legality import check_private
from tilewright.passes.loops.nest import Primitive, fresh, map_blocks, moved, replace_stmt, taken_names
from tilewright.records import dataclass


@dataclass(frozen=True)
class Expand(Primitive):
    """For a register buffer r that is used in loop i alone::

        for i in 0..8: (r[] = 0; for k: r[] += x[i, k]; y[i] = r[])

    becomes, for ``loop=i``::

        for i in 0..8: (r[i] = 0; for k: r[i] += x[i, k]; y[i] = r[i])

    So its iterations need not follow each other. The extent must be constant; the new axis is the last one.

    Obligation: each iteration writes what it reads of r before it reads it, and nothing outside of the loop uses r.
    """

    name: ClassVar[str] = "expand"
    loop: str

    def run(self, kernel: Kernel) -> Kernel:
        loop, _ = self.find_serial(kernel, self.loop)
        if loop.extent.constant is None:
            self.refuse(f"the extent of {loop.var}, {loop.extent}, is not constant", "split it first")
        inside = {b.name for b in kernel.buffers if b.scope == "register"} & _touched(loop.body)
        elsewhere = {id(s) for s, _ in walk(loop.body)}
        others = tuple(s for s, _ in walk(kernel.body) if isinstance(s, Block) and id(s) not in elsewhere)
        if shared := sorted(inside & _touched(others)):
            self.refuse(f"{shared[0]} is used outside of {loop.var} too")
        check_private(self, kernel, loop, inside)
        cell = Iter(fresh(f"{loop.var}_cell", taken_names(kernel)), "parallel", loop.extent)
        body = map_blocks(loop.body, lambda b: _with_cell(b, cell, loop.var, inside))
        kernel = replace_stmt(kernel, loop, [replace(loop, body=body)])
        buffers = tuple(_wider(b, loop.extent) if b.name in inside else b for b in kernel.buffers)
        return replace(kernel, buffers=buffers)


def _touched(body: tuple[Stmt, ...]) -> set[str]:
    """The buffers that blocks in ``body`` read or write."""
    found = [s for s, _ in walk(body) if isinstance(s, Block)]
    return {r.tensor for b in found for r in b.reads} | {w.buffer for b in found for w in b.writes}


def _wider(b: Buffer, extent: Index) -> Buffer:
    shape = (*b.shape, extent)
    return replace(b, shape=shape, strides=row_major(shape, b.dtype))


def _with_cell(block: Block, cell: Iter, var: str, buffers: set[str]) -> Block:
    """``block`` with the accesses of ``buffers`` at the cell that ``var`` is."""
    if not buffers & _touched((block,)):
        return block
    at = symbol(cell.name)
    made = moved(block, lambda buffer, indices: (buffer, (*indices, at) if buffer in buffers else indices))
    return replace(made, iters=(*block.iters, cell), bindings=(*block.bindings, symbol(var)))
