"""What every kernel and every plan must obey. A broken rule is our defect: VerifyError names the rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from itertools import chain

from tilewright.errors import VerifyError
from tilewright.ir import index as ix
from tilewright.ir.facts import Facts
from tilewright.ir.index import Condition, Index
from tilewright.ir.loops import ITER_KINDS, LOOP_KINDS, SCOPES, Block, Buffer, Kernel, Loop, walk
from tilewright.ir.plan import Phase, Plan, Step, head, tail
from tilewright.ir.scalar import CheckedIndex, Expr, index_symbols
from tilewright.ir.tensor import Tensor
from tilewright.ir.verify_scalar import check_expression
from tilewright.source import Span


def verify_kernel(k: Kernel, bound_symbols: Collection[str] | None = None) -> None:
    """Raises VerifyError unless ``k`` obeys the rules.

    ``bound_symbols`` are the slots of the size table and the counters that it may speak of; None allows any
    symbol that no loop of the kernel binds.
    """
    _KernelCheck(k, bound_symbols).run()


def verify_plan(p: Plan) -> None:
    """Raises VerifyError unless ``p`` and its kernels obey the rules."""
    _PlanCheck(p).run()


def _require(holds: object, rule: str, message: str, span: Span | None = None) -> None:
    if not holds:
        raise VerifyError(rule, message, span)


def _unique(names: Iterable[str], rule: str, what: str) -> None:
    twice = [n for n, count in Counter(names).items() if count > 1]
    _require(not twice, rule, f"{what} {', '.join(twice)} is there more than once")


class _KernelCheck:
    """The rules of one kernel."""

    def __init__(self, kernel: Kernel, bound: Collection[str] | None) -> None:
        self.kernel = kernel
        self.buffers = {b.name: b for b in kernel.buffers}
        self.scalars = {s.name: s for s in kernel.scalars}
        self.loops = {s.var for s, _ in walk(kernel.body) if isinstance(s, Loop)}
        self.bound = bound

    def run(self) -> None:
        names = chain((b.name for b in self.kernel.buffers), (s.name for s in self.kernel.scalars))
        _unique(names, "unique-buffers", "buffer or scalar")
        for b in self.kernel.buffers:
            self._buffer(b)
        statements = list(walk(self.kernel.body))
        _unique((s.name for s, _ in statements if isinstance(s, Block)), "unique-blocks", "block")
        for s, around in statements:
            if isinstance(s, Loop):
                self._loop(s, around)
            else:
                _BlockCheck(self, s, around).run()

    def _buffer(self, b: Buffer) -> None:
        _require(b.scope in SCOPES, "buffer-scope", f"{b.name} has scope {b.scope!r}")
        _require(len(b.shape) == len(b.strides), "buffer-rank", f"{b.name} has as many strides as axes")
        if b.scope == "register":
            constant = all(i.constant is not None and i.const > 0 for i in b.shape)
            _require(constant, "register-shape", f"the shape of register buffer {b.name} is not of positive constants")
        for i in (*b.shape, *b.strides):
            self.sizes(i, "buffer-symbols", f"buffer {b.name}")

    def _loop(self, loop: Loop, around: tuple[Loop, ...]) -> None:
        _require(loop.kind in LOOP_KINDS, "loop-kind", f"loop {loop.var} has kind {loop.kind!r}")
        outer = {o.var for o in around}
        _require(loop.var not in outer, "shadowing", f"loop {loop.var} is inside a loop {loop.var}")
        taken = loop.var in self.buffers or loop.var in self.scalars or loop.var in (self.bound or ())
        _require(not taken, "shadowing", f"loop {loop.var} hides a buffer, scalar or size of that name")
        if loop.kind in ("vectorized", "unrolled"):
            _require(loop.extent.constant is not None, "constant-extent", f"{loop.kind} {loop.var}: {loop.extent}")
        if loop.kind == "parallel":
            parallel = all(o.kind == "parallel" for o in around)
            alone = parallel and (around[-1] if around else self.kernel).body == (loop,)
            _require(alone, "parallel-loop", f"the parallel loop {loop.var} is not all of what is around it")
        self.inside(loop.extent, outer, "extent-symbols", f"the extent of {loop.var}")

    def inside(self, index: Index, variables: Collection[str], rule: str, where: str) -> None:
        """``index`` speaks of ``variables`` and sizes only."""
        self.symbols(ix.symbols(index) - set(variables), rule, where)

    def sizes(self, index: Index, rule: str, where: str) -> None:
        self.inside(index, (), rule, where)

    def symbols(self, names: Iterable[str], rule: str, where: str) -> None:
        """``names`` are sizes."""
        for name in names:
            _require(name not in self.loops, rule, f"{where} speaks of the loop variable {name}")
            _require(
                self.bound is None or name in self.bound, "free-symbol", f"{where} speaks of {name}, bound nowhere"
            )


class _BlockCheck:
    """The rules of one block."""

    def __init__(self, owner: _KernelCheck, block: Block, around: tuple[Loop, ...]) -> None:
        self.owner = owner
        self.block = block
        self.around = {o.var for o in around}
        self.iters = {i.name for i in block.iters}

    def require(self, holds: object, rule: str, message: str) -> None:
        _require(holds, rule, f"block {self.block.name}: {message}", self.block.span)

    def run(self) -> None:
        self._check_iterations()
        self._check_counts()
        for w in self.block.writes:
            self._check_place(w.buffer, w.indices)
        targets = [self.owner.buffers[w.buffer].dtype for w in self.block.writes]
        for what, expressions in (("value", self.block.values), ("init", self.block.init)):
            for e, dtype in zip(expressions, targets, strict=False):
                self.require(e.dtype is dtype, "value-dtype", f"a {what} of {e.dtype} is written to {dtype}")
        self._check_expressions()

    def _check_iterations(self) -> None:
        b, owner = self.block, self.owner
        _unique((i.name for i in b.iters), "shadowing", f"block {b.name}: iteration variable")
        self.require(len(b.bindings) == len(b.iters), "bindings", f"{len(b.bindings)} for {len(b.iters)} iterations")
        for i in b.iters:
            self.require(i.kind in ITER_KINDS, "iter-kind", f"iteration {i.name} has kind {i.kind!r}")
            hidden = i.name in owner.buffers or i.name in owner.scalars or i.name in (owner.bound or ())
            self.require(not hidden, "shadowing", f"iteration {i.name} hides a buffer, scalar or size of that name")
            owner.sizes(i.extent, "iter-extent", f"block {b.name}: the extent of {i.name}")
        for index in b.bindings:
            owner.inside(index, self.around, "binding-symbols", f"block {b.name}: the binding {index}")
        for c in b.predicate:
            self._check_condition(c)
            owner.inside(c.index, self.around, "predicate-symbols", f"block {b.name}: the predicate {c}")

    def _check_condition(self, c: Condition) -> None:
        self.require(c.kind in ("ge", "eq"), "condition-kind", f"a condition of kind {c.kind!r}")

    def _check_counts(self) -> None:
        b = self.block
        self.require(b.writes, "writes", "it writes nothing")
        self.require(len(b.values) == len(b.writes), "values", f"{len(b.values)} for {len(b.writes)} writes")
        if b.init:
            self.require(len(b.init) == len(b.writes), "init", f"{len(b.init)} for {len(b.writes)} writes")
            reduced = any(i.kind == "reduce" for i in b.iters)
            self.require(reduced, "init", "it has an init, but reduces over nothing")

    def _check_place(self, buffer: str, indices: tuple[Index | Expr, ...]) -> None:
        """A cell that is read or written."""
        self.require(buffer in self.owner.buffers, "unknown-buffer", f"no buffer {buffer}")
        rank = len(self.owner.buffers[buffer].shape)
        self.require(len(indices) == rank, "rank", f"{len(indices)} indices for {buffer}, which has {rank} axes")
        for i in indices:
            if isinstance(i, Index):
                self._check_symbols(ix.symbols(i), f"the index {i} of {buffer}")
            else:
                self.require(
                    isinstance(i, CheckedIndex), "data-index", f"an unchecked data-dependent index of {buffer}"
                )

    def _check_symbols(self, names: Collection[str], where: str) -> None:
        """What is evaluated in a block speaks of its iterations, never of loops."""
        self.owner.symbols(set(names) - self.iters, "value-symbols", f"block {self.block.name}: {where}")

    def _check_expressions(self) -> None:
        indices = [i for w in self.block.writes for i in w.indices if not isinstance(i, Index)]
        for e in (*indices, *self.block.values, *self.block.init):
            self._check_symbols(index_symbols(e), "an expression")
            for node in check_expression(e, self.require, self.owner.scalars):
                self._check_place(node.tensor, node.indices)
                dtype = self.owner.buffers[node.tensor].dtype
                self.require(node.dtype is dtype, "read-dtype", f"{node.tensor} of {dtype} is read as {node.dtype}")
        reduced = {i.name for i in self.block.iters if i.kind == "reduce"}
        for e in self.block.init:
            self.require(not index_symbols(e) & reduced, "init", "its init depends on what it reduces over")


class _PlanCheck:
    """The rules of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.slots = [*head(plan), *(name for name, _ in tail(plan))]
        self.kernels = {k.name: k for k in plan.kernels}

    def run(self) -> None:
        p = self.plan
        tensors = (t.name for t in (*p.inputs, *p.outputs, *p.scratch))
        _unique(chain(tensors, (s.name for s in p.scalars)), "unique-tensors", "tensor or scalar")
        _unique((k.name for k in p.kernels), "unique-kernels", "kernel")
        _unique(self.slots, "unique-slots", "slot")
        self._check_definitions()
        for k in p.kernels:
            self._check_operands(k)
        self._check_steps(p.steps, ())

    def _check_definitions(self) -> None:
        """Slots are computed in order, checks after the symbols."""
        known = set(head(self.plan))
        slots = tail(self.plan)
        count = len(self.plan.symbols)
        for n, (name, value) in enumerate(slots):
            if n == count:
                self._check_conditions(known)
            self._defined(value, known, f"slot {name}")
            known.add(name)
        for t in self.plan.inputs:
            for i in t.shape:
                self._defined(i, known, f"the shape of {t.name}")

    def _check_conditions(self, known: set[str]) -> None:
        for c in self.plan.checks:
            self._defined(c.condition.index, known, f"check {c.condition}")

    def _defined(self, index: Index, known: set[str], where: str) -> None:
        missing = ix.symbols(index) - known
        _require(not missing, "defined-before-use", f"{where} uses {', '.join(sorted(missing))}")

    def _check_operands(self, k: Kernel) -> None:
        """Buffers that outlive a task are tensors of the plan, inputs are only read, scalars are the plan's."""
        p = self.plan
        known: dict[str, dict[str, Tensor]] = {
            "global": {t.name: t for t in (*p.inputs, *p.outputs)},
            "scratch": {t.name: t for t in p.scratch},
        }
        for b in k.buffers:
            if b.scope == "register":
                continue
            t = known.get(b.scope, {}).get(b.name)
            where = f"kernel {k.name}: {b.scope} buffer {b.name}"
            _require(t, "unknown-tensor", f"{where} is no such tensor of the plan")
            same = t is not None and t.dtype.bits == b.dtype.bits and len(t.shape) == len(b.shape)
            _require(same, "tensor-type", f"{where} has another width or rank than the plan's tensor")
        inputs = {t.name for t in p.inputs}
        written = {w.buffer for s, _ in walk(k.body) if isinstance(s, Block) for w in s.writes}
        _require(not inputs & written, "read-only", f"kernel {k.name} writes the input {', '.join(inputs & written)}")
        cells = {(s.name, s.dtype.bits) for s in p.scalars}
        extra = [s for s in k.scalars if (s.name, s.dtype.bits) not in cells]
        _require(not extra, "unknown-scalar", f"kernel {k.name} has the scalar {', '.join(s.name for s in extra)}")

    def _check_steps(self, steps: tuple[Step, ...], counters: tuple[str, ...]) -> None:
        for step in steps:
            if isinstance(step, Phase):
                self._check_phase(step, counters)
            else:
                fresh = step.counter not in (*counters, *self.slots)
                _require(fresh, "shadowing", f"the counter {step.counter} hides a slot or an outer counter")
                self._check_steps(step.steps, (*counters, step.counter))

    def _check_phase(self, phase: Phase, counters: tuple[str, ...]) -> None:
        k = self.kernels.get(phase.kernel)
        if k is None:
            raise VerifyError("unknown-kernel", f"a phase runs {phase.kernel}, which the plan has not")
        same = phase.tasks is k.tasks or Facts({}).holds(ix.eq(phase.tasks, k.tasks))
        _require(same, "phase-tasks", f"a phase runs {phase.tasks} tasks of {k.name}, which has {k.tasks}")
        plain = phase.where is None or phase.where.kind == "ge"
        _require(plain, "phase-condition", f"a phase of {k.name} is for an equation")
        empty = phase.chunk.constant is not None and phase.chunk.const < 1
        _require(not empty, "phase-chunk", f"a phase runs {k.name} in chunks of {phase.chunk}")
        verify_kernel(k, {*self.slots, *counters})
