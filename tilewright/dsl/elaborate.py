"""Expressions: from syntax to typed scalar IR."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tilewright.dsl import bounds, mend
from tilewright.dsl import syntax as ast
from tilewright.dsl.attributes import shown
from tilewright.dsl.indices import affine, attribute_element, extent, linear, size
from tilewright.dsl.operands import Place, checked
from tilewright.dsl.program import (
    CONSTANTS,
    ELSEWHERE,
    TRUTHS,
    Attribute,
    Scope,
    Untyped,
    UntypedVar,
    closest,
    error,
    unknown,
)
from tilewright.dsl.steps import check_read
from tilewright.errors import CheckError
from tilewright.ir import index as ix
from tilewright.ir import scalar
from tilewright.ir.index import symbol
from tilewright.ir.scalar import OPS, Const, Expr, IndexValue, Param, Read, apply, convert
from tilewright.ir.tensor import Tensor
from tilewright.ir.types import BF16, BOOL, F16, F32, FIELD, I32, I64, U8, U32, U64, DType
from tilewright.source import Span

Value = Expr | Untyped
Hoist = Callable[[ast.Reduce | ast.Fold, Scope], Read]

_BINARY = {info.text: op for op, info in OPS.items() if info.text and info.arity == 2}
_UNARY = {info.text: op for op, info in OPS.items() if info.text and info.arity == 1}
_EXTREMES = ("lowest", "highest")
_REDUCTIONS = ("sum", "prod", "any", "all", "argmax", "argmin", "argsort", "fold", "scan")
_SPECIAL = ("linear", "size", "index", "order", "bitcast", "uniform", *_EXTREMES)


class Literal(Untyped):
    """A number as written."""

    def __init__(self, value: int | float, span: Span) -> None:
        super().__init__(I64 if isinstance(value, int) else F32)
        self.value = value
        self.span = span

    def make(self, dtype: DType) -> Expr:
        if dtype is BOOL:
            fix = mend.replaced(self.span, "true" if self.value else "false")
            raise error(f"the number {self.value} stands where a bool is needed", self.span, "write true or false", fix)
        if dtype.is_integer and (isinstance(self.value, float) or not fits(self.value, dtype)):
            hint = f"write a number that fits {dtype}, or cast the other side"
            whole = self.value == self.value // 1 and fits(int(self.value), dtype)
            fix = mend.replaced(self.span, str(int(self.value))) if whole else ()
            raise error(f"{self.value} does not fit {dtype}", self.span, hint, fix)
        return scalar.literal(self.value, dtype)


class Deferred(Untyped):
    """An operation on untyped values, after ``first`` ones that have a dtype of their own."""

    def __init__(self, op: str, first: Sequence[Expr], args: Sequence[Untyped], place: Place) -> None:
        super().__init__(join([a.default for a in args]))
        self.op, self.first, self.args, self.place = op, first, args, place

    def make(self, dtype: DType) -> Expr:
        return checked(self.op, [*self.first, *(a.make(dtype) for a in self.args)], self.place)


def fits(value: int, dtype: DType) -> bool:
    low, high = dtype.limits
    return low <= value <= high


def lowest(dtype: DType) -> Const:
    """The value that ``max`` starts from."""
    if dtype.is_float:
        return Const(float("-inf"), dtype)
    return Const(dtype.limits[0], dtype) if dtype.is_integer else Const(False, dtype)


def highest(dtype: DType) -> Const:
    """The value that ``min`` starts from."""
    if dtype.is_float:
        return Const(float("inf"), dtype)
    return Const(dtype.limits[1], dtype) if dtype.is_integer else Const(True, dtype)


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
            name = scope.program.spelling(dtype)
            fix = mend.wrapped(e.span, f"{name}(")
            raise error(f"this is {value.dtype}, but {dtype} is stored here", e.span, f"write {name}(...)", fix)
        return convert("cast", value, dtype)

    def value(self, e: ast.Expr, scope: Scope) -> Value:
        """``e`` as typed scalar IR, or as an untyped value if it is made of literals only."""
        number = _number(e, scope)
        if number is not None:
            return Literal(number, e.span)
        if isinstance(e, ast.Name):
            return _name(e, scope)
        if isinstance(e, ast.Element):
            value = attribute_element(e, scope)
            return widen(self.read(e, scope)) if value is None else _settled(value)
        if isinstance(e, ast.Text):
            raise error("a text is no value", e.span, 'texts are choices of attributes: if mode == "...":')
        if isinstance(e, ast.Guarded):
            return self._guarded(e, scope)
        if isinstance(e, ast.Unary):
            return self._combined(_UNARY[e.op], (e.value,), e, scope)
        if isinstance(e, ast.Binary):
            return self._combined(_BINARY[e.op], (e.left, e.right), e, scope)
        if isinstance(e, ast.Call):
            return self._call(e, scope)
        assert isinstance(e, (ast.Reduce, ast.Fold))
        return widen(self.hoist(e, scope))

    def _combined(self, op: str, operands: Sequence[ast.Expr], e: ast.Expr, scope: Scope) -> Value:
        place = Place(e.span, tuple(o.span for o in operands), scope.program.spelling)
        return combine(op, [self.value(o, scope) for o in operands], place)

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
            fix = mend.replaced(mend.stretch(a.span, a.value.span.offsets[1], a.span.offsets[1]), "")
            raise error("a range stands where an index is needed", a.span, "declare ranges on the left side", fix)
        index = affine(a.value, scope)
        if index is not None:
            return index
        value = self.typed(a.value, scope, I64)
        if not value.dtype.is_integer:
            fix = mend.wrapped(a.span, "i64(")
            raise error(f"an index must be an integer, this is {value.dtype}", a.span, "cast it: i64(...)", fix)
        return value

    def _guarded(self, e: ast.Guarded, scope: Scope) -> Value:
        if not isinstance(e.read, ast.Element):
            hint = "write (x[i] else 0); choose between values with where"
            last = [n for n, _ in ast.walk(e.read) if isinstance(n, ast.Element)][-1:]
            rest = mend.stretch(e.span, e.read.span.offsets[1], e.otherwise.span.offsets[1])
            fix = mend.guarded(last[0].span, e.otherwise.span.text) + mend.replaced(rest, "") if last else ()
            raise error("`else` guards a read", e.read.span, hint, fix)
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
        if name == "order":
            return ordered(self.typed(self._arg(e, 0, 1), scope), e.span)
        if name == "bitcast":
            return self._bitcast(e, scope)
        if name in ("bits", "uniform"):
            return self._random(e, scope)
        if scope.program.is_dtype(name):
            return self._cast(e, scope)
        if name not in OPS or OPS[name].result == "given":
            functions = [*_SPECIAL, *(op for op, i in OPS.items() if i.result != "given" and not i.text), "bits"]
            if name in scope.program.tensors:
                fix = mend.bracketed(e.function.span)
                raise error(
                    f"{name} is a tensor, not a function", e.span, f"elements stand in brackets: {name}[i]", fix
                )
            if name in _REDUCTIONS:
                fix = _over_free_axes(e, scope)
                raise error(f"{name} is a reduction", e.span, f"write {name}[axes](value)", fix)
            if name not in ELSEWHERE and name in scope.program.resolver(scope.program.callers[-1]):
                hint = f"call it on whole tensors in a statement of its own: t = {name}(x)"
                raise error(f"{name} is an op, not a function", e.span, hint, mend.whole_call(e.span))
            raise unknown("function", e.function, [*functions, *scope.program.dtypes, "f32", "i64"])
        arity = OPS[name].arity
        return self._combined(name, [self._arg(e, n, arity) for n in range(arity)], e, scope)

    def _arg(self, e: ast.Call, n: int, arity: int) -> ast.Expr:
        if len(e.args) != arity:
            many = "one value" if arity == 1 else f"{arity} values"
            raise error(f"{e.function.text} takes {many}, not {len(e.args)}", e.span, *_arity_remedy(e))
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
        value = settle(self._one_arg(e, scope), None if dtype is BOOL else dtype.compute)
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
                raise error(message, node.span, f"cast it: {dtype}(...)", mend.wrapped(node.span, f"{dtype}("))
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
    if isinstance(e, ast.Element) and e.tensor.text in scope.program.attributes:
        element = attribute_element(e, scope)
        return element if type(element) is float else None
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
        return _settled(_single(e, program.attributes[name]))
    if name in program.dims:
        return IndexValue(program.dims[name])
    if name in TRUTHS:
        return Const(TRUTHS[name], BOOL)
    if name in program.tensors or name in program.declared:
        fix = _at_axes(e, program.tensors.get(name) or program.declared[name], scope)
        raise error(f"{name} is a tensor, not a value", e.span, f"say which element: {name}[...]", fix)
    raise _unknown_name(e, scope)


def _unknown_name(e: ast.Name, scope: Scope) -> CheckError:
    if e.span.text.endswith("..."):
        hint = f"as in y[{e.span.text}] = ..., or sum[{e.span.text}](...)"
        return error(f"nothing says what {e.span.text} runs over", e.span, hint)
    names = [*scope.variables, *scope.ranges, *scope.program.value_names()]
    if closest(e.text, names) is None:
        hint = f"an axis stands on the left side, y[{e.text}] = ..., or in a reduction, sum[{e.text}](...)"
        return error(f"unknown name {e.text!r}", e.span, hint)
    return unknown("name", e, names)


def _single(e: ast.Name, value: Attribute) -> bool | int | float:
    """``value``, which the attribute ``e`` has, if it can be computed with."""
    if isinstance(value, str):
        raise error(f"{e.text} is a choice, not a value", e.span, f"compare it: if {e.text} == {shown(value)}:")
    if isinstance(value, tuple):
        hint = f"say which element: {e.text}[0]"
        raise error(f"{e.text} is a tuple, not a value", e.span, hint, mend.behind(e.span, "[0]"))
    return value


def _settled(value: bool | int | float) -> Expr:
    """A whole number or a truth that an attribute has."""
    return scalar.literal(value, BOOL if isinstance(value, bool) else I64)


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
        whole = mend.element(name.span)
        fix = mend.replaced(whole, text) if whole else ()
        raise error(f"{text} is not a tensor", name.span, f"write {text} without brackets", fix)
    raise unknown("tensor", name, program.tensors)


def _unguarded(name: ast.Name) -> CheckError:
    hint = f"say what it is before the first point: ({name.text}[i - 1] else 0)"
    fix = mend.guarded(mend.element(name.span))
    return error(f"{name.text} reads itself without `else`", name.span, hint, fix)


def _at_axes(name: ast.Name, tensor: Tensor, scope: Scope) -> mend.Fix:
    """``x[i, j]`` for ``x``: at each of its dims an axis that runs over it."""
    found: list[str] = []
    for dim in tensor.shape:
        fitting = (axis for axis, over in scope.ranges.items() if over is dim and axis not in found)
        found.append(next(fitting, ""))
    return mend.replaced(name.span, f"{name.text}[{', '.join(found)}]") if all(found) else ()


def _over_free_axes(e: ast.Call, scope: Scope) -> mend.Fix:
    """``sum[k](x[k])`` for ``sum(x[k])``: over the names of its value that nothing else has."""
    known = {*scope.ranges, *scope.variables, *scope.program.value_names()}
    values = [a for a in e.args if not isinstance(a, ast.Pack)]
    free = dict.fromkeys(n.text for n in ast.value_names(*values) if n.text not in known | {*scope.program.tensors})
    return mend.behind(e.function.span, f"[{', '.join(free)}]") if free else ()


# --- typing ---------------------------------------------------------------------------------


def ordered(value: Expr, span: Span) -> Expr:
    """An integer that comes before another where ``value`` does: -0.0 and 0.0 are one, every NaN comes last.

    Floats of one sign are in order as integers are, the negative ones from back to front.
    """
    if value.dtype is FIELD:
        raise error("the exact field has no order", span, "sort by integers")
    if not value.dtype.is_float:
        return convert("cast", value, U8) if value.dtype is BOOL else value
    dtype = {32: I32, 64: I64}[value.dtype.bits]
    plain = apply("where", apply("eq", value, zero := scalar.literal(0, value.dtype)), zero, value)
    bits = convert("bitcast", plain, dtype)
    sign = apply("shr", bits, scalar.literal(dtype.bits - 1, dtype))
    number = apply("bitxor", bits, apply("bitand", sign, highest(dtype)))
    return apply("where", apply("isnan", value), highest(dtype), number)


def storage_cast(e: ast.Expr) -> DType | None:
    """The storage dtype that ``e`` rounds to, written out as in ``f16(x)``."""
    if isinstance(e, ast.Call) and len(e.args) == 1:
        return {"f16": F16, "bf16": BF16}.get(e.function.text)
    return None


def widen(e: Expr) -> Expr:
    """``e`` in its compute dtype."""
    return convert("cast", e, e.dtype.compute)


def combine(op: str, args: Sequence[Value], place: Place) -> Value:
    """``op(args)``: untyped arguments take the dtype of the typed ones they meet."""
    info = OPS[op]
    selects = info.operands == "select"
    first = [settle(args[0], BOOL)] if selects else []
    same = args[1:] if selects else args
    typed = [a for a in same if not isinstance(a, Untyped)]
    untyped = [a for a in same if isinstance(a, Untyped)]
    if not typed and info.operands != "bool" and info.result != "bool":
        return Deferred(op, first, untyped, place)
    dtype = typed[0].dtype if typed else BOOL if info.operands == "bool" else join([a.default for a in untyped])
    return checked(op, [*first, *(settle(a, dtype) for a in same)], place)


def _arity_remedy(e: ast.Call) -> tuple[str | None, mend.Fix]:
    name, last = e.function.text, len(e.args) - 1
    if name not in ("min", "max"):
        wanted = OPS[name].arity if name in OPS else 1
        return f"as in {name}({', '.join('abcd'[:wanted])})", ()
    hint = f"nest them: {name}(a, {name}(b, c)); over an axis: {name}[i](x[i])"
    nested = [edit for a in e.args[1:last] for edit in mend.replaced(a.span.start, f"{name}(")]
    return hint, (*nested, *mend.behind(e.span, ")" * len(nested))) if nested else ()


def _axes(n: int) -> str:
    return "1 axis" if n == 1 else f"{n} axes"
