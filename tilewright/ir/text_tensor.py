"""Tensor IR as canonical ``.tw``: concrete dtypes and ranks, all ranges written out.

Parsing the text and specialising it, with nothing left to choose, gives the same function again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from tilewright.errors import InternalError
from tilewright.ir.index import Index
from tilewright.ir.scalar import OPS, Apply, CheckedIndex, Const, Expr, IndexValue, Param, Read, Var, walk
from tilewright.ir.tensor import Axis, Compute, Function, Order, Reduction, Scan, Statement, Steps, Tensor, computes
from tilewright.ir.types import BOOL, F32, I64, U64, DType

_LEVELS = {
    "or": 1,
    "and": 2,
    "not": 3,
    **dict.fromkeys(("lt", "le", "gt", "ge", "eq", "ne"), 4),
    "bitor": 5,
    "bitxor": 6,
    "bitand": 7,
    "shl": 8,
    "shr": 8,
    "add": 9,
    "sub": 9,
    **dict.fromkeys(("mul", "div", "floordiv", "mod"), 10),
    "neg": 11,
    "bitnot": 11,
}
_COMPARISON, _ATOM = 4, 12


def print_function(f: Function) -> str:
    """``f`` as one op, ending in a newline."""
    inputs = [_declaration(t) for t in f.inputs]
    scalars = [f"{s.name}: scalar {s.dtype}" for s in f.scalars]
    parameters = ", ".join([*inputs, *(["*"] if scalars else []), *scalars])
    tensors = f.tensors()
    results = ", ".join(_declaration(tensors[name]) for name in f.outputs)
    lines = [f"op {f.name}({parameters}) -> {results}:"]
    lines += [f"    where {c}" for c in f.preconditions]
    for s in f.body:
        lines += [f"    {line}" for line in _lines(s, f.outputs)]
    return "\n".join(lines) + "\n"


def print_expr(e: Expr) -> str:
    """A scalar expression; literals carry their dtype unless it is their default one."""
    _prepare([e])
    return _text(e, 0)


# --- statements -----------------------------------------------------------------------------


def _declaration(t: Tensor) -> str:
    return f"{t.name}: {t.dtype}[{_join(t.shape)}]"


def _join(parts: Sequence[object]) -> str:
    return ", ".join(map(str, parts))


def _prepare(roots: Iterable[Expr]) -> None:
    """Renders operands before what they are in, so that deep nesting is no deep recursion."""
    for root in roots:
        for node in walk(root):
            _rendered(node)


def _expressions(c: Compute) -> Iterator[Expr]:
    yield from c.values
    fold = c.reduction or c.scan
    yield from fold.merge if fold else ()
    yield from (i for i in (c.scatter.indices if c.scatter else ()) if not isinstance(i, Index))


def _lines(s: Statement, outputs: Sequence[str]) -> list[str]:
    """A statement; before steps, the types of the results in them that the header does not say."""
    if not isinstance(s, Steps):
        return _statement(s, outputs)
    results = [r for c in computes((s,)) for r in c.results]
    said = [_declaration(r) for r in results if r.name not in outputs]
    return [*said, *_steps(s, [r.name for r in results], frozenset())]


def _steps(s: Steps, outputs: Sequence[str], stepped: frozenset[str]) -> list[str]:
    stepped |= {a.name for a in s.axes}
    lines = [f"for {', '.join(map(_axis, s.axes))}{' down' if s.down else ''}:"]
    for inner in s.body:
        inside = _steps(inner, outputs, stepped) if isinstance(inner, Steps) else _statement(inner, outputs, stepped)
        lines += [f"    {line}" for line in inside]
    return lines


def _statement(c: Compute, outputs: Sequence[str], stepped: frozenset[str] = frozenset()) -> list[str]:
    """``c`` inside of steps along the axes ``stepped``, which have their ranges there."""
    _prepare(_expressions(c))
    if c.scatter is not None:
        return _scatter(c, outputs)
    names = [r.name for r in c.results]
    axes = ", ".join(a.name if a.name in stepped else _axis(a) for a in c.axes)
    if c.sort is not None:
        return [f"{names[0]}[{axes}] = argsort[{c.sort.axis}]({', '.join(_text(k, 0) for k in c.values)})"]
    if c.reduction is None and c.scan is None:
        return [f"{names[0]}[{axes}] = {_text(c.values[0], 0)}"]
    fold = _reduction(c, c.reduction) if c.reduction else _scan(c, c.scan) if c.scan else ""
    if len(names) == 1:
        return [f"{names[0]}[{axes}] = {_rounded(c.results[0].dtype, fold)}"]
    narrow = [r for r in c.results if r.dtype is not r.dtype.compute and r.name not in outputs]
    return [*map(_declaration, narrow), f"({_join(names)})[{axes}] = {fold}"]


def _scatter(c: Compute, outputs: Sequence[str]) -> list[str]:
    """The target's shape is said on a line before if the header does not say it."""
    assert c.scatter is not None
    target = c.results[0]
    sign = {"add": "+=", "set": "="}.get(c.scatter.combine, f"{c.scatter.combine}=")
    axes = f" for {', '.join(map(_axis, c.axes))}" if c.axes or sign == "=" else ""
    start = f" from {c.scatter.start}" if c.scatter.start else ""
    indices = ", ".join(_index(i) for i in c.scatter.indices)
    line = f"{target.name}[{indices}] {sign} {_text(c.values[0], 0)}{axes}{start}"
    return [line] if target.name in outputs else [_declaration(target), line]


