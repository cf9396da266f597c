"""Random tensors: a generator counts how many numbers of one endless sequence were drawn.

The sequence is Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011),
keyed by the seed: number i is the same whatever the threads, the target and the layout of the tensor.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tilewright.errors import CallError, CallTypeError
from tilewright.runtime import Tensor, _core, to_tensor
from tilewright.runtime.dtypes import dtype, float32, int32, int64
from tilewright.stdlib import ops
from tilewright.stdlib.tensor.creation import dims, get_default_dtype, placed, wanted
from tilewright.stdlib.tensor.limits import iinfo
from tilewright.stdlib.tensor.special import converted, copy_into

__all__ = [
    "Generator", "bernoulli", "default_generator", "get_rng_state", "initial_seed", "manual_seed", "normal", "rand",
    "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "seed", "set_rng_state",
]  # fmt: skip

_FULL = 1 << 64


class Generator:
    """A source of random numbers: a seed, and how many blocks of four were drawn. Not safe for several threads at once.

    >>> import tilewright as tw
    >>> g = tw.Generator().manual_seed(3)
    >>> a = tw.rand(4, generator=g)
    >>> a.tolist() == tw.rand(4, generator=tw.Generator().manual_seed(3)).tolist()
    True
    """

    def __init__(self, device: Any = "cpu") -> None:
        placed(device, False)
        self._seed, self._drawn = 67280421310721, 0

    def manual_seed(self, seed: int) -> Generator:
        """Starts the sequence of ``seed``, a whole number of 64 bits, negative ones from the end; returns itself."""
        if not isinstance(seed, int) or not -_FULL // 2 <= seed < _FULL:
            raise CallError(f"the seed {seed!r} is no whole number of 64 bits", hint="as in manual_seed(0)")
        self._seed, self._drawn = seed % _FULL, 0
        return self

    def seed(self) -> int:
        """Starts the sequence of a seed that the system draws, which is returned."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed."""
        return self._seed

    def get_state(self) -> Tensor:
        """Seed and number of numbers drawn as a uint8 tensor of 16 elements, for :meth:`set_state`."""
        state = self._seed.to_bytes(8, "little") + self._drawn.to_bytes(8, "little")
        return to_tensor(np.frombuffer(bytearray(state), np.uint8))

    def set_state(self, state: Any) -> Generator:
        """Goes on where the generator was that gave ``state``; returns itself."""
        raw = bytes(np.asarray(to_tensor(state)))
        if len(raw) != 16:
            raise CallError(f"a state has 16 bytes, not {len(raw)}", hint="get_state() gives one")
        self._seed, self._drawn = int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:], "little")
        return self

    def take(self, count: int) -> dict[str, int]:
        """The seed and the offset, in blocks of four, of the next ``count`` numbers, which count as drawn."""
        offset = self._drawn
        self._drawn = (self._drawn + -(-count // 4)) % _FULL
        return {"seed": self._seed, "offset": offset}


default_generator = Generator()
"""What draws where no generator is given."""


def manual_seed(seed: int) -> Generator:
    """Starts the default generator anew with ``seed``.

    >>> import tilewright as tw
    >>> g = tw.manual_seed(0)
    >>> a = tw.randn(3)
    >>> g = tw.manual_seed(0)
    >>> a.tolist() == tw.randn(3).tolist()
    True
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Starts the default generator anew with a seed that the system draws, which is returned.

    >>> import tilewright as tw
    >>> tw.seed() == tw.initial_seed()
    True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator.

    >>> import tilewright as tw
    >>> tw.manual_seed(3).initial_seed() == tw.initial_seed()
    True
    """
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator.

    >>> import tilewright as tw
    >>> tw.get_rng_state().shape
    (16,)
    """
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Sets the state of the default generator.

    >>> import tilewright as tw
    >>> state = tw.get_rng_state()
    >>> a = tw.rand(2)
    >>> tw.set_rng_state(state)
    >>> a.tolist() == tw.rand(2).tolist()
    True
    """
    default_generator.set_state(new_state)


# --- tensors --------------------------------------------------------------------------------


def drawn(op: str, target: Tensor, generator: Generator | None, **scalars: float) -> Tensor:
    """Writes numbers that ``op`` draws to all elements of ``target``, which is given back."""
    source = default_generator if generator is None else generator
    if not isinstance(source, Generator):
        raise CallTypeError(f"generator={generator!r} is no tw.Generator")
    return ops.get(op)(target, **scalars, **source.take(target.numel()), out=target)  # type: ignore[no-any-return]


def _float(name: str, given: dtype | None) -> dtype:
    to = wanted(given, get_default_dtype())
    if not to.is_floating_point:
        raise CallTypeError(f"{name}() draws floats, not {to}", hint="tw.randint draws whole numbers")
    return to


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers of [0, 1), each of the 2^24 multiples of 2^-24 as likely as the others: 2^11 in float16, 2^8 in bfloat16.

    >>> import tilewright as tw
    >>> tw.rand(2, 3).shape
    (2, 3)
    """
    placed(device, requires_grad)
    shape, to = dims("rand", size), _float("rand", dtype)
    digits = {"f16": 11, "bf16": 8}.get(to.code)
    if digits is None:
        return drawn("uniform", _core.empty(shape, to), generator)
    places: Any = drawn("randint", _core.empty(shape, int32), generator, low=0, high=1 << digits)
    return converted(places, to) * 0.5**digits  # type: ignore[no-any-return]


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers of the normal distribution of mean 0 and deviation 1: its inverse at the middles of 2^24 equal parts.

    >>> import tilewright as tw
    >>> tw.randn(2, dtype=tw.float64).dtype
    tilewright.float64
    """
    placed(device, requires_grad)
    return drawn("normal", _core.empty(dims("randn", size), _float("randn", dtype)), generator)


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Whole numbers from ``low`` (0) to ``high - 1``; int64 unless a dtype is given. ``randint(high, size)`` too.

    CallError where there is no such number, or more than 2^32.

    >>> import tilewright as tw
    >>> tw.randint(5, 6, (3,)).tolist()
    [5, 5, 5]
    """
    placed(device, requires_grad)
    if size is None:
        low, high, size = 0, low, high
    return _integers(_core.empty(dims("randint", (size,)), wanted(dtype, int64)), low, high, generator)


def _integers(made: Tensor, low: int, high: int, generator: Generator | None) -> Tensor:
    if not low < high <= low + 2**32:
        raise CallError(f"randint(): there are {high - low} numbers from {low} to {high} - 1", hint="1 to 2**32 may be")
    if made.dtype.kind in ("signed", "unsigned"):
        limits = iinfo(made.dtype)
        if low < limits.min or high - 1 > limits.max:
            raise CallError(f"randint(): {low} to {high} - 1 do not fit into {made.dtype}", hint="choose a wider dtype")
        return drawn("randint", made, generator, low=low, high=high)
    whole = drawn("randint", _core.empty(made.shape, int64), generator, low=low, high=high)
    copy_into(made, whole)
    return made


def rand_like(input: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """:func:`rand` of the shape and dtype of ``input``.

    >>> import tilewright as tw
    >>> tw.rand_like(tw.zeros(2)).shape
    (2,)
    """
    source = to_tensor(input)
    return rand(tuple(source.shape), dtype=wanted(dtype, source.dtype), device=device, requires_grad=requires_grad)


def randn_like(input: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """:func:`randn` of the shape and dtype of ``input``.

    >>> import tilewright as tw
    >>> tw.randn_like(tw.zeros(2)).shape
    (2,)
    """
    source = to_tensor(input)
    return randn(tuple(source.shape), dtype=wanted(dtype, source.dtype), device=device, requires_grad=requires_grad)


def randint_like(
    input: Any, low: int, high: int | None = None, *, dtype: dtype | None = None, device: Any = None
) -> Tensor:
    """:func:`randint` of the shape and dtype of ``input``.

    >>> import tilewright as tw
    >>> tw.randint_like(tw.zeros(2), 1).tolist()
    [0.0, 0.0]
    """
    placed(device, False)
    source = to_tensor(input)
    if high is None:
        low, high = 0, low
    return _integers(_core.empty(tuple(source.shape), wanted(dtype, source.dtype)), low, high, None)


def randperm(n: int, *, generator: Generator | None = None, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """The numbers from 0 to n - 1 in a random order; int64 unless a dtype is given.

    >>> import tilewright as tw
    >>> sorted(tw.randperm(4).tolist())
    [0, 1, 2, 3]
    """
    placed(device, False)
    (count,) = dims("randperm", (n,))
    like = _core.empty((count,), int32)
    source = default_generator if generator is None else generator
    result: Tensor = converted(ops.get("randperm")(like, **source.take(2 * count)), wanted(dtype, int64))
    return result


def bernoulli(input: Any, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that ``input`` says (or ``p``), else 0, in its dtype.

    >>> import tilewright as tw
    >>> tw.bernoulli(tw.tensor([0.0, 1.0])).tolist()
    [0.0, 1.0]
    """
    source = to_tensor(input)
    if p is not None:
        chances = _core.empty(tuple(source.shape), source.dtype if source.dtype.is_floating_point else float32)
        ops.get("fill")(chances, value=float(p), out=chances)
        return converted(bernoulli(chances, generator=generator), source.dtype)  # type: ignore[no-any-return]
    _float("bernoulli", source.dtype)
    own = default_generator if generator is None else generator
    return ops.get("bernoulli")(source, **own.take(source.numel()))  # type: ignore[no-any-return]


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None, dtype: dtype | None = None
) -> Tensor:
    """Numbers of normal distributions; mean and deviation are numbers, with a size, or tensors of one shape.

    >>> import tilewright as tw
    >>> tw.normal(0.0, 1.0, (2, 3)).shape
    (2, 3)
    """
    if size is not None:
        made = _core.empty(dims("normal", (size,)), _float("normal", dtype))
        return drawn("normal", made, generator, mean=float(mean), std=float(std))
    shape = next((tuple(to_tensor(v).shape) for v in (mean, std) if not isinstance(v, (int, float))), None)
    if shape is None:
        raise CallError("normal(): no size is given", hint="as in tw.normal(0.0, 1.0, (2, 3))")
    result: Tensor = mean + randn(shape, generator=generator) * std
    return result
