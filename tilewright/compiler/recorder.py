"""Calls that are noted instead of run, and computed together when somebody wants to know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

from tilewright.compiler.op import Key, Op
from tilewright.errors import InternalError, KernelIndexError, UserError
from tilewright.runtime import Tensor, _core

if TYPE_CHECKING:
    from tilewright.compiler.function import FunctionOp

MOST = 512
"""So many calls are computed together at most: what is noted holds memory, and one program takes them all."""


class View(NamedTuple):
    """A result as an operand of a later call: its elements at other places; in bytes."""

    value: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


Source: TypeAlias = int | View
"""Where an operand comes from: the number of a leaf, or a view of a result."""


class Record(NamedTuple):
    """One call. ``merged`` are its results as kernels see them, ``first`` the number of the first one."""

    op: Op | FunctionOp
    arguments: tuple[Any, ...]
    key: Key
    sources: tuple[Source, ...]
    results: tuple[Tensor, ...]
    merged: tuple[Tensor, ...]
    first: int

    def operands(self) -> Iterator[Tensor]:
        """The tensors that it was called with."""
        return (x for x in self.arguments if isinstance(x, Tensor))

    def scalars(self) -> Iterator[Any]:
        """The values of its run-time scalars."""
        return (x for p, x in zip(self.op.parameters(), self.arguments, strict=True) if p[1] == "scalar")

    def run(self) -> Tensor | tuple[Tensor, ...]:
        """What the op gives for its arguments."""
        names = (p[0] for p in self.op.parameters())
        return self.op(**dict(zip(names, self.arguments, strict=True)))  # type: ignore[no-any-return]


class Batch:
    """Calls that are to be computed together.

    Values are the results of all calls, numbered. A memory that several calls wrote to has the value of the last one.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.leaves: list[Tensor] = []
        self.values: list[Tensor] = []
        self._leaves: dict[Hashable, int] = {}
        self._current: dict[int, int] = {}
        self._form: list[Hashable] = []

    def takes(self, op: Op | FunctionOp, operands: Iterable[Tensor]) -> bool:
        """Whether a call may be of the same program: there is room, it is for the same target, and its operands are of
        the dtypes that results were computed in."""
        if not self.records:
            return True
        same_target = str(op.target) == str(self.records[0].op.target)
        return len(self.records) < MOST and same_target and all(map(self._keeps_dtype, operands))

    def _keeps_dtype(self, operand: Tensor) -> bool:
        number = self._current.get(_core.storage(operand))
        return number is None or self.values[number].dtype is operand.dtype

    def add(
        self,
        op: Op | FunctionOp,
        arguments: tuple[Any, ...],
        key: Key,
        operands: Iterable[Tensor],
        results: tuple[Tensor, ...],
        merged: tuple[Tensor, ...],
    ) -> None:
        """Notes a call."""
        sources = tuple(map(self._source, operands))
        self.records.append(Record(op, arguments, key, sources, results, merged, len(self.values)))
        self._form.append((op, key, sources, tuple((m.shape, m.strides) for m in merged)))
        for value in merged:
            self._current[_core.storage(value)] = len(self.values)
            self.values.append(value)

    def _source(self, operand: Tensor) -> Source:
        storage = _core.storage(operand)
        number = self._current.get(storage)
        offset = operand.storage_offset() * operand.dtype.itemsize
        if number is not None:
            return View(number, offset, operand.shape, operand.strides)
        leaf = storage, offset, operand.shape, operand.strides, operand.dtype
        if leaf not in self._leaves:
            self._leaves[leaf] = len(self.leaves)
            self.leaves.append(operand)
        return self._leaves[leaf]

    def tensors(self) -> Iterator[Tensor]:
        """All that it holds."""
        yield from self.leaves
        for record in self.records:
            yield from (*record.operands(), *record.results, *record.merged)

    def wanted(self) -> tuple[int, ...]:
        """The values that others than the batch have tensors of."""
        held = Counter(map(_core.storage, self.tensors()))
        return tuple(n for s, n in self._current.items() if _core.holders(self.values[n]) > held[s])

    def form(self, wanted: tuple[int, ...]) -> Hashable:
        """What the program that computes the ``wanted`` values follows from."""
        return tuple(self._form), tuple((x.dtype, x.shape) for x in self.leaves), wanted

    def scalars(self) -> dict[str, Any]:
        """The run-time scalars of all calls, under their names in the program."""
        found = (value for record in self.records for value in record.scalars())
        return {f"s{n}": value for n, value in enumerate(found)}


