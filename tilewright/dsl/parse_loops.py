"""Text to kernels and plans: the inverse of ``ir/text_loops.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from lark import Token, Tree

from tilewright.dsl.elaborate import fits
from tilewright.dsl.limits import MAX_INDEX_DEPTH
from tilewright.dsl.reading import Node, Reader
from tilewright.errors import InternalError
from tilewright.ir import index as ix
from tilewright.ir.index import Condition, Index
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Stmt, Write
from tilewright.ir.plan import Check, Phase, Plan, Repeat, Step
from tilewright.ir.scalar import OPS, Apply, CheckedIndex, Expr, IndexValue, Param, Read, apply, literal
from tilewright.ir.tensor import ScalarInput, Tensor
from tilewright.ir.types import BOOL, BY_NAME, DType

_STARTS = ("plan", "kernel", "index", "condition")
_INFIX = {info.text: name for name, info in OPS.items() if info.text and info.arity == 2}
_PREFIX = {info.text: name for name, info in OPS.items() if info.text and info.arity == 1}
_FUNCTIONS = {name: info.arity for name, info in OPS.items() if not info.text and info.result != "given"}

T = TypeVar("T")


def parse_kernel(text: str, name: str = "<string>") -> Kernel:
    """The kernel that ``text`` says. SyntaxUserError if it is none."""
    return _read(text, name, "kernel", _kernel)


def parse_plan(text: str, name: str = "<string>") -> Plan:
    """The plan that ``text`` says. SyntaxUserError if it is none."""
    return _read(text, name, "plan", _plan)


def parse_index(text: str, name: str = "<string>") -> Index:
    """The index that ``text`` says. SyntaxUserError if it is none."""
    return _read(text, name, "index", lambda reader, tree: IndexBuilder(reader).index(tree), layout=False)


def parse_condition(text: str, name: str = "<string>") -> Condition:
    """The condition that ``text`` says. SyntaxUserError if it is none."""
    return _read(text, name, "condition", lambda reader, tree: IndexBuilder(reader).condition(tree), layout=False)


def _read(text: str, name: str, start: str, build: Callable[[Reader, Tree[Any]], T], layout: bool = True) -> T:
    reader = Reader(text, name, "loops.lark", _STARTS, layout)
    return reader.built(start, build)


class IndexBuilder:
    """Builds names, dtypes, indices and conditions."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def name(self, tree: Tree[Any]) -> str:
        return str(tree.children[0]).strip("`")

    def dtype(self, tree: Tree[Any]) -> DType:
        found = BY_NAME.get(self.name(tree))
        if found is None:
            self.reader.fail(tree, f"unknown dtype {self.name(tree)}", f"one of {', '.join(BY_NAME)}")
        return found

    def indices(self, tree: Tree[Any]) -> tuple[Index, ...]:
        return tuple(self.index(i) for i in tree.children if i is not None)

    def index(self, tree: Tree[Any]) -> Index:
        """A sum of terms."""
        sign, first, *rest = tree.children
        parts = [self._term(first) * (-1 if sign else 1)]
        for operator, term in zip(rest[::2], rest[1::2], strict=True):
            parts.append(self._term(term) * (-1 if operator == "-" else 1))
        return self._bounded(tree, ix.total(parts))

    def _bounded(self, tree: Tree[Any], index: Index) -> Index:
        if not ix.in_range(index):
            self.reader.fail(tree, "a number in this index has more than 64 bits")
        if ix.depth(index) > MAX_INDEX_DEPTH:
            self.reader.fail(tree, f"divisions and extrema are nested over {MAX_INDEX_DEPTH} deep")
        return index

    def _term(self, tree: Tree[Any]) -> Index:
        if tree.data == "index":
            return self.index(tree)
        if tree.data == "product":
            return self._product(tree)
        if tree.data == "integer":
            return ix.const(self.reader.whole(tree.children[0]))
        if tree.data == "variable":
            inner = tree.children[0]
            return ix.symbol(str(inner) if isinstance(inner, Token) else self.name(inner))
        return self._function(tree)

    def _product(self, tree: Tree[Any]) -> Index:
        first, *rest = tree.children
        result = self._term(first)
        for operator, factor in zip(rest[::2], rest[1::2], strict=True):
            value = self._term(factor)
            if operator != "*" and value.constant == 0:
                self.reader.fail(factor, "division by zero")
            if operator == "*" and not ix.multipliable(result, value):
                self.reader.fail(tree, "this product is too large when it is multiplied out")
            result = result * value if operator == "*" else result // value if operator == "//" else result % value
            self._bounded(tree, result)
        return result

    def _function(self, tree: Tree[Any]) -> Index:
        called, *arguments = tree.children
        values = [self.index(a) for a in arguments]
        name = self.name(called)
        if name in ("min", "max"):
            return ix.extremum(name, values)
        if name in ("pow2", "ctz") and len(values) == 1:
            make = ix.pow2 if name == "pow2" else ix.ctz
            if not ix.defined(name, values[0]):
                self.reader.fail(tree, f"{name}({values[0]}) has no value", "pow2 of 0 to 62, ctz of 1 or more")
            return make(values[0])
        self.reader.fail(called, f"no index function {name} of {len(values)} values", "min, max, pow2 or ctz")

    def condition(self, tree: Tree[Any]) -> Condition:
        left, relation, right = tree.children
        make = ix.ge if relation == ">=" else ix.eq
        return make(self.index(left), self.index(right))

    def conditions(self, tree: Tree[Any]) -> tuple[Condition, ...]:
        return tuple(self.condition(c) for c in tree.children if isinstance(c, Tree))

    def scalar(self, tree: Tree[Any]) -> ScalarInput:
        name, dtype = tree.children
        return ScalarInput(self.name(name), self.dtype(dtype))

    def tensor(self, tree: Tree[Any]) -> Tensor:
        name, dtype, shape = tree.children
        return Tensor(self.name(name), self.dtype(dtype), self.indices(shape))


