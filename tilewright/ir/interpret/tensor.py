"""What a tensor-IR function means."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tilewright.errors import CallError, InternalError
from tilewright.ir import scalar as sc
from tilewright.ir.index import Index
from tilewright.ir.interpret.arrays import Array, HostArray, bind_scalars, decode, encode, require_names, shape_of
from tilewright.ir.interpret.domains import Domain
from tilewright.ir.interpret.indices import Env, evaluate, holds, index_function
from tilewright.ir.interpret.reduction import Fold
from tilewright.ir.interpret.scalar import Meaning, Slots, Step, data_indices
from tilewright.ir.interpret.status import Status
from tilewright.ir.scalar import Expr
from tilewright.ir.tensor import (
    Axis,
    Compute,
    Function,
    Reduction,
    Scan,
    Scatter,
    Sort,
    Statement,
    Steps,
    Tensor,
    computes,
)
from tilewright.ir.types import I64, DType


def run_function(
    f: Function, inputs: Mapping[str, Any], scalars: Mapping[str, Any], domain: Domain
) -> dict[str, HostArray]:
    """The outputs of ``f`` by name.

    Inputs are host arrays or nested values of any strides. Raises CallError where shapes do not fit or a
    precondition fails, IndexFault (a KernelIndexError) for a data-dependent index out of range.
    """
    require_names("input", [t.name for t in f.inputs], inputs)
    env = bind_dims(f.inputs, {name: shape_of(data) for name, data in inputs.items()})
    for condition in f.preconditions:
        if not holds(condition, env):
            raise CallError(f"{f.name} requires {condition}")
    arrays = {t.name: _input(t, inputs[t.name], domain) for t in f.inputs}
    run = _Run(domain, arrays, bind_scalars(f.scalars, scalars, domain), env, Status([t.name for t in f.inputs]))
    for s in f.body:
        run.statement(s)
    run.status.check()
    return {name: _output(run.arrays[name], domain) for name in f.outputs}


def bind_dims(tensors: Sequence[Tensor], shapes: Mapping[str, tuple[int, ...]]) -> Env:
    """The dims named in the tensors' shapes; CallError where a shape contradicts another or its tensor."""
    env = Env()
    for t in tensors:
        if len(shapes[t.name]) != len(t.shape):
            raise CallError(f"{t.name!r} has {len(shapes[t.name])} dims, not {len(t.shape)}")
        for extent, size in zip(t.shape, shapes[t.name], strict=True):
            if extent.symbol is not None:
                env.setdefault(extent.symbol, size)
    for t in tensors:
        wanted = tuple(evaluate(extent, env) for extent in t.shape)
        if wanted != shapes[t.name]:
            raise CallError(f"{t.name!r} has the shape {shapes[t.name]}, not {wanted}")
    return env


def _input(t: Tensor, data: Any, domain: Domain) -> Array:
    return Array(t.name, t.dtype, shape_of(data), decode(data, t.dtype, domain))


def _output(array: Array, domain: Domain) -> HostArray:
    if None in array.cells:
        raise InternalError(f"cell {array.cells.index(None)} of {array.name!r} is never computed")
    return encode(array.cells, array.shape, array.dtype, domain)


class _TensorMeaning(Meaning):
    """Scalar expressions over whole tensors: bounds come from shapes."""

    def __init__(self, exprs: Sequence[Expr], run: _Run) -> None:
        self.run = run
        super().__init__(exprs, run.domain, run.params)

    def read(self, e: sc.Read) -> Step:
        array = self.run.array(e.tensor)
        if array.dtype is not e.dtype:
            raise InternalError(f"{e.tensor!r} of {array.dtype} is read as {e.dtype}")
        if e.otherwise is not None:
            return self._guarded(array, e.indices, e.otherwise)
        place, zero = Place(self, array, e.indices), self.domain.constant(0, e.dtype)
        return lambda env, slots: zero if (where := place.checked(env, slots)) is None else array.load(where)

    def _guarded(self, array: Array, indices: Sequence[Index | Expr], otherwise: Expr) -> Step:
        inside, outside = _TensorMeaning(data_indices(indices), self.run), _TensorMeaning([otherwise], self.run)
        place = Place(inside, array, indices)

        def read(env: Env, slots: Slots) -> Any:
            where = place.indices(env, inside.evaluate(env))
            there = place.contains(where) and (not self.run.stepped or array.has(where))
            return array.load(where) if there else outside(env)[0]

        return read


