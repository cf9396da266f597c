"""Expressions: from syntax to typed scalar IR."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tilewright.dsl import bounds
from tilewright.dsl import syntax as ast
from tilewright.dsl.indices import affine, extent, linear, size
from tilewright.dsl.program import CONSTANTS, TRUTHS, Scope, Untyped, UntypedVar, error, unknown
from tilewright.dsl.steps import check_read
from tilewright.errors import CheckError
from tilewright.ir import index as ix
from tilewright.ir import scalar
from tilewright.ir.index import symbol
from tilewright.ir.scalar import OPS, Const, Expr, IndexValue, OpInfo, Param, Read, apply, convert
from tilewright.ir.tensor import Tensor
from tilewright.ir.types import BF16, BOOL, F16, F32, I64, U32, U64, DType
from tilewright.source import Span

Value = Expr | Untyped
Hoist = Callable[[ast.Reduce | ast.Fold, Scope], Read]

_BINARY = {info.text: op for op, info in OPS.items() if info.text and info.arity == 2}
_UNARY = {info.text: op for op, info in OPS.items() if info.text and info.arity == 1}
_EXTREMES = ("lowest", "highest")
_REDUCTIONS = ("sum", "prod", "any", "all", "argmax", "argmin", "fold", "scan")
_SPECIAL = ("linear", "size", "index", "bitcast", "uniform", *_EXTREMES)


class Literal(Untyped):
    """A number as written."""

    def __init__(self, value: int | float, span: Span) -> None:
        super().__init__(I64 if isinstance(value, int) else F32)
        self.value = value
        self.span = span

    def make(self, dtype: DType) -> Expr:
        if dtype is BOOL:
            raise error(f"the number {self.value} stands where a bool is needed", self.span, "write true or false")
        if dtype.is_integer and (isinstance(self.value, float) or not fits(self.value, dtype)):
            hint = f"write a number that fits {dtype}, or cast the other side"
            raise error(f"{self.value} does not fit {dtype}", self.span, hint)
        return scalar.literal(self.value, dtype)


class Deferred(Untyped):
    """An operation on untyped values, after ``first`` ones that have a dtype of their own."""

    def __init__(self, op: str, first: Sequence[Expr], args: Sequence[Untyped], span: Span) -> None:
        super().__init__(join([a.default for a in args]))
        self.op, self.first, self.args, self.span = op, first, args, span

    def make(self, dtype: DType) -> Expr:
        return checked(self.op, [*self.first, *(a.make(dtype) for a in self.args)], self.span)


def fits(value: int, dtype: DType) -> bool:
    low, high = integer_range(dtype)
    return low <= value <= high


def integer_range(dtype: DType) -> tuple[int, int]:
    """The least and the greatest value of an integer dtype."""
    if dtype.kind == "uint":
        return 0, (1 << dtype.bits) - 1
    return -(1 << (dtype.bits - 1)), (1 << (dtype.bits - 1)) - 1


def lowest(dtype: DType) -> Const:
    """The value that ``max`` starts from."""
    if dtype.is_float:
        return Const(float("-inf"), dtype)
    return Const(integer_range(dtype)[0], dtype) if dtype.is_integer else Const(False, dtype)


def highest(dtype: DType) -> Const:
    """The value that ``min`` starts from."""
    if dtype.is_float:
        return Const(float("inf"), dtype)
    return Const(integer_range(dtype)[1], dtype) if dtype.is_integer else Const(True, dtype)


def join(dtypes: Sequence[DType]) -> DType:
    """The default dtype of an operation on literals: i64 if all are whole, else f32."""
    return I64 if all(d is I64 for d in dtypes) else F32


def settle(value: Value, dtype: DType | None = None) -> Expr:
    """``value`` itself, or an untyped one in ``dtype`` (by default in its own)."""
    return value.make(dtype or value.default) if isinstance(value, Untyped) else value


class Elaborator:
    """Elaborates expressions; ``hoist`` turns a reduction inside an expression into a read of its result."""

    def __init__(self, hoist: Hoist) -> None:
        self.hoist = hoist

    def typed(self, e: ast.Expr, scope: Scope, dtype: DType | None = None) -> Expr:
        """``e`` as typed scalar IR in a compute dtype; literals take ``dtype`` (or their default)."""
        return settle(self.value(e, scope), dtype)

    def stored(self, e: ast.Expr, scope: Scope, dtype: DType | None) -> Expr:
        """``e`` as it is stored into ``dtype``: rounded if that is a storage dtype, so also where ``e`` says so."""
        rounding = storage_cast(e)
        if rounding:
            inner = settle(self._one_arg(e, scope), F32)
            value: Expr = convert("cast", inner, rounding)
        else:
            value = self.typed(e, scope, dtype and dtype.compute)
        if dtype is None or value.dtype is dtype:
            return value
        if value.dtype is not dtype.compute:
            raise error(f"this is {value.dtype}, but {dtype} is stored here", e.span, f"write {dtype}(...)")
        return convert("cast", value, dtype)

    def value(self, e: ast.Expr, scope: Scope) -> Value:
        """``e`` as typed scalar IR, or as an untyped value if it is made of literals only."""
        number = _number(e, scope)
        if number is not None:
            return Literal(number, e.span)
        if isinstance(e, ast.Name):
            return _name(e, scope)
        if isinstance(e, ast.Element):
            return widen(self.read(e, scope))
        if isinstance(e, ast.Guarded):
            return self._guarded(e, scope)
        if isinstance(e, ast.Unary):
            return combine(_UNARY[e.op], [self.value(e.value, scope)], e.span)
        if isinstance(e, ast.Binary):
            return combine(_BINARY[e.op], [self.value(e.left, scope), self.value(e.right, scope)], e.span)
        if isinstance(e, ast.Call):
            return self._call(e, scope)
        assert isinstance(e, (ast.Reduce, ast.Fold))
        return widen(self.hoist(e, scope))

    # --- reads ------------------------------------------------------------------------------

    def read(self, e: ast.Element, scope: Scope, otherwise: Expr | None = None) -> Read:
        """The read ``e``, its indices in bounds or noted as a precondition unless it is guarded."""
        tensor = find_tensor(e.tensor, scope)
        if otherwise is None and tensor.name == scope.target and not scope.program.levels:
            raise _unguarded(e.tensor)
        found = Read(tensor.name, self.indices(e.indices, tensor, e.span, scope), tensor.dtype, (), otherwise)
        if otherwise is None:
            bounds.require(tensor, found.indices, e.indices, scope)
        check_read(found, e, scope)
        return found

    def indices(
        self, given: Sequence[ast.Axis], tensor: Tensor, span: Span, scope: Scope
    ) -> tuple[ix.Index | Expr, ...]:
        """Index expressions into ``tensor``: affine ones as such, others as integer expressions."""
        if len(given) != len(tensor.shape):
            declared = f"{tensor.name}: {tensor.dtype}[{', '.join(map(str, tensor.shape))}]"
            raise error(f"{tensor.name} has {_axes(len(tensor.shape))}, not {len(given)}", span, f"it is {declared}")
        return tuple(self._index(a, scope) for a in given)

    def _index(self, a: ast.Axis, scope: Scope) -> ix.Index | Expr:
        if a.extent is not None or a.chunk or isinstance(a.value, ast.Pack):
            raise error("a range stands where an index is needed", a.span, "declare ranges on the left side")
        index = affine(a.value, scope)
        if index is not None:
            return index
        value = self.typed(a.value, scope, I64)
        if not value.dtype.is_integer:
            raise error(f"an index must be an integer, this is {value.dtype}", a.span, "cast it: i64(...)")
        return value

    def _guarded(self, e: ast.Guarded, scope: Scope) -> Value:
        if not isinstance(e.read, ast.Element):
            raise error("`else` guards a read", e.read.span, "write (x[i] else 0); choose between values with where")
        if e.read.tensor.text == scope.target and scope.target not in scope.program.declared:
            return self._recurring(e.read, e, scope)
        tensor = find_tensor(e.read.tensor, scope)
        return widen(self.read(e.read, scope, self.stored(e.otherwise, scope, tensor.dtype)))

    def _recurring(self, read: ast.Element, e: ast.Guarded, scope: Scope) -> Untyped:
        """A read of a result whose dtype is still being found: it has that of what it meets."""
        other = self.value(e.otherwise, scope)
        return UntypedVar(read.tensor.text, other.default if isinstance(other, Untyped) else other.dtype)

    # --- calls ------------------------------------------------------------------------------

    def _call(self, e: ast.Call, scope: Scope) -> Value:
        name = e.function.text
        if name == "linear":
            return IndexValue(linear(e, scope))
        if name == "size":
            return IndexValue(size(e, scope))
        if name == "index":
            return IndexValue(extent(self._arg(e, 0, 1), scope, "an index"))
        if name in _EXTREMES:
            return self._extreme(e, scope)
        if name == "bitcast":
            return self._bitcast(e, scope)
        if name in ("bits", "uniform"):
            return self._random(e, scope)
        if scope.program.is_dtype(name):
            return self._cast(e, scope)
        if name not in OPS or OPS[name].result == "given":
            functions = [*_SPECIAL, *(op for op, i in OPS.items() if i.result != "given" and not i.text), "bits"]
            if name in _REDUCTIONS:
                raise error(f"{name} is a reduction", e.span, f"write {name}[axes](value)")
            raise unknown("function", e.function, [*functions, *scope.program.dtypes, "f32", "i64"])
        arity = OPS[name].arity
        return combine(name, [self.value(self._arg(e, n, arity), scope) for n in range(arity)], e.span)

    def _arg(self, e: ast.Call, n: int, arity: int) -> ast.Expr:
        if len(e.args) != arity:
            many = "one value" if arity == 1 else f"{arity} values"
            raise error(f"{e.function.text} takes {many}, not {len(e.args)}", e.span, _arity_hint(e))
        arg = e.args[n]
        if isinstance(arg, ast.Pack):
            raise error("an axis pack is not a value", arg.span, "linear(...) numbers the points of a pack")
        return arg

    def _one_arg(self, e: ast.Expr, scope: Scope) -> Value:
        assert isinstance(e, ast.Call)
        return self.value(self._arg(e, 0, 1), scope)

    def _cast(self, e: ast.Call, scope: Scope) -> Expr:
        """A dtype variable stands for its compute dtype; a storage dtype written out rounds."""
        dtype = scope.program.dtype(e.function)
        value = settle(self._one_arg(e, scope), dtype.compute)
        rounding = storage_cast(e)
        return widen(convert("cast", value, rounding) if rounding else convert("cast", value, dtype.compute))

    def _dtype_arg(self, e: ast.Call, arity: int, scope: Scope) -> DType:
        arg = self._arg(e, 0, arity)
        if not isinstance(arg, ast.Name):
            raise error(f"{e.function.text} takes a dtype here", arg.span, "a dtype variable, or f32, i64, ...")
        return scope.program.dtype(arg).compute

    def _extreme(self, e: ast.Call, scope: Scope) -> Expr:
        return (lowest if e.function.text == "lowest" else highest)(self._dtype_arg(e, 1, scope))

    def _bitcast(self, e: ast.Call, scope: Scope) -> Expr:
        dtype = self._dtype_arg(e, 2, scope)
        value = self.typed(self._arg(e, 1, 2), scope)
        if value.dtype.bits != dtype.bits or not {value.dtype.kind, dtype.kind} <= {"float", "int", "uint"}:
            raise error(f"bitcast from {value.dtype} to {dtype}", e.span, "both must be numbers of the same width")
        return convert("bitcast", value, dtype)

    def _random(self, e: ast.Call, scope: Scope) -> Expr:
        wanted = (U64, U64, I64)
        args = [self.typed(self._arg(e, n, 3), scope, d) for n, d in enumerate(wanted)]
        for arg, node, dtype in zip(args, e.args, wanted, strict=True):
            if not arg.dtype.is_integer:
                message = f"{e.function.text} takes integers, this is {arg.dtype}"
                raise error(message, node.span, f"cast it: {dtype}(...)")
        word = apply("bits", *args)
        if e.function.text == "bits":
            return word
        top = apply("shr", word, Const(8, U32))
        return apply("mul", convert("cast", top, F32), Const(2.0**-24, F32))


# --- names and numbers ----------------------------------------------------------------------


def _number(e: ast.Expr, scope: Scope) -> int | float | None:
    """The number that a literal, a float attribute or the negative of one is."""
    if isinstance(e, ast.Number):
        return e.value
    if isinstance(e, ast.Name) and e.text not in scope.variables and e.text not in scope.ranges:
        value = scope.program.attributes.get(e.text)
        return value if type(value) is float else CONSTANTS.get(e.text)
    if isinstance(e, ast.Unary) and e.op == "-":
        inner = _number(e.value, scope)
        return None if inner is None or isinstance(e.value, ast.Unary) else -inner
    return None


def _name(e: ast.Name, scope: Scope) -> Value:
    program, name = scope.program, e.text
    if name in scope.variables:
        return scope.variables[name]
    if name in scope.ranges:
        return IndexValue(symbol(name))
    if name in program.scalars:
        return widen(Param(name, program.scalars[name].dtype))
    if name in program.attributes:
        value = program.attributes[name]
        return scalar.literal(value, BOOL if isinstance(value, bool) else I64)
    if name in program.dims:
        return IndexValue(program.dims[name])
    if name in TRUTHS:
        return Const(TRUTHS[name], BOOL)
    if name in program.tensors or name in program.declared:
        raise error(f"{name} is a tensor, not a value", e.span, f"say which element: {name}[...]")
    raise unknown("name", e, [*scope.variables, *scope.ranges, *program.value_names()])


def find_tensor(name: ast.Name, scope: Scope) -> Tensor:
    """The tensor called ``name``, if it may be read here."""
    program, text = scope.program, name.text
    if text in program.tensors:
        return program.tensors[text]
    if text in program.declared and (text == scope.target or text in program.sites):
        return program.declared[text]
    if text in program.sites and text != scope.target:
        hint = f"declare it on a line before: {text}: f32[...]"
        raise error(f"{text} is computed further down, so its type must be said", name.span, hint)
    if text == scope.target:
        raise _unguarded(name)
    if text in program.absent:
        raise error(f"{text} is optional and may be absent here", name.span, f"put this under `if {text}:`")
    if text in program.later:
        raise error(f"{text} is read before it is defined", name.span, "move its statement up")
    if text in (*_REDUCTIONS, "max", "min"):
        raise error(f"{text} is not a tensor", name.span, f"a reduction is {text}[axes](value)")
    if text in program.scalars or text in program.attributes:
        raise error(f"{text} is not a tensor", name.span, f"write {text} without brackets")
    raise unknown("tensor", name, program.tensors)


def _unguarded(name: ast.Name) -> CheckError:
    hint = f"say what it is before the first point: ({name.text}[i - 1] else 0)"
    return error(f"{name.text} reads itself without `else`", name.span, hint)


# --- typing ---------------------------------------------------------------------------------


def storage_cast(e: ast.Expr) -> DType | None:
    """The storage dtype that ``e`` rounds to, written out as in ``f16(x)``."""
    if isinstance(e, ast.Call) and len(e.args) == 1:
        return {"f16": F16, "bf16": BF16}.get(e.function.text)
    return None


def widen(e: Expr) -> Expr:
    """``e`` in its compute dtype."""
    return convert("cast", e, e.dtype.compute)


def combine(op: str, args: Sequence[Value], span: Span) -> Value:
    """``op(args)``: untyped arguments take the dtype of the typed ones they meet."""
    info = OPS[op]
    selects = info.operands == "select"
    first = [settle(args[0], BOOL)] if selects else []
    same = args[1:] if selects else args
    typed = [a for a in same if not isinstance(a, Untyped)]
    untyped = [a for a in same if isinstance(a, Untyped)]
    if not typed and info.operands != "bool" and info.result != "bool":
        return Deferred(op, first, untyped, span)
    dtype = typed[0].dtype if typed else BOOL if info.operands == "bool" else join([a.default for a in untyped])
    return checked(op, [*first, *(settle(a, dtype) for a in same)], span)


def checked(op: str, args: Sequence[Expr], span: Span) -> Expr:
    """``op(args)`` if its type rule allows it, else a CheckError that says how to mend it."""
    info = OPS[op]
    name = info.text or op
    same = list(args)
    if info.operands == "select" and same.pop(0).dtype is not BOOL:
        raise error(f"{name} chooses by a bool, this is {args[0].dtype}", span, "compare, as in x != 0")
    if info.operands == "bool" and any(a.dtype is not BOOL for a in same):
        wrong = next(a.dtype for a in same if a.dtype is not BOOL)
        raise error(f"{name!r} takes bools, not {wrong}", span, "compare, as in x != 0; for bits use & | ^ ~")
    first = same[0].dtype
    other = next((a.dtype for a in same if a.dtype is not first), None)
    if other is not None:
        raise error(f"{name!r} of {first} and {other}", span, f"cast one of them: {_wider(first, other)}(...)")
    if first.kind not in info.kinds:
        raise _wrong_kind(name, info, first, span)
    return apply(op, *args)


def _wider(a: DType, b: DType) -> DType:
    return max(a, b, key=lambda d: (d.is_float, d.bits))


def _wrong_kind(name: str, info: OpInfo, dtype: DType, span: Span) -> CheckError:
    hints = {
        "/": "use // for whole numbers, or cast: f32(a) / f32(b)",
        "//": "use / for floats",
        "%": "cast to an integer, or write a - b * f32(i64(a / b))",
    }
    hint = hints.get(name, f"cast it: {'f32' if 'float' in info.kinds else 'i64'}(...)")
    if dtype is BOOL and name in ("~", "&", "|", "^"):
        hint = "for bools write not, and, or, !="
    return error(f"{name!r} does not take {dtype}", span, hint)


def _arity_hint(e: ast.Call) -> str | None:
    name = e.function.text
    if name in ("min", "max"):
        return f"nest them: {name}(a, {name}(b, c)); over an axis: {name}[i](x[i])"
    return None


def _axes(n: int) -> str:
    return "1 axis" if n == 1 else f"{n} axes"