class _Statements(IndexBuilder):
    """Builds the statements of a kernel whose buffers and scalars are known."""

    def __init__(self, reader: Reader, buffers: dict[str, Buffer], scalars: dict[str, ScalarInput]) -> None:
        super().__init__(reader)
        self._buffers = buffers
        self._scalars = scalars

    def body(self, tree: Tree[Any]) -> tuple[Stmt, ...]:
        return tuple(self._statement(s) for s in tree.children)

    def _statement(self, tree: Tree[Any]) -> Stmt:
        if tree.data == "block":
            return self._block(tree)
        name, extent, kind, body = tree.children
        return Loop(self.name(name), self.index(extent), str(kind or "serial"), self.body(body))

    def _block(self, tree: Tree[Any]) -> Block:
        name, *lines = tree.children
        expressions = _Expressions(self.reader, self._buffers, self._scalars)
        found: dict[str, list[Any]] = {"iter": [], "where": [], "let": [], "init": [], "write": []}
        for line in lines:
            found[line.data].append(expressions.line(line))
        iters = tuple(Iter(name, kind, extent) for name, kind, extent, _ in found["iter"])
        return Block(
            name=self.name(name),
            iters=iters,
            bindings=tuple(binding for *_, binding in found["iter"]),
            predicate=tuple(c for conditions in found["where"] for c in conditions),
            writes=tuple(write for write, _ in found["write"]),
            values=tuple(value for _, value in found["write"]),
            init=tuple(found["init"]),
        )


class _Expressions(IndexBuilder):
    """Builds the lines of one block; ``%n`` is known once it is defined."""

    def __init__(self, reader: Reader, buffers: dict[str, Buffer], scalars: dict[str, ScalarInput]) -> None:
        super().__init__(reader)
        self._buffers = buffers
        self._scalars = scalars
        self._defined: dict[str, Expr] = {}

    def line(self, tree: Tree[Any]) -> Any:
        parts = tree.children
        if tree.data == "iter":
            name, kind, extent, binding = parts
            return self.name(name), str(kind), self.index(extent), self.index(binding)
        if tree.data == "where":
            return self.conditions(parts[0])
        if tree.data == "let":
            self._defined[str(parts[0])] = self.expr(parts[1])
            return None
        if tree.data == "init":
            return self.expr(parts[0])
        target = self._access(parts[0])
        return Write(target.tensor, target.indices), self.expr(parts[1])  # type: ignore[arg-type]

    def expr(self, tree: Tree[Any]) -> Expr:
        build: Callable[[Tree[Any]], Expr] = getattr(self, f"_{tree.data}", self._unknown)
        return build(tree)

    def _unknown(self, tree: Tree[Any]) -> Expr:
        raise InternalError(f"the grammar has an expression {tree.data} that the builder has not")

    def _infix(self, tree: Tree[Any]) -> Expr:
        left, operator, right = tree.children
        return self._made(tree, _INFIX[str(operator)], self.expr(left), self.expr(right))

    def _prefix(self, tree: Tree[Any]) -> Expr:
        operator, value = tree.children
        return self._made(tree, _PREFIX[str(operator)], self.expr(value))

    def _apply(self, tree: Tree[Any]) -> Expr:
        called, *arguments = tree.children
        name = self.name(called)
        if _FUNCTIONS.get(name) != len(arguments):
            self.reader.fail(called, f"no operation {name} of {len(arguments)} values", ", ".join(sorted(_FUNCTIONS)))
        return self._made(tree, name, *map(self.expr, arguments))

    def _made(self, tree: Tree[Any], op: str, *args: Expr) -> Expr:
        kinds = OPS[op].kinds
        wrong = next((a.dtype for a in args if a.dtype.kind not in kinds and a.dtype is not BOOL), None)
        if wrong is not None:
            self.reader.fail(tree, f"{op} does not take {wrong}", f"it takes {', '.join(kinds)}")
        return apply(op, *args)

    def _convert(self, tree: Tree[Any]) -> Expr:
        op, dtype, value = tree.children
        return Apply(str(op), (self.expr(value),), self.dtype(dtype))

    def _boolean(self, tree: Tree[Any]) -> Expr:
        return literal(tree.children[0] == "true", BOOL)

    def _number(self, tree: Tree[Any]) -> Expr:
        sign, number, dtype = tree.children
        kind = self.dtype(dtype)
        if kind is BOOL or (kind.is_integer and not str(number).isdigit()):
            self.reader.fail(number, f"{number} is not a literal of {kind}")
        value = (-1 if sign else 1) * (self.reader.whole(number) if kind.is_integer else float(str(number)))
        if isinstance(value, int) and not fits(value, kind):
            self.reader.fail(number, f"{value} does not fit {kind}")
        return literal(value, kind)

    def _index_value(self, tree: Tree[Any]) -> Expr:
        return IndexValue(self.index(tree.children[0]))

    def _param(self, tree: Tree[Any]) -> Expr:
        name = self.name(tree.children[0])
        if name not in self._scalars:
            self.reader.fail(tree, f"no scalar {name}", f"the kernel declares {', '.join(self._scalars) or 'none'}")
        return Param(name, self._scalars[name].dtype)

    def _let_use(self, tree: Tree[Any]) -> Expr:
        name = str(tree.children[0])
        if name not in self._defined:
            self.reader.fail(tree, f"{name} is not defined before")
        return self._defined[name]

    def _checked(self, tree: Tree[Any]) -> CheckedIndex:
        value, extent, operand, position = tree.children
        return CheckedIndex(self.expr(value), self.index(extent), self.name(operand), self.index(position))

    def _read(self, tree: Tree[Any]) -> Expr:
        return self._access(tree.children[0])

    def _guarded(self, tree: Tree[Any]) -> Expr:
        access, guard, otherwise = tree.children
        read = self._access(access)
        other = None if otherwise is None else self.expr(otherwise)
        return Read(read.tensor, read.indices, read.dtype, self.conditions(guard), other)

    def _access(self, tree: Tree[Any]) -> Read:
        name = self.name(tree.children[0])
        if name not in self._buffers:
            self.reader.fail(tree, f"no buffer {name}", f"the kernel declares {', '.join(self._buffers) or 'none'}")
        places = tuple(self._place(p) for p in tree.children[1:] if p is not None)
        return Read(name, places, self._buffers[name].dtype)

    def _place(self, tree: Tree[Any]) -> Index | Expr:
        return self.index(tree) if tree.data == "index" else self.expr(tree)


