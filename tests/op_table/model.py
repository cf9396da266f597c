"""What a row of the op table is: how an op is called, what it should give, and how exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FLOATS = ("f16", "bf16", "f32", "f64")
INTS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
NUMBERS = FLOATS + INTS
ANY = ("bool", *NUMBERS)
NUMPY: Mapping[str, Any] = {
    "bool": np.bool_, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64,
    **{n: np.dtype(f"{'int' if n[0] == 'i' else 'uint'}{n[1:]}").type for n in INTS},
}  # fmt: skip
EPSILON = {"f16": 2.0**-10, "bf16": 2.0**-7, "f32": 2.0**-23, "f64": 2.0**-52}

Gradient = Literal["smooth", "almost everywhere", "none", "integer"]
"""Whether the op has a derivative: everywhere; outside of kinks and jumps; only 0 where it has one (sign), or none
(random numbers); its results are integers or bools."""


@dataclass(frozen=True)
class Case:
    """One call: tensor operands in order (None: absent), keyword arguments."""

    operands: tuple[Array | None, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The operands that are there."""
        return tuple(x for x in self.operands if x is not None)


def case(*operands: Array | None, **keywords: Any) -> Case:
    return Case(operands, keywords)


@dataclass(frozen=True)
class Draw:
    """What operands are made of: random numbers, the dtype, and the kind of sizes.

    Sizes are 'odd', 'one', 'empty' (some axis is 0) or 'random'.
    """

    rng: np.random.Generator
    dtype: str
    size: str = "odd"

    def shape(self, odd: tuple[int, ...], empty: tuple[int, ...], least: int | tuple[int, ...] = 0) -> tuple[int, ...]:
        """``odd`` or ``empty`` as they are; ones; or random extents from ``least`` on."""
        if self.size == "random":
            most = int(min(40, 4000 ** (1 / max(1, len(odd))))) + 1
            low = np.broadcast_to(least, (len(odd),)).tolist()
            high = [max(a, 1 if self.rng.random() < 0.2 else most) for a in low]
            return tuple(int(self.rng.integers(a, b + 1)) for a, b in zip(low, high, strict=True))
        one = tuple(max(1, a) for a in np.broadcast_to(least, (len(odd),)).tolist())
        return {"odd": odd, "one": one, "empty": empty}[self.size]

    def pick(self, *choices: Any) -> Any:
        """One of these, so that dtypes and sizes try all; with random sizes, which compile nothing, the first."""
        return choices[0 if self.size == "random" else int(self.rng.integers(len(choices)))]

    def values(self, *shape: int) -> Array:
        return values(self.rng, self.dtype, shape)

    def positive(self, *shape: int) -> Array:
        """Values above 0, and not much below 1."""
        x = np.abs(self.values(*shape).astype(np.float64)) + (1 if self.dtype in INTS else 0.25)
        return np.asarray(x.astype(NUMPY[self.dtype]))

    def nonzero(self, *shape: int) -> Array:
        """Values of both signs, as far from 0."""
        x = self.positive(*shape)
        return x if self.dtype[0] == "u" else np.where(self.bools(*shape), x, -x).astype(x.dtype)

    def unit(self, *shape: int) -> Array:
        """Values between 0 and 1."""
        return np.asarray(self.rng.uniform(0.05, 0.95, shape).astype(NUMPY[self.dtype]))

    def few(self, *shape: int) -> Array:
        """Values of which many are equal, 0 too."""
        low = 0 if self.dtype[0] in "bu" and self.dtype != "bf16" else -2
        return np.asarray(self.rng.integers(low, 2 if self.dtype == "bool" else 3, shape).astype(NUMPY[self.dtype]))

    def special(self, *shape: int) -> Array:
        """As ``few``, and floats with NaN and infinities among them."""
        x = self.few(*shape)
        if self.dtype in FLOATS:
            x = np.where(self.bools(*shape), x, self.rng.choice([np.nan, np.inf, -np.inf, -0.0], shape).astype(x.dtype))
        return x

    def indices(self, below: int, *shape: int) -> Array:
        return np.asarray(self.rng.integers(0, max(below, 1), shape).astype(np.int64))

    def bools(self, *shape: int) -> Array:
        return values(self.rng, "bool", shape)