class Place:
    """An element of a tensor, named by affine and data-dependent indices."""

    def __init__(self, meaning: _TensorMeaning, array: Array, indices: Sequence[Index | Expr]) -> None:
        if len(indices) != len(array.shape):
            raise InternalError(f"{array.name!r} has {len(array.shape)} dims, and {len(indices)} indices here")
        self._array, self._status = array, meaning.run.status
        self._indices = [meaning.value(i) for i in indices]
        self._origins = [None if isinstance(i, Index) else _Origin(meaning.run, i) for i in indices]

    def indices(self, env: Env, slots: Slots) -> list[int]:
        return [f(env, slots) for f in self._indices]

    def contains(self, where: Sequence[int]) -> bool:
        return all(0 <= i < extent for i, extent in zip(where, self._array.shape, strict=True))

    def checked(self, env: Env, slots: Slots) -> list[int] | None:
        """The indices, or None after noting the data-dependent ones that are out of range."""
        where = self.indices(env, slots)
        if self.contains(where):
            return where
        for i, extent, origin in zip(where, self._array.shape, self._origins, strict=True):
            if not 0 <= i < extent:
                if origin is None:
                    raise InternalError(f"{self._array.name}{where} is outside of the shape {self._array.shape}")
                self._status.note(origin.name, origin.position(env), i)
        return None


class _Origin:
    """Where a data-dependent index was read: the read in it with affine indices only, if it is the only one."""

    def __init__(self, run: _Run, e: Expr) -> None:
        affine = {r for r in sc.reads(e) if all(isinstance(i, Index) for i in r.indices)}
        read = affine.pop() if len(affine) == 1 else None
        self.name = "a computed value" if read is None else read.tensor
        self._array = None if read is None else run.array(read.tensor)
        self._indices = [index_function(i) for i in (read.indices if read else ()) if isinstance(i, Index)]

    def position(self, env: Env) -> int:
        return 0 if self._array is None else self._array.offset([f(env) for f in self._indices])


