"""Scalar expressions: what one point of a compute, or one block instance, evaluates.

Nodes are frozen and hash-consed. Arithmetic is done in compute dtypes only: f16 and bf16 are
storage types, widened by an explicit ``cast`` where they are read and rounded where stored.

Grammar::

    Expr = Const(value, dtype) | IndexValue(index) | Param(name, dtype) | Var(name, dtype)
         | Read(tensor, indices, dtype, guard, otherwise)
         | CheckedIndex(value, extent, operand, position)
         | Apply(op, args, dtype)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Union

from tilewright.errors import InternalError
from tilewright.ir import index as ix
from tilewright.ir.functions import FUNCTIONS
from tilewright.ir.index import Condition, Index
from tilewright.ir.intern import Interned
from tilewright.ir.types import BOOL, I64, U32, DType
from tilewright.records import dataclass


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Const(metaclass=Interned):
    """A literal; ``value`` is a bool, int or float (inf and nan included) to fit the dtype."""

    value: bool | int | float
    dtype: DType

    def __post_init__(self) -> None:
        wanted = {"bool": bool, "int": int, "uint": int, "float": float, "field": float}[self.dtype.kind]
        if type(self.value) is not wanted:
            raise InternalError(f"a {self.dtype} literal cannot hold {self.value!r}")

    @classmethod
    def _key(cls, args: tuple[bool | int | float, DType]) -> tuple[bool | int | float | str, type, DType]:
        """Keeps 1, 1.0 and True apart, 0.0 and -0.0 too; a nan is itself."""
        value, dtype = args
        return value.hex() if isinstance(value, float) else value, type(value), dtype


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class IndexValue(metaclass=Interned):
    """An index expression used as a value of type i64."""

    index: Index

    @property
    def dtype(self) -> DType:
        return I64


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Param(metaclass=Interned):
    """A run-time scalar operand of the op."""

    name: str
    dtype: DType


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Var(metaclass=Interned):
    """A bound value: an accumulator of a reduction, or the other side of its merge."""

    name: str
    dtype: DType


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Read(metaclass=Interned):
    """An element of a tensor or buffer.

    An index is quasi-affine (Index) or data-dependent (Expr of an integer dtype). ``otherwise``
    is the value outside of bounds (tensor IR: the guard is implied by the shape and ``guard`` is
    empty; loop IR: ``guard`` lists what remained to be checked, and nothing is loaded when it fails).
    """

    tensor: str
    indices: tuple[Index | Expr, ...]
    dtype: DType
    guard: tuple[Condition, ...] = ()
    otherwise: Expr | None = None


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class CheckedIndex(metaclass=Interned):
    """A data-dependent index of loop IR, checked when it is used: ``0 <= value < extent``.

    On failure the kernel notes (code, operand, position, value) in the status record, and the read
    or write that uses the index does not touch memory (a read yields 0). ``operand`` names
    the tensor the index was read from; ``position`` is the row-major position in it.
    """

    value: Expr
    extent: Index
    operand: str
    position: Index

    @property
    def dtype(self) -> DType:
        return I64


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Apply(metaclass=Interned):
    """A scalar operation of :data:`OPS` applied to arguments; ``dtype`` is the result's."""

    op: str
    args: tuple[Expr, ...]
    dtype: DType

    def __post_init__(self) -> None:
        if self.op not in OPS or len(self.args) != OPS[self.op].arity:
            raise InternalError(f"malformed scalar operation {self.op}/{len(self.args)}")


Expr = Union[Const, IndexValue, Param, Var, Read, CheckedIndex, Apply]


@dataclass(frozen=True)
class OpInfo:
    """A scalar operation: ``operands`` and ``result`` say its type rule.

    ``operands``: same (one dtype for all), bool, shift (value, amount of the same dtype), select
    (bool, then same), any. ``result``: operand, bool, u32, given (the node's dtype says it).
    ``kinds`` are the operand dtype kinds it takes. ``text`` is its spelling in source: an infix
    or prefix symbol, else its own name as a function.
    """

    arity: int
    operands: str = "same"
    result: str = "operand"
    kinds: tuple[str, ...] = ("float", "field", "int", "uint")
    text: str = ""


_INT = ("int", "uint")
_FLOAT = ("float", "field")
_ORDERED = ("float", "field", "int", "uint", "bool")

