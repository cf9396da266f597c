"""Index expressions and conditions as code, each part computed as far outside as its symbols allow.

Every open loop is a scope. Index arithmetic has no side effects (a divisor of 0 is replaced), so a partial sum goes to
the scope of its innermost symbol, before the loops inside it, even if the expression is used under a
condition. Within a scope nothing is computed twice: nodes are hash-consed, so identity finds equals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from functools import reduce
from typing import Any

from tilewright.errors import InternalError
from tilewright.ir.facts import of_sizes
from tilewright.ir.index import (
    Atom,
    Condition,
    Ctz,
    Extremum,
    FloorDiv,
    Index,
    Mod,
    Monomial,
    Pow2,
    Symbol,
    children,
    coefficient,
    const,
    ge,
    of_atom,
    symbol,
    symbols,
)
from tilewright.records import dataclass
from tilewright.targets.cpu.code import BasicBlock, Function
from tilewright.targets.cpu.llvm_types import Value, count_up, mangled, vector


@dataclass(eq=False)
class Scope:
    """``home``: the latest block that has run wherever this scope's code is; ``memo``: what is computed there."""

    home: BasicBlock
    memo: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Lanes:
    """The vectorised loop whose iterations are lanes: its variable and its constant extent."""

    var: str
    count: int


@dataclass(frozen=True)
class Guard:
    """A conjunction of conditions.

    ``same``: the part common to all lanes, an i1; ``own``: the lanes' own part, a mask; ``some``: an i1 that is true
    where any lane passes both. None stands for true. ``never``: it is false at compile time.
    """

    same: str | None = None
    own: str | None = None
    some: str | None = None
    never: bool = False


