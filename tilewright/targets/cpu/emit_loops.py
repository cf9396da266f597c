"""Loops and the order of statements in a kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack

from tilewright.errors import InternalError, UnsupportedError
from tilewright.ir.index import Index, const, substitute, symbols
from tilewright.ir.loops import Block, Kernel, Loop, Stmt, walk
from tilewright.targets.cpu.code import Function
from tilewright.targets.cpu.emit_block import Blocks
from tilewright.targets.cpu.emit_index import Guard
from tilewright.targets.cpu.emit_memory import Memory
from tilewright.targets.cpu.emit_operations import Operations
from tilewright.targets.target import Numbering

_TASK = Loop("task()", const(1), "parallel", ())


def emit_kernel(operations: Operations, kernel: Kernel, numbers: Numbering, target: str) -> None:
    """Adds ``kernel`` to the module of ``operations``."""
    fn = Function(operations.module, f'void @"{kernel.name}"(ptr noalias %args, i64 %lo, i64 %hi, i64 %tid) #0')
    memory = Memory(fn, kernel, numbers)
    body = Body(memory, Blocks(memory, operations, target))
    parallel = [s for s in kernel.body if isinstance(s, Loop) and s.kind == "parallel"]
    if parallel and len(kernel.body) > 1:
        raise InternalError(f"kernel {kernel.name}: statements beside its parallel loop")
    task = parallel[0] if parallel else Loop(_TASK.var, _TASK.extent, _TASK.kind, kernel.body)
    with memory.indices.loop(task.var, "%lo", "%hi", entered=False):
        body.statements(task.body, {})
    fn.current.end = "ret void"
    fn.finish()


class Body:
    """The statements of one kernel.

    Consecutive block instances with the same condition share one branch: ``_arm`` is the condition of the open one.
    """

    def __init__(self, memory: Memory, blocks: Blocks) -> None:
        self.memory = memory
        self.indices = memory.indices
        self.blocks = blocks
        self._arm: str | None = None
        self._inside = ExitStack()

    def statements(self, body: tuple[Stmt, ...], env: Mapping[str, Index]) -> None:
        """``body`` where unrolled loop variables have the values ``env``; no branch stays open."""
        self._sequence(body, env)
        self._close()

    def _sequence(self, body: tuple[Stmt, ...], env: Mapping[str, Index]) -> None:
        for s in body:
            if isinstance(s, Block):
                self._block(s, env)
            elif isinstance(s, Loop):
                self._loop(s, env)
            else:
                raise UnsupportedError(f"the cpu emitter does not know the statement {type(s).__name__}")

    # --- loops ------------------------------------------------------------------------------

    def _loop(self, loop: Loop, env: Mapping[str, Index]) -> None:
        emit = _LOOPS.get(loop.kind)
        if emit is None:
            raise UnsupportedError(f"the cpu emitter does not know loops of kind {loop.kind!r} inside a kernel")
        emit(self, loop, env)

    def _serial(self, loop: Loop, env: Mapping[str, Index]) -> None:
        extent = substitute(loop.extent, env)
        if extent.constant is not None and extent.const <= 1:
            self._unrolled(loop, env)
            return
        self._close()
        stop = self.indices.scalar(extent)
        with self.indices.loop(loop.var, "0", stop, entered=extent.constant is not None):
            self.statements(loop.body, env)

    def _unrolled(self, loop: Loop, env: Mapping[str, Index]) -> None:
        for n in range(self._constant_extent(loop, env)):
            self._sequence(loop.body, {**env, loop.var: const(n)})

    def _vectorized(self, loop: Loop, env: Mapping[str, Index]) -> None:
        count = self._constant_extent(loop, env)
        if count <= 1 or self.indices.lanes is not None or not self._fits_lanes(loop):
            self._unrolled(loop, env)
            return
        self._close()
        with self.indices.in_lanes(loop.var, count):
            self.statements(loop.body, env)

    def _constant_extent(self, loop: Loop, env: Mapping[str, Index]) -> int:
        extent = substitute(loop.extent, env).constant
        if extent is None:
            raise InternalError(f"kernel {self.memory.kernel.name}: {loop.kind} loop {loop.var} of unknown extent")
        return extent

    def _fits_lanes(self, loop: Loop) -> bool:
        """Whether all lanes run the same inner loops; otherwise they take turns."""
        return not any(isinstance(s, Loop) and loop.var in symbols(s.extent) for s, _ in walk(loop.body))

    # --- blocks -----------------------------------------------------------------------------

    def _block(self, block: Block, env: Mapping[str, Index]) -> None:
        for predicate, values in self.blocks.instance(block, env):
            guard = self.indices.conjunction(predicate)
            if not guard.never:
                self._enter(guard)
                self.blocks.write(values, guard)

    def _enter(self, guard: Guard) -> None:
        """Makes the branch of ``guard`` the open one."""
        if self._arm != guard.some:
            self._close()
        if self._arm is None and guard.some is not None:
            self._inside.enter_context(self.indices.arm(guard.some))
            self._arm = guard.some

    def _close(self) -> None:
        self._inside.close()
        self._arm = None


_LOOPS: Mapping[str, Callable[[Body, Loop, Mapping[str, Index]], None]] = {
    "serial": Body._serial,
    "parallel": Body._serial,
    "unrolled": Body._unrolled,
    "vectorized": Body._vectorized,
}
