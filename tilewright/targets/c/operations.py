"""How scalar operations are spelt in C: one table, from which the manifest also knows what is native.

In a template ``{0}``, ``{1}``, ``{2}`` are the operands (names or literals), ``{T}`` the C type of the result, ``{W}``
the unsigned type that integers of that width wrap around in, ``{n}`` their bits, ``{f}`` the suffix of math functions.
"""

from __future__ import annotations

from collections.abc import Mapping

from tilewright.errors import UnsupportedError
from tilewright.ir.scalar import Apply, Const
from tilewright.ir.types import ALL, DType
from tilewright.targets.c.prelude import C_TYPES, saturating_name

DTYPES = tuple(t for t in ALL if t.name in C_TYPES)
_CLASSES: Mapping[str, tuple[DType, ...]] = {
    "float": tuple(t for t in DTYPES if t.kind == "float"),
    "int": tuple(t for t in DTYPES if t.kind == "int"),
    "uint": tuple(t for t in DTYPES if t.kind == "uint"),
    "integer": tuple(t for t in DTYPES if t.is_integer),
    "number": tuple(t for t in DTYPES if t.kind != "bool"),
    "bool": tuple(t for t in DTYPES if t.kind == "bool"),
    "any": DTYPES,
}

_TEMPLATES: tuple[tuple[str, str, str], ...] = (
    ("add", "float", "{0} + {1}"),
    ("sub", "float", "{0} - {1}"),
    ("mul", "float", "{0} * {1}"),
    ("div", "float", "{0} / {1}"),
    ("neg", "float", "-{0}"),
    ("abs", "float", "fabs{f}({0})"),
    ("fma", "float", "fma{f}({0}, {1}, {2})"),
    ("sqrt", "float", "sqrt{f}({0})"),
    ("isnan", "float", "{0} != {0}"),
    ("min", "float", "{1} < {0} || {1} != {1} ? {1} : {0}"),
    ("max", "float", "{0} < {1} || {1} != {1} ? {1} : {0}"),
    ("add", "integer", "({T})(({W}){0} + ({W}){1})"),
    ("sub", "integer", "({T})(({W}){0} - ({W}){1})"),
    ("mul", "integer", "({T})(({W}){0} * ({W}){1})"),
    ("neg", "integer", "({T})(0 - ({W}){0})"),
    ("abs", "int", "{0} < 0 ? ({T})(0 - ({W}){0}) : {0}"),
    ("abs", "uint", "{0}"),
    ("floordiv", "int", "({T})tw_floordiv({0}, {1})"),
    ("floordiv", "uint", "{1} ? {0} / {1} : 0"),
    ("mod", "int", "({T})tw_floormod({0}, {1})"),
    ("mod", "uint", "{1} ? {0} % {1} : 0"),
    ("min", "integer", "{1} < {0} ? {1} : {0}"),
    ("max", "integer", "{0} < {1} ? {1} : {0}"),
    ("bitand", "integer", "{0} & {1}"),
    ("bitor", "integer", "{0} | {1}"),
    ("bitxor", "integer", "{0} ^ {1}"),
    ("bitnot", "integer", "({T})~{0}"),
    ("shl", "integer", "({W}){1} < {n} ? ({T})(({W}){0} << {1}) : 0"),
    ("shr", "uint", "{1} < {n} ? {0} >> {1} : 0"),
    ("shr", "int", "{0} >> (({W}){1} < {n} ? {1} : {n} - 1)"),
    ("min", "bool", "{0} & {1}"),
    ("max", "bool", "{0} | {1}"),
    ("and", "bool", "{0} & {1}"),
    ("or", "bool", "{0} | {1}"),
    ("not", "bool", "!{0}"),
    ("where", "bool", "{0} ? {1} : {2}"),
    *((op, "any", f"{{0}} {sign} {{1}}") for op, sign in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="))),
    *((op, "any", f"{{0}} {sign} {{1}}") for op, sign in (("eq", "=="), ("ne", "!="))),
)

TEMPLATES: Mapping[tuple[str, str], str] = {
    (op, dtype.name): template for op, kinds, template in _TEMPLATES for dtype in _CLASSES[kinds]
}
"""By (operation, dtype of the first operand)."""

_SHORT_SHIFTS = {"shl": "({T})(({W}){0} << {1})", "shr": "{0} >> {1}"}
"""Where the amount is known to be in range."""


def _cast(source: DType, to: DType) -> str:
    if to.kind == "bool":
        return "{0} != 0"
    if source.kind == "float" and to.is_integer:
        return saturating_name(source, to) + "({0})"
    return "({T}){0}"


def _bitcast(source: DType, to: DType) -> str:
    if source.kind == "float":
        return f"({{T}})tw_{source}_bits({{0}})"
    return f"tw_bits_{to}(({{S}}){{0}})" if to.kind == "float" else "({T}){0}"


def _can_bitcast(source: DType, to: DType) -> bool:
    kinds = {source.kind, to.kind}
    return source is not to and source.bits == to.bits and "bool" not in kinds


CASTS: Mapping[tuple[str, str], str] = {
    (source.name, to.name): _cast(source, to) for source in DTYPES for to in DTYPES if source is not to
}
BITCASTS: Mapping[tuple[str, str], str] = {
    (source.name, to.name): _bitcast(source, to) for source in DTYPES for to in DTYPES if _can_bitcast(source, to)
}

NATIVE = frozenset(
    {
        *TEMPLATES,
        *(("cast", f"{source}>{to}") for source, to in CASTS),
        *(("bitcast", source) for source, _ in BITCASTS),
    }
)
"""The operations above, as ``Capabilities.native``."""


def operation_text(node: Apply, args: list[str]) -> str:
    """The C expression of ``node`` on the texts of its operands; UnsupportedError names an unknown operation."""
    template = _template(node)
    if template is None:
        raise UnsupportedError(
            f"the c target has no {node.op} of {', '.join(str(a.dtype) for a in node.args)} to {node.dtype}"
        )
    width = max(node.dtype.bits, 32)
    return template.format(
        *args,
        T=C_TYPES[node.dtype.name],
        W=f"uint{width}_t",
        S=f"uint{node.args[0].dtype.bits}_t",
        n=node.dtype.bits,
        f="f" if node.dtype.name == "f32" else "",
    )


def _template(node: Apply) -> str | None:
    source = node.args[0].dtype
    if node.op == "cast":
        return CASTS.get((source.name, node.dtype.name))
    if node.op == "bitcast":
        return BITCASTS.get((source.name, node.dtype.name))
    if node.op in _SHORT_SHIFTS and _in_range(node):
        return _SHORT_SHIFTS[node.op]
    return TEMPLATES.get((node.op, source.name))


def _in_range(node: Apply) -> bool:
    amount = node.args[1]
    return isinstance(amount, Const) and 0 <= amount.value < node.dtype.bits
