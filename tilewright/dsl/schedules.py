"""Checks of ``schedule`` blocks: subjects, conditions, and the steps against the signatures of the primitives."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import field

from tilewright.dsl import syntax as ast
from tilewright.dsl.attributes import Kind, kind_of
from tilewright.dsl.mend import left_out, replaced, stretch
from tilewright.dsl.program import error, meant, nearest, unknown
from tilewright.dsl.static import check_choice
from tilewright.errors import CheckError, ScheduleError
from tilewright.ir.schedule import (
    BLOCK,
    CONDITIONS,
    LOOP,
    LOOPS,
    NAME,
    NAMES,
    NO_LOOPS,
    PRIMITIVES,
    ROLES,
    Argument,
    Signature,
    check_argument,
)
from tilewright.records import dataclass

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_ARITHMETIC = ("+", "-", "*", "//", "%")
_MEASURES = {
    "bytes": "bytes(b), a tensor",
    "extent": "extent(i), an axis",
    "stride": "stride(a, i), a tensor and an axis",
}
_DERIVED = (NAME, NAMES, CONDITIONS)
"""Kinds of arguments that a block does not write: new loops stand on the left, conditions after ``when``."""


def check_schedules(module: ast.Module, targets: Collection[str] | None = None) -> None:
    """Raises CheckError for what is wrong first in a schedule of ``module``; ``targets`` are those that exist."""
    certain: dict[tuple[str, str | None, str], ast.Schedule] = {}
    for s in module.schedules:
        _Block(s, _subject(s, module)).check(targets)
        key = s.subject.text, s.statement.text if s.statement else None, s.target.text
        if key in certain:
            hint = "put blocks with a condition first: the first that holds is used"
            raise error("this schedule is never used: the one before it has no condition", s.subject.span, hint)
        if s.condition is None:
            certain[key] = s


# --- what is scheduled ----------------------------------------------------------------------


@dataclass
class _Subject:
    """What a block may name: axes, tensors and blocks; dims, attributes and optional operands of an op."""

    axes: list[str]
    tensors: list[str]
    blocks: list[str]
    dims: list[str] = field(default_factory=list)
    kinds: dict[str, Kind] = field(default_factory=dict)
    optional: list[str] = field(default_factory=list)
    op: ast.Op | None = None
    strides: set[tuple[str, str]] | None = None
    """Which axis is an index by itself of which tensor; None: every one may be."""


def _subject(s: ast.Schedule, module: ast.Module) -> _Subject:
    if s.axes is not None:
        return _role(s, s.axes)
    ops = {op.name: op for op in module.ops}
    if s.subject.text in ops:
        return _of_op(s, ops[s.subject.text])
    if s.subject.text in ROLES:
        hint = f"name its axes and tensors: {_written(s.subject.text)}"
        raise error(f"{s.subject.text} is a role", s.subject.span, hint)
    raise unknown("op or role", s.subject, [*ops, *ROLES])


def _written(role: str) -> str:
    return f"{role}({', '.join(ROLES[role].axes)}; {', '.join(ROLES[role].tensors)})"


def _role(s: ast.Schedule, axes: Sequence[ast.Name]) -> _Subject:
    name = s.subject.text
    if name not in ROLES:
        hint = f"{nearest(name, ROLES)}; for an op, leave out the parentheses"
        raise error(f"there is no role {name!r}", s.subject.span, hint, meant(s.subject, ROLES))
    if s.statement:
        raise error("a role has no statements", s.statement.span, f"write {_written(name)}")
    role, given = ROLES[name], [*axes, *s.tensors]
    if len(axes) != len(role.axes) or len(s.tensors) != len(role.tensors):
        message = f"{name} has {len(role.axes)} axes and {len(role.tensors)} tensors"
        raise error(message, s.subject.span, f"as in {_written(name)}: {role.doc}")
    for at, n in enumerate(given):
        if n.text in [g.text for g in given[:at]]:
            raise error(f"the name {n.text} is taken", n.span, "give each axis and tensor a name of its own")
    tensors = [t.text for t in s.tensors]
    return _Subject([a.text for a in axes], tensors, tensors[-1:])


def _of_op(s: ast.Schedule, op: ast.Op) -> _Subject:
    statements = [n for n, _ in ast.walk(*op.body) if isinstance(n, (ast.Assign, ast.Scatter, ast.Invoke))]
    chosen = _chosen(s, op, statements)
    made = [name.text for n in statements for name in _targets(n)]
    subject = _Subject(
        list(dict.fromkeys(_axes(chosen))),
        list(dict.fromkeys([*(o.name for o in op.operands), *made])),
        [name.text for n in chosen for name in _targets(n)],
        [n.text for o in op.operands for d in o.dims for n in ast.value_names(d)],
        {a.name: kind_of(a) for a in op.attributes},
        [o.name for o in op.operands if o.optional],
        op,
    )
    elements = [n for n, _ in ast.walk(*chosen) if isinstance(n, ast.Element)]
    places = [(e.tensor.text, e.indices) for e in elements]
    places += [(t.text, n.axes) for n in chosen if isinstance(n, ast.Assign) for t in n.targets]
    subject.strides = {(t, a.value.text) for t, at in places for a in at if isinstance(a.value, ast.Name)}
    return subject


def _chosen(s: ast.Schedule, op: ast.Op, statements: Sequence[ast.Statement]) -> list[ast.Statement]:
    """The statements that the block is for: those of one tensor."""
    names = list(dict.fromkeys(name.text for n in statements for name in _targets(n)))
    groups = {tuple(t.text for t in _targets(n)) for n in statements}
    if s.statement is None and len(groups) > 1:
        hint = f"say which: schedule {op.name}.{names[0]} for {s.target.text}"
        raise error(f"{op.name} has statements for {', '.join(names)}", s.subject.span, hint)
    if s.statement is not None and s.statement.text not in names:
        raise unknown(f"statement of {op.name}", s.statement, names)
    wanted = s.statement.text if s.statement else names[0]
    found = [n for n in statements if wanted in [t.text for t in _targets(n)]]
    for n in found:
        if isinstance(n, ast.Invoke):
            hint = f"schedule {n.function.text} instead"
            raise error(f"{wanted} comes from a call of {n.function.text}", (s.statement or s.subject).span, hint)
    return found


def _targets(s: ast.Statement) -> tuple[ast.Name, ...]:
    if isinstance(s, ast.Scatter):
        return (s.target,)
    return s.targets if isinstance(s, (ast.Assign, ast.Invoke)) else ()


def _axes(statements: Sequence[ast.Statement]) -> Iterator[str]:
    """The axes that statements name: of their results and of the reductions in them."""
    for s in statements:
        if isinstance(s, ast.Assign):
            yield from (a.value.text for a in s.axes if isinstance(a.value, ast.Name))
        if isinstance(s, ast.Scatter):
            written = s.axes if s.axes is not None else s.indices
            yield from (n.text for n in ast.value_names(*written))
    for n, _ in ast.walk(*statements):
        if isinstance(n, (ast.Reduce, ast.Fold)):
            yield from (a.value.text for a in n.axes if isinstance(a.value, ast.Name))


# --- the block ------------------------------------------------------------------------------


class _Block:
    """One block being checked; ``loops`` are those that there are after the steps so far, with their kinds."""

    def __init__(self, written: ast.Schedule, subject: _Subject) -> None:
        self.written = written
        self.subject = subject
        self.loops = dict.fromkeys(subject.axes, "serial")
        self.gone: dict[str, str] = {}

    def check(self, targets: Collection[str] | None) -> None:
        target = self.written.target
        if targets is not None and target.text not in targets:
            raise unknown("target", target, sorted(targets))
        if self.written.condition is not None:
            self._condition(self.written.condition)
        for step in self.written.rewrites:
            self._step(step)

    # conditions

    def _condition(self, e: ast.Expr) -> None:
        if isinstance(e, ast.Unary) and e.op == "not":
            return self._condition(e.value)
        if isinstance(e, ast.Binary) and e.op in ("and", "or"):
            self._condition(e.left)
            return self._condition(e.right)
        if isinstance(e, ast.Binary) and e.op in _COMPARISONS:
            return self._comparison(e)
        flags = [*self.subject.optional, *(n for n, k in self.subject.kinds.items() if k == Kind("bool"))]
        if not isinstance(e, ast.Name) or e.text not in flags:
            raise error("this is not a condition", e.span, "compare sizes, as in bytes(b) > 1MiB")
        return None

    def _comparison(self, e: ast.Binary) -> None:
        choices = [side for side in (e.left, e.right) if self._is_choice(side)]
        if not choices:
            self._size(e.left)
            self._size(e.right)
            return
        other = e.right if choices[0] is e.left else e.left
        if e.op not in ("==", "!=") or not isinstance(other, ast.Text) or self.subject.op is None:
            raise error("a choice is compared with a text", e.span, 'as in mode == "..."')
        check_choice(choices[0], other, self.subject.op)

    def _is_choice(self, e: ast.Expr) -> bool:
        return isinstance(e, ast.Name) and e.text in self.subject.kinds and bool(self.subject.kinds[e.text].choices)

    def _size(self, e: ast.Expr) -> None:
        """Checks that ``e`` is a whole number that is known at the call."""
        kinds = self.subject.kinds
        if isinstance(e, ast.Number) and isinstance(e.value, int):
            return
        if isinstance(e, ast.Binary) and e.op in _ARITHMETIC:
            self._size(e.left)
            self._size(e.right)
        elif isinstance(e, ast.Unary) and e.op == "-":
            self._size(e.value)
        elif isinstance(e, ast.Call) and e.function.text in _MEASURES:
            self._measure(e)
        elif isinstance(e, ast.Name):
            known = [*self.subject.dims, *(n for n, k in kinds.items() if k == Kind("int"))]
            if e.text not in known:
                raise self._no_size(e, known)
        elif not isinstance(e, ast.Element) or kinds.get(e.tensor.text, Kind("")).base != "int":
            hint = f"it may use dims, int attributes, whole numbers, {', '.join(_MEASURES.values())}"
            raise error("this is not a whole number known at the call", e.span, hint)

    def _no_size(self, e: ast.Name, known: Sequence[str]) -> CheckError:
        if e.text in self.subject.axes:
            return error(f"{e.text} is an axis, not a size", e.span, f"write extent({e.text})")
        if e.text in self.subject.tensors:
            return error(f"{e.text} is a tensor, not a size", e.span, f"write bytes({e.text})")
        return unknown("size", e, [*known, *(f"extent({a})" for a in self.subject.axes)])

    def _measure(self, e: ast.Call) -> None:
        name, subject = e.function.text, self.subject
        wanted = {"bytes": (subject.tensors,), "extent": (subject.axes,), "stride": (subject.tensors, subject.axes)}[
            name
        ]
        if len(e.args) != len(wanted):
            raise error(f"{name} takes {len(wanted)} names, not {len(e.args)}", e.span, f"as in {_MEASURES[name]}")
        for arg, names in zip(e.args, wanted, strict=True):
            if not isinstance(arg, ast.Name):
                raise error("a name is needed here", arg.span, f"as in {_MEASURES[name]}")
            if arg.text not in names:
                raise unknown("tensor" if names is subject.tensors else "axis", arg, names)
        given = tuple(a.text for a in e.args if isinstance(a, ast.Name))
        if name == "stride" and subject.strides is not None and given not in subject.strides:
            raise error(
                f"no axis of {given[0]} is {given[1]} itself", e.span, "a stride is that of an axis of the tensor"
            )

    # steps

    def _step(self, s: ast.Rewrite) -> None:
        name = s.primitive.text.replace("_", "-")
        if name not in PRIMITIVES:
            raise unknown("primitive", s.primitive, [p.replace("-", "_") for p in PRIMITIVES])
        sig = PRIMITIVES[name]
        given = self._arguments(s, sig)
        used = [n for argument in sig.arguments for n in self._loops_of(argument, given)]
        for loop in used:
            self._check_loop(loop, sig)
            if sig.becomes:
                self.loops[loop.text] = sig.becomes
        if sig.makes != NO_LOOPS:
            self._replace(s, sig, used, given.get("tail"))
        elif s.targets:
            hint, left = (
                "leave out what is on the left of =",
                stretch(s.span, s.span.offsets[0], s.primitive.span.offsets[0]),
            )
            raise error(f"{s.primitive.text} makes no loops", s.targets[0].span, hint, replaced(left, ""))

    def _arguments(self, s: ast.Rewrite, sig: Signature) -> dict[str, ast.Expr | ast.Several]:
        """What is given for each argument; each is of its kind."""
        taken = _taken(sig)
        names, form = [a.name for a in taken], f"it is {_form(sig)}: {sig.doc}"
        given: dict[str, ast.Expr | ast.Several] = {}
        if taken[0].kind is LOOPS:
            given[names[0]] = ast.Several(s.span, s.args)
        elif len(s.args) > len(taken):
            raise error(f"{s.primitive.text} takes {len(taken)} arguments, not {len(s.args)}", s.span, form)
        else:
            given.update(zip(names, s.args, strict=False))
        for k in s.keywords:
            if k.name.text not in names:
                message = f"{s.primitive.text} has no argument {k.name.text!r}"
                raise error(message, k.name.span, nearest(k.name.text, names) or form, meant(k.name, names))
            if k.name.text in given:
                raise error(f"{k.name.text} is given twice", k.span, "leave one out", left_out(k.span))
            given[k.name.text] = k.value
        for argument in taken:
            self._check_argument(s, sig, argument, given.get(argument.name))
        return given

    def _check_argument(self, s: ast.Rewrite, sig: Signature, a: Argument, e: ast.Expr | ast.Several | None) -> None:
        if e is None:
            if not a.optional:
                raise error(
                    f"{s.primitive.text} needs {a.name}: {a.kind.text}", s.span, f"it is {_form(sig)}: {sig.doc}"
                )
            return
        try:
            check_argument(sig, a, _value(e))
        except ScheduleError as wrong:
            raise error(wrong.message, e.span, wrong.hint) from None
        if a.kind is BLOCK and isinstance(e, ast.Name) and e.text not in self.subject.blocks:
            raise unknown("block", e, self.subject.blocks)

    @staticmethod
    def _loops_of(argument: Argument, given: dict[str, ast.Expr | ast.Several]) -> Iterator[ast.Name]:
        value = given.get(argument.name)
        names = value.items if isinstance(value, ast.Several) else (value,)
        if argument.kind in (LOOP, LOOPS):
            yield from (n for n in names if isinstance(n, ast.Name))

    def _check_loop(self, name: ast.Name, sig: Signature) -> None:
        """There is such a loop, and the primitive may still change it."""
        if name.text in self.gone:
            raise error(f"the loop {name.text} is gone", name.span, f"it became {self.gone[name.text]}")
        if name.text not in self.loops:
            raise unknown("loop", name, self.loops)
        kind, replaced = self.loops[name.text], sig.makes != NO_LOOPS
        if (sig.becomes and kind != "serial") or (replaced and kind not in ("serial", "parallel")):
            hint = "a loop has one kind; split and fuse before"
            raise error(f"the loop {name.text} is {kind} already", name.span, hint)

    def _replace(self, s: ast.Rewrite, sig: Signature, used: Sequence[ast.Name], tail: object) -> None:
        """Other loops take the place of those ``used``; only a cut leaves a remainder that may have a name."""
        least, most = sig.makes
        if not isinstance(tail, ast.Name) or tail.text != "cut":
            most = least
        if not least <= len(s.targets) <= most:
            many = f"{least}" if least == most else f"{least} or {most}"
            names = ", ".join(f"{used[0].text}{n}" for n in range(least))
            fix = () if s.targets else replaced(s.span.start, f"{names} = ")
            message = f"{s.primitive.text} makes {many} loops, not {len(s.targets)}"
            raise error(message, s.span, f"name them: {names} = {_form(sig)}", fix)
        for name in used:
            del self.loops[name.text]
        made = ", ".join(t.text for t in s.targets)
        self.gone.update((n.text, made) for n in used)
        for target in s.targets:
            if target.text in self.loops or target.text in self.subject.tensors:
                raise error(f"the name {target.text} is taken", target.span, "give the new loop another name")
            self.gone.pop(target.text, None)
            self.loops[target.text] = "serial"


def _taken(sig: Signature) -> list[Argument]:
    """The arguments of a primitive that a block writes."""
    return [a for a in sig.arguments if a.kind not in _DERIVED]


def _value(e: ast.Expr | ast.Several) -> object:
    if isinstance(e, ast.Several):
        return tuple(map(_value, e.items))
    if isinstance(e, ast.Name):
        return e.text
    if isinstance(e, ast.Number):
        return e.value
    raise error("a name or a number is needed here", e.span, "as in split(i, 8, tail=cut)")


def _form(sig: Signature) -> str:
    """How a primitive is written."""
    parts = [f"{a.name}=..." if a.optional else "i, j, ..." if a.kind is LOOPS else a.name for a in _taken(sig)]
    return f"{sig.name.replace('-', '_')}({', '.join(parts)})"