class Indices:
    """The index emitter of one function. ``load`` makes the value of an outermost symbol in the entry block.

    ``sizes``: the symbols, loop variables among them, that are never negative.
    """

    def __init__(self, fn: Function, load: Callable[[str], str], sizes: frozenset[str]) -> None:
        self.fn = fn
        self.lanes: Lanes | None = None
        self._load = load
        self._facts = of_sizes(sizes)
        self._scopes = [Scope(fn.entry)]
        self._depths: dict[str, int] = {}
        self._known_depths: dict[Index, int] = {}
        self._symbols: dict[Index, frozenset[str]] = {}
        self._arms = 0

    # --- scopes -----------------------------------------------------------------------------

    @contextmanager
    def loop(self, var: str, start: str, stop: str, entered: bool) -> Iterator[None]:
        """A loop of ``var`` and its scope."""
        with self.fn.loop(start, stop, entered) as i:
            self._scopes.append(Scope(self.fn.current, {symbol(var): i}))
            self._depths[var] = len(self._scopes) - 1
            self._known_depths = {}
            arms, self._arms = self._arms, 0
            yield
            self._arms = arms
            self._scopes.pop()
            del self._depths[var]
            self._known_depths = {}
        self._settle()

    @contextmanager
    def arm(self, condition: str, likely: bool = True) -> Iterator[Any]:
        """As :meth:`Function.arm`; index arithmetic written inside stays before it."""
        self._arms += 1
        with self.fn.arm(condition, likely) as arm:
            yield arm
        self._arms -= 1
        self._settle()

    @contextmanager
    def in_lanes(self, var: str, count: int) -> Iterator[None]:
        """Code for all iterations of a vectorised loop at once."""
        self.lanes = Lanes(var, count)
        yield
        self.lanes = None

    def _settle(self) -> None:
        if not self._arms:
            self._scopes[-1].home = self.fn.current

    def symbols(self, index: Index) -> frozenset[str]:
        """As :func:`tilewright.ir.index.symbols`, remembered."""
        found = self._symbols.get(index)
        if found is None:
            found = self._symbols[index] = symbols(index)
        return found

    def varies(self, index: Index) -> bool:
        """Whether ``index`` differs between lanes."""
        return self.lanes is not None and self.lanes.var in self.symbols(index)

    def _depth(self, index: Index) -> int:
        """How many loops are open where all symbols of ``index`` have a value."""
        found = self._known_depths.get(index)
        if found is None:
            found = max((self._depths.get(s, 0) for s in self.symbols(index)), default=0)
            self._known_depths[index] = found
        return found

    def _scope(self, index: Index) -> Scope:
        return self._scopes[self._depth(index)]

    # --- values -----------------------------------------------------------------------------

    def value(self, index: Index) -> Value:
        """``index`` as an i64: one for all lanes, or a vector if it differs between them."""
        if self.lanes is not None and self.varies(index):
            return Value(self._vector(index), self.lanes.count)
        return Value(self.scalar(index))

    def scalar(self, index: Index) -> str:
        """An i64 that is the same in all lanes."""
        if index.constant is not None:
            return str(index.const)
        scope = self._scope(index)
        found = scope.memo.get(index)
        if found is None:
            found = scope.memo[index] = self._sum(None, index, self._depth(index))
        return str(found)

    def pointer(self, base: str, index: Index) -> str:
        """``base`` plus ``index`` bytes."""
        if index.constant == 0:
            return base
        scope = self._scope(index)
        found = scope.memo.get((base, index))
        if found is None:
            found = scope.memo[base, index] = self._sum(base, index, self._depth(index))
        return str(found)

    def _sum(self, base: str | None, index: Index, depth: int) -> str:
        """The outer scopes' part, then this scope's terms, then the constant."""
        home = self._scopes[depth].home
        if index.const and index.terms:
            return self._plus(base, self._or_base(base, Index(index.terms, 0)), str(index.const), home)
        if not index.terms:
            return self._plus(base, base or "0", str(index.const), home)
        mine, outer = self._split(index, lambda m: self._monomial_depth(m) == depth)
        inner = reduce(lambda a, b: self.fn.let(f"add i64 {a}, {b}", home), map(self._term, mine))
        if not outer and base is None:
            return inner
        return self._plus(base, self._or_base(base, Index(outer, 0)), inner, home)

    def _or_base(self, base: str | None, index: Index) -> str:
        return self.scalar(index) if base is None else self.pointer(base, index)

    def _plus(self, base: str | None, left: str, right: str, home: BasicBlock) -> str:
        form = "add i64" if base is None else "getelementptr i8, ptr"
        return self.fn.let(f"{form} {left}, {'' if base is None else 'i64 '}{right}", home)

    def _split(self, index: Index, mine: Callable[[Monomial], bool]) -> tuple[Any, Any]:
        parts: tuple[list[Any], list[Any]] = ([], [])
        for term in index.terms:
            parts[0 if mine(term[0]) else 1].append(term)
        return tuple(parts[0]), tuple(parts[1])

    def _monomial_depth(self, monomial: Monomial) -> int:
        return max(map(self._atom_depth, monomial))

    def _atom_depth(self, atom: Atom) -> int:
        return self._depths.get(atom.name, 0) if isinstance(atom, Symbol) else self._depth(of_atom(atom))

    def _term(self, term: tuple[Monomial, int]) -> str:
        return self._product(term[0], term[1]).text

    def _product(self, monomial: Monomial, coef: int) -> Value:
        if coef == 1 and len(monomial) == 1:
            return self._atom(monomial[0])
        index = Index(((monomial, coef),), 0)
        memo, key = self._scope(index).memo, ("product", index, self.lanes if self.varies(index) else None)
        if key not in memo:
            if len(monomial) > 1 and self._depth(index) > 1:
                self.fn.module.strided = True
            factors = [*map(self._atom, monomial), *([] if coef == 1 else [Value(str(coef))])]
            memo[key] = reduce(lambda a, b: self._combine("mul", a, b, index), factors)
        found = memo[key]
        assert isinstance(found, Value)
        return found

    # --- lanes ------------------------------------------------------------------------------

    def _vector(self, index: Index) -> str:
        assert self.lanes is not None
        memo = self._scope(index).memo
        found = memo.get((index, self.lanes))
        if found is None:
            found = memo[index, self.lanes] = self._lane_sum(index).text
        return str(found)

    def _lane_sum(self, index: Index) -> Value:
        varying, same = self._split(index, lambda m: self.varies(Index(((m, 1),), 0)))
        parts = [self._product(*term) for term in varying]
        rest = Index(same, index.const)
        if rest.constant != 0:
            parts.append(Value(self.scalar(rest)))
        return reduce(lambda a, b: self._combine("add", a, b, index), parts)

    def step(self, index: Index) -> Index | None:
        """What ``index`` gains from one lane to the next; None if that is not one number for all lanes."""
        if self.lanes is None or not self.varies(index):
            return const(0)
        return coefficient(index, self.lanes.var)

    def first(self, index: Index) -> Index:
        """``index`` in lane 0, where :meth:`step` is an answer."""
        if self.lanes is None or not self.varies(index):
            return index
        lane = Symbol(self.lanes.var)
        return Index(tuple([t for t in index.terms if lane not in t[0]]), index.const)

    # --- atoms ------------------------------------------------------------------------------

    def _atom(self, atom: Atom) -> Value:
        index = of_atom(atom)
        memo = self._scope(index).memo
        key = (atom, self.lanes if self.varies(index) else None)
        found = memo.get(key)
        if found is None:
            found = memo[key] = self._make_atom(atom, index)
        assert isinstance(found, Value)
        return found

    def _make_atom(self, atom: Atom, index: Index) -> Value:
        if isinstance(atom, Symbol):
            return self._symbol(atom.name)
        make = _ATOMS.get(type(atom))
        if make is None:
            raise InternalError(f"the cpu emitter does not know the index atom {type(atom).__name__}")
        return make(self, atom, index, [self.value(c) for c in children(atom)])

    def _symbol(self, name: str) -> Value:
        if self.lanes is not None and name == self.lanes.var:
            return Value(count_up("i64", self.lanes.count), self.lanes.count)
        depth = self._depths.get(name, 0)
        return Value(str(self._scopes[depth].memo[symbol(name)]) if depth else self._load(name))

    def _combine(self, op: str, a: Value, b: Value, index: Index) -> Value:
        """``a op b`` in the scope of ``index``, in lanes if one of them is."""
        home, lanes = self._scope(index).home, max(a.lanes, b.lanes)
        x, y = (self.fn.widen(v, "i64", lanes, home) for v in (a, b))
        return Value(self.fn.let(f"{op} {vector('i64', lanes)} {x}, {y}", home), lanes)

    def _call(self, name: str, parts: list[Value], flags: list[tuple[str, str]], index: Index) -> Value:
        home, lanes = self._scope(index).home, max(p.lanes for p in parts)
        kind = vector("i64", lanes)
        arguments = [(kind, self.fn.widen(p, "i64", lanes, home)) for p in parts]
        return Value(self.fn.call(f"{name}.{mangled('i64', lanes)}", kind, [*arguments, *flags], home), lanes)

    def _nonnegative(self, index: Index) -> bool:
        return self._facts.holds(ge(index, 0))

    def _quotient(self, atom: FloorDiv, at: Index, parts: list[Value]) -> Value:
        """Floor division; 0 is replaced as a divisor, so that hoisted code cannot trap."""
        a, b = parts
        d = atom.den.constant
        if d is not None and d > 0 and d & (d - 1) == 0:
            return self._combine("ashr", a, Value(str(d.bit_length() - 1)), at)
        if isinstance(power := _only_atom(atom.den), Pow2):
            return self._combine("ashr", a, self.value(power.exponent), at)
        if d is None and self._nonnegative(atom.den):
            b = self._call("smax", [b, Value("1")], [], atom.den)
        elif d is None or d <= 0:
            return self._general_quotient(a, b, at)
        if self._nonnegative(atom.num):
            return self._combine("udiv", a, b, at)
        sign = self._combine("ashr", a, Value("63"), at)
        positive = self._combine("udiv", self._combine("xor", a, sign, at), b, at)
        return self._combine("xor", positive, sign, at)

    def _general_quotient(self, a: Value, b: Value, at: Index) -> Value:
        """For a divisor of unknown sign: made positive along with the dividend."""
        sign = self._combine("ashr", b, Value("63"), at)
        a, b = (self._combine("sub", self._combine("xor", v, sign, at), sign, at) for v in (a, b))
        b = self._call("umax", [b, Value("1")], [], at)
        negative = self._combine("ashr", a, Value("63"), at)
        positive = self._combine("udiv", self._combine("xor", a, negative, at), b, at)
        return self._combine("xor", positive, negative, at)

    def _remainder(self, atom: Mod, at: Index, parts: list[Value]) -> Value:
        d = atom.den.constant
        if d is not None and d > 0 and d & (d - 1) == 0:
            return self._combine("and", parts[0], Value(str(d - 1)), at)
        quotient = self._atom(FloorDiv(atom.num, atom.den))
        return self._combine("sub", parts[0], self._combine("mul", quotient, parts[1], at), at)

    def _extremum(self, atom: Extremum, at: Index, parts: list[Value]) -> Value:
        return reduce(lambda a, b: self._call(f"s{atom.kind}", [a, b], [], at), parts)

    def _pow2(self, atom: Pow2, at: Index, parts: list[Value]) -> Value:
        return self._combine("shl", Value("1"), parts[0], at)

    def _ctz(self, atom: Ctz, at: Index, parts: list[Value]) -> Value:
        return self._call("cttz", parts, [("i1", "false")], at)

    # --- conditions -------------------------------------------------------------------------

    def holds(self, condition: Condition) -> bool | Value:
        """``condition`` as an i1 per lane or for all of them; a bool if it does not depend on anything."""
        index = condition.index
        if index.constant is not None:
            return index.const >= 0 if condition.kind == "ge" else index.const == 0
        memo = self._scope(index).memo
        key = (condition, self.lanes if self.varies(index) else None)
        if key not in memo:
            memo[key] = self._compare(condition)
        found = memo[key]
        assert isinstance(found, Value)
        return found

    def _compare(self, condition: Condition) -> Value:
        index, home = condition.index, self._scope(condition.index).home
        test = "sge" if condition.kind == "ge" else "eq"
        step = self.step(index)
        if step is not None and step.constant:
            return self._compare_narrow(test, index, step.const, home)
        value = self.value(index)
        kind = vector("i64", value.lanes)
        zero = "0" if value.lanes == 1 else "zeroinitializer"
        return Value(self.fn.let(f"icmp {test} {kind} {value.text}, {zero}", home), value.lanes)

    def _compare_narrow(self, test: str, index: Index, step: int, home: BasicBlock) -> Value:
        """``base + step * lane`` against 0 in 32 bits: the base is clamped to just outside of what lanes can add."""
        assert self.lanes is not None
        lanes, bound = self.lanes.count, abs(step) * self.lanes.count
        base = self.scalar(self.first(index))
        for name, limit in (("smax", -bound), ("smin", bound)):
            base = self.fn.call(f"{name}.i64", "i64", [("i64", base), ("i64", str(limit))], home)
        narrow = self.fn.let(f"trunc i64 {base} to i32", home)
        wide, kind = self.fn.widen(Value(narrow), "i32", lanes, home), vector("i32", lanes)
        moved = self.fn.let(f"add {kind} {wide}, {count_up('i32', lanes, step)}", home)
        return Value(self.fn.let(f"icmp {test} {kind} {moved}, zeroinitializer", home), lanes)

    def conjunction(self, conditions: tuple[Condition, ...]) -> Guard:
        """All of ``conditions``, made in the scope of the innermost one."""
        scope = self._scopes[max((self._depth(c.index) for c in conditions), default=0)]
        key = (conditions, self.lanes)
        if key not in scope.memo:
            scope.memo[key] = self._conjunction(conditions, scope.home)
        found = scope.memo[key]
        assert isinstance(found, Guard)
        return found

    def _conjunction(self, conditions: tuple[Condition, ...], home: BasicBlock) -> Guard:
        parts = [self.holds(c) for c in conditions]
        if False in parts:
            return Guard(never=True)
        values = [p for p in parts if isinstance(p, Value)]
        same = self._all("i1", [v.text for v in values if v.lanes == 1], home)
        own = [v.text for v in values if v.lanes > 1]
        if not own or self.lanes is None:
            return Guard(same, None, same)
        mask = self._all(vector("i1", self.lanes.count), own, home)
        some = self._first_to_pass(conditions) or self.fn.any_lane(str(mask), self.lanes.count, home)
        return Guard(same, mask, some if same is None else self._all("i1", [same, some], home))

    def _first_to_pass(self, conditions: tuple[Condition, ...]) -> str | None:
        """Whether the lane passes that does if any does: there is one where one condition only differs, by a step."""
        assert self.lanes is not None
        differing = [c for c in conditions if self.varies(c.index)]
        step = self.step(differing[0].index)
        if len(differing) > 1 or differing[0].kind != "ge" or step is None or step.constant is None:
            return None
        ahead = max(0, step.const) * (self.lanes.count - 1)
        passes = self.holds(ge(self.first(differing[0].index) + ahead, 0))
        return passes.text if isinstance(passes, Value) else None

    def _all(self, type_: str, values: list[str], home: BasicBlock) -> str | None:
        return reduce(lambda a, b: self.fn.let(f"and {type_} {a}, {b}", home), values) if values else None


def _only_atom(index: Index) -> Atom | None:
    """The atom that ``index`` is, if it is just one."""
    if index.const == 0 and len(index.terms) == 1:
        ((monomial, coef),) = index.terms
        return monomial[0] if coef == 1 and len(monomial) == 1 else None
    return None


_ATOMS: Mapping[type, Callable[[Indices, Any, Index, list[Value]], Value]] = {
    FloorDiv: Indices._quotient,
    Mod: Indices._remainder,
    Extremum: Indices._extremum,
    Pow2: Indices._pow2,
    Ctz: Indices._ctz,
}