class _Run:
    """One call of a function: the tensors so far, and the values of dims and axes."""

    def __init__(
        self, domain: Domain, arrays: dict[str, Array], params: Mapping[str, Any], env: Env, status: Status
    ) -> None:
        self.domain, self.arrays, self.params, self.env, self.status = domain, arrays, params, env, status
        self.stepped: set[str] = set()
        """The axes of the steps under way: they have their place in ``env``."""
        self.waiting: list[tuple[Array, list[int], Any]] = []
        """What a statement inside of steps has computed: it is seen once the statement is done."""

    def array(self, name: str) -> Array:
        if name not in self.arrays:
            raise InternalError(f"there is no tensor {name!r} yet")
        return self.arrays[name]

    def statement(self, s: Statement) -> None:
        """Defines the results of one statement."""
        for c in computes((s,)):
            for r in c.results:
                if r.name in self.arrays:
                    raise InternalError(f"{r.name!r} is defined twice")
                self.arrays[r.name] = Array(r.name, r.dtype, [evaluate(extent, self.env) for extent in r.shape])
        self._now(s)

    def _now(self, s: Statement) -> None:
        if isinstance(s, Steps):
            self._steps(s)
        else:
            self._compute(s)

    def _steps(self, s: Steps) -> None:
        names = [a.name for a in s.axes]
        points = list(itertools.product(*[range(evaluate(a.extent, self.env)) for a in s.axes]))
        self.stepped.update(names)
        for point in reversed(points) if s.down else points:
            self.env.update(zip(names, point, strict=True))
            for inner in s.body:
                self._now(inner)
        self.stepped.difference_update(names)

    def _compute(self, c: Compute) -> None:
        if [c.reduction, c.scan, c.scatter, c.sort].count(None) < 3:
            raise InternalError(f"{c.results[0].name!r} is more than one of a reduction, a scan, a scatter and a sort")
        if c.sort is not None:
            self._sort(c, c.sort)
        elif c.scatter is not None:
            self._scatter(c, c.scatter)
        elif c.scan is not None:
            self._scan(c, c.scan)
        elif c.reduction is not None:
            self._reduce(c, c.reduction)
        else:
            self._map(c)
        for array, where, value in self.waiting:
            array.store(where, value)
        self.waiting.clear()

    def _points(self, axes: Sequence[Axis]) -> Iterator[None]:
        """Binds the points of ``axes`` in the environment, one after the other in row-major order."""
        names = [a.name for a in axes]
        for point in itertools.product(*[range(evaluate(a.extent, self.env)) for a in axes]):
            self.env.update(zip(names, point, strict=True))
            yield

    def _results_points(self, c: Compute) -> Iterator[None]:
        """The points of the axes that no scan, sort or steps go along."""
        extents = tuple(evaluate(a.extent, self.env) for a in c.axes)
        for r in c.results:
            if self.arrays[r.name].shape != extents:
                raise InternalError(f"{r.name!r} has the shape {self.arrays[r.name].shape}, its axes have {extents}")
        along = c.scan or c.sort
        skipped = self.stepped | (set() if along is None else {along.axis})
        return self._points([a for a in c.axes if a.name not in skipped])

    def _writer(self, c: Compute, dtypes: Sequence[DType]) -> Callable[[Sequence[Any]], None]:
        """A function that stores one value per result at the current point, rounded to the results' dtypes."""
        rounding = [self.domain.store(t, r.dtype) for t, r in zip(dtypes, c.results, strict=True)]
        targets = [self.arrays[r.name] for r in c.results]
        names = [a.name for a in c.axes]

        def write(values: Sequence[Any]) -> None:
            where = [self.env[n] for n in names]
            for target, store, value in zip(targets, rounding, values, strict=True):
                if self.stepped:
                    self.waiting.append((target, where, store(value)))
                else:
                    target.store(where, store(value))

        return write

    def _map(self, c: Compute) -> None:
        meaning = _TensorMeaning(c.values, self)
        write = self._writer(c, [e.dtype for e in c.values])
        for _ in self._results_points(c):
            write(meaning(self.env))

    def _fold(self, c: Compute, how: Reduction | Scan) -> Fold:
        for value, acc in zip(c.values, how.accs, strict=True):
            if value.dtype is not acc.dtype:
                raise InternalError(f"the step of {acc.name!r} is of {value.dtype}, not {acc.dtype}")
        init = _TensorMeaning(how.init, self)(self.env)
        merge = _TensorMeaning(how.merge, self) if how.merge else None
        return Fold(how.accs, how.others, init, _TensorMeaning(c.values, self), merge)

    def _reduce(self, c: Compute, reduction: Reduction) -> None:
        fold = self._fold(c, reduction)
        write = self._writer(c, [a.dtype for a in reduction.accs])
        for _ in self._results_points(c):
            extents = [(a.name, evaluate(a.extent, self.env)) for a in reduction.axes]
            write(fold.reduce(fold.init, list(zip(extents, reduction.orders, strict=True)), self.env))

    def _scan(self, c: Compute, scan: Scan) -> None:
        fold = self._fold(c, scan)
        write = self._writer(c, [a.dtype for a in scan.accs])
        extent = self._extent(c, scan.axis)
        for _ in self._results_points(c):
            result = carry = fold.init
            for i in range(extent):
                if i % scan.chunk == 0:
                    carry, local = result, fold.init
                self.env[scan.axis] = i
                local = fold.step(local, self.env)
                result = fold.join(carry, local, self.env)
                write(result)

    def _extent(self, c: Compute, axis: str) -> int:
        return next(evaluate(a.extent, self.env) for a in c.axes if a.name == axis)

    def _sort(self, c: Compute, sort: Sort) -> None:
        meaning, write = _TensorMeaning(c.values, self), self._writer(c, [I64])
        places = range(self._extent(c, sort.axis))
        for _ in self._results_points(c):
            keys = []
            for self.env[sort.axis] in places:
                keys.append(list(meaning(self.env)))
            for p, place in enumerate(sorted(places, key=keys.__getitem__)):
                self.env[sort.axis] = p
                write([place])

    def _scatter(self, c: Compute, scatter: Scatter) -> None:
        (result,), (value,) = c.results, c.values
        target, dtype = self.arrays[result.name], value.dtype.compute
        combine, store = self._combiner(scatter.combine, dtype), self.domain.store(dtype, result.dtype)
        widen = self.domain.cast(value.dtype, dtype)
        sums = Array(result.name, dtype, target.shape, self._start(scatter, dtype, len(target.cells)))
        meaning = _TensorMeaning([value, *data_indices(scatter.indices)], self)
        place, added = Place(meaning, target, scatter.indices), meaning.value(value)
        for _ in self._points(c.axes):
            slots = meaning.evaluate(self.env)
            where = place.checked(self.env, slots)
            if where is not None:
                sums.store(where, combine(sums.load(where), widen(added(self.env, slots))))
        target.cells = [store(v) for v in sums.cells]

    def _combiner(self, how: str, dtype: DType) -> Callable[[Any, Any], Any]:
        """What becomes of a cell and the value of a point that falls on it."""
        if how == "set":
            return lambda old, new: new
        if how not in ("add", "max", "min"):
            raise InternalError(f"no meaning for a scatter that combines by {how!r}")
        return self.domain.operation(how, [dtype, dtype], dtype)

    def _start(self, scatter: Scatter, dtype: DType, count: int) -> list[Any]:
        """The cells before the first point."""
        if scatter.start is not None:
            array = self.array(scatter.start)
            widen = self.domain.cast(array.dtype, dtype)
            return [widen(v) for v in array.cells]
        (init,) = _TensorMeaning([scatter.init], self)(self.env)
        return [self.domain.cast(scatter.init.dtype, dtype)(init)] * count
