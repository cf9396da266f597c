"""The vector-Jacobian product of a function, as a function.

It is derived from scalar nodes, index maps and combiners; nothing here knows an op. The statements are gone through
backwards. Each sends the cotangent of its result to its reads (``derivatives``), and each read back along its index map
(``transpose``). What the derivatives need of the forward values is computed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import partial, reduce
from typing import ClassVar

from tilewright.errors import CallError, UnsupportedError
from tilewright.ir import index as ix
from tilewright.ir import scalar, statements
from tilewright.ir.facts import Facts
from tilewright.ir.index import Index
from tilewright.ir.scalar import Apply, Expr, Read, Var, apply, convert, literal
from tilewright.ir.statements import Names
from tilewright.ir.steps import pending
from tilewright.ir.tensor import SCAN_CHUNK, Axis, Compute, Function, Scan, Statement, Steps, Tensor, computes
from tilewright.passes.pipeline import Pass
from tilewright.passes.tensor.cotangents import zero
from tilewright.passes.tensor.derivatives import pull_back
from tilewright.passes.tensor.eliminate_dead import eliminate_dead
from tilewright.passes.tensor.steps import explicit, stepwise
from tilewright.passes.tensor.transpose import Flow, Gathered, gather, scatter, total
from tilewright.records import dataclass


def differentiate(f: Function, wrt: Sequence[str]) -> Function:
    """The vector-Jacobian product of ``f`` with respect to the inputs ``wrt``.

    Its inputs are those of ``f`` that it needs and one cotangent ``d_<output>`` per float output; its outputs are
    ``d_<input>`` for each of ``wrt``, in that order and of the inputs' dtypes. Raises CallError if ``wrt`` names no
    float input, and UnsupportedError at a statement that cannot be differentiated.
    """
    for name in wrt:
        if not any(t.name == name and t.dtype.is_float for t in f.inputs):
            raise CallError(f"{f.name} has no float input {name!r} to differentiate with respect to", f.span)
    chosen = Names({t.name for t in f.inputs})
    cotangents = [chosen.fresh(f"d_{o}") for o in f.outputs]
    gradients = {w: chosen.fresh(f"d_{w}") for w in wrt}
    f = _make_room(f, {*cotangents, *gradients.values()})
    names = statements.names(f)
    names.taken |= chosen.taken
    backward = _Backward(f, _moved(f, wrt), names)
    floats = [(o, d) for o, d in zip(f.outputs, cotangents, strict=True) if f.tensor(o).dtype.is_float]
    seeds = tuple(backward.seed(o, d) for o, d in floats)
    for s in reversed(_in_steps(f.body)):
        backward.statement(s)
    for w, name in gradients.items():
        backward.gradient(f.tensor(w), name)
    return _assemble(f, seeds, backward.body, tuple(gradients.values()))


def _moved(f: Function, wrt: Sequence[str]) -> set[str]:
    """The names of the float tensors that depend on ``wrt``."""
    found, before = set(wrt), 0
    while before < len(found):  # steps read what is computed further down
        before = len(found)
        for c in f.computes:
            if any(r.tensor in found for r in statements.reads(c)):
                found |= {r.name for r in c.results if r.dtype.is_float}
    return found


def _in_steps(body: Sequence[Statement]) -> list[Statement]:
    """``body`` with the scans as steps that are no running sums."""
    found: list[Statement] = []
    for s in body:
        if isinstance(s, Steps):
            found.append(replace(s, body=tuple(_in_steps(s.body))))
        else:
            found.append(stepwise(s, s.scan) if s.scan and not _is_running_sum(s, s.scan) else s)
    return found


def _is_running_sum(c: Compute, scan: Scan) -> bool:
    return all(_joined(v, a, "add") for v, a in zip(c.values, scan.accs, strict=True))


def _make_room(f: Function, wanted: set[str]) -> Function:
    """``f`` with results renamed that have a name of ``wanted``."""
    names = statements.names(f)
    names.taken |= wanted
    moved = {r.name: names.fresh(r.name) for c in f.computes for r in c.results if r.name in wanted}
    body = tuple(statements.rename(c, moved, {}, {}) for c in f.body) if moved else f.body
    return replace(f, body=body, outputs=tuple(moved.get(o, o) for o in f.outputs))


def _assemble(f: Function, seeds: tuple[Tensor, ...], body: list[Statement], outputs: tuple[str, ...]) -> Function:
    """The function of the forward statements, then ``body``; without what is not needed."""
    inputs = (*f.inputs, *seeds)
    return pruned(replace(f, name=f"{f.name}_vjp", inputs=inputs, body=(*f.body, *body), outputs=outputs))


def pruned(f: Function) -> Function:
    """``f`` without the statements, inputs and scalars that its outputs do not need."""
    f = eliminate_dead(f)
    read = {r.tensor for c in f.computes for r in statements.reads(c)}
    used = statements.params(f)
    scalars = tuple(s for s in f.scalars if s.name in used)
    return replace(f, inputs=_keep(f.inputs, read, _dims_needed(f)), scalars=scalars)


def _dims_needed(f: Function) -> frozenset[str]:
    in_body = statements.union(map(statements.free_symbols, f.computes))
    return in_body | statements.union(ix.symbols(c.index) for c in f.preconditions)


def _keep(inputs: tuple[Tensor, ...], read: set[str], needed: frozenset[str]) -> tuple[Tensor, ...]:
    """The inputs that are read, and those that alone say how large a needed dim is."""
    kept = {t.name for t in inputs if t.name in read}
    needed |= statements.union(ix.symbols(d) for t in inputs if t.name in kept for d in t.shape)
    for symbol in sorted(needed):
        telling = [t.name for t in inputs if ix.symbol(symbol) in t.shape]
        if telling and not kept.intersection(telling):
            kept.add(telling[0])
    return tuple(t for t in inputs if t.name in kept)


_Arrival = tuple[Flow, "Gathered | None"]


@dataclass
class _Made:
    """Of a result of steps: what flows to its cotangent from outside, and the statements that this is ready for."""

    outside: list[Expr]
    after: list[Statement] = field(default_factory=list)


@dataclass
class _Backward:
    """The backward statements as they grow: ``flows`` has what has been sent to each tensor so far."""

    f: Function
    moved: set[str]
    names: Names
    body: list[Statement] = field(default_factory=list)
    stepped: dict[str, Tensor] = field(default_factory=dict)
    """The cotangents of results of steps."""
    flows: dict[str, list[Flow]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tensors = self.f.tensors()
        self.over = {r.name: c.axes for c in self.f.computes if not c.scatter for r in c.results}
        self.accumulators = (self.names.fresh("acc"), self.names.fresh("other"))

    def seed(self, output: str, name: str) -> Tensor:
        """The cotangent ``name`` of ``output`` as an operand; it flows to the output."""
        tensor = self.tensors[output]
        axes, cotangent = self._axes(tensor), Tensor(name, tensor.dtype, tensor.shape)
        point = _point(axes)
        self._send(Flow(Read(output, point, tensor.dtype), _widened(cotangent, point), axes, _names(axes)))
        return cotangent

    def statement(self, s: Statement) -> None:
        """Sends the cotangents of the results of ``s`` to what it reads."""
        if isinstance(s, Steps):
            self._steps(s)
        elif any(r.tensor in self.moved for r in statements.reads(s)):
            self._compute(s, [n for n, r in enumerate(s.results) if r.name in self.flows])

    def _compute(self, c: Compute, numbers: Sequence[int]) -> None:
        """The same of the results of ``c`` with these numbers."""
        try:
            for number in numbers:
                self._result(c, number)
        except UnsupportedError as e:
            reason = f"cannot differentiate {c.results[0].name!r}: {e.message}"
            raise UnsupportedError(reason, c.span) from None

    # --- steps ----------------------------------------------------------------------------------

    def _steps(self, s: Steps) -> None:
        """The cotangents of what ``s`` computes are computed in steps in the other direction, last statement first.

        They are named before any flows, as those of one step are made of those of the steps after it.
        """
        wanted = self._moving(s)
        for r in wanted:
            self.stepped[r.name] = Tensor(self.names.fresh(f"d_{r.name}"), r.dtype.compute, r.shape)
        made = {r.name: _Made(self._outside(r)) for r in wanted}
        for r in wanted:
            self.flows.pop(r.name, None)
        facts, body = Facts({}, self.f.preconditions, statements.dims(self.f)), self.body
        for c, _, seen in pending(s):
            numbers = [n for n, r in enumerate(c.results) if r.name in self.stepped]
            self.body = []
            if numbers:
                self._compute(explicit(c, seen, facts), numbers)
                made[c.results[numbers[-1]].name].after = self.body
        self.body = body
        backward = self._backwards(s, made)
        if backward.body:
            self.body.append(backward)

    def _moving(self, s: Steps) -> list[Tensor]:
        """The results of ``s`` that something flows to, from outside or from inside."""
        results = {r.name: r for c in computes((s,)) for r in c.results if r.name in self.moved}
        found, before = [r for r in results if r in self.flows], -1
        while before < len(found):
            before = len(found)
            for c in computes((s,)):
                if any(r.name in found for r in c.results):
                    found += [x.tensor for x in statements.reads(c) if x.tensor in results and x.tensor not in found]
        return [results[name] for name in dict.fromkeys(found)]

    def _outside(self, r: Tensor) -> list[Expr]:
        """What has flowed to ``r`` so far, at a point of its axes."""
        cotangent, axes = self.stepped[r.name], self._axes(r)
        return [self._part(cotangent, axes, *arrival) for arrival in self._arrivals(r)]

    def _backwards(self, s: Steps, made: Mapping[str, _Made]) -> Steps:
        outer, self.body = self.body, []
        for part in reversed(s.body):
            if isinstance(part, Steps):
                inner = self._backwards(part, made)
                self.body += [inner] if inner.body else []
                continue
            for r in part.results:
                if r.name in made:
                    self._define(self.stepped[r.name], part.axes, self._inside(r, part.axes), made[r.name].outside)
            for r in part.results:
                self.body += made[r.name].after if r.name in made else []
        body, self.body = tuple(self.body), outer
        return Steps(s.axes, body, not s.down, s.span)

    def _inside(self, r: Tensor, axes: tuple[Axis, ...]) -> list[_Arrival]:
        """What flows to ``r`` from statements of the same steps."""
        found: list[_Arrival] = []
        for flow in self.flows.pop(r.name, []):
            gathered = gather(flow, axes, self.names, search=True)
            assert gathered is not None
            found.append((flow, replace(gathered, value=self._where_there(gathered.value, axes))))
        return found

    def _where_there(self, e: Expr, axes: tuple[Axis, ...]) -> Expr:
        """``e`` with cotangents of other steps, which may not be there, guarded."""
        over = {t.name: self.over[name] for name, t in self.stepped.items()}
        here = _names(axes)

        def rule(node: Expr) -> Expr:
            if not isinstance(node, Read) or node.tensor not in over or node.otherwise is not None:
                return node
            places = zip(over[node.tensor], node.indices, strict=True)
            moved = any(a.name in here and i is not ix.symbol(a.name) for a, i in places)
            return Read(node.tensor, node.indices, node.dtype, (), zero(node.dtype)) if moved else node

        return scalar.rewrite(e, rule)

    # --- one result -----------------------------------------------------------------------------

    def _result(self, c: Compute, number: int) -> None:
        value, cotangent = c.values[number], self._cotangent(c.results[number])
        here = _widened(cotangent, _point(c.axes))
        if c.scatter:
            if c.scatter.combine != "add":
                raise UnsupportedError(f"it is a scatter by {c.scatter.combine}")
            self._pull(c, value, _widened(cotangent, c.scatter.indices))
            self._start(c, cotangent)
        elif c.scan:
            self._pull(c, value, self._from_the_end(c, cotangent, c.scan), c.scan.accs[number])
        elif c.reduction is None:
            result = Read(c.results[number].name, _point(c.axes), c.results[number].dtype)
            self._pull(c, value, here, known={value: result})
        else:
            acc = c.reduction.accs[number]
            element = _joined(value, acc, "max", "min")
            if element is None:
                self._pull(c, value, here, acc)
            else:
                self._pull(c, element, self._shared(c, number, element, here))

    def _pull(
        self, c: Compute, root: Expr, seed: Expr, acc: Var | None = None, known: Mapping[Expr, Expr] | None = None
    ) -> None:
        """Sends ``seed`` from ``root`` to the reads in it. A step must pass it on to its accumulator ``acc`` as is."""
        leaves = pull_back(root, seed, self._is_leaf, self.tensors, known or {})
        if {leaf: g for leaf, g in leaves.items() if isinstance(leaf, Var)} != ({acc: seed} if acc else {}):
            raise UnsupportedError("what it folds with is neither a sum nor a maximum or minimum")
        own = frozenset() if c.scatter or c.scan else _names(c.axes)
        axes = statements.all_axes(c)
        for leaf, g in leaves.items():
            if isinstance(leaf, Read):
                self._send(Flow(leaf, g, axes, own, len(axes) - len(c.axes), c.span))

    def _start(self, c: Compute, cotangent: Tensor) -> None:
        """What a scatter-add starts from has the cotangent of its result."""
        for read in statements.start_reads(c):
            if self._is_leaf(read):
                axes = tuple(Axis(self.names.fresh(f"i{n}"), d) for n, d in enumerate(c.results[0].shape))
                there = replace(read, indices=_point(axes))
                self._send(Flow(there, _widened(cotangent, _point(axes)), axes, _names(axes), 0, c.span))

    def _is_leaf(self, e: Expr) -> bool:
        return isinstance(e, Var) or (isinstance(e, Read) and e.tensor in self.moved)

    def _shared(self, c: Compute, number: int, element: Expr, seed: Expr) -> Expr:
        """The part of ``seed`` for one element of a maximum or minimum: those equal to the result share it."""
        result = c.results[number]
        reduced = statements.all_axes(c)[len(c.axes) :]
        stored = convert("cast", convert("cast", element, result.dtype), element.dtype)
        chosen = apply("eq", stored, _widened(result, _point(c.axes)))
        one = apply("where", chosen, literal(1, seed.dtype), zero(seed.dtype))
        ties = Tensor(self.names.fresh(f"{result.name}_ties"), seed.dtype, result.shape)
        self.body.append(total(ties, c.axes, Gathered(one, reduced, c.span), self.accumulators))
        share = apply("div", seed, Read(ties.name, _point(c.axes), ties.dtype))
        return apply("where", chosen, share, zero(seed.dtype))

    def _from_the_end(self, c: Compute, cotangent: Tensor, scan: Scan) -> Expr:
        """The sum of ``cotangent`` from each point of a running sum to its end: a running sum of it reversed."""
        extent = next(a.extent for a in c.axes if a.name == scan.axis)
        reverse = tuple(extent - 1 - i if i.symbol == scan.axis else i for i in _point(c.axes))
        element = _widened(cotangent, reverse)
        acc, other = (Var(name, element.dtype) for name in self.accumulators)
        result = Tensor(self.names.fresh(f"{cotangent.name}_reversed"), element.dtype, cotangent.shape)
        merge = apply("add", acc, other)
        running = Scan(scan.axis, SCAN_CHUNK, (acc,), (zero(acc.dtype),), (other,), (merge,))
        step = apply("add", acc, element)
        self.body.append(Compute((result,), c.axes, (step,), scan=running, span=c.span))
        return Read(result.name, reverse, result.dtype)

    def _send(self, flow: Flow) -> None:
        self.flows.setdefault(flow.read.tensor, []).append(flow)

    def _cotangent(self, tensor: Tensor) -> Tensor:
        """The finished cotangent of ``tensor``, which something has flowed to."""
        if tensor.name in self.stepped:
            return self.stepped[tensor.name]
        axes, arrivals = self._axes(tensor), self._arrivals(tensor)
        same = _just_read(arrivals[0][1], axes) if len(arrivals) == 1 else None
        if same:
            return Tensor(same.tensor, same.dtype, tensor.shape)
        result = Tensor(self.names.fresh(f"d_{tensor.name}"), tensor.dtype.compute, tensor.shape)
        self._define(result, axes, arrivals)
        return result

    def gradient(self, tensor: Tensor, name: str) -> None:
        """Adds the statements that define ``name`` as all that has flowed to ``tensor``, rounded to its dtype."""
        self._define(Tensor(name, tensor.dtype, tensor.shape), self._axes(tensor), self._arrivals(tensor))

    def _arrivals(self, tensor: Tensor) -> list[_Arrival]:
        axes = self._axes(tensor)
        return [(flow, gather(flow, axes, self.names)) for flow in self.flows.get(tensor.name, [])]

    def _define(
        self, result: Tensor, axes: tuple[Axis, ...], arrivals: list[_Arrival], others: Sequence[Expr] = ()
    ) -> None:
        """Adds the statements that define ``result`` over ``axes`` as the sum of ``others`` and ``arrivals``."""
        if not others and len(arrivals) == 1 and self._by_one_statement(result, axes, *arrivals[0]):
            return
        parts = [*others, *(self._part(result, axes, *arrival) for arrival in arrivals)] or [zero(result.dtype)]
        value = convert("cast", reduce(partial(apply, "add"), parts), result.dtype)
        self.body.append(Compute((result,), axes, (value,), span=arrivals[0][0].span if arrivals else None))

    def _by_one_statement(self, result: Tensor, axes: tuple[Axis, ...], flow: Flow, gathered: Gathered | None) -> bool:
        """Defines ``result`` as the one arrival, if that is a sum or a scatter."""
        if gathered is None:
            self.body.extend(scatter(flow, result, axes, self.names))
        elif gathered.axes:
            self.body.append(total(result, axes, gathered, self.accumulators))
        return gathered is None or bool(gathered.axes)

    def _part(self, result: Tensor, axes: tuple[Axis, ...], flow: Flow, gathered: Gathered | None) -> Expr:
        """One of several arrivals, at the point of ``axes``."""
        if gathered and not gathered.axes:
            return gathered.value
        part = Tensor(self.names.fresh(f"{result.name}_part"), flow.value.dtype, result.shape)
        self._by_one_statement(part, axes, flow, gathered)
        return Read(part.name, _point(axes), part.dtype)

    def _axes(self, tensor: Tensor) -> tuple[Axis, ...]:
        """The axes that statements over the whole of ``tensor`` run over: those of the statement that defines it, or
        those that it was read along."""
        if tensor.name not in self.over:
            reads = [flow.read for flow in self.flows.get(tensor.name, [])]
            plain = next((p for p in map(_plain_axes, reads) if p), {})
            named = [plain.get(k) or self.names.fresh(f"i{k}") for k in range(len(tensor.shape))]
            self.over[tensor.name] = tuple(Axis(n, d) for n, d in zip(named, tensor.shape, strict=True))
        return self.over[tensor.name]


def _plain_axes(read: Read) -> dict[int, str]:
    """The axes that ``read`` just goes along, by position; each once."""
    named = {i.symbol: k for k, i in reversed(list(enumerate(read.indices))) if isinstance(i, Index) and i.symbol}
    return {k: name for name, k in named.items() if name}


def _names(axes: Sequence[Axis]) -> frozenset[str]:
    return frozenset(a.name for a in axes)


def _point(axes: Sequence[Axis]) -> tuple[Index, ...]:
    return tuple(ix.symbol(a.name) for a in axes)


def _widened(tensor: Tensor, indices: tuple[Index | Expr, ...]) -> Expr:
    """The element of ``tensor`` in its compute dtype."""
    return convert("cast", Read(tensor.name, indices, tensor.dtype), tensor.dtype.compute)


def _just_read(gathered: Gathered | None, axes: Sequence[Axis]) -> Read | None:
    """The read that a value is, widened or not, if it is no sum and an unguarded read of the point of ``axes``."""
    if gathered is None or gathered.axes:
        return None
    e = gathered.value
    read = e.args[0] if isinstance(e, Apply) and e.op == "cast" else e
    if isinstance(read, Read) and read.otherwise is None and read.indices == _point(axes):
        return read if read.dtype.compute is e.dtype else None
    return None


def _joined(step: Expr, acc: Var, *ops: str) -> Expr | None:
    """``e`` if ``step`` is what one of ``ops`` makes of ``acc`` and ``e``."""
    if not isinstance(step, Apply) or step.op not in ops or acc not in step.args:
        return None
    element = step.args[1] if step.args[0] is acc else step.args[0]
    return None if any(isinstance(n, Var) for n in scalar.walk(element)) else element


@dataclass(frozen=True)
class Differentiate(Pass):
    """The pass ``differentiate``; see :func:`differentiate`."""

    name: ClassVar[str] = "differentiate"
    wrt: tuple[str, ...]

    def run(self, subject: Function) -> Function:
        return differentiate(subject, self.wrt)
