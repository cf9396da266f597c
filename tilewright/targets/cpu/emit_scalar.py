"""Scalar operations as instructions: tables from (operation, operand kind) to code, the same for scalars and lanes.

What stands in a table is what the target takes natively, or calls a function for at a level that has no instruction
for it: :func:`native` reads the capabilities off them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

from tilewright.ir.scalar import Apply, Const
from tilewright.ir.types import ALL, BF16, F16, F32, F64, FIELD, DType
from tilewright.records import dataclass
from tilewright.targets.cpu.code import Function
from tilewright.targets.cpu.llvm_types import literal, mangled, splat, value_type, vector, zero


@dataclass(frozen=True)
class Operation:
    """One application to be emitted: its arguments as texts of equal lane count."""

    fn: Function
    node: Apply
    args: tuple[str, ...]
    lanes: int

    @property
    def operand(self) -> DType:
        return self.node.args[0].dtype

    @property
    def type(self) -> str:
        """The first operand's LLVM type."""
        return self.type_of(self.operand)

    def type_of(self, dtype: DType) -> str:
        return vector(value_type(dtype), self.lanes)

    def constant(self, value: int | float) -> str:
        """A literal of the first operand's type in every lane."""
        text = literal(value, self.operand)
        return text if self.lanes == 1 else splat(value_type(self.operand), text)

    def binary(self, instruction: str, a: str, b: str) -> str:
        return self.fn.let(f"{instruction} {self.type} {a}, {b}")

    def select(self, condition: str, yes: str, no: str) -> str:
        return self.fn.let(f"select {vector('i1', self.lanes)} {condition}, {self.type} {yes}, {self.type} {no}")

    def intrinsic(self, name: str, *arguments: tuple[str, str]) -> str:
        full = f"{name}.{mangled(value_type(self.operand), self.lanes)}"
        return self.fn.call(full, self.type, [*((self.type, a) for a in self.args), *arguments])

    def known(self, n: int) -> int | None:
        """The value of argument ``n`` if it is an integer literal."""
        arg = self.node.args[n]
        return arg.value if isinstance(arg, Const) and type(arg.value) is int else None


Rule = Callable[[Operation], str]

# --- one instruction each -------------------------------------------------------------------

_INSTRUCTIONS: dict[str, dict[str, str]] = {
    "add": {"int": "add", "uint": "add", "float": "fadd"},
    "sub": {"int": "sub", "uint": "sub", "float": "fsub"},
    "mul": {"int": "mul", "uint": "mul", "float": "fmul"},
    "div": {"float": "fdiv"},
    "lt": {"int": "icmp slt", "uint": "icmp ult", "bool": "icmp ult", "float": "fcmp olt"},
    "le": {"int": "icmp sle", "uint": "icmp ule", "bool": "icmp ule", "float": "fcmp ole"},
    "gt": {"int": "icmp sgt", "uint": "icmp ugt", "bool": "icmp ugt", "float": "fcmp ogt"},
    "ge": {"int": "icmp sge", "uint": "icmp uge", "bool": "icmp uge", "float": "fcmp oge"},
    "eq": {"int": "icmp eq", "uint": "icmp eq", "bool": "icmp eq", "float": "fcmp oeq"},
    "ne": {"int": "icmp ne", "uint": "icmp ne", "bool": "icmp ne", "float": "fcmp une"},
    "min": {"bool": "and"},
    "max": {"bool": "or"},
    "and": {"bool": "and"},
    "or": {"bool": "or"},
    "bitand": {"int": "and", "uint": "and"},
    "bitor": {"int": "or", "uint": "or"},
    "bitxor": {"int": "xor", "uint": "xor"},
}


def _instruction(name: str) -> Rule:
    return lambda o: o.binary(name, *o.args)


# --- compositions ---------------------------------------------------------------------------


def _flip(o: Operation) -> str:
    """All bits of an integer, or the one of a bool."""
    return o.binary("xor", o.args[0], o.constant(-1) if o.operand.is_integer else o.constant(True))


def _negate_int(o: Operation) -> str:
    return o.binary("sub", zero(value_type(o.operand), o.lanes), o.args[0])


def _negate_float(o: Operation) -> str:
    return o.fn.let(f"fneg {o.type} {o.args[0]}")


def _abs_int(o: Operation) -> str:
    return o.intrinsic("abs", ("i1", "false"))


def _abs_uint(o: Operation) -> str:
    return o.args[0]


def _abs_float(o: Operation) -> str:
    return o.intrinsic("fabs")


def _sqrt(o: Operation) -> str:
    return o.intrinsic("sqrt")


def _rounded(intrinsic: str) -> Rule:
    return lambda o: o.intrinsic(intrinsic)


def _fma(o: Operation) -> str:
    return o.intrinsic("fma")


def _isnan(o: Operation) -> str:
    return o.binary("fcmp uno", o.args[0], o.args[0])


def _extremum(test: str) -> Rule:
    """The second argument where it beats the first."""

    def rule(o: Operation) -> str:
        a, b = o.args
        return o.select(o.binary(test, b, a), b, a)

    return rule


