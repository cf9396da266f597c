"""Index expressions and conditions on dims, from syntax to the index algebra."""

from __future__ import annotations

from collections.abc import Callable

from tilewright.dsl import syntax as ast
from tilewright.dsl.limits import MAX_INDEX_DEPTH
from tilewright.dsl.mend import between, replaced
from tilewright.dsl.program import Scope, error, nearest, unknown
from tilewright.errors import CheckError
from tilewright.ir import index as ix
from tilewright.ir.index import Condition, Index, const, symbol
from tilewright.ir.types import I64

_BINARY: dict[str, Callable[[Index, Index], Index]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": ix.floordiv,
    "%": ix.mod,
}
_FUNCTIONS: dict[str, Callable[..., Index]] = {
    "index": lambda a: a,
    "min": ix.minimum,
    "max": ix.maximum,
    "pow2": ix.pow2,
    "ctz": ix.ctz,
}
_RELATIONS: dict[str, Callable[[Index, Index], Condition]] = {
    ">=": ix.ge,
    "<=": lambda a, b: ix.ge(b, a),
    ">": lambda a, b: ix.ge(a, b + 1),
    "<": ix.lt,
    "==": ix.eq,
}


def affine(e: ast.Expr | ast.Pack, scope: Scope) -> Index | None:
    """``e`` as an Index, or None if it depends on more than axes, dims, attributes and numbers."""
    if isinstance(e, ast.Number):
        return _in_range(e, const(e.value)) if isinstance(e.value, int) else None
    if isinstance(e, ast.Name):
        return _name(e.text, scope)
    if isinstance(e, ast.Element) and e.tensor.text in scope.program.attributes:
        element = attribute_element(e, scope)
        return const(element) if type(element) is int else None
    if isinstance(e, ast.Unary) and e.op == "-":
        value = affine(e.value, scope)
        return None if value is None else -value
    if isinstance(e, ast.Binary) and e.op in _BINARY:
        left, right = affine(e.left, scope), affine(e.right, scope)
        return None if left is None or right is None else _in_range(e, _apply(e, left, right))
    if isinstance(e, ast.Call) and e.function.text == "linear":
        return linear(e, scope)
    if isinstance(e, ast.Call) and e.function.text == "size":
        return size(e, scope)
    if isinstance(e, ast.Call) and len(e.args) == 1 and _is_index_dtype(e.function, scope):
        flag = _flag(e.args[0], scope)
        return affine(e.args[0], scope) if flag is None else const(int(flag))
    if isinstance(e, ast.Call) and e.function.text in _FUNCTIONS and e.args:
        args = [affine(a, scope) for a in e.args]
        return None if None in args else _in_range(e, _function(e, args))  # type: ignore[arg-type]
    return None


def _is_index_dtype(name: ast.Name, scope: Scope) -> bool:
    """Whether a call of ``name`` is a cast that leaves indices as they are."""
    return scope.program.is_dtype(name.text) and scope.program.dtype(name) is I64


def _flag(e: ast.Expr | ast.Pack, scope: Scope) -> bool | None:
    """The value of a bool attribute."""
    value = scope.program.attributes.get(e.text) if isinstance(e, ast.Name) else None
    return value if isinstance(value, bool) else None


def _function(e: ast.Call, args: list[Index]) -> Index:
    name = e.function.text
    if name not in ("min", "max") and len(args) != 1:
        raise error(f"{name} takes one value, not {len(args)}", e.span, f"write {name}(...)")
    if name in ("pow2", "ctz") and not ix.defined(name, args[0]):
        raise error(f"{name}({args[0]}) has no value", e.span, "pow2 of 0 to 62, ctz of 1 or more")
    return _FUNCTIONS[name](*args)


def _in_range(e: ast.Node, index: Index) -> Index:
    if not ix.in_range(index):
        raise error("a number in this index has more than 64 bits", e.span, "use smaller numbers")
    if ix.depth(index) > MAX_INDEX_DEPTH:
        raise error(f"divisions and extrema are nested over {MAX_INDEX_DEPTH} deep", e.span, "use a simpler index")
    return index


def _apply(e: ast.Binary, left: Index, right: Index) -> Index:
    if e.op in ("//", "%") and right.constant == 0:
        raise error("division by zero", e.right.span, "the divisor is 0 here: give it another value")
    if e.op == "*" and not ix.multipliable(left, right):
        raise error("this product is too large when it is multiplied out", e.span, "use fewer terms")
    return _BINARY[e.op](left, right)


