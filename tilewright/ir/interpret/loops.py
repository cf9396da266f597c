"""What a loop-IR kernel means: its loops and blocks in program order.

The lanes of a vectorized loop run in lockstep: of each block all lanes are evaluated, then all are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tilewright.errors import InternalError
from tilewright.ir import scalar as sc
from tilewright.ir.index import Index
from tilewright.ir.interpret.arrays import bind_scalars
from tilewright.ir.interpret.domains import Domain
from tilewright.ir.interpret.indices import Env, IndexFunction, condition_function, evaluate, index_function
from tilewright.ir.interpret.memory import Memory, View
from tilewright.ir.interpret.scalar import Meaning, Slots, Step, data_indices, refuse_checked
from tilewright.ir.interpret.status import Status
from tilewright.ir.loops import Block, Kernel, Loop, Stmt, Write
from tilewright.ir.scalar import CheckedIndex, Expr

Lanes = list[Env]
Action = Callable[[Lanes], None]
Store = tuple[View, list[int], Any]
Place = Callable[[Env, Slots], "list[int] | None"]


def run_kernel(
    k: Kernel,
    memory: Mapping[str, Memory],
    table: Mapping[str, int],
    scalars: Mapping[str, Any],
    domain: Domain,
    tasks: Iterable[int] | None = None,
    status: Status | None = None,
    counters: Mapping[str, int] | None = None,
) -> None:
    """Runs ``tasks`` (all, if None) of a kernel, in the order given.

    ``memory`` holds the global and scratch buffers by name and is written in place. Indices out of range
    are noted in ``status``; without one they are numbered by the kernel's buffers and raised at the end.
    InternalError names a cell outside of its buffer, read before it is written, or fought over by lanes.
    """
    own = status or Status([b.name for b in k.buffers])
    sizes, params = Env({**table, **(counters or {})}), bind_scalars(k.scalars, scalars, domain)
    _Machine(k, memory, sizes, params, domain, own).run(tasks)
    if status is None:
        own.check()


class _Machine:
    """A kernel bound to memory, sizes and scalars; statements become actions on lanes."""

    def __init__(
        self,
        k: Kernel,
        memory: Mapping[str, Memory],
        sizes: Env,
        params: Mapping[str, Any],
        domain: Domain,
        status: Status,
    ) -> None:
        self.kernel, self.sizes, self.params, self.domain, self.status = k, sizes, params, domain, status
        self.views: dict[str, View] = {}
        for b in k.buffers:
            shape, strides = ([evaluate(i, sizes) for i in part] for part in (b.shape, b.strides))
            self.views[b.name] = view = View(b.name, b.dtype, shape, strides)
            if b.scope != "register":
                view.lay_over(_find(memory, b.name), domain)

    def view(self, name: str) -> View:
        if name not in self.views:
            raise InternalError(f"{self.kernel.name} has no buffer {name!r}")
        return self.views[name]

    def run(self, tasks: Iterable[int] | None) -> None:
        """Runs tasks; each begins with blank registers."""
        body, task, count = self.kernel.body, None, 1
        parallel = next((s for s in body if isinstance(s, Loop) and s.kind == "parallel"), None)
        if parallel is not None:
            if len(body) > 1:
                raise InternalError(f"{self.kernel.name} has statements beside its parallel loop")
            body, task, count = parallel.body, parallel.var, evaluate(parallel.extent, self.sizes)
        actions = [self.action(s) for s in body]
        for t in range(count) if tasks is None else tasks:
            if not 0 <= t < count:
                raise InternalError(f"{self.kernel.name} has no task {t}, only {count}")
            self._run_task(actions, Env(self.sizes) if task is None else Env({**self.sizes, task: t}))

    def _run_task(self, actions: Sequence[Action], env: Env) -> None:
        for b in self.kernel.buffers:
            if b.scope == "register":
                self.views[b.name].renew()
        for act in actions:
            act([env])

    def action(self, s: Stmt) -> Action:
        """What a statement does to all lanes around it."""
        if isinstance(s, Block):
            return _BlockAction(self, s)
        if isinstance(s, Loop) and s.kind in _LOOPS:
            return _LOOPS[s.kind](s.var, index_function(s.extent), [self.action(inner) for inner in s.body])
        raise InternalError(f"no meaning for a {getattr(s, 'kind', type(s).__name__)} statement here")


def _find(memory: Mapping[str, Memory], name: str) -> Memory:
    if name not in memory:
        raise InternalError(f"the buffer {name!r} has no memory")
    return memory[name]


def _trips(var: str, extent: IndexFunction, lanes: Lanes) -> range:
    extents = {extent(env) for env in lanes}
    if len(extents) > 1:
        raise InternalError(f"lanes disagree on the extent of the loop {var!r}: {sorted(extents)}")
    return range(extents.pop()) if extents else range(0)


def _serial(var: str, extent: IndexFunction, body: Sequence[Action]) -> Action:
    def act(lanes: Lanes) -> None:
        for i in _trips(var, extent, lanes):
            inner = [Env({**env, var: i}) for env in lanes]
            for inner_action in body:
                inner_action(inner)

    return act


def _vectorized(var: str, extent: IndexFunction, body: Sequence[Action]) -> Action:
    def act(lanes: Lanes) -> None:
        inner = [Env({**env, var: i}) for env in lanes for i in _trips(var, extent, [env])]
        for inner_action in body:
            inner_action(inner)

    return act


_LOOPS = {"serial": _serial, "parallel": _serial, "unrolled": _serial, "vectorized": _vectorized}


class _BlockAction:
    """One block: bindings and predicate over loop variables, the rest over its own."""

    def __init__(self, machine: _Machine, block: Block) -> None:
        if len(block.iters) != len(block.bindings) or len(block.writes) != len(block.values):
            raise InternalError(f"the block {block.name!r} has parts that do not match")
        self.machine, self.block = machine, block
        self._predicate = condition_function(block.predicate)
        self._bindings = [index_function(b) for b in block.bindings]
        self._extents = [evaluate(i.extent, machine.sizes) for i in block.iters]
        self._update = _Assignment(machine, block.writes, block.values)
        self._init = _Assignment(machine, block.writes, block.init) if block.init else None
        self._reduce = [i.name for i in block.iters if i.kind == "reduce"]

    def __call__(self, lanes: Lanes) -> None:
        instances = [self._instance(env) for env in lanes if self._predicate(env)]
        if self._init is not None:
            self._run([env for env in instances if all(env[name] == 0 for name in self._reduce)], self._init)
        self._run(instances, self._update)

    def _instance(self, env: Env) -> Env:
        """The iteration variables of one instance; InternalError outside of their domain."""
        inner = Env(self.machine.sizes)
        for it, binding, extent in zip(self.block.iters, self._bindings, self._extents, strict=True):
            inner[it.name] = value = binding(env)
            if not 0 <= value < extent:
                raise InternalError(f"{it.name} = {value} in the block {self.block.name!r} is outside of 0 .. {extent}")
        return inner

    def _run(self, instances: Lanes, assignment: _Assignment) -> None:
        """Evaluates all instances, then writes all."""
        pending = []
        with _loads(self.machine.views.values(), len(instances) > 1) as loads:
            for env in instances:
                stores = assignment.stores(env)
                pending.append((stores, _taken(loads)))
        if len(instances) > 1:
            self._refuse_conflicts(pending)
        for stores, _ in pending:
            for view, where, value in stores:
                view.store(where, value)

    def _refuse_conflicts(self, pending: Sequence[tuple[list[Store], set[tuple[str, int]]]]) -> None:
        """InternalError if a lane reads or writes a cell that another lane writes."""
        writer: dict[tuple[str, int], int] = {}
        for lane, (written, _) in enumerate(pending):
            for view, where, _ in written:
                if writer.setdefault((view.name, view.locate(where)), lane) != lane:
                    raise InternalError(f"lanes of the block {self.block.name!r} both write {view.name}{where}")
        for lane, (_, loaded) in enumerate(pending):
            for name, offset in loaded:
                if writer.get((name, offset), lane) != lane:
                    raise InternalError(
                        f"a lane of the block {self.block.name!r} reads byte {offset} of {name}, which another writes"
                    )


class _Assignment:
    """Values and the elements they are written to."""

    def __init__(self, machine: _Machine, writes: Sequence[Write], values: Sequence[Expr]) -> None:
        refuse_checked(values)
        meaning = _LoopMeaning([*values, *(i for w in writes for i in data_indices(w.indices))], machine)
        self._evaluate = meaning.evaluate
        self._parts = []
        for w, e in zip(writes, values, strict=True):
            view = machine.view(w.buffer)
            rounded = machine.domain.store(e.dtype, view.dtype)
            self._parts.append((view, meaning.place(w.indices), meaning.value(e), rounded))

    def stores(self, env: Env) -> list[Store]:
        """What one instance writes; a write whose index fails its check is left out."""
        slots, found = self._evaluate(env), []
        for view, place, value, rounded in self._parts:
            where = place(env, slots)
            if where is not None:
                view.locate(where)
                found.append((view, where, rounded(value(env, slots))))
        return found


@contextmanager
def _loads(views: Iterable[View], wanted: bool) -> Iterator[list[View]]:
    """Has the views record what is loaded from them, if that is wanted."""
    recording = list(views) if wanted else []
    for view in recording:
        view.loads = set()
    try:
        yield recording
    finally:
        for view in recording:
            view.loads = None


def _taken(recording: Sequence[View]) -> set[tuple[str, int]]:
    """The cells loaded since the last time."""
    taken = {(view.name, offset) for view in recording for offset in view.loads or ()}
    for view in recording:
        view.loads = set()
    return taken


class _LoopMeaning(Meaning):
    """Scalar expressions over buffers: guards are explicit, data-dependent indices are checked."""

    def __init__(self, exprs: Sequence[Expr], machine: _Machine) -> None:
        self.machine = machine
        super().__init__(exprs, machine.domain, machine.params)

    def read(self, e: sc.Read) -> Step:
        view = self.machine.view(e.tensor)
        if view.dtype is not e.dtype or (e.guard and e.otherwise is None):
            raise InternalError(f"malformed read of {e.tensor!r}")
        if e.otherwise is not None:
            return self._guarded(e, e.otherwise)
        place, zero = self.place(e.indices), self.domain.constant(0, e.dtype)
        return lambda env, slots: zero if (where := place(env, slots)) is None else view.load(where)

    def _guarded(self, e: sc.Read, otherwise: Expr) -> Step:
        bare = sc.Read(e.tensor, e.indices, e.dtype)
        inside, outside = _LoopMeaning([bare], self.machine), _LoopMeaning([otherwise], self.machine)
        guard = condition_function(e.guard)
        return lambda env, slots: (inside if guard(env) else outside)(env)[0]

    def place(self, indices: Sequence[Index | Expr]) -> Place:
        """All indices, or None if one failed its check."""
        steps = [self.value(i) for i in indices]

        def place(env: Env, slots: Slots) -> list[int] | None:
            where = [step(env, slots) for step in steps]
            return None if None in where else where

        return place

    def checked(self, e: CheckedIndex) -> Step:
        value, extent, position = self.value(e.value), index_function(e.extent), index_function(e.position)
        note = self.machine.status.note

        def check(env: Env, slots: Slots) -> int | None:
            index: int = value(env, slots)
            if 0 <= index < extent(env):
                return index
            note(e.operand, position(env), index)
            return None

        return check
