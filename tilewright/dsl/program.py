"""What is known while one op is being specialised: its names, and the statements made so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace

from tilewright.dsl import syntax as ast
from tilewright.dsl.mend import Fix, replaced
from tilewright.errors import CheckError
from tilewright.ir import types
from tilewright.ir.facts import Facts, of_sizes
from tilewright.ir.index import Condition, Index, const
from tilewright.ir.scalar import Expr, Var
from tilewright.ir.tensor import ScalarInput, Statement, Tensor, computes
from tilewright.ir.types import DType
from tilewright.records import dataclass
from tilewright.source import Span

CONSTANTS = {"inf": float("inf"), "nan": float("nan")}
TRUTHS = {"true": True, "false": False}
LITERALS = {**CONSTANTS, **TRUTHS}
Attribute = bool | int | float | str | tuple[bool | int | float, ...]
ELSEWHERE = {
    "float": "f32", "float16": "f16", "float32": "f32", "float64": "f64", "double": "f64", "half": "f16",
    "bfloat16": "bf16", "int": "i64", "long": "i64", "char": "i8", "boolean": "bool", "bool_": "bool",
    **{f"{kind}{bits}": f"{kind[0]}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
    "True": "true", "False": "false", "power": "pow", "ln": "log", "maximum": "max", "minimum": "min",
    "fmax": "max", "fmin": "min", "absolute": "abs", "fabs": "abs", "rint": "round", "fix": "trunc", "mod": "remainder",
    "select": "where", "logistic": "sigmoid", "psi": "digamma", "gammaln": "lgamma",
    "mm": "matmul", "bmm": "matmul",
    **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "tan2", "sinh", "cosh", "tanh")},
}  # fmt: skip
"""Names that other languages have for what has another name here."""
Resolver = Callable[[ast.Op], Mapping[str, ast.Op]]
"""The ops that can be called in the body of an op, by name."""


def no_ops(caller: ast.Op) -> Mapping[str, ast.Op]:
    """The resolver that knows no op."""
    return {}


@dataclass(frozen=True)
class Site:
    """Where a tensor is computed: the steps around its statement, and the axes that this goes along."""

    path: tuple[ast.Steps, ...]
    axes: tuple[str, ...]


@dataclass
class Level:
    """Steps being elaborated: the ranges of their axes, and the statements so far."""

    written: ast.Steps
    ranges: Mapping[str, Index]
    body: list[Statement] = field(default_factory=list)


@dataclass
class Program:
    """The tables of one specialisation. ``declared`` are the tensors whose dtype and shape are said ahead."""

    dtypes: dict[str, DType]
    attributes: dict[str, Attribute] = field(default_factory=dict)
    scalars: dict[str, ScalarInput] = field(default_factory=dict)
    dims: dict[str, Index] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    declared: dict[str, Tensor] = field(default_factory=dict)
    later: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    conditions: list[Condition] = field(default_factory=list)
    body: list[Statement] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)
    """The steps around the statement being elaborated, outermost first."""
    sites: dict[str, Site] = field(default_factory=dict)
    """Of all tensors that the outermost of these compute."""
    used: set[str] = field(default_factory=set)
    pack_ranges: dict[str, Index] = field(default_factory=dict)
    demanded: dict[str, list[Index | None]] = field(default_factory=dict)
    resolver: Resolver = no_ops
    callers: tuple[ast.Op, ...] = ()
    """The op itself, after those that are being specialised because they call it."""

    def fresh(self, base: str) -> str:
        """A name like ``base`` that nothing in the op has."""
        name, n = base, 0
        while name in self.used:
            n += 1
            name = f"{base}_{n}"
        self.used.add(name)
        return name

    def add(self, s: Statement, depth: int | None = None) -> None:
        """Appends ``s`` where the program is, or inside of the first ``depth`` of the steps around that."""
        inside = self.levels[:depth]
        (inside[-1].body if inside else self.body).append(s)
        self.tensors.update((r.name, r) for c in computes((s,)) for r in c.results)

    def stepped(self, depth: int | None = None) -> dict[str, Index]:
        """The ranges of the axes of the first ``depth`` of the steps around, of all if it is None."""
        return {name: extent for level in self.levels[:depth] for name, extent in level.ranges.items()}

    @contextmanager
    def trial(self) -> Iterator[None]:
        """What is elaborated inside leaves no trace."""
        bodies = [(body, len(body)) for body in (self.body, *(level.body for level in self.levels))]
        kept = len(self.conditions), set(self.used), dict(self.tensors), dict(self.sites)
        try:
            yield
        finally:
            for body, count in bodies:
                del body[count:]
            del self.conditions[kept[0] :]
            self.used, self.tensors, self.sites = kept[1:]

    def facts(self, ranges: Mapping[str, Index]) -> Facts:
        """What holds inside a statement over ``ranges``."""
        spans = {name: (const(0), extent) for name, extent in ranges.items()}
        return of_sizes(frozenset(self.dims)).extended(spans, self.conditions)

    def dtype(self, name: ast.Name) -> DType:
        """The dtype that a dtype name or variable stands for."""
        if name.text in self.dtypes:
            return self.dtypes[name.text]
        if name.text not in types.BY_NAME:
            raise unknown("dtype", name, [*self.dtypes, *types.BY_NAME])
        return types.BY_NAME[name.text]

    def is_dtype(self, name: str) -> bool:
        return name in self.dtypes or name in types.BY_NAME

    def spelling(self, dtype: DType) -> str:
        """How the op writes ``dtype``: the dtype variable that stands for it, or its name."""
        return next((v for v, bound in self.dtypes.items() if bound is dtype), dtype.name)

    def knows(self, name: str) -> bool:
        """Whether ``name`` means something in the op without any axis."""
        return name in self.value_names() or self.is_dtype(name)

    def value_names(self) -> list[str]:
        """Every name of the op that an expression may use."""
        return [*self.scalars, *self.attributes, *self.dims, *LITERALS]


@dataclass(frozen=True)
class Scope:
    """Where an expression stands: the axes around it with their extents, and the bound variables.

    ``own`` are the results of the statement itself, which it may read only at earlier points;
    ``recurring`` maps those whose dtype is not known yet to nothing but their names.
    """

    program: Program
    ranges: Mapping[str, Index] = field(default_factory=dict)
    variables: Mapping[str, Expr | Untyped] = field(default_factory=dict)
    target: str = ""

    def inside(self, ranges: Mapping[str, Index], variables: Mapping[str, Expr | Untyped] | None = None) -> Scope:
        """The scope under further axes and variables."""
        return replace(self, ranges={**self.ranges, **ranges}, variables={**self.variables, **(variables or {})})


class Untyped:
    """A value whose dtype comes from what it meets: literals, and what is made of literals only."""

    def __init__(self, default: DType) -> None:
        self.default = default

    def make(self, dtype: DType) -> Expr:
        """The value in ``dtype``; CheckError if it does not fit."""
        raise NotImplementedError


class UntypedVar(Untyped):
    """An accumulator or recurring result whose dtype is being found out."""

    def __init__(self, name: str, default: DType) -> None:
        super().__init__(default)
        self.name = name

    def make(self, dtype: DType) -> Expr:
        return Var(self.name, dtype)


def unknown(what: str, name: ast.Name, choices: Iterable[str]) -> CheckError:
    """An error for a name that nothing has, with the nearest one that something has."""
    names = list(choices)
    return error(f"unknown {what} {name.text!r}", name.span, nearest(name.text, names), meant(name, names))


def meant(name: ast.Name, choices: Iterable[str]) -> Fix:
    """The nearest choice in place of ``name``."""
    close = closest(name.text, choices)
    return replaced(name.span, close) if close else ()


def closest(name: str, choices: Iterable[str]) -> str | None:
    """The choice that was probably meant."""
    names = list(dict.fromkeys(choices))
    if ELSEWHERE.get(name) in names:
        return ELSEWHERE[name]
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, names, 1, 0.6)), None)


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """``did you mean ...?`` if a choice is near, else the choices if they are few."""
    names = list(dict.fromkeys(choices))
    close = closest(name, names)
    if close:
        return f"did you mean {close!r}?"
    return f"there is {', '.join(names)}" if 0 < len(names) <= 9 else None


def error(message: str, span: Span, hint: str | None = None, fix: Fix = ()) -> CheckError:
    return CheckError(message, span, hint, fix)