OPS: dict[str, OpInfo] = {
    # arithmetic (integers wrap around; a division by the integer 0 gives 0)
    "add": OpInfo(2, text="+"),
    "sub": OpInfo(2, text="-"),
    "mul": OpInfo(2, text="*"),
    "div": OpInfo(2, kinds=_FLOAT, text="/"),
    "floordiv": OpInfo(2, kinds=_INT, text="//"),
    "mod": OpInfo(2, kinds=_INT, text="%"),
    "neg": OpInfo(1, text="-"),
    "abs": OpInfo(1),
    "fma": OpInfo(3, kinds=_FLOAT),
    "min": OpInfo(2, kinds=_ORDERED),
    "max": OpInfo(2, kinds=_ORDERED),
    # comparisons and logic
    "lt": OpInfo(2, result="bool", kinds=_ORDERED, text="<"),
    "le": OpInfo(2, result="bool", kinds=_ORDERED, text="<="),
    "gt": OpInfo(2, result="bool", kinds=_ORDERED, text=">"),
    "ge": OpInfo(2, result="bool", kinds=_ORDERED, text=">="),
    "eq": OpInfo(2, result="bool", kinds=_ORDERED, text="=="),
    "ne": OpInfo(2, result="bool", kinds=_ORDERED, text="!="),
    "and": OpInfo(2, operands="bool", result="bool", kinds=("bool",), text="and"),
    "or": OpInfo(2, operands="bool", result="bool", kinds=("bool",), text="or"),
    "not": OpInfo(1, operands="bool", result="bool", kinds=("bool",), text="not"),
    "where": OpInfo(3, operands="select", kinds=_ORDERED),
    **{name: OpInfo(1, result="bool", kinds=_FLOAT) for name in ("isnan", "isinf", "isfinite", "signbit")},
    # bits
    "bitand": OpInfo(2, kinds=_INT, text="&"),
    "bitor": OpInfo(2, kinds=_INT, text="|"),
    "bitxor": OpInfo(2, kinds=_INT, text="^"),
    "bitnot": OpInfo(1, kinds=_INT, text="~"),
    "shl": OpInfo(2, operands="shift", kinds=_INT, text="<<"),
    "shr": OpInfo(2, operands="shift", kinds=_INT, text=">>"),
    # conversions
    "cast": OpInfo(1, operands="any", result="given", kinds=_ORDERED),
    "bitcast": OpInfo(1, operands="any", result="given", kinds=("float", "int", "uint")),
    # math
    **{name: OpInfo(f.arity, kinds=_FLOAT) for name, f in FUNCTIONS.items()},
    # random: word ``i & 3`` of Philox4x32-10 at counter ``offset + (i >> 2)`` under key ``seed``
    "bits": OpInfo(3, operands="any", result="u32", kinds=("int", "uint")),
}


def result_dtype(op: str, args: tuple[Expr, ...]) -> DType:
    """The dtype of ``op(args)``, for operations whose result is not 'given'."""
    rule = OPS[op].result
    if rule == "given":
        raise InternalError(f"{op} needs its dtype said")
    if rule == "bool":
        return BOOL
    return U32 if rule == "u32" else args[-1 if op == "where" else 0].dtype


def apply(op: str, *args: Expr) -> Apply:
    """``op(args)`` with its dtype inferred; for cast and bitcast use :func:`convert`."""
    return Apply(op, args, result_dtype(op, args))


def convert(op: str, value: Expr, dtype: DType) -> Expr:
    """``cast`` or ``bitcast`` of ``value``; nothing to do if it has the dtype already."""
    return value if value.dtype is dtype else Apply(op, (value,), dtype)


def identity(combine: str, dtype: DType) -> Const:
    """What a scatter by ``combine`` (``ir.tensor.SCATTERS``) starts from: what leaves a value alone, else zero."""
    if combine in ("add", "set"):
        found: int | float = 0
    elif dtype.is_float:
        found = float("-inf" if combine == "max" else "inf")
    else:
        low = 0 if dtype.kind == "uint" else -(1 << (dtype.bits - 1))
        found = low if combine == "max" else low + (1 << dtype.bits) - 1
    return literal(found, dtype)