def _float_extremum(test: str) -> Rule:
    """A NaN in the first argument beats nothing and stays; one in the second is put in afterwards."""
    beats = _extremum(test)

    def rule(o: Operation) -> str:
        _, b = o.args
        best = beats(o)
        return o.select(o.binary("fcmp uno", b, b), b, best)

    return rule


def _where(o: Operation) -> str:
    condition, yes, no = o.args
    kind = o.type_of(o.node.dtype)
    return o.fn.let(f"select {o.type} {condition}, {kind} {yes}, {kind} {no}")


def _shift(instruction: str, beyond: Callable[[Operation], str]) -> Rule:
    """``instruction``, or ``beyond`` where the amount is not below the width."""

    def rule(o: Operation) -> str:
        value, amount = o.args
        shifted = o.binary(instruction, value, amount)
        known = o.known(1)
        if known is not None and 0 <= known < o.operand.bits:
            return shifted
        fits = o.binary("icmp ult", amount, o.constant(o.operand.bits))
        return o.select(fits, shifted, beyond(o))

    return rule


def _nothing(o: Operation) -> str:
    return zero(value_type(o.operand), o.lanes)


def _sign(o: Operation) -> str:
    return o.binary("ashr", o.args[0], o.constant(o.operand.bits - 1))


def _divide_unsigned(o: Operation) -> tuple[str, str]:
    a, b = o.args
    if o.known(1):
        quotient = o.binary("udiv", a, b)
        return quotient, o.binary("sub", a, o.binary("mul", quotient, b))
    by_zero = o.binary("icmp eq", b, o.constant(0))
    quotient = o.binary("udiv", a, o.select(by_zero, o.constant(1), b))
    remainder = o.binary("sub", a, o.binary("mul", quotient, b))
    return tuple(o.select(by_zero, o.constant(0), v) for v in (quotient, remainder))  # type: ignore[return-value]


def _divide_signed(o: Operation) -> tuple[str, str]:
    """Towards -inf; the divisors 0 and -1, which may trap, are replaced by 1 and treated afterwards."""
    a, b = o.args
    by_zero = o.binary("icmp eq", b, o.constant(0))
    negating = o.binary("icmp eq", b, o.constant(-1))
    special = o.fn.let(f"or {vector('i1', o.lanes)} {by_zero}, {negating}")
    divisor = o.select(special, o.constant(1), b)
    quotient, remainder = _floored(o, a, divisor)
    quotient = o.select(negating, o.binary("sub", o.constant(0), a), quotient)
    return o.select(by_zero, o.constant(0), quotient), remainder


def _divide_signed_known(o: Operation) -> tuple[str, str]:
    return _floored(o, *o.args)


def _floored(o: Operation, a: str, b: str) -> tuple[str, str]:
    """Floor division and its remainder for a divisor other than 0 and -1."""
    quotient = o.binary("sdiv", a, b)
    remainder = o.binary("sub", a, o.binary("mul", quotient, b))
    signs = o.binary("icmp slt", o.binary("xor", remainder, b), o.constant(0))
    inexact = o.binary("icmp ne", remainder, o.constant(0))
    low = o.fn.let(f"and {vector('i1', o.lanes)} {signs}, {inexact}")
    down = o.binary("sub", quotient, o.constant(1))
    return o.select(low, down, quotient), o.select(low, o.binary("add", remainder, b), remainder)


def _division(part: int) -> Rule:
    def rule(o: Operation) -> str:
        if o.operand.kind == "uint":
            return _divide_unsigned(o)[part]
        return (_divide_signed if o.known(1) in (None, 0, -1) else _divide_signed_known)(o)[part]

    return rule


_RULES: dict[str, dict[str, Rule]] = {
    "neg": {"int": _negate_int, "uint": _negate_int, "float": _negate_float},
    "abs": {"int": _abs_int, "uint": _abs_uint, "float": _abs_float},
    "min": {"int": _extremum("icmp slt"), "uint": _extremum("icmp ult"), "float": _float_extremum("fcmp olt")},
    "max": {"int": _extremum("icmp sgt"), "uint": _extremum("icmp ugt"), "float": _float_extremum("fcmp ogt")},
    "not": {"bool": _flip},
    "bitnot": {"int": _flip, "uint": _flip},
    "shl": {"int": _shift("shl", _nothing), "uint": _shift("shl", _nothing)},
    "shr": {"int": _shift("ashr", _sign), "uint": _shift("lshr", _nothing)},
    "floordiv": {"int": _division(0), "uint": _division(0)},
    "mod": {"int": _division(1), "uint": _division(1)},
    "sqrt": {"float": _sqrt},
    "floor": {"float": _rounded("floor")},
    "ceil": {"float": _rounded("ceil")},
    "trunc": {"float": _rounded("trunc")},
    "round": {"float": _rounded("roundeven")},
    "fma": {"float": _fma},
    "isnan": {"float": _isnan},
}