def _axis(a: Axis) -> str:
    return f"{a.name}: {a.extent}"


def _rounded(dtype: DType, fold: str) -> str:
    """A fold whose result is perhaps stored in a narrower dtype than it is accumulated in."""
    return fold if dtype is dtype.compute else f"{dtype}({fold})"


def _reduction(c: Compute, r: Reduction) -> str:
    axes = ", ".join(_axis(a) + _order(o) for a, o in zip(r.axes, r.orders, strict=True))
    return f"fold[{axes}]({_accumulators(c, r)})"


def _scan(c: Compute, s: Scan) -> str:
    return f"scan[{s.axis} @ {s.chunk}]({_accumulators(c, s)})"


def _order(o: Order) -> str:
    if o.is_chain:
        return ""
    return f" @ {o.chunk}" if o.lanes == 1 else f" @ {o.chunk} x {o.lanes}"


def _accumulators(c: Compute, r: Reduction | Scan) -> str:
    accs = [f"{a.name}: {a.dtype} = {_bare(i)}" for a, i in zip(r.accs, r.init, strict=True)]
    text = f"{', '.join(accs)} -> {', '.join(_in_slot(v, v.dtype, 0) for v in c.values)}"
    if not r.merge:
        return text
    others = ", ".join(o.name for o in r.others)
    return f"{text}; ({others}) -> {', '.join(_in_slot(m, m.dtype, 0) for m in r.merge)}"


# --- expressions ----------------------------------------------------------------------------


def _text(e: Expr, level: int) -> str:
    """``e`` in a place that gives literals no dtype, in parentheses if it binds weaker than ``level``."""
    text, mine = _rendered(e)
    return f"({text})" if mine < level else text


@lru_cache(maxsize=1 << 12)
def _rendered(e: Expr) -> tuple[str, int]:
    """The text of ``e``, and how tight it binds."""
    if isinstance(e, Const):
        default = {"int": I64, "float": F32, "bool": BOOL}.get(e.dtype.kind)
        return (_bare(e) if e.dtype is default else f"{e.dtype}({_bare(e)})"), _ATOM
    if isinstance(e, (Param, Var)):
        return e.name, _ATOM
    if isinstance(e, IndexValue):
        return (str(e.index) if e.index.symbol else f"index({e.index})"), _ATOM
    if isinstance(e, Read):
        return _read(e), _ATOM
    if isinstance(e, Apply):
        return _apply(e)
    if isinstance(e, CheckedIndex):
        raise InternalError("tensor IR has no checked indices")
    raise InternalError(f"unknown scalar node {type(e).__name__}")


def _bare(e: Expr) -> str:
    """A literal whose dtype the place gives."""
    if not isinstance(e, Const):
        raise InternalError(f"an initial value is a literal, not {type(e).__name__}")
    if isinstance(e.value, bool):
        return "true" if e.value else "false"
    return repr(e.value)


def _in_slot(e: Expr, dtype: DType, level: int) -> str:
    """``e`` in a place that gives literals ``dtype``."""
    if isinstance(e, Const) and e.dtype is dtype:
        return _bare(e)
    return _text(e, level)


def _read(e: Read) -> str:
    text = f"{e.tensor}[{', '.join(map(_index, e.indices))}]"
    if e.otherwise is None:
        return text
    return f"({text} else {_in_slot(e.otherwise, e.dtype.compute, 0)})"


def _index(i: Index | Expr) -> str:
    return str(i) if isinstance(i, Index) else _in_slot(i, I64, 0)


def _apply(e: Apply) -> tuple[str, int]:
    if e.op == "cast":
        inner = _explicit if e.dtype is e.dtype.compute else _rounded_value
        return f"{e.dtype}({inner(e.args[0])})", _ATOM
    if e.op == "bitcast":
        return f"bitcast({e.dtype}, {_text(e.args[0], 0)})", _ATOM
    if e.op == "bits":
        slots = zip(e.args, (U64, U64, I64), strict=True)
        return f"bits({', '.join(_in_slot(a, d, 0) for a, d in slots)})", _ATOM
    symbol = OPS[e.op].text
    if not symbol or (e.op == "neg" and isinstance(e.args[0], Const)):
        return f"{e.op}({', '.join(_operands(e, [0] * len(e.args)))})", _ATOM
    mine = _LEVELS[e.op]
    if len(e.args) == 1:
        text = f"{symbol} " if symbol == "not" else symbol
        return text + _operands(e, [mine])[0], mine
    left, right = _operands(e, [mine + (mine == _COMPARISON), mine + 1])
    return f"{left} {symbol} {right}", mine


def _explicit(e: Expr) -> str:
    """``e`` as what is cast: ``f64(1.0)`` would be a literal, ``f64(f32(1.0))`` is a cast of one."""
    return f"{e.dtype}({_bare(e)})" if isinstance(e, Const) and e.dtype is not BOOL else _text(e, 0)


def _rounded_value(e: Expr) -> str:
    return _in_slot(e, F32, 0)


def _operands(e: Apply, levels: Sequence[int]) -> list[str]:
    """The arguments; where all that share a dtype are literals, the first of them says it."""
    shared = e.args[1:] if OPS[e.op].operands == "select" else e.args
    said = any(not isinstance(a, Const) for a in shared)
    texts = [_in_slot(a, a.dtype, level) for a, level in zip(e.args, levels, strict=True)]
    return texts if said else [*texts[: -len(shared)], _explicit(shared[0]), *texts[len(texts) - len(shared) + 1 :]]