def literal(value: bool | int | float, dtype: DType) -> Const:
    """A literal of ``dtype``, ``value`` converted to fit."""
    if dtype.kind == "bool":
        return Const(bool(value), dtype)
    return Const(float(value), dtype) if dtype.is_float else Const(int(value), dtype)


# --- walking and rewriting ------------------------------------------------------------------


def operands(e: Expr) -> tuple[Expr, ...]:
    """The direct sub-expressions of ``e``."""
    if isinstance(e, Apply):
        return e.args
    if isinstance(e, CheckedIndex):
        return (e.value,)
    if isinstance(e, Read):
        inner = tuple(i for i in e.indices if not isinstance(i, Index))
        return inner if e.otherwise is None else (*inner, e.otherwise)
    return ()


def walk(e: Expr) -> Iterator[Expr]:
    """Every distinct node of ``e``, operands before users (each once, however often shared)."""
    return iter(_nodes(e))


@lru_cache(maxsize=1 << 10)
def _nodes(e: Expr) -> tuple[Expr, ...]:
    found: list[Expr] = []
    seen: set[Expr] = set()
    stack: list[Expr | None] = [e]
    open_: list[Expr] = []
    while stack:
        node = stack.pop()
        if node is None:
            node = open_.pop()
            seen.add(node)
            found.append(node)
        elif node not in seen:
            inner = operands(node)
            if inner:
                open_.append(node)
                stack.append(None)
                stack += inner[::-1]
            else:
                seen.add(node)
                found.append(node)
    return tuple(found)


@lru_cache(maxsize=1 << 16)
def reads(e: Expr) -> tuple[Read, ...]:
    """The distinct reads in ``e``, inner ones first."""
    return tuple([n for n in walk(e) if isinstance(n, Read)])


def map_operands(e: Expr, f: Callable[[Expr], Expr]) -> Expr:
    """``e`` with ``f`` applied to its direct sub-expressions; the same object if none changes."""
    if isinstance(e, Apply):
        args = tuple(map(f, e.args))
        return e if args == e.args else Apply(e.op, args, e.dtype)
    if isinstance(e, CheckedIndex):
        return CheckedIndex(f(e.value), e.extent, e.operand, e.position)
    if isinstance(e, Read):
        indices = tuple(i if isinstance(i, Index) else f(i) for i in e.indices)
        otherwise = None if e.otherwise is None else f(e.otherwise)
        return Read(e.tensor, indices, e.dtype, e.guard, otherwise)
    return e


def rewrite(e: Expr, rule: Callable[[Expr], Expr]) -> Expr:
    """``rule`` applied once to every node, operands first; shared nodes are rewritten once."""
    done: dict[Expr, Expr] = {}
    for node in walk(e):
        done[node] = rule(map_operands(node, done.__getitem__))
    return done[e]


def substitute(e: Expr, indices: Mapping[str, Index], values: Mapping[Expr, Expr] | None = None) -> Expr:
    """``e`` with index symbols and whole nodes (Var, Param, Read) replaced."""
    values = values or {}

    def rule(node: Expr) -> Expr:
        if isinstance(node, IndexValue):
            return IndexValue(ix.substitute(node.index, indices))
        if isinstance(node, Read):
            node = Read(
                node.tensor,
                tuple(ix.substitute(i, indices) if isinstance(i, Index) else i for i in node.indices),
                node.dtype,
                tuple(ix.substitute_condition(c, indices) for c in node.guard),
                node.otherwise,
            )
        if isinstance(node, CheckedIndex):
            node = CheckedIndex(
                node.value, ix.substitute(node.extent, indices), node.operand, ix.substitute(node.position, indices)
            )
        return values.get(node, node)

    return rewrite(e, rule)


@lru_cache(maxsize=1 << 16)
def index_symbols(e: Expr) -> frozenset[str]:
    """The names of all index symbols that ``e`` depends on."""
    found: set[str] = set()
    for node in walk(e):
        if isinstance(node, IndexValue):
            found |= ix.symbols(node.index)
        elif isinstance(node, Read):
            for i in node.indices:
                found |= ix.symbols(i) if isinstance(i, Index) else frozenset()
            for c in node.guard:
                found |= ix.symbols(c.index)
        elif isinstance(node, CheckedIndex):
            found |= ix.symbols(node.extent) | ix.symbols(node.position)
    return frozenset(found)