def _name(name: str, scope: Scope) -> Index | None:
    program = scope.program
    if name in scope.variables:
        return None
    if name in scope.ranges:
        return symbol(name)
    value = program.attributes.get(name)
    if type(value) is int:
        return const(value)
    return program.dims.get(name)


def attribute_element(e: ast.Element, scope: Scope) -> bool | int | float | None:
    """The value of ``stride[0]`` for a tuple attribute ``stride``; None if ``e`` is an element of a tensor."""
    name = e.tensor.text
    value = scope.program.attributes.get(name)
    if value is None:
        return None
    if not isinstance(value, tuple):
        raise error(f"{name} is no tuple", e.span, f"write {name} without brackets", replaced(e.span, name))
    at = affine(e.indices[0].value, scope) if len(e.indices) == 1 and e.indices[0].extent is None else None
    if at is None or at.constant is None:
        hint = f"say which element by a whole number: {name}[0]"
        raise error(f"the place in {name} is not known when the op is compiled", e.span, hint)
    if not 0 <= at.constant < len(value):
        hint = f"they are {name}[0] to {name}[{len(value) - 1}]" if len(value) > 1 else f"it is {name}[0]"
        raise error(f"{name} has {len(value)} elements, none at {at.constant}", e.span, hint)
    return value[at.constant]


def linear(e: ast.Call, scope: Scope) -> Index:
    """The row-major number of the point at the given axes."""
    result = const(0)
    for arg in e.args:
        if not isinstance(arg, ast.Name) or arg.text not in scope.ranges:
            raise error("linear takes axes of the statement", arg.span, nearest("", scope.ranges))
        result = result * scope.ranges[arg.text] + symbol(arg.text)
    return result


def size(e: ast.Call, scope: Scope) -> Index:
    """The number of points that the given axes have, or the axes of a pack."""
    ranges = {**scope.program.pack_ranges, **scope.ranges}
    result = const(1)
    for arg in e.args:
        if isinstance(arg, ast.Name) and arg.text in scope.program.dims and arg.text not in ranges:
            fix = replaced(e.span, arg.text) if len(e.args) == 1 else ()
            raise error("size takes axes and packs", arg.span, f"{arg.text} is a number already", fix)
        if not isinstance(arg, ast.Name) or arg.text not in ranges:
            raise error("size takes axes and packs", arg.span, nearest("", ranges) or "a pack, as in size(R...)")
        result = result * ranges[arg.text]
    return result


def extent(e: ast.Expr | ast.Pack, scope: Scope, what: str) -> Index:
    """``e`` as an Index over dims and attributes; CheckError names what is in the way."""
    index = affine(e, scope)
    if index is None:
        raise _not_affine(e, scope, what)
    return index


def _not_affine(e: ast.Expr | ast.Pack, scope: Scope, what: str) -> CheckError:
    nodes = [node for node, _ in ast.walk(e)]
    if any(isinstance(node, ast.Element) for node in nodes):
        return error(f"{what} cannot depend on data", e.span, "it may use dims, int attributes and whole numbers")
    quotient = next((n for n in nodes if isinstance(n, ast.Binary) and n.op == "/"), None)
    if quotient:
        fix = between(quotient.left.span, quotient.right.span, "/", "//")
        return error(f"{what} is a whole number", e.span, "use // for whole numbers", fix)
    known = {*scope.ranges, *scope.program.dims, *scope.program.attributes}
    for node in nodes:
        if isinstance(node, ast.Name) and node.text not in known and node.text not in _FUNCTIONS:
            return unknown("dim or attribute", node, sorted(known))
    hint = "it may use dims, int attributes, whole numbers, + - * // %, min and max"
    return error(f"{what} must be a whole number known from the operands", e.span, hint)


def conditions(e: ast.Expr, scope: Scope) -> list[Condition]:
    """The conditions that ``e`` joins by ``and``."""
    if isinstance(e, ast.Binary) and e.op == "and":
        return conditions(e.left, scope) + conditions(e.right, scope)
    if isinstance(e, ast.Binary) and e.op in _RELATIONS:
        left, right = (extent(side, scope, "a side of a condition") for side in (e.left, e.right))
        return [_RELATIONS[e.op](left, right)]
    raise error("this is not a condition on sizes", e.span, "compare with >=, <=, <, > or ==, joined by `and`")