def _kernel(reader: Reader, tree: Tree[Any]) -> Kernel:
    build = IndexBuilder(reader)
    name, *middle, body = tree.children
    parts = _by_rule(middle)
    scalars = tuple(map(build.scalar, parts.get("scalar", [])))
    buffers = tuple(_buffer(build, t) for t in parts.get("buffer", []))
    statements = _Statements(reader, {b.name: b for b in buffers}, {s.name: s for s in scalars})
    return Kernel(build.name(name), buffers, scalars, statements.body(body))


def _buffer(build: IndexBuilder, tree: Tree[Any]) -> Buffer:
    scope, name, dtype, shape, strides = tree.children
    return Buffer(build.name(name), build.dtype(dtype), build.indices(shape), build.indices(strides), str(scope))


def _by_rule(nodes: list[Node | None]) -> dict[str, list[Tree[Any]]]:
    """Trees by the rule they follow."""
    found: dict[str, list[Tree[Any]]] = {}
    for node in nodes:
        if isinstance(node, Tree):
            found.setdefault(str(node.data), []).append(node)
    return found


def _plan(reader: Reader, tree: Tree[Any]) -> Plan:
    build = IndexBuilder(reader)
    name, *rest = tree.children
    parts = _by_rule(rest)

    def tensors(role: str) -> tuple[Tensor, ...]:
        return tuple(build.tensor(t.children[0]) for t in parts.get(role, []))

    outputs = parts.get("output", [])
    symbols = (t.children for t in parts.get("symbol", []))
    checks = (t.children for t in parts.get("check", []))
    steps = [t for t in rest if isinstance(t, Tree) and t.data in ("phase", "repeat")]
    return Plan(
        name=build.name(name),
        inputs=tensors("input"),
        outputs=tuple(build.tensor(t.children[1]) for t in outputs),
        scalars=tuple(map(build.scalar, parts.get("scalar", []))),
        symbols=tuple((build.name(n), build.index(value)) for n, value in symbols),
        checks=tuple(Check(build.condition(c), reader.string(message)) for c, message in checks),
        scratch=tensors("scratch"),
        kernels=tuple(_kernel(reader, k) for k in parts.get("kernel", [])),
        steps=tuple(_step(build, s) for s in steps),
        strided=tuple(build.tensor(t.children[1]).name for t in outputs if t.children[0]),
    )


def _step(build: IndexBuilder, tree: Tree[Any]) -> Step:
    name, first, *rest = tree.children
    if tree.data == "phase":
        where = build.condition(rest[1]) if rest[1] is not None else None
        return Phase(build.name(name), build.index(first), build.index(rest[0]), where)
    return Repeat(build.name(name), build.index(first), tuple(_step(build, s) for s in rest))