_programs: dict[Hashable, FunctionOp] = {}
"""By form; the oldest go first."""
_KEPT = 256


def _program(batch: Batch, wanted: tuple[int, ...]) -> FunctionOp:
    form = batch.form(wanted)
    found = _programs.pop(form, None)
    if found is None:
        from tilewright.compiler.fuse import fused

        found = fused(batch, wanted)
    _programs[form] = found
    while len(_programs) > _KEPT:
        del _programs[next(iter(_programs))]
    return found


class Failed:
    """In place of a recorder: says again why a tensor could not be computed."""

    def __init__(self, error: UserError) -> None:
        self.error = error

    def settle(self) -> NoReturn:
        """Raises."""
        raise self.error.again()


class Recorder:
    """Notes the calls of a thread, and computes them when the core says, in any thread, that a result is wanted."""

    def __init__(self) -> None:
        self._batch = Batch()
        self._lock = RLock()

    def __len__(self) -> int:
        """How many calls are pending."""
        return len(self._batch.records)

    def record(
        self,
        op: Op | FunctionOp,
        arguments: tuple[Any, ...],
        key: Key,
        operands: tuple[Tensor, ...],
        results: tuple[Tensor, ...],
        merged: tuple[Tensor, ...],
    ) -> None:
        """What the core calls in place of running an op."""
        with self._lock:
            if not self._batch.takes(op, operands):
                self.settle()
            self._batch.add(op, arguments, key, operands, results, merged)
            _core.watch(operands, self, False)
            _core.watch(results, self, True)

    def settle(self) -> None:
        """Computes all that is pending, as one program.

        Where one of the calls fails, they run one by one: those that can be are computed, and the error is the one that
        the call has when it is run.
        """
        with self._lock:
            failed = _settled(self._batch) if len(self) else {}
            _release(self._batch, failed)
            self._batch = Batch()
        for error in failed.values():
            raise error.again()


def _settled(batch: Batch) -> dict[int, UserError]:
    """Computes what is wanted; by storage why it could not be."""
    before = _core.set_mode(False)
    try:
        _compute(batch)
    except KernelIndexError as error:
        failed = _one_by_one(batch)
        if not failed:
            raise InternalError(f"only the program of all recorded calls fails: {error.message}") from error
        return failed
    finally:
        _core.set_mode(before)
    return {}


def _compute(batch: Batch) -> None:
    wanted = batch.wanted()
    if wanted:
        _program(batch, wanted)(*batch.leaves, out=tuple(batch.values[n] for n in wanted), **batch.scalars())


def _one_by_one(batch: Batch) -> dict[int, UserError]:
    """Runs the calls in turn; by storage why it could not be computed, the first failure first."""
    failed: dict[int, UserError] = {}
    for record in batch.records:
        reasons = [failed[s] for s in map(_core.storage, record.operands()) if s in failed]
        try:
            if reasons:
                raise reasons[0].again()
            made = record.run()
        except UserError as error:
            failed |= {_core.storage(r): error.again() for r in record.results}
            continue
        for one, to in zip(made if isinstance(made, tuple) else (made,), record.results, strict=True):
            _core.copy(one, to)
            failed.pop(_core.storage(to), None)
    return failed


def _release(batch: Batch, failed: Mapping[int, UserError]) -> None:
    for tensor in batch.tensors():
        _core.settled(tensor)
    for record in batch.records:
        for result in record.results:
            if error := failed.get(_core.storage(result)):
                _core.watch((result,), Failed(error), True)
