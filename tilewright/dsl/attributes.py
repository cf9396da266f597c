"""Attributes of ops and defaults of run-time scalars: which kinds there are, and which values are of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tilewright.dsl import syntax as ast
from tilewright.dsl.mend import replaced
from tilewright.dsl.program import CONSTANTS, TRUTHS, Attribute, error
from tilewright.ir.types import BOOL, DType
from tilewright.records import dataclass

_BASES: Mapping[str, type] = {"int": int, "float": float, "bool": bool}
MAX_LENGTH = 32
"""Of a tuple: as many as a tensor has axes."""


@dataclass(frozen=True)
class Kind:
    """What an attribute may be: an ``int``, ``float``, ``bool`` or one of some ``choices``; with a ``length`` a tuple
    of so many.

    >>> print(Kind("int", length=2), Kind("choice", choices=("none", "mean")))
    int[2] "none" | "mean"
    """

    base: str
    choices: tuple[str, ...] = ()
    length: int | None = None

    def __str__(self) -> str:
        if self.choices:
            return " | ".join(map(shown, self.choices))
        return self.base if self.length is None else f"{self.base}[{self.length}]"

    def taken(self, value: object) -> Attribute | None:
        """``value`` as the attribute has it, None if it is of another kind. One value stands for a tuple of equal ones.

        >>> Kind("int", length=2).taken(3), Kind("int", length=2).taken((3, 4, 5))
        ((3, 3), None)
        """
        if self.length is None:
            return self._one(value)
        items = list(value) if isinstance(value, (tuple, list)) else [value] * self.length
        found = tuple(one for one in map(self._one, items) if one is not None and not isinstance(one, str))
        return found if len(found) == len(items) == self.length else None

    def _one(self, value: object) -> bool | int | float | str | None:
        if self.choices:
            return value if isinstance(value, str) and value in self.choices else None
        accepted = (int, float) if self.base == "float" else (_BASES[self.base],)
        return _BASES[self.base](value) if type(value) in accepted else None


def shown(value: Attribute) -> str:
    """``value`` as source says it."""
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))}{',' if len(value) == 1 else ''})"
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


def article(kind: Kind) -> str:
    """``an int``, ``a float``, ``one of ...``."""
    if kind.choices:
        return f"one of {', '.join(map(shown, kind.choices))}"
    return f"an {kind}" if kind.base[0] in "aeiou" else f"a {kind}"


def kind_of(a: ast.Attribute) -> Kind:
    """The kind that ``a`` is declared with. CheckError if there is no such kind."""
    name, dims, choices = a.kind.name, a.kind.dims, [c.value for c in a.kind.choices]
    for at, text in enumerate(a.kind.choices):
        if text.value in choices[:at]:
            raise error(f"the choice {shown(text.value)} is there twice", text.span, "leave one out")
    if name is None:
        return Kind("choice", tuple(choices))
    if name.text not in _BASES:
        hint = 'int, float or bool, a tuple of them as in int[2], or choices as in "none" | "mean"'
        meant = {"f32": "float", "f64": "float", "double": "float", "boolean": "bool"}.get(name.text, "int")
        raise error(f"unknown kind of attribute {name.text!r}", name.span, hint, replaced(name.span, meant))
    return Kind(name.text, length=None if dims is None else _length(a.kind, dims))


def _length(kind: ast.Kind, dims: Sequence[ast.Expr | ast.Pack]) -> int:
    only = dims[0] if len(dims) == 1 else None
    if not isinstance(only, ast.Number) or not isinstance(only.value, int) or not 0 < only.value <= MAX_LENGTH:
        raise error(f"a tuple has a length from 1 to {MAX_LENGTH}", kind.span, "as in int[2]")
    return only.value


def default_of(a: ast.Attribute, kind: Kind) -> Attribute:
    """The value that ``a`` has where a call gives none. CheckError if it is not of its ``kind``."""
    written = constant(a.default)
    value = None if written is None else kind.taken(written)
    if value is None:
        hint = "give it a default that is one of its choices" if kind.choices else f"a literal that fits {kind}"
        fix = replaced(a.default.span, shown(kind.choices[0])) if kind.choices else ()
        raise error(f"this is not {article(kind)}", a.default.span, hint, fix)
    return value


def scalar_default(s: ast.Scalar, dtypes: Sequence[DType]) -> Attribute | None:
    """The default of a run-time scalar that may have each of ``dtypes``; None if it has none."""
    if s.default is None:
        return None
    value = constant(s.default)
    for dtype in dtypes:
        if not isinstance(value, (bool, int, float)) or not _fits(value, dtype):
            raise error(f"this is not a value of type {dtype}", s.default.span, f"a literal that fits {s.dtype.text}")
    return value


def _fits(value: bool | int | float, dtype: DType) -> bool:
    if isinstance(value, bool) or dtype is BOOL:
        return isinstance(value, bool) and dtype is BOOL
    if not dtype.is_integer:
        return True
    low, high = dtype.limits
    return isinstance(value, int) and low <= value <= high


def constant(e: ast.Expr | ast.Several) -> Attribute | None:
    """The value of a literal, a negative one or a tuple of such; None if ``e`` is something else."""
    if isinstance(e, (ast.Number, ast.Text)):
        return e.value
    if isinstance(e, ast.Name):
        return TRUTHS.get(e.text, CONSTANTS.get(e.text))
    if isinstance(e, ast.Several):
        items = [constant(item) for item in e.items]
        whole = tuple(item for item in items if isinstance(item, (bool, int, float)))
        return whole if len(whole) == len(items) else None
    inner = constant(e.value) if isinstance(e, ast.Unary) and e.op == "-" else None
    return -inner if isinstance(inner, (int, float)) and not isinstance(inner, bool) else None