Oracle = Callable[[Case], tuple[Array, ...]]


@dataclass(frozen=True)
class Wrong:
    """A call that is refused, and what the message says (a regular expression)."""

    call: Case
    message: str


@dataclass(frozen=True)
class Row:
    """``make`` gives the operands of a call; ``oracle`` gets it, floats widened to float64, and gives the results.

    They must agree within ``ulps`` units of the result's dtype, relative to the largest value; ``why`` says why more
    than 8 are granted. ``layout_operands`` are tried in every layout, ``unit_operands`` with every unit-stride axis at
    every size. ``samples`` is how many combinations the fast run tries.
    """

    op: str
    dtypes: tuple[str, ...]
    make: Callable[[Draw], Case]
    oracle: Oracle
    ulps: float
    wrong: tuple[Wrong, ...]
    gradient: Gradient
    why: str = ""
    sizes: tuple[str, ...] = ("odd", "one", "empty")
    layout_operands: tuple[int, ...] = (0,)
    unit_operands: tuple[int, ...] = (0,)
    samples: int = 8

    def case(self, rng: np.random.Generator, dtype: str, size: str) -> Case:
        return self.make(Draw(rng, dtype, size))


def row(
    op: str,
    dtypes: tuple[str, ...],
    make: Callable[[Draw], Case],
    function: Callable[..., Any],
    wrong: tuple[Wrong, ...],
    gradient: Gradient,
    ulps: float = 0,
    why: str = "",
    **settings: Any,
) -> Row:
    """A row whose oracle is a function called as the op is; it gives an array or a tuple of them."""

    def oracle(case: Case) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            found = function(*case.operands, **case.keywords)
        return found if isinstance(found, tuple) else (np.asarray(found),)

    return Row(op, dtypes, make, oracle, ulps, wrong, gradient, why, **settings)


def values(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Array:
    """Random values: floats around 0, small integers (so that no product or sum overflows 8 bits often)."""
    kind = NUMPY[dtype]
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype in FLOATS:
        return np.asarray(rng.normal(size=shape)).astype(kind)
    return np.asarray(rng.integers(0 if dtype[0] == "u" else -9, 10, shape)).astype(kind)


def numbers(dtype: str, *rows: Any) -> Array:
    """An array written out."""
    return np.asarray(rows, NUMPY[dtype])


def zeros(*shape: int, dtype: str = "f32") -> Array:
    return np.zeros(shape, NUMPY[dtype])


# --- layouts ------------------------------------------------------------------------------------


def contiguous(x: Array) -> Array:
    return np.ascontiguousarray(x) if x.ndim else x


def strided(x: Array) -> Array:
    """Every second element of something twice as wide."""
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype) if x.ndim else x
    wide[..., ::2] = x
    return wide[..., ::2]


def transposed(x: Array) -> Array:
    return np.asfortranarray(x)


def reversed_rows(x: Array) -> Array:
    return np.ascontiguousarray(x[::-1])[::-1]


def broadcast(x: Array) -> Array:
    """Stride 0 along the first axis (all rows equal to the first)."""
    return np.broadcast_to(x[:1], x.shape) if x.size else x


LAYOUTS: Mapping[str, Callable[[Array], Array]] = {
    f.__name__: f for f in (contiguous, strided, transposed, reversed_rows, broadcast)
}


def widened(case: Case) -> Case:
    """The case as the oracle wants it: floats as float64."""
    up = tuple(x if x is None or x.dtype.kind in "iub" else x.astype(np.float64) for x in case.operands)
    return Case(up, case.keywords)


# --- shared makers ------------------------------------------------------------------------------


def rows(draw: Draw) -> Case:
    """One operand of rank 3, its last axis 0 if it is empty."""
    return case(draw.values(*draw.shape((3, 5, 133), (3, 0, 5), (0, 0, 1))))


def wrong_dtype(dtype: str, operands: int = 1, **keywords: Any) -> Wrong:
    """All operands of a dtype that the op does not take."""
    return Wrong(Case((zeros(2, 3, dtype=dtype),) * operands, keywords), f"'x'.* has dtype {dtype}")
