"""What legalising may round: the functions of mathematics, which targets compute by expansions of ours."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator

from tilewright.errors import InternalError
from tilewright.ir.capabilities import Capabilities
from tilewright.ir.functions import FUNCTIONS
from tilewright.ir.index import Index, symbol
from tilewright.ir.interpret import TYPED, run_function, run_plan
from tilewright.ir.interpret.arrays import decode, encode
from tilewright.ir.interpret.rounding import FORMATS
from tilewright.ir.loops import Block, blocks
from tilewright.ir.plan import Plan
from tilewright.ir.scalar import OPS, Apply, CheckedIndex, Expr, Read, apply, walk
from tilewright.ir.tensor import Axis, Compute, Function, Tensor
from tilewright.ir.types import ALL, BY_NAME, DType
from tilewright.passes.legalise import legalise, signature
from tilewright.passes.lower import lower

ROUNDED = {name: f.ulps for name, f in FUNCTIONS.items() if not f.is_exact}
"""The operations whose expansions give a number next to the true one: how near, by bits of the float. Expansions of
all others are exact."""
MEANING_ULPS = 2
"""How far the interpreter may be off itself."""
SAMPLES = (0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, *((7 * n % 101 - 50) * 0.37 for n in range(101)))

_CASTS = {("cast", f"{a}>{b}") for a, b in itertools.permutations(ALL, 2)}
_ALL = {(op, d.name) for op, d in itertools.product(OPS, ALL)} | _CASTS
_ALL_BUT_ROUNDED = Capabilities(0, frozenset(p for p in _ALL if p[0] not in ROUNDED or p[1] == "field"))


def without_math(plan: Plan) -> Plan:
    """``plan`` with what rounds expanded and nothing else: any target gives these bits."""
    return legalise(plan, _ALL_BUT_ROUNDED) if any(True for _ in _rounded(plan)) else plan


def check_expansions(plan: Plan, capabilities: Capabilities) -> None:
    """InternalError if an operation of ``plan`` that rounds is expanded to one further away than ROUNDED says."""
    for op, dtype in sorted(set(_rounded(plan))):
        _check(op, BY_NAME[dtype], capabilities)


def _check(op: str, dtype: DType, capabilities: Capabilities) -> None:
    f = _alone(op, dtype)
    points = _points(len(f.inputs), dtype)
    columns = list(zip(*points, strict=True))
    inputs = {t.name: encode(c, (len(c),), dtype, TYPED) for t, c in zip(f.inputs, columns, strict=True)}
    wanted = run_function(f, inputs, {}, TYPED)["y"]
    layouts = {t.name: 0 for t in f.inputs}
    actual = run_plan(legalise(lower(f, layouts), capabilities), inputs, {}, TYPED)["y"]
    for x, a, e in zip(points, decode(actual, dtype, TYPED), decode(wanted, dtype, TYPED), strict=True):
        if not _near(a, e, dtype, ROUNDED[op][dtype.bits]):
            raise InternalError(f"{op}({', '.join(map(str, x))}) of {dtype} is {a}, not {e}")


def _points(arity: int, dtype: DType) -> list[tuple[float, ...]]:
    """The samples; for two operands each one with some others."""
    numbers = [TYPED.constant(v, dtype) for v in SAMPLES]
    if arity == 1:
        return [(x,) for x in numbers]
    return [(x, numbers[(n * 7 + k) % len(numbers)]) for k in (0, 3, 5) for n, x in enumerate(numbers)]


def _near(actual: float, expected: float, dtype: DType, ulps: float) -> bool:
    if not math.isfinite(expected) or not math.isfinite(actual):
        return TYPED.same(actual, expected, dtype)
    spacing = math.ulp(expected) * 2.0 ** (FORMATS[BY_NAME["f64"]].precision - FORMATS[dtype].precision)
    allowed = (ulps + MEANING_ULPS) * max(spacing, 2.0 ** FORMATS[dtype].last_place)
    return abs(actual - expected) <= max(allowed, ulps * 2.0 ** (1 - FORMATS[dtype].precision) * (abs(expected) < 0.1))


def _alone(op: str, dtype: DType) -> Function:
    """``y[i] = op(x[i])``, or ``op(x[i], x1[i])``."""
    n, i = symbol("N"), symbol("i")
    operands = tuple(Tensor(name, dtype, (n,)) for name in ("x", "x1")[: OPS[op].arity])
    value = apply(op, *(Read(t.name, (i,), dtype) for t in operands))
    body = Compute((Tensor("y", dtype, (n,)),), (Axis("i", n),), (value,))
    return Function(op, operands, (), (body,), ("y",))


def _rounded(plan: Plan) -> Iterator[tuple[str, str]]:
    """The signatures of all operations that round."""
    found = (b for k in plan.kernels for b, _ in blocks(k))
    for node in itertools.chain.from_iterable(walk(e) for b in found for e in _expressions(b)):
        if isinstance(node, Apply) and node.op in ROUNDED and signature(node)[1] != "field":
            yield signature(node)


def _expressions(b: Block) -> Iterable[Expr]:
    indices: Iterable[Index | CheckedIndex] = (i for w in b.writes for i in w.indices)
    return (*b.values, *b.init, *(i for i in indices if isinstance(i, CheckedIndex)))
