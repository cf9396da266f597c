"""Random contents of operands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random

from tilewright.ir.interpret import Domain, evaluate
from tilewright.ir.interpret.arrays import HostArray, encode
from tilewright.ir.interpret.exact import NEG_INF, POISON, P, Q, cell
from tilewright.ir.interpret.numbers import Value
from tilewright.ir.tensor import Function
from tilewright.ir.types import DType
from tilewright.testing.expressions import INDEX

_CELLS = (cell(0, 0), cell(1, 1), NEG_INF, POISON)
_FLOATS = (0.0, -0.0, 1.0, -2.5, 1e30, -1e-30, math.inf, -math.inf, math.nan)


def random_values(shape: tuple[int, ...], dtype: DType, domain: Domain, random: Random) -> HostArray:
    """Values of any magnitude, special ones among them."""
    real = domain.stand_in(dtype)
    return encode([_value(real, domain, random) for _ in range(math.prod(shape))], shape, dtype, domain)


def _value(dtype: DType, domain: Domain, random: Random) -> Value:
    special = random.random() < 0.04
    if dtype.kind == "field":
        return random.choice(_CELLS) if special else cell(random.randrange(P), random.randrange(Q))
    if dtype.kind == "float":
        return domain.constant(random.choice(_FLOATS) if special else random.gauss(0, 2), dtype)
    if dtype.kind == "bool":
        return random.random() < 0.5
    low = -(1 << (dtype.bits - 1)) if dtype.kind == "int" else 0
    high = low + (1 << dtype.bits) - 1
    return random.choice((low, high, high >> 1)) if special else random.randint(max(low, -9), 9)


def random_operands(
    f: Function, dims: Mapping[str, int], domain: Domain, random: Random
) -> tuple[dict[str, HostArray], dict[str, HostArray]]:
    """Inputs of ``f`` at the sizes ``dims``, and run-time scalars. Most index operands stay in range."""
    bound = min(dims.values(), default=1) if random.random() < 0.8 else 5
    inputs = {}
    for t in f.inputs:
        shape = tuple(evaluate(extent, dims) for extent in t.shape)
        if t.name == INDEX:
            places = [random.randrange(max(bound, 1)) for _ in range(math.prod(shape))]
            inputs[INDEX] = encode(places, shape, t.dtype, domain)
        else:
            inputs[t.name] = random_values(shape, t.dtype, domain, random)
    return inputs, {s.name: random_values((), s.dtype, domain, random) for s in f.scalars}