# --- conversions ----------------------------------------------------------------------------


def _convert(o: Operation, instruction: str, value: str, source: str, to: str) -> str:
    return o.fn.let(f"{instruction} {vector(source, o.lanes)} {value} to {vector(to, o.lanes)}")


def _bitcast(o: Operation) -> str:
    source, to = value_type(o.operand), value_type(o.node.dtype)
    return o.args[0] if source == to else _convert(o, "bitcast", o.args[0], source, to)


def _converted(instruction: str) -> Rule:
    return lambda o: _convert(o, instruction, o.args[0], value_type(o.operand), value_type(o.node.dtype))


def _saturated(signed: str) -> Rule:
    """Truncation with the ends of the range for what lies outside, and 0 for NaN."""

    def rule(o: Operation) -> str:
        source, to = value_type(o.operand), value_type(o.node.dtype)
        name = f"fpto{signed}.sat.{mangled(to, o.lanes)}.{mangled(source, o.lanes)}"
        return o.fn.call(name, vector(to, o.lanes), [(o.type, o.args[0])])

    return rule


def _is_not_zero(test: str) -> Rule:
    return lambda o: o.binary(test, o.args[0], zero(value_type(o.operand), o.lanes))


def _same(o: Operation) -> str:
    return o.args[0]


def _from_half(o: Operation) -> str:
    half = _convert(o, "bitcast", o.args[0], "i16", "half")
    return _convert(o, "fpext", half, "half", value_type(o.node.dtype))


def _to_half(o: Operation) -> str:
    half = _convert(o, "fptrunc", o.args[0], value_type(o.operand), "half")
    return _convert(o, "bitcast", half, "half", "i16")


_KIND_CASTS: dict[tuple[str, str], Rule] = {
    ("int", "float"): _converted("sitofp"),
    ("uint", "float"): _converted("uitofp"),
    ("bool", "float"): _converted("uitofp"),
    ("float", "int"): _saturated("si"),
    ("float", "uint"): _saturated("ui"),
    ("float", "bool"): _is_not_zero("fcmp une"),
    ("int", "bool"): _is_not_zero("icmp ne"),
    ("uint", "bool"): _is_not_zero("icmp ne"),
    ("bool", "bool"): _same,
}
_WIDENINGS = {"int": "sext", "uint": "zext", "bool": "zext"}
_HALF_CASTS: dict[tuple[DType, DType], Rule] = {
    (F16, F32): _from_half,
    (F16, F64): _from_half,
    (F32, F16): _to_half,
}


def _resize(source: DType, to: DType) -> Rule:
    """Between integers, or between f32 and f64."""
    if source.kind == "float":
        return _same if source is to else _converted("fpext" if source.bits < to.bits else "fptrunc")
    source_bits = 1 if source.kind == "bool" else source.bits
    if source_bits == to.bits:
        return _same
    return _converted(_WIDENINGS[source.kind] if source_bits < to.bits else "trunc")


# --- the rules by dtype ---------------------------------------------------------------------

_STORAGE_ONLY = (F16, BF16, FIELD)


def cast_rule(source: DType, to: DType) -> Rule | None:
    """How to convert, or None."""
    if (source, to) in _HALF_CASTS:
        return _HALF_CASTS[source, to]
    if source in _STORAGE_ONLY or to in _STORAGE_ONLY:
        return None
    return _KIND_CASTS.get((source.kind, to.kind)) or _resize(source, to)


def op_rule(op: str, dtype: DType) -> Rule | None:
    """How to emit ``op`` of operands of ``dtype``, or None."""
    if op == "bitcast":
        return _bitcast if dtype.kind != "bool" else None
    if op == "where":
        return _where if dtype.kind == "bool" else None
    if dtype in _STORAGE_ONLY:
        return None
    if dtype.kind in _INSTRUCTIONS.get(op, {}):
        return _instruction(_INSTRUCTIONS[op][dtype.kind])
    return _RULES.get(op, {}).get(dtype.kind)


ROUNDINGS = ("floor", "ceil", "trunc", "round")


def native(fma: bool, half: bool, rounding: bool) -> frozenset[tuple[str, str]]:
    """The capabilities: what the tables take on a processor with or without FMA, conversions of f16, and
    roundings to integers."""
    return frozenset(_native(half, (() if fma else ("fma",)) + (() if rounding else ROUNDINGS)))


def _native(half: bool, lacking: Container[str]) -> Iterator[tuple[str, str]]:
    for dtype in ALL:
        for op in (*_INSTRUCTIONS, *_RULES, "bitcast", "where"):
            if op_rule(op, dtype) and op not in lacking:
                yield op, dtype.name
        for to in ALL:
            if cast_rule(dtype, to) and (half or (dtype, to) not in _HALF_CASTS):
                yield "cast", f"{dtype}>{to}"


def rule_for(node: Apply) -> Rule | None:
    """How to emit ``node``, or None."""
    source = node.args[0].dtype
    return cast_rule(source, node.dtype) if node.op == "cast" else op_rule(node.op, source)
